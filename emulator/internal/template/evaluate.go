package template

import (
	"encoding/base64"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// functions are the intrinsic functions by their long names.
func functions() []string {
	return []string{"Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::If", "Fn::FindInMap", "Fn::Select", "Fn::Split", "Fn::ImportValue",
		"Fn::Base64", "Fn::GetAZs", "Fn::Cidr", "Fn::Transform", "Fn::Length", "Fn::ToJsonString", "Fn::ForEach",
		"Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not"}
}

func shorts() []string {
	var out []string
	for _, f := range functions() {
		out = append(out, strings.TrimPrefix(f, "Fn::"))
	}
	return append(out, "Condition")
}

// intrinsic takes apart {Fn::X: argument}. Conditions' own functions are not among them: see decide.
func intrinsic(n *yaml.Node) (name string, arg *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return "", nil
	}
	k := n.Content[0].Value
	if k != "Ref" && !strings.HasPrefix(k, "Fn::") {
		return "", nil
	}
	return k, n.Content[1]
}

func (r *reader) evalField(f field) field {
	if f.node == nil {
		return f
	}
	n := r.eval(f.node)
	if n == nil {
		return field{doc: f.doc, at: f.at}
	}
	out := r.doc.field(n)
	out.at = f.at
	return out
}

// eval returns a value with its intrinsics worked out; nil is AWS::NoValue. Lists and mappings lose what is no value.
func (r *reader) eval(n *yaml.Node) *yaml.Node {
	if r.depth++; r.depth > deepest {
		r.doc.refuse(r.doc.where[n], "got more than %d levels, or what contains itself; want fewer", deepest)
		r.depth--
		return r.doc.broken(n)
	}
	defer func() { r.depth-- }()
	if !r.doc.spend(n, perNode) {
		return r.doc.broken(n)
	}
	n = target(n)
	if name, arg := intrinsic(n); name != "" {
		return r.call(n, name, arg)
	}
	switch n.Kind {
	case yaml.SequenceNode:
		out := r.doc.fresh(n, yaml.Node{Kind: n.Kind, Tag: n.Tag})
		for _, c := range n.Content {
			if v := r.eval(c); v != nil {
				out.Content = append(out.Content, v)
			}
		}
		return out
	case yaml.MappingNode:
		out := r.doc.fresh(n, yaml.Node{Kind: n.Kind, Tag: n.Tag})
		for _, m := range r.doc.field(n).members() {
			if v := r.eval(m.node); v != nil {
				out.Content = append(out.Content, m.name, v)
			}
		}
		return out
	}
	return n
}

// call works one function out. Names that are not there were refused by check.
func (r *reader) call(n *yaml.Node, name string, arg *yaml.Node) *yaml.Node {
	f := r.doc.field(n)
	broken := func(format string, args ...any) *yaml.Node {
		f.refuse(name+": "+format, args...)
		return r.doc.broken(n)
	}
	switch name {
	case "Ref":
		return r.ref(n, target(arg).Value)
	case "Fn::Sub":
		return r.sub(n, target(arg))
	case "Fn::GetAtt":
		id, attr, ok := r.getAtt(arg)
		if !ok {
			return r.doc.broken(n)
		}
		return r.attribute(n, id, attr)
	case "Fn::If":
		items := r.doc.field(arg).items()
		if len(items) != 3 {
			return r.doc.broken(n)
		}
		if r.holds(items[0].text()) {
			return r.eval(items[1].node)
		}
		return r.eval(items[2].node)
	}
	v := r.eval(arg)
	if v == nil {
		return broken("got no value")
	}
	args := r.doc.field(v)
	if args.broken() {
		return r.doc.broken(n)
	}
	items := func(low, high int) []field {
		if args.value().Kind != yaml.SequenceNode || len(args.value().Content) < low || len(args.value().Content) > high {
			return nil
		}
		return args.items()
	}
	switch name {
	case "Fn::Join":
		if in := items(2, 2); len(in) == 2 && in[0].scalar() && (in[1].value().Kind == yaml.SequenceNode || in[1].value().Tag == madeUpTag) {
			return r.joined(n, in[0].text(), in[1])
		}
		return broken("got %s, want a delimiter and a list of texts", args.got())
	case "Fn::Split":
		if in := items(2, 2); len(in) == 2 && in[0].scalar() && in[1].scalar() && in[0].text() != "" {
			if in[1].value().Tag == madeUpTag {
				return in[1].node
			}
			out := r.doc.list(n)
			for part := range strings.SplitSeq(in[1].text(), in[0].text()) {
				if !r.doc.spend(n, perNode) {
					return r.doc.broken(n)
				}
				out.Content = append(out.Content, r.doc.text(n, part))
			}
			return out
		}
		return broken("want a delimiter and a text")
	case "Fn::Select":
		if in := items(2, 2); len(in) == 2 && in[0].scalar() {
			list := in[1].items()
			if in[1].value().Tag == madeUpTag {
				return in[1].node
			}
			i, err := strconv.Atoi(in[0].text())
			if err != nil || i < 0 || i >= len(list) {
				return broken("got %s of a list of %d, want a whole number from 0", in[0].got(), len(list))
			}
			return list[i].node
		}
		return broken("want a number and a list")
	case "Fn::FindInMap":
		return r.find(n, items(3, 4), broken)
	case "Fn::ImportValue":
		value, ok := r.opts.Imports[args.text()]
		if !ok {
			return broken("nothing here exports %s; give its value as an import", args.got())
		}
		return r.doc.text(n, value)
	case "Fn::Base64":
		if args.scalar() {
			return r.doc.text(n, base64.StdEncoding.EncodeToString([]byte(args.text())))
		}
		return broken("got %s, want a text", args.got())
	case "Fn::GetAZs":
		region := args.text()
		if region == "" {
			region = r.opts.Region
		}
		return r.doc.list(n, r.doc.text(n, region+"a"), r.doc.text(n, region+"b"), r.doc.text(n, region+"c"))
	case "Fn::Cidr":
		return r.cidr(n, items(2, 3), broken)
	case "Fn::Length":
		if args.value().Kind == yaml.SequenceNode {
			return r.doc.text(n, strconv.Itoa(len(args.value().Content)))
		}
		return broken("got %s, want a list", args.got())
	case "Fn::ToJsonString":
		data := args.json()
		if !r.doc.spend(n, len(data)) {
			return r.doc.broken(n)
		}
		return r.doc.text(n, string(data))
	}
	return r.doc.broken(n) // check has refused it
}

// fits tells whether a text is not too long to go on.
func (r *reader) fits(n *yaml.Node, size int) bool {
	if size > largest {
		r.doc.refuse(r.doc.where[n], "got a text of more than %d bytes, want less", largest)
	}
	return size <= largest
}

func (r *reader) joined(n *yaml.Node, delimiter string, list field) *yaml.Node {
	var b strings.Builder
	for i, item := range list.items() {
		if item.broken() {
			return r.doc.broken(n)
		}
		if !item.scalar() {
			item.refuse("got %s, want a text to join", item.got())
			return r.doc.broken(n)
		}
		if i > 0 {
			b.WriteString(delimiter)
		}
		b.WriteString(item.text())
		if !r.doc.spend(n, len(delimiter)+len(item.text())) || !r.fits(n, b.Len()) {
			return r.doc.broken(n)
		}
	}
	return r.doc.text(n, b.String())
}

func (r *reader) find(n *yaml.Node, in []field, broken func(string, ...any) *yaml.Node) *yaml.Node {
	if len(in) < 3 {
		return broken("want a mapping's name and two keys")
	}
	var names []string
	at := r.mappings
	for i, what := range []string{"mapping", "first key", "second key"} {
		name := in[i].text()
		names = append(names, name)
		next, ok := at.fields[name]
		switch {
		case ok && i == 2:
			return r.eval(next.node)
		case ok:
			at = next.object()
			continue
		}
		if len(in) == 4 {
			if def := in[3].object().get("DefaultValue"); def.node != nil {
				return def.node
			}
		}
		var known []string
		for _, m := range at.members() {
			known = append(known, m.key)
		}
		return broken("there is no %s %s; %s", what, quote(strings.Join(names, ".")), suggest(name, known))
	}
	return r.doc.broken(n)
}

// getAtt takes the argument of Fn::GetAtt apart: "A.B" or [A, B].
func (r *reader) getAtt(arg *yaml.Node) (id, attr string, ok bool) {
	arg = target(arg)
	if arg.Kind == yaml.ScalarNode {
		id, attr, ok = strings.Cut(arg.Value, ".")
		return id, attr, ok && attr != ""
	}
	if arg.Kind != yaml.SequenceNode || len(arg.Content) < 2 || target(arg.Content[0]).Kind != yaml.ScalarNode {
		return "", "", false
	}
	parts := make([]string, 0, len(arg.Content))
	for _, c := range arg.Content[1:] {
		v := r.eval(c)
		if v == nil || v.Kind != yaml.ScalarNode || v.Tag == brokenTag {
			return "", "", false
		}
		parts = append(parts, v.Value)
	}
	return target(arg.Content[0]).Value, strings.Join(parts, "."), true
}
