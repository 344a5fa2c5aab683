// Package events holds what can happen in a container registry, in no cloud's words.
//
// A Change is one thing that happened to a repository. A Record is what one request changed, all at once, together with the
// Events that each cloud makes of it. The package is types and pure functions: no I/O, no clock, no randomness.
package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Kind says what a Change did.
type Kind string

// The four things that can happen to a repository.
const (
	ImageCreated Kind = "image-created" // a manifest the repository did not have
	TagAttached  Kind = "tag-attached"
	TagDetached  Kind = "tag-detached"
	ImageDeleted Kind = "image-deleted"
)

// Change is one thing that happened to one repository.
type Change struct {
	Kind       Kind   `json:"kind"`
	Registry   string `json:"registry_id"`
	Repository string `json:"repository"` // without the registry id
	// Tag is the tag attached or detached. On ImageCreated it is the tag of the same request, or empty: information only.
	Tag       string `json:"tag,omitempty"`
	Digest    string `json:"digest,omitempty"`
	MediaType string `json:"media_type,omitempty"`
	Size      int64  `json:"size,omitempty"` // bytes of the manifest
	// Silent marks an image that no cloud hears of until it has a tag (the switch for children of an index).
	Silent bool      `json:"silent,omitempty"`
	At     time.Time `json:"at"`
	// Rev tells apart changes that are equal in everything else. It is given once, when the change is published, and recorded.
	Rev uint64 `json:"rev"`
}

// Validate reports the first thing that makes c no change at all.
func (c Change) Validate() error {
	switch c.Kind {
	case ImageCreated, ImageDeleted:
		if c.Digest == "" {
			return fmt.Errorf("change: %s needs a digest", c.Kind)
		}
	case TagAttached, TagDetached:
		if c.Tag == "" {
			return fmt.Errorf("change: %s needs a tag", c.Kind)
		}
	default:
		return fmt.Errorf("change: kind %q: want %s, %s, %s or %s", c.Kind, ImageCreated, TagAttached, TagDetached, ImageDeleted)
	}
	if c.Repository == "" {
		return errors.New("change: repository is empty")
	}
	return nil
}

// Event is a Change in one cloud's words.
type Event struct {
	ID     string `json:"id"`     // derived from the change: the same change has the same ID in every replay
	Source string `json:"source"` // the cloud: "yandex"
	Type   string `json:"type"`   // the cloud's word: "create-image-tag"
	Of     int    `json:"of"`     // index of the change in the record
	// Body is the message as the cloud delivers it.
	Body json.RawMessage `json:"body"`
	// Change is what the event tells of; filled in by DecodeRecord.
	Change Change `json:"-"`
}

// Record is what one request changed, in the order in which it happened. It is written to the journal as a whole or not at all.
type Record struct {
	Origin  string   `json:"origin"` // OriginRegistry, …
	Changes []Change `json:"changes"`
	Events  []Event  `json:"events"`
	// At is when it was published, by the house's clock; zero in records of before this was kept. A replayed change keeps its own At.
	At time.Time `json:"at,omitzero"`
}

// Where a record comes from. The registry's contents are the sum of the records of OriginRegistry.
const (
	OriginRegistry = "registry"
	OriginEmit     = "emit"
	OriginReplay   = "replay"
	OriginForeign  = "foreign" // recorded by others; its events are as they came
)

// Encode writes the record as json.Marshal would. Bodies are JSON already: they are copied, where json.Marshal would
// read and write them again. The record must not change any more: Encode gives each event its Change.
func (r Record) Encode() ([]byte, error) {
	changes, err := json.Marshal(r.Changes)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	n := len(changes) + 128
	for _, e := range r.Events {
		n += len(e.Body) + 128
	}
	out := append(make([]byte, 0, n), `{"origin":`...)
	out = appendString(out, r.Origin)
	out = append(append(out, `,"changes":`...), changes...)
	out = append(out, `,"events":[`...)
	for i := range r.Events {
		e := &r.Events[i]
		e.Change = r.Changes[e.Of]
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(append(out, `{"id":`...), e.ID)
		out = appendString(append(out, `,"source":`...), e.Source)
		out = appendString(append(out, `,"type":`...), e.Type)
		out = strconv.AppendInt(append(out, `,"of":`...), int64(e.Of), 10)
		out = append(append(append(out, `,"body":`...), e.Body...), '}')
	}
	out = append(out, ']')
	if !r.At.IsZero() {
		out = r.At.AppendFormat(append(out, `,"at":"`...), time.RFC3339Nano)
		out = append(out, '"')
	}
	return append(out, '}'), nil
}

// appendString writes s as JSON: an id that was recorded elsewhere may be anything.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, err := json.Marshal(s)
			if err != nil {
				panic("events: a string did not encode: " + err.Error())
			}
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// DecodeRecord reads a record as Encode or json.Marshal wrote it.
func DecodeRecord(data []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("record: %w", err)
	}
	for i := range r.Events {
		of := r.Events[i].Of
		if of < 0 || of >= len(r.Changes) {
			return Record{}, fmt.Errorf("record: event %s tells of change %d of %d", r.Events[i].ID, of, len(r.Changes))
		}
		r.Events[i].Change = r.Changes[of]
	}
	return r, nil
}
