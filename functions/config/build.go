package config

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/regcast/regcast/functions/broadcast"
	"github.com/regcast/regcast/functions/gateway"
	"github.com/regcast/regcast/functions/socket"
	"github.com/regcast/regcast/functions/store"
	"github.com/regcast/regcast/functions/token"
)

// The SDK's config package would find the same credentials in the same variables, among ten other places that no function has, for
// 1.8 MB of binary: docs/adr/0014-signed-posts.md.
func (c *Config) credentials() aws.CredentialsProvider {
	if c.AccessKeyID == "" {
		return nil
	}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Source: "environment"}, nil
	})
}

func (c *Config) token() func(context.Context) (string, error) {
	if c.Token != "" {
		return token.Static(c.Token)
	}
	return token.NewMetadata(c.MetadataAddr, nil, nil).Token
}

func (c *Config) store(transport http.RoundTripper, iam func(context.Context) (string, error)) *store.Store {
	return store.New(store.Options{Table: c.Table, Endpoint: c.TableEndpoint, Region: c.Region, Credentials: c.credentials(), Token: iam,
		Transport: transport, TTL: c.TTL.D})
}

// Sockets makes the handler of connect, disconnect and default.
func (c *Config) Sockets(log *slog.Logger, requestID func(context.Context) string) *socket.Handler {
	return socket.New(socket.Options{Store: c.store(gateway.Transport(8), c.token()), Log: log, RequestID: requestID})
}

// Broadcast makes the handler of batches.
func (c *Config) Broadcast(log *slog.Logger, requestID func(context.Context) string) (*broadcast.Broadcast, error) {
	transport, iam := gateway.Transport(c.Concurrency.N), c.token()
	var posts broadcast.Gateway
	var err error
	if c.cloud == AWS {
		posts, err = gateway.NewAWS(gateway.AWSOptions{Endpoint: c.Endpoint, Region: c.Region, Credentials: c.credentials(), Transport: transport})
	} else {
		posts, err = gateway.NewYandex(gateway.YandexOptions{Endpoint: c.Endpoint, Token: iam, Transport: transport})
	}
	if err != nil {
		return nil, err
	}
	return broadcast.New(broadcast.Options{Store: c.store(transport, iam), Gateway: posts, Format: broadcast.Format(c.Format),
		Concurrency: c.Concurrency.N, Attempts: c.Attempts.N, Timeout: c.Timeout.D, Margin: c.Margin.D, Log: log, RequestID: requestID}), nil
}
