package yandex

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"
)

// minter makes ids that look like the cloud's. It is safe for concurrent use.
type minter struct {
	random io.Reader

	mu   sync.Mutex
	last uint64 // nanoseconds of the last message id
}

// connection makes the id of a connection: 33 characters, nothing but random.
func (m *minter) connection() (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b [20]byte
	if _, err := io.ReadFull(m.random, b[:]); err != nil {
		return "", fmt.Errorf("connection id: %w", err)
	}
	return "d" + encode(b[:]), nil
}

// message makes the id of a message: 30 characters that sort by time, also within one nanosecond.
func (m *minter) message(now time.Time) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b [19]byte
	m.last = max(m.last+1, uint64(now.UnixNano()))
	binary.BigEndian.PutUint64(b[:], m.last)
	if _, err := io.ReadFull(m.random, b[8:]); err != nil {
		return "", fmt.Errorf("message id: %w", err)
	}
	return encode(b[:])[:30], nil
}

// uuid makes the id of a request.
func (m *minter) uuid() (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b [16]byte
	if _, err := io.ReadFull(m.random, b[:]); err != nil {
		return "", fmt.Errorf("request id: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// request makes the ids of a request and of its trace.
func (m *minter) request() (id, trace string, err error) {
	if id, err = m.uuid(); err != nil {
		return "", "", err
	}
	trace, err = m.uuid()
	return id, trace, err
}

// encode writes five bits a character in [0-9a-v], an alphabet that keeps the order of the bytes.
func encode(b []byte) string {
	return base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding).EncodeToString(b)
}

// GatewayIDFor makes up the id of a gateway that was given none: the same name has the same id at every start.
func GatewayIDFor(name string) string { return idFor("d5d", name) }

// idFor derives an id of the cloud's 20 characters from what it stands for.
func idFor(prefix, of string) string {
	sum := sha256.Sum256([]byte(of))
	return (prefix + encode(sum[:]))[:20]
}
