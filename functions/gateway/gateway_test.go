package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	management "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/functions/gateway"
)

const id = "gbgHN0-zjQAYKEjhgA=="

func TestMain(m *testing.M) {
	if serveIfTold() {
		return
	}
	goleak.VerifyTestMain(m)
}

func credentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: strings.Repeat("token", 60)}, nil
	})
}

// request is what arrived.
type request struct {
	uri    string
	header http.Header
	body   string
}

// endpoint answers every request with the same, and hands on what arrived.
func endpoint(t *testing.T, answer http.HandlerFunc) (string, <-chan request) {
	arrived := make(chan request, 16)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		arrived <- request{r.RequestURI, r.Header, string(body)}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, arrived
}

func ok(http.ResponseWriter, *http.Request) {}

func newAWS(t *testing.T, endpoint string, now func() time.Time) *gateway.AWS {
	t.Helper()
	transport := gateway.Transport(2)
	t.Cleanup(transport.CloseIdleConnections)
	g, err := gateway.NewAWS(gateway.AWSOptions{Endpoint: endpoint, Region: "eu-west-1", Credentials: credentials(), Transport: transport, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func newYandex(t *testing.T, endpoint string) *gateway.Yandex {
	t.Helper()
	transport := gateway.Transport(2)
	t.Cleanup(transport.CloseIdleConnections)
	g, err := gateway.NewYandex(gateway.YandexOptions{Endpoint: endpoint, Transport: transport,
		Token: func(context.Context) (string, error) { return "t1.a.b", nil }})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The SDK's own client is the measure: path, body and content type are the same, and a server that knows the secret and signs what
// arrived comes to the signature that was sent.
func TestAWSPostIsTheSDKs(t *testing.T) {
	is := is.New(t)
	url, arrived := endpoint(t, ok)
	sdk := management.New(management.Options{Region: "eu-west-1", BaseEndpoint: new(url + "/prod"), Credentials: credentials()})
	_, err := sdk.PostToConnection(t.Context(), &management.PostToConnectionInput{ConnectionId: new(id), Data: []byte("{}")})
	is.NoErr(err)
	want := <-arrived
	g := newAWS(t, url+"/prod", nil)
	is.NoErr(g.Post(t.Context(), id, g.Message([]byte("{}"))))
	got := <-arrived
	is.Equal(got.uri, "/prod/@connections/gbgHN0-zjQAYKEjhgA%3D%3D")
	is.Equal(got.uri, want.uri)
	is.Equal(got.body, want.body)
	for _, key := range []string{"Content-Type", "X-Amz-Security-Token"} {
		is.Equal(got.header.Get(key), want.header.Get(key))
	}
	is.NoErr(verify(got, strings.TrimPrefix(url, "http://")))
	is.NoErr(verify(want, strings.TrimPrefix(url, "http://"))) // the verifier is right
	got.body += " "
	is.True(verify(got, strings.TrimPrefix(url, "http://")) != nil) // and notices
}

func TestYandexPost(t *testing.T) {
	is := is.New(t)
	url, arrived := endpoint(t, ok)
	g := newYandex(t, url+"/")
	is.NoErr(g.Post(t.Context(), "d20438/so h73", g.Message([]byte(`{"messages":[]}`))))
	got := <-arrived
	is.Equal(got.uri, "/apigateways/websocket/v1/connections/d20438%2Fso%20h73:send")
	is.Equal(got.header.Get("Authorization"), "Bearer t1.a.b")
	var body struct {
		Data []byte
		Type string
	}
	is.NoErr(json.Unmarshal([]byte(got.body), &body))
	is.Equal(string(body.Data), `{"messages":[]}`)
	is.Equal(body.Type, "TEXT")
}

// Every answer of the references' tables, and what can be done about it.
func TestAnswers(t *testing.T) {
	type cloud func(t *testing.T, url string) error
	aws := func(t *testing.T, url string) error {
		g := newAWS(t, url, nil)
		return g.Post(t.Context(), id, g.Message(nil))
	}
	yandex := func(t *testing.T, url string) error {
		g := newYandex(t, url)
		return g.Post(t.Context(), id, g.Message(nil))
	}
	for _, test := range []struct {
		name   string
		cloud  cloud
		status int
		code   string // of AWS, in the header
		body   string
		want   error
		text   string
	}{
		{"aws gone", aws, 410, "GoneException", "", gateway.ErrGone, "connection is gone: 410 Gone: GoneException"},
		{"aws gone untyped", aws, 410, "", "", gateway.ErrGone, "connection is gone: 410 Gone"},
		{"aws undecodable id", aws, 400, "BadRequestException", `{"message":"Invalid connectionId: x"}`, gateway.ErrGone,
			"connection is gone: 400 Bad Request: BadRequestException: Invalid connectionId: x"},
		{"aws other bad request", aws, 400, "BadRequestException", `{"message":"no"}`, gateway.ErrRejected, "message is rejected: 400 Bad Request: BadRequestException: no"},
		{"aws bare 413", aws, 413, "", "", gateway.ErrRejected, "message is rejected: 413 Request Entity Too Large"},
		{"aws throttled", aws, 429, "LimitExceededException:http://x/", `{"message":"slow"}`, gateway.ErrBusy,
			"gateway is busy: 429 Too Many Requests: LimitExceededException: slow"},
		{"aws failing", aws, 502, "", "<html>", gateway.ErrBusy, "gateway is busy: 502 Bad Gateway"},
		{"aws denied", aws, 403, "AccessDeniedException", `{"Message":"User: x"}`, gateway.ErrRefused,
			"gateway refuses to post: 403 Forbidden: AccessDeniedException: User: x"},
		{"aws not found", aws, 404, "", "", gateway.ErrRefused, "gateway refuses to post: 404 Not Found"},
		{"aws redirect", aws, 302, "", "", gateway.ErrRefused, "gateway refuses to post: 302 Found"},
		{"yandex gone", yandex, 404, "", `{"code":5,"message":"no connection","details":[]}`, gateway.ErrGone, "connection is gone: 404 Not Found: no connection"},
		{"yandex gone as 410", yandex, 410, "", ``, gateway.ErrGone, "connection is gone: 410 Gone"},
		{"yandex wrong address", yandex, 404, "", "404 page not found", gateway.ErrRefused, "gateway refuses to post: 404 Not Found"},
		{"yandex invalid", yandex, 400, "", `{"code":3,"message":"data"}`, gateway.ErrRejected, "message is rejected: 400 Bad Request: data"},
		{"yandex exhausted", yandex, 429, "", `{"code":8}`, gateway.ErrBusy, "gateway is busy: 429 Too Many Requests"},
		{"yandex down", yandex, 503, "", `{"code":14}`, gateway.ErrBusy, "gateway is busy: 503 Service Unavailable"},
		{"yandex no token", yandex, 401, "", `{"code":16,"message":"who"}`, gateway.ErrRefused, "gateway refuses to post: 401 Unauthorized: who"},
		{"yandex unimplemented", yandex, 501, "", `{"code":12}`, gateway.ErrRefused, "gateway refuses to post: 501 Not Implemented"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			url, _ := endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.code != "" {
					w.Header().Set("x-amzn-ErrorType", test.code)
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			err := test.cloud(t, url)
			is.True(errors.Is(err, test.want))
			is.Equal(err.Error(), test.text)
		})
	}
}

func TestNobodyThere(t *testing.T) {
	is := is.New(t)
	s := httptest.NewServer(http.HandlerFunc(ok))
	s.Close()
	g := newAWS(t, s.URL, nil)
	is.True(errors.Is(g.Post(t.Context(), id, g.Message(nil)), gateway.ErrBusy))
}

func TestNoToken(t *testing.T) {
	is := is.New(t)
	g, err := gateway.NewYandex(gateway.YandexOptions{Transport: http.DefaultTransport, Token: func(context.Context) (string, error) {
		return "", errors.New("no metadata")
	}})
	is.NoErr(err)
	err = g.Post(t.Context(), id, g.Message(nil))
	is.True(errors.Is(err, gateway.ErrBusy)) // the metadata service may be back
	is.Equal(err.Error(), "gateway is busy: no metadata")
}

// The cause that the caller gave is the error, not what the transport made of it.
func TestTimeIsUp(t *testing.T) {
	is := is.New(t)
	errUp := errors.New("up")
	ctx, cancel := context.WithCancelCause(t.Context())
	url, _ := endpoint(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(errUp)
		<-r.Context().Done()
	})
	g := newAWS(t, url, nil)
	is.Equal(g.Post(ctx, id, g.Message(nil)), errUp)
}

// Posts share kept connections, whatever the answers.
func TestConnectionsAreKept(t *testing.T) {
	is := is.New(t)
	var opened, posts atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if posts.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusGone)
		} else {
			_, _ = io.WriteString(w, "{}")
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	g := newAWS(t, s.URL, nil)
	for range 20 {
		err := g.Post(t.Context(), id, g.Message([]byte("x")))
		is.True(err == nil || errors.Is(err, gateway.ErrGone))
	}
	is.Equal(opened.Load(), int32(1))
}

func TestEndpoints(t *testing.T) {
	for _, endpoint := range []string{"ws://x", "localhost:1", "/prod", "http://", "http://%zz"} {
		is := is.New(t)
		_, err := gateway.NewAWS(gateway.AWSOptions{Endpoint: endpoint})
		is.True(err != nil)
		is.True(strings.HasPrefix(err.Error(), "gateway: endpoint "))
	}
}
