package broadcast

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/regcast/regcast/events/ecr"
	"github.com/regcast/regcast/events/yandex"
)

// Format is how a client receives events.
type Format string

// The formats. Events of the format's own cloud are passed on byte for byte; the other cloud's are translated, and what has no
// counterpart is lost:
//
//   - as Yandex: {"messages":[…]}. An ECR event has no folder, image id and tracing (empty or absent), cloud_id and registry_id are the
//     account, repository_name is ECR's, without an account before it. A PUSH with a tag is CreateImageTag alone, without one
//     CreateImage; a DELETE likewise. Region and media types are lost.
//   - as ECR: a list of "ECR Image Action" events. account is the cloud's id, region is empty, repository-name goes without the
//     registry's id; folder, image id and tracing are lost.
//   - as CloudEvents 1.0: the JSON batch format, with the event as its cloud sent it in data. Nothing is lost.
const (
	Yandex      Format = "yandex"
	ECR         Format = "ecr"
	CloudEvents Format = "cloudevents"
)

// Formats lists the allowed values.
func Formats() []Format { return []Format{Yandex, ECR, CloudEvents} }

// envelope is what stands round events that are separated by commas.
func (f Format) envelope() (head, tail string) {
	if f == Yandex {
		return `{"messages":[`, `]}`
	}
	return `[`, `]`
}

// word is e as a client receives it.
func (f Format) word(e *event) (json.RawMessage, error) {
	switch {
	case f == Yandex && e.cloud == yandexCloud, f == ECR && e.cloud == ecrCloud:
		return e.raw, nil
	case f == Yandex:
		return encode(yandex.Message{
			EventMetadata: yandex.Metadata{CloudID: e.scope, CreatedAt: e.at, EventID: e.id, EventType: long(e.Type)},
			Details:       yandex.Details{ImageDigest: e.digest, RegistryID: e.Registry, RepositoryName: e.Repository, Tag: e.Tag},
		})
	case f == ECR:
		detail, err := encode(ecr.ImageAction{Result: ecr.Success, Repository: e.Repository, Digest: e.digest, Action: action(e.Type), Tag: e.Tag})
		if err != nil {
			return nil, err
		}
		return encode(ecr.Event{Version: "0", ID: e.id, DetailType: ecr.ImageActionType, Source: ecr.EventSource, Account: e.scope,
			Time: e.at.UTC().Truncate(time.Second), Resources: []string{}, Detail: detail})
	}
	source := "//cr.yandex/" + e.name()
	if e.cloud == ecrCloud {
		source = fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", e.region, e.scope, e.Repository)
	}
	subject := e.Tag
	if subject == "" {
		subject = e.digest
	}
	return encode(cloudEvent{"1.0", e.id, source, "regcast." + e.Type, e.at, subject, "application/json", e.raw})
}

// cloudEvent has one vocabulary of types on both clouds, that of wishes: "regcast.create-image-tag".
type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"` // the repository
	Type        string          `json:"type"`
	Time        time.Time       `json:"time"`
	Subject     string          `json:"subject,omitempty"` // the tag, or the digest of what has none
	ContentType string          `json:"datacontenttype"`
	Data        json.RawMessage `json:"data"`
}

func action(short string) string {
	if short == yandex.DeleteImage || short == yandex.DeleteImageTag {
		return ecr.Delete
	}
	return ecr.Push
}

func long(short string) string {
	names := map[string]string{yandex.CreateImage: "CreateImage", yandex.CreateImageTag: "CreateImageTag",
		yandex.DeleteImage: "DeleteImage", yandex.DeleteImageTag: "DeleteImageTag"}
	return yandex.TypePrefix + names[short]
}

func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// part is one message to a connection: events by their index in the batch.
type part struct {
	events []int
	text   []byte
}

// cut packs the wanted events in order into as few messages as limit bytes allow. An event that is over the limit by itself is in
// none of them.
func (f Format) cut(bodies []json.RawMessage, wanted []int, limit int) []part {
	head, tail := f.envelope()
	var parts []part
	var open []int
	size := 0
	flush := func() {
		if len(open) > 0 {
			text := make([]byte, 0, size)
			text = append(text, head...)
			for i, n := range open {
				if i > 0 {
					text = append(text, ',')
				}
				text = append(text, bodies[n]...)
			}
			parts = append(parts, part{slices.Clone(open), append(text, tail...)})
		}
		open, size = open[:0], len(head)+len(tail)
	}
	flush()
	for _, n := range wanted {
		if len(head)+len(bodies[n])+len(tail) > limit {
			continue
		}
		comma := min(len(open), 1)
		if size+comma+len(bodies[n]) > limit {
			flush()
			comma = 0
		}
		open, size = append(open, n), size+comma+len(bodies[n])
	}
	flush()
	return parts
}
