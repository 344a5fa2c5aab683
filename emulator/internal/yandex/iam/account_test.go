package iam_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
)

func TestTheDefaultAccount(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, nil)
	a, err := h.accounts.Get(dev(t), &pb.GetServiceAccountRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	is.Equal(a.Name, "regcast-default")
	is.Equal(a.Status, pb.ServiceAccount_ACTIVE)
	for _, role := range []string{"api-gateway.websocketBroadcaster", "functions.functionInvoker", "serverless-containers.containerInvoker", "ymq.writer"} {
		is.NoErr(h.HasRole(accountID, role, "d5dgateway", folderID)) // nothing warns out of the box
	}
	again, err := open(t, j, nil).accounts.Get(dev(t), &pb.GetServiceAccountRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	is.True(proto.Equal(a, again))
	is.Equal(h.Contents(folderID), []string{"service account " + accountID})
	is.Equal(len(h.Contents(otherID)), 0)

	_, err = h.accounts.Delete(dev(t), &pb.DeleteServiceAccountRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	_, err = open(t, j, nil).accounts.Get(dev(t), &pb.GetServiceAccountRequest{ServiceAccountId: accountID})
	wants(t, err, codes.NotFound, "Service account "+accountID+" not found")
}

func TestTheLifeOfAnAccount(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, nil)
	// The provider of Terraform always sends a time of expiry.
	_, a := done(t, &pb.CreateServiceAccountMetadata{}, &pb.ServiceAccount{})(h.accounts.Create(dev(t), &pb.CreateServiceAccountRequest{
		FolderId: folderID, Name: "robot", Description: "one", Labels: map[string]string{"a": "b"}, ExpiresAt: &timestamppb.Timestamp{}}))
	is.True(strings.HasPrefix(a.Id, "aje"))
	is.True(proto.Equal(a, &pb.ServiceAccount{Id: a.Id, FolderId: folderID, CreatedAt: timestamppb.New(noon), Name: "robot", Description: "one",
		Labels: map[string]string{"a": "b"}, Status: pb.ServiceAccount_ACTIVE}))
	_, err := h.accounts.Create(dev(t), &pb.CreateServiceAccountRequest{FolderId: otherID, Name: "robot"})
	wants(t, err, codes.AlreadyExists, a.Id) // unique within the cloud
	_, err = h.accounts.Create(dev(t), &pb.CreateServiceAccountRequest{FolderId: foreignID, Name: "robot"})
	is.NoErr(err)
	_, err = h.accounts.Create(dev(t), &pb.CreateServiceAccountRequest{FolderId: "b1gnone", Name: "x"})
	wants(t, err, codes.NotFound, "b1gnone")
	_, err = h.accounts.List(dev(t), &pb.ListServiceAccountsRequest{FolderId: "b1gnone"})
	wants(t, err, codes.NotFound, "b1gnone")
	found, err := h.accounts.List(dev(t), &pb.ListServiceAccountsRequest{FolderId: folderID, Filter: `name="robot"`})
	is.NoErr(err)
	is.Equal(len(found.ServiceAccounts), 1)
	is.NoErr(h.CheckAccount(t.Context(), a.Id))
	wants(t, h.CheckAccount(t.Context(), "ajenone"), codes.NotFound, "Service account ajenone not found")

	m, updated := done(t, &pb.UpdateServiceAccountMetadata{}, &pb.ServiceAccount{})(h.accounts.Update(dev(t), &pb.UpdateServiceAccountRequest{
		ServiceAccountId: a.Id, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description"}}, Name: "ignored",
		ExpiresAt: timestamppb.New(noon)}))
	is.Equal(m.ServiceAccountId, a.Id)
	is.Equal(updated.Name, "robot")
	is.Equal(updated.Description, "")
	is.True(updated.ExpiresAt == nil)
	_, err = h.accounts.Update(dev(t), &pb.UpdateServiceAccountRequest{ServiceAccountId: a.Id, Name: "regcast-default"})
	wants(t, err, codes.AlreadyExists, accountID)
	_, err = h.accounts.Update(dev(t), &pb.UpdateServiceAccountRequest{ServiceAccountId: a.Id})
	wants(t, err, codes.InvalidArgument, "name")

	got, err := open(t, j, nil).accounts.Get(dev(t), &pb.GetServiceAccountRequest{ServiceAccountId: a.Id})
	is.NoErr(err)
	is.True(proto.Equal(got, updated))
	ops, err := h.accounts.ListOperations(dev(t), &pb.ListServiceAccountOperationsRequest{ServiceAccountId: a.Id})
	is.NoErr(err)
	is.Equal(len(ops.Operations), 2)
	is.Equal(ops.Operations[0].CreatedBy, userID)

	dm, _ := done(t, &pb.DeleteServiceAccountMetadata{}, &emptypb.Empty{})(h.accounts.Delete(dev(t), &pb.DeleteServiceAccountRequest{ServiceAccountId: a.Id}))
	is.Equal(dm.ServiceAccountId, a.Id)
	_, err = h.accounts.Get(dev(t), &pb.GetServiceAccountRequest{ServiceAccountId: a.Id})
	wants(t, err, codes.NotFound, a.Id)
}

func TestBindingsOnAnAccount(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, nil)
	a := create(t, h, "robot")
	b := &access.AccessBinding{RoleId: "iam.serviceAccounts.user", Subject: &access.Subject{Id: accountID, Type: "serviceAccount"}}
	_, result := done(t, &access.UpdateAccessBindingsMetadata{}, &access.AccessBindingsOperationResult{})(h.accounts.UpdateAccessBindings(dev(t),
		&access.UpdateAccessBindingsRequest{ResourceId: a.Id, AccessBindingDeltas: []*access.AccessBindingDelta{{Action: access.AccessBindingAction_ADD, AccessBinding: b}}}))
	is.Equal(len(result.EffectiveDeltas), 1)
	list, err := h.accounts.ListAccessBindings(dev(t), &access.ListAccessBindingsRequest{ResourceId: a.Id})
	is.NoErr(err)
	is.True(proto.Equal(list.AccessBindings[0], b))
	_, result = done(t, &access.SetAccessBindingsMetadata{}, &access.AccessBindingsOperationResult{})(h.accounts.SetAccessBindings(dev(t),
		&access.SetAccessBindingsRequest{ResourceId: a.Id}))
	is.Equal(result.EffectiveDeltas[0].Action, access.AccessBindingAction_REMOVE)
	_, err = h.accounts.ListAccessBindings(dev(t), &access.ListAccessBindingsRequest{ResourceId: "ajenone"})
	wants(t, err, codes.NotFound, "ajenone")
}

// Of those who take a name at once one gets it.
func TestANameIsTakenOnce(t *testing.T) {
	h := open(t, nil, nil)
	var all sync.WaitGroup
	var got atomic.Int32
	for range 8 {
		all.Go(func() {
			if _, err := h.accounts.Create(dev(t), &pb.CreateServiceAccountRequest{FolderId: folderID, Name: "robot"}); err == nil {
				got.Add(1)
			}
		})
	}
	all.Wait()
	is.New(t).Equal(got.Load(), int32(1))
}

// An account that is suspended, has expired or is not there acts in no role and gets no token.
func TestAccountsThatMayNotAct(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, nil)
	const role = "functions.functionInvoker"
	forCreate := func(id string) error {
		_, err := h.tokens.CreateForServiceAccount(dev(t), &pb.CreateIamTokenForServiceAccountRequest{ServiceAccountId: id})
		return err
	}
	is.NoErr(h.HasRole(accountID, role, folderID))
	is.NoErr(forCreate(accountID))

	m, _ := done(t, &pb.SuspendServiceAccountMetadata{}, &pb.SuspendServiceAccountResponse{})(h.accounts.Suspend(dev(t),
		&pb.SuspendServiceAccountRequest{ServiceAccountId: accountID}))
	is.Equal(m.ServiceAccountId, accountID)
	a, err := h.accounts.Get(dev(t), &pb.GetServiceAccountRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	is.Equal(a.Status, pb.ServiceAccount_SUSPENDED)
	is.Equal(h.HasRole(accountID, role, folderID).Error(), "the service account "+accountID+" is suspended")
	wants(t, forCreate(accountID), codes.FailedPrecondition, "is suspended")
	_, _, err = h.TokenFor(accountID)
	is.True(err != nil)

	done(t, &pb.ReactivateServiceAccountMetadata{}, &pb.ReactivateServiceAccountResponse{})(h.accounts.Reactivate(dev(t),
		&pb.ReactivateServiceAccountRequest{ServiceAccountId: accountID}))
	is.NoErr(h.HasRole(accountID, role, folderID))

	// A suspension may also set when the account ends for good.
	_, err = h.accounts.Suspend(dev(t), &pb.SuspendServiceAccountRequest{ServiceAccountId: accountID, ExpiresAt: timestamppb.New(noon.Add(time.Hour))})
	is.NoErr(err)
	_, err = h.accounts.Reactivate(dev(t), &pb.ReactivateServiceAccountRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	is.NoErr(h.HasRole(accountID, role, folderID))
	h.clock.Advance(time.Hour)
	is.Equal(h.HasRole(accountID, role, folderID).Error(), "the service account "+accountID+" has expired")

	is.Equal(h.HasRole("ajenone", role, folderID).Error(), "the service account ajenone does not exist")
	wants(t, forCreate("ajenone"), codes.NotFound, "ajenone")
	_, err = h.accounts.Suspend(dev(t), &pb.SuspendServiceAccountRequest{ServiceAccountId: "ajenone"})
	wants(t, err, codes.NotFound, "ajenone")
}

func TestTheDeveloperIsAUser(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, nil)
	u, err := h.users.Get(dev(t), &pb.GetUserAccountRequest{UserAccountId: userID})
	is.NoErr(err)
	same, err := h.passports.GetByLogin(dev(t), &pb.GetUserAccountByLoginRequest{Login: u.GetYandexPassportUserAccount().Login})
	is.NoErr(err)
	is.True(proto.Equal(u, same))
	_, err = h.users.Get(dev(t), &pb.GetUserAccountRequest{UserAccountId: accountID})
	wants(t, err, codes.NotFound, accountID)
	_, err = h.passports.GetByLogin(dev(t), &pb.GetUserAccountByLoginRequest{Login: "somebody"})
	wants(t, err, codes.NotFound, "somebody")
	is.Equal(h.bindings.Of(cloudID)[0].Subject.Id, userID)
}
