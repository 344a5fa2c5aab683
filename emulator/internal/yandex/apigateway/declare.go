package apigateway

import (
	"bytes"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/regcast/regcast/emulator/internal/yandex"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
)

// DefaultName is the name of the gateway that exists without any set-up.
const DefaultName = "regcast-default"

// Declare adds the gateway of a file, in the place of one that is kept, and runs it. The error of a bad specification is a
// *yandex.FileError, that of an id that another file has resource.ErrDeclared.
func (s *Service) Declare(id, name, file string, spec []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := yandex.CheckSpec(file, spec, nil); err != nil {
		return err
	}
	it := declared(id, name, spec, s.o.Store.Now())
	it.File = file
	if err := s.gateways.Free(it.Message.FolderId, name, id); err != nil {
		s.o.Warn(fmt.Sprintf("%s: %v; clients that ask by name may find either", file, err))
	}
	if err := s.gateways.Declare(it); err != nil {
		return err
	}
	return s.run(it)
}

// DeclareDefault adds and runs the gateway that exists without any set-up, unless a file or a client has put another in its place, or
// a client has deleted it. Files are to be declared before.
func (s *Service) DeclareDefault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.gateways.Get(yandex.GatewayID)
	there := err == nil
	// The time is the same at every start, so that nobody sees a change.
	it, ok := s.gateways.DeclareDefault(declared(yandex.GatewayID, DefaultName, yandex.DefaultGateway(),
		timestamppb.New(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC))))
	if there || !ok {
		return nil
	}
	return s.run(it)
}

// Form is a gateway as a file would declare it.
type Form struct {
	ID, Name string
	File     string // that declares it; empty: none does
	Default  bool   // as it is without any set-up
	Spec     []byte
}

// Forms are all gateways that run. Their variables are not in their specifications.
func (s *Service) Forms() []Form {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Form
	for _, it := range s.gateways.All(nil) {
		g := it.Message
		if s.broken[g.Id] {
			continue
		}
		out = append(out, Form{ID: g.Id, Name: g.Name, File: it.File, Spec: it.Extra,
			Default: g.Id == yandex.GatewayID && bytes.Equal(it.Extra, yandex.DefaultGateway())})
	}
	return out
}

func declared(id, name string, spec []byte, at *timestamppb.Timestamp) item {
	return item{Extra: spec, Message: &pb.ApiGateway{
		Id: id, FolderId: yandex.FolderID, CreatedAt: at, Name: name, Status: pb.ApiGateway_ACTIVE,
		ExecutionTimeout: durationpb.New(executionTimeout),
	}}
}
