// Command capture is the function that keeps registry events, from EventBridge or through a queue, for regcast to replay.
package main

import (
	"log"

	"github.com/regcast/regcast/functions/aws"
)

func main() { log.Fatal(aws.ServeCapture()) }
