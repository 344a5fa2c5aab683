package template_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/template"
)

// Whatever the file holds, Parse ends soon, and tells what is wrong with file and line.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(long))
	f.Add([]byte(env("!Sub [\"${A}\", {A: !Select [0, !Ref List]}]")))
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".translated.json") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{
		"a: &a [*a]", "Resources: &r {<<: *r}", "Resources: {A: {Type: AWS::SQS::Queue, Properties: &p {QueueName: {Fn::Sub: *p}}}}",
		"Resources: {A: {Type: AWS::SQS::Queue, Properties: {QueueName: !GetAtt A.QueueName}}}",
		"Conditions: {A: &a {Fn::Not: [*a]}}\nResources: {A: {Type: B, Condition: A}}",
		"Resources: {A: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: '{\"a\":[{}]}'}}}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		begun := time.Now()
		p, err := template.Parse("t", data, template.Options{})
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("took %s", took)
		}
		var fe *template.FileError
		switch {
		case err == nil && p == nil, err != nil && p != nil:
			t.Errorf("got %v and %v", p, err)
		case err != nil && !errors.As(err, &fe):
			t.Errorf("got %v, want a FileError", err)
		case fe != nil && len(fe.Problems) == 0:
			t.Error("got no problem")
		}
		if fe != nil {
			for _, problem := range fe.Problems {
				if !strings.HasPrefix(problem, "t:") {
					t.Errorf("got %q, want it to begin with the file", problem)
				}
			}
		}
	})
}

func TestWhatGrowsWithoutEndIsRefused(t *testing.T) {
	sub := `!Sub ["${a}${a}", {a: x}]`
	for range 25 {
		sub = `{"Fn::Sub": ["${a}${a}", {a: ` + strings.Replace(sub, `!Sub ["${a}${a}", {a: x}]`, `{"Fn::Sub": ["${a}${a}", {a: x}]}`, 1) + `}]}`
	}
	for _, text := range []string{bomb(), "Resources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: " + sub + "}}}"} {
		begun := time.Now()
		_, err := template.Parse("t", []byte(text), template.Options{})
		if err == nil {
			t.Error("got a plan")
		} else if !strings.Contains(err.Error(), "want less") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("took %s", took)
		}
	}
}

// bomb is small to write and would be huge to write out.
func bomb() string {
	var b strings.Builder
	b.WriteString("Metadata:\n  a0: &a0 [x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		last := string(rune('a' + i - 1))
		b.WriteString("  " + string(rune('a'+i)) + ": &" + string(rune('a'+i)) + "0 [" + strings.Repeat("*"+last+"0, ", 8) + "]\n")
	}
	b.WriteString("Resources: {Q: {Type: AWS::SQS::Queue, Properties: {Tags: *l0}}}\n")
	return b.String()
}

func FuzzOverrides(f *testing.F) {
	for _, s := range []string{`A=1 B="two words"`, `ParameterKey=A,ParameterValue=1`, `A='x y' B=a\ b`, `A="`, `A`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, err := template.Overrides([]string{s})
		if err != nil {
			return
		}
		second, err := template.Overrides([]string{s, s})
		if err != nil || !maps.Equal(first, second) {
			t.Errorf("got %v and %v, %v", first, second, err)
		}
	})
}

func FuzzSAMConfig(f *testing.F) {
	f.Add("samconfig.toml", "[default.deploy.parameters]\nparameter_overrides = \"A=1\"\n")
	f.Add("samconfig.yaml", "default: {deploy: {parameters: {parameter_overrides: [A=1], stack_name: s}}}")
	f.Fuzz(func(t *testing.T, file, data string) {
		_, err := template.SAMConfig(file, []byte(data), "")
		var fe *template.FileError
		if err != nil && !errors.As(err, &fe) {
			t.Errorf("got %v, want a FileError", err)
		}
	})
}
