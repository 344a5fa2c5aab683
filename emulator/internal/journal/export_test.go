package journal

import (
	"context"
	"time"
)

// Frame and Unframe let the tests outside try the parser.
func Frame(at time.Time, lines [][]byte) []byte { return frame(at, lines) }

func Unframe(data []byte) ([]Entry, error) { return unframe(nil, Entry{}, data) }

// MixedFrame makes a frame of entries of several topics, and Unmix reads one.
func MixedFrame(at time.Time, entries ...Entry) []byte {
	notes := make([]note, len(entries))
	for i, e := range entries {
		notes[i] = note{topic: e.Topic, data: e.Data}
	}
	return mixedFrame(at, notes)
}

func Unmix(data []byte) ([]Entry, error) {
	entries, err := unframe(nil, Entry{}, data)
	if err != nil {
		return nil, err
	}
	return entries, unmix(entries)
}

// EngineSays has the engine's log say something.
func (s *Stream) EngineSays(text string) { s.engine.log.Errorf("%s", text) }

// PackBytes is the most data that one message has, unless one entry alone has more.
const PackBytes = packBytes

// MaxPayload is the most that the engine takes as one message.
const MaxPayload = maxPayload

// Commits returns an append that gathers what is written together as Stream's does, and leaves the writing to write.
func Commits(write func(context.Context, Topic, [][]byte) (uint64, error)) func(Topic, ...[]byte) (uint64, error) {
	k := &commits{write: write}
	return k.append
}

// Overtaken takes a message out of the tail, as if its writer had yet to bring it. coming is what a reader waits for; nil: for nothing.
func (s *Stream) Overtaken(seq uint64) (coming func() <-chan struct{}, bring func()) {
	s.tail.mu.Lock()
	defer s.tail.mu.Unlock()
	was := s.tail.slots[seq%tailSlots]
	s.tail.bytes -= was.size
	s.tail.slots[seq%tailSlots] = slot{}
	return func() <-chan struct{} { return s.tail.coming(seq) }, func() { s.tail.add(seq, was.topic, was.entries) }
}

// Asked is how many requests readers have sent to the engine.
func (s *Stream) Asked() uint64 { return s.reads.Stats().OutMsgs }

// Unsure has the last write of changes be one of which nobody knows whether it came through.
func (s *Stream) Unsure() { s.changes.failed() }
