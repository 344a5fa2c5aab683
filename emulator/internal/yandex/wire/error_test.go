package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

func TestCodes(t *testing.T) {
	h := open(t, wire.Options{})
	client := triggers.NewTriggerServiceClient(h.dial(t))
	var answer error
	h.triggers.creating = func(context.Context, *triggers.CreateTriggerRequest) error { return answer }
	for code, want := range map[codes.Code]int{
		codes.Canceled: 499, codes.Unknown: 500, codes.InvalidArgument: 400, codes.DeadlineExceeded: 504, codes.NotFound: 404,
		codes.AlreadyExists: 409, codes.PermissionDenied: 403, codes.ResourceExhausted: 429, codes.FailedPrecondition: 400,
		codes.Aborted: 409, codes.OutOfRange: 400, codes.Unimplemented: 501, codes.Internal: 500, codes.Unavailable: 503,
		codes.DataLoss: 500, codes.Unauthenticated: 401,
	} {
		answer = status.Error(code, "why: a \"reason\" – so")
		h.is.Equal(h.fails(h.rest(t, "POST", "/triggers/v1/triggers", created), want, code), "why: a \"reason\" – so")
		_, err := client.Create(t.Context(), pushes("x-1"))
		h.is.Equal(status.Code(err), code)
	}
	// What is no status is a mistake here, what a context ends with is not.
	answer = errors.New("journal: full")
	h.is.Equal(h.fails(h.rest(t, "POST", "/triggers/v1/triggers", created), 500, codes.Internal), "journal: full")
	answer = context.DeadlineExceeded
	h.fails(h.rest(t, "POST", "/triggers/v1/triggers", created), 504, codes.DeadlineExceeded)
}

func TestBodies(t *testing.T) {
	h := open(t, wire.Options{})
	for _, c := range []struct{ verb, path, body, kind, says string }{
		{"POST", "/triggers/v1/triggers", `{"folderId":"b1g1","colour":"red"}`, "", `request body: (line 1:20): unknown field "colour"`},
		{"POST", "/triggers/v1/triggers", `{"rule":{"containerRegistry":{"batchSettings":{"siez":1}}}}`, "", `unknown field "siez"`},
		{"POST", "/triggers/v1/triggers", `{"folderId":7}`, "", "invalid value for string field folderId: 7"},
		{"POST", "/triggers/v1/triggers", `{"rule":{"containerRegistry":{"eventType":["PUSHED"]}}}`, "", "PUSHED"},
		{"POST", "/triggers/v1/triggers", `what?`, "", "request body: syntax error"},
		{"POST", "/triggers/v1/triggers", `{"folderId":`, "", "request body: unexpected EOF"},
		{"POST", "/triggers/v1/triggers", `folderId=b1g1`, "application/x-www-form-urlencoded", "request body: syntax error"},
		{"POST", "/triggers/v1/triggers", `<trigger/>`, "application/xml", `Content-Type: got "application/xml", want application/json`},
		{"POST", "/triggers/v1/triggers", `{}`, "no kind at all", `Content-Type: got "no kind at all", want application/json`},
		{"DELETE", "/triggers/v1/triggers/a1s1", `{}`, "", "request should have no body"},
		{"GET", "/triggers/v1/triggers?folderId=b1g1&colour=red", "", "", `query parameter "colour" is unknown`},
		{"GET", "/triggers/v1/triggers?folderId=b1g1&pageSize=many", "", "", `"page_size"`},
		{"GET", "/triggers/v1/triggers?folderId=%zz", "", "", "query: "},
		{"GET", "/triggers/v1/triggers?folderId=b1g1;pageSize=1", "", "", "query: "},
	} {
		var headers []string
		if c.kind != "" {
			headers = append(headers, "Content-Type: "+c.kind)
		}
		message := h.fails(h.rest(t, c.verb, c.path, c.body, headers...), 400, codes.InvalidArgument)
		if !strings.Contains(message, c.says) {
			t.Errorf("%s %s %s: got %q, want %q", c.verb, c.path, c.body, message, c.says)
		}
	}
	// What clients say of JSON.
	for _, kind := range []string{"application/json; charset=UTF-8", "text/json", "application/x-www-form-urlencoded", "APPLICATION/JSON"} {
		h.is.Equal(h.rest(t, "POST", "/triggers/v1/triggers", created, "Content-Type: "+kind).code, 200)
	}
}

func TestRequestIDs(t *testing.T) {
	h := open(t, wire.Options{})
	r := h.rest(t, "GET", "/triggers/v1/triggers?folderId=b1g1", "")
	h.is.Equal(len(r.header.Get("X-Request-Id")), 36)
	h.is.True(r.header.Get("X-Server-Trace-Id") != "")
	r = h.rest(t, "GET", "/triggers/v1/triggers/none", "", "X-Request-Id: mine-1")
	h.is.Equal(r.header.Get("X-Request-Id"), "mine-1")
	h.fails(r, 404, codes.NotFound) // and in its details
	r = h.rest(t, "GET", "/triggers/v1/nothing", "", "X-Request-Id: "+strings.Repeat("x", 300))
	h.is.Equal(len(r.header.Get("X-Request-Id")), 36)

	r = h.rest(t, "GET", "/triggers/v1/nothing/%ff%20x", "", "X-Request-Id: \xff")
	h.is.Equal(len(r.header.Get("X-Request-Id")), 36)
	h.is.Equal(h.fails(r, 404, codes.NotFound), "no method has GET /triggers/v1/nothing/%ff%20x")
	h.is.True(strings.Contains(h.fails(h.rest(t, "GET", "/triggers/v1/triggers/%ff", ""), 400, codes.InvalidArgument), "UTF-8"))

	client := triggers.NewTriggerServiceClient(h.dial(t))
	var header metadata.MD
	_, err := client.List(t.Context(), &triggers.ListTriggersRequest{FolderId: "b1g1"}, grpc.Header(&header))
	h.is.NoErr(err)
	h.is.Equal(len(header.Get("x-request-id")), 1)
	h.is.Equal(len(header.Get("x-server-trace-id")), 1)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "mine-2")
	_, err = client.Get(ctx, &triggers.GetTriggerRequest{TriggerId: "none"}, grpc.Header(&header))
	h.is.Equal(header.Get("x-request-id"), []string{"mine-2"})
	h.is.Equal(requestInfo(err), "mine-2")
	_, err = operation.NewOperationServiceClient(h.dial(t)).Get(ctx, &operation.GetOperationRequest{})
	h.is.Equal(status.Code(err), codes.InvalidArgument)
	h.is.Equal(requestInfo(err), "mine-2")
}

func requestInfo(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, is := d.(*errdetails.RequestInfo); is {
			return info.GetRequestId()
		}
	}
	return ""
}

// What a service reads of a call and adds to its answer is the same on both wires.
func TestHeadersOfServices(t *testing.T) {
	h := open(t, wire.Options{})
	h.triggers.creating = func(ctx context.Context, _ *triggers.CreateTriggerRequest) error {
		in, _ := metadata.FromIncomingContext(ctx)
		if got := in.Get("authorization"); len(got) != 1 || got[0] != "Bearer t1.x" || wire.RequestID(ctx) != "r" {
			return fmt.Errorf("got %q of %s", got, wire.RequestID(ctx))
		}
		return grpc.SetHeader(ctx, metadata.Pairs("x-operation-poll-interval", "2"))
	}
	r := h.rest(t, "POST", "/triggers/v1/triggers", created, "Authorization: Bearer t1.x", "X-Request-Id: r")
	h.is.Equal(r.code, 200)
	h.is.Equal(r.header.Get("X-Operation-Poll-Interval"), "2")
	h.is.True(r.header.Get("Date") != "")
	var header metadata.MD
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer t1.x", "x-request-id", "r")
	_, err := triggers.NewTriggerServiceClient(h.dial(t)).Create(ctx, pushes("p-1"), grpc.Header(&header))
	h.is.NoErr(err)
	h.is.Equal(header.Get("x-operation-poll-interval"), []string{"2"})
	h.is.Equal(wire.RequestID(t.Context()), "")
}

func TestPanicIsInternal(t *testing.T) {
	calls := make(chan wire.Call, 10)
	h := open(t, wire.Options{Note: func(c wire.Call) { calls <- c }})
	_, err := triggers.NewTriggerServiceClient(h.dial(t)).Resume(t.Context(), &triggers.ResumeTriggerRequest{TriggerId: "a1s1"})
	h.is.Equal(status.Code(err), codes.Internal)
	h.is.True(strings.Contains(status.Convert(err).Message(), "resuming was forgotten"))
	call := <-calls
	h.is.True(strings.Contains(call.Panic, "house_test.go")) // says where
	h.fails(h.rest(t, "POST", "/triggers/v1/triggers/a1s1:resume", "{}", "Idempotency-Key: k"), 500, codes.Internal)
	h.is.Equal(h.rest(t, "GET", "/triggers/v1/triggers?folderId=x", "").code, 200)
}

func TestAuthenticate(t *testing.T) {
	type who struct{}
	h := open(t, wire.Options{Authenticate: func(ctx context.Context, method, authorization string) (context.Context, error) {
		if authorization != "Bearer t1.good" {
			return nil, status.Errorf(codes.Unauthenticated, "%s: %q is no token", method, authorization)
		}
		return context.WithValue(ctx, who{}, "aje1"), nil
	}})
	h.triggers.creating = func(ctx context.Context, _ *triggers.CreateTriggerRequest) error {
		if ctx.Value(who{}) != "aje1" {
			return errors.New("nobody calls")
		}
		return nil
	}
	h.is.Equal(h.rest(t, "POST", "/triggers/v1/triggers", created, "Authorization: Bearer t1.good").code, 200)
	// Who calls comes before what is wrong with it.
	h.is.Equal(h.fails(h.rest(t, "POST", "/triggers/v1/triggers", "{}", "Authorization: Bearer t1.bad"), 401, codes.Unauthenticated),
		`/yandex.cloud.serverless.triggers.v1.TriggerService/Create: "Bearer t1.bad" is no token`)
	conn := h.dial(t)
	client := triggers.NewTriggerServiceClient(conn)
	_, err := client.Create(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer t1.good"), pushes("p-1"))
	h.is.NoErr(err)
	_, err = client.Create(t.Context(), pushes("p-2"))
	h.is.Equal(status.Code(err), codes.Unauthenticated)
	// SDKs look for addresses before they have a token.
	_, err = endpoint.NewApiEndpointServiceClient(conn).List(t.Context(), &endpoint.ListApiEndpointsRequest{})
	h.is.NoErr(err)
}

func TestNote(t *testing.T) {
	calls := make(chan wire.Call, 10)
	h := open(t, wire.Options{Note: func(c wire.Call) { calls <- c }})
	told := func() wire.Call {
		c := <-calls
		h.is.True(c.Duration >= 0)
		c.Duration = 0
		return c
	}
	const service = "/yandex.cloud.serverless.triggers.v1.TriggerService/"
	id := "X-Request-Id: r"
	h.rest(t, "GET", "/triggers/v1/triggers?folderId=b1g1", "", id)
	h.is.Equal(told(), wire.Call{Method: service + "List", Request: "r"})
	h.rest(t, "GET", "/triggers/v1/triggers/none", "", id)
	h.is.Equal(told(), wire.Call{Method: service + "Get", Request: "r", Code: codes.NotFound, Message: "Trigger none not found"})
	h.rest(t, "GET", "/triggers/v1/nothing", "", id)
	h.is.Equal(told(), wire.Call{Method: "GET /triggers/v1/nothing", Request: "r", Code: codes.NotFound, Message: "no method has GET /triggers/v1/nothing"})

	client := triggers.NewTriggerServiceClient(h.dial(t))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "r")
	_, err := client.List(ctx, &triggers.ListTriggersRequest{FolderId: "b1g1"})
	h.is.NoErr(err)
	h.is.Equal(told(), wire.Call{Method: service + "List", Request: "r"})
	_, err = client.Get(ctx, &triggers.GetTriggerRequest{TriggerId: strings.Repeat("x", 65<<20)}, grpc.MaxCallSendMsgSize(1<<30))
	h.is.Equal(status.Code(err), codes.ResourceExhausted)
	c := told()
	h.is.Equal(c.Method, service+"Get")
	h.is.Equal(c.Code, codes.ResourceExhausted)
}

func TestNotStarted(t *testing.T) {
	is := is.New(t)
	server := wire.New(wire.Options{})
	h := &house{is: is, server: server}
	h.listen(t)
	h.fails(h.rest(t, "GET", "/endpoints", ""), http.StatusServiceUnavailable, codes.Unavailable)
	_, err := endpoint.NewApiEndpointServiceClient(h.dial(t)).List(t.Context(), &endpoint.ListApiEndpointsRequest{})
	is.Equal(status.Code(err), codes.Unavailable)
	is.NoErr(server.Start())
	is.Equal(h.rest(t, "GET", "/endpoints/iam", "").code, 200)
}
