package iam_test

import (
	"regexp"
	"strings"
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
	aws "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

func description() *fieldmaskpb.FieldMask {
	return &fieldmaskpb.FieldMask{Paths: []string{"description"}}
}

func TestAuthorizedKeys(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, nil)
	made, err := h.keys.Create(dev(t), &pb.CreateKeyRequest{ServiceAccountId: accountID, Description: "one"})
	is.NoErr(err)
	is.Equal(made.Key.GetServiceAccountId(), accountID)
	is.Equal(made.Key.KeyAlgorithm, pb.Key_RSA_2048)
	is.True(strings.HasPrefix(made.PrivateKey, "PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <"+made.Key.Id+">\n-----BEGIN PRIVATE KEY-----\n"))
	is.True(strings.HasPrefix(made.Key.PublicKey, "-----BEGIN PUBLIC KEY-----\n"))
	mine, err := h.keys.Create(dev(t), &pb.CreateKeyRequest{KeyAlgorithm: pb.Key_RSA_4096}) // the caller's own
	is.NoErr(err)
	is.Equal(mine.Key.GetUserAccountId(), userID)
	is.Equal(mine.Key.KeyAlgorithm, pb.Key_RSA_4096)

	h = open(t, j, nil)
	got, err := h.keys.Get(dev(t), &pb.GetKeyRequest{KeyId: made.Key.Id})
	is.NoErr(err)
	is.True(proto.Equal(got, made.Key))
	list, err := h.keys.List(dev(t), &pb.ListKeysRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	is.Equal(len(list.Keys), 1)
	list, err = h.keys.List(dev(t), &pb.ListKeysRequest{})
	is.NoErr(err)
	is.Equal(list.Keys[0].Id, mine.Key.Id)
	values, err := j.Values(t.Context(), "resource.key")
	is.NoErr(err)
	for _, v := range values {
		is.True(!strings.Contains(string(v), "PRIVATE")) // it is not kept
	}

	_, updated := done(t, &pb.UpdateKeyMetadata{}, &pb.Key{})(h.keys.Update(dev(t), &pb.UpdateKeyRequest{KeyId: made.Key.Id, UpdateMask: description(), Description: "two"}))
	is.Equal(updated.Description, "two")
	ops, err := h.keys.ListOperations(dev(t), &pb.ListKeyOperationsRequest{KeyId: made.Key.Id})
	is.NoErr(err)
	is.Equal(len(ops.Operations), 1)
	m, _ := done(t, &pb.DeleteKeyMetadata{}, &emptypb.Empty{})(h.keys.Delete(dev(t), &pb.DeleteKeyRequest{KeyId: made.Key.Id}))
	is.Equal(m.KeyId, made.Key.Id)
	_, err = h.keys.Get(dev(t), &pb.GetKeyRequest{KeyId: made.Key.Id})
	wants(t, err, codes.NotFound, "Key "+made.Key.Id)
	_, err = h.keys.Create(dev(t), &pb.CreateKeyRequest{ServiceAccountId: "ajenone"})
	wants(t, err, codes.NotFound, "ajenone")
}

func TestAPIKeys(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, strict)
	made, err := h.apiKeys.Create(dev(t), &pb.CreateApiKeyRequest{ServiceAccountId: accountID, Scopes: []string{"yc.serverless.functions.invoke"},
		ExpiresAt: timestamppb.New(noon.Add(time.Hour))})
	is.NoErr(err)
	is.True(regexp.MustCompile(`^AQVN[A-Za-z0-9_-]{36}$`).MatchString(made.Secret))
	is.True(regexp.MustCompile(`^\*{4}[a-zA-Z0-9_]{6}$`).MatchString(made.ApiKey.MaskedSecret)) // the proto's words
	is.Equal(made.ApiKey.Scopes, []string{"yc.serverless.functions.invoke"})
	values, err := j.Values(t.Context(), "resource.api-key")
	is.NoErr(err)
	for _, v := range values {
		is.True(!strings.Contains(string(v), made.Secret))
	}

	h = open(t, j, strict)
	who, err := h.Caller("Api-Key " + made.Secret)
	is.NoErr(err)
	is.Equal(who, resource.Caller{ID: accountID, Type: "serviceAccount"})
	own, err := h.apiKeys.List(as(t, "Api-Key "+made.Secret), &pb.ListApiKeysRequest{}) // the caller's own
	is.NoErr(err)
	is.True(proto.Equal(own.ApiKeys[0], made.ApiKey))
	_, err = h.Caller("Api-Key AQVNnone")
	wants(t, err, codes.Unauthenticated, "Unknown api key")
	h.clock.Advance(time.Hour)
	_, err = h.Caller("Api-Key " + made.Secret)
	wants(t, err, codes.Unauthenticated, "The API key has expired")

	_, updated := done(t, &pb.UpdateApiKeyMetadata{}, &pb.ApiKey{})(h.apiKeys.Update(dev(t), &pb.UpdateApiKeyRequest{ApiKeyId: made.ApiKey.Id,
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"expires_at"}}, Description: "ignored"}))
	is.True(updated.ExpiresAt == nil)
	is.Equal(updated.Description, "")
	_, err = h.Caller("Api-Key " + made.Secret)
	is.NoErr(err)
	got, err := h.apiKeys.Get(dev(t), &pb.GetApiKeyRequest{ApiKeyId: made.ApiKey.Id})
	is.NoErr(err)
	is.True(proto.Equal(got, updated))
	ops, err := h.apiKeys.ListOperations(dev(t), &pb.ListApiKeyOperationsRequest{ApiKeyId: made.ApiKey.Id})
	is.NoErr(err)
	is.Equal(len(ops.Operations), 1)

	done(t, &pb.DeleteApiKeyMetadata{}, &emptypb.Empty{})(h.apiKeys.Delete(dev(t), &pb.DeleteApiKeyRequest{ApiKeyId: made.ApiKey.Id}))
	_, err = h.Caller("Api-Key " + made.Secret)
	wants(t, err, codes.Unauthenticated, "Unknown api key")
	_, err = open(t, j, strict).apiKeys.Get(dev(t), &pb.GetApiKeyRequest{ApiKeyId: made.ApiKey.Id})
	wants(t, err, codes.NotFound, "Api key")
	_, err = h.apiKeys.Create(dev(t), &pb.CreateApiKeyRequest{}) // a user has none
	wants(t, err, codes.InvalidArgument, "service_account_id")
}

func TestStaticAccessKeys(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, nil)
	made, err := h.accessKeys.Create(dev(t), &aws.CreateAccessKeyRequest{ServiceAccountId: accountID, Description: "one"})
	is.NoErr(err)
	is.True(regexp.MustCompile(`^YC[A-Za-z0-9_-]{23}$`).MatchString(made.AccessKey.KeyId))
	is.True(regexp.MustCompile(`^YC[A-Za-z0-9_-]{38}$`).MatchString(made.Secret))
	h = open(t, j, nil)
	got, err := h.accessKeys.Get(dev(t), &aws.GetAccessKeyRequest{AccessKeyId: made.AccessKey.Id})
	is.NoErr(err)
	is.True(proto.Equal(got, made.AccessKey))
	list, err := h.accessKeys.List(dev(t), &aws.ListAccessKeysRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	is.Equal(len(list.AccessKeys), 1)
	_, updated := done(t, &aws.UpdateAccessKeyMetadata{}, &aws.AccessKey{})(h.accessKeys.Update(dev(t),
		&aws.UpdateAccessKeyRequest{AccessKeyId: made.AccessKey.Id, UpdateMask: description(), Description: "two"}))
	is.Equal(updated.Description, "two")
	ops, err := h.accessKeys.ListOperations(dev(t), &aws.ListAccessKeyOperationsRequest{AccessKeyId: made.AccessKey.Id})
	is.NoErr(err)
	is.Equal(len(ops.Operations), 1)
	m, _ := done(t, &aws.DeleteAccessKeyMetadata{}, &emptypb.Empty{})(h.accessKeys.Delete(dev(t), &aws.DeleteAccessKeyRequest{AccessKeyId: made.AccessKey.Id}))
	is.Equal(m.AccessKeyId, made.AccessKey.Id)
	_, err = h.accessKeys.Get(dev(t), &aws.GetAccessKeyRequest{AccessKeyId: made.AccessKey.Id})
	wants(t, err, codes.NotFound, "Access key")
	_, err = h.accessKeys.List(dev(t), &aws.ListAccessKeysRequest{})
	wants(t, err, codes.InvalidArgument, "service_account_id")
}

func TestKeysGoWithTheirAccount(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, strict)
	a := create(t, h, "robot")
	key, err := h.keys.Create(dev(t), &pb.CreateKeyRequest{ServiceAccountId: a.Id})
	is.NoErr(err)
	apiKey, err := h.apiKeys.Create(dev(t), &pb.CreateApiKeyRequest{ServiceAccountId: a.Id})
	is.NoErr(err)
	accessKey, err := h.accessKeys.Create(dev(t), &aws.CreateAccessKeyRequest{ServiceAccountId: a.Id})
	is.NoErr(err)
	token, _, err := h.TokenFor(a.Id)
	is.NoErr(err)
	its := &access.AccessBinding{RoleId: "viewer", Subject: &access.Subject{Id: a.Id, Type: "serviceAccount"}}
	everybodys := &access.AccessBinding{RoleId: "viewer", Subject: &access.Subject{Id: "allUsers", Type: "system"}}
	is.NoErr(h.bindings.Set(t.Context(), otherID, []*access.AccessBinding{its, everybodys}))
	_, err = h.accounts.Delete(dev(t), &pb.DeleteServiceAccountRequest{ServiceAccountId: a.Id})
	is.NoErr(err)
	for range 2 {
		is.Equal(len(h.bindings.Of(otherID)), 1)
		is.True(proto.Equal(h.bindings.Of(otherID)[0], everybodys))
		_, err = h.keys.Get(dev(t), &pb.GetKeyRequest{KeyId: key.Key.Id})
		wants(t, err, codes.NotFound, "")
		_, err = h.apiKeys.Get(dev(t), &pb.GetApiKeyRequest{ApiKeyId: apiKey.ApiKey.Id})
		wants(t, err, codes.NotFound, "")
		_, err = h.accessKeys.Get(dev(t), &aws.GetAccessKeyRequest{AccessKeyId: accessKey.AccessKey.Id})
		wants(t, err, codes.NotFound, "")
		_, err = h.Caller("Bearer " + token)
		wants(t, err, codes.Unauthenticated, "does not exist")
		_, err = h.Caller("Api-Key " + apiKey.Secret)
		wants(t, err, codes.Unauthenticated, "Unknown api key")
		h = open(t, j, strict)
	}
	_, _, err = h.TokenFor(a.Id)
	is.True(err != nil)
	_, _, err = open(t, j, nil).TokenFor(a.Id) // functions may name accounts of the real cloud
	is.NoErr(err)
}
