package emulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/matryer/is"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/emulator/rerun"
	"github.com/regcast/regcast/recording"
)

// export is the history from a time on; the zero time: all of it.
func export(t *testing.T, em *emulatortest.Emulator, from time.Time) []byte {
	t.Helper()
	em.Flush()
	var out bytes.Buffer
	if err := em.Export(t.Context(), &out, emulator.ExportOptions{From: from}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// rerunOf is a run once more, in a fresh emulator.
func rerunOf(t *testing.T, run []byte, functions map[string]emulator.Function, started func(*emulator.Emulator)) []byte {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(run))
	if err != nil {
		t.Fatal(err)
	}
	cfg, notices := rerun.Config(r.Header().Configuration, nil)
	if len(notices) > 0 {
		t.Error(notices)
	}
	cfg.InMemory, cfg.Functions = true, functions
	var out bytes.Buffer
	o := rerun.Options{Out: &out, Notice: func(s string) { t.Error(s) }, Started: func(em *emulator.Emulator) error {
		if started != nil {
			started(em)
		}
		return nil
	}}
	if _, err := rerun.Run(t.Context(), r, cfg, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// framesOf are the messages of a run in their order, with the times.
func framesOf(t *testing.T, run []byte) []string {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(run))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line, err := range r.Lines() {
		if err != nil {
			t.Fatal(err)
		}
		if f := line.Frame; f != nil {
			out = append(out, fmt.Sprintf("%s %s%s in=%v to %d: %s %s", line.At.Format(time.RFC3339Nano), f.Gateway, f.Path, f.In, f.Sent, f.Data, f.Error))
		}
	}
	return out
}

func header(t *testing.T, run []byte) recording.Configuration {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(run))
	if err != nil {
		t.Fatal(err)
	}
	return r.Header().Configuration
}

// A rerun begins with what there was when the recording begins, and clients make, change and delete the rest when they did: accounts and
// what they may, gateways with their variables, triggers.
func TestARerunHasWhatClientsDid(t *testing.T) {
	is := is.New(t)
	h := openRights(t, emulator.Config{StrictAuth: true, Frozen: true, InMemory: true})
	minute := func() {
		h.Flush()
		is.NoErr(h.Advance(t.Context(), time.Minute))
	}
	c, folder := h.as(h.developer), h.Defaults().FolderID
	gateways, fired := apigateway.NewApiGatewayServiceClient(c), triggers.NewTriggerServiceClient(c)
	variables := func(who string) map[string]*apigateway.VariableInput {
		return map[string]*apigateway.VariableInput{"who": {VariableValue: &apigateway.VariableInput_StringValue{StringValue: who}}}
	}
	h.withoutDefaultTrigger()
	h.emit("v0") // before anything is made
	minute()
	robot, _ := h.account("robot")
	op, err := gateways.Create(t.Context(), &apigateway.CreateApiGatewayRequest{FolderId: folder, Name: "mine", Variables: variables("then"),
		Spec: &apigateway.CreateApiGatewayRequest_OpenapiSpec{OpenapiSpec: `openapi: 3.0.0
info: {title: t, version: "1"}
x-yc-apigateway: {variables: {who: {default: nobody}}}
paths:
  /in:
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy, http_code: 200, content: {text/plain: '${var.who}'}}}
`}})
	gateway := madeBy[*apigateway.ApiGateway](t, op, err).Id
	ws := h.Dial("/gw/" + gateway + "/in")
	h.emit("v1") // nobody tells of it yet
	minute()
	op, err = fired.Create(t.Context(), &triggers.CreateTriggerRequest{FolderId: folder, Name: "mine",
		Rule: broadcastRule(h.Defaults().RegistryID, gateway, robot)})
	trigger := madeBy[*triggers.Trigger](t, op, err).Id
	h.emit("v2") // it may not
	minute()
	h.bind("api-gateway.websocketBroadcaster", robot)
	h.emit("v3")
	is.Equal(ws.Expect("create-image-tag")[0].Details.Tag, "v3")
	minute()
	middle := h.Header().Now
	ws.Write([]byte("who"))
	is.Equal(string(ws.Read()), "then")
	minute()
	op, err = gateways.Update(t.Context(), &apigateway.UpdateApiGatewayRequest{ApiGatewayId: gateway, Variables: variables("now"),
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"variables"}}})
	is.NoErr(finished(op, err))
	ws.Write([]byte("who"))
	is.Equal(string(ws.Read()), "now")
	h.emit("v4")
	ws.Expect("create-image-tag")
	minute()
	op, err = fired.Delete(t.Context(), &triggers.DeleteTriggerRequest{TriggerId: trigger})
	is.NoErr(finished(op, err))
	h.emit("v5")
	minute()

	whole, part := export(t, h.Emulator, time.Time{}), export(t, h.Emulator, middle)
	is.Equal(len(header(t, whole).Kept), 2) // the default trigger, and what the default account may: they have been changed since
	is.Equal(len(header(t, whole).Gateways), 0)
	var names []string
	for _, k := range header(t, part).Kept {
		names = append(names, k.Name[:strings.LastIndex(k.Name, ".")])
	}
	is.Equal(names, []string{"resource.access-bindings", "resource.api-gateway", "resource.service-account", "resource.trigger", "resource.trigger"})
	for name, run := range map[string][]byte{"whole": whole, "part": part} {
		want := framesOf(t, run)
		is.Equal(len(want), map[string]int{"whole": 6, "part": 5}[name])
		got := rerunOf(t, run, nil, nil)
		is.Equal(framesOf(t, got), want)
		is.Equal(framesOf(t, rerunOf(t, got, nil, nil)), want) // what a rerun gives is a recording, too
	}

	// Where something else is run in the place of what the recording has, triggers and gateways of then are not beside it.
	for _, run := range [][]byte{whole, part} {
		r, err := recording.NewReader(bytes.NewReader(run))
		is.NoErr(err)
		var own *emulator.Emulator
		_, err = rerun.Run(t.Context(), r, emulator.Config{InMemory: true}, rerun.Options{Instead: true, Notice: func(string) {},
			Started: func(em *emulator.Emulator) error { own = em; return nil }})
		is.NoErr(err)
		is.Equal(len(own.Triggers()), 1)
		is.Equal(len(own.Gateways()), 1)
		is.Equal(len(own.Header().Configuration.Kept), 2) // but the account, and what it may
	}
}

// counter is a function that counts in a table that a client has made, and says to whom wrote how often that was.
// The count is good until a time.
func counter(url *atomic.Pointer[string], until time.Time) function {
	return func(ctx context.Context, _ []byte) ([]byte, error) {
		out, err := tablesAt(*url.Load()).UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: aws.String("counts"), Key: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "all"}},
			UpdateExpression: aws.String("SET till = :until ADD n :one"), ReturnValues: types.ReturnValueUpdatedNew,
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":one": &types.AttributeValueMemberN{Value: "1"}, ":until": &types.AttributeValueMemberN{Value: fmt.Sprint(until.Unix())},
			},
		})
		if err != nil {
			return []byte(`{"statusCode":200,"body":"no table"}`), nil
		}
		return fmt.Appendf(nil, `{"statusCode":200,"body":%q}`, out.Attributes["n"].(*types.AttributeValueMemberN).Value), nil
	}
}

func tablesAt(url string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{BaseEndpoint: aws.String(url), Region: "ru-central1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("regcast", "regcast", "")})
}

// Tables that clients have made are there in a rerun, with their TTL and without their items.
func TestARerunHasTablesOfClients(t *testing.T) {
	is := is.New(t)
	var url atomic.Pointer[string]
	began := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	at := func(s string) { url.Store(&s) }
	functions := map[string]emulator.Function{"message": counter(&url, began.Add(3*time.Minute+30*time.Second))}
	spec := []byte("openapi: 3.0.0\npaths:\n  /in:\n    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: cloud_functions, function_id: message}}\n")
	em := emulatortest.Start(t, emulator.Config{Start: began, Frozen: true, InMemory: true, Functions: functions,
		Gateways: []emulator.Gateway{{ID: "d5dcounts00000000000", File: emulator.File{Name: "client:counts", Data: spec}}}})
	at(em.URL())
	tables, ws := tablesAt(em.URL()), em.Dial("/gw/d5dcounts00000000000/in")
	say := func(want string) {
		t.Helper()
		ws.Write([]byte("count"))
		is.Equal(string(ws.Read()), want)
		em.Flush()
		is.NoErr(em.Advance(t.Context(), time.Minute))
	}
	say("no table")
	made, err := tables.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("counts"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	is.NoErr(err)
	_, err = tables.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{TableName: made.TableDescription.TableName,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("till"), Enabled: aws.Bool(true)}})
	is.NoErr(err)
	middle := em.Header().Now
	is.NoErr(em.Advance(t.Context(), time.Minute))
	say("1")
	say("2")
	say("1") // the item has gone
	_, err = tables.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: made.TableDescription.TableName})
	is.NoErr(err)
	say("no table")

	whole, part := export(t, em, time.Time{}), export(t, em, middle.Add(time.Second))
	is.Equal(len(header(t, whole).Kept), 0)
	is.Equal(len(header(t, part).Kept), 1)
	for name, run := range map[string][]byte{"whole": whole, "part": part} {
		want := framesOf(t, run)
		is.Equal(len(want), map[string]int{"whole": 10, "part": 8}[name])
		got := rerunOf(t, run, functions, func(em *emulator.Emulator) { at(em.URL()) })
		is.Equal(framesOf(t, got), want)
	}
}

// Faults that are added and removed while a run is recorded come and go again in its rerun, and are no more than that in one that begins
// later.
func TestARerunHasFaultsOfClients(t *testing.T) {
	is := is.New(t)
	spec := []byte("openapi: 3.0.0\npaths:\n  /in:\n    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy, content: {'*': me}}}\n")
	h := openRights(t, emulator.Config{Frozen: true, InMemory: true, Faults: []emulator.Fault{{Step: emulator.FaultMatch, Action: emulator.FaultDrop, Next: 1}},
		Gateways: []emulator.Gateway{{ID: "d5dechoes00000000000", File: emulator.File{Name: "client:echoes", Data: spec}}}})
	ws, echo := h.Dial("/ws"), h.Dial("/gw/d5dechoes00000000000/in")
	moment := func() {
		h.Flush()
		is.NoErr(h.Advance(t.Context(), 20*time.Second))
	}
	add := func(text string) {
		t.Helper()
		code, body := h.ask("POST", "/_regcast/faults", "", text)
		if code != 201 {
			t.Fatal(code, body)
		}
	}
	remove := func(path string) {
		t.Helper()
		code, _ := h.ask("DELETE", "/_regcast/faults"+path, "", "")
		is.Equal(code, 204)
	}
	h.emit("v1") // lost
	moment()
	add(`{"step":"match","action":"drop","next":2}`)
	add(`{"step":"send","action":"duplicate","share":0.5,"path":"/ws"}`)
	for _, c := range h.Connections() {
		if c.GatewayID != h.Defaults().GatewayID {
			add(fmt.Sprintf(`{"id":"mine","step":"send","action":"duplicate","connection":%q}`, c.ID))
		}
	}
	h.emit("v2") // lost
	moment()
	middle := h.Header().Now
	h.emit("v3") // lost
	moment()
	for n := range 8 {
		h.emit(fmt.Sprint("w", n)) // some come twice
		moment()
	}
	echo.Write([]byte("who"))
	is.Equal(string(echo.Read())+string(echo.Read()), "meme")
	remove("/f3")
	h.emit("x1")
	moment()
	add(`{"step":"match","action":"delay","delay":"1m"}`)
	h.emit("x2")
	moment()
	remove("") // and what it held back goes on
	moment()
	ws.Close()
	h.Flush()

	whole := export(t, h.Emulator, time.Time{})
	is.Equal(len(header(t, whole).Faults), 1)
	want := framesOf(t, whole)
	if n := len(want); n <= 13 || n >= 21 {
		t.Errorf("%d frames prove nothing:\n%s", n, strings.Join(want, "\n"))
	}
	is.Equal(framesOf(t, rerunOf(t, whole, nil, nil)), want)
	is.Equal(framesOf(t, rerunOf(t, whole, nil, func(em *emulator.Emulator) { // has one that is called as one of then
		_, err := em.AddFault(emulator.Fault{ID: "f2", Step: emulator.FaultRegistry, Action: emulator.FaultDrop})
		is.NoErr(err)
	})), want)

	faults := header(t, export(t, h.Emulator, middle)).Faults
	is.Equal(len(faults), 4)
	is.True(slices.ContainsFunc(faults, func(f json.RawMessage) bool { return bytes.Contains(f, []byte(`"id":"mine"`)) }))
}

// Of what is too large for the journal at first what it was is left out, and whoever cannot do it again is told.
func TestWhatIsKeptIsTooLarge(t *testing.T) {
	is := is.New(t)
	half := json.RawMessage(`"` + strings.Repeat("a", 4<<20) + `"`)
	data, err := emulator.EncodeLine(recording.Line{Kept: &recording.Kept{Name: "resource.api-gateway.d5d1", Value: half, Was: half}})
	is.NoErr(err)
	is.True(bytes.Contains(data, half)) // what is, not what was
	is.True(bytes.HasSuffix(data, fmt.Appendf(nil, `"omitted":%d}}`, len(half))))
	err = emulatortest.Start(t, emulator.Config{InMemory: true}).Keep(t.Context(), recording.Kept{Name: "resource.api-gateway.d5d1", Omitted: 7})
	is.True(err != nil && strings.Contains(err.Error(), "d5d1: its 7 bytes were too many"))
}
