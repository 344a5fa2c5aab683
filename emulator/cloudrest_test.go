package emulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// curl is a client of the cloud's REST that checks of every answer what every answer has, and every operation against the proto.
type curl struct {
	t      *testing.T
	em     *emulatortest.Emulator
	base   string
	client *http.Client
	routes []route
	names  map[string]string // what answers have told: {gateway} in later requests and answers
}

// call is a request and what must be answered: the status, and JSON that must be part of the answer's. A wanted string that begins with
// "?" takes what is there under the name that follows; {name} is what was taken, or the folder.
type call struct {
	verb, path, body string
	status           int
	want             string
	header           http.Header
}

func (c *curl) expand(s string) string {
	return regexp.MustCompile(`\{[a-z0-9]+\}`).ReplaceAllStringFunc(s, func(name string) string {
		if value, ok := c.names[name[1:len(name)-1]]; ok {
			return value
		}
		return name
	})
}

func (c *curl) send(q call) *http.Response {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), q.verb, c.base+c.expand(q.path), strings.NewReader(c.expand(q.body)))
	if err != nil {
		c.t.Fatal(err)
	}
	if q.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range q.header {
		req.Header[name] = values
	}
	res, err := c.client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}

// do makes a call and returns the answer.
func (c *curl) do(q call) map[string]any {
	c.t.Helper()
	res := c.send(q)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	failed := func(why string) {
		c.t.Helper()
		c.t.Fatalf("%s %s %s: %s\n%s %s", q.verb, c.expand(q.path), c.expand(q.body), why, res.Status, body)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		failed("no JSON")
	}
	if res.StatusCode != q.status {
		failed(fmt.Sprintf("want %d", q.status))
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") || res.Header.Get("X-Request-Id") == "" ||
		res.Header.Get("X-Server-Trace-Id") == "" {
		failed(fmt.Sprintf("headers lack something: %v", res.Header))
	}
	var want any
	if q.want != "" {
		if err := json.Unmarshal([]byte(c.expand(q.want)), &want); err != nil {
			c.t.Fatalf("%s: %v", q.want, err)
		}
		if why := c.lacks(want, got); why != "" {
			failed(why)
		}
	}
	if _, is := got["done"]; is {
		c.operation(q, body)
	}
	return got
}

// lacks says what of want is not part of got.
func (c *curl) lacks(want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		fields, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("got %v, want an object", got)
		}
		for name, value := range want {
			if why := c.lacks(value, fields[name]); why != "" {
				return name + ": " + why
			}
		}
		return ""
	case []any:
		elements, ok := got.([]any)
		if !ok || len(elements) != len(want) {
			return fmt.Sprintf("got %v, want %d elements", got, len(want))
		}
		for i, value := range want {
			if why := c.lacks(value, elements[i]); why != "" {
				return fmt.Sprintf("[%d]: %s", i, why)
			}
		}
		return ""
	case string:
		if name, takes := strings.CutPrefix(want, "?"); takes {
			value, ok := got.(string)
			c.names[name] = value
			if !ok || value == "" {
				return fmt.Sprintf("got %v, want something", got)
			}
			return ""
		}
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Sprintf("got %v, want %v", got, want)
	}
	return ""
}

// operation checks one against the proto of the method that the route is of.
func (c *curl) operation(q call, body []byte) {
	c.t.Helper()
	path, _, _ := strings.Cut(c.expand(q.path), "?")
	for _, r := range c.routes {
		if r.verb != q.verb || !r.path.MatchString(path) {
			continue
		}
		op := &operation.Operation{}
		if err := protojson.Unmarshal(body, op); err != nil {
			c.t.Fatalf("%s %s: %v", q.verb, path, err)
		}
		newCloud(c.t, c.em, nil).check(r.method, op)
		return
	}
	if !strings.HasPrefix(path, "/operations/") {
		c.t.Errorf("%s %s: answers an operation that its proto does not name", q.verb, path)
	}
}

// route is a REST binding of a method that answers operations.
type route struct {
	method protoreflect.FullName
	verb   string
	path   *regexp.Regexp
}

func operationRoutes() []route {
	var all []route
	for name, m := range methods() {
		if metadata, _ := operationOf(m); metadata == "" {
			continue
		}
		verbs, patterns := routes(m)
		for i, pattern := range patterns { // such as /triggers/v1/triggers/{trigger_id}:pause
			quoted := regexp.MustCompile(`\\\{[^}]*\}`).ReplaceAllString(regexp.QuoteMeta(pattern), `[^/:]+`)
			all = append(all, route{name, verbs[i], regexp.MustCompile("^" + quoted + "$")})
		}
	}
	return all
}

// eachCurl runs a test in the clear and over TLS.
func eachCurl(t *testing.T, test func(t *testing.T, c *curl)) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) {
			em := emulatortest.Start(t, emulator.Config{})
			transport := &http.Transport{TLSClientConfig: em.ClientTLS()}
			t.Cleanup(transport.CloseIdleConnections)
			base := em.URL()
			if secure {
				base = em.SecureURL()
			}
			d := em.Defaults()
			test(t, &curl{t: t, em: em, base: base, client: &http.Client{Transport: transport}, routes: operationRoutes(), names: map[string]string{
				"folder": d.FolderID, "cloud": d.CloudID, "account": d.ServiceAccountID,
			}})
		})
	}
}

// Errors are of one form, and tell everything that is wrong at once.
func TestRESTErrors(t *testing.T) {
	eachCurl(t, func(t *testing.T, c *curl) {
		is := is.New(t)
		c.do(call{verb: "GET", path: "/container-registry/v1/registries/crpnone", status: 404, want: `{"code": 5}`})
		c.do(call{verb: "DELETE", path: "/triggers/v1/triggers/a1snone", status: 404, want: `{"code": 5}`})
		c.do(call{verb: "GET", path: "/operations/none", status: 404, want: `{"code": 5}`})
		c.do(call{verb: "POST", path: "/container-registry/v1/registries", body: `{"folderId": "{folder}", "name": "twice"}`, status: 200})
		c.do(call{verb: "POST", path: "/container-registry/v1/registries", body: `{"folderId": "{folder}", "name": "twice"}`, status: 409,
			want: `{"code": 6}`})
		wrong := c.do(call{verb: "POST", path: "/container-registry/v1/registries", body: `{"name": "Not A Name", "labels": {"Bad": "Bad Value"}}`,
			status: 400, want: `{"code": 3}`})
		var fields []string
		var requestID any
		for _, detail := range wrong["details"].([]any) {
			detail := detail.(map[string]any)
			switch detail["@type"] {
			case "type.googleapis.com/google.rpc.BadRequest":
				for _, v := range detail["fieldViolations"].([]any) {
					fields = append(fields, v.(map[string]any)["field"].(string))
				}
			case "type.googleapis.com/google.rpc.RequestInfo":
				requestID = detail["requestId"]
			}
		}
		is.True(len(fields) >= 4) // folder_id, name, the label's key and its value
		is.True(requestID != nil)
		c.do(call{verb: "POST", path: "/container-registry/v1/registries", body: `{"folderId": `, status: 400, want: `{"code": 3}`})
		c.do(call{verb: "POST", path: "/container-registry/v1/registries", body: `{"fodlerId": "x"}`, status: 400, want: `{"code": 3}`})
		c.do(call{verb: "GET", path: "/container-registry/v1/registries?folderId=b1gnone", status: 404, want: `{"code": 5}`})
		c.do(call{verb: "PUT", path: "/container-registry/v1/registries", body: `{}`, status: 501, want: `{"code": 12}`})
		c.do(call{verb: "POST", path: "/functions/v1/functions/d4enone:setScalingPolicy", body: `{}`, status: 501,
			want: `{"code": 12, "message": "not emulated: yandex.cloud.serverless.functions.v1.FunctionService/SetScalingPolicy"}`})
		res := c.send(call{verb: "GET", path: "/operations/none", header: http.Header{"X-Request-Id": {"mine"}}})
		is.NoErr(res.Body.Close())
		is.Equal(res.Header.Get("X-Request-Id"), "mine")
	})
}

// One key is one operation, whatever happens between.
func TestRESTIdempotencyKeys(t *testing.T) {
	eachCurl(t, func(t *testing.T, c *curl) {
		is := is.New(t)
		create := call{verb: "POST", path: "/container-registry/v1/registries", body: `{"folderId": "{folder}", "name": "once"}`, status: 200,
			header: http.Header{"Idempotency-Key": {"c5d0a9a4-6b0f-4b5e-9c39-0c3a0f3f0f01"}}}
		first, second := c.do(create), c.do(create)
		is.Equal(first["id"], second["id"])
		is.Equal(first["response"], second["response"])
		create.body = strings.Replace(create.body, "once", "other", 1)
		other := c.send(create)
		is.NoErr(other.Body.Close())
		is.True(other.StatusCode >= 400) // the same key for something else is a mistake
		create.header = nil
		is.True(c.do(create)["id"] != first["id"])
	})
}

// Lists go on where the last page ended, and everything is on one of them, once.
func TestRESTPaging(t *testing.T) {
	eachCurl(t, func(t *testing.T, c *curl) {
		is := is.New(t)
		for i := range 250 {
			c.do(call{verb: "POST", path: "/triggers/v2/triggers", status: 200, want: `{"done": true}`, body: fmt.Sprintf(`{"folderId": "{folder}",
				"name": "many-%03d", "source": {"containerRegistry": {"registryId": "%s", "eventType": ["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE"]}},
				"action": [{"gatewayWebsocketBroadcast": {"gatewayId": "%s", "path": "/ws", "serviceAccountId": "{account}"}}]}`,
				i, c.em.Defaults().RegistryID, c.em.Defaults().GatewayID)})
		}
		for size, pages := range map[int]int{0: 3, 40: 7, 251: 1, 1000: 1} { // 0 is 100; one trigger was there
			seen, token := map[any]bool{}, ""
			for range pages {
				is.True(len(seen) == 0 || token != "")
				page := c.do(call{verb: "GET", path: fmt.Sprintf("/triggers/v2/triggers?folderId={folder}&pageSize=%d&pageToken=%s", size, token), status: 200})
				for _, one := range page["triggers"].([]any) {
					id := one.(map[string]any)["id"]
					is.True(!seen[id])
					seen[id] = true
				}
				token, _ = page["nextPageToken"].(string)
			}
			is.Equal(token, "")
			is.Equal(len(seen), 251)
		}
		c.do(call{verb: "GET", path: "/triggers/v2/triggers?folderId={folder}&filter=name%3D%22many-123%22", status: 200, want: `{"triggers": [{"name": "many-123"}]}`})
		c.do(call{verb: "GET", path: "/triggers/v2/triggers?folderId={folder}&pageSize=1001", status: 400, want: `{"code": 3}`})
		c.do(call{verb: "GET", path: "/triggers/v2/triggers?folderId={folder}&pageToken=made-up", status: 400, want: `{"code": 3}`})
		c.do(call{verb: "GET", path: "/triggers/v2/triggers?folderId={folder}&filter=name%20is%20x", status: 400, want: `{"code": 3}`})
	})
}
