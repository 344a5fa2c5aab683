package wire

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/yandex-cloud/go-genproto/yandex/cloud"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// checks are a message's rules, read from the options of its proto. A message that holds itself holds its own checks.
type checks struct {
	fields []*rule
	// exactly are the oneofs of which a member must be set.
	exactly []protoreflect.OneofDescriptor
}

// rule is what one field must keep.
type rule struct {
	field            protoreflect.FieldDescriptor
	required, unique bool
	size             *span[int64] // of a list or map
	each             element      // of the field, of a list's elements, of a map's values
	key              *element     // of a map's keys
}

// element is what one value must keep.
type element struct {
	pattern *regexp.Regexp
	source  string       // the pattern as the proto has it, in words for people
	length  *span[int64] // of a string in characters, of bytes in bytes
	bytes   *span[int64] // of a string or an encoded message
	value   *span[int64] // of an integer, a Duration in ns, a Timestamp in µs
	float   *span[float64]
	message *checks // nil for none, and for messages without rules
}

// compiler reads the rules of messages, each message once.
type compiler struct {
	mu   sync.Mutex
	done map[protoreflect.FullName]*checks
}

func newCompiler() *compiler { return &compiler{done: map[protoreflect.FullName]*checks{}} }

const (
	durationName  = "google.protobuf.Duration"
	timestampName = "google.protobuf.Timestamp"
)

// checks is message for several callers at once.
func (c *compiler) checks(desc protoreflect.MessageDescriptor) (*checks, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.message(desc)
}

// message returns the checks of a message and all that it holds.
func (c *compiler) message(desc protoreflect.MessageDescriptor) (*checks, error) {
	if known := c.done[desc.FullName()]; known != nil {
		return known, nil
	}
	made := &checks{}
	c.done[desc.FullName()] = made // before the fields: they may lead back here
	if desc.FullName().Parent() == "google.protobuf" {
		return made, nil
	}
	for i := range desc.Oneofs().Len() {
		if o := desc.Oneofs().Get(i); proto.GetExtension(o.Options(), cloud.E_ExactlyOne).(bool) {
			made.exactly = append(made.exactly, o)
		}
	}
	for i := range desc.Fields().Len() {
		field := desc.Fields().Get(i)
		r, err := c.rule(field)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field.FullName(), err)
		}
		if r != nil {
			made.fields = append(made.fields, r)
		}
	}
	return made, nil
}

// rule returns nil for a field that may hold anything.
func (c *compiler) rule(field protoreflect.FieldDescriptor) (*rule, error) {
	r := &rule{field: field}
	found, err := false, error(nil)
	kind := field
	if field.IsMap() {
		kind = field.MapValue()
	}
	proto.RangeExtensions(field.Options(), func(x protoreflect.ExtensionType, v any) bool {
		if x.TypeDescriptor().ParentFile().Path() != cloud.File_yandex_cloud_validation_proto.Path() {
			return true
		}
		found = true
		err = r.option(x, v, kind)
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	if kind.Message() != nil {
		r.each.message, err = c.message(kind.Message())
	}
	if !found && kind.Message() == nil && kind.Enum() == nil {
		return nil, err
	}
	return r, err
}

// option enters one option.
func (r *rule) option(x protoreflect.ExtensionType, v any, kind protoreflect.FieldDescriptor) (err error) {
	text, _ := v.(string)
	switch x {
	case cloud.E_Required:
		r.required = v.(bool)
	case cloud.E_Unique:
		r.unique = v.(bool)
	case cloud.E_Size:
		if !r.field.IsList() && !r.field.IsMap() {
			return fmt.Errorf("size %q of what is neither list nor map", text)
		}
		r.size, err = parseSpan(text, parseInt)
	case cloud.E_MapKey:
		r.key = &element{}
		spec := v.(*cloud.MapKeySpec)
		if spec.GetValue() != "" {
			return fmt.Errorf("map_key: value %q", spec.GetValue())
		}
		if spec.GetPattern() != "" {
			if err := r.key.match(spec.GetPattern()); err != nil {
				return err
			}
		}
		if spec.GetLength() != "" {
			r.key.length, err = parseSpan(spec.GetLength(), parseInt)
		}
	case cloud.E_Pattern:
		if kind.Kind() != protoreflect.StringKind {
			return fmt.Errorf("pattern %q of a %s", text, kind.Kind())
		}
		err = r.each.match(text)
	case cloud.E_Length:
		if kind.Kind() != protoreflect.StringKind && kind.Kind() != protoreflect.BytesKind {
			return fmt.Errorf("length %q of a %s", text, kind.Kind())
		}
		r.each.length, err = parseSpan(text, parseInt)
	case cloud.E_Bytes:
		r.each.bytes, err = parseSpan(text, parseInt)
	case cloud.E_Value:
		err = r.each.quantity(text, kind)
	default:
		return fmt.Errorf("validation option %s is not known", x.TypeDescriptor().FullName())
	}
	return err
}

// match takes a pattern, which is about the whole of a string.
func (e *element) match(pattern string) (err error) {
	e.source = "a match of " + pattern
	if rest, optional := strings.CutPrefix(pattern, "|"); optional {
		e.source = "nothing or a match of " + rest
	}
	e.pattern, err = regexp.Compile(`\A(?:` + pattern + `)\z`)
	return err
}

func (e *element) quantity(text string, kind protoreflect.FieldDescriptor) (err error) {
	switch kind.Kind() {
	case protoreflect.Int64Kind, protoreflect.Int32Kind, protoreflect.Sint64Kind, protoreflect.Sint32Kind, protoreflect.Sfixed64Kind,
		protoreflect.Sfixed32Kind:
		e.value, err = parseSpan(text, parseInt)
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		e.float, err = parseSpan(text, parseFloat)
	case protoreflect.MessageKind:
		switch kind.Message().FullName() {
		case durationName:
			e.value, err = parseSpan(text, parseDuration)
		case timestampName:
			e.value, err = parseSpan(text, parseTime)
		default:
			return fmt.Errorf("value %q of a %s", text, kind.Message().FullName())
		}
	default:
		return fmt.Errorf("value %q of a %s", text, kind.Kind())
	}
	return err
}

// takesSlash says whether a string field's pattern lets a slash in.
func takesSlash(field protoreflect.FieldDescriptor) bool {
	var e element
	pattern, _ := proto.GetExtension(field.Options(), cloud.E_Pattern).(string)
	return pattern != "" && e.match(pattern) == nil && e.pattern.MatchString("a/b")
}
