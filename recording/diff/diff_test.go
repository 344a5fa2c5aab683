package diff_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/diff"
)

// run is a recording in memory.
type run struct {
	header recording.Header
	lines  []recording.Line
}

func (r *run) Header() recording.Header { return r.header }

func (r *run) Lines() iter.Seq2[recording.Line, error] {
	return func(yield func(recording.Line, error) bool) {
		for _, l := range r.lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// builder writes a run as a house would; ids take what it has for them.
type builder struct {
	run
	at  time.Time
	tag string // of all ids of this run
}

func newRun(tag string, at time.Time) *builder {
	return &builder{run: run{header: recording.Header{Format: recording.Format, Version: recording.Version, Now: at}}, at: at, tag: tag}
}

func (b *builder) line(l recording.Line) *builder {
	l.At = b.at
	b.lines = append(b.lines, l)
	return b
}

func (b *builder) wait(d time.Duration) *builder { b.at = b.at.Add(d); return b }

func (b *builder) id(name string) string { return "crp" + b.tag + name + "00000000" }

// uuid is a name in the shape of one.
func (b *builder) uuid(name string) string {
	hex := fmt.Sprintf("%x", b.tag+name)
	return (hex + strings.Repeat("0", 32))[:8] + "-1111-4222-8333-" + (strings.Repeat("0", 12) + hex)[len(hex):]
}

// scrubbed is what a recording has in the place of a secret: each process has its own.
func (b *builder) scrubbed(name string) string {
	return "[scrubbed:" + (fmt.Sprintf("%x", b.tag+name) + "0000000")[:8] + "]"
}

func (b *builder) push(name, tag string) *builder {
	return b.line(recording.Line{Record: &events.Record{
		Origin:  events.OriginRegistry,
		Changes: []events.Change{{Kind: events.TagAttached, Registry: "crpmine", Repository: "app", Tag: tag, Digest: "sha256:" + tag, At: b.at}},
		Events:  []events.Event{{ID: b.id(name), Source: "yandex", Type: "create-image-tag", Body: json.RawMessage(`{}`)}},
	}})
}

func (b *builder) open(name, url string) *builder {
	return b.line(recording.Line{Socket: &recording.Socket{What: recording.Opened, Connection: b.id(name), Gateway: "gw", Path: "/ws", URL: cmp.Or(url, "/ws")}})
}

func (b *builder) close(name string, code int, reason, by string) *builder {
	return b.line(recording.Line{Socket: &recording.Socket{What: recording.Closed, Connection: b.id(name), Gateway: "gw", Path: "/ws", Code: code, Reason: reason, By: by}})
}

// message is what functions send: the event's id, its time, an id of their own, and a tag.
func (b *builder) message(event, tag string) string {
	return fmt.Sprintf(`{"event_id":%q,"at":%q,"trace":%q,"took_ms":%d,"details":{"tag":%q,"digest":"sha256:00"}}`,
		b.id(event), b.at.Format(time.RFC3339Nano), b.uuid(event), 3+len(b.tag), tag)
}

func (b *builder) frame(connection, data string, of ...string) *builder {
	f := &recording.Frame{Gateway: "gw", Path: "/ws", Data: recording.Payload(data)}
	if connection != "" {
		f.Connection = b.id(connection)
	}
	for _, e := range of {
		f.Events = append(f.Events, b.id(e))
	}
	return b.line(recording.Line{Frame: f})
}

func (b *builder) broadcast(event, tag string) *builder {
	b.frame("", b.message(event, tag), event)
	b.last().Frame.Sent = 2
	return b
}

func (b *builder) send(connection, event, tag string) *builder {
	return b.frame(connection, b.message(event, tag), event)
}

func (b *builder) last() *recording.Line { return &b.lines[len(b.lines)-1] }

func (b *builder) call(function, event, output, failure string) *builder {
	return b.line(recording.Line{Invocation: &recording.Invocation{
		ID: b.uuid(fmt.Sprint(len(b.lines))), Function: function, Events: []string{b.id(event)},
		Input: recording.Payload(`{"messages":[` + b.message(event, "t") + `]}`), Output: recording.Payload(output), Error: failure, DurationMS: 2,
	}})
}

// asked is a frame that a function sends while it runs, and answered the call when it is over.
func (b *builder) asked(connection string) *builder {
	return b.frame(connection, `{"requestId":"`+b.uuid(connection)+`"}`)
}

func (b *builder) answered(connection string) *builder {
	return b.line(recording.Line{Invocation: &recording.Invocation{
		ID: b.uuid(fmt.Sprint(len(b.lines))), Function: "f", Input: recording.Payload(`{"requestId":"` + b.uuid(connection) + `"}`), DurationMS: 2,
	}})
}

func (b *builder) step(what, who, text string, data map[string]any, of ...string) *builder {
	s := &events.Step{At: b.at, Room: "trigger", What: what, Who: who, Text: text, Data: data}
	for _, e := range of {
		s.Events = append(s.Events, b.id(e))
	}
	return b.line(recording.Line{Step: s})
}

func (b *builder) matched(event string, triggers ...string) *builder {
	return b.step(events.StepMatched, "", "wanted", map[string]any{"triggers": triggers}, event)
}

func (b *builder) unmatched(event, trigger, why string) *builder {
	return b.step(events.StepUnmatched, "", "no trigger wants it", map[string]any{"near": []map[string]string{{"trigger": trigger, "why": why}}}, event)
}

func (b *builder) delivered(of ...string) *builder {
	return b.step(events.StepDelivered, "t1", "to 2 sockets", map[string]any{"action": 0}, of...)
}

func (b *builder) waiting(trigger string, left time.Duration, of ...string) *builder {
	return b.step(events.StepWaiting, trigger, "1 of 10", map[string]any{"due": b.at.Add(left).Format(time.RFC3339Nano)}, of...)
}

func (b *builder) lost(why string, of ...string) *builder {
	return b.step(events.StepLost, "t1", why, map[string]any{"action": 0}, of...)
}

func compare(t *testing.T, want, got diff.Source, o diff.Options) diff.Report {
	t.Helper()
	r, err := diff.Compare(want, got, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// findings are a report's differences in short: kind, where, and what all of text and details must be looked for in.
func findings(r diff.Report) []string {
	out := []string{}
	for _, d := range r.Differences {
		text := d.Text
		for _, x := range d.Details {
			text += fmt.Sprintf(" %s: %s → %s %s", x.Path, x.Want, x.Got, x.Text)
		}
		out = append(out, fmt.Sprintf("%s @ %s: %s", d.Kind, d.Where, strings.TrimSpace(text)))
	}
	return out
}

func TestDifferences(t *testing.T) {
	// base is two sockets, three pushes, each broadcast and sent to the first socket.
	base := func(b *builder) *builder {
		b.open("c1", "").open("c2", "")
		for i, e := range []string{"e1", "e2", "e3"} {
			tag := fmt.Sprintf("v%d", i)
			b.wait(time.Minute).push(e, tag).matched(e, "t1").wait(10*time.Second).broadcast(e, tag).delivered(e)
		}
		return b
	}
	plain := func(do func(b *builder)) func(*builder) {
		return func(b *builder) { base(b); do(b) }
	}
	for name, tc := range map[string]struct {
		want, got func(*builder)
		o         diff.Options
		find      []string // prefixes, with what must be in it after "…"
	}{
		"nothing but ids and times": {want: plain(func(b *builder) {}), got: plain(func(b *builder) {})},
		"a tag in a frame": {
			want: plain(func(b *builder) { b.broadcast("e1", "v9") }), got: plain(func(b *builder) { b.broadcast("e1", "v8") }),
			find: []string{`changed @ path gw /ws…".details.tag: "v9" → "v8"`},
		},
		"a tag that is ignored": {
			want: plain(func(b *builder) { b.broadcast("e1", "v9") }), got: plain(func(b *builder) { b.broadcast("e1", "v8") }),
			o: diff.Options{Ignore: []string{".details.tag"}},
		},
		"a value that is volatile": {
			want: plain(func(b *builder) { b.frame("c1", `{"n":"abc"}`).frame("c2", `{"n":"abc"}`) }),
			got:  plain(func(b *builder) { b.frame("c1", `{"n":"xyz"}`).frame("c2", `{"n":"xyz"}`) }),
			o:    diff.Options{Volatile: []string{"..n"}},
		},
		"a value that is volatile, and not the same everywhere": {
			want: plain(func(b *builder) { b.frame("c1", `{"n":"abc"}`).frame("c2", `{"n":"abc"}`) }),
			got:  plain(func(b *builder) { b.frame("c1", `{"n":"xyz"}`).frame("c2", `{"n":"uvw"}`) }),
			o:    diff.Options{Volatile: []string{"..n"}},
			find: []string{"changed @ socket gw /ws #2…elsewhere these ids"},
		},
		"two ids that become one": {
			want: plain(func(b *builder) { b.frame("c1", `{"r":"`+b.uuid("a")+`","s":"`+b.uuid("b")+`"}`) }),
			got:  plain(func(b *builder) { b.frame("c1", `{"r":"`+b.uuid("a")+`","s":"`+b.uuid("a")+`"}`) }),
			find: []string{"changed @ socket gw /ws #1….s: "},
		},
		"the id of another event": {
			want: plain(func(b *builder) { b.frame("c1", `{"e":"`+b.id("e1")+`"}`) }),
			got:  plain(func(b *builder) { b.frame("c1", `{"e":"`+b.id("e2")+`"}`) }),
			find: []string{"changed @ socket gw /ws #1….e: "},
		},
		"the id of another connection inside a text": {
			want: plain(func(b *builder) { b.frame("c1", `{"e":"from `+b.id("c1")+`!"}`) }),
			got:  plain(func(b *builder) { b.frame("c1", `{"e":"from `+b.id("c2")+`!"}`) }),
			find: []string{"changed @ socket gw /ws #1….e: "},
		},
		"scrubbed secrets": {
			want: plain(func(b *builder) {
				b.open("c3", "/ws?token="+b.scrubbed("s")).frame("c3", `{"token":"`+b.scrubbed("s")+`","auth":"Bearer `+b.scrubbed("t")+`"}`)
				b.frame("c3", "token="+b.scrubbed("s")+"!").frame("c3", "\xffkey "+b.scrubbed("s"))
				b.last().Frame.Binary = true
				b.call("f", "e1", `{"body":"{\"secret\":\"`+b.scrubbed("t")+`\"}"}`, "").close("c3", 1008, "no "+b.scrubbed("s"), "function")
			}),
			got: plain(func(b *builder) {
				b.open("c3", "/ws?token="+b.scrubbed("s")).frame("c3", `{"token":"`+b.scrubbed("s")+`","auth":"Bearer `+b.scrubbed("t")+`"}`)
				b.frame("c3", "token="+b.scrubbed("s")+"!").frame("c3", "\xffkey "+b.scrubbed("s"))
				b.last().Frame.Binary = true
				b.call("f", "e1", `{"body":"{\"secret\":\"`+b.scrubbed("t")+`\"}"}`, "").close("c3", 1008, "no "+b.scrubbed("s"), "function")
			}),
		},
		"the secret of another": {
			want: plain(func(b *builder) {
				b.frame("c1", `{"token":"`+b.scrubbed("s")+`"}`).frame("c2", `{"token":"`+b.scrubbed("t")+`"}`)
			}),
			got: plain(func(b *builder) {
				b.frame("c1", `{"token":"`+b.scrubbed("s")+`"}`).frame("c2", `{"token":"`+b.scrubbed("s")+`"}`)
			}),
			find: []string{"changed @ socket gw /ws #2….token: "},
		},
		"what is no secret any more": {
			want: plain(func(b *builder) { b.frame("c1", `{"token":"`+b.scrubbed("s")+`"}`) }),
			got:  plain(func(b *builder) { b.frame("c1", `{"token":"[scrubbed:nothing!]"}`) }),
			find: []string{"changed @ socket gw /ws #1….token: "},
		},
		"a house that listens elsewhere": {
			want: plain(func(b *builder) {
				b.frame("c1", `{"Host":["localhost:35271"],"X-Yc-Apigateway-Websocket-Message-Id":"33lcu65vpc8rru2ebtuf09ealdnmgg","Sec-Websocket-Key":"PZ90GKHc6/1aInO0ALZBOQ==","url":"http://api.localhost:35271/x"}`)
			}),
			got: plain(func(b *builder) {
				b.frame("c1", `{"Host":["127.0.0.1:8080"],"X-Yc-Apigateway-Websocket-Message-Id":"33lcu65vpc8rr14sk42re1i1jkd76n","Sec-Websocket-Key":"Trm1MQrjtw9zVUxJkmPGWg==","url":"http://api.localhost:8080/x"}`)
			}),
		},
		"another port of this machine": {
			want: plain(func(b *builder) { b.frame("c1", `{"a":"http://127.0.0.1:35271/","b":"http://127.0.0.1:35271/"}`) }),
			got:  plain(func(b *builder) { b.frame("c1", `{"a":"http://127.0.0.1:8080/","b":"http://127.0.0.1:8081/"}`) }),
			find: []string{"changed @ socket gw /ws #1….b: "},
		},
		"a time that is off": {
			want: plain(func(b *builder) { b.frame("c1", `{"when":"`+b.at.Format(time.RFC3339)+`"}`) }),
			got:  plain(func(b *builder) { b.frame("c1", `{"when":"`+b.at.Add(5*time.Second).Format(time.RFC3339)+`"}`) }),
			find: []string{"changed @ socket gw /ws #1…the times are not as far apart"},
		},
		"when a socket was opened that was there before": {
			want: func(b *builder) {
				b.open("c1", "").last().Socket.Since = b.at.Add(-time.Hour)
				b.frame("c1", fmt.Sprintf(`{"connectedAt":%d}`, b.at.Add(-time.Hour).UnixMilli()))
			},
			got: func(b *builder) {
				b.open("c1", "").last().Socket.Since = b.at
				b.frame("c1", fmt.Sprintf(`{"connectedAt":%d}`, b.at.UnixMilli()))
			},
		},
		"times as numbers": {
			want: plain(func(b *builder) {
				b.frame("c1", fmt.Sprintf(`{"ms":%d,"s":%d,"X-Yc-Apigateway-Websocket-Connected-At":"%d"}`, b.at.UnixMilli(), b.at.Unix(), b.at.UnixMilli()))
			}),
			got: plain(func(b *builder) {
				b.frame("c1", fmt.Sprintf(`{"X-Yc-Apigateway-Websocket-Connected-At":"%d","s":%d,"ms":%d}`, b.at.UnixMilli(), b.at.Unix(), b.at.UnixMilli()))
			}),
		},
		"JSON in a string": {
			want: plain(func(b *builder) { b.frame("c1", `{"body":"{\"id\":\"`+b.uuid("x")+`\",\"n\":1}"}`) }),
			got:  plain(func(b *builder) { b.frame("c1", `{"body":"{\"n\":2,\"id\":\"`+b.uuid("x")+`\"}"}`) }),
			find: []string{"changed @ socket gw /ws #1….body.n: 1 → 2"},
		},
		"a UUID as a tag": {
			want: plain(func(b *builder) { b.frame("c1", `{"tag":"`+b.uuid("x")+`"}`) }),
			got:  plain(func(b *builder) { b.frame("c1", `{"tag":"`+b.uuid("x")+`"}`) }),
			find: []string{"changed @ socket gw /ws #1….tag: "},
		},
		"a frame lost": {
			want: plain(func(b *builder) { b.send("c1", "e1", "a").send("c1", "e2", "b") }), got: plain(func(b *builder) { b.send("c1", "e2", "b") }),
			find: []string{"lost @ socket gw /ws #1…does not come now"},
		},
		"a frame changed beside one that is lost": {
			want: plain(func(b *builder) { b.frame("c1", `{"bye":1}`).frame("c1", `{"n":1}`) }), got: plain(func(b *builder) { b.frame("c1", `{"n":2}`) }),
			find: []string{"lost @ socket gw /ws #1", "changed @ socket gw /ws #1….n: 1 → 2"},
		},
		"a frame not taken": {
			want: plain(func(b *builder) { b.send("c1", "e1", "a") }),
			got:  plain(func(b *builder) { b.send("c1", "e1", "a"); b.last().Frame.Error = "gone" }),
			find: []string{"lost @ socket gw /ws #1…not taken: gone"},
		},
		"a frame twice": {
			want: plain(func(b *builder) { b.send("c1", "e1", "a") }), got: plain(func(b *builder) { b.send("c1", "e1", "a").send("c1", "e1", "a") }),
			find: []string{"doubled @ socket gw /ws #1"},
		},
		"a frame more": {
			want: plain(func(b *builder) {}), got: plain(func(b *builder) { b.send("c1", "e1", "a") }),
			find: []string{"extra @ socket gw /ws #1"},
		},
		"two frames in another order": {
			want: plain(func(b *builder) { b.send("c1", "e1", "a").send("c1", "e2", "b").send("c1", "e3", "c") }),
			got:  plain(func(b *builder) { b.send("c1", "e1", "a").send("c1", "e3", "c").send("c1", "e2", "b") }),
			find: []string{"reordered @ socket gw /ws #1"},
		},
		"a frame before a broadcast": {
			want: plain(func(b *builder) { b.broadcast("e1", "x").send("c1", "e1", "a") }),
			got:  plain(func(b *builder) { b.send("c1", "e1", "a").broadcast("e1", "x") }),
			find: []string{"reordered @ socket gw /ws #1…after 3 broadcasts of the path, then after 4"},
		},
		"frames of two sockets in another order": {
			want: plain(func(b *builder) { b.send("c1", "e1", "a").send("c2", "e1", "a") }),
			got:  plain(func(b *builder) { b.send("c2", "e1", "a").send("c1", "e1", "a") }),
		},
		"what happens at one instant on two paths and at two triggers": {
			want: plain(func(b *builder) {
				b.push("e4", "x").push("e5", "y").matched("e4", "t1").matched("e5", "t2").broadcast("e4", "x").broadcast("e5", "y")
				b.last().Frame.Path = "/other"
				b.delivered("e4").step(events.StepDelivered, "t2", "to 1 socket", map[string]any{"action": 0}, "e5")
			}),
			got: plain(func(b *builder) {
				b.push("e4", "x").push("e5", "y").matched("e5", "t2").broadcast("e5", "y").last().Frame.Path = "/other"
				b.matched("e4", "t1").step(events.StepDelivered, "t2", "to 1 socket", map[string]any{"action": 0}, "e5").broadcast("e4", "x").delivered("e4")
			}),
		},
		"calls for two sockets at one instant": {
			want: plain(func(b *builder) { b.asked("c1").asked("c2").answered("c1").answered("c2") }),
			got:  plain(func(b *builder) { b.asked("c2").asked("c1").answered("c2").answered("c1") }),
		},
		"a call with the id of another": {
			want: plain(func(b *builder) { b.asked("c1").asked("c2").answered("c1").answered("c2") }),
			got:  plain(func(b *builder) { b.asked("c1").asked("c2").answered("c1").answered("c1") }),
			find: []string{"invoked @ function f….requestId: "},
		},
		"a frame later": {
			want: plain(func(b *builder) { b.push("e4", "w").wait(time.Second).send("c1", "e4", "a") }),
			got:  plain(func(b *builder) { b.push("e4", "w").wait(4*time.Second).send("c1", "e4", "a") }),
			find: []string{"later @ socket gw /ws #1…3s later: after 4s, then after 1s"},
		},
		"a frame later, as allowed": {
			want: plain(func(b *builder) { b.push("e4", "w").wait(time.Second).send("c1", "e4", "a") }),
			got:  plain(func(b *builder) { b.push("e4", "w").wait(4*time.Second).send("c1", "e4", "a") }),
			o:    diff.Options{Later: 3 * time.Second},
		},
		"text": {
			want: plain(func(b *builder) { b.frame("c1", "{torn") }), got: plain(func(b *builder) { b.frame("c1", "{turn") }),
			find: []string{"changed @ socket gw /ws #1…{torn → {turn the texts differ from byte 2 on"},
		},
		"text with ids": {
			want: plain(func(b *builder) { b.frame("c1", "hello "+b.id("c1")+" at "+b.at.Format(time.RFC3339)) }),
			got:  plain(func(b *builder) { b.frame("c1", "hello "+b.id("c1")+" at "+b.at.Format(time.RFC3339)) }),
		},
		"bytes": {
			want: plain(func(b *builder) { b.frame("c1", "\x00\x01\x02"); b.last().Frame.Binary = true }),
			got:  plain(func(b *builder) { b.frame("c1", "\x00\x01\x03\x04"); b.last().Frame.Binary = true }),
			find: []string{"changed @ socket gw /ws #1…02 → 03 04 4 bytes, then 3; they differ from byte 2 on"},
		},
		"text that becomes binary": {
			want: plain(func(b *builder) { b.frame("c1", "x") }), got: plain(func(b *builder) { b.frame("c1", "x"); b.last().Frame.Binary = true }),
			find: []string{"changed @ socket gw /ws #1…text → binary"},
		},
		"a broadcast that one does not take": {
			want: plain(func(b *builder) { b.broadcast("e1", "x") }), got: plain(func(b *builder) { b.broadcast("e1", "x"); b.last().Frame.Sent = 1 }),
			find: []string{"lost @ path gw /ws…1 of the sockets open on the path did not take it, then 0"},
		},
		"another close": {
			want: plain(func(b *builder) { b.close("c1", 1000, "", "client") }), got: plain(func(b *builder) { b.close("c1", 1008, "slow", "gateway") }),
			find: []string{"closed @ socket gw /ws #1…then 1000 by the client, now 1008 by the gateway: slow"},
		},
		"no close": {
			want: plain(func(b *builder) { b.close("c1", 1000, "", "client") }), got: plain(func(b *builder) {}),
			find: []string{"closed @ socket gw /ws #1…now it stayed open"},
		},
		"a socket that does not open": {
			want: plain(func(b *builder) { b.open("c3", "/ws?wish=a").send("c3", "e1", "a") }), got: plain(func(b *builder) {}),
			find: []string{"refused @ socket gw /ws?wish=a #1…it had got 1 message"},
		},
		"a socket that opens later": {
			want: plain(func(b *builder) { b.open("c3", "/ws?wish=a").broadcast("e1", "x").broadcast("e2", "y") }),
			got:  plain(func(b *builder) { b.broadcast("e1", "x").open("c3", "/ws?wish=a").broadcast("e2", "y") }),
			find: []string{"lost @ socket gw /ws?wish=a #1…1 broadcast of then came before it opened now"},
		},
		"what the client sends": {
			want: plain(func(b *builder) { b.frame("c1", `{"wish":"a"}`); b.last().Frame.In = true }),
			got:  plain(func(b *builder) { b.frame("c1", `{"wish":"b"}`); b.last().Frame.In = true }),
			find: []string{`input @ socket gw /ws #1…the client sent something else .wish: "a" → "b"`},
		},
		"what is pushed": {
			want: plain(func(b *builder) { b.push("e4", "w") }), got: plain(func(b *builder) {}),
			find: []string{"input @ input registry…was not pushed now"},
		},
		"what follows from a push": {
			want: plain(func(b *builder) { b.push("e4", "w").matched("e4", "t1").delivered("e4") }), got: plain(func(b *builder) {}),
			find: []string{"input @ input registry…was not pushed now"},
		},
		"a function fails": {
			want: plain(func(b *builder) { b.call("f", "e1", `"ok"`, "") }), got: plain(func(b *builder) { b.call("f", "e1", `{"m":1}`, "Unhandled") }),
			find: []string{"failing @ function f…it fails now: Unhandled"},
		},
		"a function no longer fails": {
			want: plain(func(b *builder) { b.call("f", "e1", `{"m":1}`, "Unhandled") }), got: plain(func(b *builder) { b.call("f", "e1", `"ok"`, "") }),
			find: []string{"fixed @ function f"},
		},
		"a function is tried again": {
			want: plain(func(b *builder) { b.call("f", "e1", `"ok"`, "") }),
			got:  plain(func(b *builder) { b.call("f", "e1", `"no"`, "Unhandled").call("f", "e1", `"ok"`, "") }),
			find: []string{"failing @ function f", "retried @ function f…called again"},
		},
		"a function is not called": {
			want: plain(func(b *builder) { b.call("f", "e1", `"ok"`, "") }), got: plain(func(b *builder) {}),
			find: []string{"missing @ function f"},
		},
		"a function answers something else": {
			want: plain(func(b *builder) { b.call("f", "e1", `{"n":1,"id":"`+b.uuid("q")+`"}`, "") }),
			got:  plain(func(b *builder) { b.call("f", "e1", `{"n":2,"id":"`+b.uuid("q")+`"}`, "") }),
			find: []string{"output @ function f….n: 1 → 2"},
		},
		"calls that end in another order": {
			want: plain(func(b *builder) { b.call("f", "e1", `1`, "").call("f", "e2", `2`, "") }),
			got:  plain(func(b *builder) { b.call("f", "e2", `2`, "").call("f", "e1", `1`, "") }),
		},
		"a function takes longer": {
			want: plain(func(b *builder) { b.call("f", "e1", `1`, "") }),
			got:  plain(func(b *builder) { b.call("f", "e1", `1`, ""); b.last().Invocation.DurationMS = 500 }),
		},
		"other batches": {
			want: plain(func(b *builder) {
				b.push("e4", "x").push("e5", "y").push("e6", "z").delivered("e4", "e5").delivered("e6")
			}),
			got: plain(func(b *builder) {
				b.push("e4", "x").push("e5", "y").push("e6", "z").delivered("e4").delivered("e5", "e6")
			}),
			find: []string{"batch @ trigger t1"},
		},
		"events lost": {
			want: plain(func(b *builder) { b.push("e4", "x").delivered("e4") }), got: plain(func(b *builder) { b.push("e4", "x").lost("503 of the target", "e4") }),
			find: []string{"given-up @ trigger t1…lost now: 503 of the target"},
		},
		"events no longer lost": {
			want: plain(func(b *builder) { b.push("e4", "x").lost("503 of the target", "e4") }), got: plain(func(b *builder) { b.push("e4", "x").delivered("e4") }),
			find: []string{"kept @ trigger t1…no longer lost; then: 503"},
		},
		"an event that does not fire": {
			want: plain(func(b *builder) { b.push("e4", "x").matched("e4", "t1").delivered("e4") }),
			got:  plain(func(b *builder) { b.push("e4", "x").unmatched("e4", "t1", `the tag is "x", it wants "v*"`) }),
			find: []string{`unfired @ trigger t1…it fired then and does not now: the tag is "x", it wants "v*"`},
		},
		"an event that fires": {
			want: plain(func(b *builder) { b.push("e4", "x").unmatched("e4", "t1", `why not`) }),
			got:  plain(func(b *builder) { b.push("e4", "x").matched("e4", "t1").delivered("e4") }),
			find: []string{`fired @ trigger t1…it fires now and did not then: why not`},
		},
		"batches that are open at the end of both": {
			want: plain(func(b *builder) { b.push("e4", "x").matched("e4", "t1").waiting("t1", 10*time.Second, "e4") }),
			got:  plain(func(b *builder) { b.push("e4", "x").matched("e4", "t1").waiting("t1", 20*time.Second, "e4") }),
		},
		"a batch that is open at the end now": {
			want: plain(func(b *builder) {
				b.push("e4", "x").waiting("t1", time.Second, "e4").wait(time.Second).broadcast("e4", "x").delivered("e4").call("f", "e4", `1`, "")
				b.matched("e4", "t1")
			}),
			got: plain(func(b *builder) {
				b.push("e4", "x").waiting("t1", 10*time.Second, "e4").wait(4*time.Second).matched("e4", "t1")
			}),
			find: []string{"waiting @ path gw /ws…it has not come yet: at the end of this run it waits at t1, for 6s more", "waiting @ trigger t1",
				"waiting @ function f"},
		},
		"a batch that was open at the end then": {
			want: plain(func(b *builder) {
				b.push("e4", "x").waiting("t1", 10*time.Second, "e4").waiting("t2", time.Second, "e4")
			}),
			got: plain(func(b *builder) {
				b.push("e4", "x").waiting("t1", time.Second, "e4").wait(time.Second).broadcast("e4", "x").delivered("e4").call("f", "e4", `1`, "")
			}),
			find: []string{"waiting @ path gw /ws…then it had not come yet: at the end of that run it waited at t1, for 10s more", "waiting @ trigger t1",
				"waiting @ function f"},
		},
		"a batch that was open, and is lost": {
			want: plain(func(b *builder) {
				b.push("e4", "x").waiting("t1", time.Second, "e4").broadcast("e4", "x").delivered("e4")
			}),
			got:  plain(func(b *builder) { b.push("e4", "x").waiting("t1", time.Second, "e4").lost("503 of the target", "e4") }),
			find: []string{"lost @ path gw /ws", "given-up @ trigger t1"},
		},
		"an event handed on twice": {
			want: plain(func(b *builder) { b.push("e4", "x").delivered("e4") }), got: plain(func(b *builder) { b.push("e4", "x").delivered("e4").delivered("e4") }),
			find: []string{"doubled @ trigger t1"},
		},
		"steps without an event": {
			want: plain(func(b *builder) {}), got: plain(func(b *builder) { b.lost("the disk is full") }),
			find: []string{"given-up @ trigger t1…the disk is full"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			want, got := newRun("a", start), newRun("bb", start.Add(40*24*time.Hour))
			tc.want(want)
			tc.got(got)
			// Both ways of being the same run: with all ids renamed and the times shifted, and with the same ids.
			again := newRun("a", start)
			tc.got(again)
			for _, other := range []*builder{got, again} {
				if other == again && name == "a UUID as a tag" {
					continue // here it is the same tag
				}
				r := compare(t, want, other, tc.o)
				found := findings(r)
				is.Equal(r.Same(), len(tc.find) == 0)
				if len(found) != len(tc.find) {
					t.Fatalf("found %d differences, want %d:\n%s", len(found), len(tc.find), strings.Join(found, "\n"))
				}
				for i, f := range tc.find {
					prefix, inside, _ := strings.Cut(f, "…")
					if !strings.HasPrefix(found[i], prefix) || !strings.Contains(found[i], strings.Trim(inside, `"`)) {
						t.Errorf("found %s\nwant  %s", found[i], f)
					}
				}
			}
			is.True(compare(t, want, want, tc.o).Same())
			is.True(compare(t, got, got, tc.o).Same())
		})
	}
}

func TestSlowerIsANote(t *testing.T) {
	is := is.New(t)
	want, got := newRun("a", start).push("e1", "x").call("f", "e1", "1", ""), newRun("a", start).push("e1", "x").call("f", "e1", "1", "")
	got.last().Invocation.DurationMS = 500
	r := compare(t, want, got, diff.Options{})
	is.True(r.Same())
	is.Equal(len(r.Notes), 1)
	is.Equal(r.Notes[0].Kind, diff.Slower)
	is.True(slices.ContainsFunc(r.Subjects, func(s diff.Subject) bool { return s.Kind == "function" && s.Messages == [2]int64{1, 1} }))
}
