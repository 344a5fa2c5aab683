package resourcemanager

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// owner is the role that whoever makes a cloud has on it.
const owner = "resource-manager.clouds.owner"

type cloudService struct {
	pb.UnimplementedCloudServiceServer
	*Service
}

// may returns a cloud on which the caller has a role.
func (s *cloudService) may(ctx context.Context, role, id string) (resource.Item[*pb.Cloud], error) {
	c, err := s.clouds.Get(id)
	if err != nil {
		return c, err
	}
	return c, s.o.Authorize.Check(ctx, role, id)
}

// sees tells whether the caller may know of a cloud: by a role on it or on a folder in it.
func (s *cloudService) sees(ctx context.Context, id string) error {
	err := s.o.Authorize.Check(ctx, auditor, id)
	if err == nil {
		return nil
	}
	for _, f := range s.folders.Messages(func(f *pb.Folder) bool { return f.CloudId == id }) {
		if s.o.Authorize.Check(ctx, auditor, f.Id) == nil {
			return nil
		}
	}
	return err
}

func (s *cloudService) Get(ctx context.Context, r *pb.GetCloudRequest) (*pb.Cloud, error) {
	c, err := s.clouds.Get(r.CloudId)
	if err != nil {
		return nil, err
	}
	return c.Message, s.sees(ctx, r.CloudId)
}

func (s *cloudService) List(ctx context.Context, r *pb.ListCloudsRequest) (*pb.ListCloudsResponse, error) {
	var visible []*pb.Cloud
	for _, c := range s.clouds.Messages(nil) {
		if (r.OrganizationId == "" || c.OrganizationId == r.OrganizationId) && s.sees(ctx, c.Id) == nil {
			visible = append(visible, c)
		}
	}
	page, next, err := resource.List(visible, r)
	return &pb.ListCloudsResponse{Clouds: page, NextPageToken: next}, err
}

func (s *cloudService) Create(ctx context.Context, r *pb.CreateCloudRequest) (*op, error) {
	if err := s.o.Authorize.Check(ctx, editor, r.OrganizationId); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.clouds.Free(r.OrganizationId, r.Name, ""); err != nil {
		return nil, err
	}
	id, err := s.o.Store.NewID(prefix)
	if err != nil {
		return nil, err
	}
	c := &pb.Cloud{
		Id: id, CreatedAt: s.o.Store.Now(), Name: r.Name, Description: r.Description, OrganizationId: r.OrganizationId, Labels: r.Labels,
	}
	if err := s.clouds.Put(ctx, resource.Item[*pb.Cloud]{Message: c}); err != nil {
		return nil, err
	}
	if who := resource.CallerOf(ctx); who.ID != "" {
		binding := &access.AccessBinding{RoleId: owner, Subject: &access.Subject{Id: who.ID, Type: who.Type}}
		if err := s.o.Bindings.Set(ctx, id, []*access.AccessBinding{binding}); err != nil {
			return nil, err
		}
	}
	return s.done(ctx, id, "Create cloud", &pb.CreateCloudMetadata{CloudId: id}, c)
}

func (s *cloudService) Update(ctx context.Context, r *pb.UpdateCloudRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	c, err := s.may(ctx, editor, r.CloudId)
	if err != nil {
		return nil, err
	}
	name := c.Message.Name
	if err := resource.Update(c.Message, r, r.UpdateMask, "name", "description", "labels"); err != nil {
		return nil, err
	}
	if c.Message.Name == "" { // the request may leave it out, the cloud may not
		c.Message.Name = name
	}
	if err := s.clouds.Free(c.Message.OrganizationId, c.Message.Name, r.CloudId); err != nil {
		return nil, err
	}
	if err := s.clouds.Put(ctx, c); err != nil {
		return nil, err
	}
	return s.done(ctx, r.CloudId, "Update cloud", &pb.UpdateCloudMetadata{CloudId: r.CloudId}, c.Message)
}

// Delete takes a cloud without folders away at once, whatever delete_after says.
func (s *cloudService) Delete(ctx context.Context, r *pb.DeleteCloudRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.may(ctx, admin, r.CloudId); err != nil {
		return nil, err
	}
	if s.isDefault(r.CloudId) {
		return nil, status.Errorf(codes.FailedPrecondition, "Cloud %s is the default one, which stays", r.CloudId)
	}
	var in []string
	for _, f := range s.folders.Messages(func(f *pb.Folder) bool { return f.CloudId == r.CloudId }) {
		in = append(in, "folder "+f.Id)
	}
	if len(in) > 0 {
		return nil, notEmpty("Cloud", r.CloudId, in)
	}
	if err := s.clouds.Delete(ctx, r.CloudId); err != nil {
		return nil, err
	}
	if err := s.o.Bindings.Forget(ctx, r.CloudId); err != nil {
		return nil, err
	}
	return s.done(ctx, r.CloudId, "Delete cloud", &pb.DeleteCloudMetadata{CloudId: r.CloudId, DeleteAfter: r.DeleteAfter}, &emptypb.Empty{})
}

func (s *cloudService) ListOperations(ctx context.Context, r *pb.ListCloudOperationsRequest) (*pb.ListCloudOperationsResponse, error) {
	if _, err := s.may(ctx, auditor, r.CloudId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.o.Store.OperationsOn(r.CloudId), r)
	return &pb.ListCloudOperationsResponse{Operations: page, NextPageToken: next}, err
}

func (s *cloudService) ListAccessBindings(ctx context.Context, r *access.ListAccessBindingsRequest) (*access.ListAccessBindingsResponse, error) {
	if _, err := s.may(ctx, auditor, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.List(r)
}

func (s *cloudService) SetAccessBindings(ctx context.Context, r *access.SetAccessBindingsRequest) (*op, error) {
	if _, err := s.may(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeSet(ctx, r, resource.Effective)
}

func (s *cloudService) UpdateAccessBindings(ctx context.Context, r *access.UpdateAccessBindingsRequest) (*op, error) {
	if _, err := s.may(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeUpdate(ctx, r, resource.Effective)
}
