package wire_test

import (
	"testing"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

const created = `{"folderId":"b1g1","name":"pushes","rule":{"containerRegistry":{"eventType":["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE"],
	"registryId":"crp1","batchSettings":{"size":"3","cutoff":"20s"},"gatewayWebsocketBroadcast":{"gatewayId":"d5d1","path":"/","serviceAccountId":"aje1"}}}}`

func pushes(name string) *triggers.CreateTriggerRequest {
	return &triggers.CreateTriggerRequest{FolderId: "b1g1", Name: name, Rule: &triggers.Trigger_Rule{
		Rule: &triggers.Trigger_Rule_ContainerRegistry{ContainerRegistry: &triggers.Trigger_ContainerRegistry{
			EventType:     []triggers.Trigger_ContainerRegistryEventType{triggers.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE},
			RegistryId:    "crp1",
			BatchSettings: &triggers.BatchSettings{Size: 3, Cutoff: durationpb.New(20e9)},
			Action: &triggers.Trigger_ContainerRegistry_GatewayWebsocketBroadcast{
				GatewayWebsocketBroadcast: &triggers.GatewayWebsocketBroadcast{GatewayId: "d5d1", Path: "/", ServiceAccountId: "aje1"},
			},
		}},
	}}
}

func TestGRPCAndRESTAreOne(t *testing.T) {
	h := open(t, wire.Options{})
	op, err := triggers.NewTriggerServiceClient(h.dialTLS(t)).Create(t.Context(), pushes("over-tls"))
	h.is.NoErr(err)
	var metadata triggers.CreateTriggerMetadata
	h.is.NoErr(op.GetMetadata().UnmarshalTo(&metadata))
	h.is.Equal(metadata.GetTriggerId(), "a1s1")

	r := h.rest(t, "POST", "/triggers/v1/triggers", created)
	h.is.Equal(r.code, 200)
	h.is.Equal(r.text, `{"id":"opa1s2","done":true,"metadata":{"@type":"type.googleapis.com/yandex.cloud.serverless.triggers.v1.CreateTriggerMetadata","triggerId":"a1s2"},`+
		`"response":{"@type":"type.googleapis.com/yandex.cloud.serverless.triggers.v1.Trigger","id":"a1s2","folderId":"b1g1","name":"pushes","rule":{"containerRegistry":{`+
		`"eventType":["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE"],"registryId":"crp1","batchSettings":{"size":"3","cutoff":"20s"},`+
		`"gatewayWebsocketBroadcast":{"gatewayId":"d5d1","path":"/","serviceAccountId":"aje1"}}}}}`)

	plain := triggers.NewTriggerServiceClient(h.dial(t))
	trigger, err := plain.Get(t.Context(), &triggers.GetTriggerRequest{TriggerId: "a1s2"})
	h.is.NoErr(err)
	h.is.Equal(trigger.GetName(), "pushes")
	h.is.Equal(h.rest(t, "GET", "/triggers/v1/triggers/a1s1", "").body["name"], "over-tls")

	// Snake case and camel case alike, in bodies and queries.
	for _, query := range []string{"folderId=b1g1&pageSize=1", "folder_id=b1g1&page_size=1"} {
		r = h.rest(t, "GET", "/triggers/v1/triggers?"+query, "")
		h.is.Equal(r.code, 200)
		h.is.Equal(len(r.body["triggers"].([]any)), 1)
	}
	r = h.rest(t, "PATCH", "/triggers/v1/triggers/a1s2", `{"name":"renamed","rule":{"container_registry":{"event_type":[2],"registry_id":"crp1",
		"batch_settings":{"size":1,"cutoff":"1s"},"invoke_function":{"function_id":"d4e1","service_account_id":"aje1"}}}}`)
	h.is.Equal(r.code, 200)
	// Nothing is an empty object.
	r = h.rest(t, "GET", "/triggers/v1/triggers?folderId=empty", "")
	h.is.Equal(r.text, "{}")

	h.is.Equal(h.rest(t, "DELETE", "/triggers/v1/triggers/a1s2", "").body["done"], true)
	message := h.fails(h.rest(t, "GET", "/triggers/v1/triggers/a1s2", ""), 404, codes.NotFound)
	h.is.Equal(message, "Trigger a1s2 not found")
}
