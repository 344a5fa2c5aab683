package broadcast_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/functions/broadcast"
	"github.com/regcast/regcast/functions/gateway"
	"github.com/regcast/regcast/functions/store"
)

// rows are connections with their wishes; the store's own tests are in its package.
type rows struct {
	connections []store.Connection
	err         error
	asked       []string
	forgotten   []string
}

func (r *rows) Candidates(_ context.Context, repositories []string) ([]store.Connection, error) {
	r.asked = repositories
	return r.connections, r.err
}

func (r *rows) Forget(_ context.Context, gone []store.Connection) error {
	for _, c := range gone {
		r.forgotten = append(r.forgotten, c.ID)
	}
	slices.Sort(r.forgotten)
	return nil
}

// wanting makes one connection of each wish: "0", "1", …
func wanting(wishes ...string) *rows {
	r := &rows{}
	for i, w := range wishes {
		r.connections = append(r.connections, store.Connection{ID: fmt.Sprint(i), Wish: w, Since: start.Add(-time.Hour)})
	}
	return r
}

var start = time.Date(2026, 9, 25, 0, 0, 0, 0, time.UTC)

// endpoint is an @connections that keeps what each connection got and answers as it is told.
type endpoint struct {
	url    string
	mu     sync.Mutex
	got    map[string][]string
	answer func(connection string, post int) int // of all posts to it, from 1; nil: 200
	posts  map[string]int
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{got: map[string][]string{}, posts: map[string]int{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		id := strings.TrimPrefix(r.URL.Path, "/@connections/")
		e.posts[id]++
		status := http.StatusOK
		if e.answer != nil {
			status = e.answer(id, e.posts[id])
		}
		if status == http.StatusOK {
			e.got[id] = append(e.got[id], string(body))
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	e.url = s.URL
	return e
}

func (e *endpoint) gateway(t *testing.T) broadcast.Gateway {
	transport := gateway.Transport(8)
	t.Cleanup(transport.CloseIdleConnections)
	g, err := gateway.NewAWS(gateway.AWSOptions{Endpoint: e.url, Region: "eu-west-1", Transport: transport,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
		})})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// run is one handler with what it is wired to.
type run struct {
	*broadcast.Broadcast
	endpoint *endpoint
	log      *bytes.Buffer
	mu       sync.Mutex
	waits    []time.Duration
}

func newRun(t *testing.T, r *rows, change func(*broadcast.Options)) *run {
	run := &run{endpoint: newEndpoint(t), log: &bytes.Buffer{}}
	o := broadcast.Options{Store: r, Gateway: run.endpoint.gateway(t), Log: slog.New(slog.NewJSONHandler(run.log, nil)),
		RequestID: func(context.Context) string { return "req-1" }, Now: func() time.Time { return start }, Jitter: func() float64 { return 0.5 },
		Wait: func(_ context.Context, d time.Duration) error {
			run.mu.Lock()
			defer run.mu.Unlock()
			run.waits = append(run.waits, d)
			return nil
		}}
	if change != nil {
		change(&o)
	}
	run.Broadcast = broadcast.New(o)
	return run
}

func (r *run) summary(t *testing.T, payload string) broadcast.Summary {
	t.Helper()
	answer, err := r.Invoke(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	var s broadcast.Summary
	if err := json.Unmarshal(answer, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// message is one event as Yandex sends it, with spaces that only its own bytes have.
func message(id, kind, repository, tag string) string {
	return fmt.Sprintf(`{ "event_metadata": {"cloud_id":"b1gc","folder_id":"b1gf","event_id":%q,"event_type":"yandex.cloud.events.containerregistry.%s",`+
		`"created_at":"2026-09-25T01:02:03.5Z","extra":null},"details":{"registry_id":"crpmine","repository_name":"crpmine/%s","image_id":"crpi",`+
		`"image_digest":"sha256:ab","tag":%q}}`, id, kind, repository, tag)
}

func messages(list ...string) string { return `{"messages":[` + strings.Join(list, ",") + `]}` }

// action is one event as EventBridge sends it.
func action(id, kind, repository, tag string) string {
	if tag != "" {
		tag = fmt.Sprintf(`,"image-tag":%q`, tag)
	}
	return fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"ECR Image Action","source":"aws.ecr","account":"123456789012","time":"2026-09-25T01:02:03Z",`+
		`"region":"eu-west-1","resources":[],"detail":{"result":"SUCCESS","repository-name":%q,"image-digest":"sha256:ab","action-type":%q%s}}`, id, repository, kind, tag)
}

// queued is a batch of SQS with the bodies in messages m0, m1, …
func queued(bodies ...string) string {
	var records []string
	for i, body := range bodies {
		text, _ := json.Marshal(body)
		records = append(records, fmt.Sprintf(`{"messageId":"m%d","receiptHandle":"r","eventSource":"aws:sqs","body":%s}`, i, text))
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

func TestMain(m *testing.M) {
	if serveIfTold() {
		return
	}
	goleak.VerifyTestMain(m)
}

func TestSelection(t *testing.T) {
	is := is.New(t)
	r := wanting("", "image=team%2Fapp", "image=team%2F%2A&tag=v%2A", "events=delete-image", "tag=nothing", "image=ubuntu%2Ccrpmine%2Fteam%2Fapp")
	run := newRun(t, r, nil)
	a, b, c := message("e1", "CreateImage", "team/app", ""), message("e2", "CreateImageTag", "team/app", "v1"), message("e3", "DeleteImage", "ubuntu", "")
	s := run.summary(t, messages(a, b, c))
	is.Equal(s, broadcast.Summary{Events: 3, Connections: 5, Posts: 5})
	is.Equal(run.endpoint.got, map[string][]string{ // one post each, byte for byte what came
		"0": {messages(a, b, c)},
		"1": {messages(a, b)},
		"2": {messages(b)},
		"3": {messages(c)},
		"5": {messages(a, b, c)},
	})
	is.Equal(r.asked, []string{"crpmine/team/app", "crpmine/team/app", "crpmine/ubuntu"})
}

// A row that cannot be read is its connection's loss alone, and stands in the log once.
func TestUnreadableRows(t *testing.T) {
	is := is.New(t)
	run := newRun(t, wanting("image=A", "image=A", ""), nil)
	is.Equal(run.summary(t, messages(message("e1", "CreateImage", "a", ""))), broadcast.Summary{Events: 1, Connections: 1, Posts: 1})
	is.Equal(strings.Count(run.log.String(), `"row is not read"`), 1)
}

func TestDuplicatesGoOutOnce(t *testing.T) {
	is := is.New(t)
	run := newRun(t, wanting(""), nil)
	a, b := message("e1", "CreateImage", "a", ""), message("e2", "CreateImage", "a", "")
	is.Equal(run.summary(t, messages(a, b, a)).Events, 2)
	is.Equal(run.endpoint.got["0"], []string{messages(a, b)})
}

func TestGone(t *testing.T) {
	is := is.New(t)
	r := wanting("", "", "")
	r.connections[2].Since = start.Add(-10 * time.Second)
	run := newRun(t, r, nil)
	run.endpoint.answer = func(connection string, _ int) int {
		return map[string]int{"0": 200, "1": 410, "2": 410}[connection]
	}
	s := run.summary(t, messages(message("e1", "CreateImage", "a", "")))
	is.Equal(s, broadcast.Summary{Events: 1, Connections: 3, Posts: 1, Gone: 1, Early: 1})
	is.Equal(r.forgotten, []string{"1"}) // 2 may be in its $connect yet
}

func TestBusyGateway(t *testing.T) {
	is := is.New(t)
	run := newRun(t, wanting("", ""), nil)
	run.endpoint.answer = func(connection string, post int) int {
		if connection == "1" && post < 4 {
			return []int{429, 500, 503}[post-1]
		}
		return 200
	}
	s := run.summary(t, messages(message("e1", "CreateImage", "a", "")))
	is.Equal(s, broadcast.Summary{Events: 1, Connections: 2, Posts: 2})
	is.Equal(run.waits, []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond}) // half of a doubling pause
}

// What stays busy is handed back, and what would come after it is not sent before it.
func TestStaysBusy(t *testing.T) {
	is := is.New(t)
	big := strings.Repeat("x", 50<<10)
	var bodies []string
	for i := range 5 {
		bodies = append(bodies, strings.Replace(action(fmt.Sprint("e", i), "PUSH", "a", "v"), `"resources"`, `"pad":"`+big+`","resources"`, 1))
	}
	run := newRun(t, wanting("", ""), func(o *broadcast.Options) { o.Format, o.Attempts = broadcast.ECR, 2 })
	run.endpoint.answer = func(connection string, post int) int {
		if connection == "1" && post >= 2 { // two events in the first message, two in the second, one in the third
			return 429
		}
		return 200
	}
	answer, err := run.Invoke(t.Context(), []byte(queued(bodies...)))
	is.NoErr(err)
	is.Equal(string(answer), `{"batchItemFailures":[{"itemIdentifier":"m2"},{"itemIdentifier":"m3"},{"itemIdentifier":"m4"}]}`)
	is.Equal(run.endpoint.posts, map[string]int{"0": 3, "1": 3}) // the third message to 1 was not tried
	is.Equal(run.endpoint.got["0"][1], "["+bodies[2]+","+bodies[3]+"]")
}

func TestTooLarge(t *testing.T) {
	is := is.New(t)
	big := strings.Replace(message("big", "CreateImage", "a", ""), `"extra":null`, `"extra":"`+strings.Repeat("x", 128<<10)+`"`, 1)
	small := message("e1", "CreateImage", "a", "")
	run := newRun(t, wanting("", "", ""), nil)
	run.endpoint.answer = func(connection string, _ int) int { return map[string]int{"0": 200, "1": 413, "2": 400}[connection] }
	s := run.summary(t, messages(big, small))
	is.Equal(s, broadcast.Summary{Events: 2, Connections: 3, Posts: 1, Rejected: 2, Oversize: 1})
	is.Equal(run.endpoint.got["0"], []string{messages(small)})
	is.Equal(run.endpoint.posts, map[string]int{"0": 1, "1": 1, "2": 1}) // not again
	is.True(strings.Contains(run.log.String(), `"event is too large for any connection","request_id":"req-1","event_id":"big"`))
}

// Messages are filled up to the limit and not over it.
func TestLimit(t *testing.T) {
	is := is.New(t)
	const limit = 128 << 10
	of := func(id string, size int) string {
		m := message(id, "CreateImage", "a", "")
		return strings.Replace(m, `"extra":null`, `"extra":"`+strings.Repeat("x", size-len(m)+2)+`"`, 1)
	}
	a, b := of("e1", limit/2), of("e2", limit/2-len(messages(",")))
	for extra, want := range map[int]int{0: 1, 1: 2} {
		b := strings.Replace(b, "xx", strings.Repeat("x", 2+extra), 1)
		is.Equal(len(messages(a, b)), limit+extra)
		run := newRun(t, wanting(""), nil)
		is.Equal(run.summary(t, messages(a, b)).Posts, want)
	}
	alone := of("e1", limit-len(messages()))
	run := newRun(t, wanting(""), nil)
	is.Equal(run.summary(t, messages(alone)), broadcast.Summary{Events: 1, Connections: 1, Posts: 1})
}

// A gateway that refuses one refuses all: it is not asked ten thousand times.
func TestRefusedGateway(t *testing.T) {
	is := is.New(t)
	run := newRun(t, wanting(slices.Repeat([]string{""}, 500)...), func(o *broadcast.Options) { o.Concurrency = 4 })
	run.endpoint.answer = func(string, int) int { return 403 }
	_, err := run.Invoke(t.Context(), []byte(messages(message("e1", "CreateImage", "a", ""), message("e2", "CreateImage", "a", ""))))
	var left *broadcast.Unfinished
	is.True(errors.As(err, &left))
	is.True(errors.Is(err, gateway.ErrRefused))
	is.Equal(left.Events, []string{"e1", "e2"})
	is.Equal(err.Error(), "broadcast: 2 of 2 events are not finished: e1, e2: gateway refuses to post: 403 Forbidden")
	run.endpoint.mu.Lock() // posts that were under way are cut off, and may be arriving yet
	defer run.endpoint.mu.Unlock()
	is.True(len(run.endpoint.posts) <= 4)
}

func TestTableFails(t *testing.T) {
	is := is.New(t)
	r := wanting("")
	r.err = errors.New("store: throttled")
	run := newRun(t, r, nil)
	_, err := run.Invoke(t.Context(), []byte(messages(message("e1", "CreateImage", "a", ""))))
	is.Equal(err.Error(), "broadcast: 1 of 1 events are not finished: e1: store: throttled")
	answer, err := run.Invoke(t.Context(), []byte(queued(action("e1", "PUSH", "a", "v1"))))
	is.NoErr(err)
	is.Equal(string(answer), `{"batchItemFailures":[{"itemIdentifier":"m0"}]}`)
}

func TestLog(t *testing.T) {
	is := is.New(t)
	run := newRun(t, wanting(""), nil)
	run.summary(t, messages(message("e1", "CreateImage", "a", "")))
	var line struct {
		Level, Msg string
		RequestID  string   `json:"request_id"`
		EventIDs   []string `json:"event_ids"`
		Counts     broadcast.Summary
	}
	is.NoErr(json.Unmarshal(run.log.Bytes(), &line)) // one line a batch
	is.Equal(line.RequestID, "req-1")
	is.Equal(line.EventIDs, []string{"e1"})
	is.Equal(line.Counts.Posts, 1)
}
