package apigateway_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/apigateway"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	sockets "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
)

func TestConnectionsOverGRPC(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	g := h.make(t, "chat", chat)
	c, id := h.dial(t, g.Id, "/chat")
	h.clock.Advance(time.Second)
	got, err := h.sockets.Get(t.Context(), &sockets.GetConnectionRequest{ConnectionId: id})
	is.NoErr(err)
	is.Equal([]string{got.Id, got.GatewayId, got.Identity.SourceIp, got.Identity.UserAgent}, []string{id, g.Id, "127.0.0.1", "Go-http-client/1.1"})
	is.Equal(got.ConnectedAt.AsTime(), time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC))
	for _, m := range []struct {
		data string
		kind sockets.SendToConnectionRequest_DataType
		want websocket.MessageType
	}{
		{"text", sockets.SendToConnectionRequest_TEXT, websocket.MessageText},
		{"binary", sockets.SendToConnectionRequest_BINARY, websocket.MessageBinary},
		{"untyped", sockets.SendToConnectionRequest_DATA_TYPE_UNSPECIFIED, websocket.MessageText},
		{"\xff", sockets.SendToConnectionRequest_DATA_TYPE_UNSPECIFIED, websocket.MessageBinary},
	} {
		_, err := h.sockets.Send(t.Context(), &sockets.SendToConnectionRequest{ConnectionId: id, Data: []byte(m.data), Type: m.kind})
		is.NoErr(err)
		kind, data, err := c.Read(t.Context())
		is.NoErr(err)
		is.Equal([]any{kind, string(data)}, []any{m.want, m.data})
	}
	_, err = h.sockets.Disconnect(t.Context(), &sockets.DisconnectRequest{ConnectionId: id})
	is.NoErr(err)
	is.Equal(closed(t, c), websocket.StatusNormalClosure)
}

// The REST face of the ConnectionService is written by hand, as it takes what the proto's does not. Both say the same.
func TestConnectionsOverGRPCAndRESTAreRefusedAlike(t *testing.T) {
	h := open(t, nil)
	g := h.make(t, "chat", chat)
	_, id := h.dial(t, g.Id, "/chat")
	get := func(id string) error {
		_, err := h.sockets.Get(t.Context(), &sockets.GetConnectionRequest{ConnectionId: id})
		return err
	}
	send := func(id string, data []byte, kind sockets.SendToConnectionRequest_DataType) ([3]string, error) {
		_, err := h.sockets.Send(t.Context(), &sockets.SendToConnectionRequest{ConnectionId: id, Data: data, Type: kind})
		body, _ := json.Marshal(map[string]any{"data": base64.StdEncoding.EncodeToString(data), "type": kind})
		return [3]string{"POST", id + ":send", string(body)}, err
	}
	long := strings.Repeat("d", 51)
	for name, both := range map[string]func() ([3]string, error){
		"get":              func() ([3]string, error) { return [3]string{"GET", id}, get(id) },
		"get nobody":       func() ([3]string, error) { return [3]string{"GET", "dnobody"}, get("dnobody") },
		"get a long id":    func() ([3]string, error) { return [3]string{"GET", long}, get(long) },
		"send":             func() ([3]string, error) { return send(id, []byte("a"), 2) },
		"send nothing":     func() ([3]string, error) { return send(id, nil, 2) },
		"send too much":    func() ([3]string, error) { return send(id, make([]byte, 131073), 1) },
		"send the most":    func() ([3]string, error) { return send(id, make([]byte, 131072), 1) },
		"send no UTF-8":    func() ([3]string, error) { return send(id, []byte{0xff}, 2) },
		"send a new type":  func() ([3]string, error) { return send(id, []byte("a"), 3) },
		"send to nobody":   func() ([3]string, error) { return send("dnobody", []byte("a"), 2) },
		"send both wrong":  func() ([3]string, error) { return send("dnobody", []byte{0xff}, 2) },
		"send to long ids": func() ([3]string, error) { return send(long, []byte("a"), 2) },
		"disconnect nobody": func() ([3]string, error) {
			_, err := h.sockets.Disconnect(t.Context(), &sockets.DisconnectRequest{ConnectionId: "dnobody"})
			return [3]string{"DELETE", "dnobody"}, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			call, err := both()
			w := httptest.NewRecorder()
			h.cloud.ServeConnections(w, httptest.NewRequest(call[0], yandex.ConnectionsPath+call[1], strings.NewReader(call[2])))
			var told struct {
				Code    codes.Code
				Details []struct{ FieldViolations []struct{ Field string } }
			}
			is.NoErr(json.Unmarshal(w.Body.Bytes(), &told))
			code, fields := refused(err)
			is.Equal(code, told.Code)
			seen := 0
			for _, d := range told.Details {
				for _, v := range d.FieldViolations {
					seen++
					_, ok := fields[map[string]string{"connectionId": "connection_id", "data": "data", "type": "type"}[v.Field]]
					is.True(ok)
				}
			}
			is.Equal(seen, len(fields))
			// So does the REST face that follows from the proto, which checks roles.
			_, again := h.rest(t, call[0], yandex.ConnectionsPath+call[1], call[2])
			if n, failed := again["code"].(float64); codes.Code(n) != code || failed != (code != codes.OK) {
				t.Errorf("got %v, want the code %d", again, code)
			}
		})
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	is := is.New(t)
	var asked []string
	allow := true
	h := open(t, nil, func(o *apigateway.Options) {
		o.Authorize = func(_ context.Context, role string, on ...string) error {
			asked = append(asked, role+" on "+strings.Join(on, ","))
			if !allow {
				return status.Error(codes.PermissionDenied, "no")
			}
			return nil
		}
		o.Folder = func(_ context.Context, id string) error {
			if id != "folder" {
				return status.Error(codes.NotFound, "no folder")
			}
			return nil
		}
	})
	g := h.make(t, "chat", chat)
	c, id := h.dial(t, g.Id, "/chat")
	allow, asked = false, nil
	calls := []error{
		second(h.sockets.Get(t.Context(), &sockets.GetConnectionRequest{ConnectionId: id})),
		second(h.sockets.Send(t.Context(), &sockets.SendToConnectionRequest{ConnectionId: id, Data: []byte("a")})),
		second(h.sockets.Disconnect(t.Context(), &sockets.DisconnectRequest{ConnectionId: id})),
		second(h.Get(t.Context(), get(g.Id))),
		second(h.Delete(t.Context(), &pb.DeleteApiGatewayRequest{ApiGatewayId: g.Id})),
		second(h.SetAccessBindings(t.Context(), &access.SetAccessBindingsRequest{ResourceId: g.Id})),
		second(h.List(t.Context(), &pb.ListApiGatewayRequest{FolderId: "folder"})),
	}
	for _, err := range calls {
		is.Equal(status.Code(err), codes.PermissionDenied)
	}
	on := " on " + g.Id + ",folder"
	is.Equal(asked, []string{"api-gateway.websocketWriter" + on, "api-gateway.websocketWriter" + on, "api-gateway.websocketWriter" + on,
		"api-gateway.viewer" + on, "api-gateway.editor" + on, "api-gateway.admin" + on, "api-gateway.viewer on folder"})
	allow = true
	is.NoErr(second(h.sockets.Send(t.Context(), &sockets.SendToConnectionRequest{ConnectionId: id, Data: []byte("still here")})))
	_, data, err := c.Read(t.Context())
	is.NoErr(err)
	is.Equal(string(data), "still here") // and nothing before it
	r := &pb.CreateApiGatewayRequest{FolderId: "nowhere"}
	with(chat)(r)
	is.Equal(status.Code(second(h.Create(t.Context(), r))), codes.NotFound)
	is.Equal(status.Code(second(h.List(t.Context(), &pb.ListApiGatewayRequest{FolderId: "nowhere"}))), codes.NotFound)
}

func second[T any](_ T, err error) error { return err }

func get(id string) *pb.GetApiGatewayRequest { return &pb.GetApiGatewayRequest{ApiGatewayId: id} }
