package yc

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// field ties a flag to a field of a command's request. What the flag takes follows from the field's type.
type field struct {
	flag string
	path string // "rule.container_registry.tag"; a * is the action that is chosen by then
	use  string
	also []string        // other spellings
	one  string          // its one-letter spelling
	of   func() resource // what the field holds the id of: a flag of -name stands beside that of -id
	kind kind
}

// kind is how a flag's text is read where the field's type does not say it.
type kind int

const (
	plain kind = iota
	size       // "128m" are bytes
	file       // the text is in this file
)

// setting is a field on one command line. It is the flag's value.
type setting struct {
	field
	fd    protoreflect.FieldDescriptor
	named bool // the text is a name, to be resolved to an id
	texts []string
}

// settings adds the flags of fields to a command and returns them for fill.
func settings(c *cobra.Command, request protoreflect.MessageDescriptor, fields []field) []*setting {
	var all []*setting
	add := func(s *setting, name, use string) {
		all = append(all, s)
		f := c.Flags().VarPF(s, name, s.one, use)
		if s.bool() {
			f.NoOptDefVal = "true"
		}
		for _, other := range s.also {
			hidden := c.Flags().VarPF(s, other, "", use)
			hidden.Hidden, hidden.NoOptDefVal = true, f.NoOptDefVal
		}
	}
	for _, f := range fields {
		fd := find(request, f.path)
		add(&setting{field: f, fd: fd}, f.flag, f.use)
		if f.of == nil {
			continue
		}
		byName := f
		byName.one, byName.also = "", nil
		for _, other := range f.also {
			byName.also = append(byName.also, strings.TrimSuffix(other, "-id")+"-name")
		}
		byName.flag = strings.TrimSuffix(f.flag, "-id") + "-name"
		add(&setting{field: byName, fd: fd, named: true}, byName.flag, f.use+", by name")
	}
	return all
}

// find descends to a field. The path is this package's, so a wrong one is a mistake here.
func find(m protoreflect.MessageDescriptor, path string) protoreflect.FieldDescriptor {
	var fd protoreflect.FieldDescriptor
	for i, name := range strings.Split(path, ".") {
		if i > 0 {
			m = fd.Message()
		}
		if name == "*" {
			fd = actions(m).Get(0) // all of them that are retried have the same fields
			continue
		}
		if fd = m.Fields().ByName(protoreflect.Name(name)); fd == nil {
			panic("yc: " + string(m.FullName()) + " has no " + name)
		}
	}
	return fd
}

func actions(m protoreflect.MessageDescriptor) protoreflect.FieldDescriptors {
	return m.Oneofs().ByName("action").Fields()
}

func (s *setting) bool() bool     { return s.fd.Kind() == protoreflect.BoolKind }
func (s *setting) many() bool     { return s.fd.IsList() || s.fd.IsMap() }
func (s *setting) String() string { return "" }

// Set is called for each time the flag is given.
func (s *setting) Set(text string) error {
	if !s.many() {
		s.texts = []string{text}
		return nil
	}
	items, err := split(text, s.fd.IsMap())
	s.texts = append(s.texts, items...)
	return err
}

// Type is what help shows, in yc's words.
func (s *setting) Type() string {
	switch {
	case s.fd.IsMap():
		return "key=value[,key=value...]"
	case s.fd.IsList():
		return "value[,value]"
	case s.kind == size:
		return "byteSize"
	case s.bool():
		return "bool"
	case s.fd.Kind() == protoreflect.Int64Kind:
		return "int"
	case s.fd.Kind() == protoreflect.MessageKind:
		return "duration"
	}
	return "string"
}

// split parts a list at its commas. One pair with a = stays whole, so that its value may have commas.
func split(text string, pairs bool) ([]string, error) {
	if text == "" || pairs && strings.Count(text, "=") == 1 {
		return []string{text}, nil
	}
	items, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return nil, fmt.Errorf("%q: want values with commas between them", text)
	}
	return items, nil
}

// fill puts what the command line gave into the request and returns the fields' paths.
func (s *session) fill(ctx context.Context, m protoreflect.Message, all []*setting) ([]string, error) {
	var paths []string
	chosen := map[protoreflect.FullName]*setting{} // the first flag about one of several things of which there can be one
	for _, set := range all {
		if len(set.texts) == 0 {
			continue
		}
		if slices.Contains(paths, set.path) {
			return nil, fmt.Errorf("--%s: this is given twice, by id and by name", set.flag)
		}
		for _, member := range set.members(m.Descriptor()) {
			of := member.ContainingOneof().FullName()
			first, already := chosen[of]
			if !already {
				chosen[of] = set
			} else if !slices.Contains(first.members(m.Descriptor()), member) {
				return nil, fmt.Errorf("--%s and --%s exclude each other: there is one %s", first.flag, set.flag, of.Name())
			}
		}
		if set.named {
			id, err := s.named(ctx, set.of(), set.texts[0])
			if err != nil {
				return nil, fmt.Errorf("--%s: %w", set.flag, err)
			}
			set.texts[0] = id
		}
		if err := set.put(m); err != nil {
			return nil, fmt.Errorf("--%s: %w", set.flag, err)
		}
		paths = append(paths, set.path)
	}
	return paths, nil
}

// members are the fields on the way to this one that exclude others: a trigger has one action.
func (s *setting) members(m protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	var all []protoreflect.FieldDescriptor
	for _, name := range strings.Split(s.path, ".") {
		fd := m.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			break // a *: whichever is chosen by then
		}
		if fd.ContainingOneof() != nil {
			all = append(all, fd)
		}
		m = fd.Message()
	}
	return all
}

func (s *setting) put(m protoreflect.Message) error {
	names := strings.Split(s.path, ".")
	var fd protoreflect.FieldDescriptor
	for i, name := range names {
		if i > 0 {
			m = m.Mutable(fd).Message()
		}
		if name == "*" {
			if fd = m.WhichOneof(m.Descriptor().Oneofs().ByName("action")); fd == nil {
				return errors.New("there is no action yet; name a function or a container with it")
			}
			continue
		}
		action := fd
		if fd = m.Descriptor().Fields().ByName(protoreflect.Name(name)); fd == nil {
			return fmt.Errorf("%s has no such setting", action.Name())
		}
	}
	switch {
	case fd.IsMap():
		return putPairs(m.Mutable(fd).Map(), fd, s.texts)
	case fd.IsList():
		list := m.Mutable(fd).List()
		list.Truncate(0)
		for _, text := range s.texts {
			v, err := s.value(fd, text)
			if err != nil {
				return err
			}
			if text != "" {
				list.Append(v)
			}
		}
		return nil
	}
	v, err := s.value(fd, s.texts[0])
	if err != nil {
		return err
	}
	m.Set(fd, v)
	return nil
}

func putPairs(m protoreflect.Map, fd protoreflect.FieldDescriptor, texts []string) error {
	for _, text := range texts {
		key, value, pair := strings.Cut(text, "=")
		if text == "" {
			continue
		}
		if !pair {
			return fmt.Errorf("%q: want KEY=VALUE", text)
		}
		v := protoreflect.ValueOfString(value)
		if fd.MapValue().Kind() == protoreflect.MessageKind {
			v = m.NewValue()
			variable(v.Message(), value)
		}
		m.Set(protoreflect.ValueOfString(key).MapKey(), v)
	}
	return nil
}

// variable words the value of a gateway's variable: as the number or truth value that it reads as, else as text.
func variable(m protoreflect.Message, text string) {
	name, v := "string_value", protoreflect.ValueOfString(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		name, v = "int_value", protoreflect.ValueOfInt64(n)
	} else if x, err := strconv.ParseFloat(text, 64); err == nil {
		name, v = "double_value", protoreflect.ValueOfFloat64(x)
	} else if text == "true" || text == "false" {
		name, v = "bool_value", protoreflect.ValueOfBool(text == "true")
	}
	m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(name)), v)
}

// value reads a text as the field's type has it.
func (s *setting) value(fd protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	if s.kind == file {
		b, err := os.ReadFile(text)
		if err == nil && !utf8.Valid(b) {
			err = fmt.Errorf("%s: this is no text: want UTF-8", text)
		}
		return protoreflect.ValueOfString(string(b)), err
	}
	if s.kind == size {
		n, err := parseSize(text)
		return protoreflect.ValueOfInt64(n), err
	}
	switch fd.Kind() {
	case protoreflect.Int64Kind:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			err = fmt.Errorf("%q: want a whole number", text)
		}
		return protoreflect.ValueOfInt64(n), err
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(text)
		if err != nil {
			err = fmt.Errorf("%q: want true or false", text)
		}
		return protoreflect.ValueOfBool(b), err
	case protoreflect.EnumKind:
		n, err := parseEnum(fd.Enum(), text)
		return protoreflect.ValueOfEnum(n), err
	case protoreflect.MessageKind: // a duration: find's tables have no other
		d, err := time.ParseDuration(text)
		if err != nil {
			err = fmt.Errorf("%q: want a duration such as 10s", text)
		}
		return protoreflect.ValueOfMessage(durationpb.New(d).ProtoReflect()), err
	}
	return protoreflect.ValueOfString(text), nil
}

// parseEnum reads yc's word for a value: create-image is CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE.
func parseEnum(e protoreflect.EnumDescriptor, text string) (protoreflect.EnumNumber, error) {
	prefix := strings.TrimSuffix(string(e.Values().Get(0).Name()), "UNSPECIFIED")
	word := strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(text), "-", "_"))
	var known []string
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		if v.Number() == 0 {
			continue
		}
		short := strings.TrimPrefix(string(v.Name()), prefix)
		if word == short || word == string(v.Name()) {
			return v.Number(), nil
		}
		known = append(known, strings.ToLower(strings.ReplaceAll(short, "_", "-")))
	}
	return 0, fmt.Errorf("%q: want one of %s", text, strings.Join(known, ", "))
}

// parseSize reads "128m", "128MB", "1GB" or a number of bytes; a K is 1024.
func parseSize(text string) (int64, error) {
	digits := strings.TrimRight(strings.ToUpper(text), "KMGTB")
	unit := strings.TrimSuffix(strings.ToUpper(text)[len(digits):], "B")
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	shift, known := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]
	if err != nil || !known || n < 0 || n > (1<<62)>>shift {
		return 0, fmt.Errorf("%q: want a size such as 128MB or 1GB", text)
	}
	return n << shift, nil
}
