// Command disconnect is the function of the route $disconnect. A connection was closed.
package main

import (
	"log"

	"github.com/regcast/regcast/functions/aws"
	"github.com/regcast/regcast/functions/socket"
)

func main() { log.Fatal(aws.ServeSocket((*socket.Handler).Disconnect)) }
