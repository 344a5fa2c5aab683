package journal

import "time"

// Frame and Unframe let the tests outside try the parser.
func Frame(at time.Time, lines [][]byte) []byte { return frame(at, lines) }

func Unframe(data []byte) ([]Entry, error) { return unframe(nil, Entry{}, data) }
