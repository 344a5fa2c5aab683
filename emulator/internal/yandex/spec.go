package yandex

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Spec is what a gateway does, read from an OpenAPI 3 specification with the cloud's extensions.
type Spec struct {
	Paths []*Path // by priority: the first that matches a request is the one that takes it
	// Warnings say, each with file and line, what is accepted and not emulated.
	Warnings []string

	slashes bool // a trailing slash of a request counts
}

// Path is one path key. Connections belong to the path that let them in; a broadcast names it by its key.
type Path struct {
	Key      string // the template as it is written: "/rooms/{room}"
	segments []segment

	Connect, Message, Disconnect *Operation
	// Methods holds the plain operations by HTTP method, and under AnyMethod the one that takes all other methods.
	Methods map[string]*Operation

	cors *CORS // nil: there is no rule

	// guarded is the security requirement of the whole gateway: it holds for the connect operation even if there is none.
	guarded *Authorizer
}

// AnyMethod is the key of x-yc-apigateway-any-method in Path.Methods.
const AnyMethod = "*"

// Socket tells whether the path takes WebSocket connections: any one of the three operations suffices.
func (p *Path) Socket() bool { return p.Connect != nil || p.Message != nil || p.Disconnect != nil }

const (
	connectKey     = "x-yc-apigateway-websocket-connect"
	messageKey     = "x-yc-apigateway-websocket-message"
	disconnectKey  = "x-yc-apigateway-websocket-disconnect"
	anyMethodKey   = "x-yc-apigateway-any-method"
	integrationKey = "x-yc-apigateway-integration"
	authorizerKey  = "x-yc-apigateway-authorizer"

	dummyType     = "dummy"
	functionType  = "cloud_functions"
	containerType = "serverless_containers"
	httpType      = "http"
)

func socketKeys() []string { return []string{connectKey, messageKey, disconnectKey} }

func methods() []string {
	return []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}
}

func integrations() []string {
	return []string{dummyType, functionType, containerType, httpType, "object_storage", "cloud_datasphere",
		"cloud_datastreams", "cloud_ymq", "cloud_ydb"}
}

// ParseSpec reads a specification, YAML or JSON. What regcast has no use for is left alone; what it reads it reads strictly.
// The error is a *FileError that names all problems.
func ParseSpec(file string, data []byte) (*Spec, error) { return parse(file, data, nil) }

// parse is ParseSpec with values for the variables that the specification declares.
func parse(file string, data []byte, variables map[string]string) (*Spec, error) {
	d := read(file, data, false)
	spec := &Spec{}
	switch {
	case len(d.problems) > 0:
	case len(d.roots) != 1:
		d.problems = append(d.problems, remark{place{file, 1, ""}, fmt.Sprintf("got %d documents, want one", len(d.roots))})
	default:
		fillVariables(d.roots[0], variables)
		spec = parseSpec(d.roots[0])
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	spec.Warnings = lines(d.warnings)
	return spec, nil
}

func parseSpec(f field) *Spec {
	root := f.open()
	version := root.get("openapi").required("3.0.0")
	if v := version.text(); v != "" && !strings.HasPrefix(v, "3.") {
		version.refuse("got %s, want 3.0.0", quote(v))
	}
	own := root.get("x-yc-apigateway").open()
	r := specReader{root: root, account: own.account(""), opened: make(map[*yaml.Node]object)}
	r.guard, r.rule = r.authorizer(root.scheme()), r.cors(own.get("cors"))
	for _, m := range own.members() {
		if !slices.Contains([]string{"service_account_id", "serviceAccountId", "variables", "cors", "ignoreTrailingSlashes"}, m.key) {
			m.warn("not emulated: %s", m.key)
		}
	}
	spec := &Spec{slashes: own.get("ignoreTrailingSlashes").given() && !own.get("ignoreTrailingSlashes").boolean()}
	paths := root.get("paths").required("at least one path")
	for _, m := range paths.members() {
		if !strings.HasPrefix(m.key, "x-") {
			spec.Paths = append(spec.Paths, r.path(m))
		}
	}
	if paths.got() == "a mapping" && len(spec.Paths) == 0 {
		paths.refuse("got an empty mapping, want at least one path")
	}
	slices.SortStableFunc(spec.Paths, byPriority)
	return spec
}

// open reads a mapping and leaves alone the keys that nobody asks for.
func (f field) open() object {
	o := object{f, make(map[string]field)}
	for _, m := range f.members() {
		o.fields[m.key] = m.field
	}
	return o
}

// strict is open, but keys that are neither known nor extensions are typing errors, as are misspelt extensions of the gateway
// itself. Its other extensions are warned of.
func (f field) strict(known ...string) object {
	near := func(key string) bool {
		return slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, "x-") && distance(key, k) <= 3 })
	}
	for _, m := range f.members() {
		switch {
		case slices.Contains(known, m.key):
		case !strings.HasPrefix(m.key, "x-") || near(m.key):
			m.refuse("unknown field, %s", suggest(m.key, known))
		case strings.HasPrefix(m.key, "x-yc-"):
			m.warn("not emulated: %s", m.key)
		}
	}
	return f.open()
}

// specReader reads paths with the whole document at hand for $ref and security.
type specReader struct {
	root  object
	guard *Authorizer // the one that the document names for all operations

	rule *CORS // of all paths that have none of their own

	account string // the service account of all integrations that have none of their own

	opened map[*yaml.Node]object // on the way to shared parts: each operation asks for some of them
}

// below goes down from the root of the document.
func (r specReader) below(names ...string) field {
	to := r.root.field
	for _, name := range names {
		o, known := r.opened[to.node]
		if !known {
			if o = to.open(); to.node != nil {
				r.opened[to.node] = o
			}
		}
		to = o.get(name)
	}
	return to
}

// follow goes where a $ref of this document points; other values stay as they are.
func (r specReader) follow(f field) field {
	const deepest = 8
	for range deepest {
		if f.got() != "a mapping" || !f.open().get("$ref").given() {
			return f
		}
		ref := f.open().get("$ref")
		pointer, local := strings.CutPrefix(ref.text(), "#/")
		if !local {
			ref.refuse("not emulated: a reference out of the file; emulated: #/…")
			return field{doc: f.doc, at: f.at, mute: true}
		}
		names := strings.Split(pointer, "/")
		for i := range names {
			names[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(names[i])
		}
		to := r.below(names...)
		if !to.given() {
			ref.refuse("got %s, want a place in this file", ref.got())
			return field{doc: f.doc, at: f.at, mute: true}
		}
		f = to
	}
	f.refuse("got references more than %d deep, want fewer", deepest)
	return field{doc: f.doc, at: f.at, mute: true}
}

func (r specReader) path(m member) *Path {
	p := &Path{Key: m.key, Methods: make(map[string]*Operation), guarded: r.guard}
	var err error
	if p.segments, err = parseTemplate(m.key); err != nil {
		m.refuse("%v", err)
	}
	o := r.follow(m.field).strict(slices.Concat(socketKeys(), methods(),
		[]string{anyMethodKey, corsKey, "parameters", "summary", "description", "servers", "$ref"})...)
	p.cors = r.rule
	if own := o.get(corsKey); own.given() {
		p.cors = r.cors(own)
	}
	shared := r.parameters(o.get("parameters"), nil)
	operation := func(key string) *Operation {
		if !o.get(key).given() {
			return nil
		}
		return r.operation(m.key, key, o.get(key), shared)
	}
	p.Connect, p.Message, p.Disconnect = operation(connectKey), operation(messageKey), operation(disconnectKey)
	for _, key := range socketKeys() {
		if op := o.get(key); op.given() && !op.open().get(integrationKey).given() {
			op.refuse("got no %s, want one", integrationKey)
		}
	}
	for _, method := range methods() {
		if op := operation(method); op != nil {
			p.Methods[strings.ToUpper(method)] = op
		}
	}
	if op := operation(anyMethodKey); op != nil {
		p.Methods[AnyMethod] = op
	}
	if p.Socket() && p.Connect == nil {
		p.guarded.warn(m.field)
	}
	r.warnOfUndeclared(m.field, p)
	return p
}

// warnOfUndeclared names the parameters of a template that no operation declares: they are matched, and never put into answers.
func (r specReader) warnOfUndeclared(f field, p *Path) {
	declared := func(op *Operation, name string) bool {
		return op != nil && slices.ContainsFunc(op.Parameters, func(q Parameter) bool { return q.In == "path" && q.Name == name })
	}
	for _, s := range p.segments {
		if s.kind == fixed || declared(p.Connect, s.text) || declared(p.Message, s.text) || declared(p.Disconnect, s.text) {
			continue
		}
		found := false
		for _, op := range p.Methods {
			found = found || declared(op, s.text)
		}
		if !found {
			f.warn("the parameter {%s} is not declared under parameters, so no answer can contain it", s.text)
		}
	}
}

// functions lists what calls functions, in the order of the file.
func (s *Spec) functions() []*Function {
	var out []*Function
	add := func(f *Function) {
		if f != nil {
			out = append(out, f)
		}
	}
	for _, p := range s.Paths {
		if p.guarded != nil {
			add(p.guarded.Function)
		}
		for _, op := range append(slices.Collect(maps.Values(p.Methods)), p.Connect, p.Message, p.Disconnect) {
			if op == nil {
				continue
			}
			add(op.Function)
			if op.Authorizer != nil {
				add(op.Authorizer.Function)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Function) int { return cmp.Compare(a.at.line, b.at.line) })
	return slices.CompactFunc(out, func(a, b *Function) bool { return a.at == b.at })
}

// allow lists the methods a path answers, for the Allow header.
func (p *Path) allow() string {
	var out []string
	for m := range p.Methods {
		out = append(out, m)
	}
	if p.Socket() && p.Methods[http.MethodGet] == nil {
		out = append(out, http.MethodGet)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
