package jq

import (
	"context"
	"errors"

	"github.com/itchyny/gojq"
)

// Refusal is why a filter did not keep a value.
type Refusal struct {
	Expression string // the part of the program that said no
	Got        string // its first output as JSON; "no output" and "an error" are words
	// Operand is what stands before the comparison that Expression is, and Value what it came to. Empty when it is none.
	Operand, Value string
	Err            error // when Got is an error
}

// condition is a part of a filter that says yes or no.
type condition struct {
	text    string
	code    *gojq.Code // nil: it does not stand by itself
	both    []condition
	operand *condition // of a comparison
}

// conditionOf takes a program apart at its ands.
func conditionOf(q *gojq.Query) condition {
	for q.Term != nil && q.Term.Type == gojq.TermTypeQuery && len(q.Term.SuffixList) == 0 && len(q.FuncDefs) == 0 {
		q = q.Term.Query
	}
	c := condition{text: q.String()}
	c.code, _ = gojq.Compile(q) // a part that does not compile needs what stands around it: it has nothing to say by itself
	if c.code == nil || len(q.FuncDefs) > 0 || q.Left == nil || q.Right == nil || len(q.Patterns) > 0 {
		return c
	}
	switch q.Op {
	case gojq.OpAnd:
		left, right := conditionOf(q.Left), conditionOf(q.Right)
		if left.code != nil && right.code != nil {
			c.both = []condition{left, right}
		}
	case gojq.OpEq, gojq.OpNe, gojq.OpGt, gojq.OpLt, gojq.OpGe, gojq.OpLe:
		if left := conditionOf(q.Left); left.code != nil {
			c.operand = &left
		}
	}
	return c
}

// Why says why True is false of a JSON value.
func (p *Program) Why(ctx context.Context, input []byte) Refusal {
	v, err := decode(input)
	if err != nil {
		return Refusal{Expression: p.why.text, Got: "an error", Err: err}
	}
	return p.why.refusal(ctx, v)
}

func (c *condition) refusal(ctx context.Context, v any) Refusal {
	for i := range c.both {
		if out, err := first(ctx, c.both[i].code, v); err != nil || out == nil || out == false {
			return c.both[i].refusal(ctx, v)
		}
	}
	r := Refusal{Expression: c.text}
	r.Got, r.Err = shown(first(ctx, c.code, v))
	if c.operand != nil && r.Err == nil {
		r.Operand = c.operand.text
		r.Value, _ = shown(first(ctx, c.operand.code, v))
	}
	return r
}

func shown(v any, err error) (string, error) {
	if errors.Is(err, ErrNothing) {
		return "no output", nil
	}
	if err == nil {
		var out []byte
		if out, err = gojq.Marshal(v); err == nil {
			return string(out), nil
		}
	}
	return "an error", err
}
