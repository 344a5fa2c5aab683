package logging

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// compare asks how something stands to a value.
func (s subject) compare(name, op, v lexeme) (matches, error) {
	holds := relation(op.text)
	switch {
	case s.time != nil:
		at, err := moment(v)
		return func(e *entry) bool { return holds(s.time(e).Compare(at)) }, err
	case s.level:
		l, err := level(v)
		return func(e *entry) bool { return holds(cmp.Compare(e.level, l)) }, err
	case s.whole:
		return nil, fmt.Errorf("got json_payload with %s at character %d, want an element of it, such as json_payload.code, or json_payload: \"text\"", op.text, name.at)
	}
	number, err := strconv.ParseFloat(v.text, 64)
	isNumber := err == nil
	flag := v.kind == word && (v.is("TRUE") || v.is("FALSE"))
	return func(e *entry) bool {
		element, ok := s.element(e)
		if !ok {
			return false
		}
		switch element := element.(type) {
		case string:
			return !flag && holds(strings.Compare(element, v.text))
		case bool:
			return (flag || v.kind == quoted) && holds(strings.Compare(strconv.FormatBool(element), strings.ToLower(v.text)))
		case map[string]any, []any, nil:
			return false
		default:
			if n, ok := asNumber(element); ok && isNumber {
				return holds(cmp.Compare(n, number))
			}
			return !flag && holds(strings.Compare(plain(element), v.text))
		}
	}, nil
}

// relation is a comparison's sign as a question to the result of a Compare.
func relation(op string) func(int) bool {
	switch op {
	case "=":
		return func(c int) bool { return c == 0 }
	case "<>", "!=":
		return func(c int) bool { return c != 0 }
	case "<":
		return func(c int) bool { return c < 0 }
	case "<=":
		return func(c int) bool { return c <= 0 }
	case ">":
		return func(c int) bool { return c > 0 }
	}
	return func(c int) bool { return c >= 0 }
}

// contains asks whether something, or what is in it, has one of the values in its text.
func contains(of func(*entry) (any, bool), values []lexeme, exact bool) matches {
	wanted := make([]string, len(values))
	for i, v := range values {
		if wanted[i] = v.text; !exact {
			wanted[i] = strings.ToLower(v.text)
		}
	}
	return func(e *entry) bool {
		v, ok := of(e)
		return ok && occurs(v, wanted, exact)
	}
}

func occurs(in any, wanted []string, exact bool) bool {
	switch in := in.(type) {
	case map[string]any:
		for _, v := range in {
			if occurs(v, wanted, exact) {
				return true
			}
		}
		return false
	case []any:
		return slices.ContainsFunc(in, func(v any) bool { return occurs(v, wanted, exact) })
	}
	text := plain(in)
	if !exact {
		text = strings.ToLower(text)
	}
	return slices.ContainsFunc(wanted, func(w string) bool { return strings.Contains(text, w) })
}

// plain is a value as filters write it.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}

func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	}
	return 0, false
}
