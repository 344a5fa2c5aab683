package pattern

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

const operators = `prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, cidr, exists or exactly`

// parseMatchers reads the list of what a field may be.
func parseMatchers(t tree, at string) ([]matcher, error) {
	if len(t.elements) == 0 {
		return nil, fmt.Errorf("%s: found an empty list, want at least one value", at)
	}
	var out []matcher
	for i, e := range t.elements {
		m, err := parseMatcher(e, fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return nil, err
		}
		m.description = e.text()
		out = append(out, m)
	}
	return out, nil
}

func parseMatcher(t tree, at string) (matcher, error) {
	switch t.kind {
	case text:
		return matcher{op: same, text: t.scalar}, nil
	case numeral:
		return parseNumber(t, at)
	case word:
		return matcher{op: literal, text: t.scalar}, nil
	case array:
		return matcher{}, fmt.Errorf("%s: found a list in a list, want a value or an operator", at)
	}
	if len(t.members) != 1 {
		return matcher{}, fmt.Errorf("%s: found an object of %d keys, want one operator: %s", at, len(t.members), operators)
	}
	key, arg := t.members[0].key, t.members[0].value
	at = at + "." + key
	switch key {
	case "exactly":
		return parseString(arg, at, same, "")
	case "prefix":
		return parseString(arg, at, prefix, "equals-ignore-case")
	case "suffix":
		return parseString(arg, at, suffix, "equals-ignore-case")
	case "equals-ignore-case":
		return parseString(arg, at, fold, "")
	case "wildcard":
		return parseString(arg, at, wildcard, "")
	case "cidr":
		return parseString(arg, at, cidr, "")
	case "anything-but":
		return parseNot(arg, at)
	case "numeric":
		return parseRange(arg, at)
	case "exists":
		switch arg.scalar {
		case "true", "false":
			if arg.kind == word {
				return matcher{op: map[string]op{"true": present, "false": absent}[arg.scalar]}, nil
			}
		}
		return matcher{}, fmt.Errorf("%s: found %s, want true or false", at, arg)
	}
	return matcher{}, fmt.Errorf("%s: found no operator of this name, want %s", at, operators)
}

// parseString reads the argument of an operator on strings. inner, if not empty, is the operator that may stand in between.
func parseString(t tree, at string, o op, inner string) (matcher, error) {
	if inner != "" && t.kind == object {
		if len(t.members) != 1 || t.members[0].key != inner {
			return matcher{}, fmt.Errorf(`%s: found %s, want a string or {"%s": "…"}`, at, t, inner)
		}
		return parseString(t.members[0].value, at+"."+inner, map[op]op{prefix: prefixFold, suffix: suffixFold}[o], "")
	}
	if t.kind != text {
		return matcher{}, fmt.Errorf("%s: found %s, want a string", at, t)
	}
	m := matcher{op: o, text: t.scalar}
	var err error
	switch o {
	case wildcard:
		m.parts, err = splitWildcard(t.scalar)
	case cidr:
		m.net, err = parseCIDR(t.scalar)
	}
	if err != nil {
		return matcher{}, fmt.Errorf("%s: found %s: %w", at, t.text(), err)
	}
	return m, nil
}

// splitWildcard splits at the stars. \* and \\ stand for themselves.
func splitWildcard(s string) ([]string, error) {
	var parts []string
	var part strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "**"):
			return nil, errors.New("two * in a row: write one")
		case s[i] == '*':
			parts = append(parts, part.String())
			part.Reset()
		case s[i] == '\\':
			if i++; i == len(s) || s[i] != '*' && s[i] != '\\' {
				return nil, errors.New(`\ stands only before * and \`)
			}
			part.WriteByte(s[i])
		default:
			part.WriteByte(s[i])
		}
	}
	return append(parts, part.String()), nil
}

func parseCIDR(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, errors.New("want an address and a number of bits, as in 10.0.0.0/24")
	}
	if p.Bits() == p.Addr().BitLen() {
		return p, fmt.Errorf("want fewer than %d bits; one address is written as a plain string", p.Bits())
	}
	return p.Masked(), nil
}

// parseNot reads the argument of anything-but: a string or number, a list of either, or an operator on strings with one or a list.
func parseNot(t tree, at string) (matcher, error) {
	inner := ""
	if t.kind == object {
		if len(t.members) == 1 {
			inner = t.members[0].key
		}
		switch inner {
		case "prefix", "suffix", "equals-ignore-case", "wildcard":
			t, at = t.members[0].value, at+"."+inner
		default:
			return matcher{}, fmt.Errorf("%s: found %s, want a value, a list, or one of prefix, suffix, equals-ignore-case, wildcard", at, t)
		}
	}
	elements := t.elements
	if t.kind != array {
		elements = []tree{t}
	}
	if len(elements) == 0 {
		return matcher{}, fmt.Errorf("%s: found an empty list, want strings or numbers", at)
	}
	m := matcher{op: not}
	for i, e := range elements {
		here := at
		if t.kind == array {
			here = fmt.Sprintf("%s[%d]", at, i)
		}
		var other matcher
		var err error
		switch {
		case inner != "":
			if (inner == "prefix" || inner == "suffix") && e.kind == text && e.scalar == "" {
				return matcher{}, fmt.Errorf("%s: found an empty string, which every string begins and ends with", here)
			}
			other, err = parseString(e, here, map[string]op{"prefix": prefix, "suffix": suffix, "equals-ignore-case": fold, "wildcard": wildcard}[inner], "")
		case e.kind != text && e.kind != numeral:
			err = fmt.Errorf("%s: found %s, want a string or a number", here, e)
		case e.kind != elements[0].kind:
			err = fmt.Errorf("%s: found %s beside %s, want all strings or all numbers", here, e, elements[0])
		default:
			other, err = parseMatcher(e, here)
		}
		if err != nil {
			return matcher{}, err
		}
		m.others = append(m.others, other)
	}
	return m, nil
}

func parseNumber(t tree, at string) (matcher, error) {
	n, err := strconv.ParseFloat(t.scalar, 64)
	if err != nil {
		return matcher{}, fmt.Errorf("%s: found %s, want a number that fits 64 bits", at, t.scalar)
	}
	return matcher{op: number, low: &bound{at: n}, high: &bound{at: n}}, nil
}

// parseRange reads the argument of numeric: ["=", n], or one or both ends, the lower one first.
func parseRange(t tree, at string) (matcher, error) {
	const want = `want ["=", n], or a range such as [">", 0], ["<=", 5] or [">", 0, "<=", 5]`
	if t.kind != array || len(t.elements) != 2 && len(t.elements) != 4 {
		return matcher{}, fmt.Errorf("%s: found %s, %s", at, t.text(), want)
	}
	m := matcher{op: number}
	for i := 0; i < len(t.elements); i += 2 {
		relation, operand := t.elements[i], t.elements[i+1]
		if relation.kind != text || operand.kind != numeral {
			return matcher{}, fmt.Errorf("%s: found %s, %s", at, t.text(), want)
		}
		end, err := parseNumber(operand, fmt.Sprintf("%s[%d]", at, i+1))
		if err != nil {
			return matcher{}, err
		}
		b := &bound{at: end.low.at, open: len(relation.scalar) == 1}
		switch r := relation.scalar; {
		case r == "=" && len(t.elements) == 2:
			return end, nil
		case (r == ">" || r == ">=") && i == 0:
			m.low = b
		case (r == "<" || r == "<=") && i == len(t.elements)-2:
			m.high = b
		default:
			return matcher{}, fmt.Errorf("%s: found %s, %s", at, t.text(), want)
		}
	}
	if m.low != nil && m.high != nil && m.low.at >= m.high.at {
		return matcher{}, fmt.Errorf("%s: found %s, want the lower end below the upper one", at, t.text())
	}
	return m, nil
}
