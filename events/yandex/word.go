package yandex

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
)

// Source is the events.Event.Source of this cloud.
const Source = "yandex"

// Wording is what the cloud knows beside the change itself.
type Wording struct {
	CloudID  string
	FolderID string
	// TagOnCreateImage copies the pushed tag into CreateImage, as the documented sample has it. Deployed functions have seen
	// CreateImage without a tag, so it is off by default.
	TagOnCreateImage bool
}

// typeOf names a kind of change in the short spelling and in that of Metadata.EventType.
func typeOf(k events.Kind) (short, long string) {
	switch k {
	case events.ImageCreated:
		return CreateImage, TypePrefix + "CreateImage"
	case events.TagAttached:
		return CreateImageTag, TypePrefix + "CreateImageTag"
	case events.ImageDeleted:
		return DeleteImage, TypePrefix + "DeleteImage"
	case events.TagDetached:
		return DeleteImageTag, TypePrefix + "DeleteImageTag"
	}
	return "", ""
}

// Word makes the cloud's event of change number of in its record; false when the cloud says nothing of such a change, or could not:
// RFC 3339 ends with the year 9999.
func (w Wording) Word(of int, c events.Change) (events.Event, bool) {
	short, long := typeOf(c.Kind)
	at := c.At.UTC()
	if short == "" || c.Silent || at.Year() < 0 || at.Year() > 9999 {
		return events.Event{}, false
	}
	id := identity(c)
	m := Message{
		EventMetadata: Metadata{
			CloudID:   w.CloudID,
			CreatedAt: at,
			EventID:   "crp" + base36(id[:], 17),
			EventType: long,
			FolderID:  w.FolderID,
			TracingContext: &TracingContext{
				ParentSpanID: strconv.FormatInt(int64(binary.BigEndian.Uint64(id[8:])), 10),
				SpanID:       strconv.FormatInt(int64(binary.BigEndian.Uint64(id[16:])), 10),
				TraceID:      base36(id[12:], 16),
			},
		},
		Details: Details{
			ImageDigest:    c.Digest,
			ImageID:        ImageID(c.Registry, c.Repository, c.Digest),
			RegistryID:     c.Registry,
			RepositoryName: c.Registry + "/" + c.Repository,
		},
	}
	switch {
	case c.Kind == events.TagAttached, c.Kind == events.TagDetached, c.Kind == events.ImageCreated && w.TagOnCreateImage:
		m.Details.Tag = c.Tag
	}
	return events.Event{
		ID: m.EventMetadata.EventID, Source: Source, Type: short, Of: of, Body: marshal(m), Change: c,
	}, true
}

// Pack makes a batch of message bodies, byte for byte as they are.
func Pack(bodies []json.RawMessage) []byte {
	n := len(`{"messages":[]}`) + len(bodies)
	for _, b := range bodies {
		n += len(b)
	}
	out := append(make([]byte, 0, n), `{"messages":[`...)
	for i, b := range bodies {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, b...)
	}
	return append(out, `]}`...)
}

// ImageID is the id an image has in the registry: the same image in another repository is another image.
func ImageID(registry, repository, digest string) string {
	if digest == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("image\x00" + registry + "\x00" + repository + "\x00" + digest))
	return "crp" + base36(sum[:], 17)
}

// identity is a digest of everything that makes a change this change and no other.
func identity(c events.Change) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s\x00%s\x00%s\x00%d",
		c.Kind, c.Registry, c.Repository, c.Tag, c.Digest, c.At.UTC().Format(time.RFC3339Nano), c.Rev))
}

// base36 writes n characters of [0-9a-z], the alphabet of the cloud's ids, from sum.
func base36(sum []byte, n int) string {
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	for i := range n {
		b.WriteByte(alphabet[int(sum[i%len(sum)])%len(alphabet)])
	}
	return b.String()
}

// marshal is json.Marshal without the escaping of <, > and &, which no cloud does.
func marshal(m Message) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		panic("yandex: a message of strings and a time did not encode: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
