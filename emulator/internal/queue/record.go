package queue

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"
)

// A record begins with its kind and a number. Strings and bytes stand behind their length.
const (
	kindSent   = 's' // a message is there: everything of it
	kindGone   = 'g' // it is not there any more
	kindRested = 'r' // it was received in vain
	kindNumber = 'n' // the last number given, when the file was written anew
)

func appendNumber(b []byte, number uint64) []byte {
	return binary.AppendUvarint(append(b, kindNumber), number)
}

func appendGone(b []byte, number uint64) []byte {
	return binary.AppendUvarint(append(b, kindGone), number)
}

func appendRested(b []byte, e *entry) []byte {
	b = binary.AppendUvarint(append(b, kindRested), e.number)
	b = binary.AppendUvarint(b, uint64(e.Receives))
	b = binary.AppendUvarint(b, stamp(e.until))
	return binary.AppendUvarint(b, stamp(e.FirstReceived))
}

// appendSent does not tell of a receive that is not over: after a restart nobody holds the message.
func appendSent(b []byte, queue string, e *entry) []byte {
	receives, until := e.Receives, e.until
	if e.state == inFlight && !e.rests {
		receives, until = e.Receives-1, time.Time{}
	}
	b = binary.AppendUvarint(append(b, kindSent), e.number)
	b = binary.AppendUvarint(b, uint64(receives))
	b = binary.AppendUvarint(b, stamp(until))
	b = binary.AppendUvarint(b, stamp(e.FirstReceived))
	b = binary.AppendUvarint(b, stamp(e.SentAt))
	for _, s := range []string{queue, e.ID, e.Group, e.Dedup, e.DeadOf, e.Sequence} {
		b = appendString(b, s)
	}
	b = appendString(b, e.Body)
	b = binary.AppendUvarint(b, uint64(len(e.Attributes)))
	for _, name := range slices.Sorted(maps.Keys(e.Attributes)) {
		a := e.Attributes[name]
		b = appendString(appendString(appendString(b, name), a.Type), a.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Events)))
	for _, id := range e.Events {
		b = appendString(b, id)
	}
	return b
}

func appendString[S ~string | ~[]byte](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// record is a record as it is read.
type record struct {
	kind   byte
	number uint64
	queue  string
	entry  *entry
}

var errRecord = errors.New("broken record")

func decode(data []byte) (record, error) {
	if len(data) == 0 {
		return record{}, errRecord
	}
	r := record{kind: data[0], entry: &entry{}}
	in := reader{data: data[1:]}
	r.number = in.uint()
	e := r.entry
	switch r.kind {
	case kindNumber, kindGone:
	case kindRested:
		in.times(e)
	case kindSent:
		e.number = r.number
		in.times(e)
		e.SentAt = unstamp(in.uint())
		r.queue = in.string()
		e.ID, e.Group, e.Dedup, e.DeadOf, e.Sequence = in.string(), in.string(), in.string(), in.string(), in.string()
		e.Body = slices.Clone(in.bytes())
		if n := in.count(); n > 0 {
			e.Attributes = make(map[string]Attribute, n)
			for range n {
				e.Attributes[in.string()] = Attribute{Type: in.string(), Value: slices.Clone(in.bytes())}
			}
		}
		for range in.count() {
			e.Events = append(e.Events, in.string())
		}
		e.size = overhead + int64(weight(&e.Message))
	default:
		return record{}, errRecord
	}
	if in.bad || len(in.data) > 0 {
		return record{}, errRecord
	}
	return r, nil
}

// reader reads what the append functions wrote; after the first thing that is wrong it reads nothing.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

// count is of things that take a byte at least.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.data)) {
		r.bad, r.data = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.count()
	out := r.data[:n:n]
	r.data = r.data[n:]
	return out
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) times(e *entry) {
	e.Receives = int(min(r.uint(), 1<<31-1))
	e.until = unstamp(r.uint())
	e.FirstReceived = unstamp(r.uint())
	e.state = delayed
	if e.Receives > 0 && !e.until.IsZero() {
		e.state, e.rests = inFlight, true
	}
}
