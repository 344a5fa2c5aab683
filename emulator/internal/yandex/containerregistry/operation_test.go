package containerregistry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/api"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator/internal/yandex"
)

// checked compares every operation that comes back with what its proto declares, since clients take no other types, and remembers the
// methods. It knows no service: other packages may copy this file up to the test.
type checked struct {
	mu      sync.Mutex
	methods map[protoreflect.FullName]bool
}

func (c *checked) intercept(t *testing.T) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, path string, request, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, o ...grpc.CallOption) error {
		if err := call(ctx, path, request, reply, conn, o...); err != nil {
			return err
		}
		if op, ok := reply.(*operation.Operation); ok {
			if err := c.check(path, op); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		return nil
	}
}

func (c *checked) check(path string, op *operation.Operation) error {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(path[1:], "/", ".")))
	if err != nil {
		return err
	}
	method := found.(protoreflect.MethodDescriptor)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.methods == nil {
		c.methods = map[protoreflect.FullName]bool{}
	}
	c.methods[method.FullName()] = true
	want := declared(method)
	if want == nil {
		return nil
	}
	metadata, response := resolve(method, want.Metadata), resolve(method, want.Response)
	if got := op.GetMetadata().MessageName(); got != metadata {
		return fmt.Errorf("metadata is %s, want %s", got, metadata)
	}
	if got := op.GetResponse().MessageName(); op.GetDone() && op.GetError() == nil && got != response {
		return fmt.Errorf("response is %s, want %s", got, response)
	}
	return nil
}

// missing lists the methods with operations that have not been called.
func (c *checked) missing(services ...protoreflect.ServiceDescriptor) (out []protoreflect.FullName) {
	for _, s := range services {
		for i := range s.Methods().Len() {
			if m := s.Methods().Get(i); declared(m) != nil && !c.methods[m.FullName()] {
				out = append(out, m.FullName())
			}
		}
	}
	return out
}

func declared(m protoreflect.MethodDescriptor) *api.Operation {
	o, _ := proto.GetExtension(m.Options(), api.E_Operation).(*api.Operation)
	return o
}

// resolve reads a type's name as it is written in a method's options: relative to its package, or to one round it.
func resolve(m protoreflect.MethodDescriptor, name string) protoreflect.FullName {
	for scope := m.ParentFile().Package(); scope != ""; scope = scope.Parent() {
		full := scope.Append(protoreflect.Name(name)) // of a name with dots, too
		if _, err := protoregistry.GlobalTypes.FindMessageByName(full); err == nil {
			return full
		}
	}
	return protoreflect.FullName(name)
}

func TestEveryOperationIsOfTheTypesItsProtoDeclares(t *testing.T) {
	is := is.New(t)
	h := open(t)
	id := h.create("one")
	must := func(op *operation.Operation, err error) *operation.Operation {
		t.Helper()
		is.NoErr(err)
		is.True(op.Done)
		is.True(strings.HasPrefix(op.Id, "crp"))
		return op
	}
	ctx := t.Context()
	image, _ := h.push(id+"/app:v1", 1)
	must(h.registries.Update(ctx, &pb.UpdateRegistryRequest{RegistryId: id, Name: "two"}))
	permission := &pb.IpPermission{Action: pb.IpPermission_PULL, Ip: "10.0.0.1"}
	must(h.registries.SetIpPermission(ctx, &pb.SetIpPermissionRequest{RegistryId: id, IpPermission: []*pb.IpPermission{permission}}))
	must(h.registries.UpdateIpPermission(ctx, &pb.UpdateIpPermissionRequest{RegistryId: id,
		IpPermissionDeltas: []*pb.IpPermissionDelta{{Action: pb.IpPermissionAction_REMOVE, IpPermission: permission}}}))
	var repository pb.Repository
	is.NoErr(must(h.repositories.Upsert(ctx, &pb.UpsertRepositoryRequest{Name: id + "/empty"})).GetResponse().UnmarshalTo(&repository))
	binding := &access.AccessBinding{RoleId: "viewer", Subject: &access.Subject{Id: "aje00000000000000001", Type: "serviceAccount"}}
	for _, on := range []struct {
		id     string
		set    func(context.Context, *access.SetAccessBindingsRequest, ...grpc.CallOption) (*operation.Operation, error)
		update func(context.Context, *access.UpdateAccessBindingsRequest, ...grpc.CallOption) (*operation.Operation, error)
		list   func(context.Context, *access.ListAccessBindingsRequest, ...grpc.CallOption) (*access.ListAccessBindingsResponse, error)
	}{
		{id, h.registries.SetAccessBindings, h.registries.UpdateAccessBindings, h.registries.ListAccessBindings},
		{repository.Id, h.repositories.SetAccessBindings, h.repositories.UpdateAccessBindings, h.repositories.ListAccessBindings},
	} {
		must(on.set(ctx, &access.SetAccessBindingsRequest{ResourceId: on.id, AccessBindings: []*access.AccessBinding{binding}}))
		there, err := on.list(ctx, &access.ListAccessBindingsRequest{ResourceId: on.id})
		is.NoErr(err)
		is.True(proto.Equal(there.AccessBindings[0], binding))
		must(on.update(ctx, &access.UpdateAccessBindingsRequest{ResourceId: on.id, AccessBindingDeltas: []*access.AccessBindingDelta{
			{Action: access.AccessBindingAction_REMOVE, AccessBinding: binding},
		}}))
		there, err = on.list(ctx, &access.ListAccessBindingsRequest{ResourceId: on.id})
		is.NoErr(err)
		is.Equal(len(there.AccessBindings), 0)
	}
	must(h.repositories.Delete(ctx, &pb.DeleteRepositoryRequest{RepositoryId: repository.Id}))
	must(h.images.Delete(ctx, &pb.DeleteImageRequest{ImageId: image}))
	must(h.registries.Delete(ctx, &pb.DeleteRegistryRequest{RegistryId: id}))
	h.push(yandex.RegistryID+"/app:v1", 1)
	must(h.registries.ForceDelete(ctx, &pb.DeleteRegistryRequest{RegistryId: yandex.RegistryID}))

	services := []protoreflect.ServiceDescriptor{}
	for _, name := range []string{"Registry", "Repository", "Image"} {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName("yandex.cloud.containerregistry.v1." + name + "Service"))
		is.NoErr(err)
		services = append(services, d.(protoreflect.ServiceDescriptor))
	}
	is.Equal(len(h.checked.missing(services...)), 0)
	is.True(slices.Contains(h.checked.missing(pb.File_yandex_cloud_containerregistry_v1_lifecycle_policy_service_proto.Services().Get(0)),
		"yandex.cloud.containerregistry.v1.LifecyclePolicyService.Create")) // the check can fail
}
