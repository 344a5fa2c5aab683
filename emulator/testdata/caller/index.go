// Package main is a function of Yandex Cloud that calls the cloud's own APIs. It knows nothing of regcast: the same code would run in
// the cloud.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
)

// Order is what to do.
type Order struct {
	Do         string `json:"do"`
	Connection string `json:"connection"`
	Text       string `json:"text"`
}

// Result is what came of it.
type Result struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}

const (
	itself = "169.254.169.254"
	path   = "/computeMetadata/v1/instance/service-accounts/default/token"
)

// Handler does what it is told.
func Handler(ctx context.Context, order *Order) (*Result, error) {
	// SDKs for Go have a transport of their own here, which knows no proxies.
	bare := &http.Client{Transport: &http.Transport{}}
	defer bare.CloseIdleConnections()
	address := cmp.Or(os.Getenv("YC_METADATA_ADDR"), itself)
	switch order.Do {
	case "identity":
		return ask(ctx, bare, "http://"+address+path)
	case "identity by the cloud's own address":
		return ask(ctx, http.DefaultClient, "http://"+itself+path)
	}
	got, err := ask(ctx, bare, "http://"+address+path)
	if err != nil {
		return nil, err
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.Body), &token); err != nil {
		return nil, fmt.Errorf("metadata: %d %s: %w", got.Status, got.Body, err)
	}
	switch authorization := "Bearer " + token.AccessToken; order.Do {
	case "send":
		return send(metadata.AppendToOutgoingContext(ctx, "authorization", authorization), order)
	case "post":
		return post(ctx, authorization, order)
	}
	return nil, fmt.Errorf("nothing to do: %s", order.Do)
}

func ask(ctx context.Context, c *http.Client, url string) (*Result, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Metadata-Flavor", "Google")
	return do(c, r)
}

func do(c *http.Client, r *http.Request) (*Result, error) {
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return &Result{res.StatusCode, string(body)}, err
}

// send asks the cloud where its ConnectionService is, and sends there by gRPC.
func send(ctx context.Context, order *Order) (*Result, error) {
	cloud, err := dial("api.cloud.yandex.net:443")
	if err != nil {
		return nil, err
	}
	defer cloud.Close()
	there, err := endpoint.NewApiEndpointServiceClient(cloud).Get(ctx, &endpoint.GetApiEndpointRequest{ApiEndpointId: "apigateway-connections"})
	if err != nil {
		return nil, fmt.Errorf("endpoints: %w", err)
	}
	connections, err := dial(there.Address)
	if err != nil {
		return nil, err
	}
	defer connections.Close()
	_, err = websocket.NewConnectionServiceClient(connections).Send(ctx, &websocket.SendToConnectionRequest{
		ConnectionId: order.Connection, Data: []byte(order.Text), Type: websocket.SendToConnectionRequest_TEXT,
	})
	return &Result{Body: there.Address}, err
}

func dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(nil)))
}

// post sends by REST.
func post(ctx context.Context, authorization string, order *Order) (*Result, error) {
	body, err := json.Marshal(map[string]string{"type": "TEXT", "data": base64.StdEncoding.EncodeToString([]byte(order.Text))})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost,
		"https://apigateway-connections.api.cloud.yandex.net/apigateways/websocket/v1/connections/"+order.Connection+":send", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", authorization)
	return do(http.DefaultClient, r)
}
