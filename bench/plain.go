package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
)

// servePlain is the server that everything on HTTP is measured against: net/http as it is, which returns what it is given. It says
// its address on out and ends with in.
func servePlain(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	fmt.Fprintln(out, l.Addr())
	_, _ = io.Copy(io.Discard, in) // until the harness is gone or has had enough
	if err := server.Shutdown(context.Background()); err != nil {
		return err
	}
	<-served
	return nil
}
