package yc

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	_ "google.golang.org/protobuf/types/known/emptypb" // what deletions answer; no service's package links it
)

const createToken = "yandex.cloud.iam.v1.IamTokenService.Create"

// pollEvery is how long is waited between two looks at an operation, unless the server says otherwise.
const pollEvery = time.Second

// describe finds a method by its full name, "yandex.cloud.operation.OperationService.Get".
func describe(method string) protoreflect.MethodDescriptor {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(method))
	if err != nil {
		panic("yc: " + method + " is not linked") // a name in this package is wrong
	}
	return d.(protoreflect.MethodDescriptor)
}

// fresh makes an empty message of a linked type.
func fresh(d protoreflect.MessageDescriptor) protoreflect.Message {
	t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		panic("yc: " + string(d.FullName()) + " is not linked")
	}
	return t.New()
}

// call makes one call. The errors that the server answers are *answerError.
func (s *session) call(ctx context.Context, method string, req proto.Message) (proto.Message, error) {
	d := describe(method)
	service := string(d.Parent().FullName())
	link, err := s.link(ctx, service)
	if err != nil {
		return nil, err
	}
	requestID, traceID := randomID(), randomID()
	pairs := []string{"x-client-request-id", requestID, "x-client-trace-id", traceID}
	if begins(d) {
		pairs = append(pairs, "idempotency-key", randomID())
	}
	if open := method == createToken || strings.HasPrefix(service, "yandex.cloud.endpoint."); !open {
		token, err := s.iamToken(ctx)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, "authorization", "Bearer "+token)
	}
	if s.global.retry < 0 {
		limited, cancel := context.WithTimeout(ctx, retryLimit)
		defer cancel()
		ctx = limited
	}
	path := "/" + service + "/" + string(d.Name())
	s.debugf("%s at %s\n", path, link.Target())
	s.debugMessage(service, req)
	res := fresh(d.Output()).Interface()
	md, err := s.try(metadata.AppendToOutgoingContext(ctx, pairs...), link, path, req, res)
	if err == nil {
		s.debugMessage(service, res)
		return res, nil
	}
	s.debugf("  %v\n", err)
	st := status.Convert(err)
	if st.Code() == codes.Unavailable {
		if why := s.unreachable(link.Target(), st.Message()); why != nil {
			return nil, why
		}
	}
	return nil, &answerError{st, [][2]string{
		{"server-request-id", first(md, "x-server-request-id", "x-request-id")},
		{"client-request-id", requestID},
		{"server-trace-id", first(md, "x-server-trace-id")},
		{"client-trace-id", traceID},
	}}
}

// unreachable says what to do about an address that could not be reached, where that is known. gRPC tells the cause in words alone.
func (s *session) unreachable(address, why string) error {
	switch {
	case s.local() && refused(why):
		return fmt.Errorf("nothing listens at %s; start `regcast up`, or point --endpoint or YC_ENDPOINT at a running one", address)
	case s.local() && strings.Contains(why, "failed to verify certificate"):
		return fmt.Errorf("the certificate of %s is not trusted: `regcast ca` tells how it is; without --tls it need not be", address)
	case strings.Contains(why, "produced zero addresses"):
		return fmt.Errorf("there is no host %s; see --endpoint and YC_ENDPOINT", address)
	}
	return nil
}

// begins says whether a method begins an operation.
func begins(d protoreflect.MethodDescriptor) bool {
	return d.Output().FullName() == "yandex.cloud.operation.Operation" && d.Parent().Name() != "OperationService"
}

// try makes a call as often as --retry allows while the API is unavailable, and returns what the last answer had beside it.
func (s *session) try(ctx context.Context, link *grpc.ClientConn, path string, req, res proto.Message) (metadata.MD, error) {
	pause := retryFirst
	for left := s.attempts(); ; left-- {
		var header, trailer metadata.MD
		err := link.Invoke(ctx, path, req, res, grpc.Header(&header), grpc.Trailer(&trailer))
		if status.Code(err) != codes.Unavailable || left <= 1 {
			return metadata.Join(header, trailer), err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-s.After(pause):
			pause = min(2*pause, retryLongest)
		}
	}
}

func refused(message string) bool {
	return strings.Contains(message, "connection refused") || strings.Contains(message, "actively refused")
}

func first(md metadata.MD, keys ...string) string {
	for _, key := range keys {
		if v := md.Get(key); len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// randomID is a version 4 UUID.
func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (s *session) debugf(format string, args ...any) {
	if s.global.debug {
		fmt.Fprintf(s.Stderr, format, args...)
	}
}

func (s *session) debugMessage(service string, m proto.Message) {
	if !strings.HasSuffix(service, ".IamTokenService") { // whose messages are secrets
		s.debugf("  %s\n", protojson.MarshalOptions{UseProtoNames: true}.Format(m))
	}
}

// answerError is an error that the server answered; it reads as yc prints it.
type answerError struct {
	status *status.Status
	ids    [][2]string
}

func (e *answerError) Error() string {
	var b strings.Builder
	b.WriteString(e.status.Err().Error())
	for _, detail := range e.status.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				if !strings.Contains(e.status.Message(), v.GetDescription()) {
					fmt.Fprintf(&b, "\n  %s: %s", v.GetField(), v.GetDescription())
				}
			}
		}
	}
	b.WriteString("\n\n")
	for _, id := range e.ids {
		if id[1] != "" {
			fmt.Fprintf(&b, "\n%s: %s", id[0], id[1])
		}
	}
	return b.String()
}

// Unwrap gives the status.
func (e *answerError) Unwrap() error { return e.status.Err() }

// wait looks at an operation until it is done and returns its response. It tells of its progress on stderr, as yc does.
func (s *session) wait(ctx context.Context, op *operation.Operation) (proto.Message, error) {
	begun := s.Now()
	for !op.GetDone() {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("operation %s: %w", op.GetId(), ctx.Err())
		case <-s.After(pollEvery):
		}
		s.tell("...%ds", int(s.Now().Sub(begun).Seconds()))
		res, err := s.call(ctx, "yandex.cloud.operation.OperationService.Get", &operation.GetOperationRequest{OperationId: op.GetId()})
		if err != nil {
			s.tell("\n")
			return nil, err
		}
		op = res.(*operation.Operation)
	}
	if failure := op.GetError(); failure != nil {
		s.tell("\n")
		return nil, &answerError{status.FromProto(failure), [][2]string{{"operation-id", op.GetId()}}}
	}
	s.tell("done (%ds)\n", int(s.Now().Sub(begun).Seconds()+1))
	res, err := op.GetResponse().UnmarshalNew()
	if err != nil {
		return nil, fmt.Errorf("operation %s: response: %w", op.GetId(), err)
	}
	return res, nil
}

// tell prints progress.
func (s *session) tell(format string, args ...any) {
	if !s.global.quiet {
		fmt.Fprintf(s.Stderr, format, args...)
	}
}

// finish waits for the operation that a call began, unless its caller does not want to, and prints what came of it.
func (s *session) finish(ctx context.Context, res proto.Message, async bool) error {
	if op, ok := res.(*operation.Operation); ok && !async {
		done, err := s.wait(ctx, op)
		if err != nil {
			return err
		}
		res = done
	}
	return s.print(res)
}

// do makes a call and finishes it.
func (s *session) do(ctx context.Context, method string, req proto.Message, async bool) error {
	res, err := s.call(ctx, method, req)
	if err != nil {
		return err
	}
	return s.finish(ctx, res, async)
}

func quote(name string) string { return "name=" + strconv.Quote(name) }
