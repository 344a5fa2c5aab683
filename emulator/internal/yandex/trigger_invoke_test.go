package yandex_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

const callV1 = `id: a1smine
name: my-trigger
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpmine
    invoke_function:
      function_id: d4emine
      function_tag: $latest
      service_account_id: ajemine
      retry_settings: {retry_attempts: "2", interval: 10s}
      dead_letter_queue: {queue_id: 'yrn:yc:ymq:ru-central1:b1gmine:dead', service_account_id: ajedead}
status: ACTIVE
`

const callV2 = `id: a1smine
name: my-trigger
source:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpmine
action:
  - invoke_function:
      function_id: d4emine
      function_tag: $latest
      service_account_id: ajemine
    retry_policy: {retry_attempts: "2", interval: 10s}
    dead_letter:
      dead_letter_queue: {queue_arn: 'yrn:yc:ymq:ru-central1:b1gmine:dead', service_account_id: ajedead}
status: ACTIVE
`

const (
	queue  = "yrn:yc:ymq:ru-central1:b1gmine:dead"
	boom   = `{"errorMessage":"no","errorType":"errorString"}`
	failed = "the function d4emine failed: UserCodeError: no"
)

func TestBothVersionsOfACallReadTheSame(t *testing.T) {
	is := is.New(t)
	want := " | call d4emine $latest as ajemine, 2 more in 10s, then " + queue + " as ajedead  "
	rest := strings.NewReplacer("invoke_function", "invokeFunction", "function_id", "functionId", "retry_settings", "retrySettings",
		"retry_attempts", "retryAttempts", "dead_letter_queue", "deadLetterQueue", "queue_id", "queueId").Replace(callV1)
	for _, text := range []string{callV1, callV2, rest} {
		ts, err := yandex.ParseTriggers("t", []byte(text))
		is.NoErr(err)
		is.True(strings.HasSuffix(plain(ts[0]), want))
		is.Equal(len(ts[0].Warnings), 0)
	}
	bare, err := yandex.ParseTriggers("t", []byte(edit(t, callV1, "      function_tag: $latest\n      service_account_id: ajemine\n", "")))
	is.NoErr(err)
	is.Equal(bare[0].Actions[0].Invoke.Tag, "") // what was left out stays out
}

func TestWrongCallsAreRefusedWithFileAndLine(t *testing.T) {
	for _, tc := range []struct{ name, text, old, new, want string }{
		{"unknown function", callV1, "function_id: d4emine", "function_id: d4emin",
			`t.yaml:8: rule.container_registry.invoke_function.function_id: got "d4emin", which is no function here; want one of d4emine, d4eother`},
		{"v2: unknown function", callV2, "function_id: d4emine", "function_id: d4emin",
			`t.yaml:9: action[0].invoke_function.function_id: got "d4emin", which is no function here; want one of d4emine, d4eother`},
		{"no function", callV1, "function_id: d4emine", "function_id: ''",
			`t.yaml:8: rule.container_registry.invoke_function.function_id: got nothing, want the id of a function`},
		{"misspelt", callV1, "function_tag", "function_tags", `t.yaml:9: rule.container_registry.invoke_function.function_tags: unknown field, want function_tag`},
		{"attempts", callV1, `"2"`, `"6"`,
			`t.yaml:11: rule.container_registry.invoke_function.retry_settings.retry_attempts: got "6", want a whole number from 1 to 5`},
		{"interval", callV2, "interval: 10s", "interval: 61s",
			`t.yaml:12: action[0].retry_policy.interval: got "61s", want seconds from 10s to 60s, such as "10s"`},
		{"no interval", callV1, ", interval: 10s", "",
			`t.yaml:11: rule.container_registry.invoke_function.retry_settings.interval: got nothing, want seconds from 10s to 60s, such as "10s"`},
		{"FIFO", callV1, ":dead'", ":dead.fifo'",
			`t.yaml:12: rule.container_registry.invoke_function.dead_letter_queue.queue_id: got "yrn:yc:ymq:ru-central1:b1gmine:dead.fifo", ` +
				`want a standard queue: dead letters do not go to FIFO queues`},
		{"no account", callV2, ", service_account_id: ajedead", "",
			`t.yaml:14: action[0].dead_letter.dead_letter_queue.service_account_id: got nothing, want the id of a service account; the default one is ajeregcastaccount000`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h := build(t, "", newFunction().wire)
			_, err := h.triggers("t.yaml", []byte(edit(t, tc.text, tc.old, tc.new)))
			var fe *yandex.FileError
			is.True(errors.As(err, &fe))
			is.Equal(fe.Problems, []string{tc.want})
		})
	}
	is := is.New(t)
	_, err := build(t, "").triggers("t.yaml", []byte(callV1)) // a house without functions
	is.Equal(err.Error(), `t.yaml:8: rule.container_registry.invoke_function.function_id: got "d4emine", which is no function here; there is none`)
}

func TestWhatACallHasForNothingIsWarnedOf(t *testing.T) {
	for _, tc := range []struct{ name, text, old, new, want string }{
		{"tag", callV1, "$latest", "stable", `t:9: rule.container_registry.invoke_function.function_tag: not emulated: tags of versions; $latest is called`},
		{"no attempts", callV2, `retry_attempts: "2", `, "", `t:12: action[0].retry_policy: there is no retry_attempts: what fails is not tried again`},
		{"attributes", callV2, "ajedead}", "ajedead, message_attributes: {a: b}}",
			`t:14: action[0].dead_letter.dead_letter_queue.message_attributes: not emulated: message_attributes of dead letters; they are left out`},
		{"the name of other rules", callV1, "invoke_function:", "invoke_function_with_retry:",
			`t:7: rule.container_registry.invoke_function_with_retry: accepted; the cloud calls it invoke_function here`},
		{"no queues", callV1, "ACTIVE", "ACTIVE", `t:12: rule.container_registry.invoke_function.dead_letter_queue.queue_id: not emulated: message queues; what is given up is dropped`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h := build(t, "", newFunction().wire, func(o *yandex.Options) {
				if tc.name != "no queues" {
					o.DeadLetter = func(context.Context, string, []byte, []string) error { return nil }
				}
			})
			_, err := h.triggers("t", []byte(edit(t, tc.text, tc.old, tc.new)))
			is.NoErr(err)
			is.Equal(h.warns, []string{tc.want})
		})
	}
}

func TestAFunctionGetsTheTriggersJSONAsItIs(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, "", f.wire)
	action := h.compile(callV2).Actions[0]
	e := word(t, words.Wording{}, attached("crpmine", "ubuntu", "22.04"))
	f.answers <- says(`{"statusCode": 500}`) // its own words, and no failure
	out := deliver(t, action, []events.Event{e, e})
	is.Equal(string((<-f.requests).Payload), `{"messages":[`+string(e.Body)+`,`+string(e.Body)+`]}`)
	is.Equal(out, []trigger.Outcome{{Text: "to the function d4emine", Data: map[string]any{"function_id": its, "invoke_ms": 0.0, "attempt": 1}}})
	is.Equal(len(h.steps), 0)

	filtered := h.compile(edit(t, edit(t, callV2, "a1smine", "a1sfilter"), "status: ACTIVE",
		"    filter: {jq: '.details.tag == \"22.04\"'}\n    transformer: {jq: '[.messages[].details.tag]'}")).Actions[0]
	is.Equal(filtered.Keep(word(t, words.Wording{}, attached("crpmine", "ubuntu", "1"))).Field, "filter.jq")
	f.answers <- says("null")
	deliver(t, filtered, []events.Event{e})
	is.Equal(string((<-f.requests).Payload), `["22.04"]`)
}

func TestHowACallFails(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer result
		want   string
	}{
		{"error", failing(boom), "UserCodeError: no"},
		{"panic", failing(`{"errorMessage":"no","errorType":"string","stackTrace":[{"path":"a.go"}]}`), "UserCodePanic: no"},
		{"the cloud's own words", failing(`{"errorMessage":"no","errorType":"UserCodePanic"}`), "UserCodePanic: no"},
		{"no JSON", failing("oops"), `UserCodeError: "oops"`},
		{"timeout", failing(`{"errorType":"Sandbox.Timedout","errorMessage":"Error: Task timed out after 3.00 seconds"}`),
			"Timeout: Error: Task timed out after 3.00 seconds"},
		{"gone", result{err: runner.ErrNoFunction}, `function not found: got "d4emine", which is no function here; want one of d4emine, d4eother`},
		{"throttled", result{err: fmt.Errorf("x: %w", runner.ErrThrottled)}, "too many requests: every environment of the function is busy"},
		{"too big", result{err: runner.ErrTooBig}, ""},
		{"closed", result{err: runner.ErrClosed}, "ServerError: runner: closed"},
		{"deadline", result{err: context.DeadlineExceeded}, "ServerError: context deadline exceeded"},
		{"long", failing(`{"errorMessage":"` + strings.Repeat("x", 1000) + `"}`), "UserCodeError: " + strings.Repeat("x", 285) + "…"},
		{"answer too big", says(strings.Repeat("x", yandex.MaxPayload+1)), "ServerError: the function's response of 3670017 bytes is over 3670016"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			f := newFunction()
			h := build(t, "", f.wire)
			once := edit(t, edit(t, callV1, "      retry_settings: {retry_attempts: \"2\", interval: 10s}\n", ""),
				"      dead_letter_queue: {queue_id: '"+queue+"', service_account_id: ajedead}\n", "")
			f.answers <- tc.answer
			e := word(t, words.Wording{}, attached("crpmine", "ubuntu", "1"))
			out := deliver(t, h.compile(once).Actions[0], []events.Event{e})
			is.True(out[0].Lost)
			if tc.want == "" {
				is.True(strings.HasPrefix(out[0].Text, "given up after 1 attempt: the function d4emine failed: payload too large: "))
				return
			}
			is.Equal(out[0].Text, "given up after 1 attempt: the function d4emine failed: "+tc.want+"; dropped")
			is.Equal(len(h.steps), 0) // nothing is tried again
		})
	}
}

func TestATooLargeBatchNeverReachesTheFunction(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, "", f.wire)
	action := h.compile(edit(t, callV1, "      retry_settings: {retry_attempts: \"2\", interval: 10s}\n", "")).Actions[0]
	out := action.Target.Deliver(t.Context(), []trigger.Delivery{{Payload: make([]byte, yandex.MaxPayload+1)}})
	is.True(strings.Contains(out[0].Text, "payload too large: 3670017 bytes is over 3670016"))
	is.Equal(len(f.requests), 0)
}

// letters is a door to the queues.
type letters struct {
	sent chan []string // queue, body, events
	err  error
}

func (l *letters) wire(o *yandex.Options) {
	o.DeadLetter = func(_ context.Context, queueID string, body []byte, ids []string) error {
		l.sent <- slices.Concat([]string{queueID, string(body)}, ids)
		return l.err
	}
}

// engine runs triggers on the house's clock; what is sent on the channel is read as a record of one event.
func (h *house) engine(done func(seq uint64), ts ...trigger.Trigger) chan<- events.Event {
	h.t.Helper()
	is := is.New(h.t)
	in, seq := make(chan events.Event), uint64(0)
	e := trigger.New(trigger.Options{Clock: h.clock, Note: func(s events.Step) { h.steps <- s }, Done: done,
		Next: func(ctx context.Context) (uint64, events.Record, error) {
			select {
			case ev := <-in:
				seq++
				return seq, events.Record{Changes: []events.Change{ev.Change}, Events: []events.Event{ev}}, nil
			case <-ctx.Done():
				return 0, events.Record{}, ctx.Err()
			}
		}})
	for _, t := range ts {
		is.NoErr(e.Set(t))
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- e.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		_ = e.Close(ctx) // what waits for another attempt is cut short
		<-ended
	})
	return in
}

// step returns the next step that says what, and passes over others.
func (h *house) step(what string) events.Step {
	h.t.Helper()
	for {
		select {
		case s := <-h.steps:
			if s.What == what {
				return s
			}
		case <-h.t.Context().Done():
			h.t.Fatalf("no step says %s", what)
		}
	}
}

func TestAFailedCallIsTriedAgain(t *testing.T) {
	is := is.New(t)
	f, l := newFunction(), &letters{sent: make(chan []string, 1)}
	h := build(t, "", f.wire, l.wire)
	done := make(chan uint64, 2)
	in := h.engine(func(seq uint64) { done <- seq }, h.compile(callV1))
	first := word(t, words.Wording{}, attached("crpmine", "ubuntu", "1"))
	second := word(t, words.Wording{}, attached("crpmine", "ubuntu", "2"))

	f.answers <- failing(boom)
	in <- first
	s := h.step(yandex.StepRetry)
	is.Equal([]string{s.Room, s.Who, s.Text}, []string{"trigger", "my-trigger", "attempt 2 of 3 in 10 s because " + failed})
	is.Equal(s.Events, []string{first.ID})
	is.Equal(s.Data, map[string]any{"trigger_id": "a1smine", "attempt": 2, "of": 3, "due": h.clock.Now().Add(10 * time.Second)})
	<-f.requests
	in <- second // behind it: it has to wait

	h.clock.Advance(10*time.Second - 1)
	is.Equal(len(f.requests), 0) // not yet
	f.answers <- result{err: runner.ErrThrottled}
	h.clock.Advance(1)
	is.True(strings.Contains(string((<-f.requests).Payload), first.ID))
	is.Equal(h.step(yandex.StepRetry).Text,
		"attempt 3 of 3 in 10 s because the function d4emine failed: too many requests: every environment of the function is busy")
	f.answers <- says("null")
	f.answers <- says("null")
	h.clock.Advance(10 * time.Second)
	is.True(strings.Contains(string((<-f.requests).Payload), first.ID))
	got := h.step(events.StepDelivered)
	is.Equal(got.Text, "to the function d4emine, attempt 3 of 3")
	is.Equal(got.Data["attempt"], 3)
	is.Equal(<-done, uint64(1))

	is.True(strings.Contains(string((<-f.requests).Payload), second.ID)) // the order is kept
	is.Equal(h.step(events.StepDelivered).Text, "to the function d4emine")
	is.Equal(<-done, uint64(2))
	is.Equal(len(l.sent), 0)
}

func TestWhatIsGivenUpBecomesADeadLetter(t *testing.T) {
	noQueue := edit(t, callV2, "    dead_letter:\n      dead_letter_queue: {queue_arn: '"+queue+"', service_account_id: ajedead}\n", "")
	for _, tc := range []struct {
		name, text string
		err        error
		end        string // of the step
		sent       int
	}{
		{"v1", callV1, nil, "; dead letter to " + queue, 1},
		{"v2", callV2, nil, "; dead letter to " + queue, 1},
		{"no such queue", callV1, errors.New("no such queue"), "; dropped: the dead letter queue " + queue + " did not take it: no such queue", 1},
		{"no queue wanted", noQueue, nil, "; dropped", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			f, l := newFunction(), &letters{sent: make(chan []string, 1), err: tc.err}
			h := build(t, "", f.wire, l.wire)
			done := make(chan uint64, 1)
			in := h.engine(func(seq uint64) { done <- seq }, h.compile(tc.text))
			e := word(t, words.Wording{}, attached("crpmine", "ubuntu", "1"))
			f.answers <- failing(boom)
			in <- e
			for range 2 {
				h.step(yandex.StepRetry)
				f.answers <- failing(boom)
				h.clock.Advance(10 * time.Second)
			}
			is.Equal(h.step(events.StepLost).Text, "given up after 3 attempts: "+failed+tc.end)
			is.Equal(len(f.requests), 3)
			is.Equal(<-done, uint64(1)) // on record as dealt with
			is.Equal(len(l.sent), tc.sent)
			if tc.sent > 0 {
				is.Equal(<-l.sent, []string{queue, `{"messages":[` + string(e.Body) + `]}`, e.ID})
			}
		})
	}
}

func TestARetryHoldsUpNoOtherTrigger(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, roomsSpec, f.wire)
	other := h.compile(edit(t, edit(t, v1YAML, "a1smine", "a1sother"), "    image_name: ubuntu\n    tag: \"22.04\"\n    batch_settings:\n      size: \"3\"\n      cutoff: 20s\n", ""))
	in := h.engine(nil, h.compile(callV1), other)
	room := h.open("/rooms/1")
	f.answers <- failing(boom)
	for i := range 3 { // the first waits for its second attempt, and two behind it
		e := word(t, words.Wording{}, attached("crpmine", "ubuntu", fmt.Sprint(i)))
		in <- e
		is.True(strings.Contains(h.frame(room), e.ID))
	}
	h.step(yandex.StepRetry)
	is.Equal(len(f.requests), 1)
}

func TestNothingWaitsForAnAttemptWhenTheHouseCloses(t *testing.T) {
	is := is.New(t)
	f, l := newFunction(), &letters{sent: make(chan []string, 1)}
	closing := make(chan struct{})
	h := build(t, "", f.wire, l.wire, func(o *yandex.Options) { o.Closing = closing })
	in := h.engine(nil, h.compile(callV1))
	for range 3 {
		f.answers <- failing(boom)
	}
	in <- word(t, words.Wording{}, attached("crpmine", "ubuntu", "1"))
	is.True(strings.HasPrefix(h.step(yandex.StepRetry).Text, "attempt 2 of 3 in 10 s because"))
	close(closing) // and the clock stands still
	is.True(strings.HasPrefix(h.step(yandex.StepRetry).Text, "attempt 3 of 3 at once, as regcast is stopping, because"))
	is.Equal(len(<-l.sent), 3)
}

// A delivery that is cut short is neither given up nor a dead letter: it comes again after a restart.
func TestACallThatIsCutShortIsNoDeadLetter(t *testing.T) {
	is := is.New(t)
	f, l := newFunction(), &letters{sent: make(chan []string, 2)}
	h := build(t, "", f.wire, l.wire)
	target := h.compile(callV1).Actions[0].Target
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan []trigger.Outcome)
	d := trigger.Delivery{Events: []events.Event{{ID: "1"}}, Payload: []byte("{}")}
	go func() { out <- target.Deliver(ctx, []trigger.Delivery{d, d}) }()
	<-f.requests
	cancel() // in the midst of the call
	got := <-out
	is.True(got[0].Lost && got[1].Lost)
	is.Equal(got[1].Text, "broken off: context canceled")
	is.Equal(len(f.requests), 0)
	is.Equal(len(l.sent), 0)
}
