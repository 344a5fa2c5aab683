package expression

import (
	"strings"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// Condition is a parsed ConditionExpression or FilterExpression.
type Condition struct {
	root  *node
	paths []Path
}

// Condition parses a condition; kind is the parameter's name, for messages: ConditionExpression or FilterExpression.
func (s *Scope) Condition(kind, text string) (*Condition, error) {
	c := &Condition{}
	err := s.parse(kind, text, func(p *parser) { c.root = p.condition() })
	if err == nil {
		c.collect(c.root)
	}
	return c, err
}

func (c *Condition) collect(n *node) {
	if n.op == "path" {
		c.paths = append(c.paths, n.path)
	}
	for _, arg := range n.args {
		c.collect(arg)
	}
}

// Names are the top-level attributes that the condition looks at.
func (c *Condition) Names() []string { return (&Projection{c.paths}).Names() }

// Nested says whether the condition looks below the attribute.
func (c *Condition) Nested(name string) bool { return nested(c.paths, name) }

// Holds evaluates the condition. A nil Condition holds, a nil item has no attributes.
func (c *Condition) Holds(item document.Item) bool { return c == nil || c.root.holds(item) }

func (p *parser) condition() *node {
	n := p.or()
	return p.needsCondition(n)
}

func (p *parser) needsCondition(n *node) *node {
	switch {
	case n.function && n.op == "size":
		p.blame(misused, "The function is not allowed to be used this way in an expression; function: size")
	case !n.condition():
		p.unexpected()
	}
	return n
}

func (p *parser) needsValue(n *node) *node {
	if n.function {
		if n.op != "size" {
			p.blame(misused, "The function is not allowed to be used this way in an expression; function: "+n.op)
		}
	} else if n.condition() {
		p.unexpected()
	}
	return n
}

func (p *parser) or() *node {
	left := p.and()
	for p.keyword("OR") {
		left = &node{op: "OR", args: []*node{p.needsCondition(left), p.needsCondition(p.and())}}
	}
	return left
}

func (p *parser) and() *node {
	left := p.not()
	for p.keyword("AND") {
		left = &node{op: "AND", args: []*node{p.needsCondition(left), p.needsCondition(p.not())}}
	}
	return left
}

func (p *parser) not() *node {
	if p.keyword("NOT") {
		return &node{op: "NOT", args: []*node{p.needsCondition(p.not())}}
	}
	return p.comparison()
}

func (p *parser) comparison() *node {
	left := p.term()
	t := p.peek()
	op := strings.ToUpper(t.text)
	switch {
	case t.kind == symbol && strings.Contains(" = <> < <= > >= ", " "+op+" "):
	case t.kind == word && (op == "BETWEEN" || op == "IN"):
	default:
		return left
	}
	n := &node{op: op, args: []*node{p.needsValue(left)}}
	p.next()
	switch op {
	case "IN":
		p.expect("(")
		for {
			n.args = append(n.args, p.needsValue(p.term()))
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
	case "BETWEEN":
		n.args = append(n.args, p.needsValue(p.term()))
		if !p.keyword("AND") {
			p.unexpected()
		}
		n.args = append(n.args, p.needsValue(p.term()))
	default:
		n.args = append(n.args, p.needsValue(p.term()))
	}
	p.checkComparison(n)
	return n
}

// term reads a value, or a whole condition in parentheses.
func (p *parser) term() *node {
	if !p.isSymbol("(") {
		n := p.operand()
		if n.function {
			p.checkFunction(n)
		}
		return n
	}
	p.next()
	doubled := p.isSymbol("(")
	from := p.at
	n := p.or()
	// ((…)): what stands inside is one pair of parentheses and nothing else.
	if doubled && p.isSymbol(")") && p.tokens[max(p.at-1, 0)].text == ")" && p.closes(from) == p.at-1 {
		p.blame(redundant, "The expression has redundant parentheses;")
	}
	p.expect(")")
	return n
}

// closes is where the parenthesis that opens at token i is closed.
func (p *parser) closes(i int) int {
	depth := 0
	for ; i < len(p.tokens)-1; i++ {
		switch p.tokens[i].text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}

func (p *parser) checkComparison(n *node) {
	p.checkDistinct(n)
	if n.op == "IN" && len(n.args) > 101 {
		p.wrongCount("IN", len(n.args))
	}
	if n.op == "=" || n.op == "<>" || n.op == "IN" {
		return
	}
	for _, arg := range n.args {
		if k := arg.kind(); k != document.None && !k.Scalar() {
			p.blame(function, "Incorrect operand type for operator or function; operator: "+n.op+", operand type: "+k.String())
		}
	}
	if n.op != "BETWEEN" || n.args[1].op != "value" || n.args[2].op != "value" {
		return
	}
	low, high := n.args[1].value, n.args[2].value
	why := ""
	if low.Kind != high.Kind {
		why = "same data type for lower and upper bounds"
	} else if order, _ := low.Compare(high); order > 0 {
		why = "upper bound to be greater than or equal to lower bound"
	}
	if why != "" {
		p.blame(function, "The BETWEEN operator requires "+why+"; lower bound operand: AttributeValue: "+braced(low)+", upper bound operand: AttributeValue: "+braced(high))
	}
}

func braced(v document.Value) string {
	text := v.Text
	if v.Kind == document.Number {
		text = v.Decimal.String()
	}
	return "{" + v.Kind.String() + ":" + text + "}"
}

func (p *parser) checkDistinct(n *node) {
	if len(n.args) == 2 && n.args[0].op == "path" && n.args[1].op == "path" && n.args[0].path.compare(n.args[1].path) == 0 {
		p.blame(function, "The first operand must be distinct from the remaining operands for this operator or function; operator: "+n.op+
			", first operand: "+n.args[0].path.String())
	}
}

func (p *parser) checkFunction(n *node) {
	want, known := map[string]int{"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2, "size": 1}[n.op]
	if !known {
		p.blame(unknownFunction, "Invalid function name; function: "+n.op)
		return
	}
	for _, arg := range n.args {
		if arg.function {
			p.checkFunction(arg)
			p.needsValue(arg)
		}
	}
	if len(n.args) != want {
		p.wrongCount(n.op, len(n.args))
		return
	}
	p.checkDistinct(n)
	switch n.op {
	case "attribute_exists", "attribute_not_exists":
		p.needsPath(n)
	case "begins_with":
		for _, arg := range n.args {
			if k := arg.kind(); k != document.None && k != document.String && k != document.Binary {
				p.wrongType(n.op, k.String())
			}
		}
	case "attribute_type":
		p.checkTypeName(n.args[1])
	case "size":
		if k := n.args[0].kind(); k == document.Number || k == document.Bool || k == document.Null {
			p.wrongType(n.op, k.String())
		}
	}
}

func (p *parser) checkTypeName(n *node) {
	switch n.kind() {
	case document.None:
		p.wrongType("attribute_type", "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
	case document.String:
		for _, k := range document.Kinds() {
			if k.String() == n.value.Text {
				return
			}
		}
		p.blame(function, "Invalid attribute type name found; type: "+n.value.Text+", valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}")
	default:
		p.wrongType("attribute_type", n.kind().String())
	}
}

func (n *node) holds(item document.Item) bool {
	switch n.op {
	case "AND":
		return n.args[0].holds(item) && n.args[1].holds(item)
	case "OR":
		return n.args[0].holds(item) || n.args[1].holds(item)
	case "NOT":
		return !n.args[0].holds(item)
	}
	v := n.args[0].in(item)
	switch n.op {
	case "attribute_exists":
		return v.Kind != document.None
	case "attribute_not_exists":
		return v.Kind == document.None
	case "IN":
		for _, arg := range n.args[1:] {
			if v.Equal(arg.in(item)) {
				return true
			}
		}
		return false
	}
	w := n.args[1].in(item)
	order, ordered := v.Compare(w)
	switch n.op {
	case "=":
		return v.Equal(w)
	case "<>":
		return !v.Equal(w)
	case "<":
		return ordered && order < 0
	case "<=":
		return ordered && order <= 0
	case ">":
		return ordered && order > 0
	case ">=":
		return ordered && order >= 0
	case "BETWEEN":
		above, comparable := v.Compare(n.args[2].in(item))
		return ordered && comparable && order >= 0 && above <= 0
	case "begins_with":
		return v.Kind == w.Kind && (v.Kind == document.String || v.Kind == document.Binary) && strings.HasPrefix(v.Text, w.Text)
	case "contains":
		return v.Contains(w)
	case "attribute_type":
		return v.Kind.String() == w.Text && v.Kind != document.None
	}
	return false
}

// in is the value of an operand of a condition; the zero Value when it has none.
func (n *node) in(item document.Item) document.Value {
	switch n.op {
	case "value":
		return n.value
	case "path":
		return n.path.in(item)
	}
	size, ok := n.args[0].in(item).Len()
	if !ok {
		return document.Value{}
	}
	return document.Value{Kind: document.Number, Decimal: document.Integer(int64(size))}
}
