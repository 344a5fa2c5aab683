// Command echo is a function that returns what it is given, so that all that an invocation takes is its way there and back.
package main

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, payload json.RawMessage) (json.RawMessage, error) { return payload, nil })
}
