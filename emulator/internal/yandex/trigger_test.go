package yandex_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex"
	words "github.com/regcast/regcast/events/yandex"
)

const v1YAML = `id: a1smine
folder_id: b1gmine
created_at: "2024-02-03T04:05:06.789Z"
name: my-trigger
labels:
  team: blue
rule:
  container_registry:
    event_type:
      - CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE
      - CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG
    registry_id: crpmine
    image_name: ubuntu
    tag: "22.04"
    batch_settings:
      size: "3"
      cutoff: 20s
    gateway_websocket_broadcast:
      gateway_id: d5dmine
      path: /rooms/{room}
      service_account_id: ajemine
status: ACTIVE
`

// The same trigger as the other formats of yc print it.
const v1JSON = `{"id": "a1smine", "folder_id": "b1gmine", "created_at": "2024-02-03T04:05:06.789Z", "name": "my-trigger",
 "labels": {"team": "blue"},
 "rule": {"container_registry": {
  "event_type": ["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE", "CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG"],
  "registry_id": "crpmine", "image_name": "ubuntu", "tag": "22.04", "batch_settings": {"size": "3", "cutoff": "20s"},
  "gateway_websocket_broadcast": {"gateway_id": "d5dmine", "path": "/rooms/{room}", "service_account_id": "ajemine"}}},
 "status": "ACTIVE"}`

const v1REST = `{"id": "a1smine", "folderId": "b1gmine", "createdAt": "2024-02-03T04:05:06.789Z", "name": "my-trigger",
 "labels": {"team": "blue"},
 "rule": {"containerRegistry": {
  "eventType": ["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE", "CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG"],
  "registryId": "crpmine", "imageName": "ubuntu", "tag": "22.04", "batchSettings": {"size": 3, "cutoff": "20s"},
  "gatewayWebsocketBroadcast": {"gatewayId": "d5dmine", "path": "/rooms/{room}", "serviceAccountId": "ajemine"}}},
 "status": "ACTIVE"}`

const v2YAML = `id: a1smine
folder_id: b1gmine
created_at: "2024-02-03T04:05:06.789Z"
name: my-trigger
labels:
  team: blue
source:
  container_registry:
    event_type:
      - CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE
      - CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG
    registry_id: crpmine
    image_name: ubuntu
    tag: "22.04"
    batch_settings:
      max_count: "3"
      cutoff: 20s
action:
  - gateway_websocket_broadcast:
      gateway_id: d5dmine
      path: /rooms/{room}
      service_account_id: ajemine
status: ACTIVE
`

// plain is a trigger without what tells where it was read.
func plain(t yandex.Trigger) string {
	s := fmt.Sprintf("%s %s %s %v %+v paused=%t", t.ID, t.FolderID, t.Name, t.Labels, t.Source, t.Paused)
	for _, a := range t.Actions {
		if b := a.Broadcast; b != nil {
			s += fmt.Sprintf(" | to %s%s as %s", b.GatewayID, b.Path, b.ServiceAccountID)
		}
		if i := a.Invoke; i != nil {
			s += fmt.Sprintf(" | call %s %s as %s", i.FunctionID, i.Tag, i.ServiceAccountID)
		}
		if p := a.Post; p != nil {
			s += fmt.Sprintf(" | post to %s%s as %s", p.ContainerID, p.Path, p.ServiceAccountID)
		}
		if a.Recovery.Interval > 0 {
			s += fmt.Sprintf(", %d more in %v", a.Recovery.Attempts, a.Recovery.Interval)
		}
		if dead := a.Recovery.DeadLetter; dead != nil {
			s += fmt.Sprintf(", then %s as %s", dead.QueueID, dead.ServiceAccountID)
		}
		s += fmt.Sprintf(" %s %s", a.Filter, a.Transformer)
	}
	return s
}

func TestAllPrintsOfATriggerReadTheSame(t *testing.T) {
	for name, text := range map[string]string{"v1 YAML": v1YAML, "v1 JSON": v1JSON, "v1 REST": v1REST, "v2 YAML": v2YAML} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			ts, err := yandex.ParseTriggers("t", []byte(text))
			is.NoErr(err)
			is.Equal(len(ts), 1)
			is.Equal(plain(ts[0]), plain(yandex.Trigger{
				ID: "a1smine", FolderID: "b1gmine", Name: "my-trigger", Labels: map[string]string{"team": "blue"},
				Source: yandex.Source{
					Types: []string{words.CreateImage, words.CreateImageTag}, RegistryID: "crpmine", ImageName: "ubuntu", Tag: "22.04",
					Count: 3, Cutoff: 20 * time.Second,
				},
				Actions: []yandex.Action{{Broadcast: &yandex.Broadcast{GatewayID: "d5dmine", Path: "/rooms/{room}", ServiceAccountID: "ajemine"}}},
			}))
			is.Equal(len(ts[0].Warnings), 0)
		})
	}
}

func TestBatchSettings(t *testing.T) {
	const v1 = "    batch_settings:\n      size: \"3\"\n      cutoff: 20s\n"
	const v2 = "    batch_settings:\n      max_count: \"3\"\n      cutoff: 20s\n"
	for _, tc := range []struct {
		name, text, old, new string
		count, bytes         int
		cutoff               time.Duration
	}{
		{"v1 none", v1YAML, v1, "", 1, 0, time.Second},
		{"v1 size 0", v1YAML, v1, "    batch_settings: {size: 0, cutoff: 20s}\n", 1, 0, 20 * time.Second},
		{"v1 size left out", v1YAML, v1, "    batch_settings: {cutoff: 1s}\n", 1, 0, time.Second},
		{"v1 most", v1YAML, v1, "    batch_settings: {size: '1000', cutoff: 60s}\n", 1000, 0, time.Minute},
		{"v2 none", v2YAML, v2, "", 1, 0, time.Second},
		{"v2 bytes alone", v2YAML, v2, "    batch_settings: {max_bytes: '65536', cutoff: 20s}\n", 1000, 65536, 20 * time.Second},
		{"v2 both", v2YAML, v2, "    batch_settings: {max_bytes: 1, max_count: 2, cutoff: 1.5s}\n", 2, 1, 1500 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			ts, err := yandex.ParseTriggers("t", []byte(edit(t, tc.text, tc.old, tc.new)))
			is.NoErr(err)
			s := ts[0].Source
			is.Equal([]any{s.Count, s.Bytes, s.Cutoff}, []any{tc.count, tc.bytes, tc.cutoff})
		})
	}
}

// edit replaces the first old in text, and fails when there is none.
func edit(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in the text", old)
	}
	return strings.Replace(text, old, new, 1)
}

func TestWrongTriggersAreRefusedWithFileAndLine(t *testing.T) {
	const broadcast = "    gateway_websocket_broadcast:\n      gateway_id: d5dmine\n      path: /rooms/{room}\n      service_account_id: ajemine\n"
	for _, tc := range []struct {
		name, text, old, new string
		want                 []string
	}{
		{"wrong event type", v1YAML, "CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE\n", "create-image\n",
			[]string{`f.yaml:10: rule.container_registry.event_type[0]: got "create-image", want CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE`}},
		{"event type far from all", v1YAML, "CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE\n", "PUSHED_SOMETHING_SOMEWHERE_AT_SOME_TIME\n",
			[]string{`f.yaml:10: rule.container_registry.event_type[0]: got "PUSHED_SOMETHING_SOMEWHERE_AT_SOME_TIME", want one of ` +
				`CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE, CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE, ` +
				`CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG, CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE_TAG`}},
		{"size", v1YAML, `"3"`, `"1001"`,
			[]string{`f.yaml:16: rule.container_registry.batch_settings.size: got "1001", want a whole number from 0 to 1000`}},
		{"cutoff too long", v1YAML, `20s`, `61s`,
			[]string{`f.yaml:17: rule.container_registry.batch_settings.cutoff: got "61s", want seconds from 1s to 60s, such as "10s"`}},
		{"cutoff without unit", v1YAML, `20s`, `20`,
			[]string{`f.yaml:17: rule.container_registry.batch_settings.cutoff: got "20", want seconds from 1s to 60s, such as "10s"`}},
		{"cutoff missing", v1YAML, "      cutoff: 20s\n", "",
			[]string{`f.yaml:15: rule.container_registry.batch_settings.cutoff: got nothing, want seconds from 1s to 60s, such as "10s"`}},
		{"misspelt field", v1YAML, "registry_id", "regsitry_id", []string{
			`f.yaml:8: rule.container_registry.registry_id: got nothing, want the id of a registry; the default one is crpregcastregistry00`,
			`f.yaml:12: rule.container_registry.regsitry_id: unknown field, want registry_id`}},
		{"field given twice", v1YAML, "name: my-trigger\n", "name: my-trigger\nname: other\n",
			[]string{`f.yaml:5: name: got it twice, the first time in line 4; want it once`}},
		{"camel and snake are one field", v1YAML, "folder_id: b1gmine\n", "folder_id: b1gmine\nfolderId: b1gmine\n",
			[]string{`f.yaml:3: folder_id: got it twice, the first time in line 2; want it once`}},
		{"id too long", v1YAML, "b1gmine", strings.Repeat("b", 51), []string{`f.yaml:2: folder_id: got 51 bytes, want at most 50`}},
		{"two actions", v1YAML, broadcast, broadcast + "    invoke_function: {function_id: d4e}\n",
			[]string{`f.yaml:8: rule.container_registry: got gateway_websocket_broadcast and invoke_function, want exactly one of them`}},
		{"no action", v1YAML, broadcast, "",
			[]string{`f.yaml:8: rule.container_registry: got none of its kinds, want exactly one of gateway_websocket_broadcast, invoke_function, invoke_container, start_workflow`}},
		{"another action", v1YAML, broadcast, "    start_workflow: {workflow_id: dfq}\n",
			[]string{`f.yaml:18: rule.container_registry.start_workflow: not emulated: start_workflow; ` +
				`emulated: gateway_websocket_broadcast, invoke_function, invoke_container`}},
		{"another rule", "name: tick\nrule:\n  timer: {cron_expression: '* * * * ? *'}\n", "tick", "tick",
			[]string{`f.yaml:3: rule.timer: not emulated: timer; emulated: container_registry`}},
		{"v2: another source", v2YAML, "container_registry", "object_storage",
			[]string{`f.yaml:8: source.object_storage: not emulated: object_storage; emulated: container_registry`}},
		{"v2: another action", v2YAML, "gateway_websocket_broadcast", "start_workflow",
			[]string{`f.yaml:19: action[0].start_workflow: not emulated: start_workflow; emulated: gateway_websocket_broadcast, invoke_function, invoke_container`}},
		{"v2: no name", v2YAML, "name: my-trigger\n", "", []string{`f.yaml:1: name: got nothing, want a name (v2 demands one)`}},
		{"v2: neither count nor bytes", v2YAML, "      max_count: \"3\"\n", "",
			[]string{`f.yaml:15: source.container_registry.batch_settings: got neither max_count nor max_bytes, want one of them above 0`}},
		{"v2: too many bytes", v2YAML, `max_count: "3"`, `max_bytes: 65537`,
			[]string{`f.yaml:16: source.container_registry.batch_settings.max_bytes: got "65537", want a whole number from 0 to 65536`}},
		{"v2: filter too long", v2YAML, "status: ACTIVE", "    filter: {jq: " + strings.Repeat("x", 1025) + "}",
			[]string{`f.yaml:23: action[0].filter.jq: got 1025 bytes, want at most 1024`}},
		{"v2: transformer too long", v2YAML, "status: ACTIVE", "    transformer: {jq: " + strings.Repeat("x", 65537) + "}",
			[]string{`f.yaml:23: action[0].transformer.jq: got 65537 bytes, want at most 65536`}},
		{"v2: retry out of bounds", v2YAML, "status: ACTIVE", "    retry_policy: {retry_attempts: 6, interval: 9s}", []string{
			`f.yaml:23: action[0].retry_policy.retry_attempts: got "6", want a whole number from 1 to 5`,
			`f.yaml:23: action[0].retry_policy.interval: got "9s", want seconds from 10s to 60s, such as "10s"`}},
		{"both versions", v1YAML, "status: ACTIVE", "source: {}",
			[]string{`f.yaml:22: source: got it beside rule, want rule (v1) or source and action (v2)`}},
		{"neither version", "name: abc", "abc", "abc", []string{`f.yaml:1: rule: got nothing, want rule (v1) or source and action (v2)`}},
		{"status", v1YAML, "ACTIVE", "PAUSE", []string{`f.yaml:22: status: got "PAUSE", want PAUSED`}},
		{"name", v1YAML, "my-trigger", "My_Trigger",
			[]string{`f.yaml:4: name: got "My_Trigger", want 3 to 63 of a-z, 0-9 and -, a letter first and no - last`}},
		{"label", v1YAML, "team: blue", "Team: Blue", []string{
			`f.yaml:6: labels.Team: got the key "Team", want a letter of a-z, then up to 62 of a-z, 0-9 and -_./\@`,
			`f.yaml:6: labels.Team: got "Blue", want up to 63 of a-z, 0-9 and -_./\@`}},
		{"a list for a string", v1YAML, "ubuntu", "[ubuntu]", []string{`f.yaml:13: rule.container_registry.image_name: got a list, want a string`}},
		{"a string for a list", v1YAML, "event_type:", "tag: x\n    event_type: CONTAINER\n    batch:", []string{
			`f.yaml:10: rule.container_registry.event_type: got "CONTAINER", want a list`,
			`f.yaml:11: rule.container_registry.batch: unknown field, want batch_settings`,
			`f.yaml:16: rule.container_registry.tag: got it twice, the first time in line 9; want it once`}},
		{"no mapping", "hello", "hello", "hello", []string{`f.yaml:1: got "hello", want a mapping`}},
		{"empty", " ", " ", "# nothing", []string{`f.yaml:1: got no trigger, want at least one`}},
		{"second document", v1YAML, "status: ACTIVE", "---\nname: another\nrule: {}",
			[]string{`f.yaml:24: rule: got none of its kinds, want exactly one of container_registry, timer, message_queue, iot_message, iot_broker_message, object_storage, cloud_logs, logging, billing_budget, data_stream, mail`}},
		{"not YAML", v1YAML, "name: my-trigger", "name: [my-trigger", []string{`f.yaml:5: got what is neither YAML nor JSON: did not find expected ',' or ']'`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			_, err := yandex.ParseTriggers("f.yaml", []byte(edit(t, tc.text, tc.old, tc.new)))
			var fe *yandex.FileError
			is.True(errors.As(err, &fe)) // a FileError
			if !slices.Equal(fe.Problems, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", err, strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestAllProblemsOfAFileAreToldAtOnceWithTheirLinesInJSONToo(t *testing.T) {
	is := is.New(t)
	text := edit(t, v1REST, `"size": 3`, `"size": -1`)
	text = edit(t, text, `"registryId"`, `"registry"`)
	text = edit(t, text, `"status": "ACTIVE"`, `"state": "ACTIVE"`)
	_, err := yandex.ParseTriggers("f.json", []byte(text))
	is.True(err != nil)
	is.Equal(strings.Split(err.Error(), "\n"), []string{
		`f.json:3: rule.container_registry.registry_id: got nothing, want the id of a registry; the default one is crpregcastregistry00`,
		`f.json:5: rule.container_registry.registry: unknown field, want registry_id`,
		`f.json:5: rule.container_registry.batch_settings.size: got "-1", want a whole number from 0 to 1000`,
		`f.json:7: state: unknown field, want status`,
	})
}

func TestSeveralTriggersInOneFile(t *testing.T) {
	is := is.New(t)
	second := edit(t, edit(t, v1YAML, "a1smine", "a1sother"), "ACTIVE", "PAUSED")
	third := "- " + strings.ReplaceAll(strings.TrimSpace(edit(t, v2YAML, "id: a1smine\n", "")), "\n", "\n  ") + "\n"
	ts, err := yandex.ParseTriggers("f", []byte(v1YAML+"---\n"+second+"---\n"+third))
	is.NoErr(err)
	is.Equal(len(ts), 3)
	is.Equal([]bool{ts[0].Paused, ts[1].Paused, ts[2].Paused}, []bool{false, true, false})
	is.Equal([]string{ts[0].ID, ts[1].ID}, []string{"a1smine", "a1sother"})
	is.True(strings.HasPrefix(ts[2].ID, "a1s") && len(ts[2].ID) == 20) // made up
	again, err := yandex.ParseTriggers("f", []byte(v1YAML+"---\n"+second+"---\n"+third))
	is.NoErr(err)
	is.Equal(again[2].ID, ts[2].ID) // and the same at every start
}

func TestTriggersThatCanNeverFireAreWarnedOf(t *testing.T) {
	only := func(s string) string {
		return edit(t, s, "      - CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG\n", "")
	}
	noTag := edit(t, v1YAML, "    tag: \"22.04\"\n", "")
	for name, tc := range map[string]struct{ text, want string }{
		"tag on untagged events": {only(v1YAML), `f:13: rule.container_registry.tag: can never fire: create-image and delete-image events carry no tag (create-image only if regcast is told to)`},
		"wildcard":               {edit(t, noTag, "ubuntu", "ubuntu*"), `f:13: rule.container_registry.image_name: can never fire: the name is compared as it is, there are no patterns`},
		"tag in the name":        {edit(t, noTag, "ubuntu", "ubuntu:22.04"), `f:13: rule.container_registry.image_name: can never fire: a name has no tag and no digest; the filter tag is a field of its own`},
		"upper case":             {edit(t, noTag, "ubuntu", "Ubuntu"), `f:13: rule.container_registry.image_name: can never fire: names of images are lower-case`},
		"host":                   {edit(t, noTag, "ubuntu", "cr.yandex/ubuntu"), `f:13: rule.container_registry.image_name: can never fire: a name has no host; want <repository> or <registry id>/<repository>`},
		"other registry":         {edit(t, noTag, "ubuntu", "crp00000000000000000/ubuntu"), `f:13: rule.container_registry.image_name: can never fire: it names the registry crp00000000000000000, and registry_id is crpmine`},
		"status":                 {edit(t, noTag, "ACTIVE", "UPDATING"), `f:21: status: UPDATING is taken for ACTIVE`},
		"retries":                {edit(t, v2YAML, "status: ACTIVE", "    retry_policy: {retry_attempts: 2, interval: 10s}"), `f:23: action[0].retry_policy: accepted, not used: a broadcast is tried once`},
		"dead letters": {edit(t, v2YAML, "status: ACTIVE", "    dead_letter: {dead_letter_queue: {queue_arn: 'yrn:x', service_account_id: aje}}"),
			`f:23: action[0].dead_letter: accepted, not used: a broadcast has no dead letters`},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			ts, err := yandex.ParseTriggers("f", []byte(tc.text))
			is.NoErr(err)
			is.Equal(ts[0].Warnings, []string{tc.want})
		})
	}
}

// To YAML 22.10 is a number; to us it is the tag as it is written.
func TestNumbersAreTextWhereTextIsWanted(t *testing.T) {
	is := is.New(t)
	ts, err := yandex.ParseTriggers("f", []byte(edit(t, v1YAML, `"22.04"`, `22.10`)))
	is.NoErr(err)
	is.Equal(ts[0].Source.Tag, "22.10")
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	is := is.New(t)
	text := "name: &n abc\ndescription: *n\nrule:\n  container_registry:\n    <<: {registry_id: crp0, tag: v1}\n" +
		"    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]\n    registry_id: crp1\n" +
		"    gateway_websocket_broadcast: {gateway_id: d5d1, path: /ws, service_account_id: aje1}\n"
	ts, err := yandex.ParseTriggers("f", []byte(text))
	is.NoErr(err)
	is.Equal(ts[0].Description, "abc")
	is.Equal([]string{ts[0].Source.RegistryID, ts[0].Source.Tag}, []string{"crp1", "v1"}) // own keys win
}

func FuzzParseTriggers(f *testing.F) {
	for _, s := range []string{v1YAML, v1JSON, v1REST, v2YAML, callV1, callV2, "- {}\n- []\n", "-", "a: &a [*a]", "<<: {<<: {}}", "{\"rule\":null}", "\xff\xfe", "--- !!binary x\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ts, err := yandex.ParseTriggers("f", data)
		var fe *yandex.FileError
		if err != nil {
			if !errors.As(err, &fe) || len(fe.Problems) == 0 {
				t.Fatalf("an error that names no problem: %v", err)
			}
			for _, p := range fe.Problems {
				if !strings.HasPrefix(p, "f:") || strings.HasPrefix(p, "f:0:") {
					t.Fatalf("a problem without a line: %q", p)
				}
			}
			return
		}
		for _, tr := range ts {
			for _, a := range tr.Actions {
				kinds := 0
				for _, there := range []bool{a.Broadcast != nil, a.Invoke != nil, a.Post != nil} {
					if there {
						kinds++
					}
				}
				if kinds != 1 {
					t.Fatalf("an action that is not one of its kinds: %+v", a)
				}
			}
			again, err := yandex.ParseTriggers("f", tr.Document)
			if err != nil || len(again) != 1 || plain(again[0]) != strings.Replace(plain(tr), "paused=true", "paused=false", 1) {
				t.Fatalf("the document %s reads otherwise: %v\n%v\n%v", tr.Document, err, plain(tr), again)
			}
			if tr.ID == "" || len(tr.Actions) == 0 || len(tr.Source.Types) == 0 || tr.Source.Count < 1 || tr.Source.Cutoff <= 0 {
				t.Fatalf("a trigger that cannot work was let in: %+v", tr)
			}
		}
	})
}
