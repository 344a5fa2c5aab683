package emulator_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// script is a story told in calls, one after another.
func (c *curl) script(calls ...call) {
	c.t.Helper()
	for _, q := range calls {
		c.do(q)
	}
}

func TestRESTOfEveryService(t *testing.T) {
	eachCurl(t, func(t *testing.T, c *curl) {
		for name, story := range map[string]func(*curl){
			"endpoints and tokens": restEndpoints, "accounts": restAccounts, "folders": restFolders, "registries": restRegistries,
			"gateways": restGateways, "triggers": restTriggers, "triggers of version 2": restTriggers2, "functions": restFunctions,
			"containers": restContainers, "logging": restLogging,
		} {
			t.Run(name, func(t *testing.T) {
				names := map[string]string{}
				for k, v := range c.names {
					names[k] = v
				}
				story(&curl{t: t, em: c.em, base: c.base, client: c.client, routes: c.routes, names: names})
			})
		}
	})
}

func restEndpoints(c *curl) {
	address := strings.TrimPrefix(strings.TrimPrefix(c.base, "http://"), "https://")
	c.script(
		call{verb: "GET", path: "/endpoints/iam", status: 200, want: `{"id": "iam", "address": "` + address + `"}`},
		call{verb: "GET", path: "/endpoints/compute", status: 404, want: `{"code": 5}`},
		call{verb: "POST", path: "/iam/v1/tokens", body: `{"yandexPassportOauthToken": "y0_mine"}`, status: 200, want: `{"iamToken": "?token", "expiresAt": "?at"}`},
	)
}

func restAccounts(c *curl) {
	const at = "/iam/v1/serviceAccounts"
	c.script(
		call{verb: "POST", path: at, body: `{"folder_id": "{folder}", "name": "made"}`, status: 200, // snake_case
			want: `{"id": "?op", "done": true, "metadata": {"@type": "type.googleapis.com/yandex.cloud.iam.v1.CreateServiceAccountMetadata", "serviceAccountId": "?id"}}`},
		call{verb: "GET", path: "/operations/{op}", status: 200, want: `{"id": "{op}", "done": true, "response": {"id": "{id}", "name": "made"}}`},
		call{verb: "GET", path: at + "/{id}", status: 200, want: `{"id": "{id}", "folderId": "{folder}", "name": "made", "createdAt": "?at"}`},
		call{verb: "GET", path: at + `?folderId={folder}&filter=name="made"`, status: 200, want: `{"serviceAccounts": [{"id": "{id}"}]}`},
		call{verb: "PATCH", path: at + "/{id}", body: `{"updateMask": "description", "description": "told", "name": "left-alone"}`, status: 200,
			want: `{"response": {"name": "made", "description": "told"}}`},
		call{verb: "POST", path: at + "/{id}:suspend", body: `{}`, status: 200, want: `{"done": true}`},
		call{verb: "POST", path: at + "/{id}:reactivate", body: `{}`, status: 200, want: `{"done": true}`},
		call{verb: "POST", path: "/iam/aws-compatibility/v1/accessKeys", body: `{"serviceAccountId": "{id}"}`, status: 200,
			want: `{"secret": "?secret", "accessKey": {"id": "?key", "serviceAccountId": "{id}"}}`},
		call{verb: "GET", path: "/iam/aws-compatibility/v1/accessKeys?serviceAccountId={id}", status: 200, want: `{"accessKeys": [{"id": "{key}"}]}`},
		call{verb: "DELETE", path: "/iam/aws-compatibility/v1/accessKeys/{key}", status: 200, want: `{"done": true}`},
		call{verb: "POST", path: "/iam/v1/tokens:createForServiceAccount", body: `{"serviceAccountId": "{id}"}`, status: 200, want: `{"iamToken": "?token"}`},
		call{verb: "DELETE", path: at + "/{id}", status: 200, want: `{"done": true}`},
		call{verb: "GET", path: at + "/{id}", status: 404, want: `{"code": 5}`},
	)
}

func restFolders(c *curl) {
	const at = "/resource-manager/v1/folders"
	c.script(
		call{verb: "GET", path: "/resource-manager/v1/clouds/{cloud}", status: 200, want: `{"id": "{cloud}"}`},
		call{verb: "POST", path: at, body: `{"cloudId": "{cloud}", "name": "made"}`, status: 200, want: `{"done": true, "metadata": {"folderId": "?id"}}`},
		call{verb: "GET", path: at + `?cloudId={cloud}&filter=name%3D%22made%22`, status: 200, want: `{"folders": [{"id": "{id}", "status": "ACTIVE"}]}`},
		call{verb: "PATCH", path: at + "/{id}", body: `{"labels": {"a": "1"}, "updateMask": "labels"}`, status: 200, want: `{"response": {"name": "made", "labels": {"a": "1"}}}`},
		call{verb: "POST", path: at + "/{id}:updateAccessBindings", status: 200, want: `{"response": {"effectiveDeltas": [{"action": "ADD"}]}}`,
			body: `{"accessBindingDeltas": [{"action": "ADD", "accessBinding": {"roleId": "viewer", "subject": {"id": "{account}", "type": "serviceAccount"}}}]}`},
		call{verb: "GET", path: at + "/{id}:listAccessBindings", status: 200, want: `{"accessBindings": [{"roleId": "viewer", "subject": {"id": "{account}"}}]}`},
		call{verb: "DELETE", path: at + "/{id}", status: 200, want: `{"done": true}`},
		call{verb: "GET", path: at + "/{id}/operations", status: 404, want: `{"code": 5}`},
	)
}

func restRegistries(c *curl) {
	const at = "/container-registry/v1/registries"
	c.script(
		call{verb: "POST", path: at, body: `{"folderId": "{folder}", "name": "made"}`, status: 200, want: `{"done": true, "response": {"id": "?id", "status": "ACTIVE"}}`},
		call{verb: "GET", path: at + "/{id}", status: 200, want: `{"name": "made", "folderId": "{folder}"}`},
		call{verb: "GET", path: at + `?folderId={folder}&filter=name="made"`, status: 200, want: `{"registries": [{"id": "{id}"}]}`},
		call{verb: "PATCH", path: at + "/{id}", body: `{"name": "renamed", "labels": {"a": "1"}}`, status: 200, want: `{"response": {"name": "renamed", "labels": {"a": "1"}}}`},
		call{verb: "PATCH", path: at + "/{id}", body: `{"name": "again"}`, status: 200, want: `{"response": {"name": "again", "labels": null}}`}, // no mask: all
		call{verb: "POST", path: "/container-registry/v1/repositories", body: `{"name": "{id}/team/app"}`, status: 200, want: `{"response": {"id": "?repository"}}`},
		call{verb: "GET", path: "/container-registry/v1/repositories/{id}/team/app:byName", status: 200, want: `{"id": "{repository}"}`},
	)
	digest := c.em.Push(c.names["id"] + "/team/app:v1")
	c.script(
		call{verb: "GET", path: "/container-registry/v1/images?repositoryName={id}/team/app", status: 200, want: `{"images": [{"id": "?image", "digest": "` + digest + `", "tags": ["v1"]}]}`},
		call{verb: "DELETE", path: at + "/{id}", status: 400, want: `{"code": 9}`},
		call{verb: "DELETE", path: "/container-registry/v1/images/{image}", status: 200, want: `{"done": true}`},
		call{verb: "GET", path: "/container-registry/v1/images/{image}", status: 404, want: `{"code": 5}`},
		call{verb: "DELETE", path: "/container-registry/v1/repositories/{repository}", status: 200, want: `{"done": true}`},
		call{verb: "DELETE", path: at + "/{id}", status: 200, want: `{"done": true}`},
	)
}

// restGateway makes a gateway.
func restGateway(c *curl, name string) {
	c.do(call{verb: "POST", path: "/apigateways/v1/apigateways", status: 200, want: `{"done": true, "response": {"id": "?gateway", "domain": "?domain"}}`,
		body: fmt.Sprintf(`{"folderId": "{folder}", "name": %q, "openapiSpec": %q}`, name, specification)})
}

func restGateways(c *curl) {
	const at = "/apigateways/v1/apigateways"
	is := is.New(c.t)
	restGateway(c, "made")
	c.script(
		call{verb: "GET", path: at + "/{gateway}", status: 200, want: `{"name": "made", "status": "ACTIVE"}`},
		call{verb: "GET", path: at + `?folderId={folder}&filter=name="made"`, status: 200, want: `{"apiGateways": [{"id": "{gateway}"}]}`},
		call{verb: "GET", path: at + "/{gateway}:spec?format=YAML", status: 200, want: `{"apiGatewayId": "{gateway}", "openapiSpec": "?spec"}`},
		call{verb: "PATCH", path: at + "/{gateway}", body: `{"description": "told", "updateMask": "description"}`, status: 200, want: `{"response": {"name": "made", "description": "told"}}`},
		call{verb: "POST", path: at, body: `{"folderId": "{folder}", "name": "wrong", "openapiSpec": "openapi: 3.0.0\npaths: {/a: {get: {x-yc-apigateway-integration: {type: nonsense}}}}"}`, status: 400, want: `{"code": 3}`},
	)
	socket := c.em.Dial("ws://" + c.names["domain"] + "/ws")
	c.names["socket"] = socket.ID()
	const connection = "/apigateways/websocket/v1/connections/{socket}"
	c.do(call{verb: "GET", path: connection, status: 200, want: `{"id": "{socket}", "gatewayId": "{gateway}", "connectedAt": "?at", "identity": {"sourceIp": "127.0.0.1"}}`})
	for _, send := range []string{connection + ":send", connection + "/:send"} {
		c.do(call{verb: "POST", path: send, body: fmt.Sprintf(`{"data": %q, "type": "TEXT"}`, base64.StdEncoding.EncodeToString([]byte("hello"))), status: 200, want: `{}`})
		is.Equal(string(socket.Read()), "hello")
	}
	c.script(
		call{verb: "DELETE", path: connection, status: 200, want: `{}`},
		call{verb: "POST", path: connection + ":send", body: `{"data": "aGk=", "type": "TEXT"}`, status: 404, want: `{"code": 5}`},
		call{verb: "POST", path: at + "/{gateway}:stop", body: `{}`, status: 200, want: `{"done": true}`},
		call{verb: "GET", path: at + "/{gateway}", status: 200, want: `{"status": "STOPPED"}`},
		call{verb: "POST", path: at + "/{gateway}:resume", body: `{}`, status: 200, want: `{"done": true}`},
		call{verb: "DELETE", path: at + "/{gateway}", status: 200, want: `{"done": true}`},
		call{verb: "GET", path: at + "/{gateway}", status: 404, want: `{"code": 5}`},
	)
}

func restTriggers(c *curl) {
	const at = "/triggers/v1/triggers"
	restGateway(c, "triggers")
	c.do(call{verb: "POST", path: "/container-registry/v1/registries", body: `{"folderId": "{folder}", "name": "triggers"}`, status: 200, want: `{"response": {"id": "?registry"}}`})
	rule := `{"containerRegistry": {"eventType": ["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG"], "registryId": "{registry}", "tag": "%s",
		"batchSettings": {"size": "1", "cutoff": "1s"}, "gatewayWebsocketBroadcast": {"gatewayId": "{gateway}", "path": "/ws", "serviceAccountId": "{account}"}}}`
	socket := c.em.Dial("ws://" + c.names["domain"] + "/ws")
	c.script(
		call{verb: "POST", path: at, body: `{"folderId": "{folder}", "name": "made", "description": "d", "rule": ` + fmt.Sprintf(rule, "v1") + `}`, status: 200,
			want: `{"id": "?op", "description": "?what", "createdAt": "?at", "createdBy": "?by", "modifiedAt": "?at", "done": true,
				"metadata": {"@type": "type.googleapis.com/yandex.cloud.serverless.triggers.v1.CreateTriggerMetadata", "triggerId": "?id"},
				"response": {"@type": "type.googleapis.com/yandex.cloud.serverless.triggers.v1.Trigger", "status": "ACTIVE",
					"rule": {"containerRegistry": {"batchSettings": {"size": "1", "cutoff": "1s"}}}}}`},
		call{verb: "GET", path: at + "/{id}", status: 200, want: `{"name": "made", "folderId": "{folder}"}`},
		call{verb: "GET", path: at + `?folderId={folder}&filter=name="made"`, status: 200, want: `{"triggers": [{"id": "{id}"}]}`},
	)
	c.em.Push(c.names["registry"] + "/app:v1")
	socket.Expect("create-image-tag")
	c.script(
		// A nested mask, a shallow one, and none: all there is.
		call{verb: "PATCH", path: at + "/{id}", body: `{"updateMask": "rule.containerRegistry.tag", "rule": {"containerRegistry": {"tag": "v2"}}}`, status: 200,
			want: `{"response": {"name": "made", "rule": {"containerRegistry": {"tag": "v2", "registryId": "{registry}", "batchSettings": {"size": "1"}}}}}`},
		call{verb: "PATCH", path: at + "/{id}", body: `{"updateMask": "rule", "name": "left-alone", "rule": ` + fmt.Sprintf(rule, "v3") + `}`, status: 200,
			want: `{"response": {"name": "made", "description": "d", "rule": {"containerRegistry": {"tag": "v3"}}}}`},
		call{verb: "PATCH", path: at + "/{id}", body: `{"name": "renamed", "rule": ` + fmt.Sprintf(rule, "v4") + `}`, status: 200,
			want: `{"response": {"name": "renamed", "description": null, "rule": {"containerRegistry": {"tag": "v4"}}}}`},
		call{verb: "PATCH", path: at + "/{id}", body: `{"updateMask": "rule.nonsense"}`, status: 400, want: `{"code": 3}`},
		call{verb: "POST", path: at + "/{id}:pause", status: 200, want: `{"response": {"status": "PAUSED"}}`},
		call{verb: "POST", path: at + "/{id}:resume", status: 200, want: `{"response": {"status": "ACTIVE"}}`},
		call{verb: "GET", path: at + "/{id}/operations?pageSize=2", status: 200, want: `{"operations": [{"id": "?last"}, {}], "nextPageToken": "?next"}`},
		call{verb: "GET", path: "/operations/{op}:cancel", status: 200, want: `{"id": "{op}", "done": true, "response": {"id": "{id}"}}`}, // too late
		call{verb: "POST", path: "/operations/{op}:cancel", status: 200, want: `{"id": "{op}", "done": true, "response": {"id": "{id}"}}`},
		call{verb: "DELETE", path: at + "/{id}", status: 200, want: `{"done": true, "response": {"@type": "type.googleapis.com/google.protobuf.Empty"}}`},
		call{verb: "GET", path: at + "/{id}", status: 404, want: `{"code": 5}`},
	)
}

func restTriggers2(c *curl) {
	const at = "/triggers/v2/triggers"
	restGateway(c, "triggers2")
	c.script(
		call{verb: "POST", path: "/container-registry/v1/registries", body: `{"folderId": "{folder}", "name": "triggers2"}`, status: 200, want: `{"response": {"id": "?registry"}}`},
		call{verb: "POST", path: at, status: 200, want: `{"done": true, "metadata": {"@type": "type.googleapis.com/yandex.cloud.serverless.triggers.v2.CreateTriggerMetadata", "triggerId": "?id"}}`,
			body: `{"folder_id": "{folder}", "name": "made-2", "source": {"container_registry": {"registry_id": "{registry}",
				"event_type": ["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG"], "batch_settings": {"max_count": 1, "cutoff": "1s"}}},
				"action": [{"transformer": {"jq": ".messages[0].details.tag"}, "gateway_websocket_broadcast": {"gateway_id": "{gateway}", "path": "/ws", "service_account_id": "{account}"}}]}`},
		call{verb: "GET", path: at + "/{id}", status: 200, want: `{"source": {"containerRegistry": {"batchSettings": {"maxCount": "1", "cutoff": "1s"}}}, "action": [{"transformer": {"jq": ".messages[0].details.tag"}}]}`},
		call{verb: "PATCH", path: at + "/{id}", status: 200, body: `{"updateMask": "source.containerRegistry.batchSettings.cutoff,labels", "labels": {"a": "1"},
				"source": {"containerRegistry": {"batchSettings": {"cutoff": "2s"}}}}`,
			want: `{"response": {"name": "made-2", "labels": {"a": "1"}, "source": {"containerRegistry": {"registryId": "{registry}", "batchSettings": {"maxCount": "1", "cutoff": "2s"}}}}}`},
	)
	socket := c.em.Dial("ws://" + c.names["domain"] + "/ws")
	c.em.Push(c.names["registry"] + "/app:v1")
	is.New(c.t).Equal(string(socket.Read()), "v1")
	c.script(
		call{verb: "POST", path: at + "/{id}:pause", status: 200, want: `{"response": {"status": "PAUSED"}}`},
		call{verb: "DELETE", path: at + "/{id}", status: 200, want: `{"done": true}`},
		call{verb: "GET", path: at + "/{id}", status: 404, want: `{"code": 5}`},
	)
}

func restFunctions(c *curl) {
	const at = "/functions/v1/functions"
	content := base64.StdEncoding.EncodeToString(zipped(c.t, "index.go", "package main\n\nfunc Handler(in []byte) (string, error) { return string(in), nil }\n"))
	c.script(
		call{verb: "POST", path: at, body: `{"folderId": "{folder}", "name": "made"}`, status: 200, want: `{"response": {"id": "?id", "httpInvokeUrl": "?url"}}`},
		call{verb: "GET", path: at + `?folderId={folder}&filter=name="made"`, status: 200, want: `{"functions": [{"id": "{id}"}]}`},
		call{verb: "PATCH", path: at + "/{id}", body: `{"updateMask": "labels", "labels": {"a": "1"}}`, status: 200, want: `{"response": {"name": "made", "labels": {"a": "1"}}}`},
		call{verb: "GET", path: "/functions/v1/runtimes", status: 200},
		call{verb: "GET", path: "/functions/v1/versions:byTag?functionId={id}&tag=%24latest", status: 404, want: `{"code": 5}`},
		call{verb: "POST", path: "/functions/v1/versions", status: 200, want: `{"id": "?op", "metadata": {"functionVersionId": "?version"}}`,
			body: `{"functionId": "{id}", "runtime": "golang123", "entrypoint": "index.Handler", "resources": {"memory": "134217728"}, "executionTimeout": "3s", "content": "` + content + `"}`},
		call{verb: "GET", path: "/operations/{op}", status: 200, want: `{"id": "{op}", "metadata": {"functionVersionId": "{version}"}}`},
		call{verb: "POST", path: "/operations/{op}:cancel", status: 200, want: `{"id": "{op}"}`}, // a build ends soon after
		call{verb: "DELETE", path: at + "/{id}", status: 200, want: `{"done": true}`},
		call{verb: "GET", path: at + "/{id}", status: 404, want: `{"code": 5}`},
	)
}

func restContainers(c *curl) {
	const at = "/containers/v1/containers"
	c.script(
		call{verb: "POST", path: at, body: `{"folderId": "{folder}", "name": "made"}`, status: 200, want: `{"response": {"id": "?id", "url": "?url"}}`},
		call{verb: "GET", path: at + `?folderId={folder}&filter=name="made"`, status: 200, want: `{"containers": [{"id": "{id}"}]}`},
		call{verb: "POST", path: "/containers/v1/revisions:deploy", status: 200, want: `{"done": true, "response": {"containerId": "{id}"}}`,
			body: `{"containerId": "{id}", "resources": {"memory": "134217728"}, "imageSpec": {"imageUrl": "cr.yandex/crp/app:1", "environment": {"REGCAST_URL": "http://127.0.0.1:9"}}}`},
		call{verb: "GET", path: "/containers/v1/revisions?containerId={id}", status: 200, want: `{"revisions": [{"containerId": "{id}"}]}`},
		call{verb: "PATCH", path: at + "/{id}", body: `{"updateMask": "description", "description": "told"}`, status: 200, want: `{"response": {"name": "made", "description": "told"}}`},
		call{verb: "DELETE", path: at + "/{id}", status: 200, want: `{"done": true}`},
		call{verb: "GET", path: at + "/{id}", status: 404, want: `{"code": 5}`},
	)
}

func restLogging(c *curl) {
	const at = "/logging/v1/logGroups"
	c.script(
		call{verb: "POST", path: at, body: `{"folderId": "{folder}", "name": "made"}`, status: 200, want: `{"response": {"id": "?id", "createdAt": "?at"}}`},
		call{verb: "GET", path: at + `?folderId={folder}&filter=name="made"`, status: 200, want: `{"groups": [{"id": "{id}"}]}`},
		call{verb: "PATCH", path: at + "/{id}", body: `{"updateMask": "description", "description": "told"}`, status: 200, want: `{"response": {"name": "made", "description": "told"}}`},
		call{verb: "GET", path: at + "/{id}/stats", status: 200, want: `{"logGroupId": "{id}"}`}, // writing and reading have no REST
		call{verb: "DELETE", path: at + "/{id}", status: 200, want: `{"done": true}`},
		call{verb: "GET", path: at + "/{id}", status: 404, want: `{"code": 5}`},
	)
}
