package aws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/template"
)

// input makes what a target gets of an event: the event, a constant, a part, or a template filled in.
type input func(event []byte, at time.Time) ([]byte, error)

// newInput reads how a target wants its input. The error says what is wrong, not where.
func newInput(t template.Target, r template.Rule) (input, error) {
	kinds := 0
	for _, given := range []bool{t.Input != nil, t.InputPath != "", t.InputTemplate != nil || len(t.InputPaths) > 0} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return nil, errors.New("only one of Input, InputPath and InputTransformer may be given")
	case t.Input != nil:
		if !json.Valid([]byte(*t.Input)) {
			return nil, errors.New("got an Input that is not JSON; a text stands in quotes")
		}
		return func([]byte, time.Time) ([]byte, error) { return []byte(*t.Input), nil }, nil
	case t.InputPath != "":
		path, err := parseInputPath(t.InputPath)
		if err != nil {
			return nil, fmt.Errorf("InputPath: %w", err)
		}
		return func(event []byte, _ time.Time) ([]byte, error) {
			if v, ok := path.find(event); ok {
				return v, nil
			}
			return nil, fmt.Errorf("InputPath: the event has nothing at %s", t.InputPath)
		}, nil
	case t.InputTemplate != nil:
		x, err := newTransformer(*t.InputTemplate, t.InputPaths, r)
		if err != nil {
			return nil, fmt.Errorf("InputTransformer: %w", err)
		}
		return x.fill, nil
	case kinds > 0:
		return nil, errors.New("InputTransformer: no InputTemplate")
	}
	return func(event []byte, _ time.Time) ([]byte, error) { return event, nil }, nil
}

// inputPath is a JSON path of what EventBridge takes: names, indices and wildcards.
type inputPath []pathStep

type pathStep struct {
	name  string
	index int // of an array, if name is empty
	all   bool
}

func parseInputPath(text string) (inputPath, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, fmt.Errorf("got %q, want a path that begins with $", text)
	}
	var path inputPath
	for rest != "" {
		switch {
		case rest[0] == '.':
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			name := rest[1 : 1+end]
			if name == "" {
				return nil, fmt.Errorf("got %q, want a name behind every dot", text)
			}
			path = append(path, pathStep{name: name, all: name == "*"})
			rest = rest[1+end:]
		case rest[0] == '[':
			inner, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				return nil, fmt.Errorf("got %q, in which a [ has no ]", text)
			}
			step := pathStep{all: inner == "*"}
			if quoted := len(inner) > 2 && (inner[0] == '\'' || inner[0] == '"') && inner[len(inner)-1] == inner[0]; quoted {
				step.name = inner[1 : len(inner)-1]
			} else if n, err := strconv.Atoi(inner); err == nil && n >= 0 {
				step.index = n
			} else if !step.all {
				return nil, fmt.Errorf("got %q, want an index, * or a quoted name between [ and ]", text)
			}
			path = append(path, step)
			rest = after
		default:
			return nil, fmt.Errorf("got %q, want . or [ behind $ and every part", text)
		}
	}
	return path, nil
}

// find returns the JSON at the path. With a wildcard it is the list of what is there.
func (p inputPath) find(event []byte) ([]byte, bool) {
	found := []json.RawMessage{event}
	many := false
	for _, step := range p {
		many = many || step.all
		var next []json.RawMessage
		for _, v := range found {
			next = append(next, step.children(v)...)
		}
		found = next
	}
	switch {
	case many:
		return encode(append([]json.RawMessage{}, found...)), true
	case len(found) == 1:
		return found[0], true
	}
	return nil, false
}

func (s pathStep) children(v json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if (s.all || s.name == "") && json.Unmarshal(v, &list) == nil && list != nil {
		switch {
		case s.all:
			return list
		case s.index < len(list):
			return list[s.index : s.index+1]
		}
		return nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(v, &object) != nil {
		return nil
	}
	if s.all {
		var all []json.RawMessage
		for _, name := range slices.Sorted(maps.Keys(object)) {
			all = append(all, object[name])
		}
		return all
	}
	if child, ok := object[s.name]; ok && s.name != "" {
		return []json.RawMessage{child}
	}
	return nil
}

// transformer is an InputTransformer: a template of JSON, or of one text in quotes, with places between < and >.
type transformer struct {
	parts []templatePart
	text  bool // the template is one text
	paths map[string]inputPath
	rule  template.Rule
}

// templatePart is literal, or a variable.
type templatePart struct {
	literal  string
	variable string
	quoted   bool // the variable stands inside a JSON string
}

// What a template can say without a path.
const (
	ruleARN       = "aws.events.rule-arn"
	ruleName      = "aws.events.rule-name"
	ingestionTime = "aws.events.event.ingestion-time"
	eventSlim     = "aws.events.event"      // without its detail, and with detailType
	eventWhole    = "aws.events.event.json" // as it is
)

func newTransformer(text string, paths map[string]string, r template.Rule) (*transformer, error) {
	x := &transformer{paths: make(map[string]inputPath, len(paths)), rule: r, text: strings.HasPrefix(strings.TrimSpace(text), `"`)}
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		if strings.HasPrefix(strings.ToLower(name), "aws.") {
			return nil, fmt.Errorf("InputPathsMap: names that begin with AWS are not free: %q", name)
		}
		path, err := parseInputPath(paths[name])
		if err != nil {
			return nil, fmt.Errorf("InputPathsMap: %s: %w", name, err)
		}
		x.paths[name] = path
	}
	quoted := false
	for rest := text; rest != ""; {
		literal, after, ok := strings.Cut(rest, "<")
		quoted = quotesOpen(literal, quoted)
		variable, behind, closed := strings.Cut(after, ">")
		if !ok || !closed {
			x.parts = append(x.parts, templatePart{literal: rest})
			break
		}
		if _, known := x.paths[variable]; !known && !slices.Contains([]string{ruleARN, ruleName, ingestionTime, eventSlim, eventWhole}, variable) {
			return nil, fmt.Errorf("InputTemplate: contains invalid placeholder %s; InputPathsMap has %s", variable, names(paths))
		}
		x.parts = append(x.parts, templatePart{literal: literal}, templatePart{variable: variable, quoted: quoted})
		rest = behind
	}
	return x, nil
}

func names(paths map[string]string) string {
	if len(paths) == 0 {
		return "no names"
	}
	return strings.Join(slices.Sorted(maps.Keys(paths)), ", ")
}

// quotesOpen tells whether a JSON string is open behind some text.
func quotesOpen(text string, open bool) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			open = !open
		}
	}
	return open
}

// fill makes the input. It must be JSON: EventBridge does not escape what it fills in, so a value with a quote can break a text.
func (x *transformer) fill(event []byte, at time.Time) ([]byte, error) {
	var out []byte
	for _, p := range x.parts {
		if p.variable == "" {
			out = append(out, p.literal...)
			continue
		}
		value, err := x.value(p.variable, event, at)
		if err != nil {
			return nil, err
		}
		if p.quoted {
			value = insideText(value)
		}
		out = append(out, value...)
	}
	if x.text && !json.Valid(out) {
		return out, nil // a text goes as it is
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, out); err != nil {
		return nil, fmt.Errorf("InputTransformer: filled in, the template is not JSON (texts need quotes): %w", err)
	}
	return compact.Bytes(), nil
}

// value is the JSON of a variable. A path that finds nothing gives the empty text.
func (x *transformer) value(variable string, event []byte, at time.Time) ([]byte, error) {
	switch variable {
	case ruleARN:
		return encode(x.rule.ARN), nil
	case ruleName:
		return encode(x.rule.Name), nil
	case ingestionTime:
		return encode(at.UTC().Format(time.RFC3339)), nil
	case eventWhole:
		return event, nil
	case eventSlim:
		return slim(event)
	}
	if v, ok := x.paths[variable].find(event); ok {
		return v, nil
	}
	return []byte(`""`), nil
}

// slim is an event without its detail. EventBridge spells one key of it in another way there.
func slim(event []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(event, &fields); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	delete(fields, "detail")
	if kind, ok := fields["detail-type"]; ok {
		delete(fields, "detail-type")
		fields["detailType"] = kind
	}
	return encode(fields), nil
}

// insideText is a value inside a text: texts without their quotes and not escaped, anything else without any quotes.
func insideText(value []byte) []byte {
	var text string
	if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &text) == nil {
		return []byte(text)
	}
	return bytes.ReplaceAll(value, []byte{'"'}, nil)
}
