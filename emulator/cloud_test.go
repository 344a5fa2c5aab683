package emulator_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/api"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	ycsdk "github.com/yandex-cloud/go-sdk/v2"
	"github.com/yandex-cloud/go-sdk/v2/credentials"
	"github.com/yandex-cloud/go-sdk/v2/pkg/endpoints"
	sdkoperation "github.com/yandex-cloud/go-sdk/v2/pkg/operation"
	"github.com/yandex-cloud/go-sdk/v2/pkg/options"
	prefixes "github.com/yandex-cloud/go-sdk/v2/services/endpoints"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// developer is the token that `regcast exec` gives to clients of the cloud.
const developer = "t1.regcast.local"

// trusting names the data folder whose authority a process trusts, when a test runs in a process of its own.
const trusting = "REGCAST_TEST_TRUSTING"

// trusted runs the test that calls it once more, in a process that trusts the authority of an emulator by SSL_CERT_FILE: version 2 of the
// SDK, and with it Terraform's provider, can be told in no other way, and leaves goroutines behind. There it returns the data folder for
// that emulator; here, when the other process has done well, it returns "".
func trusted(t *testing.T) (data string) {
	t.Helper()
	if data = os.Getenv(trusting); data != "" {
		return data
	}
	t.Parallel() // it waits
	data = filepath.Join(t.TempDir(), "data")
	ca, err := emulator.OpenCA(emulator.Config{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	self.Env = append(os.Environ(), trusting+"="+data, "SSL_CERT_FILE="+ca.File)
	out, err := self.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	return ""
}

// cloud is a client of an emulator's Yandex Cloud. It checks every operation that it sees.
type cloud struct {
	*emulatortest.Emulator
	*operations
	t      *testing.T
	folder string
}

// newCloud makes a client of a connection.
func newCloud(t *testing.T, em *emulatortest.Emulator, conn grpc.ClientConnInterface) *cloud {
	ops := &operations{t: t, ClientConnInterface: conn, methods: map[string]protoreflect.MethodDescriptor{}}
	return &cloud{Emulator: em, operations: ops, t: t, folder: em.Defaults().FolderID}
}

// plain is a client through the SDK that finds every service at one address, without TLS.
func plain(t *testing.T, em *emulatortest.Emulator, more ...options.Option) *cloud {
	t.Helper()
	at := endpoints.NewSingleEndpointResolver(em.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	return newCloud(t, em, sdk(t, append([]options.Option{options.WithEndpointsResolver(at)}, more...)...))
}

// host is the name that the certificate is for.
func host(em *emulatortest.Emulator) string {
	_, port, _ := net.SplitHostPort(em.Addr())
	return net.JoinHostPort("localhost", port)
}

// discovering is a client through the SDK that asks for the endpoints and verifies every certificate by the system's roots, as the
// framework's half of Terraform's provider does.
func discovering(t *testing.T, em *emulatortest.Emulator) *cloud {
	t.Helper()
	return newCloud(t, em, sdk(t, options.WithDiscoveryEndpoint(host(em))))
}

// resolving is a client that asks for the endpoints itself, a page of 100, as the plugin's half of Terraform's provider does.
func resolving(t *testing.T, em *emulatortest.Emulator) *cloud {
	t.Helper()
	first := sdk(t, options.WithEndpointsResolver(endpoints.NewPrefixEndpointsResolver(endpoints.PrefixToEndpoint{
		"yandex": endpoints.NewEndpointParams(host(em)), // with the system's roots
	})))
	//lint:ignore SA1019 the provider sends it
	list, err := endpoint.NewApiEndpointServiceClient(first).List(t.Context(), &endpoint.ListApiEndpointsRequest{PageSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	if list.NextPageToken != "" {
		t.Fatal("the endpoints are on more than one page")
	}
	at := map[string]string{}
	for _, e := range list.Endpoints {
		at[e.Id] = e.Address
	}
	found := endpoints.PrefixToEndpoint{}
	for prefix, id := range prefixes.DynamicEndpoints {
		if at[id] != "" {
			found[prefix] = endpoints.NewEndpointParams(at[id])
		}
	}
	return newCloud(t, em, sdk(t, options.WithEndpointsResolver(endpoints.NewPrefixEndpointsResolver(found))))
}

// built is version 2 of the SDK as a connection: each method goes where the endpoint of its service is.
type built struct{ *ycsdk.SDK }

func sdk(t *testing.T, more ...options.Option) built {
	t.Helper()
	s, err := ycsdk.Build(t.Context(), append([]options.Option{options.WithCredentials(credentials.IAMToken(developer))}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return built{s}
}

func methodName(path string) protoreflect.FullName {
	return protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "."))
}

func (b built) Invoke(ctx context.Context, method string, in, out any, opts ...grpc.CallOption) error {
	conn, err := b.GetConnection(ctx, methodName(method), opts...)
	if err != nil {
		return err
	}
	return conn.Invoke(ctx, method, in, out, opts...)
}

func (b built) NewStream(ctx context.Context, d *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	conn, err := b.GetConnection(ctx, methodName(method), opts...)
	if err != nil {
		return nil, err
	}
	return conn.NewStream(ctx, d, method, opts...)
}

// operations checks every operation that passes against what the proto of the method that began it says.
type operations struct {
	grpc.ClientConnInterface
	t       *testing.T
	methods map[string]protoreflect.MethodDescriptor // by the operation's id
}

func (o *operations) Invoke(ctx context.Context, method string, in, out any, opts ...grpc.CallOption) error {
	err := o.ClientConnInterface.Invoke(ctx, method, in, out, opts...)
	if op, ok := out.(*operation.Operation); ok && err == nil {
		o.check(methodName(method), op)
	}
	return err
}

func (o *operations) check(method protoreflect.FullName, op *operation.Operation) {
	o.t.Helper()
	if op.Id == "" || op.CreatedAt == nil || op.ModifiedAt == nil || op.CreatedBy == "" || op.Description == "" {
		o.t.Errorf("%s: the operation lacks something: %v", method, op)
	}
	if method.Parent() != "yandex.cloud.operation.OperationService" {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(method)
		if err != nil {
			o.t.Fatal(err)
		}
		o.methods[op.Id] = d.(protoreflect.MethodDescriptor)
	}
	begun, known := o.methods[op.Id]
	if !known {
		return // a test's own, of which it says what it is
	}
	metadata, response := operationOf(begun)
	if metadata == "" {
		o.t.Errorf("%s: the proto does not say what its operation is", begun.FullName())
	}
	if got := op.Metadata.MessageName(); got != metadata {
		o.t.Errorf("%s: metadata is %s, want %s", begun.FullName(), got, metadata)
	}
	if got := op.GetResponse().MessageName(); op.Done && op.GetError() == nil && got != response || !op.Done && got != "" {
		o.t.Errorf("%s: response is %q, want %s when done", begun.FullName(), got, response)
	}
}

// operationOf reads what a method's operation holds.
func operationOf(method protoreflect.MethodDescriptor) (metadata, response protoreflect.FullName) {
	says, ok := proto.GetExtension(method.Options(), api.E_Operation).(*api.Operation)
	if !ok || says == nil {
		return "", ""
	}
	// Names are looked up as protoc does: in the method's package, then in those around it.
	find := func(name string) protoreflect.FullName {
		for scope := method.ParentFile().Package(); scope != ""; scope = scope.Parent() {
			full := scope + "." + protoreflect.FullName(name)
			if _, err := protoregistry.GlobalFiles.FindDescriptorByName(full); err == nil {
				return full
			}
		}
		return protoreflect.FullName(name)
	}
	return find(says.Metadata), find(says.Response)
}

// poll asks for an operation, as the SDK's waiting does.
func (c *cloud) poll(ctx context.Context, id string, opts ...grpc.CallOption) (sdkoperation.YCOperation, error) {
	return operation.NewOperationServiceClient(c).Get(ctx, &operation.GetOperationRequest{OperationId: id}, opts...)
}

func message(t *testing.T, name protoreflect.FullName) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return kind.New().Interface()
}

// wait waits as the SDK does, which checks types too, and returns what the operation made.
func wait[M proto.Message](c *cloud) func(op *operation.Operation, err error) M {
	return func(begun *operation.Operation, err error) M {
		c.t.Helper()
		if err != nil {
			c.t.Fatal(err)
		}
		metadata, response := operationOf(c.methods[begun.Id])
		op, err := sdkoperation.NewOperation(begun, &sdkoperation.Concretization{
			Poll: c.poll, MetadataType: message(c.t, metadata), ResponseType: message(c.t, response),
		})
		if err != nil {
			c.t.Fatal(err)
		}
		made, err := op.Wait(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		want, ok := made.(M)
		if !ok {
			c.t.Fatalf("got %T, want %T", made, want)
		}
		return want
	}
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }
