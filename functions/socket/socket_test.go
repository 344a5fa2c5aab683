package socket_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/functions/socket"
	"github.com/regcast/regcast/functions/wish"
)

// book is a store of one line a connection.
type book struct {
	wishes map[string]string
	err    error
}

func (b *book) Add(_ context.Context, connection string, w wish.Wish) error {
	if b.err == nil {
		b.wishes[connection] = w.String()
	}
	return b.err
}

func (b *book) Change(ctx context.Context, connection string, w wish.Wish) error {
	return b.Add(ctx, connection, w)
}

func (b *book) Remove(_ context.Context, connection string) error {
	delete(b.wishes, connection)
	return b.err
}

func newHandler() (*socket.Handler, *book, *bytes.Buffer) {
	b, log := &book{wishes: map[string]string{}}, &bytes.Buffer{}
	return socket.New(socket.Options{Store: b, Log: slog.New(slog.NewJSONHandler(log, nil)), RequestID: func(context.Context) string { return "req-1" }}), b, log
}

type reply struct {
	StatusCode int
	Headers    map[string]string
	Body       string
}

func decode(t *testing.T, answer []byte, err error) reply {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var r reply
	if err := json.Unmarshal(answer, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// The events as the two clouds word them: AWS leaves out what is empty, Yandex has a route of its own.
const (
	connectAWS = `{"headers":{"Host":"x"},"multiValueHeaders":{"Host":["x"]},"queryStringParameters":{"image":"b","tag":"v*"},` +
		`"multiValueQueryStringParameters":{"image":["a","b"],"tag":["v*"]},"requestContext":{"routeKey":"$connect","eventType":"CONNECT",` +
		`"connectedAt":1790295749887,"connectionId":"gbgHN0-zjQAYKEjhgA=="},"isBase64Encoded":false}`
	connectBare   = `{"headers":{},"requestContext":{"routeKey":"$connect","eventType":"CONNECT","connectionId":"c1"},"isBase64Encoded":false}`
	connectYandex = `{"resource":"/ws","path":"/ws","httpMethod":"GET","headers":{},"queryStringParameters":{"events":"delete-image"},` +
		`"requestContext":{"httpMethod":"GET","eventType":"CONNECT","connectionId":"d20438","connectedAt":1790295749887},"body":"","isBase64Encoded":false}`
)

func TestConnect(t *testing.T) {
	for payload, want := range map[string]map[string]string{
		connectAWS:    {"gbgHN0-zjQAYKEjhgA==": "image=a%2Cb&tag=v%2A"},
		connectBare:   {"c1": ""},
		connectYandex: {"d20438": "events=delete-image"},
	} {
		is := is.New(t)
		h, b, _ := newHandler()
		answer, err := h.Connect(t.Context(), []byte(payload))
		is.NoErr(err)
		is.Equal(string(answer), `{"statusCode":200}`) // no body, which Yandex would send to the client
		is.Equal(b.wishes, want)
	}
}

func TestConnectRefuses(t *testing.T) {
	is := is.New(t)
	h, b, _ := newHandler()
	payload := strings.ReplaceAll(connectYandex, `"events":"delete-image"`, `"events":"push","image":"A"`)
	answer, err := h.Connect(t.Context(), []byte(payload))
	r := decode(t, answer, err)
	is.Equal(r.StatusCode, 400)
	is.Equal(r.Body, `{"message":"image: \"A\": \"A\" cannot stand in a pattern; allowed: a-z 0-9 . _ - / and * ?; `+
		`events: no event type \"push\"; allowed: create-image, delete-image, create-image-tag, delete-image-tag"}`)
	is.Equal(len(b.wishes), 0)
}

func TestDisconnect(t *testing.T) {
	is := is.New(t)
	h, b, _ := newHandler()
	b.wishes["c1"], b.wishes["c2"] = "", ""
	answer, err := h.Disconnect(t.Context(), []byte(`{"headers":{"Host":"x","x-api-key":""},"requestContext":{"routeKey":"$disconnect","eventType":"DISCONNECT",`+
		`"disconnectStatusCode":1001,"disconnectReason":"Going away","connectionId":"c1"},"isBase64Encoded":false}`))
	is.NoErr(err)
	is.Equal(string(answer), `{"statusCode":200}`)
	is.Equal(b.wishes, map[string]string{"c2": ""})
}

func said(body string) []byte {
	text, _ := json.Marshal(body)
	return fmt.Appendf(nil, `{"requestContext":{"routeKey":"$default","eventType":"MESSAGE","messageId":"m","connectionId":"c1"},"body":%s,"isBase64Encoded":false}`, text)
}

func TestMessages(t *testing.T) {
	for body, want := range map[string]string{
		`ping`:                     `pong`,
		" ping\n":                  `pong`,
		`{"action":"ping"}`:        `{"action":"pong"}`,
		`{"action":"ping","at":1}`: `{"action":"pong"}`,
		`{"action":"subscribe","image":"team/*","tag":["v*","latest"]}`: `{"action":"subscribe","ok":true,"wish":"image=team%2F%2A&tag=latest%2Cv%2A"}`,
		`{"action":"subscribe"}`:                   `{"action":"subscribe","ok":true,"wish":""}`,
		`{"action":"subscribe","image":"a,b"}`:     `{"action":"subscribe","ok":true,"wish":"image=a%2Cb"}`,
		`{"action":"subscribe","events":["push"]}`: `{"action":"subscribe","ok":false,"error":"events: no event type \"push\"; allowed: create-image, delete-image, create-image-tag, delete-image-tag"}`,
		`{"action":"subscribe","image":[]}`:        `{"action":"subscribe","ok":false,"error":"image: empty; leave it out to mean all"}`,
		`{"action":"subscribe","image":7}`:         `{"action":"subscribe","ok":false,"error":"7: want a string or a list of strings"}`,
		`{"action":"subscribe","images":"a"}`:      `{"action":"subscribe","ok":false,"error":"json: unknown field \"images\""}`,
		`{"action":"dance"}`:                       `{"action":"dance","ok":false,"error":"action \"dance\"; allowed: ping, subscribe"}`,
		`{}`:                                       `{"ok":false,"error":"action \"\"; allowed: ping, subscribe"}`,
		`hello`:                                    `{"ok":false,"error":"want ping or a JSON object with an \"action\": ping or subscribe"}`,
		``:                                         `{"ok":false,"error":"want ping or a JSON object with an \"action\": ping or subscribe"}`,
	} {
		is := is.New(t)
		h, b, _ := newHandler()
		b.wishes["c1"] = "before"
		answer, err := h.Message(t.Context(), said(body))
		r := decode(t, answer, err)
		is.Equal(r.StatusCode, 200) // a gateway would put its own words in the place of any other
		is.Equal(r.Body, want)
		var answered struct {
			OK   bool
			Wish string
		}
		if json.Unmarshal([]byte(r.Body), &answered) == nil {
			is.Equal(r.Headers["Content-Type"], "application/json")
		}
		if answered.OK {
			is.Equal(b.wishes["c1"], answered.Wish)
		} else {
			is.Equal(b.wishes["c1"], "before")
		}
	}
}

func TestBase64(t *testing.T) {
	is := is.New(t)
	h, _, _ := newHandler()
	payload := bytes.Replace(said("cGluZw=="), []byte(`"isBase64Encoded":false`), []byte(`"isBase64Encoded":true`), 1)
	answer, err := h.Message(t.Context(), payload)
	is.Equal(decode(t, answer, err).Body, "pong")
	_, err = h.Message(t.Context(), bytes.Replace(payload, []byte("cGluZw=="), []byte("*"), 1))
	is.True(err != nil)
}

// An error of the table is the gateway's to answer (502, or its own frame), and stands in the log.
func TestTableFails(t *testing.T) {
	is := is.New(t)
	h, b, log := newHandler()
	b.err = errors.New("store: throttled")
	for _, do := range []func() ([]byte, error){
		func() ([]byte, error) { return h.Connect(t.Context(), []byte(connectBare)) },
		func() ([]byte, error) { return h.Message(t.Context(), said(`{"action":"subscribe"}`)) },
		func() ([]byte, error) {
			return h.Disconnect(t.Context(), []byte(strings.Replace(connectBare, "CONNECT", "DISCONNECT", 1)))
		},
	} {
		log.Reset()
		answer, err := do()
		is.True(errors.Is(err, b.err))
		is.Equal(len(answer), 0)
		var line map[string]any
		is.NoErr(json.Unmarshal(log.Bytes(), &line))
		is.Equal(line["request_id"], "req-1")
		is.Equal(line["connection"], "c1")
		is.Equal(line["error"], err.Error())
	}
}

func TestOtherEvents(t *testing.T) {
	h, _, _ := newHandler()
	for _, payload := range []string{``, `[]`, `{}`, `{"httpMethod":"GET"}`, connectAWS, `{"requestContext":{"eventType":"MESSAGE"}}`} {
		is := is.New(t)
		_, err := h.Message(t.Context(), []byte(payload))
		is.True(err != nil)
		is.True(strings.HasPrefix(err.Error(), "socket: message: "))
	}
}

// Whatever a client says gets an answer that is a text frame and leaves the handler standing.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{"ping", `{"action":"subscribe","image":["a",null],"tag":"v*"}`, `{"action":1}`, `{"action":"subscribe","events":{}}`, "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		h, _, _ := newHandler()
		answer, err := h.Message(t.Context(), said(body))
		r := decode(t, answer, err)
		if r.StatusCode != 200 || r.Body == "" || r.Body != "pong" && !json.Valid([]byte(r.Body)) {
			t.Fatalf("%q: %s", body, answer)
		}
	})
}
