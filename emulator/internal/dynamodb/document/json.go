package document

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Raw is an attribute value as it stands in a request, not checked yet.
type Raw struct {
	S, N       *string
	B          []byte
	BOOL, NULL *bool
	SS, NS     []string
	BS         [][]byte
	L          []Raw
	M          map[string]Raw
}

// RawItem is a map of them.
type RawItem map[string]Raw

// Item checks all values.
func (r RawItem) Item() (Item, error) { return r.item(0) }

func (r RawItem) item(depth int) (Item, error) {
	item := make(Item, len(r))
	// In order, so that one request always gets the same error.
	for _, name := range slices.Sorted(maps.Keys(r)) {
		v, err := r[name].value(depth)
		if err != nil {
			return nil, err
		}
		item[name] = v
	}
	return item, nil
}

// Value checks r: one type, well-formed numbers, sets without repetition, not nested too deep. The errors are the cloud's words.
func (r Raw) Value() (Value, error) { return r.value(0) }

func (r Raw) value(depth int) (Value, error) {
	if depth > MaxDepth {
		return Value{}, Refusal("Nesting Levels have exceeded supported limits")
	}
	var v Value
	var err error
	count := 0
	is := func(k Kind) { v.Kind = k; count++ }
	if r.S != nil {
		is(String)
		v.Text = *r.S
	}
	if r.N != nil {
		is(Number)
		v.Decimal, err = ParseDecimal(*r.N)
	}
	if r.B != nil {
		is(Binary)
		v.Text = string(r.B)
	}
	if r.BOOL != nil {
		is(Bool)
		v.Bool = *r.BOOL
	}
	if r.NULL != nil {
		is(Null)
		if !*r.NULL {
			err = Refusal("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
	}
	if r.SS != nil {
		is(StringSet)
		v.Set, err = r.SS, distinct(r.SS, "An string set  may not be empty", "Input collection ["+strings.Join(r.SS, ", ")+"] contains duplicates.")
	}
	if r.NS != nil {
		is(NumberSet)
		v.Numbers, err = numbers(r.NS)
	}
	if r.BS != nil {
		is(BinarySet)
		coded := make([]string, len(r.BS))
		for i, b := range r.BS {
			v.Set = append(v.Set, string(b))
			coded[i] = base64.StdEncoding.EncodeToString(b)
		}
		err = distinct(v.Set, "Binary sets should not be empty", "Input collection ["+strings.Join(coded, ", ")+"]of type BS contains duplicates.")
	}
	if r.L != nil {
		is(List)
		v.List = make([]Value, len(r.L))
		for i, e := range r.L {
			if v.List[i], err = e.value(depth + 1); err != nil {
				break
			}
		}
	}
	if r.M != nil {
		is(Map)
		v.Map, err = RawItem(r.M).item(depth + 1)
	}
	switch {
	case err != nil:
		return Value{}, err
	case count == 0:
		return Value{}, Refusal("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case count > 1:
		return Value{}, Refusal("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	return v, nil
}

func numbers(texts []string) ([]Decimal, error) {
	if len(texts) == 0 {
		return nil, distinct(nil, "An number set  may not be empty", "")
	}
	list := make([]Decimal, len(texts))
	seen := map[Decimal]bool{}
	for i, text := range texts {
		d, err := ParseDecimal(text)
		if err != nil {
			return nil, err
		}
		if seen[d] {
			return nil, Refusal("Input collection contains duplicates")
		}
		list[i], seen[d] = d, true
	}
	return list, nil
}

func distinct(set []string, empty, repeated string) error {
	why := ""
	seen := make(map[string]bool, len(set))
	for _, s := range set {
		if seen[s] {
			why = repeated
		}
		seen[s] = true
	}
	if len(set) == 0 {
		why = empty
	}
	if why == "" {
		return nil
	}
	return Refusal("One or more parameter values were invalid: " + why)
}

// MarshalJSON writes the item with its names in order.
func (i Item) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	i.write(&b)
	return b.Bytes(), nil
}

func (i Item) write(b *bytes.Buffer) {
	b.WriteByte('{')
	for n, name := range slices.Sorted(maps.Keys(i)) {
		if n > 0 {
			b.WriteByte(',')
		}
		text(b, name)
		b.WriteByte(':')
		i[name].write(b)
	}
	b.WriteByte('}')
}

// MarshalJSON writes {"S":"…"} and the like.
func (v Value) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	v.write(&b)
	return b.Bytes(), nil
}

func (v Value) write(b *bytes.Buffer) {
	b.WriteString(`{"` + v.Kind.String() + `":`)
	switch v.Kind {
	case String:
		text(b, v.Text)
	case Number:
		text(b, v.Decimal.String())
	case Binary:
		text(b, base64.StdEncoding.EncodeToString([]byte(v.Text)))
	case Bool:
		fmt.Fprint(b, v.Bool)
	case Null:
		b.WriteString("true")
	case StringSet:
		array(b, v.Set, func(s string) { text(b, s) })
	case BinarySet:
		array(b, v.Set, func(s string) { text(b, base64.StdEncoding.EncodeToString([]byte(s))) })
	case NumberSet:
		array(b, v.Numbers, func(d Decimal) { text(b, d.String()) })
	case List:
		array(b, v.List, func(e Value) { e.write(b) })
	case Map:
		v.Map.write(b)
	}
	b.WriteByte('}')
}

func array[T any](b *bytes.Buffer, list []T, write func(T)) {
	b.WriteByte('[')
	for i, e := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		write(e)
	}
	b.WriteByte(']')
}

// text writes a JSON string that escapes nothing that needs not be.
func text(b *bytes.Buffer, s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			enc := json.NewEncoder(b)
			enc.SetEscapeHTML(false)
			_ = enc.Encode(s) // a string into a buffer cannot fail
			b.Truncate(b.Len() - 1)
			return
		}
	}
	b.WriteByte('"')
	b.WriteString(s)
	b.WriteByte('"')
}
