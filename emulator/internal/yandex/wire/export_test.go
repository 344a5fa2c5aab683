package wire

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// Replays keeps answers by key, without a network before it.
type Replays struct{ r *replays }

func NewReplays(c clock.Clock) Replays { return Replays{newReplays(c)} }

func (r Replays) Do(ctx context.Context, key string, handle func() (any, error)) (any, error) {
	return r.r.do(ctx, &call{key: key}, &method{name: "service/Method"}, &emptypb.Empty{}, handle)
}

// Check reads the rules of a message's descriptor and checks the message.
func Check(m proto.Message) error {
	c, err := newCompiler().message(m.ProtoReflect().Descriptor())
	if err != nil {
		return err
	}
	return c.check(m, nil)
}

// SpanHolds parses a rule about integers and tells whether n keeps it, and what is wanted.
func SpanHolds(rule string, n int64) (holds bool, want string, err error) {
	s, err := parseSpan(rule, parseInt)
	if err != nil {
		return false, "", err
	}
	return s.holds(n), s.want(), nil
}

// FloatHolds, DurationHolds and TimeHolds do so for numbers, nanoseconds and microseconds.
func FloatHolds(rule string, n float64) (bool, error) {
	s, err := parseSpan(rule, parseFloat)
	return err == nil && s.holds(n), err
}

func DurationHolds(rule string, n int64) (bool, error) {
	s, err := parseSpan(rule, parseDuration)
	return err == nil && s.holds(n), err
}

func TimeHolds(rule string, n int64) (bool, error) {
	s, err := parseSpan(rule, parseTime)
	return err == nil && s.holds(n), err
}

// Check makes at once what the first calls would: it says which validation option or REST binding cannot be read.
func (s *Server) Check() error {
	var errs []error
	for _, m := range s.methods {
		if _, err := m.input(); err != nil {
			errs = append(errs, fmt.Errorf("wire: %s: %w", m.name, err))
		}
	}
	if _, err := s.rest(); err != nil {
		errs = append(errs, fmt.Errorf("wire: REST: %w", err))
	}
	return errors.Join(errs...)
}

// RequestID is the id of the request that ctx belongs to, "" outside of one.
func RequestID(ctx context.Context) string { return callOf(ctx).request }
