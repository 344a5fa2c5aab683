package ecr

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"github.com/regcast/regcast/events"
)

// Source is the events.Event.Source of this cloud.
const Source = "aws"

// Wording is what the cloud knows beside the changes themselves.
type Wording struct {
	Account string // 12 digits
	Region  string
}

// Word makes the cloud's events of the changes of one record. AWS speaks of requests where a change is about a part of one, so it says
// one PUSH for each tag, one without a tag for a push by digest, and one DELETE for each tag that is gone, or one without a tag for an
// image that had none. It says nothing of Silent images, nor of times that RFC 3339 cannot write: that ends with the year 9999.
func (w Wording) Word(changes []events.Change) []events.Event {
	var out []events.Event
	for i, c := range changes {
		action, tag := said(changes, i)
		at := c.At.UTC()
		if action == "" || c.Silent || at.Year() < 0 || at.Year() > 9999 {
			continue
		}
		id := uuid(c)
		out = append(out, events.Event{ID: id, Source: Source, Type: action, Of: i, Body: w.body(id, action, tag, at, c), Change: c})
	}
	return out
}

// said tells what change i of a record comes to; no action: nothing.
func said(changes []events.Change, i int) (action, tag string) {
	c := changes[i]
	switch c.Kind {
	case events.ImageCreated:
		for _, later := range changes[i+1:] {
			if later.Kind == events.TagAttached && later.Tag == c.Tag && beside(c, later) {
				return "", "" // the PUSH of its tag tells
			}
		}
		return Push, c.Tag
	case events.TagAttached:
		return Push, c.Tag
	case events.TagDetached:
		for _, later := range changes[i+1:] {
			if later.Kind == events.TagAttached && later.Tag == c.Tag && beside(c, later) {
				return "", "" // the tag moves: its PUSH tells
			}
		}
		return Delete, c.Tag
	case events.ImageDeleted:
		for _, earlier := range changes[:i] {
			if earlier.Kind == events.TagDetached && earlier.Digest == c.Digest && beside(c, earlier) {
				return "", "" // the DELETEs of its tags told
			}
		}
		return Delete, ""
	}
	return "", ""
}

func beside(a, b events.Change) bool { return a.Registry == b.Registry && a.Repository == b.Repository }

// body is the event as EventBridge delivers it. It is written by hand because every push waits for it.
func (w Wording) body(id, action, tag string, at time.Time, c events.Change) json.RawMessage {
	b := make([]byte, 0, 512)
	b = append(append(b, `{"version":"0","id":"`...), id...)
	b = append(b, `","detail-type":"`+ImageActionType+`","source":"`+EventSource+`","account":`...)
	b = appendString(b, w.Account)
	b = append(b, `,"time":"`...)
	b = at.AppendFormat(b, "2006-01-02T15:04:05Z")
	b = appendString(append(b, `","region":`...), w.Region)
	b = append(b, `,"resources":[],"detail":{"result":"`+Success+`","repository-name":`...)
	b = appendString(b, c.Repository)
	if c.Digest != "" {
		b = appendString(append(b, `,"image-digest":`...), c.Digest)
	}
	b = append(append(append(b, `,"action-type":"`...), action...), '"')
	if tag != "" {
		b = appendString(append(b, `,"image-tag":`...), tag)
	}
	if c.MediaType != "" {
		b = appendString(append(b, `,"manifest-media-type":`...), c.MediaType)
	}
	return append(b, "}}"...)
}

// appendString writes s as JSON without the escaping of <, > and &, which no cloud does.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			var out bytes.Buffer
			e := json.NewEncoder(&out)
			e.SetEscapeHTML(false)
			if err := e.Encode(s); err != nil {
				panic("ecr: a string did not encode: " + err.Error())
			}
			return append(b, bytes.TrimRight(out.Bytes(), "\n")...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// uuid derives an id in the shape of a UUID (version 8: of one's own making) from everything that makes a change this change and no
// other. The account is not in it: a recording keeps its ids wherever it is replayed.
func uuid(c events.Change) string {
	b := make([]byte, 0, 384)
	for _, part := range [...]string{"ecr", string(c.Kind), c.Registry, c.Repository, c.Tag, c.Digest} {
		b = append(append(b, part...), 0)
	}
	b = append(c.At.UTC().AppendFormat(b, time.RFC3339Nano), 0)
	sum := sha256.Sum256(strconv.AppendUint(b, c.Rev, 10))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	var id [36]byte
	for i := range id {
		id[i] = '-'
	}
	hex.Encode(id[0:8], sum[0:4])
	hex.Encode(id[9:13], sum[4:6])
	hex.Encode(id[14:18], sum[6:8])
	hex.Encode(id[19:23], sum[8:10])
	hex.Encode(id[24:36], sum[10:16])
	return string(id[:])
}
