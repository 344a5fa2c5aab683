package yandex

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/trigger/jq"
	words "github.com/regcast/regcast/events/yandex"
)

// Trigger is a Container Registry trigger as it is declared: v2's model, of which v1 is a view.
type Trigger struct {
	ID          string
	FolderID    string
	Name        string
	Description string
	Labels      map[string]string
	Source      Source
	Actions     []Action
	Paused      bool
	// Warnings say, each with file and line, what is legal and yet hardly meant, and what is accepted and not emulated.
	Warnings []string

	at place
}

// Source says which events a trigger wants and in what groups. All filters given must hold.
type Source struct {
	Types      []string // "create-image": see words.Types
	RegistryID string
	ImageName  string // "ubuntu" or "crp…/ubuntu"; empty: all
	Tag        string // empty: all
	Count      int    // messages a batch, at least 1
	Bytes      int    // bytes of messages a batch; 0: no bound
	Cutoff     time.Duration
}

// Action is one broadcast of each batch.
type Action struct {
	GatewayID        string
	Path             string // a path key of the gateway's specification, not a URL
	ServiceAccountID string
	Filter           string // jq over one message; empty: all
	Transformer      string // jq over the whole batch; empty: as it is

	gatewayAt, pathAt, filterAt, transformerAt place
}

const (
	enumPrefix = "CONTAINER_REGISTRY_EVENT_TYPE_"

	maxCount    = 1000
	maxBytes    = 65536
	minCutoff   = time.Second
	maxCutoff   = 60 * time.Second
	maxFilter   = 1024
	maxJQ       = 65536
	maxAttempts = 5

	dflt = "the default one is " // how an error names a default id
)

var (
	nameForm       = regexp.MustCompile(`^[a-z][-a-z0-9]{1,61}[a-z0-9]$`)
	labelKeyForm   = regexp.MustCompile(`^[a-z][-_./\\@0-9a-z]{0,62}$`)
	labelValueForm = regexp.MustCompile(`^[-_./\\@0-9a-z]{0,63}$`)
)

// ParseTriggers reads triggers as `yc serverless trigger get` prints them (YAML, JSON, or the JSON of the REST API; of the v1 or
// the v2 API): one or a list in each document of the file. The error is a *FileError that names all problems.
func ParseTriggers(file string, data []byte) ([]Trigger, error) {
	d := read(file, data, true)
	var out []Trigger
	for _, root := range d.roots {
		if root.got() == "a list" {
			for _, item := range root.items() {
				out = append(out, parseTrigger(item))
			}
			continue
		}
		out = append(out, parseTrigger(root))
	}
	if len(out) == 0 && len(d.problems) == 0 {
		d.problems = append(d.problems, remark{place{file, 1, ""}, "got no trigger, want at least one"})
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	for i, t := range out {
		out[i].Warnings = d.warningsOf(t, out[i+1:])
		if t.ID == "" {
			out[i].ID = idFor("a1s", fmt.Sprintf("%s %s %s %d", t.FolderID, t.Name, file, i))
		}
	}
	return out, nil
}

// warningsOf picks the warnings that stand between one trigger and the next.
func (d *document) warningsOf(t Trigger, rest []Trigger) []string {
	return lines(slices.DeleteFunc(slices.Clone(d.warnings), func(r remark) bool {
		return r.at.line < t.at.line || len(rest) > 0 && r.at.line >= rest[0].at.line
	}))
}

func parseTrigger(f field) Trigger {
	o := f.object("id", "folder_id", "created_at", "name", "description", "labels", "rule", "source", "action", "status")
	t := Trigger{
		at:          f.at,
		ID:          o.get("id").id(),
		FolderID:    o.get("folder_id").id(),
		Name:        o.get("name").text(),
		Description: o.get("description").shorter(500),
		Labels:      parseLabels(o.get("labels")),
	}
	if t.Name != "" && !nameForm.MatchString(t.Name) {
		o.get("name").refuse("got %s, want 3 to 63 of a-z, 0-9 and -, a letter first and no - last", quote(t.Name))
	}
	if at := o.get("created_at"); at.given() {
		if _, err := time.Parse(time.RFC3339Nano, at.text()); err != nil {
			at.refuse("got %s, want a time such as \"2025-01-02T15:04:05Z\"", at.got())
		}
	}
	t.Paused = parseStatus(o.get("status"))
	switch rule, source := o.get("rule"), o.get("source"); {
	case rule.given() && source.given():
		source.refuse("got it beside rule, want rule (v1) or source and action (v2)")
	case rule.given():
		if o.get("action").given() {
			o.get("action").refuse("got it beside rule, want the action inside rule.container_registry (v1)")
		}
		t.Source, t.Actions = parseRule(rule)
	case source.given():
		o.get("name").required("a name (v2 demands one)")
		t.Source = parseSource(source)
		t.Actions = parseActions(o.get("action").required("a list of actions"))
	default:
		o.get("rule").refuse("got nothing, want rule (v1) or source and action (v2)")
	}
	return t
}

func parseLabels(f field) map[string]string {
	members := f.members()
	if len(members) > 64 {
		f.refuse("got %d labels, want at most 64", len(members))
	}
	labels := make(map[string]string, len(members))
	for _, m := range members {
		labels[m.key] = m.text()
		if !labelKeyForm.MatchString(m.key) {
			m.refuse("got the key %s, want a letter of a-z, then up to 62 of a-z, 0-9 and -_./\\@", quote(m.key))
		}
		if !labelValueForm.MatchString(labels[m.key]) {
			m.refuse("got %s, want up to 63 of a-z, 0-9 and -_./\\@", quote(labels[m.key]))
		}
	}
	return labels
}

func parseStatus(f field) (paused bool) {
	known := []string{"ACTIVE", "PAUSED", "CREATING", "UPDATING", "DELETING", "ERROR"}
	switch s := f.text(); {
	case s == "" || s == "ACTIVE":
	case s == "PAUSED":
		return true
	case slices.Contains(known, s):
		f.warn("%s is taken for ACTIVE", s)
	default:
		f.refuse("got %s, %s", quote(s), suggest(s, known))
	}
	return false
}

// only refuses all but one of several fields of which exactly one is wanted, and returns the one.
func (o object) only(fields []string) (string, bool) {
	given := o.has(fields...)
	switch len(given) {
	case 0:
		o.refuse("got none of its kinds, want exactly %s", oneOf(fields))
		return "", false
	case 1:
		return given[0], true
	}
	o.refuse("got %s, want exactly one of them", strings.Join(given, " and "))
	return "", false
}

// emulated tells whether the one field given is the one that regcast has; the others of the cloud are refused by name.
func (o object) emulated(fields []string, ours string) bool {
	name, ok := o.only(fields)
	if ok && name != ours {
		o.get(name).refuse("not emulated: %s; emulated: %s", name, ours)
	}
	return ok && name == ours
}

// parseRule reads v1's rule.
func parseRule(f field) (Source, []Action) {
	kinds := []string{"container_registry", "timer", "message_queue", "iot_message", "iot_broker_message", "object_storage",
		"cloud_logs", "logging", "billing_budget", "data_stream", "mail"}
	rule := f.object(kinds...)
	if !rule.emulated(kinds, "container_registry") {
		return Source{}, nil
	}
	actions := []string{"gateway_websocket_broadcast", "invoke_function", "invoke_container", "start_workflow"}
	o := rule.get("container_registry").object(slices.Concat(
		[]string{"event_type", "registry_id", "image_name", "tag", "batch_settings"}, actions)...)
	s := parseFilters(o)
	if batch := o.get("batch_settings"); batch.given() {
		b := batch.object("size", "cutoff")
		s.Count = max(1, b.get("size").number(0, maxCount))
		s.Cutoff = b.get("cutoff").required(`seconds from 1s to 60s, such as "10s"`).seconds(minCutoff, maxCutoff)
	}
	if !o.emulated(actions, "gateway_websocket_broadcast") {
		return s, nil
	}
	return s, []Action{parseBroadcast(o.get("gateway_websocket_broadcast"))}
}

// parseSource reads v2's source.
func parseSource(f field) Source {
	kinds := []string{"container_registry", "timer", "ymq", "yds", "mail", "billing_budget", "logging", "object_storage",
		"iot_message", "iot_broker_message", "telegram_message", "yandex_messenger", "max_message", "yandex_forms"}
	source := f.object(kinds...)
	if !source.emulated(kinds, "container_registry") {
		return Source{}
	}
	o := source.get("container_registry").object("event_type", "registry_id", "image_name", "tag", "batch_settings")
	s := parseFilters(o)
	if batch := o.get("batch_settings"); batch.given() {
		b := batch.object("max_count", "max_bytes", "cutoff")
		s.Count = b.get("max_count").number(0, maxCount)
		s.Bytes = b.get("max_bytes").number(0, maxBytes)
		s.Cutoff = b.get("cutoff").required(`seconds from 1s to 60s, such as "10s"`).seconds(minCutoff, maxCutoff)
		if s.Count == 0 && s.Bytes == 0 {
			b.refuse("got neither max_count nor max_bytes, want one of them above 0")
		}
		if s.Count == 0 {
			s.Count = maxCount
		}
	}
	return s
}

// parseFilters reads what both versions share.
func parseFilters(o object) Source {
	s := Source{Count: 1, Cutoff: time.Second}
	types := o.get("event_type").required("at least one of " + strings.Join(enums(), ", "))
	for _, item := range types.items() {
		if short, ok := shortType(item.text()); !ok {
			item.refuse("got %s, %s", item.got(), suggest(enumOf(item.value().Value), enums()))
		} else if !slices.Contains(s.Types, short) {
			s.Types = append(s.Types, short)
		}
	}
	if types.got() == "a list" && len(types.items()) == 0 {
		types.refuse("got an empty list, want at least one of %s", strings.Join(enums(), ", "))
	}
	s.RegistryID = o.get("registry_id").required("the id of a registry; " + dflt + RegistryID).id()
	s.ImageName = o.get("image_name").text()
	s.Tag = o.get("tag").text()
	warnOfNeverFiring(o, s)
	return s
}

// warnOfNeverFiring names filters that are legal and can match nothing.
func warnOfNeverFiring(o object, s Source) {
	if s.Tag != "" && len(s.Types) > 0 && !slices.ContainsFunc(s.Types, tagged) {
		o.get("tag").warn("can never fire: create-image and delete-image events carry no tag (create-image only if regcast is told to)")
	}
	registry, _, qualified := strings.Cut(s.ImageName, "/")
	switch {
	case s.ImageName == "":
	case strings.ContainsAny(s.ImageName, "*?"):
		o.get("image_name").warn("can never fire: the name is compared as it is, there are no patterns")
	case strings.ContainsAny(s.ImageName, ":@"):
		o.get("image_name").warn("can never fire: a name has no tag and no digest; the filter tag is a field of its own")
	case s.ImageName != strings.ToLower(s.ImageName):
		o.get("image_name").warn("can never fire: names of images are lower-case")
	case qualified && strings.HasPrefix(registry, "crp") && len(registry) == len(RegistryID) && registry != s.RegistryID:
		o.get("image_name").warn("can never fire: it names the registry %s, and registry_id is %s", registry, s.RegistryID)
	case qualified && strings.Contains(registry, "."):
		o.get("image_name").warn("can never fire: a name has no host; want <repository> or <registry id>/<repository>")
	}
}

func tagged(short string) bool { return short == words.CreateImageTag || short == words.DeleteImageTag }

// enums lists the event types in the spelling of the API.
func enums() []string {
	out := words.Types()
	for i := range out {
		out[i] = enumOf(out[i])
	}
	return out
}

// enumOf spells "create-image" as the API does; it leaves the API's own spelling as it is.
func enumOf(word string) string {
	return enumPrefix + strings.TrimPrefix(strings.ToUpper(strings.ReplaceAll(word, "-", "_")), enumPrefix)
}

func shortType(enum string) (string, bool) {
	for _, t := range words.Types() {
		if enumOf(t) == enum {
			return t, true
		}
	}
	return "", false
}

// parseActions reads v2's list.
func parseActions(f field) []Action {
	kinds := []string{"gateway_websocket_broadcast", "invoke_function", "invoke_container", "start_workflow", "agent_runtime_call"}
	var out []Action
	for _, item := range f.items() {
		o := item.object(slices.Concat(kinds, []string{"filter", "transformer", "retry_policy", "dead_letter"})...)
		var a Action
		if o.emulated(kinds, "gateway_websocket_broadcast") {
			a = parseBroadcast(o.get("gateway_websocket_broadcast"))
		}
		a.Filter, a.filterAt = parseJQ(o.get("filter"), maxFilter)
		a.Transformer, a.transformerAt = parseJQ(o.get("transformer"), maxJQ)
		parseRetry(o.get("retry_policy"))
		parseDeadLetter(o.get("dead_letter"))
		out = append(out, a)
	}
	if f.got() == "a list" && len(out) == 0 {
		f.refuse("got an empty list, want at least one action")
	}
	return out
}

func parseBroadcast(f field) Action {
	o := f.object("gateway_id", "path", "service_account_id")
	return Action{
		gatewayAt:        o.get("gateway_id").at,
		pathAt:           o.get("path").at,
		GatewayID:        o.get("gateway_id").required("the id of a gateway; " + dflt + GatewayID).id(),
		Path:             o.get("path").required("a path key of the gateway's specification, such as /ws").text(),
		ServiceAccountID: o.get("service_account_id").required("the id of a service account; " + dflt + ServiceAccountID).id(),
	}
}

func parseJQ(f field, limit int) (string, place) {
	if !f.given() {
		return "", f.at
	}
	program := f.object("jq").get("jq").required("a jq program")
	src := program.shorter(limit)
	if src != "" && len(src) <= limit {
		if _, err := jq.Compile(src); err != nil {
			program.refuse("%s", wrongJQ(src, err))
		}
	}
	return src, program.at
}

func wrongJQ(src string, err error) string {
	return fmt.Sprintf("got %s, want a jq program: %v", quote(src), err)
}

func parseRetry(f field) {
	if !f.given() {
		return
	}
	o := f.object("retry_attempts", "interval")
	o.get("retry_attempts").number(1, maxAttempts)
	o.get("interval").required(`seconds from 10s to 60s, such as "10s"`).seconds(10*time.Second, time.Minute)
	f.warn("accepted, not used: a broadcast is tried once")
}

func parseDeadLetter(f field) {
	if !f.given() {
		return
	}
	q := f.object("dead_letter_queue").get("dead_letter_queue").required("a queue").object("queue_arn", "service_account_id", "message_attributes")
	q.get("queue_arn").required("the ARN of a queue").text()
	q.get("service_account_id").required("the id of a service account").id()
	f.warn("accepted, not used: a broadcast has no dead letters")
}
