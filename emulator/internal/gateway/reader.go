package gateway

import (
	"bytes"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// reader cuts the bytes of a client into messages and control frames, however they are split. It exists while a frame or a message
// is incomplete, so that a socket at rest needs none.
type reader struct {
	message, frame int // limits

	head    [ws.MaxHeaderSize]byte
	headLen int

	header  ws.Header
	inFrame bool
	left    int // bytes of the frame still to come

	op      ws.OpCode // of the message being assembled, 0 between messages
	data    []byte    // of the message
	checked int       // how much of data is known to be UTF-8
	control []byte    // payload of a control frame
}

// received is what a client said: a message (ws.OpText, ws.OpBinary) or a control frame.
type received struct {
	op   ws.OpCode
	data []byte // belongs to the receiver
}

// violation is what a client may not do.
type violation struct {
	code int
	text string
}

func (v *violation) Error() string { return v.text }

// next takes bytes, which it may change, until it has something complete, and returns the bytes after. It returns false when all
// bytes are taken and more are needed. After a violation the reader is of no use.
func (r *reader) next(p []byte) (received, []byte, bool, *violation) {
	for len(p) > 0 {
		if !r.inFrame {
			n, v := r.readHead(p)
			if v != nil {
				return received{}, nil, false, v
			}
			p = p[n:]
			if !r.inFrame {
				break
			}
		}
		n := min(r.left, len(p))
		if v := r.readPayload(p[:n]); v != nil {
			return received{}, nil, false, v
		}
		p = p[n:]
		if r.left > 0 {
			break
		}
		r.inFrame = false
		if got, ok := r.finish(); ok {
			return got, p, true, nil
		}
	}
	return received{}, nil, false, nil
}

// atRest says that nothing is incomplete.
func (r *reader) atRest() bool { return r.headLen == 0 && !r.inFrame && r.op == 0 }

// readHead takes bytes of p until the frame's header is complete.
func (r *reader) readHead(p []byte) (int, *violation) {
	n := copy(r.head[r.headLen:], p)
	have := r.headLen + n
	in := bytes.NewReader(r.head[:have])
	h, err := ws.ReadHeader(in)
	if err == ws.ErrHeaderLengthMSB {
		return 0, &violation{codeProtocol, err.Error()}
	}
	if err != nil { // the header is not there yet
		r.headLen = have
		return n, nil
	}
	size := have - in.Len()
	n = size - r.headLen
	r.headLen = 0
	r.header, r.inFrame, r.left = h, true, int(h.Length)
	return n, r.check(size)
}

func (r *reader) check(size int) *violation {
	state := ws.StateServerSide
	if r.op != 0 {
		state = state.Set(ws.StateFragmented)
	}
	h := r.header
	if err := ws.CheckHeader(h, state); err != nil {
		return &violation{codeProtocol, err.Error()}
	}
	if size != ws.HeaderSize(h) {
		return &violation{codeProtocol, "frame length is not in its shortest form"}
	}
	switch {
	case h.OpCode.IsControl():
		r.control = make([]byte, 0, h.Length)
		return nil
	case h.Length > int64(r.frame):
		return &violation{codeTooBig, "frame too big"}
	case int64(len(r.data))+h.Length > int64(r.message):
		return &violation{codeTooBig, "message too big"}
	}
	if r.op == 0 {
		r.op, r.checked = h.OpCode, 0
	}
	return nil
}

// readPayload takes bytes of the frame. Memory grows with what has come, not with what was announced.
func (r *reader) readPayload(p []byte) *violation {
	ws.Cipher(p, r.header.Mask, int(r.header.Length)-r.left)
	r.left -= len(p)
	if r.header.OpCode.IsControl() {
		r.control = append(r.control, p...)
		return nil
	}
	r.data = append(r.data, p...)
	if r.op == ws.OpText && !r.checkText(r.left == 0 && r.header.Fin) {
		return &violation{codeInvalid, "text is not UTF-8"}
	}
	return nil
}

// checkText looks at the text that has come since; unless it is whole, the last rune may be incomplete.
func (r *reader) checkText(whole bool) bool {
	text := r.data[r.checked:]
	if !whole {
		for i := 1; i <= min(utf8.UTFMax-1, len(text)); i++ {
			if tail := text[len(text)-i:]; utf8.RuneStart(tail[0]) {
				if !utf8.FullRune(tail) {
					text = text[:len(text)-i]
				}
				break
			}
		}
	}
	r.checked += len(text)
	return utf8.Valid(text)
}

// finish ends a frame and returns what it completes.
func (r *reader) finish() (received, bool) {
	switch {
	case r.header.OpCode.IsControl():
		got := received{r.header.OpCode, r.control}
		r.control = nil
		return got, true
	case r.header.Fin:
		got := received{r.op, r.data}
		r.op, r.data = 0, nil
		return got, true
	}
	return received{}, false
}

// parseClose reads the payload of a close frame.
func parseClose(p []byte) (code int, reason string, v *violation) {
	if len(p) == 0 {
		return codeNoStatus, "", nil
	}
	status, reason := ws.ParseCloseFrameData(p)
	switch {
	case !mayBeSent(status):
		return 0, "", &violation{codeProtocol, "close code may not be sent"}
	case !utf8.ValidString(reason):
		return 0, "", &violation{codeInvalid, "close reason is not UTF-8"}
	}
	return int(status), reason, nil
}
