package yc_test

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	iam "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	resourcemanager "github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/regcast/regcast/cmd/regcast/yc"
)

// The server's errors read as yc prints them.
func TestErrors(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	said := c.fails(t, "serverless trigger get --id a1s1")
	md := c.last(t, "TriggerService.Get").md
	is.Equal(said, "rpc error: code = NotFound desc = Trigger a1s1 not found\n\n\nserver-request-id: request-1\nclient-request-id: "+
		md.Get("x-client-request-id")[0]+"\nserver-trace-id: trace-1\nclient-trace-id: "+md.Get("x-client-trace-id")[0]+"\n")

	c.answer["RegistryService.Create"] = func(proto.Message) (proto.Message, error) {
		st, err := status.New(codes.InvalidArgument, "Illegal argument").WithDetails(&errdetails.BadRequest{
			FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "id", Description: "Illegal"}, {Field: "name", Description: "too short"}, {Field: "labels", Description: "too many"}},
		})
		is.NoErr(err)
		return nil, st.Err()
	}
	said = c.fails(t, "container registry create x")
	is.True(strings.HasPrefix(said, "rpc error: code = InvalidArgument desc = Illegal argument\n  name: too short\n  labels: too many\n\n\nserver-request-id: "))

	is.Equal(c.fails(t, "serverless trigger get"), "which trigger? give its name or id as argument, or --id or --name\n")
	is.Equal(c.fails(t, "serverless trigger get a --id b"), "which trigger? [\"a\"] and --id are given together; give one\n")
	is.Equal(c.fails(t, "container image get"), "which image? give its id, as argument or with --id\n")
	is.Equal(c.fails(t, "serverless trigger get --name a"), "trigger with name \"a\" not found\n")
	is.True(strings.HasPrefix(c.fails(t, "config set token x"), "regcast's yc keeps no profiles, so there is no `config set`"))
	is.True(strings.HasPrefix(c.fails(t, "init"), "there is nothing to set up: run `regcast up`"))
	is.True(strings.HasPrefix(c.fails(t, "compute instance list"), "not emulated: `yc compute`; there is config, container,"))
	is.Equal(c.ok(t, "version"), "regcast v0, not Yandex Cloud's own CLI\n")
}

func TestNobodyThere(t *testing.T) {
	is := is.New(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	address := l.Addr().String()
	is.NoErr(l.Close())
	c := &cloud{address: address, env: map[string]string{}}
	is.Equal(c.fails(t, "serverless trigger list"),
		"nothing listens at "+address+"; start `regcast up`, or point --endpoint or YC_ENDPOINT at a running one\n")
	is.True(strings.HasPrefix(c.fails(t, "serverless trigger list --endpoint localhost"), "--endpoint \"localhost\": want host:port"))
	is.True(strings.HasPrefix(c.fails(t, "serverless trigger list --endpoint localhost:99999"), "--endpoint \"localhost:99999\": want host:port"))
}

// Which folder is worked in, and what says so.
func TestFolder(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	folder := func() string {
		t.Helper()
		return strings.TrimSuffix(strings.TrimPrefix(c.sent(t, "ServiceAccountService.List"), `{"folder_id":"`), `","page_size":"1000"}`)
	}
	c.ok(t, "iam service-account list")
	is.Equal(folder(), "b1gfolder")
	c.env["YC_FOLDER_ID"] = "b1genv"
	c.ok(t, "iam service-account list")
	is.Equal(folder(), "b1genv")
	c.ok(t, "iam service-account list --folder-id b1gflag")
	is.Equal(folder(), "b1gflag")
	c.keep(&resourcemanager.Folder{Id: "b1gnamed", Name: "prod"})
	c.env["YC_CLOUD_ID"] = "b1gcloudenv"
	c.ok(t, "iam service-account list --folder-name prod")
	is.Equal(folder(), "b1gnamed")
	is.True(strings.Contains(c.sent(t, "FolderService.List"), `"cloud_id":"b1gcloudenv"`))
	// As scripts ask for it; flags may stand first.
	is.Equal(c.ok(t, "--folder-id b1gfirst config get folder-id"), "b1gfirst\n")
	is.Equal(c.ok(t, "config list"), "token: t1.regcast.local\nendpoint: "+c.address+"\ncloud-id: b1gcloudenv\nfolder-id: b1genv\n")
	is.True(strings.HasPrefix(c.fails(t, "config get zone"), "\"zone\" is not known"))
	is.Equal(c.fails(t, "iam service-account list --folder-name test"), "--folder-name: folder with name \"test\" not found\n")
}

func TestTokens(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	bearer := func(line string) string {
		t.Helper()
		c.ok(t, line)
		return strings.Join(c.last(t, "RegistryService.List").md.Get("authorization"), " ")
	}
	is.Equal(bearer("container registry list"), "Bearer t1.regcast.local")
	c.env["YC_TOKEN"] = "t1.env"
	is.Equal(bearer("container registry list"), "Bearer t1.env")
	is.Equal(bearer("container registry list --token t1.flag"), "Bearer t1.flag")
	is.Equal(len(c.last(t, "ApiEndpointService.List").md.Get("authorization")), 0)

	c.answer["IamTokenService.Create"] = func(req proto.Message) (proto.Message, error) {
		return &iam.CreateIamTokenResponse{IamToken: "t1.of-" + req.(*iam.CreateIamTokenRequest).GetYandexPassportOauthToken()}, nil
	}
	c.answer["IamTokenService.CreateForServiceAccount"] = func(req proto.Message) (proto.Message, error) {
		return &iam.CreateIamTokenResponse{IamToken: "t1.for-" + req.(*iam.CreateIamTokenForServiceAccountRequest).GetServiceAccountId()}, nil
	}
	is.Equal(bearer("container registry list --token y0_secret"), "Bearer t1.of-y0_secret")
	is.Equal(bearer("container registry list --impersonate-service-account-id aje1"), "Bearer t1.for-aje1")
	is.Equal(c.last(t, "IamTokenService.CreateForServiceAccount").md.Get("authorization")[0], "Bearer t1.env")

	is.Equal(c.ok(t, "iam create-token"), "t1.env\n")
	delete(c.env, "YC_TOKEN")
	is.Equal(c.ok(t, "iam create-token"), "t1.of-y0_regcast_developer\n") // a loopback endpoint issues one for the asking
}

// The cloud itself is spoken to with TLS, and asks for a token and a folder.
func TestRemote(t *testing.T) {
	is := is.New(t)
	c := &cloud{env: map[string]string{"YC_ENDPOINT": "api.regcast.invalid:443"}}
	is.True(strings.HasPrefix(c.fails(t, "serverless trigger list"), "no folder: "))
	c.env["YC_FOLDER_ID"] = "b1g1"
	c.env["SSL_CERT_FILE"] = filepath.Join(t.TempDir(), "ca.pem")
	is.True(strings.HasPrefix(c.fails(t, "serverless trigger list --retry 0"), "SSL_CERT_FILE: "))
	is.NoErr(os.WriteFile(c.env["SSL_CERT_FILE"], []byte("x"), 0o600))
	is.True(strings.Contains(c.fails(t, "serverless trigger list --retry 0"), "has no certificate in PEM"))
	is.True(strings.HasPrefix(c.fails(t, "container registry configure-docker"), "not emulated: `configure-docker` for the cloud itself"))
}

func TestTLS(t *testing.T) {
	is := is.New(t)
	// Go's test server lends its certificate, which is for 127.0.0.1 too.
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(lender.Close)
	c := newCloud(t, lender.TLS.Certificates[0])
	is.Equal(c.fails(t, "container registry list --tls"), "the certificate of "+c.address+" is not trusted: `regcast ca` tells how it is; without --tls it need not be\n")
	c.env["SSL_CERT_FILE"] = filepath.Join(t.TempDir(), "ca.pem")
	is.NoErr(os.WriteFile(c.env["SSL_CERT_FILE"], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.Certificate().Raw}), 0o600))
	c.ok(t, "container registry list --tls")
	is.True(strings.HasPrefix(c.fails(t, "container registry list"), "rpc error: code = Unavailable")) // plain, unless --tls
}

func TestEndpointNotListed(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.answer["ApiEndpointService.List"] = func(proto.Message) (proto.Message, error) { return &endpoint.ListApiEndpointsResponse{}, nil }
	is.Equal(c.fails(t, "serverless trigger list"),
		c.address+" lists no endpoint \"serverless-triggers\", which yandex.cloud.serverless.triggers.v1.TriggerService is at\n")
}

// Calls are tried again while the API is unavailable: not at a loopback endpoint, unless --retry says so.
func TestRetry(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.answer["RegistryService.List"] = func(proto.Message) (proto.Message, error) { return nil, status.Error(codes.Unavailable, "later") }
	c.fails(t, "container registry list")
	is.Equal(c.count("RegistryService.List"), 1)
	var pauses []time.Duration
	c.after = func(d time.Duration) <-chan time.Time {
		pauses = append(pauses, d)
		now := make(chan time.Time, 1)
		now <- noon
		return now
	}
	c.fails(t, "container registry list --retry 3")
	is.Equal(c.count("RegistryService.List"), 4)
	is.Equal(pauses, []time.Duration{200 * time.Millisecond, 400 * time.Millisecond})
	c.answer["RegistryService.List"] = func(proto.Message) (proto.Message, error) {
		delete(c.answer, "RegistryService.List") // it is there from now on
		return nil, status.Error(codes.Unavailable, "later")
	}
	c.ok(t, "container registry list --retry -1")
	// What changes something says that it is still the same call.
	c.answer["RegistryService.Create"] = func(proto.Message) (proto.Message, error) { return nil, status.Error(codes.Unavailable, "later") }
	c.fails(t, "container registry create --retry 2")
	first := c.calls[len(c.calls)-2].md.Get("idempotency-key")
	is.Equal(c.last(t, "RegistryService.Create").md.Get("idempotency-key"), first)
	is.Equal(len(first[0]), len("00000000-0000-4000-8000-000000000000"))
}

func TestOperations(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	ticks := make(chan time.Time, 2)
	ticks <- noon
	ticks <- noon
	c.after = func(d time.Duration) <-chan time.Time {
		is.Equal(d, time.Second)
		return ticks
	}
	looks := 0
	c.answer["FolderService.Create"] = func(proto.Message) (proto.Message, error) { return &operation.Operation{Id: "b1gop"}, nil }
	c.answer["OperationService.Get"] = func(req proto.Message) (proto.Message, error) {
		is.Equal(req.(*operation.GetOperationRequest).GetOperationId(), "b1gop")
		if looks++; looks < 2 {
			return &operation.Operation{Id: "b1gop"}, nil
		}
		return done(&resourcemanager.Folder{Id: "b1g1", Name: "f"}), nil
	}
	is.Equal(c.run("resource-manager folder create f"), result{"id: b1g1\nname: f\n", "...0s...0sdone (1s)\n", 0})
	is.Equal(c.sent(t, "FolderService.Create"), `{"cloud_id":"b1gcloud","name":"f"}`)
	is.Equal(c.run("resource-manager folder create f --async"), result{"id: b1gop\n", "", 0})
	is.Equal(c.run("operation get b1gop --no-user-output").code, 0)
	// Other services' operations are shown as far as they are understood.
	c.answer["OperationService.Get"] = func(proto.Message) (proto.Message, error) {
		other := &anypb.Any{TypeUrl: "type.googleapis.com/yandex.cloud.compute.v1.Instance"}
		return &operation.Operation{Id: "fhmop", Done: true, Metadata: other, Result: &operation.Operation_Response{Response: other}}, nil
	}
	is.Equal(c.ok(t, "operation get fhmop"), "id: fhmop\ndone: true\n")

	c.answer["FolderService.Create"] = func(proto.Message) (proto.Message, error) {
		return &operation.Operation{Id: "b1gop", Done: true, Result: &operation.Operation_Error{Error: &rpcstatus.Status{Code: 6, Message: "exists"}}}, nil
	}
	r := c.run("resource-manager folder create f")
	is.Equal(r, result{"", "\nERROR: rpc error: code = AlreadyExists desc = exists\n\n\noperation-id: b1gop\n", 1})
}

// Whoever stops waiting is told which operation goes on.
func TestInterrupted(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	ctx, cancel := context.WithCancel(context.Background())
	c.after = func(time.Duration) <-chan time.Time {
		cancel()
		return nil
	}
	c.answer["RegistryService.Create"] = func(proto.Message) (proto.Message, error) { return &operation.Operation{Id: "crpop"}, nil }
	r := c.runArgs(ctx, "container", "registry", "create", "--no-user-output")
	is.Equal(r, result{"", "ERROR: operation crpop: context canceled\n", 1})
}

func TestDebug(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.answer["IamTokenService.Create"] = func(proto.Message) (proto.Message, error) {
		return &iam.CreateIamTokenResponse{IamToken: "t1.secret"}, nil
	}
	r := c.run("container registry list --debug --token y0_secret")
	is.True(strings.Contains(r.news, "/yandex.cloud.containerregistry.v1.RegistryService/List at "+c.address))
	is.True(strings.Contains(r.news, "b1gfolder"))
	is.True(!strings.Contains(r.news, "secret"))
}

// Every flag's text is read by code that nothing a person types may break.
func FuzzFlags(f *testing.F) {
	for _, text := range []string{"128MB", "1g", "-1", "9999999999T", "a=b,c=\"d", "15:04:05", "3h30m ago", "\"", "2006-01-02T15:04:05Z", "INFO"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, args := range [][]string{
			{"serverless", "function", "version", "create", "--memory", text, "--environment", text, "--tags", text, "--execution-timeout", text},
			{"logging", "read", "--group-id", "x", "--since", text, "--levels", text, "--max-response-size", text},
			{"serverless", "trigger", "create", "container-registry", "--events", text},
			{"container", "registry", "set-access-bindings", "--access-binding", text},
		} {
			var news strings.Builder
			// Without a token nothing is called.
			code := yc.Run(context.Background(), args, yc.Options{Stdout: &news, Stderr: &news, Endpoint: "api.regcast.invalid:443"})
			if code != 1 || !strings.HasPrefix(news.String(), "ERROR: ") {
				t.Fatalf("%q: exit %d, %q", args, code, news.String())
			}
		}
	})
}
