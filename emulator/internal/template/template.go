package template

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Options is what a template cannot know by itself. The zero value works.
type Options struct {
	Parameters map[string]string // overrides of the parameters' defaults
	Stack      string            // "regcast" unless said
	Region     string            // "us-east-1" unless said
	Account    string            // "123456789012" unless said
	Imports    map[string]string // what Fn::ImportValue finds
}

const (
	samTransform      = "AWS::Serverless-2016-10-31"
	languageTransform = "AWS::LanguageExtensions"
	samPrefix         = "AWS::Serverless::"
)

// Parse reads a template, YAML or JSON. The error is a *FileError that names all problems. What the template asks for and regcast
// does not do is no error: it stands in the plan's notices.
func Parse(file string, data []byte, o Options) (*Plan, error) {
	o.Stack, o.Region, o.Account = cmp.Or(o.Stack, "regcast"), cmp.Or(o.Region, "us-east-1"), cmp.Or(o.Account, "123456789012")
	r := &reader{
		doc: read(file, data), opts: o,
		parameters: make(map[string]*yaml.Node), conditions: make(map[string]*condition),
		resources: make(map[string]*resource), nicknames: make(map[string]string),
	}
	plan := &Plan{Stack: o.Stack, Region: o.Region, Account: o.Account}
	if len(r.doc.problems) == 0 {
		r.template(plan)
	}
	if err := r.doc.err(); err != nil {
		return nil, err
	}
	plan.Notices = r.doc.lines(r.doc.notices)
	return plan, nil
}

// reader is one reading of one template.
type reader struct {
	doc  *document
	opts Options

	sam, language bool // which transforms the template asks for
	parameters    map[string]*yaml.Node
	mappings      object
	conditions    map[string]*condition
	order         []string // logical ids, as they are written; made ones come after what they are made from
	resources     map[string]*resource
	nicknames     map[string]string // "Ws.Stage" is the logical id that SAM makes for it

	depth int // of intrinsics within intrinsics
}

// resource is one entry of Resources, or one that SAM makes.
type resource struct {
	id, kind  string
	at        place
	self      *yaml.Node // where remarks about the whole resource point
	props     *yaml.Node // Properties with intrinsics; nil: none
	metadata  *yaml.Node
	condition string
	after     []field  // DependsOn
	made      bool     // by SAM
	fromSAM   bool     // an AWS::Serverless::Function in its long form
	needs     []string // logical ids
	enabled   bool

	name    string
	naming  int8 // 0 not yet, 1 at it, 2 done
	plain   object
	settled bool
}

func (r *reader) template(plan *Plan) {
	root := r.doc.field(r.doc.root).object()
	if _, ok := root.fields["Resources"]; root.got() == "a mapping" && !ok {
		root.refuse("got no Resources, want a template of CloudFormation or SAM")
		return
	}
	root.only("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions", "Transform", "Globals",
		"Resources", "Outputs", "Hooks")
	r.transforms(root.get("Transform"))
	if v := root.get("AWSTemplateFormatVersion"); v.given() && v.text() != "2010-09-09" {
		v.refuse("got %s, want \"2010-09-09\"", v.got())
	}
	for _, key := range []string{"Rules", "Hooks"} {
		if s := root.get(key); s.given() {
			s.notice("not emulated: %s; nothing of it is checked", key)
		}
	}
	r.mappings = root.get("Mappings").object()
	r.readParameters(root.get("Parameters"))
	r.readConditions(root.get("Conditions"))
	globals := r.readGlobals(root.get("Globals"))
	resources := root.get("Resources").required("at least one resource")
	for _, m := range resources.members() {
		r.declare(m, globals)
	}
	if resources.got() == "a mapping" && len(resources.members()) == 0 {
		resources.refuse("got an empty mapping, want at least one resource")
	}
	r.check(root)
	if len(r.doc.problems) > 0 {
		return // reading on would only complain of the same again
	}
	r.plan(plan)
	r.outputs(root.get("Outputs"), plan)
}

func (r *reader) transforms(f field) {
	for _, t := range f.some() {
		switch name := t.got(); {
		case name == quote(samTransform):
			r.sam = true
		case name == quote(languageTransform):
			r.language = true
		default:
			t.refuse("not emulated: the transform %s; emulated: %s, %s", name, samTransform, languageTransform)
		}
	}
}

// declare enters a resource and, if it is one of SAM's, what SAM makes of it.
func (r *reader) declare(m member, globals map[string]object) {
	known := []string{"Type", "Properties", "Condition", "DependsOn", "Metadata", "DeletionPolicy", "UpdateReplacePolicy",
		"UpdatePolicy", "CreationPolicy", "Connectors", "IgnoreGlobals", "Description"}
	if strings.HasPrefix(m.key, "Fn::") {
		r.refuseLoop(m)
		return
	}
	o := m.object().takes(known...)
	if m.got() != "a mapping" {
		return
	}
	if strings.Trim(m.key, letters) != "" {
		m.refuse("got the logical id %s, want letters and digits only", quote(m.key))
	}
	res := &resource{id: m.key, kind: o.get("Type").required("a type such as AWS::Lambda::Function").text(), at: m.at, self: m.node,
		props: o.get("Properties").node, metadata: o.get("Metadata").node, condition: o.get("Condition").text(),
		after: o.get("DependsOn").some(), enabled: true}
	if !o.get("Properties").given() {
		res.props = nil
	}
	o.get("Properties").members()
	if c := o.get("Condition"); res.condition != "" {
		if r.conditions[res.condition] == nil {
			c.refuse("got %s, which is no condition here; %s", c.got(), suggest(res.condition, r.conditionNames()))
		}
		res.enabled = r.holds(res.condition)
	}
	if o.get("Connectors").given() {
		o.get("Connectors").notice("not emulated: Connectors; the function's permissions are not known")
	}
	if !strings.HasPrefix(res.kind, samPrefix) {
		r.enter(res)
		return
	}
	if !r.sam {
		o.get("Type").refuse("got %s, want Transform: %s at the top of the template", res.kind, samTransform)
		r.enter(res)
		return
	}
	r.expand(res, globals, o.get("IgnoreGlobals"))
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func (r *reader) enter(res *resource) {
	if old := r.resources[res.id]; old != nil {
		r.doc.refuse(res.at, "the logical id %s is also made by SAM out of what stands in line %d; want another", res.id, old.at.line)
		return
	}
	r.resources[res.id] = res
	r.order = append(r.order, res.id)
}

// make enters a resource that SAM makes of another. It lives and dies with it.
func (r *reader) make(of *resource, id, kind string, at *yaml.Node, props *yaml.Node) *resource {
	res := &resource{id: id, kind: kind, at: r.doc.where[at], self: at, props: props, condition: of.condition, enabled: of.enabled, made: true}
	r.enter(res)
	return res
}

// properties evaluates a resource's properties, once.
func (r *reader) properties(res *resource) object {
	if !res.settled {
		res.settled = true
		f := field{doc: r.doc, at: place{res.at.line, join(res.at.path, "Properties")}}
		if res.made {
			f.at = res.at
		}
		if res.props != nil {
			if n := r.eval(res.props); n != nil {
				f = r.doc.field(n)
			}
		}
		res.plain = f.object()
	}
	return res.plain
}

// of lists the resources of the kinds that are to be made, in order.
func (r *reader) of(kinds ...string) []*resource {
	var out []*resource
	for _, id := range r.order {
		if res := r.resources[id]; res.enabled && slices.Contains(kinds, res.kind) {
			out = append(out, res)
		}
	}
	return out
}

func (res *resource) place(file string) Place { return Place{File: file, Line: res.at.line} }

func (r *reader) outputs(f field, plan *Plan) {
	for _, m := range f.members() {
		if strings.HasPrefix(m.key, "Fn::") {
			r.refuseLoop(m)
			continue
		}
		o := m.object().only("Value", "Description", "Export", "Condition")
		if c := o.get("Condition"); c.given() && !r.holds(c.text()) {
			continue
		}
		v := r.evalField(o.get("Value").required("a value"))
		out := Output{Name: m.key, Description: o.get("Description").text()}
		switch {
		case v.scalar():
			out.Value = v.text()
		case v.given():
			v.refuse("got %s, want a text", v.got())
		}
		plan.Outputs = append(plan.Outputs, out)
	}
}
