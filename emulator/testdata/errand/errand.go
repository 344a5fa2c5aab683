// Package errand is what the tests' functions do. It knows nothing of the emulator: the same code would run in the cloud.
package errand

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// NoOrder is an error with a type of its own.
type NoOrder struct{ Number int }

func (n *NoOrder) Error() string { return fmt.Sprintf("no order %d", n.Number) }

// Run does what the variable DO names or, without one, the payload's "do".
func Run(ctx context.Context, payload json.RawMessage) (any, error) {
	var told struct{ Do, URL string }
	if err := json.Unmarshal(payload, &told); err != nil {
		return nil, err
	}
	switch do := cmp.Or(os.Getenv("DO"), told.Do); do {
	case "echo":
		fmt.Println("echoing")
		return payload, nil
	case "log": // for the test to read
		fmt.Printf("got %s\n", payload)
		return nil, nil
	case "fail":
		fmt.Printf("failing %s\n", payload)
		return nil, &NoOrder{7}
	case "panic":
		panic("out of cheese")
	case "exit":
		fmt.Printf("leaving %s\n", payload)
		os.Exit(3)
		return nil, nil
	case "hang":
		fmt.Println("hanging", os.Getpid())
		<-ctx.Done()
		return nil, ctx.Err()
	case "accept":
		return events.APIGatewayProxyResponse{StatusCode: http.StatusOK}, nil
	case "post":
		return post(ctx, payload)
	case "identity":
		return identity(ctx)
	case "get":
		return get(ctx, told.URL)
	case "environment":
		return os.Environ(), nil
	default:
		return nil, errors.New("nothing to do: " + do)
	}
}

// post sends something to whoever sent the event, at the address that is in it.
func post(ctx context.Context, payload []byte) (any, error) {
	var e events.APIGatewayWebsocketProxyRequest
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	client := apigatewaymanagementapi.NewFromConfig(cfg, func(o *apigatewaymanagementapi.Options) {
		o.BaseEndpoint = aws.String("https://" + e.RequestContext.DomainName + "/" + e.RequestContext.Stage)
	})
	_, err = client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{
		ConnectionId: aws.String(e.RequestContext.ConnectionID), Data: []byte("you said " + e.Body),
	})
	return events.APIGatewayProxyResponse{StatusCode: http.StatusOK}, err
}

// identity asks a service that needs no endpoint of its own.
func identity(ctx context.Context) (any, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	return sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
}

func get(ctx context.Context, url string) (any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return map[string]any{"status": res.StatusCode, "body": string(body)}, err
}
