package aws_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	management "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/coder/websocket"
	"github.com/matryer/is"

	cloud "github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/template"
)

// sdk is a client as functions have it.
func (h *house) sdk(path string, changes ...func(*management.Options)) *management.Client {
	o := management.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(h.server.URL + path), RetryMaxAttempts: 1,
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	}
	for _, change := range changes {
		change(&o)
	}
	return management.New(o)
}

func (h *house) post(path, id string, data []byte) error {
	_, err := h.sdk(path).PostToConnection(h.t.Context(), &management.PostToConnectionInput{ConnectionId: &id, Data: data})
	return err
}

// status is the HTTP status of a failed call, and its error code.
func status(err error) (int, string) {
	var r *smithyhttp.ResponseError
	var e smithy.APIError
	if !errors.As(err, &r) || !errors.As(err, &e) {
		return 0, ""
	}
	return r.HTTPStatusCode(), e.ErrorCode()
}

func TestPost(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	is.NoErr(h.post("/dev", id, []byte("hello")))
	is.Equal(h.frame(c), "hello")

	a := h.ask("POST", "/dev/@connections/"+id, "raw")
	is.Equal(h.frame(c), "raw")
	is.Equal(a.status, 200)
	is.Equal(a.body, "")
	is.Equal(a.header.Get("Content-Type"), "application/json")
	is.Equal(a.header.Get("Content-Length"), "0")
	is.Equal(len(a.header.Get("X-Amzn-Requestid")), 36)
	is.Equal(plain(a.header.Get("X-Amz-Apigw-Id")), "REQUEST")
	is.Equal(plain(a.header.Get("X-Amzn-Trace-Id")), "Root=TRACE")
}

func TestHeaderSpelling(t *testing.T) {
	is := is.New(t)
	h := build(t)
	_, id := h.open("/dev")
	_, head := h.raw("POST /dev/@connections/" + id + " HTTP/1.1\nHost: h\nContent-Length: 0\n\n")
	for _, name := range []string{"\nx-amzn-RequestId: ", "\nx-amz-apigw-id: ", "\nX-Amzn-Trace-Id: ", "\nContent-Type: application/json\r"} {
		is.True(strings.Contains(head, name))
	}
}

func TestPostIsText(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	is.NoErr(h.post("/dev", id, []byte("a\xff\xfeb")))
	is.Equal(h.frame(c), "a\uFFFD\uFFFDb")
	is.NoErr(h.post("/dev", id, []byte{}))
	is.Equal(h.frame(c), "")
}

func TestGet(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	h.clock.Advance(21*time.Second + 526*time.Millisecond)
	h.say(c, "x")
	h.call("default")
	h.clock.Advance(time.Second)
	for range 2 { // GET itself is no activity
		a := h.ask("GET", "/dev/@connections/"+id, "")
		is.Equal(a.status, 200)
		is.Equal(a.header.Get("Content-Type"), "application/json")
		is.Equal(a.body, `{
  "identity" : {
    "sourceIp" : "127.0.0.1",
    "userAgent" : "Go-http-client/1.1"
  },
  "connectedAt" : "2026-09-25T00:22:29.887Z",
  "lastActiveAt" : "2026-09-25T00:22:51.413Z"
}`)
	}
	is.NoErr(h.post("/dev", id, []byte{}))
	out, err := h.sdk("/dev").GetConnection(t.Context(), &management.GetConnectionInput{ConnectionId: &id})
	is.NoErr(err)
	is.Equal(out.LastActiveAt.Sub(*out.ConnectedAt), 22*time.Second+526*time.Millisecond)
	is.Equal(*out.Identity.SourceIp, "127.0.0.1")
}

func TestDelete(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	a := make(chan answer)
	go func() { a <- h.ask("DELETE", "/dev/@connections/"+id, "") }()
	is.Equal(h.ending(c), websocket.CloseError{Code: 1000, Reason: "Connection Closed Normally"})
	got := <-a
	is.Equal(got.status, 204)
	is.Equal(got.body, "")
	event := string(h.call("disconnect").payload)
	is.True(strings.Contains(event, `"disconnectStatusCode":1000`))
	is.True(strings.Contains(event, `"disconnectReason":"Connection Closed Normally"`))
}

func TestGone(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	is.NoErr(c.Close(1000, ""))
	h.call("disconnect")
	for range 2 { // repeatedly
		for _, method := range []string{"POST", "GET", "DELETE"} {
			a := h.ask(method, "/dev/@connections/"+id, "")
			is.Equal(a.status, 410)
			is.Equal(a.body, "")
			is.Equal(a.header.Get("Content-Length"), "0")
			is.Equal(a.header.Get("X-Amzn-Errortype"), "GoneException")
		}
	}
	var gone *types.GoneException
	is.True(errors.As(h.post("/dev", id, []byte("x")), &gone))
	_, err := h.sdk("/dev").GetConnection(t.Context(), &management.GetConnectionInput{ConnectionId: &id})
	is.True(errors.As(err, &gone))
	_, err = h.sdk("/dev").DeleteConnection(t.Context(), &management.DeleteConnectionInput{ConnectionId: &id})
	is.True(errors.As(err, &gone))
	is.True(strings.Contains(h.step(cloud.StepRefused).Text, "closed with 1000"))
}

// An id of an earlier run is well-formed: it is gone, and not malformed.
func TestIDOfAnEarlierRunIsGone(t *testing.T) {
	is := is.New(t)
	_, id := build(t).open("/dev")
	h := build(t)
	is.Equal(h.ask("POST", "/dev/@connections/"+id, "x").status, 410)
}

func TestUndecodableID(t *testing.T) {
	is := is.New(t)
	h := build(t, func(o *cloud.Options, _ *gateway.Options, _ *template.API) { o.StrictAuth = true }) // told before anybody is asked who he is
	_, id := h.open("/dev")
	other := "A"
	if id[0] == 'A' {
		other = "B"
	}
	for _, bad := range []string{"AAAAAAAAAAAAAAA=", other + id[1:], id[:19], "x"} {
		a := h.ask("POST", "/dev/@connections/"+bad, "x")
		is.Equal(a.status, 400)
		is.Equal(a.header.Get("X-Amzn-Errortype"), "BadRequestException")
		is.Equal(a.body, `{"message":"Invalid connectionId: `+bad+`"}`)
	}
	code, kind := status(h.post("/dev", "AAAAAAAAAAAAAAA=", []byte("x")))
	is.Equal(code, 400)
	is.Equal(kind, "BadRequestException")
}

func TestTooBig(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	h.clock.Advance(time.Second)
	a := h.ask("POST", "/dev/@connections/"+id, strings.Repeat("x", 131073))
	is.Equal(a.status, 413)
	is.Equal(a.body, "")
	is.Equal(a.header.Get("Content-Length"), "0")
	a.header.Del("Date")
	a.header.Del("Connection") // the client asked for it
	is.Equal(len(a.header), 1) // no type, no request id
	code, kind := status(h.post("/dev", id, bytes.Repeat([]byte("x"), 131073)))
	is.Equal(code, 413)
	is.Equal(kind, "UnknownError") // what the SDK makes of the bare answer

	info := h.ask("GET", "/dev/@connections/"+id, "").body
	is.True(strings.Contains(info, `"lastActiveAt" : "2026-09-25T00:22:29.887Z"`))
	big := strings.Repeat("y", 131072)
	is.NoErr(h.post("/dev", id, []byte(big))) // the connection has survived
	is.True(h.frame(c) == big)                // and got nothing else
}

func TestOtherStage(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	is.NoErr(h.post("/other", id, []byte("x")))
	is.Equal(h.frame(c), "x")
	is.Equal(h.ask("GET", "/other/@connections/"+id, "").status, 200)
}

func TestManagementOfUnknownStage(t *testing.T) {
	is := is.New(t)
	h := build(t)
	_, id := h.open("/dev")
	a := h.ask("POST", "/nowhere/@connections/"+id, "x")
	is.Equal(a.status, 403)
	is.Equal(a.header.Get("X-Amzn-Errortype"), "ForbiddenException")
	is.Equal(a.body, `{"message":"Forbidden"}`)
}

func TestConnectionOfAnotherAPI(t *testing.T) {
	is := is.New(t)
	h := build(t)
	is.NoErr(h.cloud.AddAPI(template.API{ID: "second", RouteSelection: "$request.body.a", Stages: []template.Stage{{Name: "dev"}}}, logical))
	c, id := h.open("/" + apiID + "/dev")
	is.Equal(h.ask("POST", "/second/dev/@connections/"+id, "x").status, 410)
	is.Equal(h.ask("POST", "/@connections/"+id, "y").status, 200) // whichever API's it is
	is.Equal(h.frame(c), "y")
}

func TestSlowClient(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *cloud.Options, g *gateway.Options, _ *template.API) { g.Limits.Backlog = 1 << 20 })
	c, id := h.open("/dev")
	big := []byte(strings.Repeat("x", 100<<10))
	var err error
	sent := 0
	for ; err == nil; sent++ {
		err = h.post("/dev", id, big)
	}
	var limit *types.LimitExceededException
	is.True(errors.As(err, &limit))
	code, _ := status(err)
	is.Equal(code, 429)
	for range sent - 1 {
		h.frame(c)
	}
	is.NoErr(h.room.Drained(t.Context()))
	is.NoErr(h.post("/dev", id, []byte("again"))) // the connection has survived
	is.Equal(h.frame(c), "again")
}

func TestOtherMethods(t *testing.T) {
	is := is.New(t)
	h := build(t)
	_, id := h.open("/dev")
	a := h.ask("PUT", "/dev/@connections/"+id, "x")
	is.Equal(a.status, 403)
	is.Equal(a.header.Get("X-Amzn-Errortype"), "MissingAuthenticationTokenException")
}
