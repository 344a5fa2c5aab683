package aws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

const ruledEvent = `{"version":"0","id":"9c0","detail-type":"ECR Image Action","source":"aws.ecr","account":"123456789012","time":"2026-09-25T00:22:29Z",` +
	`"region":"us-east-1","resources":[],"detail":{"result":"SUCCESS","repository-name":"team/app","image-digest":"sha256:1","action-type":"PUSH","image-tag":"v1"}}`

func pushed() events.Event {
	return events.Event{ID: "9c0", Source: "aws", Type: "PUSH", Body: json.RawMessage(ruledEvent)}
}

func rule(targets ...template.Target) template.Rule {
	return template.Rule{
		LogicalID: "R", Name: "rule", ARN: "arn:aws:events:us-east-1:" + account + ":rule/rule", At: template.Place{File: "t.yaml", Line: 5},
		Bus: "default", Enabled: true, Pattern: json.RawMessage(`{"source":["aws.ecr"],"detail":{"image-tag":[{"exists":true}]}}`), Targets: targets,
	}
}

// outbox is where rules of tests deliver to: the queues q, f.fifo, full, and closed (to events), and the function f.
type outbox struct {
	sent    []string
	last    queue.Message
	invoked []string
}

func (o *outbox) wiring() aws.RuleWiring {
	queues := map[string]template.Queue{
		queueARN("q"):      {LogicalID: "Q"},
		queueARN("f.fifo"): {LogicalID: "F", FIFO: true},
		queueARN("full"):   {LogicalID: "Full"},
		queueARN("closed"): {LogicalID: "Closed", At: template.Place{File: "t.yaml", Line: 8}},
	}
	return aws.RuleWiring{
		Clock:    clock.NewManual(start),
		Queue:    func(arn string) (template.Queue, bool) { q, ok := queues[arn]; return q, ok },
		Function: func(arn string) bool { return arn == functionARN+"f" },
		Send: func(_ context.Context, arn string, m queue.Message) error {
			if arn == queueARN("full") {
				return queue.ErrFull
			}
			o.last = m
			o.sent = append(o.sent, arn+" "+string(m.Body))
			return nil
		},
		Invoke: func(_ context.Context, arn string, payload []byte, events []string) error {
			o.invoked = append(o.invoked, fmt.Sprint(arn, " ", string(payload), " ", events))
			return nil
		},
	}
}

func (o *outbox) compile(t *testing.T, r template.Rule) trigger.Trigger {
	t.Helper()
	x, ok, warnings, err := aws.CompileRule(r, o.wiring())
	if err != nil || !ok || len(warnings) > 0 {
		t.Fatal(ok, warnings, err)
	}
	return x
}

// deliver does what the engine does with an event for each action.
func deliver(t *testing.T, x trigger.Trigger) []trigger.Outcome {
	t.Helper()
	var out []trigger.Outcome
	for _, a := range x.Actions {
		es := []events.Event{pushed()}
		payload, err := a.Pack(es)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a.Target.Deliver(t.Context(), []trigger.Delivery{{Events: es, Payload: payload}})...)
	}
	return out
}

func TestRuleDelivers(t *testing.T) {
	is := is.New(t)
	var o outbox
	x := o.compile(t, rule(
		template.Target{ID: "1", ARN: queueARN("q")}, template.Target{ID: "2", ARN: functionARN + "f"},
		template.Target{ID: "3", ARN: queueARN("f.fifo"), MessageGroup: "g"},
	))
	is.Equal(x.Match.Source, "aws")
	is.Equal(x.Match.Types, []string{"PUSH", "DELETE"})
	is.Equal(x.Window.Count, 1) // an event goes by itself
	is.True(x.Match.Accept(pushed()) == nil)
	untagged := pushed()
	untagged.Body = json.RawMessage(strings.Replace(ruledEvent, `,"image-tag":"v1"`, "", 1))
	is.Equal(x.Match.Accept(untagged).Field, "detail.image-tag")

	out := deliver(t, x)
	is.Equal(out[0].Text, "to the queue q")
	is.Equal(out[1].Text, "to the function f, asynchronously")
	is.Equal(o.sent, []string{queueARN("q") + " " + ruledEvent, queueARN("f.fifo") + " " + ruledEvent})
	is.Equal(o.last.Group, "g")
	is.Equal(o.last.Events, []string{"9c0"})
	is.Equal(o.invoked, []string{functionARN + "f " + ruledEvent + " [9c0]"})
}

func TestRuleDeadLetters(t *testing.T) {
	is := is.New(t)
	var o outbox
	out := deliver(t, o.compile(t, rule(template.Target{ID: "1", ARN: queueARN("full"), DeadLetter: queueARN("q")})))
	is.True(out[0].Lost)
	is.Equal(out[0].Text, "not to the queue full: queue: full; it is in the dead-letter queue q")
	is.Equal(string(o.last.Body), ruledEvent)
	is.Equal(string(o.last.Attributes["RULE_ARN"].Value), "arn:aws:events:us-east-1:123456789012:rule/rule")
	is.Equal(string(o.last.Attributes["TARGET_ARN"].Value), queueARN("full"))
	is.Equal(string(o.last.Attributes["ERROR_CODE"].Value), "THROTTLING")
	out = deliver(t, o.compile(t, rule(template.Target{ID: "1", ARN: queueARN("full")})))
	is.Equal(out[0], trigger.Outcome{Lost: true, Text: "not to the queue full: queue: full", Data: map[string]any{"target": queueARN("full")}})
}

func TestRulesThatDoNothing(t *testing.T) {
	q := template.Target{ID: "1", ARN: queueARN("q")}
	for _, c := range []struct {
		change func(*template.Rule)
		want   string
	}{
		{func(r *template.Rule) { r.Enabled = false }, "t.yaml:5: the rule R does nothing here: it is disabled"},
		{func(r *template.Rule) { r.Bus = "mine" }, `not emulated: event buses besides default (it is on "mine")`},
		{func(r *template.Rule) { r.Pattern, r.Schedule = nil, "rate(1 hour)" }, "not emulated: schedules (rate(1 hour))"},
		// What is wrong with a target the template's notices say, where it stands.
		{func(r *template.Rule) { r.Targets = nil }, ""},
		{func(r *template.Rule) { r.Targets[0].ARN = queueARN("none") }, ""},
		{func(r *template.Rule) { r.Targets[0].ARN = functionARN + "none" }, ""},
		{func(r *template.Rule) { r.Targets[0].ARN = "arn:aws:sns:us-east-1:1:topic" }, ""},
		{func(r *template.Rule) { r.Targets[0].ARN = queueARN("f.fifo") }, ""},
	} {
		is := is.New(t)
		r := rule(q)
		c.change(&r)
		_, ok, warnings, err := aws.CompileRule(r, (&outbox{}).wiring())
		is.NoErr(err)
		is.True(!ok)
		is.True(strings.Contains(strings.Join(warnings, "\n"), c.want)) // why it does nothing
		is.Equal(len(warnings) > 0, c.want != "")
	}
}

func TestRuleWarnings(t *testing.T) {
	is := is.New(t)
	warn := func(r template.Rule) string {
		_, ok, warnings, err := aws.CompileRule(r, (&outbox{}).wiring())
		is.NoErr(err)
		is.True(ok)
		return strings.Join(warnings, "\n")
	}
	is.Equal(warn(rule(template.Target{ID: "1", ARN: queueARN("closed")})), "") // regcast delivers, and the template's notices say what AWS does
	r := rule(template.Target{ID: "1", ARN: queueARN("q")})
	r.Schedule = "rate(1 hour)"
	is.Equal(warn(r), "t.yaml:5: the rule R: not emulated: schedules (rate(1 hour)); its pattern works")
	for pattern, never := range map[string]bool{
		`{"resources":["arn:aws:ecr:us-east-1:1:repository/app"]}`:     true,
		`{"resources":[{"exists":false}],"source":["aws.ecr"]}`:        false,
		`{"$or":[{"resources":["a"]},{"resources":[{"prefix":"b"}]}]}`: true,
		`{"$or":[{"resources":["a"]},{"source":["aws.ecr"]}]}`:         false,
		`{"detail":{"resources":["a"]}}`:                               false,
	} {
		r := rule(template.Target{ID: "1", ARN: queueARN("q")})
		r.Pattern = json.RawMessage(pattern)
		is.Equal(strings.Contains(warn(r), "the rule never fires"), never) // whether an event of ECR can match
	}
}

func TestRuleErrors(t *testing.T) {
	is := is.New(t)
	r := rule(template.Target{ID: "1", ARN: queueARN("q")})
	r.Pattern = json.RawMessage(`{"source":"aws.ecr"}`)
	_, _, _, err := aws.CompileRule(r, (&outbox{}).wiring())
	is.True(strings.HasPrefix(err.Error(), "t.yaml:5: the pattern of the rule R: "))
	constant := "{"
	_, _, _, err = aws.CompileRule(rule(template.Target{ID: "x", ARN: queueARN("q"), Input: &constant}), (&outbox{}).wiring())
	is.Equal(err.Error(), "t.yaml:5: target x of the rule R: got an Input that is not JSON; a text stands in quotes")
}

func TestRuleInputs(t *testing.T) {
	text := func(s string) *string { return &s }
	paths := map[string]string{
		"repo": "$.detail.repository-name", "none": "$.detail.nothing", "detail": "$.detail", "list": "$.resources", "kind": "$.detail-type", "quoted": "$['source']", "all": "$.detail.*",
	}
	for _, c := range []struct {
		name string
		in   template.Target
		want string
	}{
		{"whole", template.Target{}, ruledEvent},
		{"constant", template.Target{Input: text(`{ "a": 1 }`)}, `{ "a": 1 }`},
		{"path to an object", template.Target{InputPath: "$.detail"}, ruledEvent[strings.Index(ruledEvent, `{"result"`) : len(ruledEvent)-1]},
		{"path to a text", template.Target{InputPath: "$.detail.image-tag"}, `"v1"`},
		{"path to all", template.Target{InputPath: "$"}, ruledEvent},
		{"text", template.Target{InputTemplate: text(`"pushed <repo>: <kind>"`)}, `"pushed team/app: ECR Image Action"`},
		{"text with nothing", template.Target{InputTemplate: text(`"pushed <none>."`)}, `"pushed ."`},
		{"JSON", template.Target{InputTemplate: text("{ \"repo\": <repo>,\n \"said\": \"in \\\"<repo>\\\"\", \"detail\": <list>, \"s\": <quoted> }")},
			`{"repo":"team/app","said":"in \"team/app\"","detail":[],"s":"aws.ecr"}`},
		{"JSON with nothing", template.Target{InputTemplate: text(`{"a":<none>,"b":"<none>"}`)}, `{"a":"","b":""}`},
		{"an object in a text", template.Target{InputTemplate: text(`"<detail>"`)}, `"{result:SUCCESS,repository-name:team/app,image-digest:sha256:1,action-type:PUSH,image-tag:v1}"`},
		{"a wildcard", template.Target{InputTemplate: text(`{"all":<all>}`)}, `{"all":["PUSH","sha256:1","v1","team/app","SUCCESS"]}`},
		{"rule", template.Target{InputTemplate: text(`{"arn":<aws.events.rule-arn>,"name":"<aws.events.rule-name>","at":<aws.events.event.ingestion-time>}`)},
			`{"arn":"arn:aws:events:us-east-1:123456789012:rule/rule","name":"rule","at":"2026-09-25T00:22:29Z"}`},
		{"event", template.Target{InputTemplate: text(`<aws.events.event.json>`)}, ruledEvent},
		{"event without detail", template.Target{InputTemplate: text(`{"e":<aws.events.event>}`)},
			`{"e":{"account":"123456789012","detailType":"ECR Image Action","id":"9c0","region":"us-east-1","resources":[],"source":"aws.ecr","time":"2026-09-25T00:22:29Z","version":"0"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			c.in.ID, c.in.ARN = "1", queueARN("q")
			if c.in.InputTemplate != nil {
				c.in.InputPaths = paths
			}
			var o outbox
			deliver(t, o.compile(t, rule(c.in)))
			is.Equal(string(o.last.Body), c.want)
		})
	}
}

func TestWrongRuleInputs(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, c := range []struct {
		in   template.Target
		want string
	}{
		{template.Target{InputPath: "$.a", Input: text("1")}, "only one of Input, InputPath and InputTransformer may be given"},
		{template.Target{InputPaths: map[string]string{"a": "$"}}, "InputTransformer: no InputTemplate"},
		{template.Target{InputPath: "detail"}, `InputPath: got "detail", want a path that begins with $`},
		{template.Target{InputPath: "$..a"}, "want a name behind every dot"},
		{template.Target{InputPath: "$[a]"}, "want an index, * or a quoted name"},
		{template.Target{InputPath: "$[0"}, "in which a [ has no ]"},
		{template.Target{InputPath: "$a"}, "want . or ["},
		{template.Target{InputPaths: map[string]string{"a": "$.a"}, InputTemplate: text("<b>")}, "contains invalid placeholder b; InputPathsMap has a"},
		{template.Target{InputTemplate: text("<b>")}, "InputPathsMap has no names"},
		{template.Target{InputPaths: map[string]string{"aws.events.event": "$.a"}, InputTemplate: text("1")}, "names that begin with AWS are not free"},
	} {
		is := is.New(t)
		c.in.ID, c.in.ARN = "1", queueARN("q")
		_, _, _, err := aws.CompileRule(rule(c.in), (&outbox{}).wiring())
		is.True(err != nil && strings.Contains(err.Error(), c.want)) // what is wrong
	}
	is := is.New(t)
	var o outbox
	for filling, want := range map[string]string{`{"a": b}`: "is not JSON", `{"a":"<aws.events.rule-name>}`: "is not JSON"} {
		x := o.compile(t, rule(template.Target{ID: "1", ARN: queueARN("q"), InputTemplate: text(filling)}))
		_, err := x.Actions[0].Pack([]events.Event{pushed()})
		is.True(err != nil && strings.Contains(err.Error(), want))
	}
	x := o.compile(t, rule(template.Target{ID: "1", ARN: queueARN("q"), InputPath: "$.detail.none"}))
	_, err := x.Actions[0].Pack([]events.Event{pushed()})
	is.Equal(err.Error(), "InputPath: the event has nothing at $.detail.none")
}

func TestRuleNamesWhatIsMissing(t *testing.T) {
	is := is.New(t)
	var o outbox
	w := o.wiring()
	w.Invoke = func(context.Context, string, []byte, []string) error { return runner.ErrNoFunction }
	x, _, _, err := aws.CompileRule(rule(template.Target{ID: "1", ARN: functionARN + "f", DeadLetter: queueARN("q")}), w)
	is.NoErr(err)
	out := deliver(t, x)
	is.True(out[0].Lost)
	is.Equal(string(o.last.Attributes["ERROR_CODE"].Value), "NO_RESOURCE")
}

func FuzzInputTransformer(f *testing.F) {
	f.Add(`{"a":<x>}`, "$.detail.image-tag")
	f.Add(`"<x> \"<aws.events.event>\""`, "$['detail'][0].*")
	f.Add(`<<x>`, "$[*]")
	f.Fuzz(func(t *testing.T, text, path string) {
		r := rule(template.Target{ID: "1", ARN: queueARN("q"), InputTemplate: &text, InputPaths: map[string]string{"x": path}})
		x, _, _, err := aws.CompileRule(r, (&outbox{}).wiring())
		if err != nil {
			return
		}
		payload, err := x.Actions[0].Pack([]events.Event{pushed()})
		if err == nil && !strings.HasPrefix(strings.TrimSpace(text), `"`) && !json.Valid(payload) {
			t.Errorf("%q with %q made %q, which is not JSON", text, path, payload)
		}
	})
}
