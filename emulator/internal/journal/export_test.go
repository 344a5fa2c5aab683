package journal

import "time"

// Frame and Unframe let the tests outside try the parser.
func Frame(at time.Time, lines [][]byte) []byte { return frame(at, lines) }

func Unframe(data []byte) ([]Entry, error) { return unframe(nil, Entry{}, data) }

// EngineSays has the engine's log say something.
func (s *Stream) EngineSays(text string) { s.engine.log.Errorf("%s", text) }
