package rerun_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/emulator/rerun"
	"github.com/regcast/regcast/recording"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// local completes a configuration with what is this machine's.
func local(cfg emulator.Config) emulator.Config {
	cfg.InMemory, cfg.Environ = true, os.Environ()
	if cache, err := os.UserCacheDir(); err == nil {
		cfg.Cache = filepath.Join(cache, "regcast", "functions")
	}
	return cfg
}

// record runs something in an emulator whose clock stands still, and returns the recording.
func record(t *testing.T, cfg emulator.Config, run func(*emulatortest.Emulator)) []byte {
	t.Helper()
	var out bytes.Buffer
	cfg = local(cfg)
	cfg.Record, cfg.Frozen = &out, true
	em, err := emulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- em.Serve(context.Background()) }()
	t.Run("recorded", func(t *testing.T) { run(emulatortest.Attach(t, em)) }) // its clients go with it: the house waits for those that stay
	if err := errors.Join(em.Close(t.Context()), <-served); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// again replays a run in a fresh emulator and returns the new recording.
func again(t *testing.T, run []byte, change func(*emulator.Config)) []byte {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(run))
	if err != nil {
		t.Fatal(err)
	}
	cfg, _ := rerun.Config(r.Header().Configuration, nil)
	cfg = local(cfg)
	if change != nil {
		change(&cfg)
	}
	var out bytes.Buffer
	if _, err := rerun.Run(t.Context(), r, cfg, rerun.Options{Out: &out, Notice: func(s string) { t.Error(s) }}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// frames are what sockets got: the bytes, how many took them, and when by the house's clock. Broadcasts are in their order; so is what one
// socket got alone, under the turn of its opening, since its id is another in each run. Between sockets there is no order.
func frames(t *testing.T, run []byte) string {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(run))
	if err != nil {
		t.Fatal(err)
	}
	turns, lanes := map[string]string{}, map[string][]string{}
	for line, err := range r.Lines() {
		if err != nil {
			t.Fatal(err)
		}
		switch f := line.Frame; {
		case line.Socket != nil && line.Socket.What == recording.Opened:
			turns[line.Socket.Connection] = fmt.Sprintf("%03d", len(turns))
		case f != nil && !f.In:
			lane := f.Gateway + f.Path + " " + turns[f.Connection]
			lanes[lane] = append(lanes[lane], fmt.Sprintf("%s %s to %d: %q %s", line.At.Format(time.RFC3339Nano), lane, f.Sent, f.Data, f.Error))
		}
	}
	var all []string
	for _, l := range lanes {
		all = append(all, l...)
	}
	slices.SortStableFunc(all, func(a, b string) int {
		return strings.Compare(strings.SplitN(a, " to ", 2)[0], strings.SplitN(b, " to ", 2)[0])
	})
	return strings.Join(all, "\n")
}

const batched = `
name: batched
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "3", cutoff: 10s}
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: /ws, service_account_id: ajeregcastaccount000}
`

// broadcasts is half an hour: pushes now and then, batches that fill and batches whose time comes, sockets that come and go.
func broadcasts(t *testing.T) []byte {
	return record(t, emulator.Config{Triggers: []emulator.File{{Name: "batched.yaml", Data: []byte(batched)}}}, func(em *emulatortest.Emulator) {
		first := em.Dial("/ws")
		for i := range 40 {
			em.Push("team/app:v" + string(rune('a'+i%26)))
			if i == 10 {
				em.Flush() // who opens while a frame is on its way gets it or not
				em.Dial("/ws?late=1").Write([]byte("hello"))
			}
			switch {
			case i == 25:
				leave(t, em, first.Close)
			case i < 25 && i%5 == 0:
				first.Write([]byte("still here"))
			}
			gap := time.Second
			if i%7 == 0 {
				gap = 5 * time.Minute // a socket that nothing comes to is closed after ten
			}
			advance(t, em, gap)
		}
	})
}

// leave closes a socket and returns when the house has noticed: else what comes next is no run that could be had again.
func leave(t *testing.T, em *emulatortest.Emulator, hangUp func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lines, err := em.Follow(ctx, "socket")
	if err != nil {
		t.Fatal(err)
	}
	hangUp()
	for line, err := range lines {
		if err == nil && line.Socket.What == recording.Closed {
			em.Flush()
			return
		}
	}
	t.Fatal("nobody has noticed that a socket was closed")
}

func advance(t *testing.T, em *emulatortest.Emulator, by time.Duration) {
	t.Helper()
	if err := em.Advance(t.Context(), by); err != nil {
		t.Fatal(err)
	}
}

// deployed is the deployment to AWS as it is, with functions in processes: wishes at $connect, a subscription, $disconnect, a client that
// vanishes, the queue and its mapping, and posts to @connections.
func deployed(t *testing.T) []byte {
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return record(t, emulator.Config{
		Template:   &emulator.Template{File: emulator.File{Name: "../../template.yaml", Data: template}, Dir: "../.."},
		StrictAuth: true,
	}, func(em *emulatortest.Emulator) {
		push := func(reference string) {
			em.Push(reference)
			em.Flush()
			advance(t, em, time.Minute)
		}
		team, other, all := em.Dial("/live?image=team/*"), em.Dial("/live?image=other/app&events=create-image-tag"), em.Dial("/live")
		vanishing, _, err := websocket.Dial(t.Context(), "ws://"+em.Addr()+"/live?tag=v*", nil)
		if err != nil {
			t.Fatal(err)
		}
		em.Flush()
		push("team/app:v1")
		push("other/app:v1")
		other.Write([]byte(`{"action":"subscribe","image":"team/app","tag":"v*"}`))
		other.Expect("create-image-tag")
		if got := string(other.Read()); !strings.Contains(got, `"ok":true`) {
			t.Fatal(got)
		}
		push("team/app:v2")
		team.Expect("create-image-tag", "create-image-tag")
		team.Write([]byte("ping"))
		team.Read()
		leave(t, em, team.Close)
		push("team/app:v3")
		leave(t, em, func() { _ = vanishing.CloseNow() })
		push("team/app:v4")
		all.Expect("create-image-tag", "create-image-tag", "create-image-tag", "create-image-tag", "create-image-tag")
	})
}

// gateway has a function at every turn of a socket; a trigger invokes a function that posts to all that are open.
const (
	gatewaySpec = `
openapi: 3.0.0
info: {title: g, version: "1"}
paths:
  /ws:
    x-yc-apigateway-websocket-connect: &f {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4esocket, service_account_id: aje}}
    x-yc-apigateway-websocket-message: *f
    x-yc-apigateway-websocket-disconnect: *f
`
	invoking = `
name: invoking
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "10", cutoff: 1s}
    invoke_function: {function_id: d4epost, service_account_id: aje, retry_settings: {retry_attempts: "2", interval: 10s}}
`
)

// invoked is a run with functions in this process.
func invoked(t *testing.T) ([]byte, func(*emulator.Config)) {
	cfg := emulator.Config{
		Triggers: []emulator.File{{Name: "invoking.yaml", Data: []byte(invoking)}},
		Gateways: []emulator.Gateway{{ID: "d5dposts", File: emulator.File{Name: "posts.yaml", Data: []byte(gatewaySpec)}}},
	}
	own := func(cfg *emulator.Config) { inProcess(t, cfg) }
	own(&cfg)
	return record(t, cfg, func(em *emulatortest.Emulator) {
		dial := func(query string) *emulatortest.Socket {
			s := em.Dial(strings.Replace(em.URL(), "http", "ws", 1) + "/gw/d5dposts/ws" + query)
			em.Flush()
			return s
		}
		a, b := dial("?who=a"), (*emulatortest.Socket)(nil)
		for i := range 12 {
			em.Push(fmt.Sprintf("team/app:v%d", i))
			em.Flush()
			advance(t, em, 700*time.Millisecond)
			switch i {
			case 3:
				b = dial("?who=b")
			case 5:
				a.Write([]byte("hello"))
				em.Flush()
			case 8:
				leave(t, em, a.Close)
			}
		}
		advance(t, em, time.Minute)
		b.Close()
	}), own
}

type function func(ctx context.Context, payload []byte) ([]byte, error)

func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return f(ctx, payload) }

// inProcess gives an emulator its two functions: one keeps who is there and greets, the other posts to them.
func inProcess(t *testing.T, cfg *emulator.Config) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listener = listener
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	there := make(chan []string, 1)
	there <- nil
	cfg.Functions = map[string]emulator.Function{
		"d4esocket": function(func(_ context.Context, payload []byte) ([]byte, error) {
			var e struct {
				Body    string
				Context struct{ EventType, ConnectionID string } `json:"requestContext"`
			}
			if err := json.Unmarshal(payload, &e); err != nil {
				return nil, err
			}
			all, body := <-there, ""
			switch e.Context.EventType {
			case "CONNECT":
				all = append(all, e.Context.ConnectionID)
			case "DISCONNECT":
				all = slices.DeleteFunc(all, func(id string) bool { return id == e.Context.ConnectionID })
			default:
				body = "you said " + e.Body
			}
			there <- all
			return json.Marshal(map[string]any{"statusCode": 200, "body": body})
		}),
		"d4epost": function(func(ctx context.Context, payload []byte) ([]byte, error) {
			all := <-there
			there <- all
			for _, id := range all {
				body, _ := json.Marshal(map[string]any{"type": "TEXT", "data": payload}) // plain values
				req, err := http.NewRequestWithContext(ctx, http.MethodPost,
					"http://"+listener.Addr().String()+"/apigateways/websocket/v1/connections/"+id+":send", bytes.NewReader(body))
				if err != nil {
					return nil, err
				}
				res, err := client.Do(req)
				if err != nil {
					return nil, err
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK {
					return nil, fmt.Errorf("post: %s", res.Status)
				}
			}
			return []byte(`{}`), nil
		}),
	}
}
