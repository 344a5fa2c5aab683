package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A status travels in headers, and some clients take no more than 8 KB of them: so many bytes of violations go into its details, and so
// many into its message, which is there twice. The first violation always does.
const (
	maxDetails = 3 << 10
	maxText    = 1 << 10
)

// check returns INVALID_ARGUMENT with every violation, nil when there is none. Of a request with an update mask it looks at what the mask
// names, and at the fields in always, which say what is updated.
func (c *checks) check(m proto.Message, always map[string]bool) error {
	found := violations{mask: maskOf(m.ProtoReflect()), always: always}
	c.walk(m.ProtoReflect(), "", &found)
	return found.status()
}

// violations are what is wrong with a request.
type violations struct {
	mask   []string // nil: everything counts
	always map[string]bool
	list   []*errdetails.BadRequest_FieldViolation
	size   int
	more   int // that there is no room for
}

func (v *violations) add(path, format string, values ...any) {
	one := &errdetails.BadRequest_FieldViolation{Field: path, Description: fmt.Sprintf(format, values...)}
	if v.size += len(one.GetField()) + len(one.GetDescription()); len(v.list) > 0 && v.size > maxDetails {
		v.more++
		return
	}
	v.list = append(v.list, one)
}

func (v *violations) status() error {
	if len(v.list) == 0 {
		return nil
	}
	text, rest := "Request validation error: ", len(v.list)+v.more
	for i, one := range v.list {
		next := one.GetField() + ": " + one.GetDescription()
		if i > 0 {
			next = "; " + next
		}
		if i > 0 && len(text)+len(next) > maxText {
			break
		}
		text += next
		rest--
	}
	if rest > 0 {
		text += fmt.Sprintf("; and %d more", rest)
	}
	st, err := status.New(codes.InvalidArgument, text).WithDetails(&errdetails.BadRequest{FieldViolations: v.list})
	if err != nil {
		return err
	}
	return st.Err()
}

func (c *checks) walk(m protoreflect.Message, path string, found *violations) {
	for _, o := range c.exactly {
		names := members(o)
		counts := func(name string) bool { return found.counts(join(path, name)) }
		if m.WhichOneof(o) == nil && (counts(string(o.Name())) || slices.ContainsFunc(names, counts)) {
			found.add(join(path, string(o.Name())), "got none, want exactly one of %s", strings.Join(names, ", "))
		}
	}
	for _, r := range c.fields {
		if at := join(path, string(r.field.Name())); found.counts(at) {
			r.walk(m, at, found)
		}
	}
}

func (r *rule) walk(m protoreflect.Message, path string, found *violations) {
	if !m.Has(r.field) {
		// A number or a flag that is required may be 0: it cannot be told from one that is missing. A member of a oneof may be left out.
		missing := r.required && (r.field.HasPresence() || !zeroMeans(r.field)) && !member(r.field)
		switch {
		case missing:
			found.add(path, "is required%s", choices(r.field))
		case r.size != nil && !r.size.holds(0):
			found.add(path, "got no elements, want %s", r.size.want())
		}
		return
	}
	value := m.Get(r.field)
	switch {
	case r.field.IsMap():
		r.walkMap(value.Map(), path, found)
	case r.field.IsList():
		r.walkList(value.List(), path, found)
	case r.field.Kind() == protoreflect.StringKind && value.String() == "":
		// A string that is there and empty, in a oneof, is as good as unset.
		if r.required {
			found.add(path, "is required")
		}
	default:
		r.each.walk(r.field, value, path, found)
	}
}

func (r *rule) walkMap(all protoreflect.Map, path string, found *violations) {
	r.walkSize(all.Len(), path, found)
	var keys []protoreflect.MapKey
	all.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		at := path + "[" + strconv.Quote(short(k.String())) + "]"
		if r.key != nil {
			r.key.walk(r.field.MapKey(), k.Value(), at+".key", found)
		}
		r.each.walk(r.field.MapValue(), all.Get(k), at, found)
	}
}

func (r *rule) walkList(all protoreflect.List, path string, found *violations) {
	r.walkSize(all.Len(), path, found)
	seen := map[any]bool{}
	for i := range all.Len() {
		at := path + "[" + strconv.Itoa(i) + "]"
		r.each.walk(r.field, all.Get(i), at, found)
		if !r.unique || r.field.Message() != nil {
			continue
		}
		key := all.Get(i).String()
		if seen[key] {
			found.add(at, "got %q again, want every element once", short(key))
		}
		seen[key] = true
	}
}

func (r *rule) walkSize(n int, path string, found *violations) {
	if r.size != nil && !r.size.holds(int64(n)) {
		found.add(path, "got %d elements, want %s", n, r.size.want())
	}
}

// walk looks at one value, which is there.
func (e *element) walk(field protoreflect.FieldDescriptor, value protoreflect.Value, path string, found *violations) {
	switch field.Kind() {
	case protoreflect.StringKind:
		e.walkString(value.String(), path, found)
	case protoreflect.BytesKind:
		for _, s := range []*span[int64]{e.length, e.bytes} {
			if n := len(value.Bytes()); s != nil && !s.holds(int64(n)) {
				found.add(path, "got %d bytes, want %s", n, s.want())
			}
		}
	case protoreflect.EnumKind:
		if n := value.Enum(); field.Enum().Values().ByNumber(n) == nil {
			found.add(path, "got %d%s", n, choices(field))
		}
	case protoreflect.MessageKind:
		e.walkMessage(value.Message(), path, found)
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		if e.float != nil && !e.float.holds(value.Float()) {
			found.add(path, "got %v, want %s", value.Float(), e.float.want())
		}
	default:
		if e.value != nil && !e.value.holds(value.Int()) {
			found.add(path, "got %d, want %s", value.Int(), e.value.want())
		}
	}
}

func (e *element) walkString(s, path string, found *violations) {
	if n := utf8.RuneCountInString(s); e.length != nil && !e.length.holds(int64(n)) {
		found.add(path, "got %d characters, want %s", n, e.length.want())
	}
	if e.bytes != nil && !e.bytes.holds(int64(len(s))) {
		found.add(path, "got %d bytes, want %s", len(s), e.bytes.want())
	}
	if e.pattern != nil && !e.pattern.MatchString(s) {
		found.add(path, "got %q, want %s", short(s), e.source)
	}
}

func (e *element) walkMessage(m protoreflect.Message, path string, found *violations) {
	if e.bytes != nil {
		if n := proto.Size(m.Interface()); !e.bytes.holds(int64(n)) {
			found.add(path, "got %d bytes, want %s", n, e.bytes.want())
		}
	}
	if e.message != nil {
		e.message.walk(m, path, found)
	}
	if e.value == nil {
		return
	}
	fields := m.Descriptor().Fields()
	switch m.Descriptor().FullName() {
	case durationName:
		d, told := duration(m.Get(fields.ByName("seconds")).Int(), m.Get(fields.ByName("nanos")).Int())
		if !e.value.holds(int64(d)) {
			found.add(path, "got %s, want %s", told, e.value.want())
		}
	case timestampName:
		t := time.Unix(m.Get(fields.ByName("seconds")).Int(), m.Get(fields.ByName("nanos")).Int()).UTC()
		if !e.value.holds(t.UnixMicro()) {
			found.add(path, "got %s, want %s", t.Format(time.RFC3339Nano), e.value.want())
		}
	}
}

// duration counts in nanoseconds, and words what it counts. A Duration may be longer than nanoseconds can count: it is then the longest,
// which keeps and breaks the same rules.
func duration(seconds, nanos int64) (time.Duration, string) {
	const most = 1 << 33
	if seconds > most || seconds < -most {
		return time.Duration(min(max(seconds, -most), most)) * time.Second, strconv.FormatInt(seconds, 10) + "s"
	}
	d := time.Duration(seconds)*time.Second + time.Duration(nanos)
	return d, d.String()
}

// zeroMeans says whether a field's zero is a value like any other.
func zeroMeans(field protoreflect.FieldDescriptor) bool {
	if field.IsList() || field.IsMap() {
		return false
	}
	switch field.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.EnumKind, protoreflect.MessageKind:
		return false
	default:
		return true
	}
}

// member says whether a field is one of several that exclude each other.
func member(field protoreflect.FieldDescriptor) bool {
	o := field.ContainingOneof()
	return o != nil && !o.IsSynthetic()
}

// choices lists an enum's values, "" for any other field.
func choices(field protoreflect.FieldDescriptor) string {
	if field.Enum() == nil {
		return ""
	}
	var names []string
	for i := range field.Enum().Values().Len() {
		if v := field.Enum().Values().Get(i); v.Number() != 0 {
			names = append(names, fmt.Sprintf("%s (%d)", v.Name(), v.Number()))
		}
	}
	return ", want one of " + strings.Join(names, ", ")
}

func members(o protoreflect.OneofDescriptor) []string {
	var names []string
	for i := range o.Fields().Len() {
		names = append(names, string(o.Fields().Get(i).Name()))
	}
	return names
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// short keeps a client's own text from filling the answer.
func short(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
