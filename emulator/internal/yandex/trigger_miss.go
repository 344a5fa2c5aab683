package yandex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/regcast/regcast/emulator/internal/trigger/jq"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

// Where it is said how triggers match.
const (
	docTrigger = "https://yandex.cloud/en/docs/api-gateway/concepts/trigger/cr-trigger"
	docNames   = "docs/FIDELITY.md#`image_name` and `tag`"
	docNoTag   = "docs/FIDELITY.md#`tag` of CreateImage"
	docFilter  = "docs/FIDELITY.md#v2 `filter.jq`"
)

const onlyCase = "differs only by upper and lower case"

// accept compares what the engine's index cannot. Names and tags are compared as they are, upper and lower case apart.
func (s Source) accept() func(events.Event) *events.Miss {
	if s.ImageName == "" && s.Tag == "" {
		return nil
	}
	return func(e events.Event) *events.Miss {
		if c := &e.Change; s.ImageName != "" && s.ImageName != c.Repository && !isQualified(s.ImageName, c) {
			return &events.Miss{
				Field: "image_name", Want: quote(s.ImageName), Got: quote(c.Repository), Hint: nearImage(s.ImageName, *c), Doc: docNames,
			}
		}
		if s.Tag != "" {
			return s.otherTag(e)
		}
		return nil
	}
}

// isQualified tells whether a name is that of the image with its registry before it.
func isQualified(name string, c *events.Change) bool {
	registry, repository, cut := strings.Cut(name, "/")
	return cut && registry == c.Registry && repository == c.Repository
}

// nearImage says how a filter's image name nearly is that of a change.
func nearImage(want string, c events.Change) string {
	qualified := c.Registry + "/" + c.Repository
	same := func(name string) bool { return name == c.Repository || name == qualified }
	registry, repository, _ := strings.Cut(want, "/")
	untagged, tag, _ := strings.Cut(want, ":")
	untagged, digest, _ := strings.Cut(untagged, "@")
	switch {
	case strings.EqualFold(want, c.Repository) || strings.EqualFold(want, qualified):
		return onlyCase
	case same(strings.TrimSpace(want)):
		return "the filter has blanks around the name"
	case same(strings.Trim(want, "/")):
		return "the name neither begins nor ends with /"
	case (tag != "" || digest != "") && same(untagged):
		return "a name has no tag and no digest; the filter tag is a field of its own"
	case strings.Contains(registry, ".") && same(repository):
		return "a name is written without the registry's host: " + c.Repository + " or " + qualified
	case repository == c.Repository && strings.HasPrefix(registry, "crp"): // else it is a part of the name
		return fmt.Sprintf("the filter has the registry id %s, the image is in %s", registry, c.Registry)
	case strings.Contains(want, "*"):
		return "there are no patterns: a name is compared whole, and * is only a *"
	case strings.HasPrefix(c.Repository, want) || strings.HasPrefix(qualified, want):
		return "a name is compared whole, a beginning is not enough"
	case strings.HasSuffix(c.Repository, want):
		return "a name is compared whole, an end is not enough"
	case strings.HasSuffix(want, "/"+c.Repository):
		return "a name is compared whole, and the filter's is longer"
	}
	return ""
}

// otherTag says why an event is of another tag than the filter's.
func (s Source) otherTag(e events.Event) *events.Miss {
	tag := e.Change.Tag
	if !tagged(e.Type) {
		// Whether create-image carries a tag is a switch; the message itself tells how it stood.
		var m words.Message
		if json.Unmarshal(e.Body, &m) != nil || m.Details.Tag == "" {
			return &events.Miss{Field: "tag", Want: quote(s.Tag), Got: "none", Doc: docNoTag, Hint: fmt.Sprintf("a %s event carries no tag", e.Type)}
		}
		tag = m.Details.Tag
	}
	if tag == s.Tag {
		return nil
	}
	return &events.Miss{Field: "tag", Want: quote(s.Tag), Got: quote(tag), Hint: nearTag(s.Tag, tag), Doc: docNames}
}

func nearTag(want, got string) string {
	switch {
	case strings.EqualFold(want, got):
		return onlyCase
	case strings.TrimSpace(want) == got:
		return "the filter has blanks around the tag"
	case strings.HasSuffix(want, ":"+got):
		return "a tag is written without the image's name"
	case strings.Contains(want, "*"):
		return "there are no patterns: a tag is compared whole, and * is only a *"
	case strings.HasPrefix(got, want):
		return "a tag is compared whole, a beginning is not enough"
	}
	return ""
}

// keep asks a filter about one message. As in the cloud, a filter that fails has said no.
func keep(program *jq.Program) func(events.Event) *events.Miss {
	return func(e events.Event) *events.Miss {
		if ok, err := program.True(context.Background(), e.Body); ok && err == nil {
			return nil
		}
		r := program.Why(context.Background(), e.Body)
		miss := &events.Miss{Field: "filter.jq", Want: r.Expression, Got: clip(r.Got), Doc: docFilter}
		switch {
		case strings.Contains(r.Expression, ".messages"):
			miss.Hint = `a filter is given one message, not {"messages": […]}`
		case errors.Is(r.Err, jq.ErrEndless):
			miss.Hint = "it does not end"
		case r.Err != nil:
			miss.Hint = clip(strings.TrimPrefix(r.Err.Error(), "jq: "))
		case r.Operand != "":
			miss.Hint = r.Operand + " is " + clip(r.Value)
		}
		return miss
	}
}
