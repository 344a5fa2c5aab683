package expression

import (
	"slices"
	"strconv"
	"strings"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// fault is a kind of mistake in an expression that parses. Of several mistakes the cloud tells one, the first of the first kind.
type fault uint8

const (
	redundant fault = iota // parentheses
	unknownFunction
	misused
	reservedWord
	section
	undefined // a name or a value
	overlap
	conflict
	operandType // of ADD and DELETE
	function    // of a function or operator: the number or the types of its operands, or operands that are one and the same
	faults
)

// parser reads one expression. The first error in the syntax ends it: the rest reads as the end of the text.
type parser struct {
	scope  *Scope
	text   string
	tokens []token
	at     int
	syntax string
	fault  [faults]string
}

func (s *Scope) parse(kind, text string, read func(*parser)) error {
	p := &parser{scope: s, text: text}
	switch {
	case text == "":
		return document.Refusal("Invalid " + kind + ": The expression can not be empty;")
	case len(text) > maxText:
		return document.Refusal("Invalid " + kind + ": Expression size has exceeded the maximum allowed size; expression size: " + strconv.Itoa(len(text)))
	}
	p.tokens = lex(text)
	read(p)
	if p.peek().kind != end {
		p.unexpected()
	}
	if p.syntax != "" {
		return document.Refusal("Invalid " + kind + ": " + p.syntax)
	}
	for _, why := range p.fault {
		if why != "" {
			return document.Refusal("Invalid " + kind + ": " + why)
		}
	}
	return nil
}

func (p *parser) blame(kind fault, why string) {
	if p.fault[kind] == "" {
		p.fault[kind] = why
	}
}

func (p *parser) peek() token {
	if p.syntax != "" {
		return p.tokens[len(p.tokens)-1]
	}
	return p.tokens[p.at]
}

func (p *parser) next() token {
	t := p.peek()
	if t.kind != end {
		p.at++
	}
	return t
}

// unexpected tells the token that does not fit, with its neighbours.
func (p *parser) unexpected() {
	if p.syntax != "" {
		return
	}
	from, to := p.tokens[max(p.at-1, 0)], p.tokens[min(p.at+1, len(p.tokens)-1)]
	p.syntax = `Syntax error; token: "` + p.tokens[p.at].text + `", near: "` + p.text[from.from:to.to] + `"`
}

func (p *parser) isSymbol(text string) bool {
	t := p.peek()
	return t.kind == symbol && t.text == text
}

func (p *parser) accept(text string) bool {
	if !p.isSymbol(text) {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.unexpected()
	}
}

func (p *parser) keyword(text string) bool {
	t := p.peek()
	if t.kind != word || !strings.EqualFold(t.text, text) {
		return false
	}
	p.next()
	return true
}

// path reads a.b[0].#c.
func (p *parser) path() Path {
	path := Path{p.name()}
	for {
		switch {
		case p.accept("."):
			path = append(path, p.name())
		case p.accept("["):
			t := p.peek()
			if t.kind != digits {
				p.unexpected()
				return path
			}
			p.next()
			n, err := strconv.ParseInt(t.text, 10, 31)
			if err != nil && p.syntax == "" {
				p.syntax = "List index is not within the allowable range; index: [" + t.text + "]"
			}
			path = append(path, Step{Index: int(n)})
			p.expect("]")
		default:
			return path
		}
	}
}

func (p *parser) name() Step {
	t := p.peek()
	switch t.kind {
	case word:
		if _, found := slices.BinarySearch(reserved[:], strings.ToUpper(t.text)); found {
			p.blame(reservedWord, "Attribute name is a reserved keyword; reserved keyword: "+t.text)
		}
		p.next()
		return Step{Name: t.text}
	case namePart:
		name, defined := p.scope.names[t.text]
		if !defined {
			p.blame(undefined, "An expression attribute name used in the document path is not defined; attribute name: "+t.text)
		}
		delete(p.scope.unusedNames, t.text)
		p.next()
		return Step{Name: name}
	}
	p.unexpected()
	return Step{}
}

// operand reads a path, a :value or a function with its operands.
func (p *parser) operand() *node {
	t := p.peek()
	switch {
	case t.kind == valuePart:
		v, defined := p.scope.values[t.text]
		if !defined {
			p.blame(undefined, "An expression attribute value used in expression is not defined; attribute value: "+t.text)
		}
		delete(p.scope.unusedValues, t.text)
		p.next()
		return &node{op: "value", value: v}
	case t.kind == word && p.tokens[p.at+1].text == "(":
		n := &node{op: p.next().text, function: true}
		p.next()
		for {
			n.args = append(n.args, p.operand())
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
		return n
	}
	return &node{op: "path", path: p.path()}
}

func (p *parser) wrongCount(op string, n int) {
	p.blame(function, "Incorrect number of operands for operator or function; operator or function: "+op+", number of operands: "+strconv.Itoa(n))
}

func (p *parser) wrongType(op, kind string) {
	p.blame(function, "Incorrect operand type for operator or function; operator or function: "+op+", operand type: "+kind)
}

// needsPath blames a function whose first operand is no path.
func (p *parser) needsPath(n *node) bool {
	if n.args[0].op == "path" {
		return true
	}
	p.blame(function, "Operator or function requires a document path; operator or function: "+n.op)
	return false
}

// separate blames paths of which one is the other or contains it, or that make a list and a map of one place.
func (p *parser) separate(paths []Path) {
	for i, b := range paths {
		for _, a := range paths[:i] {
			kind, what := overlap, "overlap"
			for k := range min(len(a), len(b)) {
				if (a[k].Name == "") != (b[k].Name == "") {
					kind, what = conflict, "conflict"
					break
				}
				if a[k] != b[k] {
					what = ""
					break
				}
			}
			if what != "" {
				p.blame(kind, "Two document paths "+what+" with each other; must remove or rewrite one of these paths; path one: "+a.String()+", path two: "+b.String())
			}
		}
	}
}
