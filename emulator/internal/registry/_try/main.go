package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"

	"github.com/regcast/regcast/emulator/internal/registry"
)

func main() {
	r, err := registry.New(registry.Options{Dir: os.Args[1], Default: "crp00000000000000000"})
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	http.Handle("/v2/", r)
	panic(http.Serve(l, nil))
}
