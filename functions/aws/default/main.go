// Command default is the function of the route $default. A client says something.
package main

import (
	"log"

	"github.com/regcast/regcast/functions/aws"
	"github.com/regcast/regcast/functions/socket"
)

func main() { log.Fatal(aws.ServeSocket((*socket.Handler).Message)) }
