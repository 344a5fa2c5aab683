package template

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// readParameters settles each parameter's value: the override, else the default.
func (r *reader) readParameters(f field) {
	var names []string
	for _, m := range f.members() {
		if strings.HasPrefix(m.key, "Fn::") {
			r.refuseLoop(m)
			continue
		}
		names = append(names, m.key)
		r.parameters[m.key] = r.parameter(m)
	}
	for _, name := range slices.Sorted(maps.Keys(r.opts.Parameters)) {
		if !slices.Contains(names, name) {
			f.doc.refuse(place{max(1, f.at.line), "Parameters"}, "the override %s names no parameter of this template; %s", quote(name), suggest(name, names))
		}
	}
}

func (r *reader) parameter(m member) *yaml.Node {
	o := m.object().only("Type", "Default", "Description", "AllowedValues", "AllowedPattern", "ConstraintDescription",
		"MinLength", "MaxLength", "MinValue", "MaxValue", "NoEcho")
	kind := o.get("Type").required("a type such as String")
	if !knownType(kind.text()) {
		kind.refuse("got %s, want String, Number, CommaDelimitedList, List<…>, AWS::SSM::Parameter::Value<…> or a type of AWS such as AWS::EC2::VPC::Id", kind.got())
	}
	value, given := r.opts.Parameters[m.key]
	def := o.get("Default")
	at := field{doc: r.doc, at: m.at}
	switch {
	case given:
	case def.scalar():
		value, at = def.text(), def
	case def.given():
		def.refuse("got %s, want a text; a list is written \"a,b,c\"", def.got())
		return r.doc.broken(m.node)
	case def.node != nil: // Default: with nothing after it
		at = def
	default:
		m.refuse("the parameter has no default and no value; give one: --parameter-overrides %s=…", m.key)
		return r.doc.broken(m.node)
	}
	if strings.HasPrefix(kind.text(), "AWS::SSM::Parameter::Value<") && !given {
		m.notice("not emulated: SSM; the parameter's value would be what SSM holds under %s, and is that name unless --parameter-overrides %s=… gives another", quote(value), m.key)
	}
	values := []string{value}
	list := kind.text() == "CommaDelimitedList" || strings.Contains(kind.text(), "List<")
	if list {
		values = nil
		for v := range strings.SplitSeq(value, ",") {
			values = append(values, strings.TrimSpace(v))
		}
	}
	for _, v := range values {
		r.checkParameter(o, at, kind.text(), v)
	}
	if !list {
		return r.doc.text(m.node, value)
	}
	n := r.doc.list(m.node)
	for _, v := range values {
		n.Content = append(n.Content, r.doc.text(m.node, v))
	}
	return n
}

func knownType(t string) bool {
	return slices.Contains([]string{"String", "Number", "CommaDelimitedList"}, t) || strings.HasPrefix(t, "AWS::") ||
		strings.HasPrefix(t, "List<") && strings.HasSuffix(t, ">")
}

// checkParameter holds a value against the parameter's constraints.
func (r *reader) checkParameter(o object, at field, kind, value string) {
	because := ""
	if d := o.get("ConstraintDescription"); d.given() {
		because = " (" + clip(d.text()) + ")"
	}
	refuse := func(want string) { at.refuse("got %s, want %s%s", quote(value), want, because) }
	if allowed := o.get("AllowedValues"); allowed.given() {
		if words := allowed.texts(); !slices.Contains(words, value) {
			refuse(oneOf(words))
		}
	}
	if p := o.get("AllowedPattern"); p.given() {
		expr, err := regexp.Compile("^(?:" + p.text() + ")$")
		switch {
		case err != nil:
			p.notice("not emulated: this pattern, which Go's regular expressions have not: values are not checked by it")
		case !expr.MatchString(value):
			refuse(fmt.Sprintf("what matches %s", clip(p.text())))
		}
	}
	bound := func(key string, breaks func(bound float64) bool, want string) {
		b := o.get(key)
		if !b.given() {
			return
		}
		limit, err := strconv.ParseFloat(b.text(), 64)
		switch {
		case err != nil:
			b.refuse("got %s, want a number", b.got())
		case breaks(limit):
			refuse(fmt.Sprintf(want, b.text()))
		}
	}
	length := float64(len([]rune(value)))
	bound("MinLength", func(b float64) bool { return length < b }, "at least %s characters")
	bound("MaxLength", func(b float64) bool { return length > b }, "at most %s characters")
	if kind != "Number" && kind != "List<Number>" {
		return
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil {
		refuse("a number")
		return
	}
	bound("MinValue", func(b float64) bool { return number < b }, "at least %s")
	bound("MaxValue", func(b float64) bool { return number > b }, "at most %s")
}
