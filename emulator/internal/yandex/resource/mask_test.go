package resource_test

import (
	"testing"

	"github.com/matryer/is"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	triggers "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

var updatable = []string{"name", "description", "labels", "source", "action"}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

func TestUpdate(t *testing.T) {
	const before = `id: "a1s1" name: "old" description: "old" labels { key: "a" value: "1" } labels { key: "b" value: "2" }
		source { container_registry { registry_id: "crp1" image_name: "old" tag: "old" batch_settings { max_count: 5 max_bytes: 7 } } }
		action { filter { jq: "old" } } action { invoke_function { function_id: "d4e1" } }`
	for _, test := range []struct {
		name          string
		mask          *fieldmaskpb.FieldMask
		request, want string
	}{
		{"no mask: everything that may change, and nothing else", nil, `trigger_id: "a1s1" name: "new"`, `id: "a1s1" name: "new"`},
		{"an empty mask is none", mask(), `name: "new"`, `id: "a1s1" name: "new"`},
		{"shallow", mask("description"), `name: "ignored" description: "new"`, `id: "a1s1" name: "old" description: "new"
			labels { key: "a" value: "1" } labels { key: "b" value: "2" }
			source { container_registry { registry_id: "crp1" image_name: "old" tag: "old" batch_settings { max_count: 5 max_bytes: 7 } } }
			action { filter { jq: "old" } } action { invoke_function { function_id: "d4e1" } }`},
		{"named and unset: becomes unset", mask("name", "labels", "source", "action"), ``, `id: "a1s1" description: "old"`},
		{"a map is replaced, not merged", mask("labels", "source", "action", "description"), `labels { key: "b" value: "3" }`,
			`id: "a1s1" name: "old" labels { key: "b" value: "3" }`},
		{"a list is replaced, in its order", mask("action", "source", "labels"), `action { filter { jq: "2" } } action { filter { jq: "1" } }`,
			`id: "a1s1" name: "old" description: "old" action { filter { jq: "2" } } action { filter { jq: "1" } }`},
		{"nested, through a oneof", mask("source.container_registry.tag", "source.container_registry.batch_settings.max_count", "labels", "action"),
			`source { container_registry { tag: "new" image_name: "ignored" batch_settings { max_count: 9 } } }`,
			`id: "a1s1" name: "old" description: "old"
			source { container_registry { registry_id: "crp1" image_name: "old" tag: "new" batch_settings { max_count: 9 max_bytes: 7 } } }`},
		{"nested and unset", mask("source.container_registry.batch_settings", "source.container_registry.tag", "labels", "action"), ``,
			`id: "a1s1" name: "old" description: "old" source { container_registry { registry_id: "crp1" image_name: "old" } }`},
		{"nested, where the other member of the oneof was", mask("source.timer.cron_expression", "labels", "action"),
			`source { timer { cron_expression: "* * * * ? *" payload: "ignored" } }`,
			`id: "a1s1" name: "old" description: "old" source { timer { cron_expression: "* * * * ? *" } }`},
		{"unset, where the other member of the oneof is", mask("source.timer.payload", "source.mail", "labels", "action"), ``,
			`id: "a1s1" name: "old" description: "old"
			source { container_registry { registry_id: "crp1" image_name: "old" tag: "old" batch_settings { max_count: 5 max_bytes: 7 } } }`},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			got, want, request := &triggers.Trigger{}, &triggers.Trigger{}, &triggers.UpdateTriggerRequest{}
			is.NoErr(prototext.Unmarshal([]byte(before), got))
			is.NoErr(prototext.Unmarshal([]byte(test.want), want))
			is.NoErr(prototext.Unmarshal([]byte(test.request), request))
			is.NoErr(resource.Update(got, request, test.mask, updatable...))
			if !proto.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestWhatWasCopiedIsTheResourcesOwn(t *testing.T) {
	is, got := is.New(t), &triggers.Trigger{}
	request := &triggers.UpdateTriggerRequest{Labels: map[string]string{"a": "1"}, Action: []*triggers.Action{{}}}
	is.NoErr(resource.Update(got, request, nil, updatable...))
	request.Labels["a"] = "2"
	request.Action[0].Filter = &triggers.Filter{}
	is.Equal(got.Labels["a"], "1")
	is.True(got.Action[0].Filter == nil)
}

func TestAMaskNamesEveryPathThatIsWrong(t *testing.T) {
	got := &triggers.Trigger{Name: "old"}
	request := &triggers.UpdateTriggerRequest{Name: "new"}
	err := resource.Update(got, request, mask("id", "name", "", "labels.a", "action.filter", "source.container_registry.tagg", "name.", "*"), updatable...)
	wrong(t, err, "update_mask", "update_mask", "update_mask", "update_mask", "update_mask", "update_mask", "update_mask")
	is.New(t).Equal(got.Name, "old")
}

// A request may have fields of the resource's names that are made of something else: the service's own affair.
func TestFieldsOfOtherTypesAreLeftAlone(t *testing.T) {
	is := is.New(t)
	got := &functions.Version{Resources: &functions.Resources{Memory: 1}, Status: functions.Version_ACTIVE, Tags: []string{"old"}}
	request := &containers.Revision{Resources: &containers.Resources{Memory: 2}, Status: containers.Revision_OBSOLETE, Description: "new"}
	is.NoErr(resource.Update(got, request, mask("resources", "resources.memory", "status", "description"), "resources", "status", "description"))
	is.True(proto.Equal(got, &functions.Version{Description: "new",
		Resources: &functions.Resources{Memory: 1}, Status: functions.Version_ACTIVE, Tags: []string{"old"}}))
	is.NoErr(resource.Update(got, request, nil, "nothing"))
}

func TestNamed(t *testing.T) {
	is := is.New(t)
	is.True(resource.Named(nil, "name"))
	is.True(resource.Named(mask(), "name"))
	is.True(resource.Named(mask("description", "name"), "name"))
	is.True(resource.Named(mask("source.timer"), "source"))
	is.True(!resource.Named(mask("names", "x.name"), "name"))
}
