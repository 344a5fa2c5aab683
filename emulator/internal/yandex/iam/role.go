package iam

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// roles are the roles that are known, and which of them are within which.
type roles struct {
	all    []*pb.Role
	within map[string]map[string]bool // role → all that it contains, itself among them
}

// includes tells whether who has a role has another one with it. A role that is not known is only itself.
func (r *roles) includes(has, wanted string) bool { return has == wanted || r.within[has][wanted] }

// role is a line of the table: what a role allows, and which roles it contains directly.
type role struct{ id, allows, contains string }

// table is what the cloud's documentation says of the roles of what regcast serves. There are none for triggers: those of functions
// hold for them. Where the documentation lets a role do something without naming a role within it, the role that allows just that is
// within it here.
func table() []role {
	return []role{
		{"auditor", "view what resources are made of, not what is in them",
			"resource-manager.auditor iam.auditor functions.auditor serverless-containers.auditor api-gateway.auditor"},
		{"viewer", "view resources and read what is in them", "auditor resource-manager.viewer iam.viewer functions.viewer " +
			"serverless-containers.viewer api-gateway.viewer container-registry.viewer container-registry.images.puller logging.viewer logging.reader"},
		{"editor", "manage resources, but not access to them", "viewer resource-manager.editor iam.editor iam.serviceAccounts.user functions.editor " +
			"serverless-containers.editor api-gateway.editor api-gateway.websocketBroadcaster container-registry.editor " +
			"logging.editor logging.writer ymq.reader ymq.writer"},
		{"admin", "manage resources and access to them", "editor resource-manager.admin iam.admin functions.admin serverless-containers.admin " +
			"api-gateway.admin container-registry.admin logging.admin ymq.admin"},

		{"resource-manager.auditor", "view clouds and folders", ""},
		{"resource-manager.viewer", "view clouds and folders and who has which role on them", "resource-manager.auditor"},
		{"resource-manager.editor", "manage clouds and folders", "resource-manager.viewer"},
		{"resource-manager.admin", "manage clouds and folders and access to them", "resource-manager.editor"},
		{"resource-manager.clouds.member", "be a member of a cloud", "resource-manager.auditor"},
		{"resource-manager.clouds.owner", "do everything in a cloud", "admin resource-manager.clouds.member"},

		{"iam.auditor", "view service accounts", "resource-manager.auditor"},
		{"iam.viewer", "view service accounts and who has which role on them", "iam.auditor"},
		{"iam.editor", "manage service accounts and their keys", "iam.viewer iam.serviceAccounts.keyAdmin"},
		{"iam.admin", "manage service accounts, their keys, and access to them", "iam.editor iam.serviceAccounts.admin"},
		{"iam.serviceAccounts.user", "have a service account act", "iam.auditor"},
		{"iam.serviceAccounts.tokenCreator", "get IAM tokens for service accounts", ""},
		{"iam.serviceAccounts.accessKeyAdmin", "manage static access keys", ""},
		{"iam.serviceAccounts.apiKeyAdmin", "manage API keys", ""},
		{"iam.serviceAccounts.authorizedKeyAdmin", "manage authorized keys", ""},
		{"iam.serviceAccounts.keyAdmin", "manage all keys of service accounts",
			"iam.serviceAccounts.accessKeyAdmin iam.serviceAccounts.apiKeyAdmin iam.serviceAccounts.authorizedKeyAdmin"},
		{"iam.serviceAccounts.admin", "manage service accounts and access to them",
			"iam.serviceAccounts.user iam.serviceAccounts.tokenCreator iam.serviceAccounts.keyAdmin"},

		{"container-registry.images.puller", "pull images, and view registries, repositories and images", "container-registry.viewer"},
		{"container-registry.images.pusher", "push, pull and delete images, and make and delete repositories", "container-registry.images.puller"},
		{"container-registry.registries.forceDeleter", "delete registries with the images in them", ""}, // which nothing else contains
		{"container-registry.viewer", "view registries, repositories and images", "resource-manager.auditor"},
		{"container-registry.editor", "manage registries, repositories and images", "container-registry.viewer container-registry.images.pusher"},
		{"container-registry.admin", "manage registries, repositories, images, and access to them", "container-registry.editor"},

		{"functions.auditor", "view functions and triggers, but not code and variables", "resource-manager.auditor"},
		{"functions.viewer", "view functions and triggers", "functions.auditor"},
		{"functions.functionInvoker", "call functions", "serverless.functions.invoker"},
		{"functions.editor", "manage functions, triggers and API gateways", "functions.viewer functions.functionInvoker api-gateway.editor"},
		{"functions.admin", "manage functions, triggers, API gateways, and access to functions", "functions.editor serverless.functions.admin"},
		{"serverless.functions.invoker", "call functions; the old name of functions.functionInvoker", "functions.functionInvoker"},
		{"serverless.functions.admin", "the old name of functions.admin", "functions.admin"},

		{"serverless-containers.auditor", "view containers, but not variables", "resource-manager.auditor"},
		{"serverless-containers.viewer", "view containers", "serverless-containers.auditor serverless.containers.viewer"},
		{"serverless-containers.containerInvoker", "call containers", "serverless.containers.invoker"},
		{"serverless-containers.editor", "manage containers",
			"serverless-containers.viewer serverless-containers.containerInvoker serverless.containers.editor"},
		{"serverless-containers.admin", "manage containers and access to them", "serverless-containers.editor serverless.containers.admin"},
		{"serverless.containers.viewer", "the old name of serverless-containers.viewer", "serverless-containers.viewer"},
		{"serverless.containers.invoker", "the old name of serverless-containers.containerInvoker", "serverless-containers.containerInvoker"},
		{"serverless.containers.editor", "the old name of serverless-containers.editor", "serverless-containers.editor"},
		{"serverless.containers.admin", "the old name of serverless-containers.admin", "serverless-containers.admin"},

		{"api-gateway.auditor", "view API gateways, but not their specifications", "resource-manager.auditor"},
		{"api-gateway.viewer", "view API gateways", "api-gateway.auditor"},
		{"api-gateway.editor", "manage API gateways", "api-gateway.viewer"},
		{"api-gateway.admin", "manage API gateways and access to them", "api-gateway.editor"},
		{"api-gateway.websocketWriter", "send to WebSocket connections and close them", "api-gateway.viewer"},
		{"api-gateway.websocketBroadcaster", "send to many WebSocket connections at once", "api-gateway.websocketWriter"},

		{"logging.viewer", "view log groups", "resource-manager.auditor"},
		{"logging.reader", "read logs", "logging.viewer"},
		{"logging.writer", "write logs", "logging.viewer"},
		{"logging.editor", "manage log groups", "logging.viewer"},
		{"logging.admin", "manage log groups and access to them", "logging.editor logging.reader logging.writer"},

		{"ymq.reader", "take messages from queues", ""},
		{"ymq.writer", "put messages into queues, and make queues", ""},
		{"ymq.admin", "manage queues", "ymq.reader ymq.writer"},
	}
}

func newRoles() *roles {
	r := &roles{within: make(map[string]map[string]bool)}
	contains := make(map[string][]string)
	for _, line := range table() {
		r.all = append(r.all, &pb.Role{Id: line.id, Description: line.allows})
		contains[line.id] = strings.Fields(line.contains)
	}
	slices.SortFunc(r.all, func(a, b *pb.Role) int { return strings.Compare(a.Id, b.Id) })
	for id := range contains {
		within := make(map[string]bool)
		for todo := []string{id}; len(todo) > 0; {
			next := todo[0]
			todo = todo[1:]
			if !within[next] { // old and new names contain each other
				within[next] = true
				todo = append(todo, contains[next]...)
			}
		}
		r.within[id] = within
	}
	return r
}

type roleService struct {
	pb.UnimplementedRoleServiceServer
	*Service
}

// Get returns a role, whoever asks.
func (s *roleService) Get(_ context.Context, r *pb.GetRoleRequest) (*pb.Role, error) {
	i := slices.IndexFunc(s.roles.all, func(role *pb.Role) bool { return role.Id == r.RoleId })
	if i < 0 {
		return nil, status.Errorf(codes.NotFound, "Role %s not found", r.RoleId)
	}
	return s.roles.all[i], nil
}

// List returns the roles of what is emulated, whoever asks.
func (s *roleService) List(_ context.Context, r *pb.ListRolesRequest) (*pb.ListRolesResponse, error) {
	page, next, err := resource.List(s.roles.all, r)
	return &pb.ListRolesResponse{Roles: page, NextPageToken: next}, err
}
