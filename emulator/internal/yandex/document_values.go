package yandex

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// text reads a scalar; anything else is refused. A field that is not there is empty.
func (f field) text() string {
	if !f.given() {
		return ""
	}
	n := f.value()
	if n.Kind != yaml.ScalarNode {
		f.refuse("got %s, want a string", f.got())
		return ""
	}
	return n.Value
}

// shorter reads a scalar of at most limit bytes.
func (f field) shorter(limit int) string {
	s := f.text()
	if len(s) > limit {
		f.refuse("got %d bytes, want at most %d", len(s), limit)
	}
	return s
}

// id reads an id: the cloud bounds its length and nothing else.
func (f field) id() string { return f.shorter(50) }

// required refuses a field that is missing or empty; want says what belongs there.
func (f field) required(want string) field {
	if !f.given() || f.value().Kind == yaml.ScalarNode && f.value().Value == "" {
		f.refuse("got nothing, want %s", want)
	}
	return f
}

// number reads an integer, quoted or not, within bounds.
func (f field) number(low, high int) int {
	if !f.given() {
		return 0
	}
	n, err := strconv.Atoi(f.value().Value)
	if f.value().Kind != yaml.ScalarNode || err != nil || n < low || n > high {
		f.refuse("got %s, want a whole number from %d to %d", f.got(), low, high)
		return max(low, 1)
	}
	return n
}

// decimal reads a number within bounds.
func (f field) decimal(low, high float64) float64 {
	if !f.given() {
		return 0
	}
	n, err := strconv.ParseFloat(f.value().Value, 64)
	if f.value().Kind != yaml.ScalarNode || err != nil || !(n >= low && n <= high) {
		f.refuse("got %s, want a number from %g to %g", f.got(), low, high)
		return low
	}
	return n
}

// boolean reads true or false.
func (f field) boolean() bool {
	if !f.given() {
		return false
	}
	if text := f.value().Value; f.value().Kind != yaml.ScalarNode || text != "true" && text != "false" {
		f.refuse("got %s, want true or false", f.got())
	}
	return f.value().Value == "true"
}

// texts reads a list of strings, or one string.
func (f field) texts() []string {
	if !f.given() {
		return nil
	}
	if f.got() != "a list" {
		return []string{f.text()}
	}
	var out []string
	for _, item := range f.items() {
		out = append(out, item.text())
	}
	return out
}

// seconds reads a duration in the spelling of protobuf's JSON, "1.5s", within bounds.
func (f field) seconds(low, high time.Duration) time.Duration {
	if !f.given() {
		return 0
	}
	text := f.value().Value
	d, err := time.ParseDuration(text)
	plain := strings.Trim(strings.TrimSuffix(text, "s"), "0123456789.") == "" && strings.HasSuffix(text, "s")
	if f.value().Kind != yaml.ScalarNode || err != nil || !plain || d < low || d > high {
		f.refuse("got %s, want seconds from %gs to %gs, such as \"10s\"", f.got(), low.Seconds(), high.Seconds())
		return low
	}
	return d
}

// items reads a list.
func (f field) items() []field {
	if !f.given() {
		return nil
	}
	n := f.value()
	if n.Kind != yaml.SequenceNode {
		f.refuse("got %s, want a list", f.got())
		return nil
	}
	var out []field
	for i, c := range n.Content {
		item := field{doc: f.doc, node: c, at: place{f.at.file, c.Line, fmt.Sprintf("%s[%d]", f.at.path, i)}}
		if !item.given() {
			item.refuse("got nothing, want an entry")
			continue
		}
		out = append(out, item)
	}
	return out
}
