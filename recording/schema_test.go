package recording_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/matryer/is"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/regcast/regcast/recording"
)

const schemaFile = "../docs/recording.schema.json"

// Every member of the types stands in the schema, and the reverse; what is always written is required.
func TestSchemaSaysWhatTheTypesSay(t *testing.T) {
	is := is.New(t)
	data, err := os.ReadFile(schemaFile)
	is.NoErr(err)
	var schema struct {
		Defs map[string]struct {
			Properties map[string]json.RawMessage
			Required   []string
		} `json:"$defs"`
	}
	is.NoErr(json.Unmarshal(data, &schema))
	types := map[string]reflect.Type{}
	gather(types, reflect.TypeFor[recording.Header]())
	gather(types, reflect.TypeFor[recording.Line]())
	is.True(len(types) > 15)
	for name, typ := range types {
		def, ok := schema.Defs[name]
		if !ok {
			t.Errorf("%s: $defs has no %s", typ, name)
			continue
		}
		fields, required := map[string]bool{}, []string{}
		fieldsOf(typ, func(name string, always bool) {
			fields[name] = true
			if always {
				required = append(required, name)
			}
		})
		slices.Sort(required)
		slices.Sort(def.Required)
		if got, want := slices.Sorted(maps.Keys(def.Properties)), slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, the type %v", name, got, want)
		}
		if name != "payload" && !slices.Equal(def.Required, required) {
			t.Errorf("%s: the schema requires %v, the type writes %v", name, def.Required, required)
		}
	}
	for name, def := range schema.Defs {
		if _, ok := types[name]; !ok && name != "payload" && len(def.Properties) > 0 {
			t.Errorf("$defs.%s: no type is called that", name)
		}
	}
}

// gather enters typ and every struct of ours below it, by its name in the schema.
func gather(types map[string]reflect.Type, typ reflect.Type) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		gather(types, typ.Elem())
	case reflect.Struct:
		var name strings.Builder
		for i, r := range typ.Name() {
			if i > 0 && unicode.IsUpper(r) {
				name.WriteByte('_')
			}
			name.WriteRune(unicode.ToLower(r))
		}
		if !strings.Contains(typ.PkgPath(), "regcast") || types[name.String()] != nil {
			return
		}
		types[name.String()] = typ
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				gather(types, f.Type)
			}
		}
	}
}

func fieldsOf(typ reflect.Type, each func(name string, always bool)) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			fieldsOf(f.Type, each)
		case f.IsExported() && name != "-":
			each(name, !strings.Contains(options, "omit"))
		}
	}
}

func TestWhatIsWrittenFitsTheSchema(t *testing.T) {
	is := is.New(t)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile(schemaFile)
	is.NoErr(err)
	real, err := os.ReadFile("testdata/run.regcast.jsonl") // of an emulator that was killed
	is.NoErr(err)
	for line := range bytes.Lines(append(real, formats[0].write(t, 60)...)) {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		is.NoErr(err)
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, bad := range []string{
		`{"format":"regcast.recording","version":0}`, `{"seq":1}`, `{"at":"today"}`, `{"at":"2026-11-23T12:00:00Z","end":{}}`, `[]`,
		`{"at":"2026-11-23T12:00:00Z","frame":{"gateway":"g","data":{}}}`, `{"at":"2026-11-23T12:00:00Z","socket":{"what":"x","connection":"c","gateway":"g"}}`,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		is.NoErr(err)
		if schema.Validate(v) == nil {
			t.Errorf("%s fits", bad)
		}
	}
}

// A recording of an emulator is copied byte for byte.
func TestCopyOfARun(t *testing.T) {
	is := is.New(t)
	real, err := os.ReadFile("testdata/run.regcast.jsonl")
	is.NoErr(err)
	h, lines, errs := read(t, real)
	is.Equal(len(errs), 0)
	is.Equal(len(lines), 12)
	var b bytes.Buffer
	w, err := recording.NewWriter(&b, h)
	is.NoErr(err)
	for _, l := range lines {
		is.NoErr(w.Write(l))
	}
	is.NoErr(w.Close())
	is.Equal(b.String(), string(real))
}
