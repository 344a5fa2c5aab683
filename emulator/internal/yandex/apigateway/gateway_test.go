package apigateway_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/apigateway"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
)

func spec(s string) *pb.UpdateApiGatewayRequest_OpenapiSpec {
	return &pb.UpdateApiGatewayRequest_OpenapiSpec{OpenapiSpec: s}
}

func TestAGatewayFromItsCreationToItsEnd(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	g := h.make(t, "chat", chat)
	is.True(strings.HasPrefix(g.Id, "d5d") && len(g.Id) == 20)
	is.True(proto.Equal(g, &pb.ApiGateway{Id: g.Id, FolderId: "folder", CreatedAt: h.store.Now(), Name: "chat", Status: pb.ApiGateway_ACTIVE,
		Domain: g.Id + ".apigw.localhost", LogGroupId: "e23folder", ExecutionTimeout: durationpb.New(300 * time.Second)})) // log_options: unset
	got, err := h.Get(t.Context(), &pb.GetApiGatewayRequest{ApiGatewayId: g.Id})
	is.NoErr(err)
	is.True(proto.Equal(got, g))
	list, err := h.List(t.Context(), &pb.ListApiGatewayRequest{FolderId: "folder", Filter: `name="chat"`})
	is.NoErr(err)
	is.True(len(list.ApiGateways) == 1 && proto.Equal(list.ApiGateways[0], g))
	list, err = h.List(t.Context(), &pb.ListApiGatewayRequest{FolderId: "another"})
	is.NoErr(err)
	is.Equal(len(list.ApiGateways), 0)

	// It runs at once; stopped it lets nobody in and closes sockets; resumed it goes on.
	_, page := h.page(t, "/gw/"+g.Id+"/chat", "")
	is.Equal(page, "chat's page")
	c, _ := h.dial(t, g.Id, "/chat")
	op, err := h.Stop(t.Context(), &pb.StopApiGatewayRequest{ApiGatewayId: g.Id})
	ended[*emptypb.Empty](t, op, err, ofGateways+"StopApiGatewayMetadata")
	is.Equal(closed(t, c), websocket.StatusGoingAway)
	_, err = h.Stop(t.Context(), &pb.StopApiGatewayRequest{ApiGatewayId: g.Id}) // it is
	is.NoErr(err)
	code, _ := h.page(t, "/gw/"+g.Id+"/chat", "")
	is.True(code >= 400)
	got, err = h.Get(t.Context(), &pb.GetApiGatewayRequest{ApiGatewayId: g.Id})
	is.NoErr(err)
	is.Equal(got.Status, pb.ApiGateway_STOPPED)
	op, err = h.Resume(t.Context(), &pb.ResumeApiGatewayRequest{ApiGatewayId: g.Id})
	is.Equal(ended[*pb.ApiGateway](t, op, err, ofGateways+"ResumeApiGatewayMetadata").Status, pb.ApiGateway_ACTIVE)

	c, _ = h.dial(t, g.Id, "/chat")
	op, err = h.Delete(t.Context(), &pb.DeleteApiGatewayRequest{ApiGatewayId: g.Id})
	ended[*emptypb.Empty](t, op, err, ofGateways+"DeleteApiGatewayMetadata")
	is.Equal(closed(t, c), websocket.StatusGoingAway)
	code, _ = h.page(t, "/gw/"+g.Id+"/chat", "")
	is.Equal(code, 404)
	for name, call := range map[string]func() error{
		"get": func() error { _, err := h.Get(t.Context(), &pb.GetApiGatewayRequest{ApiGatewayId: g.Id}); return err },
		"update": func() error {
			_, err := h.Update(t.Context(), &pb.UpdateApiGatewayRequest{ApiGatewayId: g.Id, Spec: spec(chat)})
			return err
		},
		"delete": func() error {
			_, err := h.Delete(t.Context(), &pb.DeleteApiGatewayRequest{ApiGatewayId: g.Id})
			return err
		},
		"stop": func() error { _, err := h.Stop(t.Context(), &pb.StopApiGatewayRequest{ApiGatewayId: g.Id}); return err },
		"resume": func() error {
			_, err := h.Resume(t.Context(), &pb.ResumeApiGatewayRequest{ApiGatewayId: g.Id})
			return err
		},
		"spec": func() error {
			_, err := h.GetOpenapiSpec(t.Context(), &pb.GetOpenapiSpecRequest{ApiGatewayId: g.Id})
			return err
		},
		"domain": func() error {
			_, err := h.AddDomain(t.Context(), &pb.AddDomainRequest{ApiGatewayId: g.Id, DomainName: "a.example.com"})
			return err
		},
	} {
		if code := status.Code(call()); code != codes.NotFound {
			t.Errorf("%s: got %v", name, code)
		}
	}
}

func TestAnUpdateIsInEffectAtOnce(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	g := h.make(t, "chat", chat)
	stays, _ := h.dial(t, g.Id, "/chat")
	update := func(r *pb.UpdateApiGatewayRequest, paths ...string) *pb.ApiGateway {
		t.Helper()
		r.ApiGatewayId = g.Id
		if paths != nil {
			r.UpdateMask = mask(paths...)
		}
		op, err := h.Update(t.Context(), r)
		return ended[*pb.ApiGateway](t, op, err, ofGateways+"UpdateApiGatewayMetadata")
	}
	// A mask that does not name the specification leaves it alone.
	got := update(&pb.UpdateApiGatewayRequest{Name: "other", Description: "d", Labels: map[string]string{"a": "b"}}, "description", "labels")
	is.Equal([]any{got.Name, got.Description, got.Labels["a"]}, []any{"chat", "d", "b"})
	// A nested one changes what is in it.
	got = update(&pb.UpdateApiGatewayRequest{LogOptions: &pb.LogOptions{MinLevel: logging.LogLevel_WARN, Disabled: true}}, "log_options.min_level")
	is.True(proto.Equal(got.LogOptions, &pb.LogOptions{MinLevel: logging.LogLevel_WARN}))
	got = update(&pb.UpdateApiGatewayRequest{Spec: spec(strings.ReplaceAll(chat, "chat's page", "new page"))}, "openapi_spec")
	is.Equal(got.Description, "d")
	_, page := h.page(t, "/gw/"+g.Id+"/chat", "")
	is.Equal(page, "new page")
	// Without one all is replaced. The socket's path stays, and so does it, until the path goes.
	got = update(&pb.UpdateApiGatewayRequest{Name: "new", Spec: spec(chat)})
	is.True(proto.Equal(got, &pb.ApiGateway{Id: g.Id, FolderId: "folder", CreatedAt: g.CreatedAt, Name: "new", Status: pb.ApiGateway_ACTIVE,
		Domain: g.Domain, LogGroupId: g.LogGroupId, ExecutionTimeout: durationpb.New(300 * time.Second)}))
	is.NoErr(stays.Ping(stays.CloseRead(t.Context())))
	c, _ := h.dial(t, g.Id, "/chat")
	update(&pb.UpdateApiGatewayRequest{Spec: spec(strings.ReplaceAll(chat, "/chat:", "/talk:"))}, "openapi_spec")
	is.Equal(closed(t, c), websocket.StatusGoingAway)

	ops, err := h.ListOperations(t.Context(), &pb.ListOperationsRequest{ApiGatewayId: g.Id})
	is.NoErr(err)
	is.Equal([]any{len(ops.Operations), ops.Operations[0].Description, ops.Operations[5].Description}, []any{6, "operation_update", "operation_create"})
}

func TestVariablesOfASpecification(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	text := strings.ReplaceAll(chat, "chat's page", "${var.who} ${var.n} ${var.ok}") +
		"x-yc-apigateway: {variables: {who: {default: nobody}, n: {default: 1}, ok: {default: false}}}\n"
	values := map[string]*pb.VariableInput{
		"who": {VariableValue: &pb.VariableInput_StringValue{StringValue: "me"}},
		"n":   {VariableValue: &pb.VariableInput_DoubleValue{DoubleValue: 1.5}},
		"ok":  {VariableValue: &pb.VariableInput_BoolValue{BoolValue: true}},
	}
	op, err := h.Create(t.Context(), &pb.CreateApiGatewayRequest{FolderId: "folder", Variables: values, Spec: &pb.CreateApiGatewayRequest_OpenapiSpec{OpenapiSpec: text}})
	g := ended[*pb.ApiGateway](t, op, err, ofGateways+"CreateApiGatewayMetadata")
	is.True(proto.Equal(g.Variables["n"], values["n"]))
	_, page := h.page(t, "/gw/"+g.Id+"/chat", "")
	is.Equal(page, "me 1.5 true")
}

func TestWhatNoGatewayCanBe(t *testing.T) {
	h := open(t, nil)
	h.make(t, "taken", chat)
	big := chat + "#" + strings.Repeat("x", 3_670_016-len(chat))
	for name, c := range map[string]struct {
		change func(*pb.CreateApiGatewayRequest)
		code   codes.Code
		field  string
		says   string
	}{
		"no YAML":      {with("openapi: ["), codes.InvalidArgument, "openapi_spec", ": got what is neither YAML nor JSON"},
		"no paths":     {with("openapi: 3.0.0\npaths: {}\n"), codes.InvalidArgument, "openapi_spec", "line 2: paths: got an empty mapping"},
		"all at once":  {with("openapi: 2\npaths: 3\n"), codes.InvalidArgument, "openapi_spec", "line 1: openapi: got \"2\", want 3.0.0line 2: paths: got \"3\""},
		"no spec":      {func(r *pb.CreateApiGatewayRequest) { r.Spec = nil }, codes.InvalidArgument, "spec", "exactly one"},
		"an empty one": {with(""), codes.InvalidArgument, "openapi_spec", "got nothing"},
		"too large":    {with(big + "x"), codes.InvalidArgument, "openapi_spec", "got 3670018 bytes, want at most 3670016"},
		"name":         {func(r *pb.CreateApiGatewayRequest) { r.Name = "No" }, codes.InvalidArgument, "name", ""},
		"taken name":   {func(r *pb.CreateApiGatewayRequest) { r.Name = "taken" }, codes.AlreadyExists, "", ""},
		"no folder":    {func(r *pb.CreateApiGatewayRequest) { r.FolderId = "" }, codes.InvalidArgument, "folder_id", ""},
		"timeout":      {func(r *pb.CreateApiGatewayRequest) { r.ExecutionTimeout = durationpb.New(601 * time.Second) }, codes.InvalidArgument, "execution_timeout", ""},
		"empty value": {func(r *pb.CreateApiGatewayRequest) { r.Variables = map[string]*pb.VariableInput{"a": {}} }, codes.InvalidArgument,
			"variables.a", "want one of string_value"},
		"canary":   {canary(100, "a"), codes.InvalidArgument, "canary.weight", "1"},
		"canary's": {canary(10, ""), codes.InvalidArgument, "canary.variables", ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := &pb.CreateApiGatewayRequest{FolderId: "folder", Name: "new"}
			with(chat)(r)
			c.change(r)
			_, err := h.Create(t.Context(), r)
			code, fields := refused(err)
			is.Equal(code, c.code)
			if c.field != "" {
				is.True(strings.Contains(fields[c.field], c.says) && fields[c.field] != "")
			}
		})
	}
	is := is.New(t)
	list, err := h.List(t.Context(), &pb.ListApiGatewayRequest{FolderId: "folder"})
	is.NoErr(err)
	is.Equal(len(list.ApiGateways), 1) // nothing is left of what was refused
	g := list.ApiGateways[0]
	_, err = h.Update(t.Context(), &pb.UpdateApiGatewayRequest{ApiGatewayId: g.Id, Spec: spec("openapi: [")})
	is.Equal(status.Code(err), codes.InvalidArgument)
	_, page := h.page(t, "/gw/"+g.Id+"/chat", "")
	is.Equal(page, "chat's page") // as before
}

func with(spec string) func(*pb.CreateApiGatewayRequest) {
	return func(r *pb.CreateApiGatewayRequest) {
		r.Spec = &pb.CreateApiGatewayRequest_OpenapiSpec{OpenapiSpec: spec}
	}
}

func canary(weight int64, who string) func(*pb.CreateApiGatewayRequest) {
	return func(r *pb.CreateApiGatewayRequest) {
		r.Canary = &pb.Canary{Weight: weight}
		if who != "" {
			r.Canary.Variables = map[string]*pb.VariableInput{"who": {VariableValue: &pb.VariableInput_StringValue{StringValue: who}}}
		}
	}
}

func TestACanaryHasItsShareOfTheRequests(t *testing.T) {
	is := is.New(t)
	values := journal.NewMemory(journal.MemoryOptions{})
	h := open(t, values)
	text := strings.ReplaceAll(chat, "chat's page", "${var.who} ${var.n}") + "x-yc-apigateway: {variables: {who: {enum: [old, new]}, n: {default: 1}}}\n"
	r := &pb.CreateApiGatewayRequest{FolderId: "folder", Variables: map[string]*pb.VariableInput{
		"who": {VariableValue: &pb.VariableInput_StringValue{StringValue: "old"}}, "n": {VariableValue: &pb.VariableInput_IntValue{IntValue: 2}}}}
	with(text)(r)
	canary(30, "none")(r)
	_, err := h.Create(t.Context(), r)
	is.Equal(status.Code(err), codes.InvalidArgument) // its values are checked too
	canary(30, "new")(r)
	op, err := h.Create(t.Context(), r)
	g := ended[*pb.ApiGateway](t, op, err, ofGateways+"CreateApiGatewayMetadata")
	is.True(proto.Equal(g.Canary, r.Canary))
	h.close()
	h = open(t, values)
	got := make(map[string]int)
	for range 20 {
		res, err := h.server.Client().Get(h.server.URL + "/gw/" + g.Id + "/chat")
		is.NoErr(err)
		page, err := io.ReadAll(res.Body)
		is.NoErr(err)
		is.NoErr(res.Body.Close())
		got[string(page)+" "+res.Header.Get("x-yc-apigateway-release")]++
	}
	is.Equal(got, map[string]int{"old 2 ": 14, "new 2 canary": 6})
	op, err = h.Update(t.Context(), &pb.UpdateApiGatewayRequest{ApiGatewayId: g.Id, UpdateMask: mask("canary")})
	is.True(ended[*pb.ApiGateway](t, op, err, ofGateways+"UpdateApiGatewayMetadata").Canary == nil)
	for range 20 {
		_, page := h.page(t, "/gw/"+g.Id+"/chat", "")
		is.Equal(page, "old 2")
	}
}

func TestGatewaysOutliveARestart(t *testing.T) {
	is := is.New(t)
	values := journal.NewMemory(journal.MemoryOptions{})
	h := open(t, values)
	runs, stopped, gone := h.make(t, "runs", chat), h.make(t, "stopped", chat), h.make(t, "gone", chat)
	_, err := h.Stop(t.Context(), &pb.StopApiGatewayRequest{ApiGatewayId: stopped.Id})
	is.NoErr(err)
	_, err = h.Delete(t.Context(), &pb.DeleteApiGatewayRequest{ApiGatewayId: gone.Id})
	is.NoErr(err)
	_, err = h.AddDomain(t.Context(), &pb.AddDomainRequest{ApiGatewayId: runs.Id, DomainName: "chat.example.com"})
	is.NoErr(err)
	h.close()

	h = open(t, values, func(o *apigateway.Options) { o.Domain = func(id string) string { return id + ".apigw.localhost:8080" } })
	list, err := h.List(t.Context(), &pb.ListApiGatewayRequest{FolderId: "folder"})
	is.NoErr(err)
	is.Equal(len(list.ApiGateways), 2)
	got, err := h.Get(t.Context(), &pb.GetApiGatewayRequest{ApiGatewayId: stopped.Id})
	is.NoErr(err)
	is.Equal([]any{got.Status, got.Domain}, []any{pb.ApiGateway_STOPPED, stopped.Id + ".apigw.localhost:8080"})
	code, _ := h.page(t, "/gw/"+stopped.Id+"/chat", "")
	is.True(code >= 400)
	_, page := h.page(t, "/chat", "chat.example.com")
	is.Equal(page, "chat's page")
	is.Equal(len(h.warned), 0)
}

// notAnyMore refuses every specification, as a later regcast may one that an earlier took.
type notAnyMore struct {
	*yandex.Cloud
	refuse bool
}

func (n *notAnyMore) SetGateway(g yandex.GatewayDefinition) error {
	if n.refuse {
		return &yandex.FileError{Problems: []string{g.File + ":4: paths: no more"}}
	}
	return n.Cloud.SetGateway(g)
}

func TestAKeptGatewayThatCannotRunDoesNotStopTheStart(t *testing.T) {
	is := is.New(t)
	values := journal.NewMemory(journal.MemoryOptions{})
	h := open(t, values)
	g := h.make(t, "chat", chat)
	h.close()
	runner := &notAnyMore{refuse: true}
	h = open(t, values, func(o *apigateway.Options) { runner.Cloud, o.Runner = o.Runner.(*yandex.Cloud), runner })
	is.Equal(len(h.warned), 1)
	is.True(strings.Contains(h.warned[0], "gateway chat:4: paths: no more"))
	got, err := h.Get(t.Context(), &pb.GetApiGatewayRequest{ApiGatewayId: g.Id})
	is.NoErr(err)
	is.Equal(got.Status, pb.ApiGateway_ERROR)
	_, err = h.Resume(t.Context(), &pb.ResumeApiGatewayRequest{ApiGatewayId: g.Id})
	is.Equal(status.Code(err), codes.FailedPrecondition)
	runner.refuse = false
	_, err = h.Update(t.Context(), &pb.UpdateApiGatewayRequest{ApiGatewayId: g.Id, Spec: spec(chat)})
	is.NoErr(err)
	got, err = h.Get(t.Context(), &pb.GetApiGatewayRequest{ApiGatewayId: g.Id})
	is.NoErr(err)
	is.Equal(got.Status, pb.ApiGateway_ACTIVE)
	runner.refuse = true
	h.close()
	h = open(t, values, func(o *apigateway.Options) { runner.Cloud, o.Runner = o.Runner.(*yandex.Cloud), runner })
	_, err = h.Delete(t.Context(), &pb.DeleteApiGatewayRequest{ApiGatewayId: g.Id})
	is.NoErr(err)
}

func TestDomains(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	g, other := h.make(t, "chat", chat), h.make(t, "other", strings.ReplaceAll(chat, "chat's page", "the other"))
	add := func(to *pb.ApiGateway, name string) *pb.AddDomainMetadata {
		t.Helper()
		op, err := h.AddDomain(t.Context(), &pb.AddDomainRequest{ApiGatewayId: to.Id, DomainName: name, CertificateId: "fpq1"})
		ended[*emptypb.Empty](t, op, err, ofGateways+"AddDomainMetadata")
		m := &pb.AddDomainMetadata{}
		is.NoErr(op.Metadata.UnmarshalTo(m))
		return m
	}
	told := add(g, "WS.example.com.")
	add(other, "*.example.com")
	got, err := h.Get(t.Context(), &pb.GetApiGatewayRequest{ApiGatewayId: g.Id})
	is.NoErr(err)
	is.True(proto.Equal(got.AttachedDomains[0], &pb.AttachedDomain{DomainId: told.DomainId, CertificateId: "fpq1", Enabled: true, Domain: "ws.example.com"}))
	for host, want := range map[string]string{"ws.example.com:8080": "chat's page", "WS.Example.com": "chat's page", "a.example.com": "the other", "a.b.example.com": "the other"} {
		_, page := h.page(t, "/chat", host)
		is.Equal(page, want)
	}
	for _, host := range []string{"example.com", "localhost", "notexample.com", "[::1]:80", ""} {
		_, ok := h.service.GatewayFor(host)
		is.True(!ok)
	}
	for name, code := range map[string]codes.Code{"ws.example.com": codes.AlreadyExists, "*.example.com": codes.AlreadyExists, "": codes.InvalidArgument,
		"localhost": codes.InvalidArgument, "127.0.0.1": codes.InvalidArgument, "a..b": codes.InvalidArgument, "https://a.b": codes.InvalidArgument, "a.b:80": codes.InvalidArgument} {
		_, err := h.AddDomain(t.Context(), &pb.AddDomainRequest{ApiGatewayId: other.Id, DomainName: name})
		is.Equal(status.Code(err), code)
	}
	_, err = h.RemoveDomain(t.Context(), &pb.RemoveDomainRequest{ApiGatewayId: other.Id, DomainId: told.DomainId})
	is.Equal(status.Code(err), codes.NotFound)
	op, err := h.RemoveDomain(t.Context(), &pb.RemoveDomainRequest{ApiGatewayId: g.Id, DomainId: told.DomainId})
	ended[*emptypb.Empty](t, op, err, ofGateways+"RemoveDomainMetadata")
	_, page := h.page(t, "/chat", "ws.example.com")
	is.Equal(page, "the other")
	_, err = h.Delete(t.Context(), &pb.DeleteApiGatewayRequest{ApiGatewayId: other.Id})
	is.NoErr(err)
	_, ok := h.service.GatewayFor("ws.example.com")
	is.True(!ok)
}

func TestWhatFilesAndDefaultsDeclare(t *testing.T) {
	is := is.New(t)
	values := journal.NewMemory(journal.MemoryOptions{})
	h := open(t, values)
	is.NoErr(h.service.Declare("d5dfile", "file", "chat.yaml", []byte(chat)))
	is.True(h.service.Declare("d5dfile", "file", "again.yaml", []byte(chat)) != nil)
	var wrong *yandex.FileError
	is.True(errors.As(h.service.Declare("d5dbad", "bad", "bad.yaml", []byte("openapi: 2")), &wrong))
	is.True(strings.HasPrefix(wrong.Problems[0], "bad.yaml:1: "))
	is.NoErr(h.service.DeclareDefault())
	list, err := h.List(t.Context(), &pb.ListApiGatewayRequest{FolderId: yandex.FolderID})
	is.NoErr(err)
	is.Equal([]string{list.ApiGateways[0].Name, list.ApiGateways[1].Name}, []string{apigateway.DefaultName, "file"})
	_, page := h.page(t, "/gw/d5dfile/chat", "")
	is.Equal(page, "chat's page")
	h.dial(t, yandex.GatewayID, yandex.DefaultPath)
	// A file's gateway is the file's again at the next start; the default one stays as a client made it.
	for _, id := range []string{"d5dfile", yandex.GatewayID} {
		_, err := h.Update(t.Context(), &pb.UpdateApiGatewayRequest{ApiGatewayId: id, Name: "changed", Spec: spec(strings.ReplaceAll(chat, "chat's page", "changed")),
			UpdateMask: mask("openapi_spec")})
		is.NoErr(err)
	}
	h.close()
	h = open(t, values)
	is.NoErr(h.service.Declare("d5dfile", "file", "chat.yaml", []byte(chat)))
	is.NoErr(h.service.DeclareDefault())
	_, page = h.page(t, "/gw/d5dfile/chat", "")
	is.Equal(page, "chat's page")
	_, page = h.page(t, "/gw/"+yandex.GatewayID+"/chat", "")
	is.Equal(page, "changed")
	_, err = h.Delete(t.Context(), &pb.DeleteApiGatewayRequest{ApiGatewayId: yandex.GatewayID})
	is.NoErr(err)
	h.close()
	h = open(t, values)
	is.NoErr(h.service.DeclareDefault())
	_, err = h.Get(t.Context(), &pb.GetApiGatewayRequest{ApiGatewayId: yandex.GatewayID})
	is.Equal(status.Code(err), codes.NotFound)
	h.close()
	// A file may take the default one's place.
	h = open(t, nil)
	is.NoErr(h.service.Declare(yandex.GatewayID, "mine", "mine.yaml", []byte(chat)))
	is.NoErr(h.service.DeclareDefault())
	_, page = h.page(t, "/gw/"+yandex.GatewayID+"/chat", "")
	is.Equal(page, "chat's page")
}

func TestAccessBindings(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	g := h.make(t, "chat", chat)
	binding := &access.AccessBinding{RoleId: "api-gateway.websocketWriter", Subject: &access.Subject{Id: "aje1", Type: "serviceAccount"}}
	op, err := h.UpdateAccessBindings(t.Context(), &access.UpdateAccessBindingsRequest{ResourceId: g.Id,
		AccessBindingDeltas: []*access.AccessBindingDelta{{Action: access.AccessBindingAction_ADD, AccessBinding: binding}}})
	ended[*emptypb.Empty](t, op, err, "access.UpdateAccessBindingsMetadata")
	list, err := h.ListAccessBindings(t.Context(), &access.ListAccessBindingsRequest{ResourceId: g.Id})
	is.NoErr(err)
	is.True(len(list.AccessBindings) == 1 && proto.Equal(list.AccessBindings[0], binding))
	code, _ := h.rest(t, "PATCH", "/apigateways/v1/apigateways/"+g.Id+":updateAccessBindings",
		`{"accessBindingDeltas": [{"action": "REMOVE", "accessBinding": {"roleId": "api-gateway.websocketWriter", "subject": {"id": "aje1", "type": "serviceAccount"}}}]}`)
	is.Equal(code, 200)
	op, err = h.SetAccessBindings(t.Context(), &access.SetAccessBindingsRequest{ResourceId: g.Id})
	ended[*emptypb.Empty](t, op, err, "access.SetAccessBindingsMetadata")
	list, err = h.ListAccessBindings(t.Context(), &access.ListAccessBindingsRequest{ResourceId: g.Id})
	is.NoErr(err)
	is.Equal(len(list.AccessBindings), 0)
}

func TestWhereAGatewaysLogGoes(t *testing.T) {
	h := open(t, nil)
	for name, c := range map[string]struct {
		options      *pb.LogOptions
		level, group string
	}{
		"unset":       {nil, "INFO", "e23folder"},
		"a group":     {&pb.LogOptions{Destination: &pb.LogOptions_LogGroupId{LogGroupId: "e23mine"}}, "INFO", "e23mine"},
		"a folder":    {&pb.LogOptions{Destination: &pb.LogOptions_FolderId{FolderId: "other"}}, "INFO", "e23other"},
		"disabled":    {&pb.LogOptions{Disabled: true}, "FATAL", ""},
		"below":       {&pb.LogOptions{MinLevel: logging.LogLevel_WARN}, "INFO", ""},
		"high enough": {&pb.LogOptions{MinLevel: logging.LogLevel_WARN}, "WARN", "e23folder"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := &pb.CreateApiGatewayRequest{FolderId: "folder", LogOptions: c.options}
			with(chat)(r)
			op, err := h.Create(t.Context(), r)
			g := ended[*pb.ApiGateway](t, op, err, ofGateways+"CreateApiGatewayMetadata")
			is.True(proto.Equal(g.LogOptions, c.options))
			group, ok := h.service.LogGroupFor(g.Id, c.level)
			is.Equal([]any{group, ok}, []any{c.group, c.group != ""})
		})
	}
	if _, ok := h.service.LogGroupFor("d5dnone", "INFO"); ok {
		t.Error("a gateway that is not there has a log")
	}
}

// Whoever may do nothing is told of a folder that is not there as everybody is.
func TestAnUnknownFolder(t *testing.T) {
	is := is.New(t)
	store := resource.New(resource.Options{})
	bindings, err := resource.OpenBindings(t.Context(), store)
	is.NoErr(err)
	s, err := apigateway.New(t.Context(), apigateway.Options{
		Store: store, Bindings: bindings,
		Authorize: func(context.Context, string, ...string) error { return status.Error(codes.PermissionDenied, "no") },
		Folder: func(_ context.Context, id string) error {
			if id != "folder" {
				return status.Error(codes.NotFound, "no folder")
			}
			return nil
		},
	})
	is.NoErr(err)
	_, err = s.List(t.Context(), &pb.ListApiGatewayRequest{FolderId: "nope"})
	is.Equal(status.Code(err), codes.NotFound)
	_, err = s.Create(t.Context(), &pb.CreateApiGatewayRequest{FolderId: "nope"})
	is.Equal(status.Code(err), codes.NotFound)
	_, err = s.List(t.Context(), &pb.ListApiGatewayRequest{FolderId: "folder"})
	is.Equal(status.Code(err), codes.PermissionDenied)
}
