package triggers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"

	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/events"
)

func TestListsHavePagesAndFilters(t *testing.T) {
	is := is.New(t)
	h := build(t)
	ctx := t.Context()
	var want []string
	for i := range 5 { // of both versions, in the order of creation
		h.clock.Advance(time.Second)
		if i%2 == 0 {
			want = append(want, h.createV1(fmt.Sprintf("trigger-%d", i), broadcastV1(1)))
		} else {
			want = append(want, h.createV2(fmt.Sprintf("trigger-%d", i), sourceV2(1), broadcastV2("/lobby")))
		}
	}
	var one, two []string
	for token := ""; ; {
		page, err := h.v1.List(ctx, &v1.ListTriggersRequest{FolderId: folder, PageSize: 2, PageToken: token})
		is.NoErr(err)
		is.True(len(page.Triggers) <= 2)
		for _, m := range page.Triggers {
			one = append(one, m.Id)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	for token := ""; ; {
		page, err := h.v2.List(ctx, &v2.ListTriggersRequest{FolderId: folder, PageSize: 3, PageToken: token})
		is.NoErr(err)
		for _, m := range page.Triggers {
			two = append(two, m.Id)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	is.Equal(one, want)
	is.Equal(two, want)
	named, err := h.v1.List(ctx, &v1.ListTriggersRequest{FolderId: folder, Filter: `name="trigger-3"`})
	is.NoErr(err)
	is.Equal(len(named.Triggers), 1)
	is.Equal(named.Triggers[0].Id, want[3])
	_, err = h.v2.List(ctx, &v2.ListTriggersRequest{FolderId: folder, Filter: `nome="x"`})
	refused(t, err, codes.InvalidArgument, "filter")
	none, err := h.v2.List(ctx, &v2.ListTriggersRequest{FolderId: "b1gother"})
	is.NoErr(err)
	is.Equal(len(none.Triggers), 0)
}

func TestTheSameOverREST(t *testing.T) {
	is := is.New(t)
	h := build(t)
	ask := func(method, path, body string, want int) map[string]any {
		t.Helper()
		status, text := h.rest(method, path, body)
		var told map[string]any
		is.NoErr(json.Unmarshal([]byte(text), &told))
		if status != want {
			t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
		return told
	}
	op := ask("POST", "/triggers/v1/triggers", `{"folderId":"b1gmine","name":"registry-trigger",
		"rule":{"containerRegistry":{"eventType":["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG"],"registryId":"crpmine",
		"batchSettings":{"size":"1","cutoff":"20s"},
		"gatewayWebsocketBroadcast":{"gatewayId":"d5dmine","path":"/lobby","serviceAccountId":"ajemine"}}}}`, 200)
	metadata, response := op["metadata"].(map[string]any), op["response"].(map[string]any)
	is.Equal([]any{op["done"], metadata["@type"], response["@type"], response["status"]}, []any{true,
		"type.googleapis.com/yandex.cloud.serverless.triggers.v1.CreateTriggerMetadata", "type.googleapis.com/yandex.cloud.serverless.triggers.v1.Trigger", "ACTIVE"})
	id := metadata["triggerId"].(string)
	h.arrives(h.socket("/lobby"), "1")
	is.Equal(ask("GET", "/triggers/v2/triggers/"+id, "", 200)["name"], "registry-trigger")
	is.Equal(ask("POST", "/triggers/v1/triggers/"+id+":pause", "{}", 200)["description"], "Pause trigger")
	ask("PATCH", "/triggers/v2/triggers/"+id, `{"updateMask":"description","description":"x"}`, 200)
	is.Equal(len(ask("GET", "/triggers/v1/triggers/"+id+"/operations", "", 200)["operations"].([]any)), 3)
	is.Equal(len(ask("GET", "/triggers/v1/triggers?folderId=b1gmine&filter=name%3D%22registry-trigger%22", "", 200)["triggers"].([]any)), 1)
	is.Equal(ask("DELETE", "/triggers/v1/triggers/"+id, "", 200)["done"], true)
	is.Equal(ask("GET", "/triggers/v1/triggers/"+id, "", 404)["code"], 5.0)
}

// Twenty clients make, change and delete triggers while events flow: every event reaches the trigger that stays, once and in order.
func TestManyClientsAtOnce(t *testing.T) {
	const clients, rounds = 20, 5
	is := is.New(t)
	h := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h.createV1("steady", ruleV1(func(r *v1.Trigger_ContainerRegistry) {
		r.GetGatewayWebsocketBroadcast().Path = "/rooms/{room}"
	}))
	room := h.socket("/rooms/1")
	stop, pushed := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { pushed <- n }()
		for {
			select {
			case <-stop:
				return
			case h.in <- happened(t, events.TagAttached, fmt.Sprint(n)):
				n++
			}
		}
	}()
	arrived := make(chan int, 1)
	end := fmt.Sprintf(`"tag":"%s"`, "end")
	go func() {
		n := 0
		defer func() { arrived <- n }()
		for {
			_, data, err := room.Read(ctx)
			if err != nil || strings.Contains(string(data), end) {
				return
			}
			if strings.Contains(string(data), fmt.Sprintf(`"tag":"%d"`, n)) {
				n++
			}
		}
	}()
	var all sync.WaitGroup
	errs := make(chan error, clients*rounds*5)
	for i := range clients {
		all.Go(func() {
			for j := range rounds {
				name := fmt.Sprintf("client-%d-%d", i, j)
				op, err := h.v2.Create(ctx, &v2.CreateTriggerRequest{FolderId: folder, Name: name, Source: sourceV2(3), Action: []*v2.Action{broadcastV2("/lobby")}})
				if err != nil {
					errs <- err
					continue
				}
				m := &v2.CreateTriggerMetadata{}
				errs <- op.Metadata.UnmarshalTo(m)
				_, err = h.v1.Update(ctx, &v1.UpdateTriggerRequest{TriggerId: m.TriggerId, Name: name + "x", Rule: broadcastV1(2)})
				errs <- err
				_, err = h.v1.List(ctx, &v1.ListTriggersRequest{FolderId: folder})
				errs <- err
				_, err = h.v1.Pause(ctx, &v1.PauseTriggerRequest{TriggerId: m.TriggerId})
				errs <- err
				_, err = h.v2.Delete(ctx, &v2.DeleteTriggerRequest{TriggerId: m.TriggerId})
				errs <- err
			}
		})
	}
	all.Wait()
	close(stop)
	n := <-pushed
	h.in <- happened(t, events.TagAttached, "end")
	is.Equal(<-arrived, n)
	is.Equal(len(errs), clients*rounds*5)
	close(errs)
	for err := range errs {
		is.NoErr(err)
	}
	is.Equal(len(h.engine.Triggers()), 1)
	t.Logf("%d events met %d clients", n, clients)
}
