package aws_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
)

const functionARN = "arn:aws:lambda:us-east-1:" + account + ":function:"

// openLambda is Lambda behind a listener, with a client that knows nothing of regcast. Events for functions end in taken.
func openLambda(t *testing.T, invoke func(name string, r runner.Request) (runner.Response, error)) (client *lambda.Client, taken *[]string) {
	t.Helper()
	taken = new([]string)
	two := 2
	server := httptest.NewServer(&aws.Lambda{
		Account: account, Region: "us-east-1",
		Functions: func() []template.Function {
			return []template.Function{{
				LogicalID: "Fn", Name: "f", ARN: functionARN + "f", Runtime: "provided.al2023", Handler: "bootstrap", Memory: 256, Timeout: 5 * time.Second, Architecture: "arm64",
				Env: map[string]string{"A": "1"}, Reserved: &two, DeadLetter: "arn:aws:sqs:us-east-1:" + account + ":dlq",
			}}
		},
		Invoke: func(_ context.Context, name string, r runner.Request) (runner.Response, error) {
			return invoke(name, r)
		},
		InvokeAsync: func(_ context.Context, name string, r runner.Request, _ []string) (string, error) {
			*taken = append(*taken, name+" "+string(r.Payload)+r.ClientContext)
			return "id", nil
		},
	})
	t.Cleanup(server.Close)
	return lambda.NewFromConfig(sdkConfig(), func(o *lambda.Options) { o.BaseEndpoint = sdk.String(server.URL) }), taken
}

func TestLambdaInvoke(t *testing.T) {
	is := is.New(t)
	var asked runner.Request
	c, _ := openLambda(t, func(name string, r runner.Request) (runner.Response, error) {
		asked = r
		return runner.Response{ID: r.ID, Payload: []byte(name + ` says <b>`), Log: []byte("END\n")}, nil
	})
	for _, name := range []string{"Fn", "f", "f:$LATEST", account + ":function:f", functionARN + "f", functionARN + "f:$LATEST"} {
		out, err := c.Invoke(t.Context(), &lambda.InvokeInput{
			FunctionName: sdk.String(name), Payload: []byte(`{"a":1}`), LogType: types.LogTypeTail, ClientContext: sdk.String(base64.StdEncoding.EncodeToString([]byte(`{"c":1}`))),
		})
		is.NoErr(err)
		is.Equal(string(out.Payload), "f says <b>") // as the function wrote it
		is.Equal(out.StatusCode, int32(200))
		is.Equal(*out.ExecutedVersion, "$LATEST")
		is.Equal(*out.LogResult, base64.StdEncoding.EncodeToString([]byte("END\n")))
		is.Equal(out.FunctionError, nil)
		is.Equal(string(asked.Payload), `{"a":1}`)
		is.Equal(asked.ClientContext, `{"c":1}`)
		is.True(asked.Tail)
	}
	out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: sdk.String("f")})
	is.NoErr(err)
	is.Equal(string(asked.Payload), "{}") // no payload is an empty object
	is.Equal(out.LogResult, nil)
}

func TestLambdaFunctionError(t *testing.T) {
	is := is.New(t)
	c, _ := openLambda(t, func(string, runner.Request) (runner.Response, error) {
		return runner.Response{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"no"}`)}, nil
	})
	out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: sdk.String("f")})
	is.NoErr(err) // the call as such went well
	is.Equal(*out.FunctionError, "Unhandled")
	is.Equal(string(out.Payload), `{"errorMessage":"no"}`)
}

func TestLambdaEventAndDryRun(t *testing.T) {
	is := is.New(t)
	c, taken := openLambda(t, func(string, runner.Request) (runner.Response, error) {
		t.Error("nobody waits, so nobody is called")
		return runner.Response{}, nil
	})
	out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: sdk.String("f"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`1`), ClientContext: sdk.String("e30=")})
	is.NoErr(err)
	is.Equal(out.StatusCode, int32(202))
	is.Equal(len(out.Payload), 0)
	id, _ := middleware.GetRequestIDMetadata(out.ResultMetadata)
	is.Equal(id, "id")                // by which the function knows the event
	is.Equal(*taken, []string{"f 1"}) // the client's context goes with synchronous calls alone
	out, err = c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: sdk.String("f"), InvocationType: types.InvocationTypeDryRun})
	is.NoErr(err)
	is.Equal(out.StatusCode, int32(204))
	is.Equal(len(*taken), 1)
}

func TestLambdaErrors(t *testing.T) {
	is := is.New(t)
	c, _ := openLambda(t, func(_ string, r runner.Request) (runner.Response, error) {
		switch string(r.Payload) {
		case `"throttle"`:
			return runner.Response{}, fmt.Errorf("busy: %w", runner.ErrThrottled)
		case `"gone"`:
			return runner.Response{}, runner.ErrNoFunction
		}
		return runner.Response{}, errors.New("broken")
	})
	invoke := func(name, payload string, kind types.InvocationType) error {
		_, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: sdk.String(name), Payload: []byte(payload), InvocationType: kind})
		return err
	}
	var none *types.ResourceNotFoundException
	is.True(errors.As(invoke("nobody", "{}", ""), &none))
	is.Equal(*none.Message, "Function not found: "+functionARN+"nobody")
	is.Equal(*none.Type, "User")
	is.True(errors.As(invoke("f:prod", "{}", ""), &none))
	is.Equal(*none.Message, "Function not found: "+functionARN+"f:prod")
	is.True(errors.As(invoke("210987654321:function:f", "{}", ""), &none)) // another account's
	is.True(errors.As(invoke("f", `"gone"`, ""), &none))

	var throttled *types.TooManyRequestsException
	is.True(errors.As(invoke("f", `"throttle"`, ""), &throttled))
	is.Equal(throttled.Reason, types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded)
	is.Equal(*throttled.Message, "Rate Exceeded.")
	is.True(errors.As(invoke("f", `{"a":`, ""), new(*types.InvalidRequestContentException)))
	is.True(errors.As(invoke("f", `"`+strings.Repeat("x", 6<<20)+`"`, ""), new(*types.RequestTooLargeException)))
	is.True(errors.As(invoke("f", `"`+strings.Repeat("x", 1<<20)+`"`, types.InvocationTypeEvent), new(*types.RequestTooLargeException)))
	is.True(errors.As(invoke("f", `{}`, "Later"), new(*types.InvalidParameterValueException)))
	is.True(errors.As(invoke("f", `{}`, ""), new(*types.ServiceException)))
	_, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: sdk.String("f"), ClientContext: sdk.String("?")})
	is.True(errors.As(err, new(*types.InvalidRequestContentException)))

	_, err = c.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: sdk.String("f")})
	is.True(strings.Contains(err.Error(), "StatusCode: 501"))
	is.True(strings.Contains(err.Error(), "not emulated: lambda DELETE /2015-03-31/functions/f"))
}

func TestLambdaFunctionsAreListed(t *testing.T) {
	is := is.New(t)
	c, _ := openLambda(t, nil)
	all, err := c.ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	is.NoErr(err)
	is.Equal(len(all.Functions), 1)
	one, err := c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: sdk.String("f")})
	is.NoErr(err)
	is.Equal(*one.Concurrency.ReservedConcurrentExecutions, int32(2))
	is.Equal(*one.Configuration, all.Functions[0])
	f, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: sdk.String(functionARN + "f")})
	is.NoErr(err)
	is.Equal(*f.FunctionArn, functionARN+"f")
	is.Equal(*f.MemorySize, int32(256))
	is.Equal(*f.Timeout, int32(5))
	is.Equal(f.Architectures, []types.Architecture{types.ArchitectureArm64})
	is.Equal(f.Environment.Variables, map[string]string{"A": "1"})
	is.Equal(*f.DeadLetterConfig.TargetArn, "arn:aws:sqs:us-east-1:"+account+":dlq")
}
