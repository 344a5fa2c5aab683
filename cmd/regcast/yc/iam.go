package yc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	iam "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	_ "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility" // its descriptors
)

func serviceAccounts() resource {
	return resource{
		noun: "service account", service: "yandex.cloud.iam.v1.ServiceAccountService", id: "service_account_id",
		columns: []column{
			{title: "ID", path: "id"}, {title: "NAME", path: "name"}, {title: "LABELS", path: "labels"}, {title: "CREATED AT", path: "created_at"},
			{title: "LAST AUTHENTICATED AT", path: "last_authenticated_at"},
		},
	}
}

func accessKeys() resource {
	return resource{
		noun: "access key", service: "yandex.cloud.iam.v1.awscompatibility.AccessKeyService", id: "access_key_id", unnamed: true, parent: "-",
		columns: []column{{title: "ID", path: "id"}, {title: "SERVICE ACCOUNT ID", path: "service_account_id"}, {title: "KEY ID", path: "key_id"}},
	}
}

func authorizedKeys() resource {
	return resource{
		noun: "key", service: "yandex.cloud.iam.v1.KeyService", id: "key_id", unnamed: true, parent: "-",
		columns: []column{
			{title: "ID", path: "id"}, {title: "SUBJECT", path: "service_account_id"}, {title: "ALGORITHM", path: "key_algorithm"},
			{title: "CREATED AT", path: "created_at"},
		},
	}
}

func (s *session) iam() *cobra.Command {
	return group("iam", "Service accounts, keys and tokens", s.serviceAccount(), s.accessKey(), s.key(), s.createToken())
}

func (s *session) serviceAccount() *cobra.Command {
	r := serviceAccounts()
	c := group("service-account", "Manage service accounts",
		s.create(r.method("Create"), action{use: "create", short: "Create a service account", fields: describedFields()}),
		s.update(r, action{use: "update", short: "Update a service account",
			fields: append([]field{{flag: "new-name", path: "name", use: "new name"}}, describedFields()...)}),
		s.list(r), s.get(r), s.remove(r), s.listOperations(r))
	c.AddCommand(s.labels(r)...)
	c.AddCommand(s.bindings(r)...)
	c.Aliases = []string{"sa"}
	return c
}

// ofAccount ties a key to its service account.
func ofAccount() field {
	return field{flag: "service-account-id", path: "service_account_id", use: "service account", of: serviceAccounts}
}

func (s *session) accessKey() *cobra.Command {
	r := accessKeys()
	description := field{flag: "description", path: "description", use: "description"}
	return group("access-key", "Manage static keys, for what speaks AWS's protocols",
		s.create(r.method("Create"), action{use: "create", short: "Create a key; its secret is shown only now", fields: []field{ofAccount(), description}}),
		s.list(r, ofAccount()), s.get(r), s.remove(r))
}

func (s *session) key() *cobra.Command {
	r := authorizedKeys()
	return group("key", "Manage authorized keys", s.createKey(r), s.list(r, ofAccount()), s.get(r), s.remove(r))
}

// keyFile is the file that the cloud's SDKs and its Terraform provider read.
type keyFile struct {
	ID               string `json:"id"`
	ServiceAccountID string `json:"service_account_id"`
	CreatedAt        string `json:"created_at"`
	KeyAlgorithm     string `json:"key_algorithm"`
	PublicKey        string `json:"public_key"`
	PrivateKey       string `json:"private_key"`
}

func (s *session) createKey(r resource) *cobra.Command {
	d := describe(r.method("Create"))
	c := &cobra.Command{Use: "create", Short: "Create an authorized key and write its file", Args: cobra.NoArgs}
	flags := settings(c, d.Input(), []field{
		ofAccount(),
		{flag: "description", path: "description", use: "description"},
		{flag: "algorithm", path: "key_algorithm", use: "rsa-2048 or rsa-4096"},
	})
	out := c.Flags().StringP("output", "o", "", "`FILE` to write the key to")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *out == "" {
			return errors.New("--output is missing: the private key is shown only once, so say where it is written to")
		}
		req := fresh(d.Input())
		if _, err := s.fill(c.Context(), req, flags); err != nil {
			return err
		}
		res, err := s.call(c.Context(), r.method("Create"), req.Interface())
		if err != nil {
			return err
		}
		made := res.(*iam.CreateKeyResponse)
		key := made.GetKey()
		b, err := json.MarshalIndent(keyFile{
			ID: key.GetId(), ServiceAccountID: key.GetServiceAccountId(), CreatedAt: key.GetCreatedAt().AsTime().Format(time.RFC3339Nano),
			KeyAlgorithm: key.GetKeyAlgorithm().String(), PublicKey: key.GetPublicKey(), PrivateKey: made.GetPrivateKey(),
		}, "", "  ")
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}
		if err := os.WriteFile(*out, append(b, '\n'), 0o600); err != nil {
			return fmt.Errorf("--output: %w", err)
		}
		shown := key.ProtoReflect()
		shown.Clear(shown.Descriptor().Fields().ByName("public_key")) // it is in the file
		return s.print(key)
	}
	return c
}

// createToken prints an IAM token. A loopback endpoint issues one for the asking; at the cloud it is the one in use.
func (s *session) createToken() *cobra.Command {
	return &cobra.Command{Use: "create-token", Short: "Print an IAM token", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		token, err := s.issue(c.Context())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.Stdout, token)
		return err
	}}
}

func (s *session) issue(ctx context.Context) (string, error) {
	token, err := s.iamToken(ctx)
	if err != nil || token != localToken {
		return token, err
	}
	res, err := s.call(ctx, createToken, &iam.CreateIamTokenRequest{
		Identity: &iam.CreateIamTokenRequest_YandexPassportOauthToken{YandexPassportOauthToken: localOAuth},
	})
	if err != nil {
		return "", err
	}
	return res.(*iam.CreateIamTokenResponse).GetIamToken(), nil
}
