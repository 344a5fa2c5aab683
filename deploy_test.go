package regcast_test

import (
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// found returns what the first group of pattern matches, sorted, once each. Nothing is a failure.
func found(t *testing.T, pattern, in string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(in, -1) {
		all = append(all, m[1])
	}
	if all == nil {
		t.Fatalf("nothing matches %s", pattern)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// What the Makefile builds, what template.yaml deploys and what there is are the same functions.
func TestEveryLambdaIsBuiltAndDeployed(t *testing.T) {
	is := is.New(t)
	built := map[string]string{}
	list := regexp.MustCompile(`(?m)^LAMBDAS := (.*)$`).FindStringSubmatch(text(t, "Makefile"))
	is.True(list != nil) // the Makefile has LAMBDAS
	for _, pair := range strings.Fields(list[1]) {
		id, folder, _ := strings.Cut(pair, "=")
		built[id] = "functions/aws/" + folder
	}
	deployed := map[string]string{}
	resource := regexp.MustCompile(`(?ms)^  (\w+):\n    Type: AWS::Serverless::Function\n.*?^      CodeUri: (\S+)$`)
	for _, m := range resource.FindAllStringSubmatch(text(t, "template.yaml"), -1) {
		deployed[m[1]] = m[2]
	}
	is.Equal(built, deployed)
	var folders []string
	entries, err := os.ReadDir("functions/aws")
	is.NoErr(err)
	for _, e := range entries {
		if e.IsDir() {
			folders = append(folders, path.Join("functions/aws", e.Name()))
		}
	}
	is.Equal(slices.Sorted(maps.Values(built)), folders)
}

// Terraform puts real ids in the place of each stand-in of the gateway's specification, and its functions are those of functions/yandex.
func TestTerraformNamesWhatThereIs(t *testing.T) {
	is := is.New(t)
	terraform, source := text(t, "deploy/yandex/main.tf"), text(t, "functions/yandex/index.go")
	is.Equal(found(t, `"((?:d4e|aje)[a-z0-9]{17})"`, terraform), found(t, `_id: (\S+)`, text(t, "deploy/yandex/openapi.yaml")))
	is.Equal(found(t, `"index\.(\w+)"`, terraform), found(t, `(?m)^func ([A-Z]\w*)\(`, source))
	is.Equal(found(t, `"(CONTAINER_REGISTRY_EVENT_TYPE_\w+)"`, terraform),
		found(t, `- (CONTAINER_REGISTRY_EVENT_TYPE_\w+)`, text(t, "deploy/yandex/trigger.yaml")))
}

// The zip is tried with the Go of the runtime that Terraform asks for.
func TestYandexBuildsWithTheRuntimesGo(t *testing.T) {
	is := is.New(t)
	runtime := found(t, `runtime\s+= "golang(\d+)"`, text(t, "deploy/yandex/main.tf"))
	is.Equal(len(runtime), 1)
	is.Equal(found(t, `(?m)^go (\S+)$`, text(t, "deploy/yandex/build.mod")), []string{runtime[0][:1] + "." + runtime[0][1:]})
	is.Equal(found(t, `BUILDER_GO:-go(\d+\.\d+)\.`, text(t, "deploy/yandex/pack")), []string{runtime[0][:1] + "." + runtime[0][1:]})
}

// What `regcast capture` tells people to type is what docs/DEPLOY.md has them type.
func TestCaptureSaysWhatTheDocumentationSays(t *testing.T) {
	is := is.New(t)
	printed := regexp.MustCompile("(?s)const capture = `(.*?)`").FindStringSubmatch(text(t, "cmd/regcast/capture.go"))
	is.True(printed != nil)
	documentation := text(t, "docs/DEPLOY.md")
	for _, command := range found(t, `(?m)^  (\S.*)$`, printed[1]) {
		if !strings.Contains(documentation, "\n"+command) {
			t.Errorf("docs/DEPLOY.md has no line that begins with %s", command)
		}
	}
}
