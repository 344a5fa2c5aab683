package yandex

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

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
	// Version is the API whose form it was declared in, 1 or 2, and Document the declaration in that form, with the ID: JSON with the
	// names of the proto, strings for all that is no mapping and no list, and no status.
	Version  int
	Document []byte
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

const (
	enumPrefix = "CONTAINER_REGISTRY_EVENT_TYPE_"

	maxCount  = 1000
	maxBytes  = 65536
	minCutoff = time.Second
	maxCutoff = 60 * time.Second

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
	var fields []field
	for _, root := range d.roots {
		if root.got() == "a list" {
			fields = append(fields, root.items()...)
		} else {
			fields = append(fields, root)
		}
	}
	var out []Trigger
	for _, f := range fields {
		out = append(out, parseTrigger(f))
	}
	if len(out) == 0 && len(d.problems) == 0 {
		d.problems = append(d.problems, remark{place{file, 1, ""}, "got no trigger, want at least one"})
	}
	if len(d.problems) > 0 {
		return nil, refused(d.problems)
	}
	for i, t := range out {
		out[i].Warnings = d.warningsOf(t, out[i+1:])
		if t.ID == "" {
			out[i].ID = idFor("a1s", fmt.Sprintf("%s %s %s %d", t.FolderID, t.Name, file, i))
		}
		out[i].Document = declaration(fields[i], out[i].ID)
	}
	return out, nil
}

// refused is the error of a file with problems.
func refused(problems []remark) *FileError {
	out := &FileError{Problems: lines(problems)}
	for _, r := range problems {
		out.Fields = append(out.Fields, Problem{r.at.path, r.text})
	}
	return out
}

// declaration is a trigger without problems as it was declared, and its id.
func declaration(f field, id string) []byte {
	all, _ := plainly(f, "").(map[string]any)
	delete(all, "status")
	all["id"] = id
	return encodeJSON(all)
}

// plainly reads a value without aliases, merged keys and other spellings; key is what it is the value of.
func plainly(f field, key string) any {
	switch f.got() {
	case "a mapping":
		out := make(map[string]any)
		as := snake
		if key == "labels" || key == "message_attributes" { // whose keys are the user's
			as = func(key string) string { return key }
		}
		for _, m := range f.spelled(as) {
			if m.key == withRetryKey {
				m.key = invokeKey
			}
			if m.given() {
				out[m.key] = plainly(m.field, m.key)
			}
		}
		return out
	case "a list":
		out := make([]any, 0)
		for _, item := range f.items() {
			out = append(out, plainly(item, ""))
		}
		return out
	}
	return f.value().Value
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
		t.Version = 1
		t.Source, t.Actions = parseRule(rule)
	case source.given():
		o.get("name").required("a name (v2 demands one)")
		t.Version = 2
		t.Source = parseSource(source)
		t.Actions = parseActions(o.get("action").required("a list of actions"))
	case o.get("action").given():
		source.refuse("got nothing, want a source beside action")
	default:
		rule.refuse("got nothing, want rule (v1) or source and action (v2)")
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

// emulated names the one field given if it is one of those that regcast has; the others of the cloud are refused by name.
func (o object) emulated(fields []string, ours ...string) (string, bool) {
	name, ok := o.only(fields)
	if ok && !slices.Contains(ours, name) {
		o.get(name).refuse("not emulated: %s; emulated: %s", name, strings.Join(ours, ", "))
		return "", false
	}
	return name, ok
}

// parseRule reads v1's rule.
func parseRule(f field) (Source, []Action) {
	kinds := []string{"container_registry", "timer", "message_queue", "iot_message", "iot_broker_message", "object_storage",
		"cloud_logs", "logging", "billing_budget", "data_stream", "mail"}
	rule := f.object(kinds...)
	if _, ok := rule.emulated(kinds, "container_registry"); !ok {
		return Source{}, nil
	}
	o := rule.get("container_registry").object(slices.Concat(
		[]string{"event_type", "registry_id", "image_name", "tag", "batch_settings", withRetryKey}, actionsV1())...)
	s := parseFilters(o)
	if batch := o.get("batch_settings"); batch.given() {
		b := batch.object("size", "cutoff")
		s.Count = max(1, b.get("size").number(0, maxCount))
		s.Cutoff = b.get("cutoff").required(`seconds from 1s to 60s, such as "10s"`).seconds(minCutoff, maxCutoff)
	}
	return s, []Action{parseActionV1(o)}
}

// parseSource reads v2's source.
func parseSource(f field) Source {
	kinds := []string{"container_registry", "timer", "ymq", "yds", "mail", "billing_budget", "logging", "object_storage",
		"iot_message", "iot_broker_message", "telegram_message", "yandex_messenger", "max_message", "yandex_forms"}
	source := f.object(kinds...)
	if _, ok := source.emulated(kinds, "container_registry"); !ok {
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
