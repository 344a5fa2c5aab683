package yc_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	registry "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	iam "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"
	logging "github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
	apigateway "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	websocket "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
	containers "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"
	functions "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestGateway(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	spec := filepath.Join(t.TempDir(), "spec.yaml")
	is.NoErr(os.WriteFile(spec, []byte("openapi: 3.0.0"), 0o600))
	c.ok(t, "serverless api-gateway create gw --spec "+spec+" --variables host=example.com,port=80,ratio=0.5,on=true --canary-weight 10"+
		" --canary-variables port=81 --log-group-id e231 --min-log-level warn --execution-timeout 20s --labels a=b --description d")
	is.Equal(c.sent(t, "ApiGatewayService.Create"), `{"folder_id":"b1gfolder","name":"gw","description":"d","labels":{"a":"b"},"openapi_spec":"openapi: 3.0.0",`+
		`"log_options":{"log_group_id":"e231","min_level":"WARN"},"variables":{"host":{"string_value":"example.com"},"on":{"bool_value":true},`+
		`"port":{"int_value":"80"},"ratio":{"double_value":0.5}},"canary":{"weight":"10","variables":{"port":{"int_value":"81"}}},"execution_timeout":"20s"}`)
	c.ok(t, "serverless gw update gw --no-logging --spec "+spec)
	is.Equal(c.sent(t, "ApiGatewayService.Update"), `{"api_gateway_id":"id000000000000000001","update_mask":"openapiSpec,logOptions",`+
		`"openapi_spec":"openapi: 3.0.0","log_options":{"disabled":true,"log_group_id":"e231","min_level":"WARN"}}`)
	is.True(strings.HasPrefix(c.fails(t, "serverless api-gateway create --spec missing.yaml"), "--spec: open missing.yaml: "))
	binary := filepath.Join(t.TempDir(), "binary")
	is.NoErr(os.WriteFile(binary, []byte{0xff, 0xfe}, 0o600))
	is.Equal(c.fails(t, "serverless api-gateway create --spec "+binary), "--spec: "+binary+": this is no text: want UTF-8\n")

	var asked apigateway.GetOpenapiSpecRequest_Format
	c.answer["ApiGatewayService.GetOpenapiSpec"] = func(req proto.Message) (proto.Message, error) {
		asked = req.(*apigateway.GetOpenapiSpecRequest).GetFormat()
		return &apigateway.GetOpenapiSpecResponse{OpenapiSpec: "openapi: 3.0.0\n"}, nil
	}
	is.Equal(c.ok(t, "serverless api-gateway get-spec gw"), "openapi: 3.0.0\n")
	is.Equal(asked, apigateway.GetOpenapiSpecRequest_FORMAT_UNSPECIFIED)
	c.ok(t, "serverless api-gateway get-spec gw --format json")
	is.Equal(asked, apigateway.GetOpenapiSpecRequest_JSON)

	for _, name := range []string{"AddDomain", "RemoveDomain", "Stop", "Resume"} {
		c.answer["ApiGatewayService."+name] = func(proto.Message) (proto.Message, error) { return done(&emptypb.Empty{}), nil }
	}
	c.ok(t, "serverless api-gateway add-domain gw -d example.com -c fpq1")
	is.Equal(c.sent(t, "ApiGatewayService.AddDomain"), `{"api_gateway_id":"id000000000000000001","domain_name":"example.com","certificate_id":"fpq1"}`)
	c.ok(t, "serverless api-gateway remove-domain gw --domain-id x")
	c.ok(t, "serverless api-gateway stop gw")
	c.ok(t, "serverless api-gateway resume gw")
	is.Equal(c.ok(t, "serverless api-gateway delete gw"), "")
}

func TestWebsocket(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.answer["ConnectionService.Get"] = func(req proto.Message) (proto.Message, error) {
		return &websocket.Connection{Id: req.(*websocket.GetConnectionRequest).GetConnectionId(), GatewayId: "d5d1",
			Identity: &websocket.Identity{SourceIp: "127.0.0.1"}, ConnectedAt: timestamppb.New(noon)}, nil
	}
	is.Equal(c.ok(t, "serverless api-gateway websocket get c1"),
		"id: c1\ngateway_id: d5d1\nidentity:\n  source_ip: 127.0.0.1\nconnected_at: \"2026-03-04T12:00:00.123456789Z\"\n")
	var got []string
	c.answer["ConnectionService.Send"] = func(req proto.Message) (proto.Message, error) {
		r := req.(*websocket.SendToConnectionRequest)
		got = append(got, r.GetConnectionId()+" "+r.GetType().String()+" "+string(r.GetData()))
		return &websocket.SendToConnectionResponse{}, nil
	}
	file := filepath.Join(t.TempDir(), "data")
	is.NoErr(os.WriteFile(file, []byte{0, 1}, 0o600))
	is.Equal(c.ok(t, "serverless api-gateway websocket send c1 -d hello"), "")
	c.ok(t, "serverless api-gateway websocket push --id c1 -t binary --data aGk=")
	c.ok(t, "serverless api-gateway websocket forward c1 -t BINARY -f "+file)
	c.stdin = "one\ntwo"
	c.ok(t, "serverless api-gateway websocket send c1 -l")
	is.Equal(got, []string{"c1 TEXT hello", "c1 BINARY hi", "c1 BINARY \x00\x01", "c1 TEXT one", "c1 TEXT two"})
	is.True(strings.HasPrefix(c.fails(t, "serverless api-gateway websocket send c1 -t BINARY -d ?"), "--data: binary data is given as base64"))
	is.Equal(c.fails(t, "serverless api-gateway websocket send c1 -t JSON -d x"), "--type \"JSON\": want TEXT or BINARY\n")
	is.Equal(c.fails(t, "serverless api-gateway websocket send c1"), "what is to be sent? give --data, --file or --stdin\n")

	c.answer["ConnectionService.Disconnect"] = func(proto.Message) (proto.Message, error) { return &websocket.DisconnectResponse{}, nil }
	is.Equal(c.ok(t, "serverless api-gateway websocket disconnect c1"), "")
}

func TestRegistry(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.ok(t, "container registry create --name r --labels a=b")
	c.ok(t, "container registry update r --new-name s")
	is.Equal(c.sent(t, "RegistryService.Update"), `{"registry_id":"id000000000000000001","update_mask":"name","name":"s"}`)
	c.ok(t, "container registry add-labels s --labels c=d")
	is.True(strings.Contains(c.run("container registry configure-docker").news, c.address))

	c.answer["RepositoryService.GetByName"] = func(req proto.Message) (proto.Message, error) {
		if req.(*registry.GetRepositoryByNameRequest).GetRepositoryName() == "crp1/app" {
			return &registry.Repository{Id: "crprepo", Name: "crp1/app"}, nil
		}
		return nil, status.Error(codes.NotFound, "no")
	}
	c.keep(&registry.Repository{Id: "crprepo", Name: "crp1/app"})
	is.Equal(c.ok(t, "container repository get crp1/app"), "name: crp1/app\nid: crprepo\n")
	is.Equal(c.ok(t, "container repository get crprepo"), "name: crp1/app\nid: crprepo\n")
	is.Equal(c.fails(t, "container repository get --name crp1/x"), "repository with name \"crp1/x\" not found\n")
	c.ok(t, "container repository list --registry-name s")
	is.Equal(c.sent(t, "RepositoryService.List"), `{"registry_id":"id000000000000000001","page_size":"1000"}`)
	c.ok(t, "container image list --repository-name crp1/app")
	is.Equal(c.sent(t, "ImageService.List"), `{"repository_name":"crp1/app","page_size":"1000"}`)
	c.ok(t, "container image list")
	is.Equal(c.sent(t, "ImageService.List"), `{"folder_id":"b1gfolder","page_size":"1000"}`)
	c.keep(&registry.Image{Id: "i1"}, &registry.Image{Id: "i2"})
	c.ok(t, "container image delete i1 i2")
	is.Equal(c.count("ImageService.Delete"), 2)
	c.ok(t, "container repository delete crp1/app")
}

func TestBindings(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	for _, name := range []string{"FunctionService.UpdateAccessBindings", "FunctionService.SetAccessBindings"} {
		c.answer[name] = func(proto.Message) (proto.Message, error) { return done(&emptypb.Empty{}), nil }
	}
	c.keep(&iam.ServiceAccount{Id: "aje1", Name: "robot"}, &functions.Function{Id: "d4e1", Name: "fn"})
	delta := func(line, want string) {
		t.Helper()
		is.Equal(c.ok(t, "serverless function "+line), "")
		is.Equal(c.sent(t, "FunctionService.UpdateAccessBindings"), `{"resource_id":"d4e1","access_binding_deltas":[`+want+`]}`)
	}
	delta("add-access-binding fn --role viewer --service-account-name robot",
		`{"action":"ADD","access_binding":{"role_id":"viewer","subject":{"id":"aje1","type":"serviceAccount"}}}`)
	delta("remove-access-binding --id d4e1 --role viewer --user-account-id u1",
		`{"action":"REMOVE","access_binding":{"role_id":"viewer","subject":{"id":"u1","type":"userAccount"}}}`)
	delta("add-access-binding fn --role viewer --all-authenticated-users",
		`{"action":"ADD","access_binding":{"role_id":"viewer","subject":{"id":"allAuthenticatedUsers","type":"system"}}}`)
	delta("allow-unauthenticated-invoke fn",
		`{"action":"ADD","access_binding":{"role_id":"functions.functionInvoker","subject":{"id":"allUsers","type":"system"}}}`)
	delta("deny-unauthenticated-invoke fn",
		`{"action":"REMOVE","access_binding":{"role_id":"functions.functionInvoker","subject":{"id":"allUsers","type":"system"}}}`)
	c.answer["FunctionService.ListAccessBindings"] = func(proto.Message) (proto.Message, error) {
		return &access.ListAccessBindingsResponse{AccessBindings: []*access.AccessBinding{
			{RoleId: "viewer", Subject: &access.Subject{Id: "aje1", Type: "serviceAccount"}},
		}}, nil
	}
	is.Equal(c.ok(t, "serverless function list-access-bindings fn"), `+---------+----------------+------------+
| ROLE ID |  SUBJECT TYPE  | SUBJECT ID |
+---------+----------------+------------+
| viewer  | serviceAccount | aje1       |
+---------+----------------+------------+

`)
	is.Equal(c.sent(t, "FunctionService.ListAccessBindings"), `{"resource_id":"d4e1","page_size":"1000"}`)
	c.ok(t, "serverless function set-access-bindings fn -y --access-binding role=a,subject=group:g --access-binding role=b,service-account-id=aje1")
	is.Equal(c.sent(t, "FunctionService.SetAccessBindings"), `{"resource_id":"d4e1","access_bindings":[{"role_id":"a","subject":{"id":"g","type":"group"}},`+
		`{"role_id":"b","subject":{"id":"aje1","type":"serviceAccount"}}]}`)
	for line, want := range map[string]string{
		"add-access-binding fn --subject serviceAccount:aje1":                       "--role is missing\n",
		"add-access-binding fn --role viewer":                                       "who gets the role? give --subject TYPE:ID, --service-account-id or --service-account-name\n",
		"add-access-binding fn --role viewer --subject aje1":                        "--subject \"aje1\": want TYPE:ID, such as serviceAccount:<id>\n",
		"add-access-binding fn --role v --service-account-id a --user-account-id b": "more than one subject is given; a role is given to one\n",
		"add-access-binding fn --role v --service-account-name nobody":              "--service-account-name: service account with name \"nobody\" not found\n",
		"set-access-bindings fn --access-binding who=me":                            "--access-binding: \"who=me\": want role=ROLE,subject=TYPE:ID\n",
	} {
		is.Equal(c.fails(t, "serverless function "+line), want)
	}
}

func TestKeys(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.answer["AccessKeyService.Create"] = func(req proto.Message) (proto.Message, error) {
		return &awscompatibility.CreateAccessKeyResponse{Secret: "s3cret", AccessKey: &awscompatibility.AccessKey{
			Id: "aje2", ServiceAccountId: req.(*awscompatibility.CreateAccessKeyRequest).GetServiceAccountId(), KeyId: "YCA1",
		}}, nil
	}
	c.keep(&iam.ServiceAccount{Id: "aje1", Name: "robot"})
	is.Equal(c.ok(t, "iam access-key create --service-account-name robot"),
		"access_key:\n  id: aje2\n  service_account_id: aje1\n  key_id: YCA1\nsecret: s3cret\n")
	c.ok(t, "iam access-key list --service-account-id aje1")
	is.Equal(c.sent(t, "AccessKeyService.List"), `{"service_account_id":"aje1","page_size":"1000"}`)

	c.answer["KeyService.Create"] = func(proto.Message) (proto.Message, error) {
		return &iam.CreateKeyResponse{PrivateKey: "private", Key: &iam.Key{Id: "aje3", Subject: &iam.Key_ServiceAccountId{ServiceAccountId: "aje1"},
			CreatedAt: timestamppb.New(noon), KeyAlgorithm: iam.Key_RSA_2048, PublicKey: "public"}}, nil
	}
	file := filepath.Join(t.TempDir(), "key.json")
	is.True(!strings.Contains(c.ok(t, "iam key create --service-account-name robot --algorithm rsa-2048 -o "+file), "public"))
	b, err := os.ReadFile(file)
	is.NoErr(err)
	var key map[string]string
	is.NoErr(json.Unmarshal(b, &key))
	is.Equal(key, map[string]string{"id": "aje3", "service_account_id": "aje1", "created_at": "2026-03-04T12:00:00.123456789Z",
		"key_algorithm": "RSA_2048", "public_key": "public", "private_key": "private"})
	is.True(strings.HasPrefix(c.fails(t, "iam key create --service-account-name robot"), "--output is missing"))
}

func TestFunction(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.ok(t, "serverless function create fn")
	source := t.TempDir()
	is.NoErr(os.MkdirAll(filepath.Join(source, "lib"), 0o700))
	is.NoErr(os.WriteFile(filepath.Join(source, "index.go"), []byte("package main"), 0o600))
	is.NoErr(os.WriteFile(filepath.Join(source, "lib", "lib.go"), []byte("package lib"), 0o600))
	c.ok(t, "serverless function version create --function-name fn --runtime golang123 --entrypoint index.Handler --memory 256m"+
		" --execution-timeout 5s --environment A=1,B=2 --environment C=x=y --service-account-id aje1 --tags beta --source-path "+source)
	req := c.last(t, "FunctionService.CreateVersion").req.(*functions.CreateFunctionVersionRequest)
	is.Equal(req.GetFunctionId(), "id000000000000000001")
	is.Equal(req.GetResources().GetMemory(), int64(256<<20))
	is.Equal(req.GetExecutionTimeout().AsDuration(), 5*time.Second)
	is.Equal(req.GetEnvironment(), map[string]string{"A": "1", "B": "2", "C": "x=y"})
	is.Equal(req.GetTag(), []string{"beta"})
	z, err := zip.NewReader(bytes.NewReader(req.GetContent()), int64(len(req.GetContent())))
	is.NoErr(err)
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		is.NoErr(err)
		b, err := io.ReadAll(r)
		is.NoErr(err)
		files[f.Name] = string(b)
	}
	is.Equal(files, map[string]string{"index.go": "package main", "lib/lib.go": "package lib"})

	// A file goes as it is, and what is not said is as in yc.
	zipped := filepath.Join(t.TempDir(), "fn.zip")
	is.NoErr(os.WriteFile(zipped, req.GetContent(), 0o600))
	c.ok(t, "serverless fn version create --function-id d4e1 --runtime golang123 --entrypoint index.Handler --source-path "+zipped)
	again := c.last(t, "FunctionService.CreateVersion").req.(*functions.CreateFunctionVersionRequest)
	is.Equal(again.GetContent(), req.GetContent())
	is.Equal(again.GetResources().GetMemory(), int64(128<<20))
	is.Equal(again.GetExecutionTimeout().AsDuration(), 3*time.Second)
	c.ok(t, "serverless function version list --function-name fn")
	is.Equal(c.sent(t, "FunctionService.ListVersions"), `{"function_id":"id000000000000000001","page_size":"1000"}`)
	c.ok(t, "serverless function version get id000000000000000002")
	for _, name := range []string{"SetTag", "RemoveTag"} {
		c.answer["FunctionService."+name] = func(proto.Message) (proto.Message, error) { return done(&functions.Version{Id: "d4e2"}), nil }
	}
	c.ok(t, "serverless function version set-tag d4e2 --tag prod")
	is.Equal(c.sent(t, "FunctionService.SetTag"), `{"function_version_id":"d4e2","tag":"prod"}`)
	c.ok(t, "serverless function version remove-tag d4e2 --tag prod")
	c.answer["FunctionService.GetVersionByTag"] = func(proto.Message) (proto.Message, error) { return &functions.Version{Id: "d4e2"}, nil }
	is.Equal(c.ok(t, "serverless function version get-by-tag --function-name fn"), "id: d4e2\n")
	is.Equal(c.sent(t, "FunctionService.GetVersionByTag"), `{"function_id":"id000000000000000001","tag":"$latest"}`)
	c.answer["FunctionService.ListRuntimes"] = func(proto.Message) (proto.Message, error) {
		return &functions.ListRuntimesResponse{Runtimes: []string{"golang123"}}, nil
	}
	is.Equal(c.ok(t, "serverless function runtime list"), "runtimes:\n  - golang123\n")
	is.True(strings.HasPrefix(c.fails(t, "serverless function version create --function-id d4e1 --source-path missing"), "--source-path: "))
	is.Equal(c.fails(t, "serverless function version create --function-id d4e1 --source-version-id x --source-path "+zipped),
		"--source-path: the code is given twice\n")
	is.Equal(c.fails(t, "serverless function version create --function-id d4e1 --memory lots"), "--memory: \"lots\": want a size such as 128MB or 1GB\n")
	is.Equal(c.fails(t, "serverless function version create --function-id d4e1 --environment A"), "--environment: \"A\": want KEY=VALUE\n")
}

func TestInvoke(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) == "bad" {
			w.Header().Set("X-Function-Error", "true")
			w.WriteHeader(http.StatusBadGateway)
		}
		_, _ = w.Write([]byte(r.URL.String() + " " + r.Header.Get("Authorization") + " " + string(body)))
	}))
	t.Cleanup(web.Close)
	c.keep(&functions.Function{Id: "d4e1", Name: "fn", HttpInvokeUrl: web.URL + "/d4e1"})
	is.Equal(c.ok(t, "serverless function invoke fn -d hello"), "/d4e1?integration=raw Bearer t1.regcast.local hello\n")
	c.stdin = "from stdin"
	is.Equal(c.ok(t, "serverless function invoke --id d4e1 --tag beta --data-stdin"),
		"/d4e1?integration=raw&tag=beta Bearer t1.regcast.local from stdin\n")
	file := filepath.Join(t.TempDir(), "data")
	is.NoErr(os.WriteFile(file, []byte("from a file"), 0o600))
	is.True(strings.HasSuffix(c.ok(t, "serverless function invoke fn --data-file "+file), " from a file\n"))
	is.Equal(c.fails(t, "serverless function invoke fn -d bad"),
		"invoke d4e1: 502 Bad Gateway\n/d4e1?integration=raw Bearer t1.regcast.local bad\n")
	c.keep(&functions.Function{Id: "d4e2", Name: "none"})
	is.Equal(c.fails(t, "serverless function invoke none"), "invoke d4e2: its URL is \"\"\n")
}

func TestContainer(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.ok(t, "serverless container create c")
	c.ok(t, "serverless container revision deploy --container-name c --image cr.yandex/crp1/app:v1 --command /app,--port --args a --environment A=1 --cores 2")
	is.Equal(c.sent(t, "ContainerService.DeployRevision"), `{"container_id":"id000000000000000001","resources":{"memory":"134217728","cores":"2"},`+
		`"execution_timeout":"3s","image_spec":{"image_url":"cr.yandex/crp1/app:v1","command":{"command":["/app","--port"]},"args":{"args":["a"]},`+
		`"environment":{"A":"1"}}}`)
	c.keep(&containers.Revision{Id: "bba9", ContainerId: "bba1", Image: &containers.Image{ImageUrl: "cr.yandex/crp1/app:v1"}})
	is.True(strings.Contains(c.ok(t, "serverless container revision list --container-name c"), "| bba9 "))
	is.True(strings.Contains(c.ok(t, "serverless container revision list --container-name c"), "| cr.yandex/crp1/app:v1 |"))
}

func TestLogs(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	fields, err := structpb.NewStruct(map[string]any{"a": 1})
	is.NoErr(err)
	entries := []*logging.LogEntry{
		{Timestamp: timestamppb.New(noon), Level: logging.LogLevel_INFO, Message: "START\n"},
		{Timestamp: timestamppb.New(noon), Level: logging.LogLevel_ERROR, Message: "it broke", JsonPayload: fields},
		{Timestamp: timestamppb.New(noon), Message: "END"},
	}
	c.answer["LogReadingService.Read"] = func(req proto.Message) (proto.Message, error) {
		if req.(*logging.ReadRequest).GetPageToken() != "" {
			return &logging.ReadResponse{Entries: entries[2:]}, nil
		}
		return &logging.ReadResponse{Entries: entries[:2], NextPageToken: "next"}, nil
	}
	c.keep(&logging.LogGroup{Id: "e23default", Name: "default"})
	out := strings.ReplaceAll(c.ok(t, "logging read --resource-types serverless.apigateway --resource-ids d5d1,d5d2 --levels info,error"+
		" --filter x --since 2h --until 11:30:00 --stream-names s --max-response-size 3MB"), `{"a": 1}`, `{"a":1}`)
	is.Equal(out, "2026-03-04 12:00:00  INFO START\n2026-03-04 12:00:00 ERROR it broke {\"a\":1}\n2026-03-04 12:00:00       END\n")
	first := c.calls[len(c.calls)-2].req.(*logging.ReadRequest).GetCriteria()
	is.Equal(first.GetLogGroupId(), "e23default")
	is.Equal(first.GetSince().AsTime(), noon.Add(-2*time.Hour))
	is.Equal(first.GetUntil().AsTime(), time.Date(2026, 3, 4, 11, 30, 0, 0, time.UTC))
	is.Equal(first.GetLevels(), []logging.LogLevel_Level{logging.LogLevel_INFO, logging.LogLevel_ERROR})
	is.Equal(first.GetResourceIds(), []string{"d5d1", "d5d2"})
	is.Equal(first.GetMaxResponseSize(), int64(3<<20))

	is.Equal(strings.Count(c.ok(t, "logging read default --limit 1"), "\n"), 1)
	is.Equal(c.ok(t, "logging read --group-id e23x --jq .[].message"), "START\n\nit broke\nEND\n")
	c.ok(t, "logging read default 2006-01-02T15:04:05Z word")
	c.keep(&functions.Function{Id: "d4e1", Name: "fn"})
	c.answer["FunctionService.GetVersionByTag"] = func(proto.Message) (proto.Message, error) {
		return &functions.Version{LogOptions: &functions.LogOptions{Destination: &functions.LogOptions_LogGroupId{LogGroupId: "e23fn"}}}, nil
	}
	c.ok(t, "serverless function logs fn 3h")
	is.True(strings.Contains(c.sent(t, "FunctionService.GetVersionByTag"), `"tag":"$latest"`))
	of := c.calls[len(c.calls)-2].req.(*logging.ReadRequest).GetCriteria()
	is.Equal(of.GetLogGroupId(), "e23fn")
	is.Equal(of.GetResourceIds(), []string{"d4e1"})
	is.Equal(of.GetSince().AsTime(), noon.Add(-3*time.Hour))

	is.True(strings.HasPrefix(c.fails(t, "logging read --since yesterday"), "--since: \"yesterday\": want a time"))
	is.True(strings.HasPrefix(c.fails(t, "logging read --levels loud"), "--levels: \"loud\": want one of trace"))
	is.Equal(c.fails(t, "logging read --follow --since 1h"), "--follow goes with neither --since nor --until\n")
	is.Equal(c.fails(t, "logging read --limit 0"), "--limit 0: want 1 or more\n")
}

// Following goes on where the last page ended, after a pause when there was nothing.
func TestFollow(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	ctx, cancel := context.WithCancel(context.Background())
	pages := 0
	c.answer["LogReadingService.Read"] = func(req proto.Message) (proto.Message, error) {
		pages++
		entries := []*logging.LogEntry{{Timestamp: timestamppb.New(noon), Message: "page"}}
		if pages == 2 {
			entries = nil
		}
		return &logging.ReadResponse{Entries: entries, NextPageToken: "next"}, nil
	}
	pauses := 0
	c.after = func(time.Duration) <-chan time.Time {
		if pauses++; pauses == 1 {
			now := make(chan time.Time, 1)
			now <- noon
			// What comes next is the last that is asked for.
			c.answer["LogReadingService.Read"] = func(proto.Message) (proto.Message, error) {
				pages++
				if pages > 3 {
					return &logging.ReadResponse{NextPageToken: "next"}, nil
				}
				return &logging.ReadResponse{Entries: []*logging.LogEntry{{Timestamp: timestamppb.New(noon), Message: "later"}}, NextPageToken: "next"}, nil
			}
			return now
		}
		cancel()
		return nil
	}
	r := c.runArgs(ctx, "logging", "read", "--group-id", "e231", "-f")
	is.Equal(r.out, "2026-03-04 12:00:00       page\n2026-03-04 12:00:00       later\n")
	is.Equal(r.code, 1)
	is.Equal(pages, 4)
}

// A server that gives no token at the end is asked for what is newer.
func TestFollowWithoutTokens(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	ctx, cancel := context.WithCancel(context.Background())
	c.answer["LogReadingService.Read"] = func(req proto.Message) (proto.Message, error) {
		if req.(*logging.ReadRequest).GetCriteria().GetSince().AsTime().After(noon) {
			return &logging.ReadResponse{}, nil
		}
		return &logging.ReadResponse{Entries: []*logging.LogEntry{{Timestamp: timestamppb.New(noon), Message: "once"}}}, nil
	}
	pauses := 0
	c.after = func(time.Duration) <-chan time.Time {
		if pauses++; pauses == 2 {
			cancel()
			return nil
		}
		now := make(chan time.Time, 1)
		now <- noon
		return now
	}
	is.Equal(c.runArgs(ctx, "logging", "read", "--group-id", "e231", "--follow").out, "2026-03-04 12:00:00       once\n")
}
