// Command connect is the function of the route $connect. A client opens a connection.
package main

import (
	"log"

	"github.com/regcast/regcast/functions/aws"
	"github.com/regcast/regcast/functions/socket"
)

func main() { log.Fatal(aws.ServeSocket((*socket.Handler).Connect)) }
