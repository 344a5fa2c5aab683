package regcast_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/regcast/regcast/"

// own says which packages of this module each package may import. A folder that is not here may import nothing of ours, and a new
// folder must be entered here: that is the moment to ask which room it is.
var own = map[string][]string{
	"events":                            {},
	"events/yandex":                     {"events"},
	"events/ecr":                        {"events"},
	"recording":                         {"events"},
	"recording/foreign":                 {"events", "events/yandex", "events/ecr", "recording"},
	"recording/diff":                    {"events", "recording"},
	"recording/explain":                 {"events", "recording"},
	"recording/report":                  {"events", "recording", "recording/diff"},
	"emulator/internal/clock":           {},
	"emulator/internal/fault":           {"events", "emulator/internal/clock"},
	"emulator/internal/journal":         {"events", "emulator/internal/clock"},
	"emulator/internal/registry":        {"events", "emulator/internal/clock"},
	"emulator/internal/trigger":         {"events", "emulator/internal/clock"},
	"emulator/internal/trigger/jq":      {},
	"emulator/internal/trigger/pattern": {"events"},
	"emulator/internal/queue":           {"events", "emulator/internal/clock"},
	"emulator/internal/runner":          {"events", "emulator/internal/clock", "emulator/internal/runner/build"},
	"emulator/internal/runner/build":    {"emulator/internal/clock"},
	"emulator/internal/template":        {},
	"emulator/internal/dynamodb": {"emulator/internal/clock", "emulator/internal/dynamodb/document",
		"emulator/internal/dynamodb/expression"},
	"emulator/internal/dynamodb/document":   {},
	"emulator/internal/dynamodb/expression": {"emulator/internal/dynamodb/document"},
	"emulator/internal/aws": {"events", "events/ecr", "emulator/internal/clock", "emulator/internal/trigger",
		"emulator/internal/trigger/pattern", "emulator/internal/gateway", "emulator/internal/queue", "emulator/internal/runner",
		"emulator/internal/template", "emulator/internal/dynamodb"},
	"emulator/internal/guard":     {},
	"emulator/internal/authority": {},
	"emulator/internal/port":      {},
	"emulator/internal/gateway":   {"events", "emulator/internal/clock"},
	"emulator/internal/yandex": {"events", "events/yandex", "emulator/internal/clock", "emulator/internal/trigger",
		"emulator/internal/trigger/jq", "emulator/internal/gateway", "emulator/internal/runner"},
	"emulator/internal/yandex/wire":            {"emulator/internal/clock"},
	"emulator/internal/yandex/wire/wiretest":   {},
	"emulator/internal/yandex/resource":        {"emulator/internal/clock"},
	"emulator/internal/yandex/resourcemanager": {"emulator/internal/yandex/resource"},
	"emulator/internal/yandex/iam":             {"emulator/internal/yandex/resource"},
	"emulator/internal/yandex/functions":       {"emulator/internal/runner", "emulator/internal/yandex/resource"},
	"emulator/internal/yandex/containers":      {"emulator/internal/yandex/resource"},
	"emulator/internal/yandex/apigateway":      {"emulator/internal/yandex", "emulator/internal/yandex/resource"},
	"emulator/internal/yandex/triggers":        {"emulator/internal/trigger", "emulator/internal/yandex", "emulator/internal/yandex/resource"},
	"emulator/internal/yandex/containerregistry": {"events/yandex", "emulator/internal/registry", "emulator/internal/yandex",
		"emulator/internal/yandex/resource"},
	"emulator/internal/yandex/logging": {"emulator/internal/clock", "emulator/internal/yandex", "emulator/internal/yandex/resource"},
	"emulator/internal/yandex/control": {"emulator/internal/clock", "emulator/internal/registry", "emulator/internal/runner",
		"emulator/internal/trigger", "emulator/internal/yandex", "emulator/internal/yandex/apigateway",
		"emulator/internal/yandex/containerregistry", "emulator/internal/yandex/containers", "emulator/internal/yandex/functions",
		"emulator/internal/yandex/iam", "emulator/internal/yandex/logging", "emulator/internal/yandex/resource",
		"emulator/internal/yandex/resourcemanager", "emulator/internal/yandex/triggers", "emulator/internal/yandex/wire"},
	"emulator": {"events", "events/yandex", "events/ecr", "emulator/internal/aws", "emulator/internal/authority", "emulator/internal/port",
		"emulator/internal/guard", "emulator/internal/queue", "emulator/internal/runner",
		"emulator/internal/template", "emulator/internal/dynamodb", "emulator/internal/clock", "emulator/internal/journal", "emulator/internal/registry",
		"emulator/internal/trigger", "emulator/internal/gateway", "emulator/internal/yandex", "emulator/internal/yandex/control",
		"emulator/internal/yandex/containers", "emulator/internal/yandex/functions", "emulator/internal/fault", "recording", "recording/explain"},
	"emulator/rerun":        {"events", "emulator", "emulator/internal/clock", "recording"},
	"emulator/shake":        {"events", "emulator", "emulator/rerun", "recording", "recording/diff"},
	"emulator/emulatortest": {"events", "events/yandex", "emulator", "emulator/rerun", "emulator/internal/clock", "recording", "recording/diff"},
	// What the tests run as functions.
	"emulator/testdata/caller": {},
	"emulator/testdata/errand": {},
	"emulator/testdata/probe":  {"emulator/testdata/errand"},

	"functions/wish":           {"events/yandex"},
	"functions/token":          {},
	"functions/gateway":        {},
	"functions/store":          {"functions/wish"},
	"functions/socket":         {"functions/wish"},
	"functions/broadcast":      {"events/ecr", "events/yandex", "functions/gateway", "functions/store", "functions/wish"},
	"functions/capture":        {},
	"functions/config":         {"functions/broadcast", "functions/capture", "functions/gateway", "functions/socket", "functions/store", "functions/token"},
	"functions/aws":            {"functions/config", "functions/socket"},
	"functions/aws/connect":    {"functions/aws", "functions/socket"},
	"functions/aws/disconnect": {"functions/aws", "functions/socket"},
	"functions/aws/default":    {"functions/aws", "functions/socket"},
	"functions/aws/broadcast":  {"functions/aws"},
	"functions/aws/capture":    {"functions/aws"},
	"functions/yandex":         {"functions/broadcast", "functions/capture", "functions/config", "functions/socket"},

	"cmd/regcast": {"events", "events/ecr", "events/yandex", "emulator", "emulator/rerun", "emulator/shake", "cmd/regcast/yc", "recording",
		"recording/foreign", "recording/diff", "recording/explain", "recording/report"},
	"cmd/regcast/yc": {},
	"bench":          {},

	"bench/testdata/functions/echo": {},
}

// only says which libraries live behind which rooms' walls. A library stands for the packages below it.
var only = map[string][]string{
	"github.com/nats-io":                   {"emulator/internal/journal"},
	"github.com/gobwas":                    {"emulator/internal/gateway"},
	"github.com/itchyny/gojq":              {"emulator/internal/trigger/jq", "cmd/regcast"},
	"github.com/BurntSushi/toml":           {"emulator/internal/template"},
	"go.yaml.in/yaml":                      {"emulator/internal/yandex", "emulator/internal/template", "emulator/internal/fault", "cmd/regcast/yc"},
	"github.com/spf13/cobra":               {"cmd/regcast"},
	"github.com/shirou/gopsutil":           {"cmd/regcast"},
	"google.golang.org/grpc":               {"emulator/internal/yandex", "emulator/testdata", "cmd/regcast/yc"},
	"connectrpc.com":                       {"emulator/internal/yandex/wire"},
	"google.golang.org/protobuf":           {"emulator/internal/yandex", "cmd/regcast/yc"},
	"github.com/aws/aws-lambda-go/lambda":  {"functions/aws", "emulator/testdata", "bench/testdata"},
	"github.com/aws/aws-sdk-go-v2":         {"functions", "emulator/testdata", "cmd/regcast"},
	"github.com/kelseyhightower/envconfig": {"functions"},
	"github.com/fsnotify/fsnotify":         {"emulator/internal/runner"},
	"github.com/go-jose/go-jose":           {"emulator/internal/yandex"},
	"github.com/google/btree":              {"emulator/internal/dynamodb"},
	"github.com/klauspost/compress":        {"recording"},
}

// The imports are read inside the test: an exec of `go list` would be answered from the test cache.
func TestWalls(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		allowed, known := own[dir]
		if !known && !seen[dir] {
			t.Errorf("%s: this folder has no walls; enter it in walls_test.go", dir)
		}
		seen[dir] = true
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if room, ours := strings.CutPrefix(name, module); ours && !slices.Contains(allowed, room) {
				t.Errorf("%s imports %s; it may import of ours: %v", path, room, allowed)
			}
			for library, rooms := range only {
				if within(name, library) && !slices.ContainsFunc(rooms, func(room string) bool { return within(dir, room) }) {
					t.Errorf("%s imports %s; only %v may", path, name, rooms)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir := range own {
		if !seen[dir] {
			t.Errorf("%s: walls_test.go names a folder that is not there", dir)
		}
	}
}

func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }
