package iam_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/yandex/iam"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/regcast/regcast/emulator/internal/yandex/resourcemanager"
	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

// curl calls the REST face of both services as they stand in the house, with StrictAuth.
type curl struct {
	t      *testing.T
	server *wire.Server
	token  string
}

func newCurl(t *testing.T) *curl {
	is := is.New(t)
	store := resource.New(resource.Options{Clock: clock.NewManual(noon)})
	t.Cleanup(store.Close)
	bindings, err := resource.OpenBindings(t.Context(), store)
	is.NoErr(err)
	var folders *resourcemanager.Service
	identities, err := iam.New(t.Context(), iam.Options{Store: store, Bindings: bindings, StrictAuth: true, DeveloperToken: developer, OAuth: "y0_mine",
		CloudOf: func(folder string) string { return folders.CloudOf(folder) },
	})
	is.NoErr(err)
	folders, err = resourcemanager.New(t.Context(), resourcemanager.Options{Store: store, Bindings: bindings,
		Authorize: identities.Authorize(), Contents: identities.Contents})
	is.NoErr(err)
	folders.DeclareDefault(cloudID, folderID, "bpfregcast0000000000")
	identities.DeclareDefault(accountID, "regcast-default", folderID, cloudID)
	server := wire.New(wire.Options{Authenticate: identities.Authenticate})
	identities.Register(server)
	folders.Register(server)
	is.NoErr(server.Start())
	t.Cleanup(func() { is.NoErr(server.Close(context.WithoutCancel(t.Context()))) })
	return &curl{t: t, server: server}
}

// do returns the answer's status and body; of an operation the response within.
func (c *curl) do(method, path, body string) (int, map[string]any) {
	c.t.Helper()
	is := is.New(c.t)
	r := httptest.NewRequestWithContext(c.t.Context(), method, "http://localhost:8080"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	w := httptest.NewRecorder()
	c.server.ServeHTTP(w, r)
	var answer map[string]any
	is.NoErr(json.Unmarshal(w.Body.Bytes(), &answer))
	if response, ok := answer["response"].(map[string]any); ok && answer["done"] == true {
		answer = response
	}
	return w.Code, answer
}

// must is do for what has to be well.
func (c *curl) must(method, path, body string) map[string]any {
	c.t.Helper()
	code, answer := c.do(method, path, body)
	if code != http.StatusOK {
		c.t.Fatalf("%s %s: %d %v", method, path, code, answer)
	}
	return answer
}

func TestAWalkByCurl(t *testing.T) {
	is, c := is.New(t), newCurl(t)
	code, answer := c.do("GET", "/resource-manager/v1/clouds", "")
	is.Equal(code, http.StatusUnauthorized)
	is.Equal(answer["code"], 16.0)
	code, _ = c.do("POST", "/iam/v1/tokens", `{"yandexPassportOauthToken":"y0_other"}`)
	is.Equal(code, http.StatusUnauthorized)
	code, _ = c.do("POST", "/iam/v1/tokens", `{}`) // exactly one
	is.Equal(code, http.StatusBadRequest)

	c.token = c.must("POST", "/iam/v1/tokens", `{"yandexPassportOauthToken":"y0_mine"}`)["iamToken"].(string)
	is.Equal(c.must("GET", "/resource-manager/v1/folders?cloudId="+cloudID, "")["folders"].([]any)[0].(map[string]any)["id"], folderID)
	code, answer = c.do("POST", "/iam/v1/serviceAccounts", `{"folderId":"`+folderID+`","name":"No!"}`)
	is.Equal(code, http.StatusBadRequest)
	is.Equal(answer["code"], 3.0)
	robot := c.must("POST", "/iam/v1/serviceAccounts", `{"folderId":"`+folderID+`","name":"robot"}`)["id"].(string)

	// The account may do what it has a role for, where it has it.
	admin := c.token
	c.token = c.must("POST", "/iam/v1/tokens:createForServiceAccount", `{"serviceAccountId":"`+robot+`"}`)["iamToken"].(string)
	robots := c.token
	code, _ = c.do("POST", "/resource-manager/v1/folders", `{"cloudId":"`+cloudID+`","name":"team"}`)
	is.Equal(code, http.StatusForbidden)
	c.token = admin
	result := c.must("POST", "/resource-manager/v1/clouds/"+cloudID+":updateAccessBindings", `{"accessBindingDeltas":[{"action":"ADD",
		"accessBinding":{"roleId":"resource-manager.editor","subject":{"id":"`+robot+`","type":"serviceAccount"}}}]}`)
	is.Equal(len(result["effectiveDeltas"].([]any)), 1)
	c.token = robots
	team := c.must("POST", "/resource-manager/v1/folders", `{"cloudId":"`+cloudID+`","name":"team"}`)["id"].(string)
	c.must("PATCH", "/resource-manager/v1/folders/"+team, `{"updateMask":"description","description":"ours"}`)
	code, _ = c.do("POST", "/iam/v1/serviceAccounts", `{"folderId":"`+team+`","name":"another"}`)
	is.Equal(code, http.StatusForbidden)

	// A folder with an account in it stays.
	c.token = admin
	another := c.must("POST", "/iam/v1/serviceAccounts", `{"folderId":"`+team+`","name":"another"}`)["id"].(string)
	code, answer = c.do("DELETE", "/resource-manager/v1/folders/"+team, "")
	is.Equal(code, http.StatusBadRequest)
	is.True(strings.Contains(answer["message"].(string), "service account "+another))
	c.must("DELETE", "/iam/v1/serviceAccounts/"+another, "")
	c.must("DELETE", "/resource-manager/v1/folders/"+team, "")

	key := c.must("POST", "/iam/aws-compatibility/v1/accessKeys", `{"serviceAccountId":"`+robot+`"}`)
	is.True(strings.HasPrefix(key["secret"].(string), "YC"))
	is.Equal(key["accessKey"].(map[string]any)["serviceAccountId"], robot)
	is.Equal(c.must("POST", "/iam/v1/tokens:revoke", `{"iamToken":"`+robots+`"}`)["subjectId"], robot)
	c.token = robots
	code, _ = c.do("GET", "/iam/v1/serviceAccounts/"+robot, "")
	is.Equal(code, http.StatusUnauthorized)
}

func TestWhatIsNotEmulatedIsSaid(t *testing.T) {
	is, c := is.New(t), newCurl(t)
	c.token = developer
	for _, path := range []string{"/iam/v1/apiKeyScopes", "/resource-manager/v1/folders/" + folderID + ":listAccessPolicyBindings",
		"/resource-manager/v1/clouds/" + cloudID + ":listAccessPolicyBindings"} {
		code, answer := c.do("GET", path, "")
		is.Equal(code, http.StatusNotImplemented)
		is.True(strings.HasPrefix(answer["message"].(string), "not emulated: "))
	}
	for _, r := range c.server.Routes() {
		if !r.Emulated {
			is.True(strings.Contains(r.Method, "AccessPolicy") || strings.HasSuffix(r.Method, "/ListScopes"))
		}
	}
}
