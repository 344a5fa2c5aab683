package emulator_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	words "github.com/regcast/regcast/events/yandex"
)

func TestTwoHundredInvocationsAtOnce(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, "  Echo: {Type: AWS::Serverless::Function, Properties: {FunctionName: echo, Environment: {Variables: {DO: echo}}}}\n")
	api := lambdaapi.NewFromConfig(user(t, em), func(o *lambdaapi.Options) { o.RetryMaxAttempts = 1 }) // so that no error is hidden
	const many = 200
	failed := make(chan error, many)
	begin := make(chan struct{})
	for n := range many {
		go func() {
			<-begin
			payload := fmt.Sprintf(`{"n":%d}`, n)
			got, err := api.Invoke(t.Context(), &lambdaapi.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(payload)})
			if err == nil && (got.FunctionError != nil || string(got.Payload) != payload) {
				err = fmt.Errorf("%s: got %s", payload, got.Payload)
			}
			failed <- err
		}()
	}
	close(begin)
	for range many {
		is.NoErr(<-failed)
	}
	em.Flush()
	info := em.Functions()[0]
	is.Equal(info.Invocations, uint64(many))
	is.Equal(info.Errors, uint64(0))
	is.Equal(info.Throttled, uint64(0))
	is.Equal(info.InFlight, 0)
}

// They are all at work at the same time: each of them waits for the last.
func TestTwoHundredHandlersAtWork(t *testing.T) {
	is := is.New(t)
	const many = 200
	var arrived sync.WaitGroup
	arrived.Add(many)
	meet := function(func(_ context.Context, payload []byte) ([]byte, error) {
		arrived.Done()
		arrived.Wait()
		return payload, nil
	})
	em, _ := stack(t, "  Meet: {Type: AWS::Serverless::Function, Properties: {FunctionName: meet}}\n", func(cfg *emulator.Config) {
		cfg.Functions = map[string]emulator.Function{"Meet": meet}
	})
	api := lambdaapi.NewFromConfig(user(t, em))
	failed := make(chan error, many)
	for range many {
		go func() {
			_, err := api.Invoke(t.Context(), &lambdaapi.InvokeInput{FunctionName: aws.String("meet")})
			failed <- err
		}()
	}
	for range many {
		is.NoErr(<-failed)
	}
}

// A hundred clients connect at once, each through the process of $connect, and every one of them gets the push.
func TestAHundredClientsOfTheDeployment(t *testing.T) {
	is := is.New(t)
	em := amazon(t)
	const many = 100
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	clients := make([]*websocket.Conn, many)
	failed := make(chan error, many)
	var all sync.WaitGroup
	for n := range many {
		all.Go(func() {
			var err error
			clients[n], _, err = websocket.Dial(ctx, em.APIs()[0].URLs[0]+"?image=team/*", nil)
			failed <- err
		})
	}
	all.Wait()
	for range many {
		is.NoErr(<-failed)
	}
	is.Equal(len(em.Connections()), many)
	digest := em.Push("team/app:v1")
	for _, client := range clients {
		_, data, err := client.Read(ctx)
		is.NoErr(err)
		batch, err := words.DecodeBatch(data)
		is.NoErr(err)
		is.Equal(len(batch.Messages), 1)
		is.Equal(batch.Messages[0].Details.ImageDigest, digest)
	}
	for n, client := range clients {
		all.Go(func() {
			err := client.Close(websocket.StatusNormalClosure, "")
			if err != nil {
				err = fmt.Errorf("client %d: %w", n, err)
			}
			failed <- err
		})
	}
	all.Wait()
	for range many {
		is.NoErr(<-failed)
	}
}
