package resource_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	triggers "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

var filtered = &triggers.Trigger{Id: "a1s1", FolderId: "b1g1", Name: `my "own"`, Status: triggers.Trigger_PAUSED}

func TestFilter(t *testing.T) {
	for text, want := range map[string]bool{
		`name="my \"own\""`:                     true,
		`name = 'my "own"'`:                     true,
		`name="my"`:                             false,
		`name!="my"`:                            true,
		`id=a1s1`:                               true,
		`ID=a1s1`:                               true,
		`folderId="b1g1"`:                       true,
		`status="PAUSED"`:                       true,
		`status!=PAUSED`:                        false,
		`description=""`:                        true,
		`id="a1s1" AND folder_id="b1g1"`:        true,
		`id="a1s1" and folder_id="b1g2"`:        false,
		`id IN ("a1s0", 'a1s1')`:                true,
		`id in(a1s0)`:                           false,
		`id NOT IN ("a1s0")`:                    true,
		`id not in ("a1s0","a1s1")`:             false,
		"\t name !=\n 'x' AND id NOT IN ( y ) ": true,
	} {
		keep, err := resource.Filter(filtered.ProtoReflect().Descriptor(), text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := keep(filtered); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestAFilterThatIsNotUnderstood(t *testing.T) {
	for text, want := range map[string]string{
		``:                    "one of the fields id, folder_id, name, description",
		`nam="x"`:             "one of the fields",
		`labels="x"`:          "one of the fields",
		`source="x"`:          "one of the fields",
		`name`:                "=, !=, IN or NOT IN",
		`name~"x"`:            "=, !=, IN or NOT IN",
		`name=`:               "a value in quotes",
		`name="x`:             "a value whose quotes end",
		`name="x\`:            "a value whose quotes end",
		`name NOT "x"`:        "want IN",
		`name IN "x"`:         "want (",
		`name IN ("x"`:        "want , or )",
		`name IN ()`:          "a value in quotes",
		`name="x" OR id="y"`:  "AND or the end",
		`name="x" AND`:        "one of the fields",
		`name="x" id="y"`:     `"id=\"y\""`, // where
		`name="долго" id="y"`: "AND or the end",
	} {
		_, err := resource.Filter(filtered.ProtoReflect().Descriptor(), text)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(status.Convert(err).Message(), want) {
			t.Errorf("%s: got %v, want it to say %q", text, err, want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{`name="x"`, `name != 'x' AND id IN (a, "b")`, `status NOT IN (ACTIVE)`, `name="\`, `name="x`, ` `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		is := is.New(t)
		keep, err := resource.Filter(filtered.ProtoReflect().Descriptor(), text)
		if err != nil {
			is.Equal(status.Code(err), codes.InvalidArgument)
			return
		}
		// What two conditions let pass, each of them does.
		both, err := resource.Filter(filtered.ProtoReflect().Descriptor(), text+" AND "+text)
		is.NoErr(err)
		is.Equal(keep(filtered), both(filtered))
	})
}
