package runner

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// unhandled is what Response.FunctionError tells of any failure, as Lambda does today.
const unhandled = "Unhandled"

// invocation is a request on its way. Its environment owns it; api and timer may answer it, the first wins.
type invocation struct {
	Request
	began    time.Time // by Options.Clock; set before anyone can answer
	init     time.Duration
	given    time.Time      // by the machine's clock, as began is
	took     time.Duration  // by the machine's clock, until the answer
	starting time.Duration  // init by the machine's clock
	log      *invocationLog // nil: nobody wants it
	deadline time.Time      // by the machine's clock
	settles  func()         // called before the caller learns of the answer
	once     sync.Once
	answered chan struct{} // closed when response is in
	response Response
	released chan struct{} // closed when runtime and extensions ask for the next
	over     chan struct{} // closed after the REPORT line
	tail     []byte        // set before over

	process bool // it is with a process; set before it can hang
	// Of one that hangs: see pool.hangs.
	mu     sync.Mutex // before the pool's
	rest   func(due time.Time) (resume func())
	resume func()
	hung   bool
	woken  bool // it is answered
}

func newInvocation(q Request) *invocation {
	return &invocation{Request: q, settles: func() {}, answered: make(chan struct{}), released: make(chan struct{}), over: make(chan struct{})}
}

// answer gives the caller its response. Only the first answer counts; it says whether this was it.
func (in *invocation) answer(c clock.Clock, payload []byte, functionError string) (first bool) {
	in.once.Do(func() {
		first = true
		in.response = Response{ID: in.ID, Payload: payload, FunctionError: functionError, Duration: c.Now().Sub(in.began), Init: in.init}
		in.took = time.Since(in.given)
		in.settles()
		close(in.answered)
	})
	return first
}

func (in *invocation) isAnswered() bool {
	select {
	case <-in.answered:
		return true
	default:
		return false
	}
}

// failure is why a process gave no answer of its own, or the one that it gave about its init.
type failure struct {
	kind    string // errorType
	message string // without the request's ID
	payload []byte // when the process worded it
	status  string // "error" or "timeout", for the REPORT line
}

func (f *failure) text(id string) string { return "RequestId: " + id + " Error: " + f.message }

func (f *failure) body(id string) []byte {
	if f.payload != nil {
		return f.payload
	}
	return errorBody(f.kind, f.text(id))
}

func timedOut(limit time.Duration) *failure {
	return &failure{kind: "Sandbox.Timedout", message: fmt.Sprintf("Task timed out after %.2f seconds", limit.Seconds()), status: "timeout"}
}

// closed is what Close leaves those that it cuts off.
func closed() *failure {
	return &failure{kind: "Runtime.Closed", message: "the emulator was closed", status: "error"}
}

// TimedOut is what a function comes to that takes longer than limit.
func TimedOut(id string, limit time.Duration) Response {
	return Response{ID: id, Payload: timedOut(limit).body(id), FunctionError: unhandled, Duration: limit}
}

// crashed is what becomes of an invocation whose process is killed before its answer is in.
func crashed() *failure {
	return &failure{kind: "Runtime.ExitError", message: "Runtime exited with error: signal: killed", status: "error"}
}

// errorDocument is Lambda's error payload.
type errorDocument struct {
	Message string  `json:"errorMessage"`
	Type    string  `json:"errorType"`
	Stack   []frame `json:"stackTrace,omitempty"`
}

type frame struct {
	Path  string `json:"path"`
	Line  int    `json:"line"`
	Label string `json:"label"`
}

func errorBody(kind, message string) []byte {
	body, _ := json.Marshal(errorDocument{Message: message, Type: kind}) // two strings cannot fail
	return body
}

// newID returns a random UUID.
func newID() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
