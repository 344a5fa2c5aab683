// Package foreign reads events that others have recorded: webhooks' bodies, queues' payloads, exports of logs.
//
// What is read is text with JSON anywhere in it: one value or many, a list, lines, pretty-printed or not, with or without something
// before it on its line, as it is or compressed with gzip. Inside, whatever can carry an event is opened: SQS, SNS, logs, CloudEvents,
// strings of JSON, base64. What an event is, is told by its own shape:
//
//   - an event of ECR as EventBridge delivers it,
//   - a message of a Yandex Container Registry trigger,
//   - a notification of the distribution registry (also as Azure sends it),
//   - a line of regcast's own journal.
//
// Everything else is an Item too, with the reason why it is not read: nothing is lost in silence.
package foreign

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/regcast/regcast/recording"
)

// Options say how to read. The zero value works.
type Options struct {
	// Registry is the registry of events that name none, as distribution's do. Empty: it stays empty, for the reader to fill in.
	Registry string
	// MaxValue bounds the bytes of one event with all that it is wrapped in, but for the lists that are streamed: see Read. What is larger
	// is skipped. Zero: 8 MiB.
	MaxValue int
}

// Place is where in the file something begins.
type Place struct {
	Line int    `json:"line"`           // from 1
	Path string `json:"path,omitempty"` // in the JSON that begins there: "[3].Records[0].body"; empty: the whole of it
}

// String spells p for people.
func (p Place) String() string {
	if p.Path == "" {
		return fmt.Sprintf("line %d", p.Line)
	}
	return fmt.Sprintf("line %d, %s", p.Line, p.Path)
}

// Item is one thing that was found: a record, or what was skipped.
type Item struct {
	Place
	// What was recognised, from the inside out: "ECR event in an SQS record in a CloudWatch log line". Empty when nothing was.
	What string `json:"what,omitempty"`
	// Recorded has a Record, unless Skipped says why there is none. The events in it are those that the file has, as they are worded
	// there and with their ids; the other cloud's are for the publisher to word from the changes. At is when the event says it happened,
	// or the log; zero when nothing in the file says.
	Recorded recording.Line `json:"recorded,omitzero"`
	// And are the places of further events that the same request caused, which are in the same record.
	And []Place `json:"and,omitempty"`
	// Skipped says why there is no record.
	Skipped string `json:"skipped,omitempty"`
}

// ErrEncoding is what Read says of text that is not UTF-8 from its first bytes on.
var ErrEncoding = errors.New("foreign: the file is UTF-16, as PowerShell's > writes it: write it as UTF-8 (| Out-File -Encoding utf8)")

// Read reads r to its end. An error ends it and is of r, or ErrEncoding: what r holds is never an error, but an Item with Skipped.
//
// Order is the file's. Events that one request caused, as CreateImage and CreateImageTag of a push, become one record where they
// stand close together: see join. An event whose id was among the last 65,536 is skipped as one that was told again, as logs and
// queues do.
//
// Memory does not grow with r: lists are streamed, at the top and wherever the known wrappings have them (Records, messages, events,
// …). What tells whether a pushed image is new is bounded too: see index.
func Read(r io.Reader, o Options) iter.Seq2[Item, error] {
	if o.MaxValue <= 0 {
		o.MaxValue = 8 << 20
	}
	return func(yield func(Item, error) bool) {
		plain, err := unpacked(r)
		if err != nil {
			yield(Item{}, err)
			return
		}
		w := &walk{options: o, index: newIndex(), seen: newSeen()}
		w.out.yield = func(i Item) bool { return yield(i, nil) }
		s := newSource(plain)
		w.text(s, spot{})
		w.out.flush()
		if s.err != io.EOF && !w.out.stopped {
			yield(Item{}, fmt.Errorf("foreign: line %d: %w", s.line, s.err))
		}
	}
}

// head is how much of a file tells what it is. A recording's header says it near its start, but anybody may have sorted its keys.
const head = 64 << 10

// Recognise tells a recording, or lines of regcast's journal without a header, from what is for Read, by its beginning. rest is all of
// r again.
func Recognise(r io.Reader) (isRecording bool, rest io.Reader, err error) {
	first := make([]byte, head)
	n, err := io.ReadFull(r, first)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	if err != nil {
		return false, nil, fmt.Errorf("foreign: %w", err)
	}
	first = first[:n]
	rest = io.MultiReader(bytes.NewReader(first), r)
	if bytes.HasPrefix(first, []byte("\x28\xb5\x2f\xfd")) { // zstd, which only recordings are
		return true, rest, nil
	}
	line, _, whole := bytes.Cut(bytes.TrimLeft(first, " \t\r\n\ufeff"), []byte("\n"))
	switch {
	case !bytes.HasPrefix(line, []byte("{")):
		return false, rest, nil
	case bytes.Contains(line, []byte(`"`+recording.Format+`"`)):
		return true, rest, nil
	case !whole && len(first) == head: // a line of the journal may be longer than that
		return bytes.HasPrefix(line, []byte(`{"seq":`)), rest, nil
	}
	var l recording.Line
	return json.Unmarshal(line, &l) == nil && l.Kind() != "" && !l.At.IsZero(), rest, nil
}

// unpacked takes gzip and a byte order mark away.
func unpacked(r io.Reader) (io.Reader, error) {
	var mark [3]byte
	n, err := io.ReadFull(r, mark[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("foreign: %w", err)
	}
	first := string(mark[:n])
	switch whole := io.MultiReader(strings.NewReader(first), r); {
	case strings.HasPrefix(first, "\x1f\x8b"):
		z, err := gzip.NewReader(whole)
		if err != nil {
			return nil, fmt.Errorf("foreign: %w", err)
		}
		return z, nil
	case strings.HasPrefix(first, "\xff\xfe"), strings.HasPrefix(first, "\xfe\xff"):
		return nil, ErrEncoding
	case first == "\ufeff":
		return r, nil
	default:
		return whole, nil
	}
}
