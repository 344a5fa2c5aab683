// Package journal keeps what happened, in order: append, read, follow.
//
// An entry is a topic and bytes; what the bytes mean is the caller's. There are two engines behind one interface and one test
// suite: Stream, on an embedded NATS JetStream, and Memory, for tests inside testing/synctest, where JetStream cannot run.
package journal

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Topic sorts entries.
type Topic string

// The topics of the house.
const (
	Changes Topic = "change" // a JSON events.Record: what a registry changed, with its events
	Steps   Topic = "step"   // a JSON events.Step: what became of an event
	// These are JSON recording.Lines without Seq.
	Invocations Topic = "invocation"
	Frames      Topic = "frame"
	Sockets     Topic = "socket"
	Kept        Topic = "kept"
	Clock       Topic = "clock" // a JSON recording.Clock with "at": somebody moved the clock
)

// Entry is one line of the journal.
type Entry struct {
	Seq   uint64    // position, from 1, growing; entries that were written together share one
	At    time.Time // when it was handed to the journal, by the machine's clock
	Topic Topic
	Data  []byte // the reader may keep it and must not change it

	// More tells that the next entry has the same Seq.
	More bool
}

// Errors of every engine.
var (
	// ErrClosed is returned by every method after Close, and is the last thing that a Follow yields when the journal ends.
	ErrClosed = errors.New("journal: closed")
	// ErrTooBig is returned for an entry or a value of more than MaxEntry bytes.
	ErrTooBig = errors.New("journal: too big")
	// ErrName is returned for a topic that is not of [a-z0-9-] or a name that is not of [a-z0-9.-], and for an empty one. A name does
	// not begin or end with a dot, nor has it two in a row.
	ErrName = errors.New("journal: invalid name")
)

// MaxEntry is the most bytes that an entry or a value may have.
const MaxEntry = maxPayload - 64<<10 // leaves room for its headers

// Journal is an ordered, durable list of entries and a few named values beside it. All methods may be called at once.
type Journal interface {
	// Append writes entries, at least one, in their order and returns the position of the last. When it returns, they survive a kill -9 of
	// this process. A ctx that has ended writes nothing; one that ends later does not break off the writing. After an error some of the
	// first may be written. It keeps the data, which must not change any more.
	Append(ctx context.Context, topic Topic, data ...[]byte) (seq uint64, err error)
	// Note writes an entry of any topic but Changes soon, in the order of the calls; an Append does not wait for the notes made before it. It blocks while too
	// many notes wait to be written (65,536, or 64 MiB), and does nothing after Close. It keeps data, which must not change any more.
	Note(topic Topic, data []byte)
	// Sync returns when every note made before can be read. Its error tells that notes were lost; a loss is told once, by Sync or Close.
	Sync(ctx context.Context) error
	// Settle returns when every note made before is written or lost. Which of both is for Sync and Close to tell.
	Settle(ctx context.Context) error
	// Read yields the kept entries from position from on, up to the last one at the time of the call. No topics: all.
	Read(ctx context.Context, from uint64, topics ...Topic) iter.Seq2[Entry, error]
	// Follow yields as Read does and then every new entry as it is written, until ctx or the journal ends. What ended it is yielded
	// last, as an error. A position before the oldest kept entry means the oldest kept entry; so it does for a reader that retention
	// overtakes.
	Follow(ctx context.Context, from uint64, topics ...Topic) iter.Seq2[Entry, error]
	// Bounds returns the positions of the oldest kept and of the last entry; 1 and 0 when there is none.
	Bounds(ctx context.Context) (first, last uint64, err error)
	// Put keeps a small value under a name of [a-z0-9.-], after the notes made before: a value that says that something is done does
	// not get ahead of the notes about it. That notes were lost neither keeps it from that nor is told by it. Get returns the value, and
	// nil when there is none.
	Put(ctx context.Context, name string, value []byte) error
	Get(ctx context.Context, name string) ([]byte, error)
	// Values returns every value whose name begins with under and a dot, by its whole name.
	Values(ctx context.Context, under string) (map[string][]byte, error)
	// Remove forgets a value; one that is not there is no error. As Put, it comes after the notes made before.
	Remove(ctx context.Context, name string) error
	// Close writes the waiting notes, ends every Follow, and gives up the files. Its error tells, as Sync's does, that notes were lost.
	Close() error
}
