package wire

import (
	"context"

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
