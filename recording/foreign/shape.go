package foreign

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/events/ecr"
	"github.com/regcast/regcast/events/yandex"
)

// object is a JSON object by its keys.
type object map[string]json.RawMessage

func (o object) has(keys ...string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { return o[k] == nil })
}

// text is a member that is a string; empty otherwise.
func (o object) text(key string) string {
	var s string
	_ = json.Unmarshal(o[key], &s)
	return s
}

// object is a member that is one; empty otherwise.
func (o object) object(key string) object {
	var in object
	_ = json.Unmarshal(o[key], &in)
	return in
}

// whole tells what an object is, and walks through it if it may have events in it. It tells whether it said anything.
func (w *walk) whole(raw []byte, c spot) bool {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		w.skip(c, "", "broken JSON: %v", err)
		return true
	}
	switch {
	case o.has("detail-type", "detail") && o.text("source") == ecr.EventSource:
		w.ecr(raw, c)
		return true
	case strings.HasPrefix(o.object("event_metadata").text("event_type"), yandex.TypePrefix):
		w.yandex(raw, c)
		return true
	case o.has("action", "target") && o.object("target") != nil:
		w.distribution(raw, c)
		return true
	case o.has("at", "record") && o.object("record").has("changes"):
		w.journal(raw, c)
		return true
	case o.has("at") && slices.ContainsFunc([]string{"step", "invocation", "frame", "socket", "clock"}, func(part string) bool { return len(o.object(part)) > 0 }):
		w.skip(c, "line of regcast's journal", "a line with no record: a replay makes what follows from records anew")
		return true
	}
	if name := webhook(o); name != "" {
		w.skip(c, name, "not read: %s; say the same by hand, as in: regcast emit create-image-tag --image team/app --tag v1", name)
		return true
	}
	in, nothing := wrapping(o, c)
	in.inner, in.quiet = true, true
	if w.members(o, in) {
		return true
	}
	if c.quiet {
		return false
	}
	if nothing == "" {
		nothing = "no event that regcast knows: an object with " + keys(o)
	}
	w.skip(c, "", "%s", nothing)
	return true
}

// members walks through all that an object has, in the order of its keys, since encoding/json leaves no other.
func (w *walk) members(o object, c spot) (said bool) {
	if c.depth > maxWraps {
		return false
	}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		raw := bytes.TrimSpace(o[key])
		here := c.member(key)
		switch {
		case w.out.stopped || len(raw) == 0:
		case raw[0] == '{' || raw[0] == '[':
			said = w.json(sourceOf(raw, c.Line), here) || said
		case raw[0] == '"' && len(raw) > 8:
			var text string
			if json.Unmarshal(raw, &text) != nil {
				break
			}
			if strings.ContainsAny(text, "{[") {
				said = w.inside(text, here) || said
			} else if plain := w.decoded(text); plain != nil {
				said = w.inside(string(plain), here.within("base64")) || said
			}
		}
	}
	return said
}

// decoded is what base64 holds, when that is JSON or gzip; else nil.
func (w *walk) decoded(text string) []byte {
	const zipped = "H4sI"
	if !strings.HasPrefix(text, "ey") && !strings.HasPrefix(text, "ew") && !strings.HasPrefix(text, "W3") && !strings.HasPrefix(text, zipped) {
		return nil // no brace, no bracket
	}
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	if !strings.HasPrefix(text, zipped) {
		return plain
	}
	z, err := gzip.NewReader(bytes.NewReader(plain))
	if err != nil {
		return nil
	}
	plain, _ = io.ReadAll(io.LimitReader(z, int64(w.options.MaxValue))) // what is cut off will be torn JSON, which is told of
	return plain
}

// wrapping names what an object is that may have events in it, and takes its time. nothing says what to say when it has none.
func wrapping(o object, c spot) (in spot, nothing string) {
	take := func(key string) { // milliseconds or RFC 3339
		var ms int64
		var at time.Time
		if json.Unmarshal(o[key], &ms) == nil {
			c.at = time.UnixMilli(ms).UTC()
		} else if json.Unmarshal(o[key], &at) == nil {
			c.at = at
		}
	}
	label := ""
	switch {
	case o.has("detail-type", "source", "detail"):
		label = "an event of " + o.text("source")
		nothing = "an EventBridge event of " + o.text("source") + " (" + o.text("detail-type") + "): want one of " + ecr.EventSource
		take("time")
	case o.has("event_metadata"):
		label = "a Yandex trigger message of another kind"
		kind := o.object("event_metadata").text("event_type")
		nothing = "a Yandex trigger message of type " + kind + ": want " + yandex.TypePrefix + "…"
	case o.has("specversion", "type", "source"):
		label = "a CloudEvent"
		nothing = "a CloudEvent of type " + o.text("type") + ": its data is no event that regcast knows"
		take("time")
	case o.has("headers") && headed(o.object("headers"), "Ce-Specversion"):
		label = "a CloudEvent in binary form"
		nothing = "a CloudEvent of type " + header(o.object("headers"), "Ce-Type") + ": its body is no event that regcast knows"
		c.at, _ = time.Parse(time.RFC3339, header(o.object("headers"), "Ce-Time"))
	case o.has("body", "messageId"), o.has("Body", "MessageId"):
		label, nothing = "an SQS record", "an SQS record without an event"
	case o.has("Message", "Type"), o.has("Sns"):
		label, nothing = "an SNS notification", "an SNS notification without an event"
		take("Timestamp")
	case o.has("kinesis"):
		label, nothing = "a Kinesis record", "a Kinesis record without an event"
	case o.has("awslogs"):
		label, nothing = "a CloudWatch Logs subscription", "a CloudWatch Logs subscription without an event"
	case o.has("json_payload"), o.has("jsonPayload"), o.has("message", "timestamp", "level"), o.has("message", "timestamp", "resource"):
		label, nothing = "a Yandex log line", "a log line without an event: "+excerpt([]byte(o.text("message")))
		take("timestamp")
	case o.has("message", "timestamp"):
		label, nothing = "a CloudWatch log line", "a log line without an event: "+excerpt([]byte(o.text("message")))
		take("timestamp")
	}
	return c.within(label), nothing
}

func header(o object, name string) string {
	for k := range o {
		if strings.EqualFold(k, name) {
			return o.text(k)
		}
	}
	return ""
}

func headed(o object, name string) bool { return header(o, name) != "" }

// webhook names what other registries send, whose changes regcast does not read; empty for all else.
func webhook(o object) string {
	cloudEvent := func(prefix string) bool {
		return o.has("specversion") && strings.HasPrefix(o.text("type"), prefix) || strings.HasPrefix(header(o.object("headers"), "Ce-Type"), prefix)
	}
	switch {
	case cloudEvent("harbor."), o.has("type", "event_data"), o.has("event_type", "events", "project"):
		return "Harbor webhook"
	case cloudEvent("zotregistry."), o.has("name", "reference", "request") && o.has("digest"):
		return "event of zot"
	case cloudEvent("com.amazon.ecr."):
		return "ECR event in words of CloudEvents"
	case cloudEvent("cr:"):
		return "event of Alibaba Cloud"
	case o.has("push_data", "repository"):
		return "webhook of Docker Hub or Alibaba Cloud"
	case o.has("docker_url", "repository"):
		return "Quay notification"
	case o.has("action", "package"), o.has("action", "registry_package"):
		return "package webhook of GitHub or Gitea"
	case o.has("component", "repositoryName"):
		return "Nexus webhook"
	case o.has("domain", "event_type", "data"):
		return "JFrog webhook"
	case (o.text("action") == "INSERT" || o.text("action") == "DELETE") && (o.has("tag") || o.has("digest")):
		return "notification of Google's Artifact Registry"
	}
	return ""
}

// keys names an object's keys, or the first of many.
func keys(o object) string {
	names := slices.Sorted(maps.Keys(o))
	if len(names) == 0 {
		return "no keys"
	}
	more := ""
	if len(names) > 8 {
		names, more = names[:8], ", …"
	}
	for i, n := range names {
		names[i] = excerpt([]byte(n))
	}
	return "the keys " + strings.Join(names, ", ") + more
}
