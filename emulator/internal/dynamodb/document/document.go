// Package document is DynamoDB's data model: attribute values, their JSON, their order, their sizes and their numbers.
package document

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// Kind is a type of attribute values, named as in the JSON.
type Kind uint8

// The kinds. The zero Kind is that of no value.
const (
	None Kind = iota
	String
	Number
	Binary
	Bool
	Null
	StringSet
	NumberSet
	BinarySet
	List
	Map
)

// Kinds are all kinds, in the order of their constants.
func Kinds() []Kind {
	return []Kind{String, Number, Binary, Bool, Null, StringSet, NumberSet, BinarySet, List, Map}
}

func (k Kind) String() string {
	return [...]string{"", "S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"}[k]
}

// Scalar says that values of the kind can be keys and have an order.
func (k Kind) Scalar() bool { return k == String || k == Number || k == Binary }

// Set says that k is a set.
func (k Kind) Set() bool { return k == StringSet || k == NumberSet || k == BinarySet }

// Value is an attribute value. Values are not changed once made: they share their parts.
type Value struct {
	Kind    Kind
	Text    string // String; Binary: the bytes
	Decimal Decimal
	Bool    bool
	Set     []string  // StringSet and BinarySet
	Numbers []Decimal // NumberSet
	List    []Value
	Map     Item
}

// Item is an item, or a map inside one.
type Item map[string]Value

// Equal compares deeply: sets without order, numbers by value. No value equals a value that is not there.
func (v Value) Equal(w Value) bool {
	if v.Kind != w.Kind {
		return false
	}
	switch v.Kind {
	case String, Binary:
		return v.Text == w.Text
	case Number:
		return v.Decimal.Compare(w.Decimal) == 0
	case Bool:
		return v.Bool == w.Bool
	case Null:
		return true
	case StringSet, BinarySet:
		return len(v.Set) == len(w.Set) && len(without(v.Set, w.Set)) == 0
	case NumberSet:
		return len(v.Numbers) == len(w.Numbers) && len(without(v.Numbers, w.Numbers)) == 0
	case List:
		return slices.EqualFunc(v.List, w.List, Value.Equal)
	case Map:
		if len(v.Map) != len(w.Map) {
			return false
		}
		for name, inner := range v.Map {
			if !inner.Equal(w.Map[name]) {
				return false
			}
		}
		return true
	}
	return false
}

// Compare orders two scalars of one kind; ok is false for what has no order.
func (v Value) Compare(w Value) (order int, ok bool) {
	if v.Kind != w.Kind || !v.Kind.Scalar() {
		return 0, false
	}
	if v.Kind == Number {
		return v.Decimal.Compare(w.Decimal), true
	}
	return cmp.Compare(v.Text, w.Text), true
}

// Contains is the function contains: a part of a text or of bytes, an element of a set or a list.
func (v Value) Contains(w Value) bool {
	switch v.Kind {
	case String, Binary:
		return w.Kind == v.Kind && strings.Contains(v.Text, w.Text)
	case StringSet:
		return w.Kind == String && slices.Contains(v.Set, w.Text)
	case BinarySet:
		return w.Kind == Binary && slices.Contains(v.Set, w.Text)
	case NumberSet:
		return w.Kind == Number && slices.Contains(v.Numbers, w.Decimal)
	case List:
		return slices.ContainsFunc(v.List, w.Equal)
	}
	return false
}

// Len is the function size; ok is false for kinds that have none. Text counts in bytes of UTF-8.
func (v Value) Len() (n int, ok bool) {
	switch v.Kind {
	case String, Binary:
		return len(v.Text), true
	case StringSet, BinarySet:
		return len(v.Set), true
	case NumberSet:
		return len(v.Numbers), true
	case List:
		return len(v.List), true
	case Map:
		return len(v.Map), true
	}
	return 0, false
}

// Union is set v with set w's elements that it lacks.
func (v Value) Union(w Value) Value {
	v.Set = slices.Concat(v.Set, without(w.Set, v.Set))
	v.Numbers = slices.Concat(v.Numbers, without(w.Numbers, v.Numbers))
	return v
}

// Difference is set v without set w's elements.
func (v Value) Difference(w Value) Value {
	v.Set, v.Numbers = without(v.Set, w.Set), without(v.Numbers, w.Numbers)
	return v
}

// without is what of list is not in others. Sets can have 100,000 elements.
func without[T comparable](list, others []T) []T {
	in := make(map[T]bool, len(others))
	for _, o := range others {
		in[o] = true
	}
	var left []T
	for _, one := range list {
		if !in[one] {
			left = append(left, one)
		}
	}
	return left
}

// Key is v, a scalar, in bytes whose order is that of the values, and of which none is the beginning of another's.
func (v Value) Key() string {
	var b bytes.Buffer
	switch v.Kind {
	case Number:
		v.Decimal.key(&b)
	default:
		b.WriteString(v.KeyPrefix())
		b.WriteString("\x00\x01")
	}
	return b.String()
}

// KeyPrefix is how the Keys of all texts (or bytes) that begin with v's begin.
func (v Value) KeyPrefix() string { return strings.ReplaceAll(v.Text, "\x00", "\x00\xff") }
