package template

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// sub puts values into a text. [text, {name: value}] brings values of its own.
func (r *reader) sub(n, arg *yaml.Node) *yaml.Node {
	text, own := subParts(r.doc, arg)
	if text == nil {
		return r.doc.broken(n)
	}
	var b strings.Builder
	for _, part := range subSplit(text.Value) {
		if !part.name {
			b.WriteString(part.text)
			continue
		}
		var v *yaml.Node
		if i := slices.IndexFunc(own, func(m member) bool { return m.key == part.text }); i >= 0 {
			v = r.eval(own[i].node)
		} else if id, attr, isAtt := strings.Cut(part.text, "."); isAtt && r.nicknames[part.text] == "" {
			v = r.attribute(n, id, attr)
		} else {
			v = r.ref(n, part.text)
		}
		switch {
		case v == nil:
			r.doc.refuse(r.doc.where[n], "Fn::Sub: ${%s} is no value, want a text", clip(part.text))
			return r.doc.broken(n)
		case v.Tag == brokenTag:
			return v
		case v.Kind != yaml.ScalarNode:
			r.doc.refuse(r.doc.where[n], "Fn::Sub: ${%s} is %s, want a text", clip(part.text), r.doc.field(v).got())
			return r.doc.broken(n)
		}
		b.WriteString(v.Value)
		if !r.doc.spend(n, len(v.Value)) || !r.fits(n, b.Len()) {
			return r.doc.broken(n)
		}
	}
	return r.doc.text(n, b.String())
}

// subParts takes the argument of Fn::Sub apart; text is nil if it is none.
func subParts(d *document, arg *yaml.Node) (text *yaml.Node, own []member) {
	switch {
	case arg.Kind == yaml.ScalarNode:
		return arg, nil
	case arg.Kind == yaml.SequenceNode && len(arg.Content) == 2 && target(arg.Content[0]).Kind == yaml.ScalarNode &&
		target(arg.Content[1]).Kind == yaml.MappingNode:
		return target(arg.Content[0]), d.field(arg.Content[1]).members()
	}
	return nil, nil
}

type subPart struct {
	text string
	name bool
}

// subSplit finds ${Name} in a text; ${!Name} is ${Name} itself.
func subSplit(s string) []subPart {
	var out []subPart
	for {
		before, rest, found := strings.Cut(s, "${")
		if !found {
			return append(out, subPart{text: s})
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return append(out, subPart{text: s})
		}
		out = append(out, subPart{text: before})
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			out = append(out, subPart{text: "${" + literal + "}"})
		} else {
			out = append(out, subPart{text: strings.TrimSpace(name), name: true})
		}
		s = after
	}
}
