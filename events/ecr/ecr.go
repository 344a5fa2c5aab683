// Package ecr words registry changes as Amazon ECR's EventBridge events, and reads such events back.
//
// Source of every shape: the EventBridge reference of ECR's events and its published samples; what those leave open is decided in
// docs/FIDELITY.md.
package ecr

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// EventSource is the Event.Source of everything ECR says.
const EventSource = "aws.ecr"

// ImageActionType is the Event.DetailType of pushes and deletes. ECR's other types are read with their detail left raw.
const ImageActionType = "ECR Image Action"

// What an image action can do.
const (
	Push               = "PUSH"
	Delete             = "DELETE"
	UpdateStorageClass = "UPDATE_STORAGE_CLASS"
)

// Success is the ImageAction.Result of everything that is worded here.
const Success = "SUCCESS"

// ErrOther is what Decode says of JSON that is no event of ECR.
var ErrOther = errors.New("ecr: not an event of ECR")

// Event is what EventBridge delivers. The fields stand in the order of the documented samples.
type Event struct {
	Version    string          `json:"version"` // "0"
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"` // 12 digits
	Time       time.Time       `json:"time"`    // whole seconds, UTC
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"` // empty in an image action: a rule that names a repository's ARN never fires
	Detail     json.RawMessage `json:"detail"`
	// Image is Detail of an ECR Image Action; nil in every other type. It is not encoded: Detail is.
	Image *ImageAction `json:"-"`
}

// ImageAction is the detail of an ECR Image Action.
type ImageAction struct {
	Result            string `json:"result"`
	Repository        string `json:"repository-name"`
	Digest            string `json:"image-digest,omitempty"`
	Action            string `json:"action-type"`         // Push, Delete or UpdateStorageClass
	Tag               string `json:"image-tag,omitempty"` // left out when the manifest was put or deleted by digest
	ManifestMediaType string `json:"manifest-media-type,omitempty"`
	ArtifactMediaType string `json:"artifact-media-type,omitempty"`
	// Of UpdateStorageClass.
	TargetStorageClass string `json:"target-storage-class,omitempty"` // ARCHIVE or STANDARD
	LastActivatedAt    string `json:"last-activated-at,omitempty"`
}

// Decode reads an event of ECR, of any type. Unknown keys are ignored and values are not checked: the published samples have digests
// and ids that are none. What does not come from ECR is ErrOther.
func Decode(data []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(data, &e); err != nil {
		return Event{}, fmt.Errorf("ecr: %w", err)
	}
	if e.Source != EventSource {
		return Event{}, fmt.Errorf("%w: source is %q, want %q", ErrOther, e.Source, EventSource)
	}
	if len(e.Detail) == 0 {
		return Event{}, fmt.Errorf("ecr: event %s has no detail", e.ID)
	}
	if e.DetailType != ImageActionType {
		return e, nil
	}
	e.Image = new(ImageAction)
	if err := json.Unmarshal(e.Detail, e.Image); err != nil {
		return Event{}, fmt.Errorf("ecr: detail of event %s: %w", e.ID, err)
	}
	return e, nil
}
