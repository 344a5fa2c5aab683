package yc

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// resource is a kind of thing that the cloud keeps, and how its service words calls for it.
type resource struct {
	noun    string // in messages and help: "API gateway"
	service string // its full name; Get, List and so on are methods of it
	id      string // the requests' field for its id
	version string // what its methods end with where a service keeps two kinds: "Version" in GetVersion; lists end with an s more
	parent  string // the field of List that says in what: folder_id unless said otherwise; "-" for nothing
	unnamed bool   // it is known by its id alone
	byName  string // the field of GetByName where that finds names, in place of a list's filter
	columns []column
}

func (r resource) method(name string) string {
	switch name {
	case "List":
		if r.version != "" {
			return r.service + ".List" + r.version + "s"
		}
	case "Get", "Create", "Delete":
		return r.service + "." + name + r.version
	}
	return r.service + "." + name
}

// request makes a request for one of the resource's methods, about the one with this id.
func (r resource) request(name, id string) protoreflect.Message {
	m := fresh(describe(r.method(name)).Input())
	field := r.id
	if !has(m.Descriptor(), field) {
		field = "resource_id" // of calls about access bindings
	}
	setString(m, field, id)
	return m
}

func setString(m protoreflect.Message, field, text string) {
	m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(field)), protoreflect.ValueOfString(text))
}

func getString(m protoreflect.Message, field string) string {
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(field))
	if fd == nil {
		return ""
	}
	return m.Get(fd).String()
}

// listRequest makes a request that lists what is in the folder, or in what else the resource has as parent.
func (s *session) listRequest(ctx context.Context, r resource) (protoreflect.Message, error) {
	m := fresh(describe(r.method("List")).Input())
	var in string
	var err error
	switch r.parent {
	case "":
		r.parent = "folder_id"
		in, err = s.folderID(ctx)
	case "cloud_id":
		in, err = s.cloudID(ctx)
	default:
		return m, nil // the command's own flags say it
	}
	if err == nil {
		setString(m, r.parent, in)
	}
	return m, err
}

// pageMaximum is how much is asked for at once: what the services allow.
const pageMaximum = 1000

// pages calls a method that lists until it has limit of the items, or all.
func (s *session) pages(ctx context.Context, method string, m protoreflect.Message, limit int) ([]proto.Message, error) {
	var all []proto.Message
	fields := m.Descriptor().Fields()
	for {
		m.Set(fields.ByName("page_size"), protoreflect.ValueOfInt64(int64(min(limit-len(all), pageMaximum))))
		res, err := s.call(ctx, method, m.Interface())
		if err != nil {
			return nil, err
		}
		page := res.ProtoReflect()
		items := itemsOf(page)
		for i := range items.Len() {
			if len(all) < limit {
				all = append(all, items.Get(i).Message().Interface())
			}
		}
		next := getString(page, "next_page_token")
		if next == "" || len(all) >= limit {
			return all, nil
		}
		setString(m, "page_token", next)
	}
}

// itemsOf returns a list's answer's one list.
func itemsOf(page protoreflect.Message) protoreflect.List {
	fields := page.Descriptor().Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); fd.IsList() && fd.Kind() == protoreflect.MessageKind {
			return page.Get(fd).List()
		}
	}
	panic("yc: " + string(page.Descriptor().FullName()) + " is no list")
}

// lookup returns the id of the resource with this name, or nothing.
func (s *session) lookup(ctx context.Context, r resource, name string) (string, error) {
	if r.byName != "" {
		return s.getByName(ctx, r, name)
	}
	m, err := s.listRequest(ctx, r)
	if err != nil {
		return "", err
	}
	setString(m, "filter", quote(name))
	found, err := s.pages(ctx, r.method("List"), m, 2)
	if err != nil || len(found) == 0 {
		return "", err
	}
	if len(found) > 1 {
		return "", fmt.Errorf("more than one %s is named %q; give its id", r.noun, name)
	}
	return getString(found[0].ProtoReflect(), "id"), nil
}

func (s *session) getByName(ctx context.Context, r resource, name string) (string, error) {
	method := r.method("GetByName")
	m := fresh(describe(method).Input())
	setString(m, r.byName, name)
	found, err := s.call(ctx, method, m.Interface())
	if status.Code(err) == codes.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return getString(found.ProtoReflect(), "id"), nil
}

// named is lookup where there must be one.
func (s *session) named(ctx context.Context, r resource, name string) (string, error) {
	id, err := s.lookup(ctx, r, name)
	if err == nil && id == "" {
		err = fmt.Errorf("%s with name %q not found", r.noun, name)
	}
	return id, err
}

// which returns the id that an argument means: that of the resource of this name, else itself.
func (s *session) which(ctx context.Context, r resource, argument string) (string, error) {
	if r.unnamed {
		return argument, nil
	}
	if r.parent == "" && r.byName == "" {
		if _, err := s.folderID(ctx); err != nil {
			return argument, nil // without a folder there are no names
		}
	}
	id, err := s.lookup(ctx, r, argument)
	if err == nil && id == "" {
		id = argument
	}
	return id, err
}

// target is how a command line says which resource is meant.
type target struct{ id, name string }

// pick returns the ids that the arguments, --id or --name mean.
func (s *session) pick(ctx context.Context, r resource, t target, arguments []string) ([]string, error) {
	given := len(arguments)
	for _, flag := range []string{t.id, t.name} {
		if flag != "" {
			given++
		}
	}
	switch {
	case given == 0 && r.unnamed:
		return nil, fmt.Errorf("which %s? give its id, as argument or with --id", r.noun)
	case given == 0:
		return nil, fmt.Errorf("which %s? give its name or id as argument, or --id or --name", r.noun)
	case given > max(1, len(arguments)):
		return nil, fmt.Errorf("which %s? %s are given together; give one", r.noun, strings.Join(spoken(t, arguments), " and "))
	case t.id != "":
		return []string{t.id}, nil
	case t.name != "":
		id, err := s.named(ctx, r, t.name)
		return []string{id}, err
	}
	var ids []string
	for _, argument := range arguments {
		id, err := s.which(ctx, r, argument)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func spoken(t target, arguments []string) []string {
	var all []string
	if len(arguments) > 0 {
		all = append(all, fmt.Sprintf("%q", arguments))
	}
	if t.id != "" {
		all = append(all, "--id")
	}
	if t.name != "" {
		all = append(all, "--name")
	}
	return all
}
