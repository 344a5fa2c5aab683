package expression

import (
	"strings"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// KeyCondition is what a KeyConditionExpression asks of one attribute.
type KeyCondition struct {
	Name   string
	Op     string // "=", "<", "<=", ">", ">=", "BETWEEN" with two values, "begins_with"
	Values []document.Value
}

// Key parses a KeyConditionExpression: one or two conditions, each on another attribute.
func (s *Scope) Key(text string) ([]KeyCondition, error) {
	var root *node
	if err := s.parse("KeyConditionExpression", text, func(p *parser) { root = p.condition() }); err != nil {
		return nil, err
	}
	list, err := keys(nil, root)
	if err == nil && len(list) > 2 {
		err = document.Refusal("Conditions can be of length 1 or 2 only")
	}
	return list, err
}

func keys(list []KeyCondition, n *node) ([]KeyCondition, error) {
	mirrored := map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
	switch {
	case n.op == "AND":
		list, err := keys(list, n.args[0])
		if err != nil {
			return nil, err
		}
		return keys(list, n.args[1])
	case n.op == "OR" || n.op == "NOT" || n.op == "IN" || n.op == "<>":
		return nil, document.Refusal("Invalid operator used in KeyConditionExpression: " + n.op)
	case n.function && n.op != "begins_with":
		return nil, document.Refusal("Invalid operator used in KeyConditionExpression: " + n.op)
	}
	k := KeyCondition{Op: n.op}
	for i, arg := range n.args {
		switch {
		case arg.function:
			return nil, document.Refusal("KeyConditionExpressions cannot contain nested operations")
		case arg.op == "value":
			k.Values = append(k.Values, arg.value)
			continue
		case k.Name != "":
			return nil, document.Refusal("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		case len(arg.path) > 1:
			return nil, document.Refusal("KeyConditionExpressions cannot have conditions on nested attributes")
		case i > 0 && mirrored[n.op] == "":
			return nil, firstOperand(n)
		}
		k.Name = arg.path[0].Name
		if i > 0 {
			k.Op = mirrored[n.op]
		}
	}
	switch {
	case k.Name == "" && mirrored[n.op] == "":
		return nil, firstOperand(n)
	case k.Name == "":
		return nil, document.Refusal("Invalid condition in KeyConditionExpression: No key attribute specified")
	}
	for _, other := range list {
		if other.Name == k.Name {
			return nil, document.Refusal("KeyConditionExpressions must only contain one condition per key")
		}
	}
	return append(list, k), nil
}

func firstOperand(n *node) error {
	op := n.op
	if !n.function {
		op = strings.ToUpper(op)
	}
	return document.Refusal("Invalid condition in KeyConditionExpression: " + op + " operator must have the key attribute as its first operand")
}
