package report_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

type lines = iter.Seq2[recording.Line, error]

// run is a recording in memory.
type run struct {
	header recording.Header
	lines  []recording.Line
	err    error // after the lines
}

func (r *run) Header() recording.Header { return r.header }

func (r *run) Lines() lines {
	return func(yield func(recording.Line, error) bool) {
		for _, l := range r.lines {
			if !yield(l, nil) {
				return
			}
		}
		if r.err != nil {
			yield(recording.Line{}, r.err)
		}
	}
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const (
	registry = "crp1234567890abcdefg"
	gateway  = "d5dm1234567890abcdef"
)

// author writes runs as an emulator would: n pushes of which Yandex Cloud's trigger tells sockets, and AWS's rule a function.
type author struct {
	run
	random *rand.Rand
	seq    uint64
	now    time.Time
}

func newAuthor() *author { return &author{random: rand.New(rand.NewPCG(1, 2)), now: noon} }

func write(n int) *run {
	a := newAuthor()
	a.header = recording.Header{
		Format: recording.Format, Version: recording.Version, Regcast: "v0.5.0", Created: noon, Now: noon,
		Resources: map[string]json.RawMessage{
			"triggers": json.RawMessage(`[{"id":"a1s000","name":"on-push","summary":"create-image-tag of crp… → broadcast /ws","matched":12}]`),
			"gateways": json.RawMessage(`[{"id":"` + gateway + `","paths":["/ws"]}]`), "queues": json.RawMessage(`[]`),
		},
		Configuration: recording.Configuration{
			Triggers:         []recording.File{{Name: "trigger.yaml", Data: "name: on-push\nrule:\n  container_registry:\n    batch_settings: {size: 10, cutoff: 2s}\n"}},
			TagOnCreateImage: true,
		},
	}
	for i := range 8 {
		a.socket(fmt.Sprintf("conn%02d", i), recording.Opened)
	}
	for i := range n {
		a.push(i)
		switch {
		case i == n/2:
			a.add(recording.Line{Clock: &recording.Clock{What: "advance", By: 20 * time.Second}}, 20*time.Second)
		case i == n/3:
			a.socket("conn03", recording.Closed)
		}
	}
	for i := range 6 {
		if i != 3 {
			a.socket(fmt.Sprintf("conn%02d", i), recording.Closed)
		}
	}
	a.add(recording.Line{End: &recording.End{Lines: int64(len(a.lines))}}, 0)
	return &a.run
}

func (a *author) add(l recording.Line, later time.Duration) {
	a.seq++
	a.now = a.now.Add(later)
	l.Seq, l.At = a.seq, a.now
	if l.Step != nil {
		l.Step.At = a.now
	}
	a.lines = append(a.lines, l)
}

func (a *author) step(what, who, text string, data map[string]any, ids ...string) {
	a.add(recording.Line{Step: &events.Step{Events: ids, Room: "trigger", What: what, Who: who, Text: text, Data: data}},
		time.Duration(50+a.random.IntN(200))*time.Microsecond)
}

func (a *author) socket(id, what string) {
	s := &recording.Socket{What: what, Connection: id, Gateway: gateway, Path: "/ws"}
	if what == recording.Opened {
		s.URL = "/ws"
	} else {
		s.Code, s.By = 1000, "client"
		if id == "conn03" {
			s.Code, s.Reason, s.By = 1006, "connection reset by peer", ""
		}
	}
	a.add(recording.Line{Socket: s}, 3*time.Millisecond)
}

func (a *author) push(i int) {
	tag := fmt.Sprintf("1.%d", i)
	digest := fmt.Sprintf("sha256:%064x", i*7919+1)
	y, w := fmt.Sprintf("crpevent%012d", i), fmt.Sprintf("%08x-0000-4000-8000-%012d", i, i)
	change := events.Change{Kind: events.TagAttached, Registry: registry, Repository: "team/app", Tag: tag, Digest: digest, At: a.now}
	body := fmt.Sprintf(`{"event_metadata":{"event_id":%q,"event_type":"yandex.cloud.events.containerregistry.CreateImageTag","created_at":%q},"details":{"registry_id":%q,"repository_name":"%s/team/app","tag":%q,"image_digest":%q}}`,
		y, a.now.Format(time.RFC3339Nano), registry, registry, tag, digest)
	rule := fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"ECR Image Action","source":"aws.ecr","detail":{"action-type":"PUSH","repository-name":"team/app","image-tag":%q,"image-digest":%q}}`, w, tag, digest)
	a.add(recording.Line{Record: &events.Record{
		Origin: events.OriginRegistry, Changes: []events.Change{change}, At: a.now,
		Events: []events.Event{
			{ID: y, Source: "yandex", Type: "create-image-tag", Body: json.RawMessage(body)},
			{ID: w, Source: "aws", Type: "ECR Image Action", Body: json.RawMessage(rule)},
		},
	}}, time.Duration(100+a.random.IntN(900))*time.Millisecond)
	if i%17 == 5 {
		a.step(events.StepUnmatched, "", "no trigger wants it; on-push: tag is \"nightly\", want \"1.*\"", nil, y)
	} else {
		a.step(events.StepMatched, "", "wanted by on-push", nil, y)
		a.step(events.StepWaiting, "on-push", "1 of 10, goes in 0.1 s", map[string]any{"due": a.now.Add(100 * time.Millisecond).Format(time.RFC3339Nano)}, y)
		a.now = a.now.Add(100 * time.Millisecond)
		a.step(events.StepBatched, "on-push", "1 event: its time is over", nil, y)
		if i%23 == 7 {
			a.step(events.StepFault, "on-push", "dropped on purpose: fault drop-1", nil, y)
			a.now = a.now.Add(31500 * time.Microsecond)
			a.step(events.StepLost, "on-push", "given up after 3 attempts: the function answered 500", map[string]any{"took_ms": 31.5}, y)
		} else {
			a.add(recording.Line{Frame: &recording.Frame{Gateway: gateway, Path: "/ws", Sent: 8, Data: recording.Payload(body), Events: []string{y}}}, 80*time.Microsecond)
			a.step(events.StepDelivered, "on-push", "sent to 8 connections", map[string]any{"took_ms": 0.31}, y)
		}
	}
	a.step(events.StepMatched, "", "wanted by PushRule", nil, w)
	a.invoke(i, w, rule)
	if i%5 == 0 {
		a.add(recording.Line{Frame: &recording.Frame{Gateway: gateway, Path: "/ws", Connection: "conn01", In: true, Data: recording.Payload(`{"want":"team/*"}`)}}, time.Millisecond)
	}
}

// invoke has a function post to each of three connections, which is noted before its answer is.
func (a *author) invoke(i int, event, input string) {
	started := a.now
	in := &recording.Invocation{
		ID: fmt.Sprintf("%08x-1111-4000-8000-%012d", i, i), Function: "Broadcast", Events: []string{event}, Started: started,
		Input: recording.Payload(input), Output: recording.Payload(`{"batchItemFailures":[]}`), Log: []string{`{"level":"INFO","msg":"posted","connections":3}`},
	}
	if i == 0 {
		in.InitMS = 184.2
	}
	for c := range 3 {
		f := &recording.Frame{Gateway: "api1234567", Path: "/prod", Connection: fmt.Sprintf("L0SM9cOFvHcCIhw%d=", c), Data: recording.Payload(input), During: []string{in.ID}}
		if i%31 == 30 && c == 2 {
			f.Error = "gone"
		} else {
			f.Sent = 1
		}
		a.add(recording.Line{Frame: f}, time.Duration(300+a.random.IntN(2000))*time.Microsecond)
	}
	if i%29 == 11 {
		in.Error, in.Output = "Unhandled", recording.Payload(`{"errorMessage":"dynamodb: no such table: wishes","errorType":"wrapError"}`)
		in.Log = append(in.Log, "\x1b[31mpanic\x1b[0m: dynamodb: no such table", "goroutine 1 [running]:", "\tmain.handle(0xc000012345)")
	}
	a.now = a.now.Add(time.Millisecond)
	in.DurationMS = float64(a.now.Sub(started)) / float64(time.Millisecond)
	a.add(recording.Line{Invocation: in}, 0)
}
