package template_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/template"
)

// Beside each template of testdata stands what the SAM translator made of it (samtranslator 1.110.0, CodeUri put to S3 first as
// `sam package` does). Both must ask for the same things.
func TestTheLongFormOfATemplateAsksForTheSame(t *testing.T) {
	files, err := filepath.Glob("testdata/*.translated.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 12 {
		t.Fatalf("got %d translated templates, want at least 12", len(files))
	}
	for _, long := range files {
		short := strings.TrimSuffix(long, ".translated.json") + ".yaml"
		if _, err := os.Stat(short); err != nil {
			short = strings.TrimSuffix(long, ".translated.json") + ".json"
		}
		t.Run(filepath.Base(short), func(t *testing.T) {
			is := is.New(t)
			for _, overrides := range []map[string]string{nil, {"Tier": "paid"}} {
				if overrides != nil && !strings.HasSuffix(short, "conditions.yaml") {
					continue
				}
				o := template.Options{Parameters: overrides}
				is.Equal(essence(t, long, o), essence(t, short, o))
			}
		})
	}
}

// essence is a plan without what the two forms cannot share: lines, the place of the code, the order of what SAM moves.
func essence(t *testing.T, file string, o template.Options) string {
	t.Helper()
	p := parseFile(t, file, o)
	p.Notices = nil
	for i := range p.Functions {
		f := &p.Functions[i]
		f.At, f.CodeURI, f.CodeElsewhere, f.BuildMethod = template.Place{}, "", "", ""
		for j := range f.Statements {
			f.Statements[j].At = template.Place{}
		}
		slices.SortFunc(f.Statements, func(a, b template.Statement) int { return strings.Compare(text(t, a), text(t, b)) })
	}
	for i := range p.APIs {
		p.APIs[i].At = template.Place{}
		for j := range p.APIs[i].Routes {
			p.APIs[i].Routes[j].At = template.Place{}
		}
	}
	for i := range p.Rules {
		p.Rules[i].At = template.Place{}
	}
	for i := range p.Queues {
		p.Queues[i].At = template.Place{}
	}
	for i := range p.Mappings {
		p.Mappings[i].At = template.Place{}
	}
	for i := range p.Tables {
		p.Tables[i].At = template.Place{}
	}
	for i := range p.Repositories {
		p.Repositories[i].At = template.Place{}
	}
	slices.SortFunc(p.Functions, func(a, b template.Function) int { return strings.Compare(a.LogicalID, b.LogicalID) })
	slices.SortFunc(p.APIs, func(a, b template.API) int { return strings.Compare(a.LogicalID, b.LogicalID) })
	slices.SortFunc(p.Rules, func(a, b template.Rule) int { return strings.Compare(a.LogicalID, b.LogicalID) })
	slices.SortFunc(p.Queues, func(a, b template.Queue) int { return strings.Compare(a.LogicalID, b.LogicalID) })
	slices.SortFunc(p.Mappings, func(a, b template.Mapping) int { return strings.Compare(a.LogicalID, b.LogicalID) })
	slices.SortFunc(p.Tables, func(a, b template.Table) int { return strings.Compare(a.LogicalID, b.LogicalID) })
	return text(t, p)
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func parseFile(t *testing.T, file string, o template.Options) *template.Plan {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := template.Parse(filepath.Base(file), data, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
