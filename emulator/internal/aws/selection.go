package aws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// selection is a route selection expression: literal text and values of the message, one after another.
type selection struct {
	text  string
	parts []part
}

// part is literal text or, when it has a path or is whole, a value of the message's body.
type part struct {
	literal string
	value   bool
	path    []step
}

// step goes from a JSON value to one below it, or to all.
type step struct {
	name  string // of an object's member
	index int    // of an array's element, if not named
	kind  stepKind
}

type stepKind int

const (
	byName stepKind = iota
	byIndex
	toAll // [*] and .*
)

const bodyVariable = "request.body"

// parseSelection reads an expression as RouteSelectionExpression has it: $request.body.path or ${request.body.path} among literal
// text, with \$ for a dollar.
func parseSelection(text string) (selection, error) {
	s := selection{text: text}
	if text == "" {
		return s, errors.New("got nothing, want an expression such as $request.body.action")
	}
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			s.parts = append(s.parts, part{literal: literal.String()})
			literal.Reset()
		}
	}
	for rest := text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, `\$`):
			literal.WriteByte('$')
			rest = rest[2:]
		case rest[0] != '$':
			literal.WriteByte(rest[0])
			rest = rest[1:]
		default:
			flush()
			p, after, err := parseVariable(rest)
			if err != nil {
				return s, fmt.Errorf("got %q: %w", text, err)
			}
			s.parts = append(s.parts, p)
			rest = after
		}
	}
	flush()
	return s, nil
}

// parseVariable reads what begins with a dollar.
func parseVariable(text string) (p part, rest string, err error) {
	inner, braced := strings.CutPrefix(text[1:], "{")
	after, ok := strings.CutPrefix(inner, bodyVariable)
	if !ok {
		return p, "", fmt.Errorf(`at %q: want $request.body.NAME, ${request.body.NAME}, or \$ for a dollar`, text)
	}
	p.value = true
	p.path, rest, err = parsePath(after)
	if err != nil {
		return p, "", err
	}
	if braced {
		if rest, ok = strings.CutPrefix(rest, "}"); !ok {
			return p, "", fmt.Errorf("at %q: want } at the end of the variable", text)
		}
	}
	return p, rest, nil
}

// parsePath reads .name, ['name'], [0], [*] and .* as long as there are any.
func parsePath(text string) (path []step, rest string, err error) {
	for {
		switch {
		case strings.HasPrefix(text, ".."):
			return nil, "", fmt.Errorf("at %q: not emulated: the descent ..; want the path in full", text)
		case strings.HasPrefix(text, ".*"):
			path, text = append(path, step{kind: toAll}), text[2:]
		case strings.HasPrefix(text, "."):
			n := 1
			for n < len(text) && isName(text[n]) {
				n++
			}
			if n == 1 {
				return nil, "", fmt.Errorf("at %q: want a name after the dot", text)
			}
			path, text = append(path, step{name: text[1:n]}), text[n:]
		case strings.HasPrefix(text, "["):
			end := strings.IndexByte(text, ']')
			if end < 0 {
				return nil, "", fmt.Errorf("at %q: want ] after [", text)
			}
			st, err := parseBracket(text[1:end])
			if err != nil {
				return nil, "", err
			}
			path, text = append(path, st), text[end+1:]
		default:
			return path, text, nil
		}
	}
}

func parseBracket(inner string) (step, error) {
	if inner == "*" {
		return step{kind: toAll}, nil
	}
	if n := len(inner); n > 2 && (inner[0] == '\'' || inner[0] == '"') && inner[n-1] == inner[0] {
		return step{name: inner[1 : n-1]}, nil
	}
	i, err := strconv.ParseUint(inner, 10, 31)
	if err != nil {
		return step{}, fmt.Errorf("at [%s]: want [0], [*] or ['name']", inner)
	}
	return step{index: int(i), kind: byIndex}, nil
}

func isName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c >= 0x80
}

// value is what the expression makes of a message; false: the message is not JSON.
func (s selection) value(body []byte) (string, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // numbers stay as they were written
	var root any
	if d.Decode(&root) != nil {
		return "", false
	}
	if _, err := d.Token(); err != io.EOF {
		return "", false
	}
	var out strings.Builder
	for _, p := range s.parts {
		if !p.value {
			out.WriteString(p.literal)
			continue
		}
		if found := follow(root, p.path); found != nil {
			stringify(&out, found)
		}
	}
	return out.String(), true
}

// follow returns what lies at the end of a path; nil: nothing.
func follow(v any, path []step) any {
	for i, st := range path {
		switch st.kind {
		case byName:
			object, _ := v.(map[string]any)
			v = object[st.name]
		case byIndex:
			array, _ := v.([]any)
			if st.index >= len(array) {
				return nil
			}
			v = array[st.index]
		case toAll:
			all := []any{}
			for _, child := range children(v) {
				if found := follow(child, path[i+1:]); found != nil {
					all = append(all, found)
				}
			}
			return all
		}
	}
	return v
}

func children(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		var all []any
		for _, name := range sortedKeys(v) {
			all = append(all, v[name])
		}
		return all
	}
	return nil
}

func stringify(out *strings.Builder, v any) {
	switch v := v.(type) {
	case string:
		out.WriteString(v)
	case []any: // as Java writes a list
		out.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				out.WriteString(", ")
			}
			stringify(out, e)
		}
		out.WriteByte(']')
	default:
		out.Write(encode(v))
	}
}

// route finds the route of a message and says why it is that one. The key is empty when there is none.
func (s selection) route(body []byte, has func(key string) bool) (key, why string) {
	value, isJSON := s.value(body)
	switch {
	case !isJSON:
		why = "the message is not JSON"
	case slices.Contains([]string{routeConnect, routeDisconnect}, value) || !has(value):
		why = fmt.Sprintf("%s gave %q, which is no route for messages", s.text, value)
	default:
		return value, fmt.Sprintf("%s gave %q", s.text, value)
	}
	if has(routeDefault) {
		return routeDefault, why
	}
	return "", why + ", and there is no " + routeDefault
}
