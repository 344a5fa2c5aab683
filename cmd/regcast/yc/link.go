package yc

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	iam "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	retryDefault  = 5
	retryForever  = 1000 // attempts; retryLimit ends them
	retryFirst    = 200 * time.Millisecond
	retryLongest  = 5 * time.Second
	retryLimit    = 2 * time.Minute
	answerMaximum = 64 << 20 // bytes; a version's zip is up to 50 MiB
	// Any tokens will do at a regcast, and these with --strict-auth too.
	localToken = "t1.regcast.local"
	localOAuth = "y0_regcast_developer"
)

// links are the connections of a session, one for each address.
type links struct {
	conns     map[string]*grpc.ClientConn
	addresses map[string]string // of the services, by the ids that the endpoint lists
	bearer    string            // the IAM token in use
}

func (l *links) close() {
	for _, c := range l.conns {
		_ = c.Close() // nothing is under way
	}
}

func (s *session) endpoint() string {
	return cmp.Or(s.global.endpoint, s.Getenv("YC_ENDPOINT"), s.Endpoint)
}

func (s *session) checkEndpoint() error {
	from := "--endpoint"
	if s.global.endpoint == "" {
		from = "YC_ENDPOINT"
	}
	_, port, err := net.SplitHostPort(s.endpoint())
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%s %q: want host:port, such as api.cloud.yandex.net:443", from, s.endpoint())
	}
	return nil
}

// local says whether the endpoint is on this machine, and thus a regcast.
func (s *session) local() bool { return loopback(s.endpoint()) }

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// services says which id of the endpoint's list serves a package; the first that fits counts.
func services() [][2]string {
	return [][2]string{
		{"yandex.cloud.iam.", "iam"},
		{"yandex.cloud.operation.", "operation"},
		{"yandex.cloud.resourcemanager.", "resource-manager"},
		{"yandex.cloud.containerregistry.", "container-registry"},
		{"yandex.cloud.serverless.apigateway.websocket.", "apigateway-connections"},
		{"yandex.cloud.serverless.apigateway.", "serverless-apigateway"},
		{"yandex.cloud.serverless.functions.", "serverless-functions"},
		{"yandex.cloud.serverless.triggers.", "serverless-triggers"},
		{"yandex.cloud.serverless.containers.", "serverless-containers"},
		{"yandex.cloud.logging.v1.LogReadingService", "log-reading"},
		{"yandex.cloud.logging.", "logging"},
	}
}

// link returns the connection to a service.
func (s *session) link(ctx context.Context, service string) (*grpc.ClientConn, error) {
	if strings.HasPrefix(service, "yandex.cloud.endpoint.") {
		return s.dial(s.endpoint())
	}
	if s.addresses == nil {
		list, err := s.call(ctx, "yandex.cloud.endpoint.ApiEndpointService.List", &endpoint.ListApiEndpointsRequest{})
		if err != nil {
			return nil, err
		}
		s.addresses = map[string]string{}
		for _, e := range list.(*endpoint.ListApiEndpointsResponse).GetEndpoints() {
			s.addresses[e.GetId()] = e.GetAddress()
		}
	}
	for _, known := range services() {
		if strings.HasPrefix(service, known[0]) {
			address, listed := s.addresses[known[1]]
			if !listed {
				return nil, fmt.Errorf("%s lists no endpoint %q, which %s is at", s.endpoint(), known[1], service)
			}
			return s.dial(address)
		}
	}
	return nil, fmt.Errorf("%s: nothing says which endpoint serves it", service)
}

func (s *session) dial(address string) (*grpc.ClientConn, error) {
	if c := s.conns[address]; c != nil {
		return c, nil
	}
	creds := insecure.NewCredentials()
	if !loopback(address) || s.global.tls {
		config, err := s.tlsConfig()
		if err != nil {
			return nil, err
		}
		creds = credentials.NewTLS(config)
	}
	c, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(creds),
		grpc.WithUserAgent("regcast-yc/"+cmp.Or(s.Version, "devel")),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(answerMaximum), grpc.MaxCallSendMsgSize(answerMaximum)),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(), // it does not count an answer that has headers, such as a request's id, as worth another try
	)
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", address, err)
	}
	if s.conns == nil {
		s.conns = map[string]*grpc.ClientConn{}
	}
	s.conns[address] = c
	return c, nil
}

// attempts is how often a call is tried while the API is unavailable. A regcast that is not there will not come by waiting.
func (s *session) attempts() int {
	switch n := s.global.retry; {
	case !s.global.retryGiven && s.local():
		return 1
	case n < 0:
		return retryForever
	default:
		return max(n, 1)
	}
}

// tlsConfig trusts the system's roots and those of SSL_CERT_FILE. The file is read here, since Go does so on Linux only.
func (s *session) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	file := s.Getenv("SSL_CERT_FILE")
	if file == "" {
		return config, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("SSL_CERT_FILE: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without roots
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("SSL_CERT_FILE: %s has no certificate in PEM", file)
	}
	config.RootCAs = roots
	return config, nil
}

// iamToken is what calls are authorized with.
func (s *session) iamToken(ctx context.Context) (string, error) {
	if s.bearer != "" {
		return s.bearer, nil
	}
	token := cmp.Or(s.global.token, s.Getenv("YC_TOKEN"))
	switch {
	case token == "" && s.local():
		token = localToken
	case token == "":
		return "", errors.New("no token: give --token, or set YC_TOKEN to an IAM token")
	case oauth(token):
		issued, err := s.call(ctx, createToken, &iam.CreateIamTokenRequest{Identity: &iam.CreateIamTokenRequest_YandexPassportOauthToken{YandexPassportOauthToken: token}})
		if err != nil {
			return "", err
		}
		token = issued.(*iam.CreateIamTokenResponse).GetIamToken()
	}
	s.bearer = token
	if account := s.global.impersonate; account != "" {
		issued, err := s.call(ctx, "yandex.cloud.iam.v1.IamTokenService.CreateForServiceAccount",
			&iam.CreateIamTokenForServiceAccountRequest{ServiceAccountId: account})
		if err != nil {
			return "", fmt.Errorf("--impersonate-service-account-id: %w", err)
		}
		s.bearer = issued.(*iam.CreateIamTokenResponse).GetIamToken()
	}
	return s.bearer, nil
}

// oauth tells an OAuth token, which only buys an IAM token, by its beginning.
func oauth(token string) bool {
	for _, begin := range []string{"y0_", "y1_", "AQAA", "AgAA"} {
		if strings.HasPrefix(token, begin) {
			return true
		}
	}
	return false
}
