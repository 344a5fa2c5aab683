package report

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// payload is bytes as far as they are shown.
type payload struct {
	data []byte
	size int  // of all of it
	json bool // all of it was
}

func newPayload(data []byte) payload {
	p := payload{data: data, size: len(data)}
	trimmed := bytes.TrimSpace(data)
	p.json = len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(trimmed)
	if len(data) > maxPayload {
		n := maxPayload
		for n > maxPayload-utf8.UTFMax && !utf8.RuneStart(data[n]) {
			n--
		}
		p.data = slices.Clone(data[:n]) // what is cut off need not be kept
	}
	return p
}

// String is the payload for people: JSON indented, what is no text in hexadecimal.
func (p payload) String() string {
	switch {
	case p.json:
		return indent(p.data)
	case !utf8.Valid(p.data):
		return hex.Dump(p.data[:min(len(p.data), 1<<10)])
	}
	return string(p.data)
}

// preview is its beginning in one line.
func (p payload) preview() string {
	const enough = 120
	if !utf8.Valid(p.data) {
		return hex.EncodeToString(p.data[:min(len(p.data), enough/4)]) + "…"
	}
	head := string(p.data[:min(len(p.data), 4*enough)])
	line := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(head, "")), " "))
	if len(line) > enough || p.size > len(head) {
		return string(line[:min(len(line), enough)]) + "…"
	}
	return string(line)
}

// indent is json.Indent for JSON whose end may be cut off. Its bytes are left as they are: numbers and escapes mean something.
func indent(data []byte) string {
	var b strings.Builder
	depth, quoted := 0, false
	line := func() {
		b.WriteByte('\n')
		for range min(depth, 32) {
			b.WriteString("  ")
		}
	}
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case quoted:
			b.WriteByte(c)
			if c == '\\' && i+1 < len(data) {
				i++
				b.WriteByte(data[i])
			} else if c == '"' {
				quoted = false
			}
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		case c == '"':
			quoted = true
			b.WriteByte(c)
		case c == '{' || c == '[':
			b.WriteByte(c)
			if next := bytes.TrimLeft(data[i+1:], " \t\r\n"); len(next) > 0 && (next[0] == '}' || next[0] == ']') {
				b.WriteByte(next[0])
				i = len(data) - len(next)
				continue
			}
			depth++
			line()
		case c == '}' || c == ']':
			depth--
			line()
			b.WriteByte(c)
		case c == ',':
			b.WriteByte(c)
			line()
		case c == ':':
			b.WriteString(": ")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// withoutColours takes the terminal's colours out of a log's line.
func withoutColours(line string) string {
	for from := 0; ; {
		at := strings.Index(line[from:], "\x1b[")
		if at < 0 {
			return line
		}
		at += from
		end := at + 2
		for end < len(line) && (line[end] >= '0' && line[end] <= '9' || line[end] == ';') {
			end++
		}
		if end < len(line) && line[end] == 'm' {
			line, from = line[:at]+line[end+1:], at
		} else {
			from = end // another sequence: it is shown
		}
	}
}
