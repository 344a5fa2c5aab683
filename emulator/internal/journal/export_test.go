package journal

import (
	"context"
	"time"
)

// Frame and Unframe let the tests outside try the parser.
func Frame(at time.Time, lines [][]byte) []byte { return frame(at, lines) }

func Unframe(data []byte) ([]Entry, error) { return unframe(nil, Entry{}, data) }

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
