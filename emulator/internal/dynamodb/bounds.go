package dynamodb

import (
	"fmt"
	"math/bits"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
	"github.com/regcast/regcast/emulator/internal/dynamodb/expression"
)

// bounds turns the key conditions into the stretch of the order to read.
func (p *page) bounds() error {
	p.backward = p.ScanIndexForward != nil && !*p.ScanIndexForward
	conditions := map[string]expression.KeyCondition{}
	for _, c := range p.keyed {
		conditions[c.Name] = c
	}
	if len(p.keys) == 1 && len(conditions) > 1 {
		return invalid("Query key condition not supported")
	}
	for _, k := range p.keys {
		c, there := conditions[k.Name]
		switch {
		case !there && (!k.Sort || len(conditions) > 1):
			return invalid("Query condition missed key schema element: " + k.Name)
		case !there:
			continue
		}
		for _, v := range c.Values {
			if v.Kind != kindOf(k.Type) {
				return invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
			}
			if err := checkKeyValue(k, v, "One or more parameter values are not valid. ", "Key: "+k.Name); err != nil && c.Op != "begins_with" {
				return err
			}
		}
		if !k.Sort {
			if c.Op != "=" {
				return invalid("Query key condition not supported")
			}
			p.low = partition(c.Values[0])
			p.high = after(p.low)
			continue
		}
		if c.Op == "begins_with" && k.Type == "N" {
			return invalid("Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N")
		}
		p.narrow(c)
	}
	return nil
}

// narrow leaves of the partition what fits the condition on the sort key.
func (p *page) narrow(c expression.KeyCondition) {
	at, all := p.low, p.high
	p.low, p.high = at+c.Values[0].Key(), after(at+c.Values[0].Key())
	switch c.Op {
	case "<":
		p.low, p.high = at, p.low
	case "<=":
		p.low = at
	case ">":
		p.low, p.high = p.high, all
	case ">=":
		p.high = all
	case "BETWEEN":
		p.high = after(at + c.Values[1].Key())
	case "begins_with":
		p.low = at + c.Values[0].KeyPrefix()
		p.high = after(p.low)
	}
}

// after is the first string behind all that begin with s.
func after(s string) string {
	b := []byte(s)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] != 0 {
			return string(b[:i+1])
		}
	}
	return ""
}

// segment leaves a part of a scan: a stretch of the partition keys' hashes.
func (p *page) segment() {
	if p.Segment == nil {
		return
	}
	p.low, p.high = hashBound(*p.Segment, *p.TotalSegments), hashBound(*p.Segment+1, *p.TotalSegments)
}

func hashBound(i, n int) string {
	if i == 0 || i == n {
		return ""
	}
	bound, _ := bits.Div64(uint64(i), 0, uint64(n))
	b := make([]byte, 8)
	for k := range b {
		b[k] = byte(bound >> (56 - 8*k))
	}
	return string(b)
}

// startAfter goes on behind ExclusiveStartKey, which need not be there any more.
func (p *page) startAfter(start document.Item, operation string) error {
	wrong := invalid("The provided starting key is invalid")
	want := map[string]bool{}
	key := document.Item{}
	for _, k := range append(append([]Key{}, p.table.spec.Keys...), p.keys...) {
		want[k.Name] = true
	}
	if len(start) != len(want) {
		if p.index == nil && operation == "Scan" {
			wrong.Message += ": The provided key element does not match the schema"
		}
		return wrong
	}
	for _, k := range p.keys {
		if v := start[k.Name]; v.Kind != document.None && v.Kind != kindOf(k.Type) && operation == "Query" {
			return invalid("The provided key element does not match the schema")
		}
	}
	for _, k := range p.table.spec.Keys {
		key[k.Name] = start[k.Name]
	}
	at, err := p.table.keyOf(key)
	if err != nil {
		wrong.Message += ": " + asError(err).Message
		return wrong
	}
	if p.index != nil {
		there, ok := place(p.keys, start)
		if !ok {
			return wrong
		}
		at = there + at
	}
	if at < p.low || p.high != "" && at >= p.high {
		if operation == "Scan" {
			return invalid(fmt.Sprintf("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d",
				*p.TotalSegments, *p.Segment))
		}
		if len(p.keyed) > 1 {
			return invalid("The provided starting key does not match the range key predicate")
		}
		return invalid("The provided starting key is outside query boundaries based on provided conditions")
	}
	if p.backward {
		p.high = at
	} else {
		p.low = at + "\x00"
	}
	return nil
}
