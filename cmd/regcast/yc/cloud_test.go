package yc_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/regcast/regcast/cmd/regcast/yc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when everything here happens.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)

// cloud is a gRPC server that keeps what is created, for every service whose messages are linked, and remembers what it was asked.
type cloud struct {
	address string
	env     map[string]string
	stdin   string
	after   func(time.Duration) <-chan time.Time

	mu     sync.Mutex
	kept   map[protoreflect.FullName][]proto.Message
	calls  []call
	answer map[string]func(req proto.Message) (proto.Message, error) // in place of the plain behaviour, by "Service.Method"
}

type call struct {
	method string // "TriggerService.Create"
	req    proto.Message
	md     metadata.MD
}

func newCloud(t *testing.T, certificates ...tls.Certificate) *cloud {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{
		address: l.Addr().String(), env: map[string]string{},
		kept: map[protoreflect.FullName][]proto.Message{}, answer: map[string]func(proto.Message) (proto.Message, error){},
	}
	options := []grpc.ServerOption{grpc.UnknownServiceHandler(c.serve)}
	if len(certificates) > 0 {
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&certificates[0])))
	}
	server := grpc.NewServer(options...)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return c
}

func (c *cloud) serve(_ any, stream grpc.ServerStream) error {
	path, _ := grpc.MethodFromServerStream(stream)
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(path[1:], "/", ".")))
	if err != nil {
		return status.Errorf(codes.Unimplemented, "no %s", path)
	}
	method := d.(protoreflect.MethodDescriptor)
	req := fresh(method.Input()).Interface()
	if err := stream.RecvMsg(req); err != nil {
		return err
	}
	md, _ := metadata.FromIncomingContext(stream.Context())
	if err := stream.SetHeader(metadata.Pairs("x-request-id", "request-1", "x-server-trace-id", "trace-1")); err != nil {
		return err
	}
	name := string(method.Parent().Name()) + "." + string(method.Name())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call{name, proto.Clone(req), md})
	behave := c.answer[name]
	if behave == nil {
		behave = func(req proto.Message) (proto.Message, error) { return c.plain(method, req.ProtoReflect()) }
	}
	res, err := behave(req)
	if err != nil {
		return err
	}
	return stream.SendMsg(res)
}

func fresh(d protoreflect.MessageDescriptor) protoreflect.Message {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		panic(err)
	}
	return mt.New()
}

// plain does what the method's name says.
func (c *cloud) plain(method protoreflect.MethodDescriptor, req protoreflect.Message) (proto.Message, error) {
	name := string(method.Name())
	suffix := ""
	for _, s := range []string{"Versions", "Version", "Revisions", "Revision"} {
		if suffix == "" && strings.HasSuffix(name, s) {
			suffix, name = strings.TrimSuffix(s, "s"), strings.TrimSuffix(name, s)
		}
	}
	if method.Parent().Name() == "ApiEndpointService" {
		return c.endpoints(), nil
	}
	get := method.Parent().(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name("Get" + suffix))
	if get == nil {
		return nil, status.Errorf(codes.Unimplemented, "%s", method.FullName())
	}
	kind := get.Output()
	switch name {
	case "Create", "Deploy":
		made := fresh(kind)
		copyFields(made, req, nil)
		set(made, "id", fmt.Sprintf("id%018d", len(c.kept[kind.FullName()])+1))
		if f := made.Descriptor().Fields().ByName("created_at"); f != nil {
			made.Set(f, protoreflect.ValueOfMessage(timestamppb.New(noon).ProtoReflect()))
		}
		if f := made.Descriptor().Fields().ByName("status"); f != nil {
			made.Set(f, protoreflect.ValueOfEnum(f.Enum().Values().ByName("ACTIVE").Number()))
		}
		c.kept[kind.FullName()] = append(c.kept[kind.FullName()], made.Interface())
		return done(made.Interface()), nil
	case "List":
		page := fresh(method.Output())
		list := page.Mutable(page.Descriptor().Fields().Get(0)).List()
		want, filtered := strings.CutPrefix(text(req, "filter"), "name=")
		for _, m := range c.kept[kind.FullName()] {
			if !filtered || want == fmt.Sprintf("%q", text(m.ProtoReflect(), "name")) {
				list.Append(protoreflect.ValueOfMessage(m.ProtoReflect()))
			}
		}
		return page.Interface(), nil
	}
	id := req.Get(req.Descriptor().Fields().Get(0)).String()
	for i, m := range c.kept[kind.FullName()] {
		if text(m.ProtoReflect(), "id") != id {
			continue
		}
		switch name {
		case "Update":
			mask := req.Get(req.Descriptor().Fields().ByName("update_mask")).Message().Get(
				req.Get(req.Descriptor().Fields().ByName("update_mask")).Message().Descriptor().Fields().ByName("paths")).List()
			var paths []string
			for i := range mask.Len() {
				paths = append(paths, mask.Get(i).String())
			}
			copyFields(m.ProtoReflect(), req, paths)
		case "Delete":
			c.kept[kind.FullName()] = append(c.kept[kind.FullName()][:i:i], c.kept[kind.FullName()][i+1:]...)
			return done(&emptypb.Empty{}), nil
		}
		if method.Output().Name() == "Operation" {
			return done(m), nil
		}
		return m, nil
	}
	return nil, status.Errorf(codes.NotFound, "%s %s not found", kind.Name(), id)
}

func (c *cloud) endpoints() proto.Message {
	list := &endpoint.ListApiEndpointsResponse{}
	for _, id := range []string{
		"iam", "operation", "resource-manager", "container-registry", "serverless-apigateway", "apigateway-connections",
		"serverless-functions", "serverless-triggers", "serverless-containers", "logging", "log-reading",
	} {
		list.Endpoints = append(list.Endpoints, &endpoint.ApiEndpoint{Id: id, Address: c.address})
	}
	return list
}

func done(response proto.Message) *operation.Operation {
	packed, err := anypb.New(response)
	if err != nil {
		panic(err)
	}
	return &operation.Operation{Id: "op1", Done: true, Result: &operation.Operation_Response{Response: packed}}
}

// copyFields copies fields of the same name and type: those of the mask, or all.
func copyFields(to, from protoreflect.Message, mask []string) {
	from.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		same := to.Descriptor().Fields().ByName(f.Name())
		if same == nil || same.Kind() != f.Kind() || !f.IsMap() && same.Message() != f.Message() || f.Name() == "id" {
			return true
		}
		named := mask == nil
		for _, path := range mask {
			named = named || path == string(f.Name())
		}
		if named {
			to.Set(same, v)
		}
		return true
	})
}

func set(m protoreflect.Message, field, value string) {
	m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(field)), protoreflect.ValueOfString(value))
}

func text(m protoreflect.Message, field string) string {
	f := m.Descriptor().Fields().ByName(protoreflect.Name(field))
	if f == nil {
		return ""
	}
	return m.Get(f).String()
}

// keep puts resources there.
func (c *cloud) keep(all ...proto.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range all {
		name := m.ProtoReflect().Descriptor().FullName()
		c.kept[name] = append(c.kept[name], m)
	}
}

// sent returns the last request of a method as JSON in the proto's words.
func (c *cloud) sent(t *testing.T, method string) string {
	t.Helper()
	var b bytes.Buffer
	// protojson sets spaces at random, so that nobody relies on them.
	if err := json.Compact(&b, []byte(protojson.MarshalOptions{UseProtoNames: true}.Format(c.last(t, method).req))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (c *cloud) last(t *testing.T, method string) call {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.calls) - 1; i >= 0; i-- {
		if c.calls[i].method == method {
			return c.calls[i]
		}
	}
	t.Fatalf("%s was not called", method)
	return call{}
}

func (c *cloud) count(method string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, call := range c.calls {
		if call.method == method {
			n++
		}
	}
	return n
}

// result is what a command printed.
type result struct {
	out, news string
	code      int
}

// run runs a command line as a shell would, without quotes.
func (c *cloud) run(line string) result {
	return c.runArgs(context.Background(), strings.Fields(line)...)
}

func (c *cloud) runArgs(ctx context.Context, args ...string) result {
	var out, news bytes.Buffer
	code := yc.Run(ctx, args, yc.Options{
		Stdin: strings.NewReader(c.stdin), Stdout: &out, Stderr: &news, Endpoint: c.address, Version: "v0",
		Getenv: func(name string) string { return c.env[name] },
		Home: func(context.Context, string) (string, string, error) {
			return "b1gcloud", "b1gfolder", nil
		},
		Now: func() time.Time { return noon }, After: c.after,
	})
	return result{out.String(), news.String(), code}
}

// ok runs a command that must work, and returns what it printed.
func (c *cloud) ok(t *testing.T, line string) string {
	t.Helper()
	r := c.run(line)
	if r.code != 0 {
		t.Fatalf("yc %s: exit %d\n%s", line, r.code, r.news)
	}
	return r.out
}

// fails runs a command that must not work, and returns what it said.
func (c *cloud) fails(t *testing.T, line string) string {
	t.Helper()
	r := c.run(line)
	is.New(t).Equal(r.code, 1)
	if !strings.HasPrefix(r.news, "ERROR: ") || strings.Contains(r.news, "goroutine") {
		t.Fatalf("yc %s: said %q", line, r.news)
	}
	return strings.TrimPrefix(r.news, "ERROR: ")
}
