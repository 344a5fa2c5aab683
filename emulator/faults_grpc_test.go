package emulator_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// A gRPC client of the ConnectionService gets the status that the cloud has for it, and the next call is all right.
func TestFaultsOfConnectionsOverGRPC(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	ws := em.Dial("/ws")
	connections := websocket.NewConnectionServiceClient(dialAs(t, em, "Bearer t1.any.body"))
	send := func(text string) error {
		_, err := connections.Send(t.Context(), &websocket.SendToConnectionRequest{
			ConnectionId: ws.ID(), Data: []byte(text), Type: websocket.SendToConnectionRequest_TEXT,
		})
		return err
	}
	for _, tc := range []struct {
		code emulator.FaultCode
		want codes.Code
		text string // of a refusal at the API
	}{
		{"403", codes.PermissionDenied, "Permission denied: fault "},
		{"410", codes.NotFound, "Connection "},
		{"429", codes.ResourceExhausted, "Too many requests: fault "},
		{"500", codes.Internal, "Internal error: fault "},
		{"503", codes.Unavailable, "Unavailable: fault "},
	} {
		for _, f := range []emulator.Fault{{Step: emulator.FaultAPI, API: "connections.Send"}, {Step: emulator.FaultSend, Path: "/ws"}} {
			if f.Step == emulator.FaultSend && tc.code == "403" {
				continue // who may send is asked before
			}
			f.Action, f.Code, f.Next = emulator.FaultError, tc.code, 1
			em.Fault(f)
			got := status.Convert(send("lost"))
			is.Equal(got.Code(), tc.want)
			is.True(f.Step == emulator.FaultSend || strings.HasPrefix(got.Message(), tc.text))
			_, err := connections.Get(t.Context(), &websocket.GetConnectionRequest{ConnectionId: ws.ID()})
			is.NoErr(err)
			is.NoErr(send("taken"))
			is.Equal(string(ws.Read()), "taken")
		}
	}
	em.Fault(emulator.Fault{Step: emulator.FaultAPI, Action: emulator.FaultDrop, API: "connections.*", Next: 1})
	is.Equal(status.Code(send("lost")), codes.Internal) // the stream is reset: gRPC calls that so
	em.Fault(emulator.Fault{Step: emulator.FaultAPI, Action: emulator.FaultDuplicate, Next: 1})
	is.NoErr(send("twice"))
	is.NoErr(send("once"))
	for _, want := range []string{"twice", "twice", "once"} {
		is.Equal(string(ws.Read()), want)
	}
}
