package emulator_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

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
