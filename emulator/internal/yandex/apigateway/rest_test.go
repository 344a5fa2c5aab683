package apigateway_test

import (
	"encoding/json"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
)

func TestGatewaysOverREST(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	const all = "/apigateways/v1/apigateways"
	body, err := json.Marshal(map[string]any{"folderId": "folder", "name": "rest", "openapiSpec": chat, "executionTimeout": "60s",
		"variables": map[string]any{"a": map[string]any{"intValue": "5"}}, "connectivity": map[string]any{"networkId": "enp1"}})
	is.NoErr(err)
	ask := func(method, path, body string) map[string]any {
		t.Helper()
		code, got := h.rest(t, method, path, body)
		if code != 200 {
			t.Fatalf("%s %s: %d %v", method, path, code, got)
		}
		return got
	}
	made := ask("POST", all, string(body))
	is.Equal(made["done"], true)
	g := made["response"].(map[string]any)
	is.Equal(g["@type"], "type.googleapis.com/yandex.cloud.serverless.apigateway.v1.ApiGateway")
	one := all + "/" + g["id"].(string)
	got := ask("GET", one, "")
	is.Equal([]any{got["status"], got["executionTimeout"], got["connectivity"], got["logOptions"]}, []any{"ACTIVE", "60s", map[string]any{"networkId": "enp1"}, nil})
	is.Equal(h.warned[0], "gateway rest: not emulated: connectivity; it has this machine's network")
	is.Equal(ask("GET", one+":spec", "")["openapiSpec"], chat)
	is.True(json.Valid([]byte(ask("GET", one+":spec?format=JSON", "")["openapiSpec"].(string))))
	got = ask("PATCH", one, `{"updateMask": "name,executionTimeout", "name": "new"}`)["response"].(map[string]any)
	is.Equal([]any{got["name"], got["executionTimeout"]}, []any{"new", "300s"})
	ask("POST", one+":addDomain", `{"domainName": "a.example.com"}`)
	ask("POST", one+":stop", "{}")
	ask("POST", one+":resume", "{}")
	is.Equal(len(ask("GET", all+"?folderId=folder&filter=name%3D%22new%22", "")["apiGateways"].([]any)), 1)

	var seen []any
	for page := ""; ; {
		got = ask("GET", one+"/operations?pageSize=2&pageToken="+page, "")
		for _, op := range got["operations"].([]any) {
			seen = append(seen, op.(map[string]any)["description"])
		}
		if page, _ = got["nextPageToken"].(string); page == "" {
			break
		}
	}
	is.Equal(len(seen), 5)
	ask("DELETE", one, "")
	code, got := h.rest(t, "GET", one, "")
	is.Equal([]any{code, got["code"], got["message"]}, []any{404, 5.0, "API gateway " + g["id"].(string) + " not found"})
	code, got = h.rest(t, "POST", all, `{"folderId": "folder", "openapiSpec": "openapi: 2"}`)
	is.Equal([]any{code, got["code"]}, []any{400, 3.0})
}

func TestAMaskThatNamesWhatIsNotGivenOrIsNot(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	g := h.make(t, "chat", chat)
	for _, r := range []*pb.UpdateApiGatewayRequest{
		{UpdateMask: mask("openapi_spec")},
		{UpdateMask: mask("folder_id"), Spec: spec(chat)},
		{UpdateMask: mask("log_options.nothing")},
		{Name: "x"}, // no mask: all is replaced, and there is no gateway without a specification
	} {
		r.ApiGatewayId = g.Id
		_, err := h.Update(t.Context(), r)
		is.Equal(status.Code(err), codes.InvalidArgument)
	}
	got, err := h.Get(t.Context(), get(g.Id))
	is.NoErr(err)
	is.Equal(got.Name, "chat")
}
