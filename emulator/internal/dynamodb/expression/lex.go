package expression

import (
	"unicode/utf8"
)

type tokenKind uint8

const (
	end       tokenKind = iota
	word                // an attribute's name, a keyword, a function
	namePart            // #name
	valuePart           // :value
	digits
	symbol
	strange // nothing that an expression may hold
)

type token struct {
	kind     tokenKind
	text     string
	from, to int // where it stands
}

func wordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// lex cuts text; the last token is always an end.
func lex(text string) []token {
	var list []token
	for i := 0; i < len(text); {
		c := text[i]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		t := token{kind: strange, from: i}
		t.to = i + 1
		run := func(of func(byte) bool) {
			for t.to < len(text) && of(text[t.to]) {
				t.to++
			}
		}
		switch {
		case digit(c):
			t.kind = digits
			run(digit)
		case wordByte(c):
			t.kind = word
			run(wordByte)
		case c == '#' || c == ':':
			if run(wordByte); t.to > i+1 {
				t.kind = map[byte]tokenKind{'#': namePart, ':': valuePart}[c]
			}
		case c == '<' && i+1 < len(text) && (text[i+1] == '>' || text[i+1] == '='), c == '>' && i+1 < len(text) && text[i+1] == '=':
			t.kind, t.to = symbol, i+2
		default:
			switch c {
			case '=', '<', '>', '(', ')', '[', ']', ',', '.', '+', '-':
				t.kind = symbol
			default:
				_, size := utf8.DecodeRuneInString(text[i:])
				t.to = i + size
			}
		}
		t.text = text[t.from:t.to]
		list = append(list, t)
		i = t.to
	}
	return append(list, token{kind: end, text: "<EOF>", from: len(text), to: len(text)})
}
