package yandex_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

// box is a container that runs elsewhere: bbamine, whose requests the test answers.
type box struct {
	url      string
	requests chan *http.Request // with its body read again and again
	bodies   chan string
	answers  chan int // statuses; 0: no answer while the client waits
}

func newBox(t *testing.T) *box {
	b := &box{requests: make(chan *http.Request, 10), bodies: make(chan string, 10), answers: make(chan int, 10)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.requests <- r
		b.bodies <- string(body)
		switch status := <-b.answers; status {
		case 0:
			<-r.Context().Done()
		case http.StatusFound:
			http.Redirect(w, r, "/elsewhere", status)
		default:
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *box) wire(o *yandex.Options) {
	o.Container = func(id string) (string, error) {
		if id != "bbamine" {
			return "", errors.New("got " + id + ", want bbamine")
		}
		return b.url, nil
	}
}

func posting(t *testing.T, text string) string {
	return edit(t, edit(t, edit(t, text, "invoke_function", "invoke_container"), "function_id: d4emine", "container_id: bbamine"),
		"function_tag: $latest", "path: /in?a=b")
}

func TestBothVersionsOfAPostReadTheSame(t *testing.T) {
	is := is.New(t)
	for _, text := range []string{posting(t, callV1), posting(t, callV2)} {
		ts, err := yandex.ParseTriggers("t", []byte(text))
		is.NoErr(err)
		is.True(strings.HasSuffix(plain(ts[0]), " | post to bbamine/in?a=b as ajemine, 2 more in 10s, then "+queue+" as ajedead  "))
	}
	_, err := build(t, "", newBox(t).wire).triggers("t", []byte(edit(t, posting(t, callV1), "bbamine", "bbaother")))
	is.Equal(err.Error(), "t:8: rule.container_registry.invoke_container.container_id: got bbaother, want bbamine")
	_, err = build(t, "").triggers("t", []byte(posting(t, callV2)))
	is.Equal(err.Error(), `t:9: action[0].invoke_container.container_id: got "bbamine", which is no container here; there is none`)
}

func TestAContainerGetsTheTriggersJSON(t *testing.T) {
	is := is.New(t)
	b := newBox(t)
	h := build(t, "", b.wire)
	compiled := h.compile(posting(t, callV2))
	is.True(compiled.OneByOne)
	is.True(strings.HasSuffix(compiled.About, "→ the container bbamine/in?a=b"))
	e := word(t, words.Wording{}, attached("crpmine", "ubuntu", "22.04"))
	b.answers <- http.StatusNoContent
	out := deliver(t, compiled.Actions[0], []events.Event{e})
	is.Equal(out, []trigger.Outcome{{Text: "to the container bbamine/in?a=b",
		Data: map[string]any{"container_id": "bbamine", "path": "/in?a=b", "status": 204, "invoke_ms": 0.0, "attempt": 1}}})
	r := <-b.requests
	is.Equal([]string{r.Method, r.RequestURI, r.Header.Get("Content-Type")}, []string{"POST", "/in?a=b", "application/json"})
	is.Equal(<-b.bodies, `{"messages":[`+string(e.Body)+`]}`)

	for path, want := range map[string]string{"''": "/", "in": "/in"} { // a slash more or less
		text := edit(t, edit(t, posting(t, callV2), "/in?a=b", path), "id: a1smine", "id: a1s"+want)
		b.answers <- http.StatusOK
		deliver(t, h.compile(text).Actions[0], []events.Event{e})
		is.Equal((<-b.requests).RequestURI, want)
	}
}

func TestAContainerMayAnswerMuch(t *testing.T) {
	is := is.New(t)
	u := newUpstream(t)
	h := build(t, "", u.at(""))
	text := edit(t, posting(t, callV1), "      retry_settings: {retry_attempts: \"2\", interval: 10s}\n", "")
	action := h.compile(edit(t, text, "      dead_letter_queue: {queue_id: '"+queue+"', service_account_id: ajedead}\n", "")).Actions[0]
	for size, want := range map[int]string{
		yandex.MaxPayload:     "to the container bbamine/in?a=b",
		yandex.MaxPayload + 1: "the answer is over 3670016 bytes; dropped",
	} {
		u.answers <- responds(200, "", strings.Repeat("x", size))
		out := action.Target.Deliver(t.Context(), []trigger.Delivery{{Payload: []byte("{}")}})
		is.True(strings.HasSuffix(out[0].Text, want))
	}
}

func TestAContainerThatFailsIsAskedAgain(t *testing.T) {
	is := is.New(t)
	b, l := newBox(t), &letters{sent: make(chan []string, 1)}
	h := build(t, "", b.wire, l.wire)
	in := h.engine(nil, h.compile(posting(t, callV1)))
	e := word(t, words.Wording{}, attached("crpmine", "ubuntu", "1"))
	b.answers <- http.StatusInternalServerError
	in <- e
	is.Equal(h.step(yandex.StepRetry).Text, "attempt 2 of 3 in 10 s because the container bbamine/in?a=b failed: it answered 500 Internal Server Error")
	b.answers <- http.StatusFound // nobody follows
	h.clock.Advance(10 * time.Second)
	is.Equal(h.step(yandex.StepRetry).Text, "attempt 3 of 3 in 10 s because the container bbamine/in?a=b failed: it answered 302 Found")
	h.clock.Advance(10 * time.Second)
	for range 3 {
		<-b.requests
	}
	b.answers <- 0
	h.clock.Advance(10 * time.Minute)
	is.Equal(h.step(events.StepLost).Text, "given up after 3 attempts: the container bbamine/in?a=b failed: "+
		"the container did not answer within 10 minutes; dead letter to "+queue)
	is.Equal(<-l.sent, []string{queue, `{"messages":[` + string(e.Body) + `]}`, e.ID})
}

func TestAContainerThatIsGone(t *testing.T) {
	is := is.New(t)
	b := newBox(t)
	gone := false
	h := build(t, "", func(o *yandex.Options) {
		o.Container = func(id string) (string, error) {
			if gone {
				return "", errors.New("there is no container " + id)
			}
			return b.url, nil
		}
	})
	text := edit(t, posting(t, callV1), "      retry_settings: {retry_attempts: \"2\", interval: 10s}\n", "")
	action := h.compile(edit(t, text, "      dead_letter_queue: {queue_id: '"+queue+"', service_account_id: ajedead}\n", "")).Actions[0]
	out := action.Target.Deliver(t.Context(), []trigger.Delivery{{Payload: make([]byte, yandex.MaxPayload+1)}})
	is.True(strings.Contains(out[0].Text, "payload too large: 3670017 bytes is over 3670016"))
	gone = true
	out = action.Target.Deliver(t.Context(), []trigger.Delivery{{Payload: []byte("{}")}})
	is.Equal(out[0].Text, "given up after 1 attempt: the container bbamine/in?a=b failed: container not found: there is no container bbamine; dropped")
}
