package yandex_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/yandex"
)

// request is what an upstream was asked.
type request struct {
	method, host, url, body string
	header                  http.Header
}

// upstream is a server of the test's that answers as its queue says, with 200 and nothing when that is empty.
type upstream struct {
	*httptest.Server
	requests chan request
	answers  chan http.HandlerFunc
}

func newUpstream(t *testing.T) *upstream {
	u := &upstream{requests: make(chan request, 100), answers: make(chan http.HandlerFunc, 100)}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		u.requests <- request{r.Method, r.Host, r.URL.RequestURI(), string(body), r.Header.Clone()}
		select {
		case answer := <-u.answers:
			answer(w, r)
		default:
		}
	}))
	t.Cleanup(u.Close)
	return u
}

// to sends every request to the upstream, whatever its host: nothing leaves the machine.
func (u *upstream) to(o *yandex.Options) {
	address := strings.TrimPrefix(u.URL, "http://")
	t := yandex.NewTransport()
	t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	t.Proxy, t.DisableKeepAlives = nil, true
	o.Transport = t
}

// responds is an answer with a content type.
func responds(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const httpSpec = `openapi: 3.0.0
paths:
  /few/{id}:
    parameters: [{name: id, in: path}, {name: Content-Type, in: header}, {name: q, in: query}, {name: none, in: query, schema: {default: some}}]
    x-yc-apigateway-any-method:
      x-yc-apigateway-integration:
        type: http
        url: http://example.com/v1/{id}/{undeclared}?fixed={q}
        headers: {Content-Type: '{Content-Type}', X-List: [one, '{none}'], X-Empty: '', X-Null: null}
        query: {list: [one, two], empty: '', q: '{q}'}
  /all/{rest+}:
    parameters: [{name: rest, in: path}]
    x-yc-apigateway-any-method:
      x-yc-apigateway-integration:
        type: http
        url: http://example.com/{rest}
        headers: {Host: other.example, '*': '*', X-Gone: '', X-Mine: mine}
        query: {'*': '*', gone: '', mine: 1}
        omitEmptyHeaders: true
        omitEmptyQueryParameters: true
  /post:
    get: {x-yc-apigateway-integration: {type: http, method: post, url: 'http://example.com', serviceAccountId: ajepost}}
  /to/{where}:
    parameters: [{name: where, in: path}]
    get: {x-yc-apigateway-integration: {type: http, url: '{where}'}}
  /ws/{room}:
    parameters: &socket
      - {name: room, in: path}
      - {name: X-Yc-Apigateway-Websocket-Connection-Id, in: header}
      - {name: X-Yc-Apigateway-Websocket-Event-Type, in: header}
    x-yc-apigateway-websocket-connect: &hook
      x-yc-apigateway-integration:
        type: http
        url: http://example.com/hook/{room}
        headers: {X-Id: '{X-Yc-Apigateway-Websocket-Connection-Id}', X-Event: '{X-Yc-Apigateway-Websocket-Event-Type}'}
    x-yc-apigateway-websocket-message: *hook
    x-yc-apigateway-websocket-disconnect: *hook
  /everything:
    x-yc-apigateway-websocket-connect: &everything
      x-yc-apigateway-integration: {type: http, method: PUT, url: 'http://example.com/', headers: {'*': '*'}, query: {'*': '*'}}
    x-yc-apigateway-websocket-message: *everything
    x-yc-apigateway-websocket-disconnect: *everything
`

func TestWhatAnHTTPIntegrationSends(t *testing.T) {
	u := newUpstream(t)
	h := build(t, httpSpec, u.to, func(o *yandex.Options) {
		o.IAMToken = func(account string) (string, error) { return "token of " + account, nil }
	})
	for _, tc := range []struct {
		name, method, path, body string
		header                   []string
		want                     request
	}{
		{"only what is named", "PUT", "/few/a%2Fb%20c?q=x%26y&other=1", "hello", []string{"Content-Type", "text/x", "X-Other", "1", "User-Agent", "tester"},
			request{"PUT", "example.com", "/v1/a%2Fb%20c/%7Bundeclared%7D?empty=&fixed=x%26y&list=one%2Ctwo&q=x%26y", "hello",
				http.Header{"User-Agent": {"tester"}, "Content-Type": {"text/x"}, "X-List": {"one,some"}, "X-Empty": {""}, "X-Null": {""}, "Content-Length": {"5"}}}},
		{"method and token of its own", "GET", "/post?x=1", "", []string{"User-Agent", "tester", "Authorization", "mine"},
			request{"POST", "example.com", "/", "", http.Header{"User-Agent": {"tester"}, "Authorization": {"Bearer token of ajepost"}, "Content-Length": {"0"}}}},
		{"a URL that the client chooses", "GET", "/to/http:%2F%2Fexample.org%2Fdeep%3Fa=b", "", []string{"User-Agent", "tester"},
			request{"GET", "example.org", "/deep?a=b", "", http.Header{"User-Agent": {"tester"}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h := *h
			h.t = t
			a := h.send(tc.method, tc.path, tc.body, tc.header...)
			is.Equal([]any{a.status, a.body}, []any{200, ""})
			got := <-u.requests
			got.header.Del("Connection") // the test's transport keeps none
			is.Equal(got, tc.want)
		})
	}
}

func TestAnHTTPIntegrationThatPassesAllOn(t *testing.T) {
	is := is.New(t)
	u := newUpstream(t)
	h := build(t, httpSpec, u.to)
	h.send("PATCH", "/all/a/b%20c/d?x=1&x=2&gone=1&mine=0", "body", "X-Gone", "1", "X-Mine", "theirs", "X-Theirs", "1", "Cookie", "a=b", "Accept-Encoding", "br",
		"Authorization", "Basic x", "User-Agent", "tester", "X-Yc-Apigateway-Authorizer-Context", "forged", "Te", "trailers",
		"Connection", "X-Hop, Te", "X-Hop", "1")
	got := <-u.requests
	is.Equal([]string{got.method, got.host, got.url, got.body}, []string{"PATCH", "other.example", "/a/b%20c/d?mine=1&x=1&x=2", "body"})
	for name, want := range map[string]string{"X-Gone": "", "X-Mine": "mine", "X-Theirs": "1", "Cookie": "a=b", "Accept-Encoding": "br", "Authorization": "Basic x",
		"User-Agent": "tester", "X-Forwarded-For": "127.0.0.1", "X-Serverless-Gateway-Id": mine, "X-Yc-Apigateway-Authorizer-Context": "", "Te": "", "X-Hop": ""} {
		is.Equal(got.header.Get(name), want) // a header by its name
	}
	is.True(got.header.Get("X-Request-Id") != "")
	is.Equal(got.header["X-Gone"], nil)
}

func TestWhatComesBackFromAnHTTPIntegration(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		status int
		header http.Header
		body   string
	}{
		{"all of it", func(w http.ResponseWriter, r *http.Request) {
			w.Header()["X-Two"] = []string{"1", "2"}
			w.Header().Set("Www-Authenticate", "Basic")
			w.Header().Set("Via", "me")
			w.Header().Set("Set-Cookie", "a=b")
			w.Header().Set("Connection", "close")
			responds(418, "image/x", "\xff\x00")(w, r)
		}, 418, http.Header{"X-Two": {"1", "2"}, "Www-Authenticate": {"Basic"}, "Via": {"me"}, "Set-Cookie": {"a=b"}, "Content-Type": {"image/x"}, "Connection": nil}, "\xff\x00"},
		{"a redirection is the client's", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://example.org/", http.StatusTemporaryRedirect)
		}, 307,
			http.Header{"Location": {"http://example.org/"}}, "<a href=\"http://example.org/\">Temporary Redirect</a>.\n\n"},
		{"packed stays packed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			responds(200, "text/plain", "not really")(w, r)
		}, 200, http.Header{"Content-Encoding": {"gzip"}}, "not really"},
		{"no type", func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "<html>")
		}, 200, http.Header{"Content-Type": nil}, "<html>"},
		{"too much", responds(200, "", strings.Repeat("x", 2_621_441)), 502, nil, `{"message":"Bad Gateway: GET http://example.com/a?mine=1: the answer is over 2621440 bytes"}`},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "short")
		}, 502, nil, `{"message":"Bad Gateway: GET http://example.com/a?mine=1: unexpected EOF"}`},
		{"another protocol", func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
				_, _ = io.Copy(io.Discard, c) // until the gateway hangs up
				_ = c.Close()
			}
		}, 502, nil, `{"message":"Bad Gateway: GET http://example.com/a?mine=1: got the status 101, want 200 to 599"}`},
		{"hung up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, nil, `{"message":"Bad Gateway: GET http://example.com/a?mine=1: EOF"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			u := newUpstream(t)
			h := build(t, httpSpec, u.to)
			u.answers <- tc.answer
			a := h.ask("GET", "/all/a", "Accept-Encoding", "gzip")
			is.Equal(a.status, tc.status)
			is.Equal(a.body, tc.body)
			for name, want := range tc.header {
				is.Equal(a.header[name], want)
			}
			is.Equal(len(h.steps) == 1, tc.status == 502) // what failed is on record
		})
	}
	is := is.New(t)
	u := newUpstream(t)
	h := build(t, httpSpec, u.to)
	u.answers <- func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "7") }
	is.Equal(h.ask("HEAD", "/all/a").header.Get("Content-Length"), "7") // what a GET would have
	u.Close()                                                           // nobody listens any more
	a := h.ask("GET", "/all/a")
	is.Equal(a.status, 502)
	is.True(strings.HasPrefix(a.body, `{"message":"Bad Gateway: GET http://example.com/a?mine=1: dial tcp 127.0.0.1:`))
	a = h.ask("GET", "/to/ftp:%2F%2Fx")
	is.Equal([]any{a.status, a.body}, []any{502, `{"message":"Bad Gateway: url: got \"ftp://x\", want http:// or https:// and a host"}`})
}

func TestAnHTTPIntegrationOfASocket(t *testing.T) {
	is := is.New(t)
	u := newUpstream(t)
	h := build(t, httpSpec, u.to)
	u.answers <- func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Sec-WebSocket-Protocol", "v2.chat")
		responds(201, "text/plain", "welcome")(w, r)
	}
	c, a := h.dial(mine, "/ws/a%20b?x=1", &websocket.DialOptions{Subprotocols: []string{"v2.chat"}, HTTPHeader: http.Header{"User-Agent": {"tester"}, "X-Other": {"1"}}})
	is.Equal(a.status, 101)
	is.Equal(c.Subprotocol(), "v2.chat")
	is.Equal(h.frame(c), "welcome")
	id := a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
	connect := <-u.requests
	connect.header.Del("Connection")
	is.Equal(connect, request{"GET", "example.com", "/hook/a%20b", "", http.Header{"User-Agent": {"tester"}, "X-Id": {id}, "X-Event": {"CONNECT"}}})

	for _, tc := range []struct{ kind, body, want string }{
		{"application/json", `{"a":1}`, `{"a":1}`},
		{"text/html; charset=utf-8", "hi", "hi"},
		{"image/x", "hi", "binary:hi"},
		{"", "hi", "binary:hi"},
	} {
		u.answers <- func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			responds(200, tc.kind, tc.body)(w, r)
		}
		h.say(c, `"say"`)
		is.Equal(h.frame(c), tc.want)
		message := <-u.requests
		message.header.Del("Connection")
		is.Equal(message, request{"POST", "example.com", "/hook/a%20b", `"say"`,
			http.Header{"User-Agent": {"tester"}, "X-Id": {id}, "X-Event": {"MESSAGE"}, "Content-Length": {"5"}}})
	}
	is.NoErr(c.Close(4001, "bye"))
	gone := <-u.requests
	gone.header.Del("Connection")
	is.Equal(gone, request{"DELETE", "example.com", "/hook/a%20b", "", http.Header{"User-Agent": {"tester"}, "X-Id": {id}, "X-Event": {"DISCONNECT"}}})

	u.answers <- responds(403, "text/plain", "no")
	c, a = h.dial(mine, "/ws/1", nil)
	is.Equal(c, nil)
	is.Equal([]any{a.status, a.header.Get("Content-Type"), a.body}, []any{403, "text/plain", "no"})
}

// A client has no way to take from the integration's request what the gateway says.
func TestTheGatewaysOwnHeadersAreOfNoHop(t *testing.T) {
	is := is.New(t)
	u := newUpstream(t)
	h := build(t, httpSpec, u.to)
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(h.url, "http://"), "/"))
	is.NoErr(err)
	defer c.Close()
	_, err = io.WriteString(c, "GET /"+mine+"/everything HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nX-Hop: 1\r\n"+
		"Connection: Upgrade, X-Hop, X-Yc-Apigateway-Websocket-Connection-Id, X-Serverless-Gateway-Id\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	is.NoErr(err)
	got := (<-u.requests).header
	is.True(got.Get("X-Yc-Apigateway-Websocket-Connection-Id") != "")
	is.Equal(got.Get("X-Serverless-Gateway-Id"), mine)
	is.Equal(got.Get("X-Hop"), "")
}

func TestAnHTTPIntegrationOfASocketThatGetsAll(t *testing.T) {
	is := is.New(t)
	u := newUpstream(t)
	h := build(t, httpSpec, u.to)
	is.Equal(h.warns, []string{"spec.yaml:40: paths./everything.x-yc-apigateway-websocket-connect.x-yc-apigateway-integration.headers: " +
		"'*' leaves out Upgrade, Connection and Sec-WebSocket-*; the cloud sends them along, and servers that speak HTTP/2 refuse them"})
	c, a := h.dial(mine, "/everything?x=1", &websocket.DialOptions{Subprotocols: []string{"chat"}})
	is.Equal(a.status, 101)
	id := a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
	r := <-u.requests
	is.Equal([]string{r.method, r.url}, []string{"PUT", "/?x=1"})
	headers := func(r request, want map[string]string) {
		t.Helper()
		for name, v := range want {
			is.Equal(name+": "+r.header.Get(name), name+": "+v)
		}
	}
	headers(r, map[string]string{"X-Yc-Apigateway-Websocket-Connection-Id": id, "X-Yc-Apigateway-Websocket-Event-Type": "CONNECT",
		"X-Yc-Apigateway-Websocket-Connected-At": "1741064767000", "Sec-Websocket-Protocol": "chat", "Upgrade": "", "Sec-Websocket-Key": ""})
	is.NoErr(c.Write(t.Context(), websocket.MessageBinary, []byte{0xff, 0}))
	r = <-u.requests
	is.Equal([]string{r.method, r.url, r.body}, []string{"PUT", "/", "\xff\x00"})
	headers(r, map[string]string{"X-Yc-Apigateway-Websocket-Connection-Id": id, "X-Yc-Apigateway-Websocket-Event-Type": "MESSAGE",
		"Content-Type": "application/octet-stream", "X-Yc-Apigateway-Websocket-Connected-At": "1741064767000"})
	is.Equal(len(r.header.Get("X-Yc-Apigateway-Websocket-Message-Id")), 30)
	h.say(c, "text")
	headers(<-u.requests, map[string]string{"Content-Type": "application/json"})
	is.NoErr(c.Close(4001, "bye"))
	headers(<-u.requests, map[string]string{"X-Yc-Apigateway-Websocket-Connection-Id": id, "X-Yc-Apigateway-Websocket-Event-Type": "DISCONNECT",
		"X-Yc-Apigateway-Websocket-Disconnect-Status-Code": "4001", "X-Yc-Apigateway-Websocket-Disconnect-Reason": "bye"})
}

func TestAnHTTPIntegrationThatTakesTooLong(t *testing.T) {
	const spec = "openapi: 3.0.0\npaths:\n  /:\n    get: {x-yc-apigateway-integration: {type: http, url: 'http://example.com/', timeouts: {connect: 0.5, read: 2}}}\n" +
		"  /long:\n    get: {x-yc-apigateway-integration: {type: http, url: 'http://example.com/'}}\n"
	t.Run("to connect", func(t *testing.T) {
		is := is.New(t)
		dialing, never := make(chan bool), make(chan bool)
		dialed := make(chan bool)
		h := build(t, spec, func(o *yandex.Options) {
			o.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				defer close(dialed)
				dialing <- true
				<-never
				return nil, net.ErrClosed
			}}
		})
		got := make(chan answer)
		go func() { got <- h.ask("GET", "/") }()
		<-dialing
		h.clock.Advance(500 * time.Millisecond)
		is.Equal((<-got).body, `{"message":"Gateway Timeout: the connection was not made within timeouts.connect"}`)
		close(never)
		<-dialed
	})
	for _, tc := range []struct {
		name, path string
		after      time.Duration
		body       string
	}{
		{"to answer", "/", 2 * time.Second, `{"message":"Gateway Timeout: the answer was not there within timeouts.read"}`},
		{"for any gateway", "/long", 5 * time.Minute, `{"message":"Gateway Timeout: it took longer than the gateway waits for an integration"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			u := newUpstream(t)
			h := build(t, spec, u.to)
			u.answers <- func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
			got := make(chan answer)
			go func() { got <- h.ask("GET", tc.path) }()
			<-u.requests
			h.clock.Advance(tc.after)
			a := <-got
			is.Equal([]any{a.status, a.body}, []any{504, tc.body})
		})
	}
}

func TestWrongHTTPIntegrations(t *testing.T) {
	const at = "s:2: paths./.get.x-yc-apigateway-integration."
	for _, tc := range []struct{ name, fields, want string }{
		{"no url", "method: GET", at + "url: got nothing, want a URL, such as https://example.com/{path}"},
		{"scheme", "url: 'ws://x'", at + `url: got the scheme "ws", want http or https`},
		{"method", "url: 'http://x', method: FETCH", at + `method: got "FETCH", want one of get, put, post, delete, options, head, patch, trace`},
		{"header", "url: 'http://x', headers: {'a b': c}", at + `headers.a b: got the header name "a b", want letters, digits, - and _`},
		{"timeouts", "url: 'http://x', timeouts: {read: soon, conect: 1}",
			at + `timeouts.read: got "soon", want a number from 0 to 600` + "\n" + at + "timeouts.conect: unknown field, want connect"},
		{"omit", "url: 'http://x', omitEmptyHeaders: 1", at + `omitEmptyHeaders: got "1", want true or false`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			_, err := yandex.ParseSpec("s", []byte("openapi: 3.0.0\npaths: {/: {get: {x-yc-apigateway-integration: {type: http, "+tc.fields+"}}}}"))
			is.True(err != nil)
			got, want := strings.Split(err.Error(), "\n"), strings.Split(tc.want, "\n")
			is.Equal(len(got), len(want))
			for _, w := range want {
				is.True(strings.Contains(err.Error(), w)) // all problems are named
			}
		})
	}
}

func TestInward(t *testing.T) {
	is := is.New(t)
	u := newUpstream(t)
	next := yandex.NewTransport()
	next.DisableKeepAlives, next.Proxy = true, nil
	own, err := url.Parse(u.URL)
	is.NoErr(err)
	h := build(t, httpSpec, func(o *yandex.Options) {
		o.Transport = yandex.Inward{Address: func() string { return own.Host }, Next: next}
	})
	is.Equal(h.ask("GET", "/to/https:%2F%2Ffunctions.yandexcloud.net%2Fd4e%3Fintegration=raw").status, 200)
	got := <-u.requests
	is.Equal([]string{got.host, got.url}, []string{"functions.yandexcloud.net", "/d4e?integration=raw"})
	is.Equal(h.ask("GET", "/to/"+url.PathEscape(u.URL+"/direct")).status, 200) // all else goes where it is told
	got = <-u.requests
	is.Equal([]string{got.host, got.url}, []string{own.Host, "/direct"})
	for host, want := range map[string]bool{"d5d.x.apigw.yandexcloud.net": true, "APIGATEWAY-connections.api.cloud.yandex.net": true, "storage.yandexcloud.net": true,
		"yandexcloud.net.evil.example": false, "notyandexcloud.net": false, "example.com": false} {
		is.Equal(yandex.Emulated(host), want)
	}
}

// target is a transport that remembers the URL it was sent to.
type target struct{ url *url.URL }

func (to *target) RoundTrip(r *http.Request) (*http.Response, error) {
	to.url = r.URL
	return httptest.NewRecorder().Result(), nil
}

// Whatever a client puts into a parameter stays where the specification has the parameter.
func FuzzURL(f *testing.F) {
	room := gateway.New(gateway.Options{})
	f.Cleanup(func() { _ = room.Close(context.Background()) })
	to := &target{}
	cloud := yandex.New(yandex.Options{Gateway: room, Transport: to})
	spec := `{openapi: 3.0.0, paths: {'/{one}/{rest+}': {get: {parameters: [{name: one, in: path}, {name: rest, in: path}, {name: q, in: query}],
x-yc-apigateway-integration: {type: http, url: 'http://example.com/a/{one}/{rest}?q={q}'}}}}}`
	if err := cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "s", Spec: []byte(spec)}); err != nil {
		f.Fatal(err)
	}
	f.Add("a b", "c/d", "e&f=g")
	f.Add("../..", "?x#y", "{one}")
	f.Add("@evil.example", "//", "%")
	f.Fuzz(func(t *testing.T, one, rest, q string) {
		to.url = nil
		path := "/" + url.PathEscape(one) + "/" + strings.ReplaceAll(url.PathEscape(rest), "%2F", "/")
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = &url.URL{Path: "/" + one + "/" + rest, RawPath: path, RawQuery: url.Values{"q": {q}}.Encode()}
		w := httptest.NewRecorder()
		cloud.ServeGateway(w, r, mine)
		if w.Code == http.StatusNotFound && (one == "" || rest == "" || strings.HasPrefix(rest, "/") || strings.HasSuffix(rest, "/")) {
			return
		}
		switch {
		case to.url == nil:
			t.Fatalf("%q was answered %d %s", path, w.Code, w.Body)
		case to.url.Host != "example.com":
			t.Fatalf("got the host %s", to.url.Host)
		case to.url.Query().Get("q") != q:
			t.Fatalf("%q became %q", q, to.url.RawQuery)
		}
		parts := strings.SplitN(to.url.EscapedPath(), "/", 4)
		gotOne, err := url.PathUnescape(parts[2])
		if err != nil || gotOne != one {
			t.Fatalf("%q became %q", one, parts[2])
		}
		if gotRest, err := url.PathUnescape(parts[3]); err != nil || gotRest != rest && gotRest+"/" != rest {
			t.Fatalf("%q became %q", rest, parts[3])
		}
	})
}
