package wire

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// call is one request on its way, in its context from the first byte on.
type call struct {
	request, trace string
	host           string
	tls            bool
	authorization  string
	key            string // Idempotency-Key

	// A service may still run when its client has gone and the request is over.
	mu     sync.Mutex
	method string
	status *status.Status // nil until a service, or what stands before it, has answered
	panic  string
}

type callKey struct{}

// callOf returns the call of a context that came through ServeHTTP.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

func (c *call) answered(method string, st *status.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.method, c.status = method, st
}

func (c *call) answer() *status.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// ServeHTTP serves gRPC, told by its content type, and REST. gRPC needs HTTP/2, with or without TLS.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := s.options.Clock.Now()
	c := &call{
		request:       r.Header.Get("X-Request-Id"),
		trace:         s.id(),
		host:          r.Host,
		tls:           r.TLS != nil,
		authorization: r.Header.Get("Authorization"),
		key:           r.Header.Get("Idempotency-Key"),
	}
	if !plain(c.request) {
		c.request = uuid(s.id())
	}
	w.Header().Set("X-Request-Id", c.request)
	w.Header().Set("X-Server-Trace-Id", c.trace)
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))

	switch remote := isGRPC(r); {
	case !s.enter():
		c.answered("", c.word(status.Error(codes.Unavailable, "regcast is stopping or has not started yet; try again")))
		if remote {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", strconv.Itoa(int(codes.Unavailable)))
			w.Header().Set("Grpc-Message", c.answer().Message())
			w.WriteHeader(http.StatusOK)
		} else {
			writeError(w, c)
		}
	case remote:
		defer s.leave()
		s.grpc.ServeHTTP(w, r)
	default:
		defer s.leave()
		s.serveREST(w, r, c)
	}
	s.note(c, w, r, begin)
}

// note tells of a call that is over.
func (s *Server) note(c *call, w http.ResponseWriter, r *http.Request, begin time.Time) {
	if s.options.Note == nil {
		return
	}
	c.mu.Lock()
	told := Call{Method: c.method, Request: c.request, Code: c.status.Code(), Message: c.status.Message(), Panic: c.panic}
	reached := c.status != nil
	c.mu.Unlock()
	if told.Method == "" {
		told.Method = r.Method + " " + r.URL.Path
	}
	if !reached && isGRPC(r) {
		// grpc answered without asking us: a message it cannot read, a method it does not know, or a client that has gone.
		told.Method, told.Code, told.Message = r.URL.Path, codes.Canceled, "the client has gone"
		if code, err := strconv.Atoi(w.Header().Get("Grpc-Status")); err == nil {
			told.Code, told.Message = codes.Code(code), w.Header().Get("Grpc-Message")
		}
	}
	told.Duration = s.options.Clock.Now().Sub(begin)
	s.options.Note(told)
}

// Claims says whether a request is for this server: it is gRPC, or its path is, or is below, a collection of a registered service or of
// another one of its package, so that a mistyped verb or id, or what is not emulated, is answered by the API. Call it after Start.
func (s *Server) Claims(r *http.Request) bool {
	if isGRPC(r) {
		return true
	}
	_, claimed := s.collectionOf(r.URL.Path)
	return claimed
}

// collectionOf finds the longest collection that a path is, or is below, and the service that has it, if that is one that is not
// registered.
func (s *Server) collectionOf(path string) (absent string, found bool) {
	for i := min(len(path), s.longest); i > 0; i-- {
		if i < len(path) && path[i] != '/' && path[i] != ':' {
			continue
		}
		if absent, found = s.collections[path[:i]]; found {
			return absent, true
		}
	}
	return "", false
}

// absent names the service that is not registered and has a path: by the path's collection, or by the verb at its end where another
// service has the collection.
func (s *Server) absent(path string) string {
	if absent, _ := s.collectionOf(path); absent != "" {
		return absent
	}
	slash, colon := strings.LastIndexByte(path, '/'), strings.LastIndexByte(path, ':')
	if slash < 0 || colon < slash {
		return ""
	}
	return s.collections[path[:slash]+path[colon:]]
}

func isGRPC(r *http.Request) bool {
	rest, is := strings.CutPrefix(r.Header.Get("Content-Type"), "application/grpc")
	return is && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// id returns 32 random hexadecimal digits.
func (s *Server) id() string {
	var b [16]byte
	s.random.Lock()
	_, err := io.ReadFull(s.options.Random, b[:])
	s.random.Unlock()
	if err != nil {
		panic(fmt.Sprintf("wire: random: %v", err)) // crypto/rand never fails
	}
	return hex.EncodeToString(b[:])
}

// plain says whether a client's request id can be said back to it anywhere.
func plain(id string) bool {
	return id != "" && len(id) <= 256 && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// uuid words 32 hexadecimal digits as a UUID of version 4.
func uuid(h string) string {
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}
