package apigateway

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
)

// connections is the ConnectionService.
type connections struct {
	websocket.UnimplementedConnectionServiceServer
	service *Service
}

// permit says whether the caller may write to the connections of a gateway.
func (c *connections) permit(ctx context.Context, gatewayID string) error {
	on := []string{gatewayID}
	if it, err := c.service.gateways.Get(gatewayID); err == nil {
		on = append(on, it.Message.FolderId)
	}
	return c.service.o.Authorize.Check(ctx, writer, on...)
}

// Get describes a connection.
func (c *connections) Get(ctx context.Context, r *websocket.GetConnectionRequest) (*websocket.Connection, error) {
	found, err := c.service.o.Runner.Connection(r.ConnectionId)
	if err != nil {
		return nil, refusal(err)
	}
	if err := c.permit(ctx, found.GatewayID); err != nil {
		return nil, err
	}
	return &websocket.Connection{
		Id: found.ID, GatewayId: found.GatewayID, Identity: &websocket.Identity{SourceIp: found.SourceIP, UserAgent: found.UserAgent},
		ConnectedAt: timestamppb.New(found.ConnectedAt), LastActiveAt: timestamppb.New(found.LastActiveAt),
	}, nil
}

// Send sends a message to a connection.
func (c *connections) Send(ctx context.Context, r *websocket.SendToConnectionRequest) (*websocket.SendToConnectionResponse, error) {
	var kind yandex.DataType
	switch r.Type {
	case websocket.SendToConnectionRequest_DATA_TYPE_UNSPECIFIED:
	case websocket.SendToConnectionRequest_BINARY:
		kind = yandex.BinaryData
	case websocket.SendToConnectionRequest_TEXT:
		kind = yandex.TextData
	default:
		return nil, resource.Invalid("type", fmt.Sprintf("got %d, want TEXT or BINARY", r.Type))
	}
	if found, err := c.service.o.Runner.Connection(r.ConnectionId); err == nil { // else Send says what is wrong, the data first
		if err := c.permit(ctx, found.GatewayID); err != nil {
			return nil, err
		}
	}
	if err := c.service.o.Runner.Send(r.ConnectionId, r.Data, kind); err != nil {
		return nil, refusal(err)
	}
	return &websocket.SendToConnectionResponse{}, nil
}

// Disconnect closes a connection.
func (c *connections) Disconnect(ctx context.Context, r *websocket.DisconnectRequest) (*websocket.DisconnectResponse, error) {
	found, err := c.service.o.Runner.Connection(r.ConnectionId)
	if err != nil {
		return nil, refusal(err)
	}
	if err := c.permit(ctx, found.GatewayID); err != nil {
		return nil, err
	}
	if err := c.service.o.Runner.Disconnect(r.ConnectionId); err != nil {
		return nil, refusal(err)
	}
	return &websocket.DisconnectResponse{}, nil
}

// refusal is an error of the runner as a status.
func refusal(err error) error {
	var told *yandex.Error
	switch {
	case !errors.As(err, &told):
		return status.Error(codes.Internal, err.Error())
	case len(told.Violations) == 0:
		return status.Error(codes.Code(told.Code), told.Text)
	}
	out := make([]resource.Violation, len(told.Violations))
	for i, v := range told.Violations {
		out[i] = resource.Violation{Field: v.Field, Description: v.Description}
	}
	return resource.InvalidFields(out...)
}
