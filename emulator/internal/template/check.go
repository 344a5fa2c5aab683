package template

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// check refuses names that are not there and functions that are none, in all of the template: also in branches that are not taken
// and in resources that are not emulated. Then it looks for circles among the resources.
func (r *reader) check(root object) {
	c := &checker{r, make(map[*yaml.Node]bool), nil, false}
	c.node(root.get("Outputs").node)
	for _, id := range r.order {
		res := r.resources[id]
		edges := make(map[string]bool)
		c := &checker{r, make(map[*yaml.Node]bool), edges, !slices.Contains(emulated(), res.kind) || res.kind == "AWS::ApiGatewayV2::Api" && !r.socket(res)}
		if strings.HasPrefix(res.kind, samPrefix) {
			c.edges = nil // it stands for several resources, which may need one another
		}
		c.node(res.props)
		for _, f := range res.after {
			name := f.text()
			switch to := r.resources[name]; {
			case name == id:
				f.refuse("the resource waits for itself")
			case to == nil && f.scalar():
				f.refuse("got %s, which is no resource here; %s", f.got(), suggest(name, r.order))
			case to != nil:
				edges[name] = true
			}
		}
		res.needs = slices.Sorted(maps.Keys(edges))
	}
	if len(r.doc.problems) == 0 {
		r.checkCircles()
	}
}

// checker walks the values of one resource as they are written.
type checker struct {
	*reader
	seen  map[*yaml.Node]bool
	edges map[string]bool // what the resource needs, by logical id; nil: nobody asks
	idle  bool            // nothing is made of the resource, so what its macros bring is not missed
}

func (r *checker) node(n *yaml.Node) {
	if n == nil {
		return
	}
	n = target(n)
	if r.seen[n] || !r.doc.spend(n, perNode) {
		return
	}
	r.seen[n] = true
	if n.Kind == yaml.ScalarNode && !r.idle && strings.Contains(n.Value, "{{resolve:") {
		r.doc.notice(r.doc.where[n], "not emulated: dynamic references; {{resolve:…}} stays as it is written")
	}
	if name, arg := intrinsic(n); name != "" {
		r.call(n, name, target(arg))
		return
	}
	for i, c := range n.Content {
		if n.Kind != yaml.MappingNode {
			r.node(c)
			continue
		}
		if i%2 == 1 {
			r.node(c)
			continue
		}
		switch {
		case !slices.Contains(functions(), c.Value) && !strings.HasPrefix(c.Value, "Fn::"):
		case c.Value == "Fn::Transform" && r.idle:
		case strings.HasPrefix(c.Value, "Fn::ForEach") || c.Value == "Fn::Transform":
			r.refuseLoop(member{c.Value, c, r.doc.field(n.Content[i+1])})
		default:
			r.doc.refuse(r.doc.where[n.Content[i+1]], "%s stands among other fields, want it alone", c.Value)
		}
	}
}

func (r *reader) refuseLoop(m member) {
	switch {
	case strings.HasPrefix(m.key, "Fn::ForEach"):
		m.refuse("not emulated: Fn::ForEach; write out what it makes")
	case m.key == "Fn::Transform":
		m.refuse("not emulated: Fn::Transform (macros, AWS::Include); put what it brings into the template")
	default:
		m.refuse("got %s, want a name", quote(m.key))
	}
}

func (r *checker) call(n *yaml.Node, name string, arg *yaml.Node) {
	f := r.doc.field(n)
	refuse := func(format string, args ...any) { f.refuse(name+": "+format, args...) }
	switch name {
	case "Ref":
		if arg.Kind != yaml.ScalarNode {
			refuse("got %s, want a name", r.doc.field(arg).got())
			return
		}
		r.name(f, name, arg.Value)
	case "Fn::GetAtt":
		r.att(f, arg)
	case "Fn::Sub":
		text, own := subParts(r.doc, arg)
		if text == nil {
			refuse("got %s, want a text, or a list of a text and a mapping", r.doc.field(arg).got())
			return
		}
		r.node(text)
		for _, m := range own {
			r.node(m.node)
		}
		for _, part := range subSplit(text.Value) {
			if part.name && !slices.ContainsFunc(own, func(m member) bool { return m.key == part.text }) {
				r.subName(f, part.text, own)
			}
		}
	case "Fn::If":
		items := r.doc.field(arg).items()
		if len(items) != 3 || !items[0].scalar() {
			refuse("want a condition's name, a value if it holds, and one if not")
			return
		}
		if r.conditions[items[0].text()] == nil {
			refuse("%s is no condition here; %s", items[0].got(), suggest(items[0].text(), r.conditionNames()))
			return
		}
		taken := 1
		if !r.holds(items[0].text()) {
			taken = 2
		}
		r.node(items[taken].node)
		needs := r.edges
		r.edges = nil
		r.node(items[3-taken].node)
		r.edges = needs
	case "Fn::Transform", "Fn::ForEach":
		if name == "Fn::Transform" && r.idle {
			return
		}
		r.refuseLoop(member{name, n, f})
	case "Fn::Length", "Fn::ToJsonString":
		if !r.language {
			refuse("want Transform: %s at the top of the template", languageTransform)
		}
		r.node(arg)
	case "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not":
		refuse("want it in Conditions; here goes Fn::If with the name of a condition")
	case "Fn::FindInMap":
		if len(arg.Content) == 4 && !r.language {
			refuse("a default wants Transform: %s at the top of the template", languageTransform)
		}
		r.node(arg)
	default:
		if !slices.Contains(functions(), name) {
			f.refuse("there is no function %s; %s", clip(name), suggest(name, functions()))
		}
		r.node(arg)
	}
}

func pseudos() []string {
	return []string{"AWS::AccountId", "AWS::Region", "AWS::Partition", "AWS::URLSuffix", "AWS::StackName", "AWS::StackId",
		"AWS::NoValue", "AWS::NotificationARNs"}
}

// name refuses a name that Ref cannot find.
func (r *checker) name(f field, function, name string) {
	if id := r.nicknames[name]; id != "" {
		name = id
	}
	switch {
	case r.resources[name] != nil:
		if r.edges != nil {
			r.edges[name] = true
		}
	case r.parameters[name] != nil || slices.Contains(pseudos(), name):
	default:
		f.refuse("%s: there is no %s; %s", function, quote(name), suggest(name, r.names()))
	}
}

// names are all that Ref finds.
func (r *reader) names() []string {
	names := slices.Concat(slices.Sorted(maps.Keys(r.parameters)), r.order)
	if len(names) > 12 { // too many to list: only a near one helps
		return append(names, pseudos()...)
	}
	return append(names, "AWS::Region", "AWS::AccountId", "AWS::StackName")
}

func (r *checker) subName(f field, name string, own []member) {
	id, attr, isAtt := strings.Cut(name, ".")
	if isAtt && r.nicknames[name] == "" {
		r.attribute(f, "Fn::Sub", id, attr)
		return
	}
	if known := r.names(); r.resources[name] == nil && r.parameters[name] == nil && r.nicknames[name] == "" && !slices.Contains(pseudos(), name) {
		for _, m := range own {
			known = append(known, m.key)
		}
		f.refuse("Fn::Sub: there is no %s; %s, or ${!%s} for the text itself", quote(name), suggest(name, known), clip(name))
		return
	}
	r.name(f, "Fn::Sub", name)
}

func (r *checker) att(f field, arg *yaml.Node) {
	if arg.Kind == yaml.SequenceNode && len(arg.Content) == 2 && target(arg.Content[0]).Kind == yaml.ScalarNode &&
		target(arg.Content[1]).Kind != yaml.ScalarNode {
		r.node(arg.Content[1]) // the attribute is an intrinsic
		r.attribute(f, "Fn::GetAtt", target(arg.Content[0]).Value, "")
		return
	}
	id, attr, ok := r.getAtt(arg)
	if !ok {
		f.refuse("Fn::GetAtt: got %s, want a resource and an attribute, such as Table.Arn", r.doc.field(arg).got())
		return
	}
	r.attribute(f, "Fn::GetAtt", id, attr)
}

func (r *checker) attribute(f field, function, id, attr string) {
	first, rest, deep := strings.Cut(attr, ".")
	if made := r.nicknames[id+"."+first]; deep && made != "" {
		id, attr = made, rest
	}
	res := r.resources[id]
	if res == nil {
		f.refuse("%s: there is no resource %s; %s", function, quote(id), suggest(id, r.order))
		return
	}
	if r.edges != nil {
		r.edges[id] = true
	}
	if known := attributes(res.kind); attr != "" && known != nil && !slices.Contains(known, attr) {
		f.refuse("%s: %s has no attribute %s; %s", function, res.kind, quote(attr), suggest(attr, known))
	}
}

// checkCircles refuses resources that need one another: the cloud could make none of them first.
func (r *reader) checkCircles() {
	state := make(map[string]condState)
	var path []string
	var visit func(id string)
	visit = func(id string) {
		switch state[id] {
		case done:
			return
		case reading:
			circle := append(slices.Clone(path[slices.Index(path, id):]), id)
			r.doc.refuse(r.resources[id].at, "these resources need one another, so none can be made first: %s", clip(strings.Join(circle, " → ")))
			return
		}
		state[id] = reading
		path = append(path, id)
		for _, to := range r.resources[id].needs {
			visit(to)
		}
		path = path[:len(path)-1]
		state[id] = done
	}
	for _, id := range r.order {
		visit(id)
	}
}
