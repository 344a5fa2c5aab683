package main

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// frames counts the messages in what a WebSocket server sends on one socket. The zero value is ready after the handshake.
type frames struct {
	count  int // whole text or binary messages
	length int // of the last one, on the wire

	keep    bool               // the payload of the last message is wanted
	payload []byte             // and here it is
	each    func([]byte) error // if there is one, looks at each payload that is kept

	head [10]byte // of the frame that is coming in
	have int      // bytes of head
	left int      // bytes of payload still to come
}

// WebSocket opcodes, RFC 6455 §5.2.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
)

// sizeLimit is more than any frame or answer of ours has; what is larger was misread.
const sizeLimit = 1 << 30

var (
	errSplit  = errors.New("a message came in several frames, want one")
	errMasked = errors.New("a server's frame is masked")
)

// feed takes the bytes that came next and returns how many messages they completed.
func (f *frames) feed(b []byte) (messages int, err error) {
	for {
		for f.have < f.headLength() {
			if len(b) == 0 {
				return messages, nil
			}
			n := copy(f.head[f.have:f.headLength()], b)
			f.have += n
			b = b[n:]
			if f.have == f.headLength() {
				if err := f.begin(b); err != nil {
					return messages, err
				}
			}
		}
		n := min(f.left, len(b))
		if f.keep {
			f.payload = append(f.payload, b[:n]...)
		}
		f.left -= n
		b = b[n:]
		if f.left > 0 {
			return messages, nil
		}
		if op := f.head[0] & 0xf; op == opText || op == opBinary {
			messages++
			f.count++
			f.length = f.have + f.payloadLength()
			if f.each != nil {
				if err := f.each(f.payload); err != nil {
					return messages, err
				}
			}
		}
		f.have = 0
	}
}

// headLength is how long the header is, as far as its first bytes tell.
func (f *frames) headLength() int {
	if f.have < 2 {
		return 2
	}
	switch f.head[1] & 0x7f {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

func (f *frames) payloadLength() int {
	switch n := f.head[1] & 0x7f; n {
	case 126:
		return int(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		return int(binary.BigEndian.Uint64(f.head[2:]))
	default:
		return int(n)
	}
}

// begin looks at a whole header; rest is what came behind it.
func (f *frames) begin(rest []byte) error {
	f.left = f.payloadLength()
	rest = rest[:max(0, min(f.left, len(rest)))]
	switch op := f.head[0] & 0xf; {
	case f.head[1]&0x80 != 0:
		return errMasked
	case f.left < 0 || f.left > sizeLimit:
		return fmt.Errorf("a frame of %d bytes", uint(f.left))
	case op == opClose && len(rest) >= 2:
		return fmt.Errorf("the server closed the socket with code %d %s", binary.BigEndian.Uint16(rest), rest[2:])
	case op == opClose:
		return errors.New("the server closed the socket")
	case op < opClose && (f.head[0]&0x80 == 0 || op == 0):
		return errSplit
	}
	f.payload = f.payload[:0]
	return nil
}

// readyFrame returns a server's text frame that is as long on the wire as asked for.
func readyFrame(length int) []byte {
	f := make([]byte, length)
	for i := range f {
		f[i] = 'x'
	}
	f[0] = 0x80 | opText
	switch {
	case length <= 2+125:
		f[1] = byte(length - 2)
	case length <= 4+0xffff:
		f[1] = 126
		binary.BigEndian.PutUint16(f[2:], uint16(length-4))
	default:
		f[1] = 127
		binary.BigEndian.PutUint64(f[2:], uint64(length-10))
	}
	return f
}
