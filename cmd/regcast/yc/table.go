package yc

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// column is one of a table: what stands above it, and which field it shows.
type column struct {
	title string
	path  string                            // "image.image_url"; a timestamp, a list, a map, an enum is worded as yc does
	text  func(protoreflect.Message) string // in place of path
}

// writeTable draws a table as yc does: headers in the middle, cells to the left, and an empty line below.
func writeTable(w io.Writer, columns []column, list []proto.Message) error {
	rows := make([][]string, len(list))
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = utf8.RuneCountInString(c.title)
	}
	for r, m := range list {
		for i, c := range columns {
			cell := c.cell(m.ProtoReflect())
			rows[r] = append(rows[r], cell)
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	rule := func() {
		for _, width := range widths {
			b.WriteString("+" + strings.Repeat("-", width+2))
		}
		b.WriteString("+\n")
	}
	rule()
	for i, c := range columns {
		left := (widths[i] - utf8.RuneCountInString(c.title)) / 2
		fmt.Fprintf(&b, "| %-*s ", widths[i], strings.Repeat(" ", left)+c.title)
	}
	b.WriteString("|\n")
	rule()
	for _, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(&b, "| %-*s ", widths[i], cell)
		}
		b.WriteString("|\n")
	}
	rule()
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func (c column) cell(m protoreflect.Message) string {
	if c.text != nil {
		return c.text(m)
	}
	names := strings.Split(c.path, ".")
	for _, name := range names[:len(names)-1] {
		m = m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name))).Message()
	}
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(names[len(names)-1]))
	if !m.Has(fd) {
		return ""
	}
	v := m.Get(fd)
	switch {
	case fd.IsMap():
		var pairs []string
		v.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
			pairs = append(pairs, key.String()+"="+value.String())
			return true
		})
		slices.Sort(pairs)
		return strings.Join(pairs, ",")
	case fd.IsList():
		var items []string
		for i := range v.List().Len() {
			items = append(items, v.List().Get(i).String())
		}
		return strings.Join(items, ", ")
	case fd.Kind() == protoreflect.EnumKind:
		return enumWord(fd.Enum(), v.Enum())
	case fd.Kind() == protoreflect.MessageKind:
		if t, ok := v.Message().Interface().(interface{ AsTime() time.Time }); ok {
			return t.AsTime().UTC().Format(time.DateTime)
		}
	}
	return v.String()
}

func enumWord(e protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	if v := e.Values().ByNumber(n); v != nil {
		return string(v.Name())
	}
	return fmt.Sprint(n)
}

// byteSize words a size as yc's tables have it.
func byteSize(path string) func(protoreflect.Message) string {
	return func(m protoreflect.Message) string {
		size := m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(path))).Int()
		for i, unit := range []string{"GB", "MB", "KB"} {
			if of := int64(1) << (30 - 10*i); size > of {
				return fmt.Sprintf("%.1f %s", float64(size)/float64(of), unit)
			}
		}
		return fmt.Sprintf("%d B", size)
	}
}
