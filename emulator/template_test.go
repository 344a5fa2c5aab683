package emulator_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// handler is a function in the test's process.
type handler func(ctx context.Context, payload []byte) ([]byte, error)

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

const nodeTemplate = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello/
      Handler: app.handler
      Runtime: nodejs20.x
`

func TestAFunctionThatCannotRunHere(t *testing.T) {
	is := is.New(t)
	var log bytes.Buffer
	cfg := emulator.Config{
		Template: &emulator.Template{File: emulator.File{Name: "t.yaml", Data: []byte(nodeTemplate)}, Dir: t.TempDir()},
		Logger:   slog.New(slog.NewTextHandler(&log, nil)),
	}
	em := emulatortest.Start(t, cfg)
	is.Equal(strings.Count(log.String(), "\n"), 1) // once
	is.True(strings.Contains(log.String(), "t.yaml:4: Hello: not emulated: the runtime nodejs20.x: every call of it fails; "+
		"put an executable named bootstrap that speaks the Lambda runtime API into hello and it will be run"))
	_, err := em.Invoke(t.Context(), "Hello", nil)
	is.True(errors.Is(err, emulator.ErrNoFunction))

	log.Reset()
	cfg.Functions = map[string]emulator.Function{
		"Hello": handler(func(context.Context, []byte) ([]byte, error) { return []byte(`"hi"`), nil }),
	}
	em = emulatortest.Start(t, cfg)
	is.Equal(log.String(), "") // it runs in this process
	out, err := em.Invoke(t.Context(), "Hello", nil)
	is.NoErr(err)
	is.Equal(string(out), `"hi"`)
}

// Wherever the code is, the function is told of once, and not at all when it runs in this process.
func TestAFunctionWithoutCode(t *testing.T) {
	for change, want := range map[string]string{
		"CodeUri: .":                      "not emulated: the runtime nodejs20.x: every call of it fails; put an executable named bootstrap that speaks the Lambda runtime API into the template's folder and it will be run",
		"CodeUri: s3://bucket/key":        "not emulated: code in S3: every call of it fails; name a folder in its place and it will be run",
		"InlineCode: exports.handler = 1": "not emulated: code in the template: every call of it fails; name a folder in its place and it will be run",
		"PackageType: Image":              "not emulated: code in a container image: every call of it fails; name a folder in its place and it will be run",
	} {
		t.Run(change, func(t *testing.T) {
			is := is.New(t)
			var log bytes.Buffer
			cfg := emulator.Config{
				Template: &emulator.Template{File: emulator.File{Name: "t.yaml", Data: []byte(strings.Replace(nodeTemplate, "CodeUri: hello/", change, 1))}, Dir: t.TempDir()},
				Logger:   slog.New(slog.NewTextHandler(&log, nil)),
			}
			emulatortest.Start(t, cfg)
			is.Equal(strings.Count(log.String(), "\n"), 1)
			is.True(strings.Contains(log.String(), "t.yaml:4: Hello: "+want))
			log.Reset()
			cfg.Functions = map[string]emulator.Function{"Hello": handler(nil)}
			emulatortest.Start(t, cfg)
			is.Equal(log.String(), "")
		})
	}
}

// A program of another language that nobody has built yet is no broken Go package, and no reason to run nothing at all.
func TestAFunctionThatIsNotBuilt(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	is.NoErr(os.MkdirAll(filepath.Join(dir, "hello", "src"), 0o755))
	is.NoErr(os.WriteFile(filepath.Join(dir, "hello", "Cargo.toml"), nil, 0o644))
	var log bytes.Buffer
	em := emulatortest.Start(t, emulator.Config{
		Template: &emulator.Template{File: emulator.File{Name: "t.yaml", Data: []byte(strings.Replace(nodeTemplate, "nodejs20.x", "provided.al2023", 1))}, Dir: dir},
		Logger:   slog.New(slog.NewTextHandler(&log, nil)),
	})
	is.True(strings.Contains(log.String(), "t.yaml:4: Hello: every call of it fails: neither an executable named bootstrap nor a Go file is in "+filepath.Join(dir, "hello")))
	_, err := em.Invoke(t.Context(), "Hello", nil)
	is.True(errors.Is(err, emulator.ErrNoFunction))
}

func TestReadTemplateTakesWhatSamDeployTakes(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "template.yaml")
	is.NoErr(os.WriteFile(path, []byte(nodeTemplate), 0o600))
	is.NoErr(os.WriteFile(filepath.Join(dir, "samconfig.toml"), []byte(`
[default.deploy.parameters]
stack_name = "mine"
region = "eu-north-1"
parameter_overrides = "A=1 B=2"
[other.deploy.parameters]
stack_name = "theirs"
`), 0o600))
	got, err := emulator.ReadTemplate(path, "", "B=3 C=4")
	is.NoErr(err)
	is.Equal(got.Stack, "mine")
	is.Equal(got.Region, "eu-north-1")
	is.Equal(got.Dir, dir)
	is.Equal(got.Parameters, map[string]string{"A": "1", "B": "3", "C": "4"})
	got, err = emulator.ReadTemplate(path, "other")
	is.NoErr(err)
	is.Equal(got.Stack, "theirs")
	is.NoErr(os.WriteFile(filepath.Join(dir, "samconfig.toml"), []byte("[other.deploy.parameters]\nstack_name = \"theirs\"\n"), 0o600))
	got, err = emulator.ReadTemplate(path, "")
	is.NoErr(err) // nobody asked for an environment
	is.Equal(got.Stack, "")
	_, err = emulator.ReadTemplate(path, "default")
	is.True(err != nil)
	_, err = emulator.ReadTemplate(path, "", "nonsense")
	is.True(err != nil)
}
