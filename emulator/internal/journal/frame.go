package journal

import (
	"encoding/binary"
	"errors"
	"time"
)

// A frame is what the engine keeps as one message: eight bytes of time, nanoseconds since 1970, and then the entries, each behind its
// length. It is not a message with headers, as those make an append a third slower.

const (
	frameHead = 8
	lineHead  = binary.MaxVarintLen32 // the most that an entry takes besides its data
)

func frame(at time.Time, lines [][]byte) []byte {
	size := frameHead
	for _, line := range lines {
		size += lineHead + len(line)
	}
	data := binary.BigEndian.AppendUint64(make([]byte, 0, size), uint64(at.UnixNano()))
	for _, line := range lines {
		data = binary.AppendUvarint(data, uint64(len(line)))
		data = append(data, line...)
	}
	return data
}

var errFrame = errors.New("broken frame")

// unframe appends the entries of a frame; e says what they have in common.
func unframe(entries []Entry, e Entry, data []byte) ([]Entry, error) {
	if len(data) < frameHead {
		return nil, errFrame
	}
	e.At = time.Unix(0, int64(binary.BigEndian.Uint64(data))).UTC()
	for data = data[frameHead:]; len(data) > 0; {
		size, n := binary.Uvarint(data)
		if n <= 0 || size > uint64(len(data)-n) {
			return nil, errFrame
		}
		e.Data, data = data[n:n+int(size):n+int(size)], data[n+int(size):]
		e.More = len(data) > 0
		entries = append(entries, e)
	}
	return entries, nil
}
