package main

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

const (
	created = "HTTP/1.1 201 Created\r\nlocation: /v2/a\r\nContent-Length: 5\r\n\r\nhello"
	chunked = "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"
)

func TestParseAnswer(t *testing.T) {
	is := is.New(t)
	a, n, err := parseAnswer([]byte(created + "HTTP/1.1 202 "))
	is.NoErr(err)
	is.Equal(n, len(created)) // the next answer is left alone
	is.Equal(a.status, 201)
	is.Equal(string(a.body), "hello")
	is.Equal(string(a.field("Location")), "/v2/a")
	is.Equal(a.field("Loc"), nil)
	is.NoErr(a.want(201))
	is.Equal(a.want(202).Error(), "answer: got 201 hello, want 202")
}

func TestParseAnswerInChunks(t *testing.T) {
	is := is.New(t)
	a, n, err := parseAnswer([]byte(chunked + "HTTP"))
	is.NoErr(err)
	is.Equal(n, len(chunked))
	is.Equal(string(a.body), "hello world")
}

func TestParseAnswerWaitsForAllOfIt(t *testing.T) {
	for _, wire := range []string{created, chunked} {
		for i := range len(wire) {
			_, n, err := parseAnswer([]byte(wire[:i]))
			if n != 0 || err != nil {
				t.Fatalf("after %q: got %d %v, want to wait", wire[:i], n, err)
			}
		}
	}
}

func TestParseAnswerRefuses(t *testing.T) {
	for _, wire := range []string{
		"SSH-2.0-OpenSSH\r\n\r\n",
		"HTTP/1.1 2x1 Created\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
	} {
		if a, n, err := parseAnswer([]byte(wire)); err == nil {
			t.Errorf("%q: got %v %d, want an error", wire, a, n)
		}
	}
}

func TestParseAnswerWithoutBody(t *testing.T) {
	is := is.New(t)
	const wire = "HTTP/1.1 204 No Content\r\nDate: today\r\n\r\n"
	_, n, err := parseAnswer([]byte(wire))
	is.NoErr(err)
	is.Equal(n, len(wire))
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(created))
	f.Add([]byte(chunked))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"))
	f.Add([]byte(strings.Repeat("\r\n", 4)))
	f.Fuzz(func(t *testing.T, wire []byte) {
		a, n, err := parseAnswer(wire)
		if n < 0 || n > len(wire) || err != nil && n != 0 || n > 0 && len(a.header)+2+len(a.body) > n {
			t.Fatalf("got %d of %d bytes, header %d, body %d, %v", n, len(wire), len(a.header), len(a.body), err)
		}
	})
}
