package emulatortest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/regcast/regcast/events/yandex"
)

// Socket is an open WebSocket connection to the emulator.
type Socket struct {
	t    testing.TB
	conn *websocket.Conn
	id   string
}

// Dial opens a WebSocket on a path of the default gateway, or at a full ws:// URL, whose host may be a gateway's own name. It is
// closed when the test ends.
func (e *Emulator) Dial(path string) *Socket {
	e.t.Helper()
	url := path
	if !strings.Contains(path, "://") {
		url = "ws" + strings.TrimPrefix(e.URL(), "http") + path
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// A connection of its own: the handshake must not wait for one that a push holds.
	transport := &http.Transport{DisableKeepAlives: true, DialContext: e.dial}
	conn, res, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		e.t.Fatalf("emulatortest: dial %s: %v", url, err)
	}
	conn.SetReadLimit(1 << 20)
	e.t.Cleanup(func() { _ = conn.CloseNow() })
	return &Socket{t: e.t, conn: conn, id: res.Header.Get("X-Yc-Apigateway-Websocket-Connection-Id")}
}

// ID returns the id that the gateway gave the connection.
func (s *Socket) ID() string { return s.id }

// Read returns the next message, and fails the test when none comes.
func (s *Socket) Read() []byte {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, data, err := s.conn.Read(ctx)
	if err != nil {
		s.t.Fatalf("emulatortest: read: %v", err)
	}
	return data
}

// Write sends a text message.
func (s *Socket) Write(data []byte) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, data); err != nil {
		s.t.Fatalf("emulatortest: write: %v", err)
	}
}

// Close closes the connection as a client does.
func (s *Socket) Close() {
	s.t.Helper()
	if err := s.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		s.t.Fatalf("emulatortest: close: %v", err)
	}
}

// Expect reads batches until they hold as many events as types are named, and returns the events. It fails the test when their
// types ("create-image", "create-image-tag", "delete-image", "delete-image-tag") are others or come in another order.
func (s *Socket) Expect(types ...string) []yandex.Message {
	s.t.Helper()
	var got []yandex.Message
	var words []string
	for len(got) < len(types) {
		data := s.Read()
		batch, err := yandex.DecodeBatch(data)
		if err != nil || len(batch.Messages) == 0 {
			s.t.Fatalf("emulatortest: expect %v: not a batch of events: %s", types, data)
		}
		for _, m := range batch.Messages {
			got = append(got, m)
			words = append(words, yandex.ShortType(m.EventMetadata.EventType))
		}
	}
	if !slices.Equal(words, types) {
		s.t.Fatalf("emulatortest: got events %v, want %v", words, types)
	}
	return got
}

// Ended reads until the connection ends, and returns with what: websocket.CloseStatus tells the code, -1 when it broke off.
func (s *Socket) Ended() error {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		if _, _, err := s.conn.Read(ctx); err != nil {
			return err
		}
	}
}
