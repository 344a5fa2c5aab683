package yandex_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex"
)

const containerSpec = `openapi: 3.0.0
x-yc-apigateway: {service_account_id: ajetop}
paths:
  /{path+}:
    parameters: [{name: path, in: path}]
    x-yc-apigateway-any-method:
      x-yc-apigateway-integration: {type: serverless_containers, container_id: bbamine, context: {path: '{path}', n: 1}}
  /gone:
    get: {x-yc-apigateway-integration: {type: serverless_containers, container_id: bbagone}}
  /image:
    get: {x-yc-apigateway-integration: {type: serverless_containers, container_id: bbaimage}}
  /ws/{room}:
    x-yc-apigateway-websocket-connect: &container
      parameters: [{name: room, in: path}]
      x-yc-apigateway-integration: {type: serverless-containers, container_id: bbamine, service_account_id: ajeown}
    x-yc-apigateway-websocket-message: *container
    x-yc-apigateway-websocket-disconnect: *container
`

// at makes the upstream the container bbamine, below a path.
func (u *upstream) at(path string) func(*yandex.Options) {
	return func(o *yandex.Options) {
		o.Container = func(id string) (string, error) {
			switch id {
			case "bbaimage":
				return "", &yandex.Error{Code: yandex.CodeUnimplemented, Text: "not emulated: running its image"}
			case "bbamine":
			default:
				return "", errors.New("there is no " + id)
			}
			return u.URL + path, nil
		}
		t := yandex.NewTransport()
		t.Proxy, t.DisableKeepAlives = nil, true
		o.Transport = t
	}
}

func TestAContainerGetsTheRequest(t *testing.T) {
	is := is.New(t)
	u := newUpstream(t)
	h := build(t, containerSpec, u.at("/base/"))
	is.Equal(len(h.warns), 0)
	u.answers <- func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{"Date": "today", "Server": "mine", "Www-Authenticate": "Basic", "Via": "me", "Content-Md5": "x", "Cookie": "x", "X-Request-Id": "x",
			"Set-Cookie": "a=b", "X-Mine": "1", "Host": "x"} {
			w.Header().Set(name, value)
		}
		responds(201, "text/x", "done")(w, r)
	}
	a := h.send("PUT", "/a%2Fb/c?x=1&x=2", "body", "User-Agent", "tester", "Authorization", "Bearer x", "Cookie", "a=b", "Content-Type", "text/y", "X-Theirs", "1",
		"X-Forwarded-For", "10.1.1.1", "X-Yc-Apigateway-Operation-Context", "forged", "Te", "trailers", "Content-Md5", "y")
	is.Equal([]any{a.status, a.body}, []any{201, "done"})
	for name, want := range map[string]string{"X-Yf-Remapped-Date": "today", "X-Yf-Remapped-Server": "mine", "Via": "me",
		"X-Yf-Remapped-Content-Md5": "x", "Server": "", "Www-Authenticate": "Basic", "Cookie": "", "X-Request-Id": "", "Set-Cookie": "a=b", "X-Mine": "1", "Content-Type": "text/x"} {
		is.Equal(name+": "+a.header.Get(name), name+": "+want)
	}
	got := <-u.requests
	is.Equal([]string{got.method, got.url, got.body}, []string{"PUT", "/base/a%2Fb/c?x=1&x=2", "body"})
	is.Equal(got.host, strings.TrimSuffix(strings.TrimPrefix(h.url, "http://"), "/")) // the one that the client knows
	for name, want := range map[string]string{"User-Agent": "tester", "Authorization": "", "Cookie": "", "Te": "", "Content-Md5": "", "Content-Type": "text/y", "X-Theirs": "1",
		"X-Forwarded-For": "10.1.1.1, 127.0.0.1", "X-Serverless-Gateway-Id": mine, "X-Api-Gateway-Function-Id": "",
		"X-Yc-Apigateway-Operation-Context": base64.StdEncoding.EncodeToString([]byte(`{"n":1,"path":"a/b/c"}`))} {
		is.Equal(name+": "+got.header.Get(name), name+": "+want)
	}
}

func TestAContainerThatFails(t *testing.T) {
	is := is.New(t)
	u := newUpstream(t)
	h := build(t, containerSpec, u.at(""))
	a := h.ask("GET", "/gone")
	is.Equal([]any{a.status, a.body}, []any{404, `{"errorCode":404,"errorMessage":"container not found: there is no bbagone","errorType":"ClientError"}`})
	a = h.ask("GET", "/image")
	is.Equal([]any{a.status, a.body}, []any{501, `{"errorCode":501,"errorMessage":"not emulated: running its image","errorType":"ClientError"}`})
	u.answers <- func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Proxy-Authenticate", "x") }
	a = h.ask("GET", "/x")
	is.Equal([]any{a.status, a.body}, []any{502, `{"message":"Bad Gateway: the container's answer has the header Proxy-Authenticate, which is not allowed"}`})
	u.Close()
	is.Equal(h.ask("GET", "/x").status, 502)

	h = build(t, containerSpec)
	a = h.ask("GET", "/x")
	is.Equal(a.body, `{"errorCode":404,"errorMessage":"container not found: got \"bbamine\", which is no container here; there is none","errorType":"ClientError"}`)
}

func TestAContainersPathHasNoEffect(t *testing.T) {
	is := is.New(t)
	u := newUpstream(t)
	h := build(t, edit(t, containerSpec, "container_id: bbagone", "container_id: bbamine, path: /other"), u.at(""))
	is.Equal(h.warns, []string{"spec.yaml:9: paths./gone.get.x-yc-apigateway-integration.path: has no effect, as in the cloud: a container gets the client's path"})
	var path string
	u.answers <- func(_ http.ResponseWriter, r *http.Request) { path = r.URL.Path }
	is.Equal(h.ask("GET", "/gone").status, 200)
	is.Equal(path, "/gone")
}

func TestAContainerServesASocket(t *testing.T) {
	is := is.New(t)
	u := newUpstream(t)
	h := build(t, containerSpec, u.at(""))
	u.answers <- func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Sec-WebSocket-Protocol", "chat")
		responds(200, "application/json", `"hello"`)(w, r)
	}
	c, a := h.dial(mine, "/ws/a%20b?x=1", &websocket.DialOptions{Subprotocols: []string{"chat"}})
	is.Equal(a.status, 101)
	is.Equal(c.Subprotocol(), "chat")
	is.Equal(h.frame(c), `"hello"`)
	id := a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
	check := func(method, url, body string, header map[string]string) {
		t.Helper()
		r := <-u.requests
		is.Equal([]string{r.method, r.url, r.body}, []string{method, url, body})
		header["X-Yc-Apigateway-Websocket-Connection-Id"] = id
		header["X-Yc-Apigateway-Websocket-Connected-At"] = "1741064767000"
		for name, want := range header {
			got := r.header.Get(name)
			if want == "*" && got != "" {
				continue
			}
			is.Equal(name+": "+got, name+": "+want)
		}
	}
	const kind, message = "X-Yc-Apigateway-Websocket-Event-Type", "X-Yc-Apigateway-Websocket-Message-Id"
	const code, reason = "X-Yc-Apigateway-Websocket-Disconnect-Status-Code", "X-Yc-Apigateway-Websocket-Disconnect-Reason"
	check("GET", "/ws/a%20b?x=1", "", map[string]string{kind: "CONNECT", message: "", code: "", "Sec-Websocket-Protocol": "chat", "Sec-Websocket-Key": "", "Upgrade": ""})

	for _, tc := range []struct {
		binary bool
		data   string
		kind   string // of the answer
		want   string
	}{
		{false, "text", "text/plain", "back"},
		{true, "\xff\x00", "application/octet-stream", "binary:back"},
	} {
		u.answers <- responds(200, tc.kind, "back")
		sent, contentType := websocket.MessageText, "application/json"
		if tc.binary {
			sent, contentType = websocket.MessageBinary, "application/octet-stream"
		}
		is.NoErr(c.Write(t.Context(), sent, []byte(tc.data)))
		is.Equal(h.frame(c), tc.want)
		check("POST", "/ws/a%20b", tc.data, map[string]string{kind: "MESSAGE", message: "*", code: "", "Content-Type": contentType})
	}
	is.NoErr(c.Close(4001, "bye"))
	check("DELETE", "/ws/a%20b", "", map[string]string{kind: "DISCONNECT", message: "", code: "4001", reason: "bye"})
}
