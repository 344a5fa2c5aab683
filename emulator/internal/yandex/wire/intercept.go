package wire

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime/debug"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// unary stands round every method.
func (s *Server) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c := callOf(ctx)
	m := s.methods[info.FullMethod]
	response, err := s.guarded(ctx, func() (any, error) { return s.answer(ctx, c, m, request.(proto.Message), info, handler) })
	st := c.word(err)
	c.answered(info.FullMethod, st)
	return response, st.Err()
}

func (s *Server) answer(ctx context.Context, c *call, m *method, request proto.Message, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if !m.open && s.options.Authenticate != nil {
		var err error
		if ctx, err = s.options.Authenticate(ctx, info.FullMethod, c.authorization); err != nil {
			return nil, err
		}
	}
	if !m.emulated {
		return nil, notEmulated(m.name)
	}
	input, err := m.input()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "the rules of %s cannot be read: %v", m.name, err)
	}
	if err := input.check(request, m.variables); err != nil {
		return nil, err
	}
	call := func() (any, error) {
		response, err := handler(ctx, request)
		if st, is := status.FromError(err); is && st.Code() == codes.Unimplemented && st.Message() == "method "+path.Base(m.name)+" not implemented" {
			err = notEmulated(m.name) // in our words, not in those of the generated code
		}
		return response, err
	}
	if c.key == "" || !m.mutating {
		return call()
	}
	return s.replays.do(ctx, c, m, request, func() (any, error) { return s.guarded(ctx, call) })
}

// stream stands round what unary does not: streams, and methods that nobody registered.
func (s *Server) stream(impl any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx := stream.Context()
	c := callOf(ctx)
	_, err := s.guarded(ctx, func() (any, error) {
		m := s.methods[info.FullMethod]
		if m == nil {
			return nil, notEmulated(info.FullMethod[1:])
		}
		if s.options.Authenticate != nil {
			var err error
			if ctx, err = s.options.Authenticate(ctx, info.FullMethod, c.authorization); err != nil {
				return nil, err
			}
		}
		if !m.emulated {
			return nil, notEmulated(m.name)
		}
		return nil, handler(impl, contextStream{stream, ctx})
	})
	st := c.word(err)
	c.answered(info.FullMethod, st)
	return st.Err()
}

// contextStream is a stream under the context that Authenticate made.
type contextStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s contextStream) Context() context.Context { return s.ctx }

func notEmulated(what string) error {
	return status.Errorf(codes.Unimplemented, "not emulated: %s", what)
}

// guarded turns a panic into INTERNAL: a mistake in one service must not take the others with it.
func (s *Server) guarded(ctx context.Context, do func() (any, error)) (response any, err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		c := callOf(ctx)
		c.mu.Lock()
		c.panic = string(debug.Stack())
		c.mu.Unlock()
		response, err = nil, status.Errorf(codes.Internal, "regcast: panic: %v (a mistake in regcast; please report it)", v)
	}()
	return do()
}

// word makes a status of an error, with the request's id in its details as the cloud has it.
func (c *call) word(err error) *status.Status {
	if err == nil {
		return status.New(codes.OK, "")
	}
	st, is := status.FromError(err)
	switch {
	case is:
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		st = status.FromContextError(err)
	default:
		st = status.New(codes.Internal, err.Error())
	}
	for _, d := range st.Details() {
		if _, has := d.(*errdetails.RequestInfo); has {
			return st
		}
	}
	detailed, err := st.WithDetails(&errdetails.RequestInfo{RequestId: c.request})
	if err != nil { // an error with code OK
		return status.New(codes.Internal, fmt.Sprintf("%s: %s", st.Code(), st.Message()))
	}
	return detailed
}
