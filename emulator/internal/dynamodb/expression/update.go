package expression

import (
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// Update is a parsed UpdateExpression.
type Update struct{ actions []action }

type action struct {
	verb  string // SET, REMOVE, ADD, DELETE
	path  Path
	value *node // nil for REMOVE
}

const (
	errOperand = document.Refusal("An operand in the update expression has an incorrect data type")
	errMissing = document.Refusal("The provided expression refers to an attribute that does not exist in the item")
)

// Update parses an UpdateExpression.
func (s *Scope) Update(text string) (*Update, error) {
	u := &Update{}
	err := s.parse("UpdateExpression", text, func(p *parser) {
		seen := map[string]bool{}
		for first := true; first || p.peek().kind != end; first = false {
			verb := strings.ToUpper(p.peek().text)
			if p.peek().kind != word || !slices.Contains([]string{"SET", "REMOVE", "ADD", "DELETE"}, verb) {
				p.unexpected()
				return
			}
			p.next()
			if seen[verb] {
				p.blame(section, `The "`+verb+`" section can only be used once in an update expression;`)
			}
			seen[verb] = true
			for {
				u.actions = append(u.actions, p.action(verb))
				if !p.accept(",") {
					break
				}
			}
		}
		p.separate(u.paths())
	})
	return u, err
}

func (p *parser) action(verb string) action {
	a := action{verb: verb, path: p.path()}
	switch verb {
	case "SET":
		p.expect("=")
		a.value = p.sum()
	case "ADD", "DELETE":
		if p.peek().kind != valuePart {
			p.unexpected()
			return a
		}
		a.value = p.operand()
		k := a.value.kind()
		if k != document.None && !k.Set() && (verb == "DELETE" || k != document.Number) {
			long := map[document.Kind]string{document.String: "STRING", document.Number: "NUMBER", document.Binary: "BINARY", document.Bool: "BOOLEAN",
				document.Null: "NULL", document.List: "LIST", document.Map: "MAP"}[k]
			p.blame(operandType, "Incorrect operand type for operator or function; operator: "+verb+", operand type: "+long)
		}
	}
	return a
}

// sum reads what may stand right of SET's =.
func (p *parser) sum() *node {
	left := p.addend()
	for _, op := range []string{"+", "-"} {
		if p.accept(op) {
			n := &node{op: op, args: []*node{left, p.addend()}}
			p.wantKind(n, document.Number)
			return n
		}
	}
	return left
}

func (p *parser) addend() *node {
	if p.accept("(") {
		n := p.sum()
		p.expect(")")
		return n
	}
	n := p.operand()
	p.checkUpdateFunction(n)
	return n
}

func (p *parser) checkUpdateFunction(n *node) {
	if !n.function {
		return
	}
	for _, arg := range n.args {
		p.checkUpdateFunction(arg)
	}
	switch {
	case n.op != "if_not_exists" && n.op != "list_append":
		p.blame(unknownFunction, "Invalid function name; function: "+n.op)
	case len(n.args) != 2:
		p.wrongCount(n.op, len(n.args))
	case n.op == "if_not_exists":
		p.needsPath(n)
	default:
		p.wantKind(n, document.List)
	}
}

func (p *parser) wantKind(n *node, want document.Kind) {
	for _, arg := range n.args {
		if k := arg.kind(); k != document.None && k != want {
			p.wrongType(n.op, k.String())
		}
	}
}

func (u *Update) paths() []Path {
	paths := make([]Path, len(u.actions))
	for i, a := range u.actions {
		paths[i] = a.path
	}
	return paths
}

// Names are the top-level attributes that the update changes.
func (u *Update) Names() []string { return (&Projection{u.paths()}).Names() }

// Nested says whether the update goes below the attribute.
func (u *Update) Nested(name string) bool { return nested(u.paths(), name) }

// Removes says that the update only takes away: it makes no item where there was none.
func (u *Update) Removes() bool {
	return !slices.ContainsFunc(u.actions, func(a action) bool { return a.verb == "SET" || a.verb == "ADD" })
}

// Literal is the kind of the value that the update gives to a top-level attribute, as far as its text tells; else None.
func (u *Update) Literal(name string) document.Kind {
	for _, a := range u.actions {
		if len(a.path) == 1 && a.path[0].Name == name && a.value != nil {
			return a.value.kind()
		}
	}
	return document.None
}

// Of is the part of item that the update names: ReturnValues UPDATED_OLD and UPDATED_NEW.
func (u *Update) Of(item document.Item) document.Item { return project(u.paths(), item) }

// Apply makes the updated item; the given one stays as it is. All operands are read from the given one.
func (u *Update) Apply(item document.Item) (document.Item, error) {
	type change struct {
		path  Path
		value document.Value
	}
	var sets, removals []change
	for _, a := range u.actions {
		c := change{path: a.path}
		var err error
		old := a.path.in(item)
		switch a.verb {
		case "SET":
			c.value, err = a.value.resolve(item)
		case "ADD":
			c.value, err = add(old, a.value.value)
		case "DELETE":
			if old.Kind == document.None {
				continue
			}
			if old.Kind != a.value.value.Kind {
				return nil, errOperand
			}
			if c.value = old.Difference(a.value.value); len(c.value.Set)+len(c.value.Numbers) == 0 {
				c.value = document.Value{}
			}
		}
		if err != nil {
			return nil, err
		}
		if c.value.Kind == document.None {
			removals = append(removals, c)
		} else {
			sets = append(sets, c)
		}
	}
	// Indexes mean the list as it was: what is appended goes on in order, what is removed goes from the end.
	slices.SortStableFunc(sets, func(a, b change) int { return a.path.compare(b.path) })
	slices.SortStableFunc(removals, func(a, b change) int { return b.path.compare(a.path) })
	v := document.Value{Kind: document.Map, Map: item}
	for _, c := range append(sets, removals...) {
		var err error
		if v, err = c.path.put(v, c.value); err != nil {
			return nil, err
		}
	}
	return v.Map, nil
}

func add(old, v document.Value) (document.Value, error) {
	switch {
	case old.Kind == document.None:
		return v, nil
	case old.Kind != v.Kind:
		return v, errOperand
	case v.Kind == document.Number:
		sum, err := old.Decimal.Add(v.Decimal)
		return document.Value{Kind: document.Number, Decimal: sum}, err
	}
	return old.Union(v), nil
}

// resolve is the value of an operand of SET.
func (n *node) resolve(item document.Item) (document.Value, error) {
	switch n.op {
	case "value":
		return n.value, nil
	case "path":
		v := n.path.in(item)
		if v.Kind == document.None {
			return v, errMissing
		}
		return v, nil
	case "if_not_exists":
		if v := n.args[0].path.in(item); v.Kind != document.None {
			return v, nil
		}
		return n.args[1].resolve(item)
	}
	a, err := n.args[0].resolve(item)
	if err != nil {
		return a, err
	}
	b, err := n.args[1].resolve(item)
	if err != nil {
		return b, err
	}
	if n.op == "list_append" {
		if a.Kind != document.List || b.Kind != document.List {
			return a, errOperand
		}
		return document.Value{Kind: document.List, List: slices.Concat(a.List, b.List)}, nil
	}
	if a.Kind != document.Number || b.Kind != document.Number {
		return a, errOperand
	}
	if n.op == "-" {
		b.Decimal = b.Decimal.Neg()
	}
	sum, err := a.Decimal.Add(b.Decimal)
	return document.Value{Kind: document.Number, Decimal: sum}, err
}
