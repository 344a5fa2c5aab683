// A function that runs errands.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/regcast/regcast/emulator/testdata/errand"
)

func main() { lambda.Start(errand.Run) }
