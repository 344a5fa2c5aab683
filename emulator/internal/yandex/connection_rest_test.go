package yandex_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

// api asks a handler of the cloud.
func api(t *testing.T, h http.HandlerFunc, method, url, body string, header ...string) answer {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, url, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	h(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// joined opens a socket and returns its id too.
func (h *house) joined(path string) (*websocket.Conn, string) {
	h.t.Helper()
	c, a := h.dial(mine, path, nil)
	if c == nil {
		h.t.Fatalf("dial %s: %d %s", path, a.status, a.body)
	}
	return c, a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
}

func TestGetConnection(t *testing.T) {
	is := is.New(t)
	h := build(t, serveSpec)
	c, id := h.joined("/ws")
	h.clock.Advance(1500 * time.Millisecond)
	is.NoErr(c.Ping(c.CloseRead(t.Context())))
	a := api(t, h.cloud.ServeConnections, "GET", yandex.ConnectionsPath+id, "", "X-Request-Id", "mine", "Authorization", "Bearer t1.a.b")
	is.Equal(a.status, 200)
	is.Equal([]string{a.header.Get("Content-Type"), a.header.Get("X-Request-Id")}, []string{"application/json", "mine"})
	is.True(a.header.Get("X-Server-Trace-Id") != "")
	var told any
	is.NoErr(json.Unmarshal([]byte(a.body), &told))
	same(t, told, `{"id": "`+id+`", "gatewayId": "d5dmine", "identity": {"sourceIp": "127.0.0.1", "userAgent": "Go-http-client/1.1"},
		"connectedAt": "2025-03-04T05:06:07Z", "lastActiveAt": "2025-03-04T05:06:08.5Z"}`)
}

func TestSend(t *testing.T) {
	h := build(t, serveSpec)
	c, id := h.joined("/ws")
	c.SetReadLimit(1 << 20)
	text, raw := "Привет?>", "\xfb\xff\xfe"
	std, url := base64.StdEncoding.EncodeToString, base64.URLEncoding.EncodeToString
	most := strings.Repeat("x", 131072)
	for _, tc := range []struct{ name, suffix, body, want string }{
		{"text", ":send", `{"data": "` + std([]byte(text)) + `", "type": "TEXT"}`, text},
		{"the other spelling of the path", "/:send", `{"data": "` + std([]byte(text)) + `", "type": "TEXT"}`, text},
		{"binary", ":send", `{"data": "` + std([]byte(text)) + `", "type": "BINARY"}`, "binary:" + text},
		{"type by number", ":send", `{"data": "` + std([]byte(text)) + `", "type": 2}`, text},
		{"type by number, binary", ":send", `{"data": "` + std([]byte(text)) + `", "type": 1}`, "binary:" + text},
		{"URL alphabet", ":send", `{"data": "` + url([]byte(raw)) + `", "type": "BINARY"}`, "binary:" + raw},
		{"no padding", ":send", `{"data": "` + strings.TrimRight(std([]byte("ab")), "=") + `", "type": "TEXT"}`, "ab"},
		{"no type, UTF-8", ":send", `{"data": "` + std([]byte(text)) + `"}`, text},
		{"no type, not UTF-8", ":send", `{"data": "` + std([]byte(raw)) + `", "type": "DATA_TYPE_UNSPECIFIED"}`, "binary:" + raw},
		{"fields that are not known", ":send", `{"data": "YQ==", "type": "TEXT", "connectionId": "x"}`, "a"},
		{"the largest", ":send", `{"data": "` + std([]byte(most)) + `", "type": "TEXT"}`, most},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			a := api(t, h.cloud.ServeConnections, "POST", yandex.ConnectionsPath+id+tc.suffix, tc.body)
			is.Equal([]any{a.status, a.body}, []any{200, "{}"})
			is.Equal(h.frame(c), tc.want)
		})
	}
}

func TestDisconnectClosesWith1000(t *testing.T) {
	is := is.New(t)
	h := build(t, serveSpec)
	c, id := h.joined("/ws")
	a := api(t, h.cloud.ServeConnections, "DELETE", yandex.ConnectionsPath+id, "")
	is.Equal([]any{a.status, a.body}, []any{200, "{}"})
	_, _, err := c.Read(t.Context())
	is.Equal(websocket.CloseStatus(err), websocket.StatusNormalClosure)
	is.True(strings.HasSuffix(h.step(events.StepClosed).Text, " disconnected: 1000"))
	for _, again := range []answer{
		api(t, h.cloud.ServeConnections, "DELETE", yandex.ConnectionsPath+id, "", "X-Request-Id", "r"),
		api(t, h.cloud.ServeConnections, "GET", yandex.ConnectionsPath+id, "", "X-Request-Id", "r"),
		api(t, h.cloud.ServeConnections, "POST", yandex.ConnectionsPath+id+":send", `{"data": "YQ=="}`, "X-Request-Id", "r"),
	} {
		is.Equal(again.status, 404)
		is.Equal(again.body, `{"code":5,"details":[{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"r"}],"message":"Connection \"`+id+`\" not found"}`)
	}
}

func TestCallsThatTheConnectionServiceRefuses(t *testing.T) {
	h := build(t, serveSpec)
	_, id := h.joined("/ws")
	send := func(body string) [3]string { return [3]string{"POST", id + ":send", body} }
	data := func(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{'x'}, n)) }
	for _, tc := range []struct {
		name         string
		call         [3]string
		status, code int
		field, text  string // the field is empty when none is to blame
	}{
		{"too long an id", [3]string{"GET", strings.Repeat("d", 51), ""}, 400, 3, "connectionId", "got 51 characters, want 1 to 50"},
		{"no id", [3]string{"GET", "", ""}, 400, 3, "connectionId", "got 0 characters, want 1 to 50"},
		{"nobody", [3]string{"GET", "dnobody", ""}, 404, 5, "", `Connection "dnobody" not found`},
		{"no data", send(`{"type": "TEXT"}`), 400, 3, "data", "got nothing, want 1 to 131072 bytes"},
		{"no body", send(""), 400, 3, "data", "got nothing, want 1 to 131072 bytes"},
		{"no base64", send(`{"data": "*"}`), 400, 3, "data", "got what is not base64: illegal base64 data at input byte 0"},
		{"no UTF-8", send(`{"data": "/w==", "type": "TEXT"}`), 400, 3, "data", "got what is not UTF-8, want UTF-8 in a message of the type TEXT"},
		{"too much", send(`{"data": "` + data(131073) + `"}`), 400, 3, "data", "got 131073 bytes, want 1 to 131072"},
		{"far too much", send(`{"data": "` + data(1<<20) + `"}`), 400, 3, "data", "got a request of more than 1048576 bytes, want at most 131072 bytes of data"},
		{"unknown type", send(`{"data": "YQ==", "type": "JSON"}`), 400, 3, "type", `got "JSON", want TEXT or BINARY`},
		{"unknown number", send(`{"data": "YQ==", "type": 3}`), 400, 3, "type", `got 3, want TEXT or BINARY`},
		{"no JSON", send(`data=YQ==`), 400, 3, "", `got a body that is not {"data": "<base64>", "type": "TEXT"}: invalid character 'd' looking for beginning of value`},
		{"wrong method", [3]string{"PUT", id, ""}, 501, 12, "", "got PUT, want GET or DELETE"},
		{"wrong method to send", [3]string{"GET", id + ":send", ""}, 501, 12, "", "got GET, want POST"},
		{"wrong path", [3]string{"POST", id + "/send", ""}, 501, 12, "", `no method has the path "/apigateways/websocket/v1/connections/` + id + `/send"; want ` +
			`/apigateways/websocket/v1/connections/{id} or /apigateways/websocket/v1/connections/{id}:send`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			a := api(t, h.cloud.ServeConnections, tc.call[0], yandex.ConnectionsPath+tc.call[1], tc.call[2])
			is.Equal(a.status, tc.status)
			var got struct {
				Code    int    `json:"code"`
				Message string `json:"message"`
				Details []struct {
					Type            string `json:"@type"`
					RequestID       string `json:"requestId"`
					FieldViolations []struct{ Field, Description string }
				} `json:"details"`
			}
			is.NoErr(json.Unmarshal([]byte(a.body), &got))
			is.Equal(got.Code, tc.code)
			is.Equal(got.Details[0].RequestID, a.header.Get("X-Request-Id"))
			is.True(regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(got.Details[0].RequestID))
			if tc.field == "" {
				is.Equal(got.Message, tc.text)
				is.Equal(len(got.Details), 1)
				return
			}
			is.True(strings.HasSuffix(got.Message, ": "+tc.text))
			is.Equal(got.Details[1].Type, "type.googleapis.com/google.rpc.BadRequest")
			is.Equal(got.Details[1].FieldViolations, []struct{ Field, Description string }{{tc.field, tc.text}})
		})
	}
}

// Sockets of another cloud share the room of the sockets and nothing else.
func TestConnectionsOfAnotherCloudAreNotFound(t *testing.T) {
	is := is.New(t)
	room := gateway.New(gateway.Options{})
	cloud := yandex.New(yandex.Options{Gateway: room})
	is.NoErr(cloud.SetGateway(yandex.GatewayDefinition{ID: yandex.GatewayID, File: "default-gateway.yaml", Spec: yandex.DefaultGateway()}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = room.Accept(w, r, gateway.Socket{ID: "other", Path: "api/prod"})
	}))
	defer server.Close()
	defer func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = room.Close(now)
	}()
	c, _, err := websocket.Dial(t.Context(), server.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	is.NoErr(err)
	defer func() { _ = c.CloseNow() }()
	is.Equal(api(t, cloud.ServeConnections, "GET", yandex.ConnectionsPath+"other", "").status, 404)
	is.Equal(api(t, cloud.ServeConnections, "POST", yandex.ConnectionsPath+"other:send", `{"data": "YQ=="}`).status, 404)
	is.Equal(api(t, cloud.ServeConnections, "DELETE", yandex.ConnectionsPath+"other", "").status, 404)
}

func TestMetadata(t *testing.T) {
	const token = "/computeMetadata/v1/instance/service-accounts/default/token"
	for _, tc := range []struct {
		name                 string
		who                  yandex.Identity
		method, path, flavor string
		status               int
		contentType, body    string
	}{
		{"an account's token", yandex.Identity{ServiceAccountID: "ajemine", Token: func() (string, error) { return "t1.mine.", nil }},
			"GET", token, "Google", 200, "application/json", `{"access_token":"t1.mine.","expires_in":43200,"token_type":"Bearer"}`},
		{"an account", yandex.Identity{ServiceAccountID: "ajemine"}, "GET", "/computeMetadata/v1/instance/?recursive=true", "Google", 200,
			"application/json", `{"id":"ajemine","serviceAccounts":{"default":{"aliases":["default"],"email":"ajemine","scopes":[]}}}`},
		{"an account that is suspended", yandex.Identity{ServiceAccountID: "ajemine", Token: func() (string, error) { return "", errors.New("suspended") }},
			"GET", token, "Google", 404, "text/plain; charset=utf-8", "suspended\n"},
		{"nobody's token", yandex.Identity{}, "GET", token, "Google", 404, "text/plain; charset=utf-8", "there is no service account\n"},
		{"nobody", yandex.Identity{}, "GET", "/computeMetadata/v1/instance/?recursive=true", "Google", 200, "application/json",
			`{"id":"ajeregcastaccount000","serviceAccounts":{}}`},
		{"token", yandex.Developer(), "GET", token, "Google", 200, "application/json", `{"access_token":"t1.regcast.local","expires_in":43200,"token_type":"Bearer"}`},
		{"no flavor", yandex.Developer(), "GET", token, "", 403, "text/plain; charset=utf-8", "missing the header Metadata-Flavor: Google\n"},
		{"wrong flavor", yandex.Developer(), "GET", token, "Amazon", 403, "text/plain; charset=utf-8", "missing the header Metadata-Flavor: Google\n"},
		{"wrong method", yandex.Developer(), "POST", token, "Google", 405, "text/plain; charset=utf-8", "got POST, want GET\n"},
		{"instance", yandex.Developer(), "GET", "/computeMetadata/v1/instance/?recursive=true", "Google", 200, "application/json",
			`{"id":"ajeregcastaccount000","serviceAccounts":{"default":{"aliases":["default"],"email":"ajeregcastaccount000","scopes":[]}}}`},
		{"all else", yandex.Developer(), "GET", "/computeMetadata/v1/instance/zone", "Google", 404, "text/plain; charset=utf-8",
			"not emulated: /computeMetadata/v1/instance/zone; emulated: " + token + "\n"},
		{"not the whole tree", yandex.Developer(), "GET", "/computeMetadata/v1/instance/", "Google", 404, "text/plain; charset=utf-8",
			"not emulated: /computeMetadata/v1/instance/; emulated: " + token + "\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			a := api(t, tc.who.ServeHTTP, tc.method, tc.path, "", "Metadata-Flavor", tc.flavor)
			is.Equal([]any{a.status, a.header.Get("Content-Type"), a.body}, []any{tc.status, tc.contentType, tc.body})
			is.Equal(a.header.Get("Metadata-Flavor"), "Google")
		})
	}
}

// A trigger calls a function, which asks for a token and sends what it got to a socket: the whole walk with nothing but HTTP.
func TestATriggersFunctionReachesASocket(t *testing.T) {
	is := is.New(t)
	var h *house
	var id string
	call := func(h http.HandlerFunc, method, path, body string, header ...string) ([]byte, error) {
		server := httptest.NewServer(h)
		defer server.Close()
		r, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := server.Client().Do(r)
		if err != nil {
			return nil, err
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != 200 {
			return nil, fmt.Errorf("%s: %s", path, res.Status)
		}
		return io.ReadAll(res.Body)
	}
	h = build(t, serveSpec, func(o *yandex.Options) {
		o.Functions = func() []string { return []string{its} }
		o.Invoke = func(_ context.Context, _ string, r runner.Request) (runner.Response, error) {
			var token struct {
				AccessToken string `json:"access_token"`
			}
			out, err := call(yandex.Developer().ServeHTTP, "GET", "/computeMetadata/v1/instance/service-accounts/default/token", "", "Metadata-Flavor", "Google")
			if err == nil {
				err = json.Unmarshal(out, &token)
			}
			if err == nil {
				_, err = call(h.cloud.ServeConnections, "POST", yandex.ConnectionsPath+id+":send",
					`{"type": "TEXT", "data": "`+base64.StdEncoding.EncodeToString(r.Payload)+`"}`, "Authorization", "Bearer "+token.AccessToken)
			}
			return runner.Response{Payload: []byte("null")}, err
		}
	})
	c, opened := h.joined("/ws")
	id = opened
	in := h.engine(nil, h.compile(callV1))
	e := word(t, words.Wording{}, attached("crpmine", "ubuntu", "1"))
	in <- e
	is.Equal(h.frame(c), `{"messages":[`+string(e.Body)+`]}`)
	is.Equal(h.step(events.StepDelivered).Text, "to the function d4emine")
}

func FuzzSend(f *testing.F) {
	room := gateway.New(gateway.Options{})
	f.Cleanup(func() { _ = room.Close(context.Background()) })
	cloud := yandex.New(yandex.Options{Gateway: room})
	f.Add("d1:send", `{"data":"YQ==","type":"TEXT"}`)
	f.Add("d1/:send", `{"data":"_-","type":1}`)
	f.Add("d1", `{"type":null,"data":null}`)
	f.Fuzz(func(t *testing.T, path, body string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL.Path = yandex.ConnectionsPath + path
		cloud.ServeConnections(w, r)
		var told struct {
			Code    int
			Details []any
		}
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || told.Code == 0 || len(told.Details) == 0 {
			t.Fatalf("there is no connection, and the answer is %d %s", w.Code, w.Body)
		}
		if w.Code != 400 && w.Code != 404 && w.Code != 501 {
			t.Fatalf("got %d", w.Code)
		}
	})
}
