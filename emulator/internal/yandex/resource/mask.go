package resource

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// Update copies fields of an update's request to the resource: those that the mask names, which may lie deep within
// ("source.container_registry.tag"), or all that may be updated when there is no mask. A named field that the request leaves unset
// becomes unset. Fields are those that may be updated; a field of them that the resource or the request lacks is the service's own
// affair, and only checked. The error is INVALID_ARGUMENT and names every path at fault.
func Update(resource, request proto.Message, mask *fieldmaskpb.FieldMask, fields ...string) error {
	var wrong []Violation
	for _, path := range mask.GetPaths() {
		if top, _, _ := strings.Cut(path, "."); !slices.Contains(fields, top) {
			wrong = append(wrong, Violation{"update_mask", fmt.Sprintf("got %q, want paths in %s", path, strings.Join(fields, ", "))})
			continue
		}
		if why := missing(request.ProtoReflect().Descriptor(), strings.Split(path, ".")); why != "" {
			wrong = append(wrong, Violation{"update_mask", fmt.Sprintf("got %q: %s", path, why)})
		}
	}
	if len(wrong) > 0 {
		return InvalidFields(wrong...)
	}
	paths := mask.GetPaths()
	if len(paths) == 0 {
		paths = fields
	}
	for _, path := range paths {
		set(resource.ProtoReflect(), request.ProtoReflect(), strings.Split(path, "."))
	}
	return nil
}

// Named tells whether an update is about a field: its mask names it or something in it, or there is no mask.
func Named(mask *fieldmaskpb.FieldMask, field string) bool {
	if len(mask.GetPaths()) == 0 {
		return true
	}
	return slices.ContainsFunc(mask.GetPaths(), func(path string) bool { return path == field || strings.HasPrefix(path, field+".") })
}

// missing says why a message has no such path.
func missing(d protoreflect.MessageDescriptor, path []string) string {
	f := d.Fields().ByName(protoreflect.Name(path[0]))
	switch {
	case f == nil:
		var names []string
		for i := range d.Fields().Len() {
			names = append(names, string(d.Fields().Get(i).Name()))
		}
		return fmt.Sprintf("%s has no field %s; it has %s", d.Name(), path[0], strings.Join(names, ", "))
	case len(path) == 1:
		return ""
	case f.Message() == nil || f.IsList() || f.IsMap():
		return fmt.Sprintf("%s is replaced as a whole", path[0])
	}
	return missing(f.Message(), path[1:])
}

// set makes the field of a path in dst what it is in src.
func set(dst, src protoreflect.Message, path []string) {
	from := src.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	to := dst.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	switch {
	case from == nil || to == nil || !alike(from, to):
	case len(path) > 1 && src.Has(from):
		set(dst.Mutable(to).Message(), src.Get(from).Message(), path[1:])
	case len(path) > 1 && !dst.Has(to):
	case len(path) > 1: // what is not there has nothing in it
		set(dst.Mutable(to).Message(), src.NewField(from).Message(), path[1:])
	case !src.Has(from):
		dst.Clear(to)
	default:
		copyOf := proto.Clone(src.Interface()).ProtoReflect()
		dst.Set(to, copyOf.Get(from))
	}
}

// alike tells whether a field may be set to the value of another.
func alike(a, b protoreflect.FieldDescriptor) bool {
	if a.Kind() != b.Kind() || a.Cardinality() != b.Cardinality() || a.IsMap() != b.IsMap() {
		return false
	}
	if a.IsMap() {
		return a.MapKey().Kind() == b.MapKey().Kind() && alike(a.MapValue(), b.MapValue())
	}
	switch {
	case a.Message() != nil:
		return a.Message().FullName() == b.Message().FullName()
	case a.Enum() != nil:
		return a.Enum().FullName() == b.Enum().FullName()
	}
	return true
}
