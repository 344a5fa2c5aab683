package runner

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

const (
	maxLine  = 256 << 10 // a longer line of a process is cut, as CloudWatch Logs does
	tailSize = 4 << 10
)

// output is the log of one environment: what its process writes, and Lambda's own lines.
type output struct {
	clock clock.Clock
	emit  func(line []byte)

	mu      sync.Mutex
	partial []byte      // a line without its end
	current *invocation // whose lines they are
	tail    []byte      // of current

	reading sync.Mutex // one reader at a time; before mu
	buffer  []byte     // under reading
}

// Write takes what the process wrote.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		if room := maxLine - len(o.partial); len(line) > room {
			line, rest, whole = p[:room], p[room:], true
		}
		if !whole {
			o.partial = append(o.partial, line...)
			break
		}
		if len(o.partial) > 0 {
			line = append(o.partial, line...)
			o.partial = line[:0]
		}
		o.line(line)
		p = rest
	}
	return n, nil
}

// line puts one line into the log. The caller holds mu.
func (o *output) line(line []byte) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if o.current != nil {
		o.current.log.add(line)
	}
	o.put(line)
}

// put is line for what is not of the invocation itself.
func (o *output) put(line []byte) {
	o.emit(line)
	if o.current == nil || !o.current.Tail {
		return
	}
	o.tail = append(append(o.tail, line...), '\n')
	if cut := len(o.tail) - tailSize; cut > tailSize { // not at every line
		o.tail = append(o.tail[:0], o.tail[cut:]...)
	}
}

// say puts Lambda's own line into the log.
func (o *output) say(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.put(fmt.Appendf(nil, format, args...))
}

// tell puts a line into the log that says what became of the invocation.
func (o *output) tell(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.line(fmt.Appendf(nil, format, args...))
}

// flush ends a line that the process left without its end.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.partial) > 0 {
		o.line(o.partial)
		o.partial = o.partial[:0]
	}
}

// begin makes lines in's own, from START on.
func (o *output) begin(in *invocation, version string) {
	o.mu.Lock()
	o.current, o.tail = in, o.tail[:0]
	o.mu.Unlock()
	o.say("START RequestId: %s Version: %s", in.ID, version)
}

// report is what the REPORT line tells.
type report struct {
	took, init time.Duration
	memory     int      // MB
	used       int64    // bytes; 0: not known
	fail       *failure // nil: the process goes on
}

// end writes what ends an invocation, after all that the process wrote before.
func (o *output) end(in *invocation, r report) {
	o.flush()
	if f := r.fail; f != nil && f.status == "timeout" {
		o.tell("%s %s %s", o.clock.Now().Format("2006-01-02T15:04:05.000Z"), in.ID, f.message)
	} else if f != nil && f.status != "" {
		o.tell("%s", f.text(in.ID))
		o.tell("%s", f.kind)
	}
	o.say("END RequestId: %s", in.ID)
	var b strings.Builder
	fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %s ms\tBilled Duration: %d ms\tMemory Size: %d MB\t", in.ID, millis(r.took), billed(r.took+r.init), r.memory)
	if r.used > 0 {
		fmt.Fprintf(&b, "Max Memory Used: %d MB\t", (r.used+1<<20-1)>>20)
	}
	if r.init > 0 {
		fmt.Fprintf(&b, "Init Duration: %s ms\t", millis(r.init))
	}
	if r.fail != nil && r.fail.status != "" {
		fmt.Fprintf(&b, "Status: %s\t", r.fail.status)
		if r.fail.status == "error" {
			fmt.Fprintf(&b, "Error Type: %s\t", r.fail.kind)
		}
	}
	o.say("%s", b.String())

	o.mu.Lock()
	defer o.mu.Unlock()
	if in.Tail {
		in.tail = bytes.Clone(o.tail[max(0, len(o.tail)-tailSize):])
	}
	o.current = nil
}

// initReport tells of an init phase that failed.
func (o *output) initReport(took time.Duration, phase string, f *failure) {
	o.flush()
	line := fmt.Sprintf("INIT_REPORT Init Duration: %s ms\tPhase: %s\tStatus: %s", millis(took), phase, f.status)
	if f.status == "error" {
		line += "\tError Type: " + f.kind
	}
	o.say("%s", line)
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

// billed is the time that is paid for: begun milliseconds, the init phase included.
func billed(d time.Duration) int64 { return int64(math.Ceil(float64(d) / float64(time.Millisecond))) }
