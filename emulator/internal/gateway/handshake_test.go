package gateway_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

func TestCheck(t *testing.T) {
	g := gateway.New(gateway.Options{Origins: []string{"example.com", "*.example.com:8443", "https://only.tls", "[bad"}})
	t.Cleanup(func() { _ = g.Close(t.Context()) })
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		any    int // status when every origin passes; 0: it is a handshake
		listed int // status with a list
	}{
		"good":                  {func(*http.Request) {}, 0, 0},
		"words in another case": {func(r *http.Request) { set("Upgrade", "WebSocket")(r); set("Connection", "keep-alive, UPGRADE")(r) }, 0, 0},
		"post":                  {func(r *http.Request) { r.Method = http.MethodPost }, 405, 405},
		"HTTP/1.0":              {func(r *http.Request) { r.ProtoMinor = 0 }, 505, 505},
		"HTTP/2":                {func(r *http.Request) { r.ProtoMajor = 2 }, 505, 505},
		"no host":               {func(r *http.Request) { r.Host = "" }, 400, 400},
		"no upgrade":            {set("Upgrade"), 426, 426},
		"upgrade to another":    {set("Upgrade", "h2c"), 426, 426},
		"no connection":         {set("Connection", "close"), 400, 400},
		"no version":            {set("Sec-Websocket-Version"), 426, 426},
		"version 8":             {set("Sec-Websocket-Version", "8"), 426, 426},
		"two versions":          {set("Sec-Websocket-Version", "13", "8"), 426, 426},
		"no key":                {set("Sec-Websocket-Key"), 400, 400},
		"short key":             {set("Sec-Websocket-Key", "c2hvcnQ="), 400, 400},
		"key that is no base64": {set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ=!"), 400, 400},
		"two keys":              {set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="), 400, 400},

		"listed origin":          {set("Origin", "http://Example.com"), 0, 0},
		"listed by pattern":      {set("Origin", "https://a.example.com:8443"), 0, 0},
		"listed with its scheme": {set("Origin", "https://only.tls"), 0, 0},
		"other scheme":           {set("Origin", "http://only.tls"), 0, 403},
		"other port":             {set("Origin", "http://example.com:81"), 0, 403},
		"other origin":           {set("Origin", "http://evil.com"), 0, 403},
		"opaque origin":          {set("Origin", "null"), 0, 403},
		"file":                   {set("Origin", "file://"), 0, 403},
		"extension":              {set("Origin", "chrome-extension://abcdef"), 0, 403},
		"malformed origin":       {set("Origin", "http://%zz"), 400, 400},
		"origin without scheme":  {set("Origin", "example.com"), 400, 400},
		"origin with a path":     {set("Origin", "http://example.com/x"), 400, 400},
		"two origins":            {set("Origin", "http://example.com", "http://example.com"), 400, 400},
		"empty origin":           {set("Origin", ""), 400, 400},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := httptest.NewRequest(http.MethodGet, "http://h/ws", nil)
			r.Header = http.Header{
				"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
				"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Version": {"13"},
			}
			c.change(r)
			for _, got := range []struct {
				bad  *gateway.HandshakeError
				want int
			}{{gateway.Check(r), c.any}, {g.Check(r), c.listed}} {
				if got.want == 0 {
					is.True(got.bad == nil)
					continue
				}
				is.True(got.bad != nil)
				is.Equal(got.bad.Status, got.want)
			}
		})
	}
}

// Accept itself refuses what Check would have.
func TestAcceptRefuses(t *testing.T) {
	is := is.New(t)
	h := newHouse(t, false, func(o *gateway.Options, _ *house) { o.Origins = []string{"good.com"} })
	_, resp, err := websocket.DefaultDialer.Dial(h.url("/ws"), http.Header{"Origin": {"http://evil.com"}})
	is.True(errors.Is(err, websocket.ErrBadHandshake))
	is.Equal(resp.StatusCode, 403)
	var bad *gateway.HandshakeError
	is.True(errors.As(<-h.refused, &bad))

	resp, err = http.Get(h.server.URL)
	is.NoErr(err)
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	is.Equal(resp.StatusCode, http.StatusUpgradeRequired)
	is.Equal(resp.Header.Get("Upgrade"), "websocket")
	is.True(errors.As(<-h.refused, &bad))

	h.socket = func(s *gateway.Socket) { s.ID = "same" }
	h.dial(t, "/ws")
	_, resp, err = websocket.DefaultDialer.Dial(h.url("/ws"), nil)
	is.True(err != nil)
	is.Equal(resp.StatusCode, 500)
	is.True(errors.Is(<-h.refused, gateway.ErrTaken))
	is.Equal(h.Count(), 1)
}

// TLS is not a socket by itself: it has the plain wire.
func TestTLS(t *testing.T) {
	is := is.New(t)
	h := newHouse(t, false)
	server := httptest.NewTLSServer(http.HandlerFunc(h.serve))
	defer server.Close()
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}}
	c, _, err := dialer.Dial("wss"+server.URL[len("https"):]+"/ws", nil)
	is.NoErr(err)
	defer c.Close()
	is.NoErr(c.WriteMessage(websocket.TextMessage, []byte("in")))
	is.Equal(string((<-h.said).m.Data), "in")
	is.NoErr(h.Send("1", text("out")))
	_, got, err := c.ReadMessage()
	is.NoErr(err)
	is.Equal(string(got), "out")
	is.NoErr(h.Drop("1", 1000, "", gateway.ByFunction))
	_, _, err = c.ReadMessage()
	is.True(websocket.IsCloseError(err, 1000))
	is.Equal((<-h.ends).code, 1000)
}
