package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/trigger/pattern"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/ecr"
)

// mostTargets is how many targets a rule has at most.
const mostTargets = 5

// RuleWiring is what compiled rules reach.
type RuleWiring struct {
	Clock clock.Clock // nil: clock.Real
	// Queue is the queue of an ARN, and false when there is none.
	Queue func(arn string) (template.Queue, bool)
	// Function tells whether there is a function with an ARN.
	Function func(arn string) bool
	// Send puts a message into the queue of an ARN.
	Send func(ctx context.Context, arn string, m queue.Message) error
	// Invoke takes an event for the function of an ARN, asynchronously.
	Invoke func(ctx context.Context, arn string, payload []byte, events []string) error
}

// CompileRule makes the trigger that a rule is; ok is false when it is none that runs here. warnings say why, and what AWS would do
// otherwise, unless the template's notices do. The error names what AWS would refuse. All texts begin with the place in the template.
func CompileRule(r template.Rule, w RuleWiring) (t trigger.Trigger, ok bool, warnings []string, err error) {
	if w.Clock == nil {
		w.Clock = clock.Real{}
	}
	at := place(r.At)
	warn := func(format string, args ...any) { warnings = append(warnings, at+": "+fmt.Sprintf(format, args...)) }
	idle := ""
	switch {
	case !r.Enabled:
		idle = "it is disabled"
	case r.Bus != "" && r.Bus != "default":
		idle = fmt.Sprintf("not emulated: event buses besides default (it is on %q); events of ECR come to default alone", r.Bus)
	case r.Schedule != "" && len(r.Pattern) == 0:
		idle = fmt.Sprintf("not emulated: schedules (%s)", r.Schedule)
	}
	if idle != "" {
		warn("the rule %s does nothing here: %s", r.LogicalID, idle)
		return t, false, warnings, nil
	}
	if r.Schedule != "" {
		warn("the rule %s: not emulated: schedules (%s); its pattern works", r.LogicalID, r.Schedule)
	}
	p, err := pattern.Parse(r.Pattern)
	if err != nil {
		return t, false, warnings, fmt.Errorf("%s: the pattern of the rule %s: %w", at, r.LogicalID, err)
	}
	if namesResources(r.Pattern) {
		warn("the pattern of the rule %s filters by resources, which is empty in every ECR Image Action: the rule never fires, here as on AWS; "+
			"filter by detail.repository-name", r.LogicalID)
	}
	if len(r.Targets) > mostTargets {
		warn("the rule %s has %d targets; on AWS it may have %d", r.LogicalID, len(r.Targets), mostTargets)
	}
	t = trigger.Trigger{
		ID: r.ARN, Name: r.Name,
		Match: trigger.Match{Source: ecr.Source, Types: []string{ecr.Push, ecr.Delete}, Accept: accept(p), Doc: docECR},
		// One event, one delivery: the cutoff never comes.
		Window: trigger.Window{Count: 1, Cutoff: time.Second},
	}
	for i, target := range r.Targets {
		name := target.ID
		if name == "" {
			name = fmt.Sprint(i + 1)
		}
		in, err := newInput(target, r)
		if err != nil {
			return t, false, warnings, fmt.Errorf("%s: target %s of the rule %s: %w", at, name, r.LogicalID, err)
		}
		if !there(target, w) {
			continue // the template's notices say so
		}
		t.Actions = append(t.Actions, trigger.Action{
			Pack:   func(es []events.Event) ([]byte, error) { return in(es[0].Body, w.Clock.Now()) },
			Target: &ruleTarget{target, r, w},
		})
	}
	t.About = about(r, t.Actions)
	if len(t.Actions) == 0 {
		return t, false, warnings, nil
	}
	return t, true, warnings, nil
}

// about says what a rule does.
func about(r template.Rule, actions []trigger.Action) string {
	wanted := string(r.Pattern)
	var short bytes.Buffer
	if json.Compact(&short, r.Pattern) == nil {
		wanted = short.String()
	}
	var to []string
	for _, a := range actions {
		to = append(to, serviceOf(a.Target.(*ruleTarget).ARN)+" "+queueName(a.Target.(*ruleTarget).ARN))
	}
	return wanted + " → " + strings.Join(to, ", ")
}

// there tells whether a target is one that can be delivered to.
func there(t template.Target, w RuleWiring) bool {
	switch serviceOf(t.ARN) {
	case "sqs":
		q, ok := w.Queue(t.ARN)
		return ok && (!q.FIFO || t.MessageGroup != "")
	case "lambda":
		return w.Function(t.ARN)
	}
	return false
}

// namesResources tells whether a pattern wants something of the event's resources, at any level of $or.
func namesResources(p json.RawMessage) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(p, &fields) != nil {
		return false
	}
	if wanted, ok := fields["resources"]; ok && !matchesNone(wanted) {
		return true
	}
	var alternatives []json.RawMessage
	return json.Unmarshal(fields["$or"], &alternatives) == nil && len(alternatives) > 0 &&
		!slices.ContainsFunc(alternatives, func(a json.RawMessage) bool { return !namesResources(a) })
}

// matchesNone tells whether a pattern's field takes an empty list.
func matchesNone(field json.RawMessage) bool {
	p, err := pattern.Parse([]byte(`{"resources":` + string(field) + `}`))
	if err != nil {
		return false
	}
	return p.Match([]byte(`{"resources":[]}`)) == nil
}

// ruleTarget hands deliveries to a queue or a function. Here that fails only for good, so nothing is tried again: what AWS tries for
// a day goes to the target's dead-letter queue at once.
type ruleTarget struct {
	template.Target
	rule   template.Rule
	wiring RuleWiring
}

// Deliver is trigger.Target's.
func (t *ruleTarget) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	out := make([]trigger.Outcome, len(ds))
	for i, d := range ds {
		ids := make([]string, len(d.Events))
		for k, e := range d.Events {
			ids[k] = e.ID
		}
		out[i] = t.deliver(ctx, d.Payload, ids)
	}
	return out
}

func (t *ruleTarget) deliver(ctx context.Context, payload []byte, ids []string) trigger.Outcome {
	data := map[string]any{"target": t.ARN}
	var err error
	what := "to the queue " + lastPart(t.ARN)
	if serviceOf(t.ARN) == "sqs" {
		err = t.wiring.Send(ctx, t.ARN, queue.Message{Body: payload, Group: t.MessageGroup, Events: ids})
	} else {
		what = "to the function " + functionName(t.ARN) + ", asynchronously"
		err = t.wiring.Invoke(ctx, t.ARN, payload, ids)
	}
	if err == nil {
		return trigger.Outcome{Text: what, Data: data}
	}
	lost := trigger.Outcome{Lost: true, Text: fmt.Sprintf("not %s: %v", what, err), Data: data}
	if t.DeadLetter == "" || ctx.Err() != nil {
		return lost
	}
	if dead := t.wiring.Send(ctx, t.DeadLetter, queue.Message{Body: payload, Events: ids, Attributes: t.whyDead(err)}); dead != nil {
		lost.Text += fmt.Sprintf("; nor to the dead-letter queue %s: %v", lastPart(t.DeadLetter), dead)
		return lost
	}
	lost.Text += "; it is in the dead-letter queue " + lastPart(t.DeadLetter)
	data["dead_letter_queue"] = lastPart(t.DeadLetter)
	return lost
}

// whyDead is what EventBridge says beside an event in a dead-letter queue.
func (t *ruleTarget) whyDead(err error) map[string]queue.Attribute {
	text := func(s string) queue.Attribute { return queue.Attribute{Type: "String", Value: []byte(s)} }
	code := "INTERNAL_ERROR"
	switch {
	case errors.Is(err, queue.ErrNoQueue), errors.Is(err, runner.ErrNoFunction):
		code = "NO_RESOURCE"
	case errors.Is(err, queue.ErrFull):
		code = "THROTTLING"
	}
	return map[string]queue.Attribute{
		"RULE_ARN": text(t.rule.ARN), "TARGET_ARN": text(t.ARN), "ERROR_CODE": text(code), "ERROR_MESSAGE": text(err.Error()),
	}
}

// lastPart is what stands behind the last colon: the name of a queue in its ARN.
func lastPart(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }
