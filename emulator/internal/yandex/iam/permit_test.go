package iam_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	aws "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

func bind(t testing.TB, h *house, on, role, kind, subject string) {
	t.Helper()
	_, err := h.bindings.Update(t.Context(), on, []*access.AccessBindingDelta{{Action: access.AccessBindingAction_ADD,
		AccessBinding: &access.AccessBinding{RoleId: role, Subject: &access.Subject{Id: subject, Type: kind}}}})
	is.New(t).NoErr(err)
}

func TestWithoutStrictAuthEverybodyMay(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, nil)
	me := resource.Caller{ID: userID, Type: "userAccount"}
	is.True(h.Authorize() == nil)
	for _, authorization := range []string{"", "Bearer", "Bearer x", "Bearer " + developer, "Bearer t1.real.token", "OAuth y0_x", "Api-Key none", "nonsense"} {
		who, err := h.Caller(authorization)
		is.NoErr(err)
		is.Equal(who, me)
	}
	// A token of ours tells who calls, be it good or not.
	token, _, err := h.TokenFor(accountID)
	is.NoErr(err)
	apiKey, err := h.apiKeys.Create(t.Context(), &pb.CreateApiKeyRequest{ServiceAccountId: accountID, ExpiresAt: nil})
	is.NoErr(err)
	h.clock.Advance(24 * time.Hour)
	_, err = h.accounts.Suspend(t.Context(), &pb.SuspendServiceAccountRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	for _, authorization := range []string{"Bearer " + token, "Api-Key " + apiKey.Secret} {
		who, err := h.Caller(authorization)
		is.NoErr(err)
		is.Equal(who.ID, accountID)
	}
	ctx, err := h.Authenticate(t.Context(), "/yandex.cloud.iam.v1.RoleService/Get", "Bearer "+token)
	is.NoErr(err)
	is.Equal(resource.CallerOf(ctx).ID, accountID)
}

func TestStrictAuthAsksForATokenOfOurs(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, strict)
	for authorization, want := range map[string]string{
		"":                  "Authentication token is missing",
		"Bearer":            "The token is invalid",
		"Bearer x":          "The token is invalid",
		"OAuth y0_mine":     "another scheme",
		developer:           "another scheme",
		"Api-Key AQVNnone":  "Unknown api key",
		"Bearer t1.real.it": "The token is invalid",
	} {
		who, err := h.Caller(authorization)
		wants(t, err, codes.Unauthenticated, want)
		is.Equal(who, resource.Caller{})
		_, err = h.Authenticate(t.Context(), "/yandex.cloud.iam.v1.RoleService/Get", authorization)
		wants(t, err, codes.Unauthenticated, want)
		for _, toAll := range []string{"/yandex.cloud.endpoint.ApiEndpointService/List", "/yandex.cloud.iam.v1.IamTokenService/Create"} {
			ctx, err := h.Authenticate(t.Context(), toAll, authorization)
			is.NoErr(err)
			is.Equal(resource.CallerOf(ctx), resource.Caller{})
		}
	}
	who, err := h.Caller("Bearer " + developer)
	is.NoErr(err)
	is.Equal(who, resource.Caller{ID: userID, Type: "userAccount"})
	ctx := resource.WithCaller(t.Context(), who)
	is.NoErr(h.Authorize()(ctx, "resource-manager.admin", "b1gnone")) // the developer may everything, everywhere
}

func TestRolesAreFoundWhereTheyAreBound(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, strict)
	robot := resource.Caller{ID: create(t, h, "robot").Id, Type: "serviceAccount"}
	const role = "functions.functionInvoker"
	for _, on := range []string{"d4e1", otherID, cloudID} {
		t.Run(on, func(t *testing.T) {
			is := is.New(t)
			err := h.Permit(robot, role, "d4e1", otherID)
			wants(t, err, codes.PermissionDenied, "Permission denied: serviceAccount "+robot.ID+" lacks functions.functionInvoker on d4e1 and "+otherID)
			bind(t, h, on, role, "userAccount", robot.ID) // somebody else's
			bind(t, h, on, "functions.viewer", "serviceAccount", robot.ID)
			bind(t, h, foreignID, role, "serviceAccount", robot.ID)
			is.True(h.Permit(robot, role, "d4e1", otherID) != nil)
			bind(t, h, on, role, "serviceAccount", robot.ID)
			is.NoErr(h.Permit(robot, role, "d4e1", otherID))
			is.NoErr(h.HasRole(robot.ID, role, "d4e1", otherID))
			is.NoErr(h.Authorize()(resource.WithCaller(t.Context(), robot), role, "d4e1", otherID))
			is.NoErr(h.bindings.Forget(t.Context(), on))
		})
	}
	is.True(h.Permit(robot, role) != nil)
	is.True(h.Permit(robot, role, "", "") != nil)
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, nil)
	robot := create(t, h, "robot")
	const role = "api-gateway.websocketBroadcaster"
	is.Equal(h.HasRole(robot.Id, role, "d5d1", folderID).Error(), "the service account "+robot.Id+" lacks "+role+" on the folder "+folderID+
		"; add it: regcast yc resource-manager folder add-access-binding "+folderID+" --role "+role+" --subject serviceAccount:"+robot.Id)
	is.Equal(h.HasRole(robot.Id, role, "d5d1").Error(), "the service account "+robot.Id+" lacks "+role+" on d5d1")
	is.Equal(h.HasRole("", role, "d5d1", folderID).Error(), "no service account is named, and not everybody has "+role+" on the folder "+folderID)
}

func TestEverybodyAndAllWhoSayWhoTheyAre(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, strict)
	robot := resource.Caller{ID: create(t, h, "robot").Id, Type: "serviceAccount"}
	var unknown resource.Caller
	const role = "serverless-containers.containerInvoker"
	bind(t, h, "bba1", role, "system", "allUsers")
	bind(t, h, "bba2", role, "system", "allAuthenticatedUsers")
	bind(t, h, "bba3", role, "system", "group:organization:bpf1:users")
	is.NoErr(h.Permit(unknown, role, "bba1", folderID))
	is.NoErr(h.Permit(robot, role, "bba1", folderID))
	is.NoErr(h.HasRole("", role, "bba1", folderID))
	is.NoErr(h.Permit(robot, role, "bba2", folderID))
	wants(t, h.Permit(unknown, role, "bba2", folderID), codes.PermissionDenied, "a caller without a token lacks")
	is.True(h.Permit(robot, role, "bba3", folderID) != nil)
	bind(t, h, "bba4", role, "", "")
	is.True(h.Permit(unknown, role, "bba4") != nil)
}

// What the cloud's documentation says of which role contains which.
func TestRolesContainOthers(t *testing.T) {
	h := open(t, nil, strict)
	robot := resource.Caller{ID: create(t, h, "robot").Id, Type: "serviceAccount"}
	for has, line := range map[string]string{ // wanted roles; with ! in front those that it does not contain
		"auditor":                                "functions.auditor !functions.viewer !container-registry.images.puller",
		"viewer":                                 "auditor functions.viewer logging.reader container-registry.images.puller !functions.functionInvoker !functions.editor !api-gateway.websocketWriter",
		"editor":                                 "viewer functions.editor functions.functionInvoker serverless.functions.invoker serverless-containers.containerInvoker api-gateway.websocketBroadcaster api-gateway.websocketWriter container-registry.images.pusher iam.serviceAccounts.user ymq.writer logging.writer resource-manager.editor !functions.admin !resource-manager.admin !iam.serviceAccounts.admin",
		"admin":                                  "editor functions.admin api-gateway.admin resource-manager.admin iam.serviceAccounts.admin iam.serviceAccounts.tokenCreator ymq.admin !resource-manager.clouds.owner",
		"resource-manager.clouds.owner":          "admin resource-manager.clouds.member functions.functionInvoker !container-registry.registries.forceDeleter",
		"resource-manager.editor":                "resource-manager.auditor !resource-manager.admin !functions.viewer",
		"functions.admin":                        "functions.viewer functions.functionInvoker serverless.functions.admin api-gateway.editor resource-manager.auditor !api-gateway.websocketWriter",
		"functions.functionInvoker":              "serverless.functions.invoker !functions.viewer",
		"serverless.functions.invoker":           "functions.functionInvoker",
		"serverless.functions.admin":             "functions.editor",
		"serverless.containers.invoker":          "serverless-containers.containerInvoker !serverless-containers.viewer",
		"serverless-containers.editor":           "serverless.containers.invoker serverless-containers.auditor",
		"api-gateway.websocketBroadcaster":       "api-gateway.websocketWriter api-gateway.viewer !api-gateway.editor",
		"api-gateway.websocketWriter":            "api-gateway.viewer !api-gateway.websocketBroadcaster",
		"api-gateway.admin":                      "api-gateway.editor !api-gateway.websocketWriter",
		"container-registry.images.puller":       "container-registry.viewer !container-registry.images.pusher",
		"container-registry.images.pusher":       "container-registry.images.puller container-registry.viewer !container-registry.editor",
		"container-registry.admin":               "container-registry.images.pusher container-registry.viewer !container-registry.registries.forceDeleter",
		"iam.serviceAccounts.keyAdmin":           "iam.serviceAccounts.apiKeyAdmin !iam.serviceAccounts.tokenCreator",
		"iam.serviceAccounts.admin":              "iam.serviceAccounts.user iam.serviceAccounts.tokenCreator iam.serviceAccounts.accessKeyAdmin",
		"iam.admin":                              "iam.serviceAccounts.admin iam.editor",
		"logging.admin":                          "logging.writer logging.reader logging.editor",
		"ymq.admin":                              "ymq.writer ymq.reader",
		"a.role.of.another.service.than.these":   "a.role.of.another.service.than.these !viewer",
		"iam.serviceAccounts.tokenCreator":       "!iam.serviceAccounts.user",
		"iam.serviceAccounts.authorizedKeyAdmin": "!iam.serviceAccounts.apiKeyAdmin",
	} {
		is.New(t).NoErr(h.bindings.Set(t.Context(), otherID, nil))
		bind(t, h, otherID, has, "serviceAccount", robot.ID)
		for wanted := range strings.FieldsSeq(line) {
			wanted, not := strings.CutPrefix(wanted, "!")
			if got := h.Permit(robot, wanted, otherID) == nil; got == not {
				t.Errorf("%s: has %s: got %v, want %v", has, wanted, got, !not)
			}
		}
	}
}

func TestRoles(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, nil)
	role, err := h.roles.Get(dev(t), &pb.GetRoleRequest{RoleId: "api-gateway.websocketBroadcaster"})
	is.NoErr(err)
	is.True(role.Description != "")
	_, err = h.roles.Get(dev(t), &pb.GetRoleRequest{RoleId: "none"})
	wants(t, err, codes.NotFound, "none")
	var ids []string
	for token := ""; ; {
		page, err := h.roles.List(dev(t), &pb.ListRolesRequest{PageSize: 20, PageToken: token})
		is.NoErr(err)
		for _, role := range page.Roles {
			ids = append(ids, role.Id)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	is.True(len(ids) > 40)
	for _, id := range ids {
		_, err := h.roles.Get(dev(t), &pb.GetRoleRequest{RoleId: id})
		is.NoErr(err)
	}
}

// The calls of this package ask for roles themselves.
func TestStrictAuthAsksForRoles(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, strict)
	robot, target := create(t, h, "robot"), create(t, h, "target")
	key, err := h.keys.Create(dev(t), &pb.CreateKeyRequest{ServiceAccountId: target.Id})
	is.NoErr(err)
	users, err := h.keys.Create(dev(t), &pb.CreateKeyRequest{})
	is.NoErr(err)
	token, _, err := h.TokenFor(robot.Id)
	is.NoErr(err)
	ctx := as(t, "Bearer "+token)
	calls := map[string]func() error{
		"iam.auditor": func() error {
			_, err := h.accounts.Get(ctx, &pb.GetServiceAccountRequest{ServiceAccountId: target.Id})
			return err
		},
		"iam.auditor ": func() error {
			_, err := h.accounts.List(ctx, &pb.ListServiceAccountsRequest{FolderId: folderID})
			return err
		},
		"iam.editor": func() error {
			_, err := h.accounts.Create(ctx, &pb.CreateServiceAccountRequest{FolderId: folderID, Name: "made-by-robot"})
			return err
		},
		"iam.serviceAccounts.admin": func() error {
			_, err := h.accounts.Suspend(ctx, &pb.SuspendServiceAccountRequest{ServiceAccountId: target.Id})
			return err
		},
		"iam.serviceAccounts.admin ": func() error {
			_, err := h.accounts.SetAccessBindings(ctx, &access.SetAccessBindingsRequest{ResourceId: target.Id})
			return err
		},
		"iam.serviceAccounts.authorizedKeyAdmin": func() error { _, err := h.keys.Get(ctx, &pb.GetKeyRequest{KeyId: key.Key.Id}); return err },
		"iam.serviceAccounts.apiKeyAdmin": func() error {
			_, err := h.apiKeys.Create(ctx, &pb.CreateApiKeyRequest{ServiceAccountId: target.Id})
			return err
		},
		"iam.serviceAccounts.accessKeyAdmin": func() error {
			_, err := h.accessKeys.Create(ctx, &aws.CreateAccessKeyRequest{ServiceAccountId: target.Id})
			return err
		},
	}
	for role, call := range calls {
		wants(t, call(), codes.PermissionDenied, "Permission denied")
		on := folderID
		if strings.Contains(role, "serviceAccounts") {
			on = target.Id
		}
		before := h.bindings.Of(on)
		bind(t, h, on, strings.TrimSpace(role), "serviceAccount", robot.Id)
		if err := call(); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		is.NoErr(h.bindings.Set(t.Context(), on, before))
	}
	forTarget := func() error {
		_, err := h.tokens.CreateForServiceAccount(ctx, &pb.CreateIamTokenForServiceAccountRequest{ServiceAccountId: target.Id})
		return err
	}
	_, err = h.accounts.Reactivate(dev(t), &pb.ReactivateServiceAccountRequest{ServiceAccountId: target.Id})
	is.NoErr(err)
	wants(t, forTarget(), codes.PermissionDenied, "iam.serviceAccounts.tokenCreator")
	bind(t, h, target.Id, "iam.serviceAccounts.tokenCreator", "serviceAccount", robot.Id)
	is.NoErr(forTarget())
	bind(t, h, folderID, "admin", "serviceAccount", robot.Id)
	_, err = h.keys.Get(ctx, &pb.GetKeyRequest{KeyId: users.Key.Id})
	wants(t, err, codes.PermissionDenied, "the user's own")
}

// It is asked at every delivery.
func BenchmarkHasRole(b *testing.B) {
	h := open(b, nil, nil)
	robot := create(b, h, "robot")
	for i := range 100 {
		bind(b, h, folderID, "viewer", "serviceAccount", "ajeother"+strings.Repeat("x", i))
	}
	bind(b, h, cloudID, "editor", "serviceAccount", robot.Id)
	b.ReportAllocs()
	for b.Loop() {
		if err := h.HasRole(robot.Id, "api-gateway.websocketBroadcaster", "d5dgateway", folderID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCaller(b *testing.B) {
	h := open(b, nil, strict)
	token, _, err := h.TokenFor(accountID)
	is.New(b).NoErr(err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Authenticate(context.Background(), "/x/y", "Bearer "+token); err != nil {
			b.Fatal(err)
		}
	}
}
