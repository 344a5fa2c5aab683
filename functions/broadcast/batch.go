package broadcast

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/events/ecr"
	"github.com/regcast/regcast/events/yandex"
	"github.com/regcast/regcast/functions/wish"
)

// event is one registry event of a batch, in the terms that both clouds share.
type event struct {
	wish.Event
	id     string
	digest string
	at     time.Time
	scope  string          // the account or cloud it happened in
	region string          // ECR only
	cloud  string          // yandexCloud or ecrCloud
	raw    json.RawMessage // as it came
	items  []string        // the queue's messages that held it
}

// name is the repository as its cloud spells it.
func (e *event) name() string {
	if e.cloud == yandexCloud && e.Registry != "" {
		return e.Registry + "/" + e.Repository
	}
	return e.Repository
}

const (
	yandexCloud = "yandex"
	ecrCloud    = "ecr"
)

// batch is what one invocation brings.
type batch struct {
	events  []event // in order, each ID once
	queued  bool    // came by SQS: items can fail one by one
	bad     []badItem
	ignored []string // events that are understood and that nobody can wish for
}

// badItem is a message of the queue that could not be read.
type badItem struct {
	item string
	err  error
}

// decode reads any of the three shapes.
func decode(payload []byte) (*batch, error) {
	b := &batch{}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(payload, &keys); err != nil {
		return nil, fmt.Errorf("batch: want a JSON object, found %s: %w", excerpt(payload), err)
	}
	if _, ok := keys["Records"]; ok {
		if err := b.queue(payload); err != nil {
			return nil, err
		}
	} else if err := b.body(payload, keys, ""); err != nil {
		return nil, err
	}
	b.once()
	return b, nil
}

// queue reads an SQS batch. A message that cannot be read fails alone.
func (b *batch) queue(payload []byte) error {
	var sqs struct {
		Records []struct {
			MessageID   string `json:"messageId"`
			EventSource string `json:"eventSource"`
			Body        string `json:"body"`
		}
	}
	if err := json.Unmarshal(payload, &sqs); err != nil {
		return fmt.Errorf("batch: Records: want those of SQS: %w", err)
	}
	b.queued = true
	for i, r := range sqs.Records {
		if r.EventSource != "aws:sqs" || r.MessageID == "" {
			return fmt.Errorf("batch: Records[%d]: eventSource %q, messageId %q: want those of SQS (aws:sqs)", i, r.EventSource, r.MessageID)
		}
		var keys map[string]json.RawMessage
		err := json.Unmarshal([]byte(r.Body), &keys)
		if err != nil {
			err = fmt.Errorf("batch: Records[%d].body: want a JSON object, found %s: %w", i, excerpt([]byte(r.Body)), err)
		} else if err = b.body([]byte(r.Body), keys, r.MessageID); err != nil {
			err = fmt.Errorf("batch: Records[%d].body: %w", i, err)
		}
		if err != nil {
			b.bad = append(b.bad, badItem{r.MessageID, err})
		}
	}
	return nil
}

// body reads an event of EventBridge or a batch of a Yandex trigger.
func (b *batch) body(body []byte, keys map[string]json.RawMessage, item string) error {
	switch {
	case keys["messages"] != nil:
		return b.messages(keys["messages"], item)
	case keys["detail-type"] != nil:
		return b.imageAction(body, keys, item)
	}
	return fmt.Errorf("batch: an object with %s: want messages (a Yandex trigger's batch), detail-type (an event of EventBridge) or Records (a batch of SQS)",
		found(keys))
}

func (b *batch) messages(list json.RawMessage, item string) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(list, &elements); err != nil {
		return fmt.Errorf("batch: messages: want a list: %w", err)
	}
	var read []event
	for i, raw := range elements {
		var m yandex.Message
		err := json.Unmarshal(raw, &m)
		short := yandex.ShortType(m.EventMetadata.EventType)
		switch {
		case err != nil:
			return fmt.Errorf("batch: messages[%d]: %w", i, err)
		case !slices.Contains(yandex.Types(), short):
			return fmt.Errorf("batch: messages[%d]: event_type %q is no Container Registry event; allowed: %s…", i, m.EventMetadata.EventType, yandex.TypePrefix)
		case m.Details.RepositoryName == "":
			return fmt.Errorf("batch: messages[%d]: details.repository_name is missing", i)
		}
		e := event{id: m.EventMetadata.EventID, digest: m.Details.ImageDigest, at: m.EventMetadata.CreatedAt, scope: m.EventMetadata.CloudID,
			cloud: yandexCloud, raw: raw, items: itemList(item)}
		e.Type, e.Tag, e.Registry = short, m.Details.Tag, m.Details.RegistryID
		e.Repository = strings.TrimPrefix(m.Details.RepositoryName, e.Registry+"/")
		read = append(read, e)
	}
	b.events = append(b.events, read...)
	return nil
}

// imageAction reads an "ECR Image Action".
func (b *batch) imageAction(body []byte, keys map[string]json.RawMessage, item string) error {
	a, err := ecr.Decode(body)
	switch {
	case errors.Is(err, ecr.ErrOther) || err == nil && a.Image == nil:
		return fmt.Errorf("batch: event %s: detail-type %s of source %s: want %q of %q", keys["id"], keys["detail-type"], keys["source"],
			ecr.ImageActionType, ecr.EventSource)
	case err != nil:
		return fmt.Errorf("batch: event: %w", err)
	case a.Image.Repository == "":
		return fmt.Errorf("batch: event %s: detail.repository-name is missing", a.ID)
	}
	short := map[string][2]string{
		ecr.Push:   {yandex.CreateImage, yandex.CreateImageTag},
		ecr.Delete: {yandex.DeleteImage, yandex.DeleteImageTag},
	}[a.Image.Action]
	if short[0] == "" || a.Image.Result != ecr.Success {
		b.ignored = append(b.ignored, fmt.Sprintf("%s: %s %s", a.ID, a.Image.Action, a.Image.Result))
		return nil
	}
	e := event{id: a.ID, digest: a.Image.Digest, at: a.Time, scope: a.Account, region: a.Region, cloud: ecrCloud, raw: body, items: itemList(item)}
	e.Type, e.Tag, e.Registry, e.Repository = short[0], a.Image.Tag, a.Account, a.Image.Repository
	if e.Tag != "" {
		e.Type = short[1]
	}
	b.events = append(b.events, e)
	return nil
}

// once leaves the first of events with the same ID, which then stands for all queue messages that held it.
func (b *batch) once() {
	at := map[string]int{}
	kept := b.events[:0]
	for _, e := range b.events {
		if i, again := at[e.id]; again && e.id != "" {
			kept[i].items = append(kept[i].items, e.items...)
			continue
		}
		at[e.id] = len(kept)
		kept = append(kept, e)
	}
	b.events = kept
}

func itemList(item string) []string {
	if item == "" {
		return nil
	}
	return []string{item}
}

func found(keys map[string]json.RawMessage) string {
	if len(keys) == 0 {
		return "no keys"
	}
	var names []string
	for k := range keys {
		names = append(names, excerpt([]byte(k)))
	}
	slices.Sort(names)
	if len(names) > 8 {
		names = append(names[:8], "…")
	}
	return "the keys " + strings.Join(names, ", ")
}

func excerpt(b []byte) string {
	if len(b) > 60 {
		return fmt.Sprintf("%q…", b[:60])
	}
	return fmt.Sprintf("%q", b)
}
