package iam

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// Authorize asks for roles, for the services of the house; nil without StrictAuth.
func (s *Service) Authorize() resource.Authorize { return s.authorize }

// Permit asks, strict or not, whether a caller has a role, or one that contains it, on a resource or on what it is in: its id comes
// first, then its folder's; the folder's cloud is found here. The developer may do everything; the zero Caller is somebody unknown, who
// may do what all users may. The error is PERMISSION_DENIED.
func (s *Service) Permit(c resource.Caller, role string, on ...string) error {
	if c.Type == userAccount && c.ID == s.o.UserID || s.has(c, role, on) {
		return nil
	}
	who := "a caller without a token"
	if c.ID != "" {
		who = c.Type + " " + c.ID
	}
	return status.Errorf(codes.PermissionDenied, "Permission denied: %s lacks %s on %s", who, role, strings.Join(on, " and "))
}

// HasRole says, strict or not, what keeps a service account from acting in a role on a resource or on what it is in, given as to
// Permit: that it lacks the role, or that it is suspended, expired or not there. An empty account is somebody unknown.
func (s *Service) HasRole(serviceAccountID, role string, on ...string) error {
	if serviceAccountID == "" {
		if s.has(resource.Caller{}, role, on) {
			return nil
		}
		return fmt.Errorf("no service account is named, and not everybody has %s on %s", role, s.where(on))
	}
	if err := s.usable(serviceAccountID); err != nil {
		return err
	}
	if s.has(resource.Caller{ID: serviceAccountID, Type: serviceAccount}, role, on) {
		return nil
	}
	why := fmt.Sprintf("the service account %s lacks %s on %s", serviceAccountID, role, s.where(on))
	if folder := s.folderAmong(on); folder != "" {
		why += fmt.Sprintf("; add it: regcast yc resource-manager folder add-access-binding %s --role %s --subject serviceAccount:%s",
			folder, role, serviceAccountID)
	}
	return errors.New(why)
}

func (s *Service) folderAmong(on []string) string {
	for _, id := range on {
		if s.o.CloudOf(id) != "" {
			return id
		}
	}
	return ""
}

func (s *Service) where(on []string) string {
	if folder := s.folderAmong(on); folder != "" {
		return "the folder " + folder
	}
	return strings.Join(on, " and ")
}

func (s *Service) has(c resource.Caller, role string, on []string) bool {
	grants := func(b *access.AccessBinding) bool {
		return means(b.Subject, c) && s.roles.includes(b.RoleId, role)
	}
	for _, id := range on {
		if id == "" {
			continue
		}
		if s.o.Bindings.Any(id, grants) {
			return true
		}
		if cloud := s.o.CloudOf(id); cloud != "" && s.o.Bindings.Any(cloud, grants) {
			return true
		}
	}
	return false
}

// means tells whether a subject is the caller or a group that the caller is in.
func means(subject *access.Subject, c resource.Caller) bool {
	switch subject.GetType() {
	case system:
		return subject.Id == "allUsers" || subject.Id == "allAuthenticatedUsers" && c.ID != ""
	default:
		return c.ID != "" && subject.GetId() == c.ID && subject.GetType() == c.Type
	}
}
