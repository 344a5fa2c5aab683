package wire

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Route is one way to a method.
type Route struct {
	// Method is "/service/Method".
	Method string
	// Verb and Pattern are the REST binding; both are "" of a method that has none.
	Verb, Pattern string
	// Emulated is false for a method of Options.NotEmulated, which answers UNIMPLEMENTED, "not emulated: …".
	Emulated bool
}

// method is what wire knows of a registered method.
type method struct {
	name string // "service/Method", as it is told to people
	// input compiles the checks of the request at the first call: hundreds of patterns that a start would wait for.
	input func() (*checks, error)
	// variables are the fields in the method's paths: they say which resource is meant.
	variables map[string]bool
	emulated  bool
	mutating  bool // its answers are kept by idempotency key
	open      bool // asked before there is a token
}

// describe reads the descriptors of all services.
func (s *Server) describe() error {
	s.methods, s.collections = map[string]*method{}, map[string]string{}
	compiler, packages := newCompiler(), map[protoreflect.FullName]bool{}
	for name := range s.services {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			return fmt.Errorf("service %s: %w", name, err)
		}
		desc, ok := found.(protoreflect.ServiceDescriptor)
		if !ok {
			return fmt.Errorf("service %s: %s is no service", name, found.FullName())
		}
		packages[desc.ParentFile().Package()] = true
		for i := range desc.Methods().Len() {
			s.describeMethod(desc.Methods().Get(i), compiler)
		}
	}
	for pkg := range packages {
		s.describeAbsent(pkg)
	}
	for collection := range s.collections {
		s.longest = max(s.longest, len(collection))
	}
	slices.SortFunc(s.routes, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Pattern, b.Pattern), cmp.Compare(a.Verb, b.Verb))
	})
	return nil
}

// describeAbsent enters the services of a package that nobody has registered, after those that somebody has: their users are to hear that
// they are not emulated.
func (s *Server) describeAbsent(pkg protoreflect.FullName) {
	protoregistry.GlobalFiles.RangeFilesByPackage(pkg, func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			desc := file.Services().Get(i)
			if s.services[string(desc.FullName())] {
				continue
			}
			for j := range desc.Methods().Len() {
				for _, b := range bindingsOf(desc.Methods().Get(j)) {
					_, pattern := verbOf(b)
					at := collection(pattern)
					if s.served(at) { // by another service: the verb at the end says whose it is
						at += pattern[strings.LastIndexByte(pattern, '}')+1:]
					}
					if !s.served(at) {
						s.collections[at] = string(desc.FullName())
					}
				}
			}
		}
		return true
	})
}

// served tells whether a registered service has a collection.
func (s *Server) served(collection string) bool {
	absent, known := s.collections[collection]
	return known && absent == ""
}

func (s *Server) describeMethod(desc protoreflect.MethodDescriptor, compiler *compiler) {
	service := string(desc.Parent().FullName())
	full := "/" + service + "/" + string(desc.Name())
	m := &method{
		name:      full[1:],
		input:     sync.OnceValues(func() (*checks, error) { return compiler.checks(desc.Input()) }),
		variables: map[string]bool{},
		emulated:  !slices.Contains(s.options.NotEmulated, full),
		open:      service == "yandex.cloud.endpoint.ApiEndpointService",
	}
	s.methods[full] = m
	bindings := append(bindingsOf(desc), extraBindings(desc)...)
	if len(bindings) == 0 {
		s.routes = append(s.routes, Route{Method: full, Emulated: m.emulated})
		m.mutating = desc.Output().FullName() == "yandex.cloud.operation.Operation"
	}
	for _, b := range bindings {
		verb, pattern := verbOf(b)
		s.routes = append(s.routes, Route{Method: full, Verb: verb, Pattern: pattern, Emulated: m.emulated})
		s.collections[collection(pattern)] = ""
		for _, name := range variables(pattern) {
			m.variables[name] = true
		}
		m.mutating = m.mutating || verb != http.MethodGet
	}
}

// bindingsOf are the REST bindings that a method's proto gives it.
func bindingsOf(desc protoreflect.MethodDescriptor) []*annotations.HttpRule {
	rule, ok := proto.GetExtension(desc.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return nil
	}
	return append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...)
}

// extraBindings are those that a proto has not and clients need.
func extraBindings(desc protoreflect.MethodDescriptor) []*annotations.HttpRule {
	var extra []*annotations.HttpRule
	for _, b := range bindingsOf(desc) {
		verb, pattern := verbOf(b)
		// Cancelling is GET in the proto and POST in the documentation.
		if verb == http.MethodGet && desc.FullName() == "yandex.cloud.operation.OperationService.Cancel" {
			extra = append(extra, &annotations.HttpRule{Pattern: &annotations.HttpRule_Post{Post: pattern}, Body: "*"})
		}
		// A name that may hold slashes is one segment in the proto.
		start, end := strings.LastIndexByte(pattern, '{'), strings.LastIndexByte(pattern, '}')
		if start < 0 || !strings.HasPrefix(pattern[end+1:], ":") {
			continue
		}
		field := desc.Input().Fields().ByName(protoreflect.Name(pattern[start+1 : end]))
		if field != nil && verb == http.MethodGet && takesSlash(field) {
			deep := pattern[:end] + "=**" + pattern[end:]
			extra = append(extra, &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: deep}})
		}
	}
	for _, b := range extra {
		b.Selector = string(desc.FullName())
	}
	return extra
}

func verbOf(rule *annotations.HttpRule) (verb, pattern string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Put:
		return http.MethodPut, p.Put
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	default:
		return rule.GetCustom().GetKind(), rule.GetCustom().GetPath()
	}
}

// collection is the literal beginning of a pattern: /triggers/v1/triggers of /triggers/v1/triggers/{trigger_id}:pause.
func collection(pattern string) string {
	literal, _, _ := strings.Cut(pattern, "{")
	if i := strings.LastIndexByte(literal, '/'); strings.LastIndexByte(literal, ':') > i {
		literal, _, _ = strings.Cut(literal, ":")
	}
	return strings.TrimSuffix(literal, "/")
}

// variables are the names in a pattern's braces.
func variables(pattern string) []string {
	var names []string
	for _, part := range strings.Split(pattern, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		name, _, _ = strings.Cut(name, "=")
		names = append(names, name)
	}
	return names
}
