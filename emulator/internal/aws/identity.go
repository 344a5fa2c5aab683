package aws

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"time"
)

// Connection ids are 13 bytes, of which the last six can be reckoned from the first seven. So an id that was never given out, or that
// was changed on its way, is told from one whose connection has gone: AWS answers them differently.
const (
	headSize = 7
	tailSize = 6
)

// strictBase64 refuses spellings of an id that decode to the same bytes.
var strictBase64 = base64.URLEncoding.Strict()

// minter makes ids that look like the cloud's. It is safe for concurrent use.
type minter struct {
	key []byte

	mu     sync.Mutex
	random io.Reader
}

// newMinter takes a scope in which ids are known. The same scope knows the ids of an earlier run: it is no secret.
func newMinter(random io.Reader, scope string) *minter {
	return &minter{random: random, key: []byte("regcast connection ids " + scope)}
}

func (m *minter) read(n int) ([]byte, error) {
	b := make([]byte, n)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := io.ReadFull(m.random, b); err != nil {
		return nil, fmt.Errorf("aws: id: %w", err)
	}
	return b, nil
}

func (m *minter) tail(head []byte) []byte {
	h := hmac.New(sha256.New, m.key)
	h.Write(head)
	return h.Sum(nil)[:tailSize]
}

// connection makes the id of a connection: 20 characters that end with ==.
func (m *minter) connection() (string, error) {
	head, err := m.read(headSize)
	if err != nil {
		return "", err
	}
	return strictBase64.EncodeToString(append(head, m.tail(head)...)), nil
}

// valid says whether an id may be a connection's.
func (m *minter) valid(id string) bool {
	b, err := strictBase64.DecodeString(id)
	return err == nil && len(b) == headSize+tailSize && hmac.Equal(b[headSize:], m.tail(b[:headSize]))
}

// message makes the id of a message, which shares the tail of its connection's.
func (m *minter) message(connection string) (string, error) {
	head, err := m.read(headSize)
	if err != nil {
		return "", err
	}
	b, err := strictBase64.DecodeString(connection)
	if err != nil {
		return "", fmt.Errorf("aws: id: %w", err)
	}
	return strictBase64.EncodeToString(append(head, b[headSize:]...)), nil
}

// request makes the id of a request: 16 characters that end with =.
func (m *minter) request() (string, error) {
	b, err := m.read(11)
	if err != nil {
		return "", err
	}
	return strictBase64.EncodeToString(b), nil
}

// uuid makes a random UUID.
func (m *minter) uuid() (string, error) {
	b, err := m.read(16)
	if err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// trace makes the value of an X-Amzn-Trace-Id header.
func (m *minter) trace(now time.Time) (string, error) {
	b, err := m.read(12)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Root=1-%08x-%s", uint32(now.Unix()), hex.EncodeToString(b)), nil
}

// graveyard remembers how the last connections ended, for people who ask why an id is gone. The oldest is forgotten first.
type graveyard struct {
	mu    sync.Mutex
	how   map[string]string
	order [graves]string
	next  int
}

const graves = 1024

func (g *graveyard) bury(id, how string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.how == nil {
		g.how = make(map[string]string)
	}
	delete(g.how, g.order[g.next])
	g.order[g.next], g.how[id] = id, how
	g.next = (g.next + 1) % graves
}

func (g *graveyard) find(id string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.how[id]
}
