// Package resource keeps what clients of the cloud's control plane make: messages of the cloud's own protos, by id, in the journal's
// named values; and what every service says of them alike: operations, pages, filters, masks, access bindings.
//
// It knows no service. Errors of exported functions are statuses of gRPC, ready to be answered.
package resource

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"io"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// Values keeps named values over restarts: the journal does.
type Values interface {
	Put(ctx context.Context, name string, value []byte) error
	Remove(ctx context.Context, name string) error
	Values(ctx context.Context, under string) (map[string][]byte, error)
}

// Options of a Store. The zero value keeps everything in memory.
type Options struct {
	Clock  clock.Clock // nil: clock.Real
	Random io.Reader   // where ids come from; nil: crypto/rand
	Values Values      // nil: nothing is kept
	// Changed hears of every change, in Store.Keep's form, before whoever asked for it is answered; was and now are nil when there was nothing or
	// nothing is any more. Nil: nobody does.
	Changed func(name string, was, now []byte)
}

// Store is what the collections of all services share. Close it.
type Store struct {
	clock   clock.Clock
	values  Values
	changed func(name string, was, now []byte)

	opened sync.Mutex
	kinds  map[string]keeper // but for private ones

	reading sync.Mutex
	read    map[string]map[string][]byte // what was kept when the store was new, by kind and key; a collection takes its own out

	random sync.Mutex
	source io.Reader

	operations operations
}

// New makes a store. It reads nothing before a collection is opened.
func New(o Options) *Store {
	s := &Store{clock: o.Clock, values: o.Values, source: o.Random, changed: o.Changed, kinds: make(map[string]keeper)}
	if s.clock == nil {
		s.clock = clock.Real{}
	}
	if s.source == nil {
		s.source = rand.Reader
	}
	if s.changed == nil {
		s.changed = func(string, []byte, []byte) {}
	}
	s.operations.byID = make(map[string]*entry)
	return s
}

// root begins the names of all values.
const root = "resource"

// kept returns the values of a kind. They are read at once for all kinds, since a start opens them all.
func (s *Store) kept(ctx context.Context, kind string) (map[string][]byte, error) {
	if s.values == nil {
		return nil, nil
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.read == nil {
		all, err := s.values.Values(ctx, root)
		if err != nil {
			return nil, err
		}
		s.read = make(map[string]map[string][]byte)
		for name, data := range all {
			of, key, _ := strings.Cut(strings.TrimPrefix(name, root+"."), ".")
			if s.read[of] == nil {
				s.read[of] = make(map[string][]byte)
			}
			s.read[of][key] = data
		}
	}
	values := s.read[kind]
	s.read[kind] = nil
	return values, nil
}

// Close cancels the operations that run, and waits for their ends.
func (s *Store) Close() {
	s.operations.mu.Lock()
	for _, e := range s.operations.order {
		if !e.op.Done {
			e.cancel()
		}
	}
	s.operations.mu.Unlock()
	s.operations.running.Wait()
}

// Now is the time of the house, as resources tell it.
func (s *Store) Now() *timestamppb.Timestamp { return timestamppb.New(s.clock.Now().UTC()) }

// idLength is that of all the cloud's ids.
const idLength = 20

// NewID makes an id of the cloud's form: the prefix of its kind, such as "a1s", and random characters of [0-9a-v].
func (s *Store) NewID(prefix string) (string, error) {
	s.random.Lock()
	defer s.random.Unlock()
	var b [15]byte
	if _, err := io.ReadFull(s.source, b[:]); err != nil {
		return "", status.Errorf(codes.Internal, "new id: %v", err)
	}
	text := base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding).EncodeToString(b[:])
	return (prefix + text)[:idLength], nil
}
