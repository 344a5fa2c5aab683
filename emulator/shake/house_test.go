package shake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/recording"
)

const gatewayID = "d5dshake000000000000"

// house is a deployment to Yandex Cloud: a trigger whose function posts to the sockets that others have noted, and tries three times.
func house() emulator.Config {
	return emulator.Config{
		Gateways: []emulator.Gateway{{ID: gatewayID, File: emulator.File{Name: "openapi.yaml", Data: []byte(`
openapi: 3.0.0
paths:
  /ws:
    x-yc-apigateway-websocket-connect: {x-yc-apigateway-integration: {type: cloud_functions, function_id: connect}}
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy, http_code: 200, content: {"*": ok}}}
    x-yc-apigateway-websocket-disconnect: {x-yc-apigateway-integration: {type: cloud_functions, function_id: disconnect}}
`)}}},
		Triggers: []emulator.File{{Name: "trigger.yaml", Data: []byte(`
name: pushes
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "1", cutoff: 1s}
    invoke_function:
      function_id: broadcast
      service_account_id: ajeregcastaccount000
      retry_settings: {retry_attempts: 2, interval: 10s}
`)}},
	}
}

type function func(ctx context.Context, payload []byte) ([]byte, error)

func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return f(ctx, payload) }

// handler is the functions of one run: what they keep a table keeps elsewhere.
type handler struct {
	mu     sync.Mutex
	open   []string
	events int
	url    string
	client *http.Client

	drops  int  // every so many events one is nobody's
	tries  int  // of a request; when all have failed the batch fails, and comes again to those that have it
	fails  bool // 410 fails the batch
	forget bool // 410 ends the batch
}

var errGone = errors.New("gone")

func (h *handler) post(connection string, body []byte) error {
	data, _ := json.Marshal(map[string]any{"data": body, "type": "TEXT"})
	res, err := h.client.Post(h.url+"/apigateways/websocket/v1/connections/"+connection+":send", "application/json", bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound:
		return errGone
	}
	return errors.New(res.Status)
}

func (h *handler) functions() map[string]emulator.Function {
	of := func(do func(connection string)) emulator.Function {
		return function(func(_ context.Context, payload []byte) ([]byte, error) {
			var e struct {
				RequestContext struct{ ConnectionID string }
			}
			if err := json.Unmarshal(payload, &e); err != nil {
				return nil, err
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			do(e.RequestContext.ConnectionID)
			return []byte(`{"statusCode":200}`), nil
		})
	}
	return map[string]emulator.Function{
		"connect": of(func(id string) {
			if !slices.Contains(h.open, id) { // it may be called twice
				h.open = append(h.open, id)
			}
		}),
		"disconnect": of(func(id string) {
			h.open = slices.DeleteFunc(h.open, func(c string) bool { return c == id })
		}),
		"broadcast": function(h.broadcast),
	}
}

func (h *handler) broadcast(_ context.Context, payload []byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.events++; h.drops > 0 && h.events%h.drops == 0 {
		return []byte("{}"), nil
	}
	for _, c := range slices.Clone(h.open) {
		var err error
		for range h.tries {
			if err = h.post(c, payload); err == nil || errors.Is(err, errGone) {
				break
			}
		}
		switch {
		case errors.Is(err, errGone) && h.fails:
			return nil, err
		case errors.Is(err, errGone):
			h.open = slices.DeleteFunc(h.open, func(o string) bool { return o == c })
			if h.forget {
				return []byte("{}"), nil
			}
		case err != nil:
			return nil, err
		}
	}
	return []byte("{}"), nil
}

// fresh makes the functions of each run.
func fresh(broken func(*handler)) func() (map[string]emulator.Function, func(*emulator.Emulator) error, error) {
	return func() (map[string]emulator.Function, func(*emulator.Emulator) error, error) {
		h := &handler{tries: 3, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
		broken(h)
		return h.functions(), func(em *emulator.Emulator) error {
			h.url = em.URL()
			return nil
		}, nil
	}
}

func right(*handler) {}

// recorded is a run of so many pushes with so many sockets, of which the last is closed before the last push.
func recorded(t testing.TB, pushes, clients int, broken func(*handler)) []byte {
	t.Helper()
	cfg := house()
	functions, started, _ := fresh(broken)()
	var out bytes.Buffer
	cfg.Record, cfg.Frozen, cfg.InMemory, cfg.Functions = &out, true, true, functions
	cfg.Start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	em, err := emulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_ = started(em)
	served := make(chan error, 1)
	go func() { served <- em.Serve(context.Background()) }()
	e := emulatortest.Attach(t, em)
	var sockets []*emulatortest.Socket
	for range clients {
		sockets = append(sockets, e.Dial("/gw/"+gatewayID+"/ws"))
	}
	for i := range pushes {
		if clients > 2 && i == pushes-1 {
			sockets[clients-1].Close()
			sockets = sockets[:clients-1]
		}
		e.Push(fmt.Sprintf("team/app:v%d", i))
		if err := em.Advance(t.Context(), 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if err := em.EndRecord(); err != nil {
		t.Fatal(err)
	}
	for _, s := range sockets {
		s.Close()
	}
	if err := em.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func reader(t testing.TB, file []byte) *recording.Reader {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
