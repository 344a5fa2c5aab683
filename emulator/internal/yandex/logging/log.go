package logging

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
)

// The types of the resources that log by themselves.
const (
	GatewayType  = "serverless.apigateway"
	FunctionType = "serverless.function"
)

// Entry is what somebody has to say.
type Entry struct {
	GroupID                  string // the log group it goes to
	ResourceType, ResourceID string // of whom it is: FunctionType and an id
	StreamName               string
	Time                     time.Time // zero: now
	Level                    string    // TRACE, DEBUG, INFO, WARN, ERROR or FATAL, in any case; others are none
	Message                  string
	// Payload is what else it says, of JSON's types; a request's id is in "request_id". It belongs to the log from then on.
	Payload map[string]any
}

// LogOptions of a Log. The zero value works.
type LogOptions struct {
	Clock   clock.Clock // nil: clock.Real
	Random  io.Reader   // where the ids of entries begin; nil: crypto/rand
	Entries int         // at most so many are kept; 0: 100,000
	Bytes   int         // and at most so many bytes of them; 0: 64 MB
}

// Log holds the last entries of all log groups in memory. Of what is too much the oldest goes, by its time.
type Log struct {
	clock  clock.Clock
	begin  string
	limits LogOptions

	mu      sync.RWMutex
	entries []*entry // by time, those of the same time as they came
	bytes   int
	last    uint64
}

// entry is never changed.
type entry struct {
	Entry           // without its payload
	payload  []byte // JSON, a fraction of the map in memory; nil: none
	level    pb.LogLevel_Level
	ingested time.Time
	number   uint64 // it came as the so manieth
	size     int
}

// NewLog makes an empty log.
func NewLog(o LogOptions) *Log {
	o.Entries, o.Bytes = cmp.Or(o.Entries, 100_000), cmp.Or(o.Bytes, 64<<20)
	l := &Log{clock: o.Clock, limits: o}
	if l.clock == nil {
		l.clock = clock.Real{}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	var b [4]byte
	_, _ = io.ReadFull(o.Random, b[:]) // ids that begin with zeros tell entries of one life apart as well
	l.begin = hex.EncodeToString(b[:])
	return l
}

// Write adds an entry. It does not wait for readers longer than they need to take down what there is.
func (l *Log) Write(e Entry) {
	now := l.clock.Now().UTC()
	if e.Time.IsZero() {
		e.Time = now
	}
	for _, s := range []*string{&e.ResourceType, &e.ResourceID, &e.StreamName, &e.Message} {
		*s = strings.ToValidUTF8(*s, "\uFFFD") // proto knows no other strings
	}
	made := newEntry(e, now)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	made.number = l.last
	l.bytes += made.size
	if n := len(l.entries); n == 0 || !made.Time.Before(l.entries[n-1].Time) {
		l.entries = append(l.entries, made)
	} else {
		l.entries = slices.Insert(l.entries, l.after(position{made.Time, made.number}), made)
	}
	for len(l.entries) > l.limits.Entries || l.bytes > l.limits.Bytes {
		l.bytes -= l.entries[0].size
		l.entries[0] = nil
		l.entries = l.entries[1:]
	}
}

func newEntry(e Entry, ingested time.Time) *entry {
	made := &entry{Entry: e, ingested: ingested, level: levelOf(e.Level)}
	made.Payload = nil
	if len(e.Payload) > 0 {
		data, err := json.Marshal(e.Payload)
		if err != nil {
			data, _ = json.Marshal(map[string]string{"error": "the payload is no JSON: " + err.Error()}) // a string always is
		}
		made.payload = data
	}
	made.size = made.weight()
	return made
}

// fields are the payload.
func (e *entry) fields() map[string]any {
	var m map[string]any
	_ = json.Unmarshal(e.payload, &m) // it was written by newEntry, or is none
	return m
}

func levelOf(name string) pb.LogLevel_Level {
	return pb.LogLevel_Level(pb.LogLevel_Level_value[strings.ToUpper(name)])
}

// position is a place between entries: behind the one that has it.
type position struct {
	Time   time.Time
	Number uint64
}

func (p position) compare(q position) int {
	return cmp.Or(p.Time.Compare(q.Time), cmp.Compare(p.Number, q.Number))
}

// endless is behind all entries.
func endless() position {
	return position{time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), math.MaxUint64}
}

func (e *entry) position() position { return position{e.Time, e.number} }

// after is the index of the first entry behind a position.
func (l *Log) after(p position) int {
	i, _ := slices.BinarySearchFunc(l.entries, p, func(e *entry, p position) int {
		if e.position().compare(p) > 0 {
			return 1
		}
		return -1
	})
	return i
}

// between returns the entries behind one position and not behind another. Filtering them needs no lock.
func (l *Log) between(from, to position) []*entry {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i, j := l.after(from), l.after(to)
	if i >= j {
		return nil
	}
	return slices.Clone(l.entries[i:j])
}

// all returns the entries of a group.
func (l *Log) all(groupID string) []*entry {
	found := l.between(position{}, endless())
	return slices.DeleteFunc(found, func(e *entry) bool { return e.GroupID != groupID })
}

// forget drops the entries of a group.
func (l *Log) forget(groupID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = slices.DeleteFunc(l.entries, func(e *entry) bool {
		gone := e.GroupID == groupID
		if gone {
			l.bytes -= e.size
		}
		return gone
	})
}

// weight is about what an entry takes in memory, in bytes.
func (e *entry) weight() int {
	const bare = 300
	return bare + len(e.GroupID) + len(e.ResourceType) + len(e.ResourceID) + len(e.StreamName) + len(e.Message) + len(e.payload)
}
