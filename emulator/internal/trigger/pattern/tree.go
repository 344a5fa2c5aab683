package pattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// kind is a kind of JSON value.
type kind int

const (
	object kind = iota
	array
	text
	numeral
	word // null, true or false
)

// tree is a JSON value with the order of its keys, and with keys that stand there twice.
type tree struct {
	kind     kind
	scalar   string // a string's characters, a number or word as it stands
	members  []member
	elements []tree
}

type member struct {
	key   string
	value tree
}

// read parses JSON. encoding/json keeps neither order nor duplicates.
func read(src []byte) (tree, error) {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	t, err := readValue(d)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return t, nil
		} else if err == nil {
			err = errors.New("more than one JSON value")
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	before := src[:min(int(d.InputOffset()), len(src))]
	return tree{}, fmt.Errorf("line %d, column %d: %w", bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n'), err)
}

func readValue(d *json.Decoder) (tree, error) {
	token, err := d.Token()
	if err != nil {
		return tree{}, err
	}
	switch v := token.(type) {
	case string:
		return tree{kind: text, scalar: v}, nil
	case json.Number:
		return tree{kind: numeral, scalar: v.String()}, nil
	case bool:
		return tree{kind: word, scalar: fmt.Sprint(v)}, nil
	case nil:
		return tree{kind: word, scalar: "null"}, nil
	}
	t := tree{kind: object}
	if token == json.Delim('[') {
		t.kind = array
	}
	for d.More() {
		var m member
		if t.kind == object {
			key, err := d.Token()
			if err != nil {
				return tree{}, err
			}
			m.key = fmt.Sprint(key)
		}
		if m.value, err = readValue(d); err != nil {
			return tree{}, err
		}
		if t.kind == object {
			t.members = append(t.members, m)
		} else {
			t.elements = append(t.elements, m.value)
		}
	}
	_, err = d.Token() // the closing one
	return t, err
}

// String says what the value is, for errors.
func (t tree) String() string {
	switch t.kind {
	case object:
		return "an object"
	case array:
		return "a list"
	case text:
		return "the string " + t.text()
	case numeral:
		return "the number " + t.scalar
	}
	return t.scalar
}

// text is the value as JSON.
func (t tree) text() string {
	var b strings.Builder
	switch t.kind {
	case text:
		b.WriteString(quote(t.scalar))
	case object:
		for i, m := range t.members {
			b.WriteString(comma(i) + quote(m.key) + ":" + m.value.text())
		}
		return "{" + b.String() + "}"
	case array:
		for i, e := range t.elements {
			b.WriteString(comma(i) + e.text())
		}
		return "[" + b.String() + "]"
	default:
		b.WriteString(t.scalar)
	}
	return b.String()
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// quote writes a JSON string without the escaping of <, > and &: people read it.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return fmt.Sprintf("%q", s) // cannot be: strings encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}
