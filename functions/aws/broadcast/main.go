// Command broadcast is the function that takes registry events, from EventBridge or through a queue, and posts them to connections.
package main

import (
	"log"

	"github.com/regcast/regcast/functions/aws"
)

func main() { log.Fatal(aws.ServeBroadcast()) }
