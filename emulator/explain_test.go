package emulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording/explain"
)

// mistakes are triggers with what people get wrong.
const mistakes = `
id: a1sgood
name: good
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: 1, cutoff: 1s}
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: /ws, service_account_id: ajeregcastaccount000}
---
id: a1sbeginning
name: beginning
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    image_name: team
    batch_settings: {size: 1, cutoff: 1s}
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: /ws, service_account_id: ajeregcastaccount000}
---
id: a1stagless
name: tagless
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE]
    registry_id: crpregcastregistry00
    tag: v1
    batch_settings: {size: 1, cutoff: 1s}
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: /ws, service_account_id: ajeregcastaccount000}
---
id: a1selsewhere
name: elsewhere
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpelsewhere00000000
    batch_settings: {size: 1, cutoff: 1s}
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: /ws, service_account_id: ajeregcastaccount000}
---
id: a1spaused
name: paused
status: PAUSED
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: 1, cutoff: 1s}
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: /ws, service_account_id: ajeregcastaccount000}
`

// verdictsOf is a line for each trigger.
func verdictsOf(x explain.Explanation) map[string]string {
	out := map[string]string{}
	for _, t := range x.Triggers {
		if t.Fired {
			out[t.Name] = "fired"
		} else if t.Miss != nil {
			out[t.Name] = t.Miss.String()
		}
	}
	return out
}

func TestExplainWhatAPushFired(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{Triggers: []emulator.File{{Name: "t.yaml", Data: []byte(mistakes)}}})
	_, err := em.Explain(t.Context(), "last", "")
	is.True(errors.Is(err, emulator.ErrNoEvent))
	is.Equal(err.Error(), "explain: no such event: there is none at all")

	ws := em.Dial("/ws")
	em.Push("team/app:v1")
	tagged := ws.Expect("create-image-tag")[0].EventMetadata.EventID
	em.Flush()
	x, err := em.Explain(t.Context(), "last", "")
	is.NoErr(err)
	is.Equal(x.Event.ID, tagged)
	is.Equal(x.Answer, "good fired: delivered to 1 connection of d5dregcastgateway000/ws")
	_, created, _ := strings.Cut(verdictsOf(x)["tagless"], "the create-image that came with it is ")
	created = strings.TrimSuffix(created, ")")
	is.Equal(verdictsOf(x), map[string]string{
		"good":      "fired",
		"beginning": `image_name: want "team", got "team/app" (a name is compared whole, a beginning is not enough)`,
		"tagless":   `type: want create-image, got create-image-tag (the create-image that came with it is ` + created + `)`,
		"elsewhere": `registry_id: want "crpelsewhere00000000", got "crpregcastregistry00" (the trigger is on another registry; what is pushed to HOST/crpelsewhere00000000/… comes to it)`,
		"paused":    "paused: resume it; events that come meanwhile are lost for good",
	})
	is.Equal(*x.Triggers[0].Deliveries[0].Connections, 1)

	// The other event of the push, one trigger alone, and what is not there, over HTTP.
	status, body := get(t, em, "/_regcast/events/"+created+"/explain?trigger=a1stagless")
	is.Equal(status, http.StatusOK)
	is.NoErr(json.Unmarshal(body, &x))
	is.Equal(x.Answer, `tagless did not fire: tag: want "v1", got none (a create-image event carries no tag; `+
		`the tag v1 is on the create-image-tag that came with it, `+tagged+`)`)
	status, body = get(t, em, "/_regcast/events/last/explain?trigger=nobody")
	is.Equal(status, http.StatusNotFound)
	is.Equal(string(body), `{"error":"explain: no such trigger: \"nobody\"; there is beginning, elsewhere, good, paused, tagless"}`+"\n")
	status, body = get(t, em, "/_regcast/events/"+tagged[:15]+"/explain")
	is.Equal(status, http.StatusNotFound)
	is.Equal(string(body), `{"error":"explain: no such event: `+tagged[:15]+`; did you mean `+tagged+`?"}`+"\n")
	_, err = em.Explain(t.Context(), "nothing like it", "")
	is.Equal(err.Error(), "explain: no such event: nothing like it; `regcast journal` lists the events on record")
}

func get(t *testing.T, em *emulatortest.Emulator, path string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", em.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

// A batch is explained while it is open and when it has gone, and what is lost says why.
func TestExplainABatch(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	em := emulatortest.Start(t, emulator.Config{Clock: clock, Triggers: []emulator.File{trigger(3, "20s")}})
	ids, err := em.Emit(t.Context(), events.Change{Kind: events.TagAttached, Repository: "app", Tag: "v1"},
		events.Change{Kind: events.TagAttached, Repository: "app", Tag: "v2"})
	is.NoErr(err)
	em.Flush()
	clock.Advance(5 * time.Second)
	x, err := em.Explain(t.Context(), ids[1], "test")
	is.NoErr(err)
	is.Equal(x.Answer, "test fired, and the event waits in a batch, 2 of 3, for at most 15.0 s")
	is.Equal(x.Triggers[0].Batch.Left, 15*time.Second)

	clock.Advance(15 * time.Second)
	em.Flush()
	x, err = em.Explain(t.Context(), ids[1], "")
	is.NoErr(err)
	is.Equal(x.Answer, "test fired, and its delivery is lost: nobody is connected to d5dregcastgateway000/ws")
	b := x.Triggers[0].Batch
	is.Equal([]any{b.Open, b.Waiting, b.Of, b.Why, b.Waited, fmt.Sprint(b.With)}, []any{false, 2, 3, "cutoff", 20 * time.Second, "[" + ids[0] + "]"})
}

// A rule that AWS would never let fire, one that is off, and a trigger of the other cloud.
func TestExplainRules(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{Template: &emulator.Template{File: emulator.File{Name: "t.yaml", Data: []byte(rulesWithMistakes)}}})
	em.Push("team/app:v1")
	em.Flush()
	x, err := em.Explain(t.Context(), "last", "")
	is.NoErr(err)
	is.Equal(x.Event.Type, "PUSH")
	is.Equal(verdictsOf(x), map[string]string{
		"good":            "fired",
		"trap":            `resources: want "arn:aws:ecr:us-east-1:123456789012:repository/team/app", got [] (resources is empty in every ECR Image Action, so the rule never fires; match detail.repository-name instead)`,
		"result":          `detail.result: want "SUCCEEDED", got "SUCCESS" (an image action that is told of has the result "SUCCESS")`,
		"scan":            `detail-type: want "ECR Image Scan", got "ECR Image Action" (pushes and deletes come as "ECR Image Action"; scans, replications and the rest of ECR's types are not emulated)`,
		"off":             "state: the rule does nothing here: it is disabled",
		"regcast-default": `cloud: want "yandex", got "aws" (the event is another cloud's)`,
	})
	var b strings.Builder
	is.NoErr(x.Text(&b))
	is.True(strings.HasPrefix(b.String(), "good fired: delivered to the queue "))
	is.True(strings.Contains(b.String(), "\nof another cloud, and so not asked: regcast-default\n"))
}

const rulesWithMistakes = `
Resources:
  Q: {Type: AWS::SQS::Queue}
  Good: {Type: AWS::Events::Rule, Properties: {Name: good, EventPattern: {source: [aws.ecr]}, Targets: [{Id: q, Arn: !GetAtt Q.Arn}]}}
  Trap: {Type: AWS::Events::Rule, Properties: {Name: trap, EventPattern: {resources: ["arn:aws:ecr:us-east-1:123456789012:repository/team/app"]}, Targets: [{Id: q, Arn: !GetAtt Q.Arn}]}}
  Result: {Type: AWS::Events::Rule, Properties: {Name: result, EventPattern: {detail: {result: [SUCCEEDED]}}, Targets: [{Id: q, Arn: !GetAtt Q.Arn}]}}
  Scan: {Type: AWS::Events::Rule, Properties: {Name: scan, EventPattern: {detail-type: [ECR Image Scan]}, Targets: [{Id: q, Arn: !GetAtt Q.Arn}]}}
  Switched: {Type: AWS::Events::Rule, Properties: {Name: "off", State: DISABLED, EventPattern: {source: [aws.ecr]}, Targets: [{Id: q, Arn: !GetAtt Q.Arn}]}}
`

// What a function did with the event, its failures, and the frames that it sent are part of the answer.
func TestExplainAFunction(t *testing.T) {
	is := is.New(t)
	boom := function(func(context.Context, []byte) ([]byte, error) { return nil, errors.New("boom") })
	em := emulatortest.Start(t, emulator.Config{
		Clock:     emulatortest.NewClock(),
		Functions: map[string]emulator.Function{"d4eboom": boom},
		Triggers: []emulator.File{{Name: "t.yaml", Data: []byte(`
name: calls
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: 1, cutoff: 1s}
    invoke_function: {function_id: d4eboom, service_account_id: ajeregcastaccount000}
`)}},
	})
	em.Push("app:v1")
	em.Flush()
	x, err := em.Explain(t.Context(), "last", "calls")
	is.NoErr(err)
	is.Equal(x.Triggers[0].Deliveries[0].What, explain.Lost)
	is.Equal(x.Triggers[0].Deliveries[0].Attempts, 1)
	is.True(strings.Contains(x.Answer, "boom"))
	is.Equal(len(x.Invocations), 1)
	is.Equal(x.Invocations[0].Function, "d4eboom")
	is.True(strings.Contains(x.Invocations[0].Output, "boom"))
}

func TestDryRun(t *testing.T) {
	is := is.New(t)
	change := events.Change{
		Kind: events.TagAttached, Registry: "crpregcastregistry00", Repository: "team/app", Tag: "v1", Digest: "sha256:00", At: time.Unix(0, 0),
	}
	asked := func(cfg emulator.Config, r events.Record) map[string]string {
		t.Helper()
		d, err := emulator.NewDryRun(cfg)
		is.NoErr(err)
		x := d.Explain(r)
		return verdictsOf(x[len(x)-1])
	}
	bare := events.Record{Changes: []events.Change{change}}
	is.Equal(asked(emulator.Config{}, bare), map[string]string{"regcast-default": "fired"})
	got := asked(emulator.Config{Triggers: []emulator.File{{Name: "t.yaml", Data: []byte(mistakes)}}}, bare)
	is.Equal([]string{got["good"], got["paused"]}, []string{"fired", "paused: resume it; events that come meanwhile are lost for good"})
	is.Equal(len(got), 5)

	// With a template the change is worded for EventBridge too, whoever has recorded it.
	rules := emulator.Config{Template: &emulator.Template{File: emulator.File{Name: "t.yaml", Data: []byte(rulesWithMistakes)}}}
	got = asked(rules, bare)
	is.Equal([]string{got["good"], got["off"]}, []string{"fired", "state: the rule does nothing here: it is disabled"})
	is.Equal(len(got), 5) // the default trigger is not asked

	d, err := emulator.NewDryRun(rules)
	is.NoErr(err)
	is.Equal(d.Triggers(), []string{"good", "trap", "result", "scan", "off"})

	// Gateways, functions and containers need not be there; what is wrong in a file is told as up tells it.
	absent := strings.ReplaceAll(mistakes, "d5dregcastgateway000", "d5dnowhere0000000000")
	is.Equal(asked(emulator.Config{Triggers: []emulator.File{{Name: "t.yaml", Data: []byte(absent)}}}, bare)["good"], "fired")
	_, err = emulator.NewDryRun(emulator.Config{Triggers: []emulator.File{{Name: "a.yaml", Data: []byte("{}")}, {Name: "b.yaml", Data: []byte("name: 1")}}})
	is.True(err != nil && strings.Contains(err.Error(), "a.yaml:1: ") && strings.Contains(err.Error(), "b.yaml:1: "))
	bad := rules
	bad.Template = &emulator.Template{File: emulator.File{Name: "t.yaml", Data: []byte(strings.Replace(rulesWithMistakes, "{source: [aws.ecr]}", "{source: aws.ecr}", 1))}}
	_, err = emulator.NewDryRun(bad)
	is.True(err != nil && strings.Contains(err.Error(), `t.yaml:4: Resources.Good.Properties.EventPattern.source: got "aws.ecr"`))
}

// Rows of FIDELITY that explanations point at are there.
func TestDocsOfMissesAreThere(t *testing.T) {
	is := is.New(t)
	table, err := os.ReadFile("../docs/FIDELITY.md")
	is.NoErr(err)
	rows := map[string]bool{}
	for _, file := range []string{"explain.go", "internal/yandex/trigger_miss.go", "internal/aws/rule_miss.go"} {
		source, err := os.ReadFile(file)
		is.NoErr(err)
		for _, rest := range strings.Split(string(source), `"docs/FIDELITY.md#`)[1:] {
			row, _, _ := strings.Cut(rest, `"`)
			rows[row] = true
			if !strings.Contains(string(table), "\n| "+row+" |") {
				t.Errorf("%s: no row %q", file, row)
			}
		}
	}
	is.Equal(len(rows), 5)
}
