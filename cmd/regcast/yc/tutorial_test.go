package yc_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	registry "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"google.golang.org/protobuf/proto"
)

// The steps of "Creating a trigger for Container Registry that sends messages to WebSocket connections".
func TestTutorial(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	spec := filepath.Join(t.TempDir(), "spec.yaml")
	is.NoErr(os.WriteFile(spec, []byte("openapi: 3.0.0\n"), 0o600))
	c.answer["FolderService.UpdateAccessBindings"] = func(req proto.Message) (proto.Message, error) {
		return done(&access.AccessBindingsOperationResult{EffectiveDeltas: req.(*access.UpdateAccessBindingsRequest).GetAccessBindingDeltas()}), nil
	}

	is.Equal(c.ok(t, "container registry create --name my-reg"), `id: id000000000000000001
folder_id: b1gfolder
name: my-reg
status: ACTIVE
created_at: "2026-03-04T12:00:00.123456789Z"
`)
	c.ok(t, "container registry configure-docker")
	account := strings.TrimSpace(c.ok(t, "iam service-account create broadcaster --jq .id"))
	is.Equal(c.ok(t, "resource-manager folder add-access-binding b1gfolder --role api-gateway.websocketBroadcaster --subject serviceAccount:"+account),
		`effective_deltas:
  - action: ADD
    access_binding:
      role_id: api-gateway.websocketBroadcaster
      subject:
        id: id000000000000000001
        type: serviceAccount
`)
	c.ok(t, "serverless api-gateway create --name gw --spec "+spec)
	is.Equal(c.sent(t, "ApiGatewayService.Create"), `{"folder_id":"b1gfolder","name":"gw","openapi_spec":"openapi: 3.0.0\n"}`)

	// What the shell makes of 'create-image','delete-image',…
	r := c.run("serverless trigger create container-registry --name registry-trigger --registry-id crp1" +
		" --events create-image,delete-image,create-image-tag --events delete-image-tag" +
		" --batch-size 3 --batch-cutoff 20s --gateway-id d5d1 --gateway-websocket-broadcast-path /" +
		" --gateway-websocket-broadcast-service-account-id aje1")
	is.Equal(r, result{`id: id000000000000000001
folder_id: b1gfolder
created_at: "2026-03-04T12:00:00.123456789Z"
name: registry-trigger
rule:
  container_registry:
    event_type:
      - CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE
      - CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE
      - CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG
      - CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE_TAG
    registry_id: crp1
    batch_settings:
      size: "3"
      cutoff: 20s
    gateway_websocket_broadcast:
      gateway_id: d5d1
      path: /
      service_account_id: aje1
status: ACTIVE
`, "done (1s)\n", 0})

	// The tutorial's prose has another spelling than the reference.
	c.ok(t, "serverless trigger create container-registry other --registry-id crp1 --events create-image --gateway-name gw"+
		" --gateway-websocket-broadcast-path /ws --gateway-websocket-broadcast-account-id aje1")
	is.Equal(c.sent(t, "TriggerService.Create"), `{"folder_id":"b1gfolder","name":"other","rule":{"container_registry":{`+
		`"event_type":["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE"],"registry_id":"crp1",`+
		`"gateway_websocket_broadcast":{"gateway_id":"id000000000000000001","path":"/ws","service_account_id":"aje1"}}}}`)

	is.Equal(c.ok(t, "serverless trigger list"), `+----------------------+------------------+-----------+
|          ID          |       NAME       | FOLDER ID |
+----------------------+------------------+-----------+
| id000000000000000001 | registry-trigger | b1gfolder |
| id000000000000000002 | other            | b1gfolder |
+----------------------+------------------+-----------+

`)
	c.ok(t, "serverless trigger pause registry-trigger")
	is.Equal(c.sent(t, "TriggerService.Pause"), `{"trigger_id":"id000000000000000001"}`)
	c.ok(t, "serverless trigger v1 resume --id id000000000000000001")
	r = c.run("serverless trigger delete --name other")
	is.Equal(r, result{"", "done (1s)\n", 0})
	is.True(strings.Contains(c.fails(t, "serverless trigger get other"), "code = NotFound"))
}

// Every flag of the reference's page for the command is there.
func TestDocumentedTriggerFlags(t *testing.T) {
	c := newCloud(t)
	for command, flags := range map[string]string{
		"create": `name description labels registry-id registry-name image-name tag events batch-size batch-cutoff invoke-function-id
			invoke-function-name invoke-function-tag invoke-function-service-account-id invoke-function-service-account-name
			invoke-container-id invoke-container-name invoke-container-path invoke-container-service-account-id
			invoke-container-service-account-name gateway-id gateway-name gateway-websocket-broadcast-path
			gateway-websocket-broadcast-service-account-id gateway-websocket-broadcast-service-account-name retry-attempts
			retry-interval dlq-queue-id dlq-service-account-id dlq-service-account-name async`,
		"update": `new-name description labels new-registry-id new-registry-name new-image-name new-tag new-events new-batch-size
			new-batch-cutoff new-invoke-function-id new-invoke-function-name new-invoke-function-tag
			new-invoke-function-service-account-id new-invoke-function-service-account-name new-invoke-container-id
			new-invoke-container-name new-invoke-container-path new-invoke-container-service-account-id
			new-invoke-container-service-account-name new-gateway-id new-gateway-name new-gateway-websocket-broadcast-path
			new-gateway-websocket-broadcast-service-account-id new-gateway-websocket-broadcast-service-account-name
			new-function-retry-attempts new-function-retry-interval new-container-retry-attempts new-container-retry-interval
			new-function-dlq-queue-id new-container-dlq-queue-id new-function-dlq-service-account-id
			new-function-dlq-service-account-name new-container-dlq-service-account-id new-container-dlq-service-account-name
			async id name`,
	} {
		for _, group := range []string{"serverless trigger ", "sls trigger v1 "} {
			help := c.ok(t, group+command+" container-registry --help")
			for _, flag := range strings.Fields(flags) {
				if !strings.Contains(help, "--"+flag+" ") {
					t.Errorf("%s%s has no --%s", group, command, flag)
				}
			}
		}
	}
}

// A trigger for a function: yc sends the tag that is the default, and retries belong to the action that is chosen.
func TestTriggerFunction(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.keep(&registry.Registry{Id: "crp7", Name: "my-reg"})
	c.ok(t, "serverless trigger create container-registry f --registry-name my-reg --events create-image --invoke-function-id d4e1"+
		" --retry-attempts 2 --retry-interval 10s --dlq-queue-id arn --dlq-service-account-id aje1")
	is.Equal(c.sent(t, "TriggerService.Create"), `{"folder_id":"b1gfolder","name":"f","rule":{"container_registry":{`+
		`"event_type":["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE"],"registry_id":"crp7","invoke_function":{`+
		`"function_id":"d4e1","function_tag":"$latest","retry_settings":{"retry_attempts":"2","interval":"10s"},`+
		`"dead_letter_queue":{"queue_id":"arn","service_account_id":"aje1"}}}}}`)
	c.ok(t, "serverless trigger create container-registry g --registry-id crp7 --events create-image --invoke-container-id bba1 --retry-attempts 2")
	is.True(strings.Contains(c.sent(t, "TriggerService.Create"), `"invoke_container":{"container_id":"bba1","retry_settings":{"retry_attempts":"2"}}`))

	is.Equal(c.fails(t, "serverless trigger create container-registry h --gateway-id d5d1 --retry-attempts 2"),
		"--retry-attempts: gateway_websocket_broadcast has no such setting\n")
	is.Equal(c.fails(t, "serverless trigger create container-registry h --retry-attempts 2"),
		"--retry-attempts: there is no action yet; name a function or a container with it\n")
	is.Equal(c.fails(t, "serverless trigger create container-registry h --invoke-function-id d4e1 --gateway-id d5d1"),
		"--invoke-function-id and --gateway-id exclude each other: there is one action\n")
	is.Equal(c.fails(t, "serverless trigger create container-registry h --events push"),
		"--events: \"push\": want one of create-image, delete-image, create-image-tag, delete-image-tag\n")
	is.Equal(c.fails(t, "serverless trigger create container-registry h --registry-name other"),
		"--registry-name: container registry with name \"other\" not found\n")
	is.Equal(c.fails(t, "serverless trigger create container-registry h --registry-name my-reg --registry-id crp7"),
		"--registry-name: this is given twice, by id and by name\n")
	is.Equal(c.fails(t, "serverless trigger create container-registry h --name h"), "the name is given twice: h and --name\n")
	is.Equal(c.fails(t, "serverless trigger create container-registry h --batch-cutoff 20"), "--batch-cutoff: \"20\": want a duration such as 10s\n")
	is.Equal(c.fails(t, "serverless trigger create container-registry h --batch-size x"), "--batch-size: \"x\": want a whole number\n")
	is.Equal(c.fails(t, "serverless trigger create timer --cron-expression x"),
		"not emulated: `yc serverless trigger create timer`; there is container-registry\n")

	// Another action takes the place of the one there is.
	c.ok(t, "serverless trigger update container-registry g --new-gateway-id d5d1 --new-gateway-websocket-broadcast-path /")
	is.True(strings.Contains(c.sent(t, "TriggerService.Update"), `"gateway_websocket_broadcast":{"gateway_id":"d5d1","path":"/"}`))
	is.True(!strings.Contains(c.sent(t, "TriggerService.Update"), "bba1"))

	// What an update does not name of the rule stays.
	c.ok(t, "serverless trigger update container-registry f --new-tag v1 --new-function-retry-attempts 5 --labels a=b")
	is.Equal(c.sent(t, "TriggerService.Update"), `{"trigger_id":"id000000000000000001","update_mask":"labels,rule","labels":{"a":"b"},`+
		`"rule":{"container_registry":{"event_type":["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE"],"registry_id":"crp7","tag":"v1",`+
		`"invoke_function":{"function_id":"d4e1","function_tag":"$latest","retry_settings":{"retry_attempts":"5","interval":"10s"},`+
		`"dead_letter_queue":{"queue_id":"arn","service_account_id":"aje1"}}}}}`)
	c.ok(t, "serverless trigger update f --new-name ff")
	is.Equal(c.sent(t, "TriggerService.Update"), `{"trigger_id":"id000000000000000001","update_mask":"name","name":"ff"}`)
	is.Equal(c.fails(t, "serverless trigger update ff"), "nothing to change is given; see `yc serverless trigger update --help`\n")

	c.ok(t, "serverless trigger add-labels ff --labels c=d,e=f")
	c.ok(t, "serverless trigger remove-labels ff --labels a,c")
	is.Equal(c.sent(t, "TriggerService.Update"), `{"trigger_id":"id000000000000000001","update_mask":"labels","labels":{"e":"f"}}`)
	is.Equal(c.fails(t, "serverless trigger add-labels ff --labels c"), "--labels: \"c\": want KEY=VALUE\n")
}

func TestTriggerV2(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	file := filepath.Join(t.TempDir(), "action.json")
	is.NoErr(os.WriteFile(file, []byte(`{"invoke_function": {"function_id": "d4e1"}, "filter": {"jq": ".a, .b"}}`), 0o600))
	c.ok(t, `serverless trigger v2 create container-registry two --registry-id crp1 --image-name app --tag v1 --events create-image-tag`+
		` --batch-max-count 2 --batch-max-bytes 100 --batch-cutoff 1s --action @`+file+
		` --action {"gatewayWebsocketBroadcast":{"gatewayId":"d5d1","path":"/ws"}}`)
	is.Equal(c.sent(t, "TriggerService.Create"), `{"folder_id":"b1gfolder","name":"two","source":{"container_registry":{`+
		`"event_type":["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG"],"registry_id":"crp1","image_name":"app","tag":"v1",`+
		`"batch_settings":{"max_count":"2","max_bytes":"100","cutoff":"1s"}}},`+
		`"action":[{"invoke_function":{"function_id":"d4e1"},"filter":{"jq":".a, .b"}},`+
		`{"gateway_websocket_broadcast":{"gateway_id":"d5d1","path":"/ws"}}]}`)
	c.ok(t, `serverless trigger v2 update container-registry two --batch-max-count 5`)
	is.True(strings.Contains(c.sent(t, "TriggerService.Update"), `"batch_settings":{"max_count":"5","max_bytes":"100","cutoff":"1s"}`))
	c.ok(t, `serverless trigger v2 update add-actions two --action {"invokeContainer":{"containerId":"bba1"}}`)
	is.Equal(strings.Count(c.sent(t, "TriggerService.Update"), `"invoke_function"`), 1)
	is.True(strings.Contains(c.sent(t, "TriggerService.Update"), `{"invoke_container":{"container_id":"bba1"}}]`))
	c.ok(t, `serverless trigger v2 update replace-actions two --action {"invokeContainer":{"containerId":"bba2"}}`)
	is.Equal(c.sent(t, "TriggerService.Update"),
		`{"trigger_id":"id000000000000000001","update_mask":"action","action":[{"invoke_container":{"container_id":"bba2"}}]}`)
	is.True(strings.Contains(c.ok(t, "serverless trigger v2 help-action --gateway-websocket-broadcast"), "gatewayWebsocketBroadcast"))
	is.True(strings.HasPrefix(c.fails(t, `serverless trigger v2 update add-actions two --action {"x":1}`), `--action {"x":1}: `))
	is.Equal(c.fails(t, `serverless trigger v2 update add-actions two`), "--action is missing\n")
	for _, verb := range []string{"list", "get two", "pause two", "resume two", "delete two"} {
		c.ok(t, "serverless trigger v2 "+verb)
	}
	// Without v2 it is v1, which knows no actions.
	is.True(strings.HasPrefix(c.fails(t, `serverless trigger create container-registry x --action {}`), "unknown flag: --action"))
}
