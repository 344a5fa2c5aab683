package yandex

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// Operation is what is done for one kind of request.
type Operation struct {
	ID         string // operationId, or one made up: 64 hexadecimal digits
	Parameters []Parameter
	Type       string      // of the integration: "dummy", "cloud_functions", …; empty: none
	Dummy      *Dummy      // only if Type is "dummy"
	Function   *Function   // only if Type is "cloud_functions"
	HTTP       *HTTP       // only if Type is "http"
	Container  *Container  // only if Type is "serverless_containers"
	Authorizer *Authorizer // nil: everybody may
}

// calls tells whether the integration is somebody else: it reads the body of the request and may take its time.
func (op *Operation) calls() bool { return op.Function != nil || op.HTTP != nil || op.Container != nil }

// Parameter is a value of the request that answers may contain as {Name}.
type Parameter struct {
	Name    string
	In      string // "path", "query", "header" or "cookie"
	Default string
}

// operation reads the operation that a path has under a key.
func (r specReader) operation(path, key string, f field, shared []Parameter) *Operation {
	o := f.strict(integrationKey, "tags", "summary", "description", "externalDocs", "operationId", "parameters", "requestBody",
		"responses", "callbacks", "deprecated", "security", "servers")
	op := &Operation{ID: o.get("operationId").text(), Parameters: r.parameters(o.get("parameters"), shared), Authorizer: r.guard}
	if op.ID == "" {
		op.ID = fmt.Sprintf("%x", sha256.Sum256([]byte(path+" "+key)))
	}
	switch own := o.get("security"); {
	case key == messageKey || key == disconnectKey:
		op.Authorizer = nil // who was let in may speak
		if own.given() {
			own.warn("has no effect here: a socket is guarded by its connect operation")
		}
	case own.given():
		op.Authorizer = r.authorizer(o.scheme())
	}
	op.Authorizer.warn(f)
	if !o.get(integrationKey).given() {
		f.warn("there is no %s: every request is answered 501", integrationKey)
		return op
	}
	i := r.follow(o.get(integrationKey)).open()
	kind := i.get("type").required(oneOf(integrations()))
	op.Type = strings.ReplaceAll(kind.text(), "-", "_")
	switch {
	case op.Type == "":
	case op.Type == dummyType:
		op.Dummy = parseDummy(i)
	case op.Type == functionType:
		op.Function = r.function(i)
	case op.Type == httpType:
		op.HTTP = parseHTTP(i, key == connectKey)
	case op.Type == containerType:
		op.Container = r.container(i)
	case slices.Contains(integrations(), op.Type):
		kind.warn("not emulated: %s integration; every request is answered 501", op.Type)
	default:
		kind.refuse("got %s, %s", kind.got(), suggest(op.Type, integrations()))
	}
	return op
}

// parameters reads a list of parameters; those of the operation win over those of its path.
func (r specReader) parameters(f field, shared []Parameter) []Parameter {
	places := []string{"path", "query", "header", "cookie"}
	out := slices.Clone(shared)
	own := make(map[string]bool)
	for _, item := range f.items() {
		o := r.follow(item).open()
		p := Parameter{Name: o.get("name").required("a name").text(), In: o.get("in").required(oneOf(places)).text()}
		if p.In != "" && !slices.Contains(places, p.In) {
			o.get("in").refuse("got %s, %s", quote(p.In), suggest(p.In, places))
		}
		if schema := o.get("schema"); schema.given() {
			if d := r.follow(schema).open().get("default"); d.given() && d.got() != "a list" && d.got() != "a mapping" {
				p.Default = d.text()
			}
		}
		key := p.In + " " + p.Name
		if own[key] {
			item.refuse("got the %s parameter %s twice, want it once", p.In, p.Name)
		}
		own[key] = true
		out = slices.DeleteFunc(out, func(q Parameter) bool { return q.Name == p.Name && q.In == p.In })
		out = append(out, p)
	}
	return out
}
