package journal

import (
	"encoding/binary"
	"errors"
	"slices"
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

// mixed is the subject of frames whose entries are of several topics: there each begins with its topic, behind the topic's length.
// No topic is called so.
const mixed Topic = "_mixed"

func mixedFrame(at time.Time, notes []note) []byte {
	size := frameHead
	for _, n := range notes {
		size += lineHead + lineHead + len(n.topic) + len(n.data)
	}
	data := binary.BigEndian.AppendUint64(make([]byte, 0, size), uint64(at.UnixNano()))
	var head []byte
	for _, n := range notes {
		head = append(binary.AppendUvarint(head[:0], uint64(len(n.topic))), n.topic...)
		data = binary.AppendUvarint(data, uint64(len(head)+len(n.data)))
		data = append(append(data, head...), n.data...)
	}
	return data
}

// unmix gives the entries of a mixed frame their topics.
func unmix(entries []Entry) error {
	for i := range entries {
		e := &entries[i]
		size, n := binary.Uvarint(e.Data)
		if n <= 0 || size > uint64(len(e.Data)-n) {
			return errFrame
		}
		e.Topic, e.Data = Topic(e.Data[n:n+int(size)]), e.Data[n+int(size):]
	}
	return nil
}

// some appends those of one message's entries that are of some topics.
func some(out, message []Entry, topics []Topic) []Entry {
	began := len(out)
	for _, e := range message {
		if slices.Contains(topics, e.Topic) {
			e.More = true
			out = append(out, e)
		}
	}
	if len(out) > began {
		out[len(out)-1].More = false
	}
	return out
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
