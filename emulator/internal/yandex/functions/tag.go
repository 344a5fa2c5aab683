package functions

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
)

// tagged is the id of the version that has a tag; empty: none has. Every call of a function asks for it.
func (s *Service) tagged(functionID, tag string) (id string) {
	var at time.Time
	s.versions.Each(func(v *pb.Version) bool {
		if v.FunctionId != functionID || !slices.Contains(v.Tags, tag) {
			return true
		}
		// While a tag moves, two have it.
		if made := v.CreatedAt.AsTime(); id == "" || cmp.Or(made.Compare(at), cmp.Compare(v.Id, id)) > 0 {
			id, at = v.Id, made
		}
		return true
	})
	return id
}

// untag takes a tag from all versions of a function but one.
func (s *Service) untag(ctx context.Context, functionID, tag, but string) error {
	others := func(v *pb.Version) bool {
		return v.FunctionId == functionID && v.Id != but && slices.Contains(v.Tags, tag)
	}
	for _, it := range s.versions.All(others) {
		it.Message.Tags = slices.DeleteFunc(it.Message.Tags, func(t string) bool { return t == tag })
		if err := s.versions.Put(ctx, it); err != nil {
			return err
		}
	}
	return nil
}

// GetVersionByTag returns the version that has a tag.
func (s *Service) GetVersionByTag(ctx context.Context, r *pb.GetFunctionVersionByTagRequest) (*pb.Version, error) {
	if _, err := s.may(ctx, viewer, r.FunctionId); err != nil {
		return nil, err
	}
	v, err := s.versions.Get(s.tagged(r.FunctionId, r.Tag))
	if err != nil {
		return nil, gone(r.FunctionId, r.Tag)
	}
	return v.Message, nil
}

// GetFunctionVersionByTag is GetVersionByTag's old name.
func (s *Service) GetFunctionVersionByTag(ctx context.Context, r *pb.GetFunctionVersionByTagRequest) (*pb.Version, error) {
	return s.GetVersionByTag(ctx, r)
}

// SetTag moves a tag to a version.
func (s *Service) SetTag(ctx context.Context, r *pb.SetFunctionTagRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	it, err := s.versions.Get(r.FunctionVersionId)
	if err != nil {
		return nil, err
	}
	if _, err := s.may(ctx, editor, it.Message.FunctionId); err != nil {
		return nil, err
	}
	if !slices.Contains(it.Message.Tags, r.Tag) {
		it.Message.Tags = append(it.Message.Tags, r.Tag)
		if err := s.versions.Put(ctx, it); err != nil {
			return nil, err
		}
	}
	// After that, as in add; and always, since a move that was broken off has left two with the tag.
	if err := s.untag(ctx, it.Message.FunctionId, r.Tag, it.Message.Id); err != nil {
		return nil, err
	}
	return s.done(ctx, it.Message.FunctionId, "Set tag", &pb.SetFunctionTagMetadata{FunctionVersionId: r.FunctionVersionId}, it.Message)
}

// RemoveTag takes a tag from a version.
func (s *Service) RemoveTag(ctx context.Context, r *pb.RemoveFunctionTagRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	it, err := s.versions.Get(r.FunctionVersionId)
	if err != nil {
		return nil, err
	}
	if _, err := s.may(ctx, editor, it.Message.FunctionId); err != nil {
		return nil, err
	}
	if !slices.Contains(it.Message.Tags, r.Tag) {
		return nil, gone(it.Message.FunctionId, r.Tag)
	}
	it.Message.Tags = slices.DeleteFunc(it.Message.Tags, func(t string) bool { return t == r.Tag })
	if err := s.versions.Put(ctx, it); err != nil {
		return nil, err
	}
	return s.done(ctx, it.Message.FunctionId, "Remove tag", &pb.RemoveFunctionTagMetadata{FunctionVersionId: r.FunctionVersionId}, it.Message)
}

// gone is what a call says of a tag that no version has.
func gone(functionID, tag string) error {
	return status.Errorf(codes.NotFound, "Version with tag %s of function %s not found", tag, functionID)
}
