package emulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
)

// emitRequest is one element of the body of POST /_regcast/events.
type emitRequest struct {
	Kind       string    `json:"kind"` // push, tag, untag or delete
	RegistryID string    `json:"registry_id"`
	Repository string    `json:"repository"`
	Tag        string    `json:"tag"`
	Digest     string    `json:"digest"`
	At         time.Time `json:"at"`
}

var (
	repositoryForm = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagForm        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	digestForm     = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
)

// parseEmit reads one change or a list of changes; each becomes a record of its own.
func parseEmit(body []byte, defaultRegistry string) ([][]events.Change, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, errors.New(`body: empty; want {"kind":"push","repository":"ubuntu","tag":"22.04"} or a list of such`)
	}
	var requests []emitRequest
	one := body[0] != '['
	if one {
		requests = make([]emitRequest, 1)
		if err := decodeStrict(body, &requests[0]); err != nil {
			return nil, err
		}
	} else if err := decodeStrict(body, &requests); err != nil {
		return nil, err
	}
	records := make([][]events.Change, 0, len(requests))
	for i, r := range requests {
		changes, err := r.changes(defaultRegistry)
		if err != nil {
			if !one {
				err = fmt.Errorf("element %d: %w", i, err)
			}
			return nil, err
		}
		records = append(records, changes)
	}
	return records, nil
}

func decodeStrict(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("body: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("body: more than one JSON value; send a list")
	}
	return nil
}

// changes checks the request and spells it out. It derives from an empty repository: what is asked for happens.
func (r emitRequest) changes(defaultRegistry string) ([]events.Change, error) {
	if !repositoryForm.MatchString(r.Repository) || len(r.Repository) > 255 {
		return nil, fmt.Errorf("repository: got %q, want lower-case path components such as team/app", r.Repository)
	}
	if r.Tag != "" && !tagForm.MatchString(r.Tag) {
		return nil, fmt.Errorf("tag: got %q, want at most 128 of [A-Za-z0-9._-], not starting with . or -", r.Tag)
	}
	if r.Digest != "" && !digestForm.MatchString(r.Digest) {
		return nil, fmt.Errorf("digest: got %q, want sha256: and 64 hex digits, or sha512: and 128", r.Digest)
	}
	if strings.Contains(r.RegistryID, "/") || len(r.RegistryID) > 50 {
		return nil, fmt.Errorf("registry_id: got %q, want at most 50 characters without /", r.RegistryID)
	}
	if r.RegistryID == "" {
		r.RegistryID = defaultRegistry
	}
	digest := r.Digest
	if digest == "" { // an image that does not exist still needs a name that stays the same
		digest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(r.RegistryID+"/"+r.Repository+":"+r.Tag)))
	}
	var kinds []events.Kind
	switch r.Kind {
	case "push":
		kinds = []events.Kind{events.ImageCreated}
		if r.Tag != "" {
			kinds = append(kinds, events.TagAttached)
		}
	case "tag":
		kinds = []events.Kind{events.TagAttached}
	case "untag":
		kinds = []events.Kind{events.TagDetached}
	case "delete":
		if r.Tag != "" {
			kinds = []events.Kind{events.TagDetached}
		}
		kinds = append(kinds, events.ImageDeleted)
	default:
		return nil, fmt.Errorf("kind: got %q, want push, tag, untag or delete", r.Kind)
	}
	if r.Tag == "" && (r.Kind == "tag" || r.Kind == "untag") {
		return nil, fmt.Errorf("tag: empty; kind %s needs one", r.Kind)
	}
	var changes []events.Change
	for _, k := range kinds {
		c := events.Change{Kind: k, Registry: r.RegistryID, Repository: r.Repository, Tag: r.Tag, Digest: digest, At: r.At}
		if k == events.ImageDeleted {
			c.Tag = ""
		}
		changes = append(changes, c)
	}
	return changes, nil
}
