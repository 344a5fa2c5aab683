package wire

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// maskOf returns the paths of a request's update mask; nil when it has none, or names everything.
func maskOf(m protoreflect.Message) []string {
	field := m.Descriptor().Fields().ByName("update_mask")
	if field == nil || !m.Has(field) {
		return nil
	}
	mask, is := m.Get(field).Message().Interface().(*fieldmaskpb.FieldMask)
	if !is || slices.Contains(mask.GetPaths(), "*") {
		return nil
	}
	return mask.GetPaths()
}

// counts says whether a field is looked at: the mask names it, or what holds it, or something in it.
func (v *violations) counts(path string) bool {
	if len(v.mask) == 0 || v.always[path] {
		return true
	}
	return slices.ContainsFunc(v.mask, func(named string) bool {
		return path == named || below(path, named) || below(named, path)
	})
}

// below says whether a path leads into another's field.
func below(path, above string) bool {
	rest, is := strings.CutPrefix(path, above)
	return is && rest != "" && (rest[0] == '.' || rest[0] == '[')
}
