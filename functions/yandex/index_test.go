package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"
)

// cloud is a table, a metadata service and a ConnectionService at one address.
type cloud struct {
	mu   sync.Mutex
	did  []string
	told map[string]string
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	token := r.Header.Get("Authorization")
	if strings.HasPrefix(r.URL.Path, "/computeMetadata/") {
		_, _ = io.WriteString(w, `{"access_token":"t1.a.b","expires_in":3600,"token_type":"Bearer"}`)
		return
	}
	if target, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810."); ok {
		c.did = append(c.did, target+" "+strings.TrimRight(r.URL.Path, "/")+" "+token)
		answer := `{}`
		if target == "Query" && strings.Contains(string(body), `"repo#app"`) {
			answer = `{"Items":[{"sk":{"S":"live"},"wish":{"S":"image=app"},"since":{"N":"1"}},{"sk":{"S":"dead"},"wish":{"S":"image=app"},"since":{"N":"1"}}]}`
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, answer)
		return
	}
	if r.Method == http.MethodPut {
		c.told[strings.SplitAfter(r.URL.Path, "regcast/")[0]+" "+r.Header.Get("X-YaCloud-SubjectToken")] = string(body)
		return
	}
	if strings.Contains(r.URL.Path, "dead") {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":5,"message":"no such connection","details":[]}`)
		return
	}
	var sent struct{ Data string }
	_ = json.Unmarshal(body, &sent)
	text, _ := base64.StdEncoding.DecodeString(sent.Data)
	c.told[r.URL.Path+" "+token] = string(text)
	_, _ = io.WriteString(w, `{}`)
}

// The entry points as the cloud calls them.
func TestEntryPoints(t *testing.T) {
	is := is.New(t)
	sockets, broadcasts, captures = sync.OnceValues(newSockets), sync.OnceValues(newBroadcast), sync.OnceValues(newCapture) // as in a new process
	c := &cloud{told: map[string]string{}}
	s := httptest.NewServer(c)
	defer s.Close()
	for name, value := range map[string]string{
		"REGCAST_TABLE": "conns", "REGCAST_TABLE_ENDPOINT": s.URL + "/ru-central1/b1g/etn", "REGCAST_ENDPOINT": s.URL, "REGCAST_LOG_LEVEL": "error", "REGCAST_BUCKET": "mine",
		"YC_METADATA_ADDR": strings.TrimPrefix(s.URL, "http://"), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ENDPOINT_URL": "",
		"AWS_ENDPOINT_URL_DYNAMODB": "", "AWS_REGION": "",
	} {
		t.Setenv(name, value)
	}
	event := func(kind, query, body string) []byte {
		text, _ := json.Marshal(body)
		return fmt.Appendf(nil, `{"resource":"/ws","requestContext":{"eventType":%q,"connectionId":"live"},"queryStringParameters":%s,"body":%s}`, kind, query, text)
	}
	for _, call := range []struct {
		do    func(context.Context, []byte) ([]byte, error)
		event []byte
		want  string
	}{
		{Connect, event("CONNECT", `{"image":"app"}`, ""), `{"statusCode":200}`},
		{Connect, event("CONNECT", `{"image":"A"}`, ""), `{"statusCode":400,`},
		{Message, event("MESSAGE", `null`, "ping"), `{"statusCode":200,"headers":{"Content-Type":"text/plain"},"body":"pong"}`},
		{Disconnect, event("DISCONNECT", `null`, ""), `{"statusCode":200}`},
	} {
		got, err := call.do(t.Context(), call.event)
		is.NoErr(err)
		is.True(strings.HasPrefix(string(got), call.want))
	}
	const table = " /ru-central1/b1g/etn Bearer t1.a.b"
	is.Equal(c.did, []string{"BatchWriteItem" + table, "GetItem" + table})

	batch := `{"messages":[{"event_metadata":{"event_id":"e1","event_type":"yandex.cloud.events.containerregistry.CreateImageTag",` +
		`"created_at":"2026-09-25T01:02:03Z"},"details":{"registry_id":"crpmine","repository_name":"crpmine/app","tag":"v1"}}]}`
	got, err := Broadcast(t.Context(), []byte(batch))
	is.NoErr(err)
	is.True(strings.Contains(string(got), `"posts":1,"gone":1,`))
	is.Equal(c.told, map[string]string{"/apigateways/websocket/v1/connections/live:send Bearer t1.a.b": batch})
	is.Equal(c.did[len(c.did)-1], "BatchWriteItem"+table) // the dead one's rows

	got, err = Capture(t.Context(), []byte(batch))
	is.NoErr(err)
	is.Equal(string(got), `{"captured":1}`)
	is.Equal(c.told["/mine/regcast/ t1.a.b"]+"]}", strings.TrimPrefix(strings.Replace(batch, "}}]}", "}}\n]}", 1), `{"messages":[`))
}

func TestRequestID(t *testing.T) {
	is := is.New(t)
	//lint:ignore SA1029 the cloud's key is a string
	is.Equal(requestID(context.WithValue(t.Context(), "lambdaRuntimeRequestID", "r1")), "r1")
	is.Equal(requestID(t.Context()), "")
}
