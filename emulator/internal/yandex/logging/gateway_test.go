package logging_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/apigateway"
	"github.com/regcast/regcast/emulator/internal/yandex/logging"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
	gateways "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
)

// What a gateway was asked is in the log of its folder, as a tutorial's last step wants to see it.
func TestAGatewaysLogIsRead(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	room := gateway.New(gateway.Options{Clock: h.clock})
	t.Cleanup(func() { is.NoErr(room.Close(context.Background())) })
	var service *apigateway.Service
	cloud := yandex.New(yandex.Options{Gateway: room, Clock: h.clock, Context: t.Context(), Log: func(g yandex.GatewayLog) {
		if group, ok := service.LogGroupFor(g.GatewayID, g.Level); ok {
			h.log.Write(logging.Entry{GroupID: group, ResourceType: logging.GatewayType, ResourceID: g.GatewayID, Time: g.At, Level: g.Level, Message: g.Message, Payload: g.Fields})
		}
	}})
	store := resource.New(resource.Options{Clock: h.clock})
	bindings, err := resource.OpenBindings(t.Context(), store)
	is.NoErr(err)
	service, err = apigateway.New(t.Context(), apigateway.Options{Store: store, Bindings: bindings, Runner: cloud, LogGroup: h.service.DefaultGroup})
	is.NoErr(err)
	is.NoErr(service.DeclareDefault())
	g, err := service.Get(t.Context(), &gateways.GetApiGatewayRequest{ApiGatewayId: yandex.GatewayID})
	is.NoErr(err)
	is.Equal(g.LogGroupId, h.group)
	for _, path := range []string{"/ws", "/nowhere"} {
		cloud.ServeGateway(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil), yandex.GatewayID)
	}
	got := h.read(t, &pb.Criteria{ResourceIds: []string{yandex.GatewayID}, Filter: "code = 404 AND level = WARN AND request_id EXISTS"})
	is.Equal(messages(got), "GET /nowhere 404")
	is.Equal(len(h.read(t, &pb.Criteria{ResourceIds: []string{yandex.GatewayID}}).Entries), 2)
}
