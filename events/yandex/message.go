// Package yandex words registry changes as Yandex Cloud's Container Registry trigger does, and reads such messages back.
//
// Source of every shape: docs en/_includes/functions/cr-format.md and cr-event.md of yandex-cloud/docs; what those leave open is
// decided in docs/FIDELITY.md.
package yandex

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
)

// Batch is what a trigger hands to its target: always a list, also for one message.
type Batch struct {
	Messages []Message `json:"messages"`
	// Others are the elements that are no Container Registry events, as they came: triggers of other kinds send other shapes, some
	// without event_metadata, through the same targets.
	Others []json.RawMessage `json:"-"`
}

// Message is one Container Registry event. The fields stand in the order of the documented sample.
type Message struct {
	EventMetadata Metadata `json:"event_metadata"`
	Details       Details  `json:"details"`
}

// Metadata is the envelope that most triggers share.
type Metadata struct {
	CloudID        string          `json:"cloud_id"`
	CreatedAt      time.Time       `json:"created_at"` // RFC 3339, UTC
	EventID        string          `json:"event_id"`
	EventType      string          `json:"event_type"` // see TypePrefix
	FolderID       string          `json:"folder_id"`
	TracingContext *TracingContext `json:"tracing_context,omitempty"`
}

// TracingContext carries the ids of the cloud's own tracing. Span ids are signed 64-bit numbers in decimal.
type TracingContext struct {
	ParentSpanID string `json:"parent_span_id"`
	SpanID       string `json:"span_id"`
	TraceID      string `json:"trace_id"`
}

// Details says which image or tag the event is about.
type Details struct {
	ImageDigest    string `json:"image_digest"`
	ImageID        string `json:"image_id"`
	RegistryID     string `json:"registry_id"`
	RepositoryName string `json:"repository_name"` // already holds the registry id: "crp…/ubuntu"
	Tag            string `json:"tag,omitempty"`
}

// Event types in the short spelling of yc's --events flag and of events.Event.Type.
const (
	CreateImage    = "create-image"
	CreateImageTag = "create-image-tag"
	DeleteImage    = "delete-image"
	DeleteImageTag = "delete-image-tag"
)

// TypePrefix stands before the camel-case name of a type in Metadata.EventType.
const TypePrefix = "yandex.cloud.events.containerregistry."

// Types lists the four event types in the order of the cloud's enum (CREATE_IMAGE = 1 … DELETE_IMAGE_TAG = 4).
func Types() []string { return []string{CreateImage, DeleteImage, CreateImageTag, DeleteImageTag} }

// DecodeBatch reads a batch as the cloud sends it. Unknown fields are ignored, and what is no Container Registry event is left in
// Others; an event that is one and cannot be read is an error.
func DecodeBatch(data []byte) (Batch, error) {
	var raw struct {
		Messages []json.RawMessage `json:"messages"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return Batch{}, fmt.Errorf("batch: %w", err)
	}
	var b Batch
	for i, element := range raw.Messages {
		if !isEvent(element) {
			b.Others = append(b.Others, element)
			continue
		}
		var m Message
		if err := json.Unmarshal(element, &m); err != nil {
			return Batch{}, fmt.Errorf("batch: message %d: %w", i, err)
		}
		b.Messages = append(b.Messages, m)
	}
	return b, nil
}

func isEvent(element json.RawMessage) bool {
	var m struct {
		EventMetadata struct {
			EventType string `json:"event_type"`
		} `json:"event_metadata"`
	}
	return json.Unmarshal(element, &m) == nil && strings.HasPrefix(m.EventMetadata.EventType, TypePrefix)
}

// ShortType returns the short spelling of a Metadata.EventType, and one that it does not know as it is.
func ShortType(long string) string {
	for _, k := range []events.Kind{events.ImageCreated, events.TagAttached, events.ImageDeleted, events.TagDetached} {
		if s, l := typeOf(k); l == long {
			return s
		}
	}
	return long
}
