package foreign

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/ecr"
	"github.com/regcast/regcast/events/yandex"
	"github.com/regcast/regcast/recording"
)

// found is an event as its shape tells it.
type found struct {
	thing   string // "ECR event"
	id      string // as its maker gave it; may be empty
	at      time.Time
	cloud   string // events.Event.Source; empty: no cloud has worded it
	kind    string // events.Event.Type
	changes []events.Change
	request string // what other events of the same request have too; empty: there are none
}

// tell makes an item of an event. The changes have no At, Rev and, but for Yandex's, no Registry yet.
func (w *walk) tell(c spot, f found, raw []byte) {
	var body bytes.Buffer
	if err := json.Compact(&body, raw); err != nil { // as the cloud sends it, and on one line
		w.skip(c, f.thing, "broken JSON: %v", err)
		return
	}
	sum := sha256.Sum256(body.Bytes())
	if f.id == "" {
		f.id = "nameless-" + hex.EncodeToString(sum[:8])
	}
	if first, again := w.seen.add(f.cloud+" "+f.id, c.Place); again {
		w.skip(c, f.thing, "event %s again: first at %s", f.id, first)
		return
	}
	if f.at.IsZero() {
		f.at = c.at
	}
	f.at = f.at.UTC()
	if f.at.Year() > 9999 {
		w.skip(c, f.thing, "event %s is of the year %d", f.id, f.at.Year())
		return
	}
	// Rev makes ids of what is worded anew: it follows from the event, so that every replay has the same. 53 bits, as JSON's numbers have.
	rev := sha256.Sum256([]byte(f.cloud + "\x00" + f.id))
	for i := range f.changes {
		change := &f.changes[i]
		change.At, change.Rev = f.at, binary.BigEndian.Uint64(rev[:])>>11|1
		if err := change.Validate(); err != nil {
			w.skip(c, f.thing, "event %s: %v", f.id, err)
			return
		}
	}
	r := &events.Record{Origin: events.OriginForeign, Changes: f.changes, At: f.at}
	if f.cloud != "" {
		of := len(f.changes) - 1 // the image of a push comes before its tag, which is told of
		r.Events = []events.Event{{ID: f.id, Source: f.cloud, Type: f.kind, Of: of, Body: body.Bytes(), Change: f.changes[of]}}
	}
	w.out.add(Item{Place: c.Place, What: c.what(f.thing), Recorded: recording.Line{At: f.at, Record: r}}, f.request)
}

// ecr reads an event of ECR.
func (w *walk) ecr(raw []byte, c spot) {
	e, err := ecr.Decode(raw)
	thing := "ECR event"
	switch {
	case err != nil:
		w.skip(c, thing, "%v", err)
		return
	case e.Image == nil:
		w.skip(c, thing, "an %s changes no image: want %s", e.DetailType, ecr.ImageActionType)
		return
	case e.Image.Result != ecr.Success:
		w.skip(c, thing, "event %s: result is %q: nothing happened", e.ID, e.Image.Result)
		return
	}
	base := events.Change{Registry: e.Account, Repository: e.Image.Repository, MediaType: e.Image.ManifestMediaType}
	f := found{thing: thing, id: e.ID, at: e.Time, cloud: ecr.Source, kind: e.Image.Action}
	switch e.Image.Action {
	case ecr.Push:
		f.changes = w.push(base, e.Image.Tag, e.Image.Digest)
	case ecr.Delete:
		f.changes = w.remove(base, e.Image.Tag, e.Image.Digest)
	default:
		w.skip(c, thing, "event %s: %s changes no image and no tag: want %s or %s", e.ID, e.Image.Action, ecr.Push, ecr.Delete)
		return
	}
	w.tell(c, f, raw)
}

// yandex reads a message of a Container Registry trigger.
func (w *walk) yandex(raw []byte, c spot) {
	const thing = "Yandex trigger message"
	var m yandex.Message
	if err := json.Unmarshal(raw, &m); err != nil {
		w.skip(c, thing, "%v", err)
		return
	}
	short := yandex.ShortType(m.EventMetadata.EventType)
	kinds := map[string]events.Kind{yandex.CreateImage: events.ImageCreated, yandex.CreateImageTag: events.TagAttached,
		yandex.DeleteImage: events.ImageDeleted, yandex.DeleteImageTag: events.TagDetached}
	kind, ok := kinds[short]
	if !ok {
		w.skip(c, thing, "event_type %q: want one of %s", m.EventMetadata.EventType, strings.Join(yandex.Types(), ", "))
		return
	}
	d := m.Details
	change := events.Change{Kind: kind, Registry: d.RegistryID, Repository: strings.TrimPrefix(d.RepositoryName, d.RegistryID+"/"), Tag: d.Tag, Digest: d.ImageDigest}
	w.tell(c, found{thing: thing, id: m.EventMetadata.EventID, at: m.EventMetadata.CreatedAt, cloud: yandex.Source, kind: short,
		changes: []events.Change{change}, request: "yandex"}, raw)
}

// notification is an event of the distribution registry.
type notification struct {
	ID        string    `json:"id"`
	Timestamp time.Time `json:"timestamp"`
	Action    string    `json:"action"`
	Target    struct {
		MediaType  string `json:"mediaType"`
		Digest     string `json:"digest"`
		Size       int64  `json:"size"`
		Repository string `json:"repository"`
		Tag        string `json:"tag"`
	} `json:"target"`
	Request struct {
		ID string `json:"id"`
	} `json:"request"`
}

// distribution reads a notification of the distribution registry. Versions 2 and 3 differ in which empty members they leave out.
func (w *walk) distribution(raw []byte, c spot) {
	const thing = "notification of a distribution registry"
	var n notification
	if err := json.Unmarshal(raw, &n); err != nil {
		w.skip(c, thing, "%v", err)
		return
	}
	t := n.Target
	base := events.Change{Registry: w.options.Registry, Repository: t.Repository, MediaType: t.MediaType, Size: t.Size}
	f := found{thing: thing, id: n.ID, at: n.Timestamp}
	switch {
	case n.Action == "push" && (strings.Contains(t.MediaType, "manifest") || strings.Contains(t.MediaType, "index")):
		f.changes = w.push(base, t.Tag, t.Digest)
	case n.Action == "delete":
		f.changes = w.remove(base, t.Tag, t.Digest)
		if n.Request.ID != "" {
			f.request = "distribution " + n.Request.ID // the tags of a deleted image come one by one
		}
	case n.Action == "push":
		w.skip(c, thing, "a push of %s: a part of an image, not an image", orNothing(t.MediaType))
		return
	default:
		w.skip(c, thing, "%s changes no image: want push or delete", orNothing(n.Action))
		return
	}
	w.tell(c, f, raw)
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// journal reads a line of regcast's own journal, which has no header before it.
func (w *walk) journal(raw []byte, c spot) {
	const thing = "line of regcast's journal"
	var l recording.Line
	err := json.Unmarshal(raw, &l)
	if err == nil {
		*l.Record, err = decoded(l.Record)
	}
	if err != nil {
		w.skip(c, thing, "%v", err)
		return
	}
	w.out.add(Item{Place: c.Place, What: c.what(thing), Recorded: l}, "")
}

// decoded gives the events of a record their changes.
func decoded(r *events.Record) (events.Record, error) {
	if len(r.Changes) == 0 {
		return *r, fmt.Errorf("a record without changes")
	}
	for i := range r.Events {
		of := r.Events[i].Of
		if of < 0 || of >= len(r.Changes) {
			return *r, fmt.Errorf("event %s tells of change %d of %d", r.Events[i].ID, of, len(r.Changes))
		}
		r.Events[i].Change = r.Changes[of]
	}
	return *r, nil
}

// push is what a push changed, as far as this file tells what was there before.
func (w *walk) push(base events.Change, tag, digest string) []events.Change {
	var tags []string
	if tag != "" {
		tags = []string{tag}
	}
	repository := w.index.of(base.Registry, base.Repository)
	var derived []events.Change
	if digest != "" {
		derived = events.Push(repository, digest, tags, false)
	}
	repository.push(digest, tag)
	if len(derived) == 0 { // told of something that was so already, or without a digest: it is told again
		kind := events.ImageCreated
		if tag != "" {
			kind = events.TagAttached
		}
		derived = []events.Change{{Kind: kind, Tag: tag, Digest: digest}}
	}
	for i, d := range derived {
		derived[i] = base
		derived[i].Kind, derived[i].Tag, derived[i].Digest = d.Kind, d.Tag, d.Digest
		if d.Kind == events.TagDetached { // another image's
			derived[i].MediaType, derived[i].Size = "", 0
		}
	}
	return derived
}

// remove is what a deletion changed: a tag goes alone, as each of an image's tags is told of by itself.
func (w *walk) remove(base events.Change, tag, digest string) []events.Change {
	repository := w.index.of(base.Registry, base.Repository)
	base.Kind, base.Tag, base.Digest = events.ImageDeleted, tag, digest
	if tag != "" {
		base.Kind = events.TagDetached
		if base.Digest == "" {
			base.Digest, _ = repository.Tag(tag)
		}
	}
	repository.remove(tag, digest)
	return []events.Change{base}
}
