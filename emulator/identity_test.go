package emulator_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	fn "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// callers are functions that call the cloud's APIs, as the configuration defines them.
func callers(cfg *emulator.Config) {
	cfg.CloudFunctions = append(cfg.CloudFunctions, emulator.CloudFunction{
		ID: "d4ecaller", Package: "testdata/caller", Entry: "index.Handler", Timeout: time.Minute,
	})
}

// called is what the caller answers.
type called struct {
	Status int
	Body   string
}

// identityOf is whose an IAM token is.
func identityOf(t *testing.T, body string) string {
	t.Helper()
	var told struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
	}
	var said struct{ Sub string }
	if err := json.Unmarshal([]byte(body), &told); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	parts := strings.Split(told.AccessToken, ".")
	if len(parts) != 3 || told.TokenType != "Bearer" {
		t.Fatalf("%s is no token", body)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err := errors.Join(err, json.Unmarshal(data, &said)); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return said.Sub
}

// dialAs makes a client of the cloud's APIs; an authorization goes along with each call.
func dialAs(t *testing.T, em *emulatortest.Emulator, authorization string) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///"+em.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, q, r any, c *grpc.ClientConn, call grpc.UnaryInvoker, o ...grpc.CallOption) error {
			if authorization != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
			}
			return call(ctx, method, q, r, c, o...)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// madeBy is what an operation that is done has made.
func madeBy[M proto.Message](t *testing.T, op *operation.Operation, err error) M {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if failed := op.GetError(); failed != nil || !op.Done {
		t.Fatalf("operation %s: %v", op.Description, op)
	}
	m, err := op.GetResponse().UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	return m.(M)
}

func adding(role, account string) []*access.AccessBindingDelta {
	return []*access.AccessBindingDelta{{Action: access.AccessBindingAction_ADD, AccessBinding: &access.AccessBinding{
		RoleId: role, Subject: &access.Subject{Id: account, Type: "serviceAccount"},
	}}}
}

// Code that knows only the cloud's own names reaches what is here: by gRPC and REST, with the token of its service account.
func TestAFunctionCallsTheCloudsAPIs(t *testing.T) {
	for name, strict := range map[string]bool{"strict": true, "open": false} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cfg := emulator.Config{StrictAuth: strict, FunctionLog: logged(t)}
			callers(&cfg)
			em := emulatortest.Start(t, cfg)
			for _, do := range []string{"identity", "identity by the cloud's own address"} {
				got := ask[called](t, em, "d4ecaller", `{"do":"`+do+`"}`)
				is.Equal(got.Status, 200)
				is.Equal(identityOf(t, got.Body), em.Defaults().ServiceAccountID)
			}
			ws := em.Dial("/ws")
			id := em.Connections()[0].ID
			got := ask[called](t, em, "d4ecaller", `{"do":"send","connection":"`+id+`","text":"by gRPC"}`)
			is.Equal(got.Body, "api.cloud.yandex.net:443") // all services are where they were asked for
			is.Equal(string(ws.Read()), "by gRPC")
			got = ask[called](t, em, "d4ecaller", `{"do":"post","connection":"`+id+`","text":"by REST"}`)
			is.Equal(got.Status, 200)
			is.Equal(string(ws.Read()), "by REST")
		})
	}
}

// version is a version of a function that tells what the metadata service tells it.
func version(t *testing.T, function, account string) *fn.CreateFunctionVersionRequest {
	t.Helper()
	const source = `package main

import (
	"context"
	"io"
	"net/http"
	"os"
)

type Result struct {
	Status int
	Body   string
}

func Handler(ctx context.Context) (*Result, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+os.Getenv("YC_METADATA_ADDR")+"/computeMetadata/v1/instance/service-accounts/default/token", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Metadata-Flavor", "Google")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return &Result{res.StatusCode, string(body)}, err
}
`
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	f, err := z.Create("index.go")
	if err == nil {
		_, err = io.WriteString(f, source)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return &fn.CreateFunctionVersionRequest{
		FunctionId: function, Runtime: "golang123", Entrypoint: "index.Handler", ServiceAccountId: account,
		Resources: &fn.Resources{Memory: 128 << 20}, ExecutionTimeout: durationpb.New(time.Minute),
		PackageSource: &fn.CreateFunctionVersionRequest_Content{Content: packed.Bytes()},
	}
}

// Each version of a function is who it was made to be.
func TestFunctionsHaveTheTokenOfTheirOwnAccount(t *testing.T) {
	for name, strict := range map[string]bool{"strict": true, "open": false} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := openRights(t, emulator.Config{StrictAuth: strict})
			developer := h.as(h.developer)
			functions, operations := fn.NewFunctionServiceClient(developer), operation.NewOperationServiceClient(developer)
			create := func(account string) string {
				t.Helper()
				op, err := functions.Create(t.Context(), &fn.CreateFunctionRequest{FolderId: h.Defaults().FolderID})
				made := madeBy[*fn.Function](t, op, err)
				op, err = functions.CreateVersion(t.Context(), version(t, made.Id, account))
				for err == nil && !op.Done { // a build takes what it takes
					op, err = operations.Get(t.Context(), &operation.GetOperationRequest{OperationId: op.Id})
				}
				madeBy[*fn.Version](t, op, err)
				return made.Id
			}
			whoami := func(function string) called { return ask[called](t, h.Emulator, function, "{}") }
			nobodys := whoami(create(""))
			if !strict {
				is.Equal(identityOf(t, nobodys.Body), h.Defaults().ServiceAccountID)
				return
			}
			is.Equal(nobodys, called{404, "there is no service account\n"})
			robot, _ := h.account("robot")
			other, _ := h.account("other")
			robots, others := create(robot), create(other)
			is.Equal(identityOf(t, whoami(robots).Body), robot)
			is.Equal(identityOf(t, whoami(others).Body), other)
			_, err := iam.NewServiceAccountServiceClient(developer).Suspend(t.Context(), &iam.SuspendServiceAccountRequest{ServiceAccountId: robot})
			is.NoErr(err)
			got := whoami(robots)
			is.Equal(got.Status, 404)
			is.True(strings.Contains(got.Body, "suspended"))
			is.Equal(whoami(others).Status, 200)
		})
	}
}
