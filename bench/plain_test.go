package main

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestServePlain(t *testing.T) {
	is := is.New(t)
	in, end := io.Pipe()
	out, said := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- servePlain(in, said) }()
	lines := bufio.NewScanner(out)
	is.True(lines.Scan())
	client := &http.Client{Transport: &http.Transport{}}
	r, err := client.Post("http://"+lines.Text(), "application/json", strings.NewReader(`{"a":1}`))
	is.NoErr(err)
	body, err := io.ReadAll(r.Body)
	is.NoErr(err)
	is.NoErr(r.Body.Close())
	is.Equal(string(body), `{"a":1}`)
	client.CloseIdleConnections()
	is.NoErr(end.Close())
	is.NoErr(<-served)
}
