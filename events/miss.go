package events

import "strings"

// Miss is a predicate that said no to an event: of a trigger, a rule or a filter.
type Miss struct {
	// Field is what was looked at, as its cloud calls it: "image_name", "detail.image-tag", "filter.jq".
	Field string `json:"field"`
	// Want and Got are as one would write them: strings in quotes, words such as none without.
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
	// Hint says in words what was nearly right, or what to write instead.
	Hint string `json:"hint,omitempty"`
	// Doc is where it is said that it is so: a page of the cloud's, or a row of docs/FIDELITY.md after its #.
	Doc string `json:"doc,omitempty"`
	// Either has a Miss for each way to match, when there were several and none did.
	Either []Miss `json:"either,omitempty"`
}

// What every trigger looks at before its own filters.
const (
	FieldCloud    = "cloud"
	FieldRegistry = "registry_id"
	FieldType     = "type"
	FieldPaused   = "paused"
)

// String says it in a sentence.
func (m *Miss) String() string {
	var b strings.Builder
	m.write(&b)
	return b.String()
}

func (m *Miss) write(b *strings.Builder) {
	if len(m.Either) > 0 {
		b.WriteString("no alternative of ")
	}
	b.WriteString(m.Field)
	open, end := " (", ")"
	switch {
	case len(m.Either) > 0:
		b.WriteString(" matches: ")
		for i := range m.Either {
			if i > 0 {
				b.WriteString("; ")
			}
			m.Either[i].write(b)
		}
	case m.Want != "" || m.Got != "":
		if m.Field != "" {
			b.WriteString(": ")
		}
		if m.Want != "" {
			b.WriteString("want " + m.Want + ", ")
		}
		b.WriteString("got " + m.Got)
	case m.Field != "":
		open, end = ": ", ""
	default:
		open, end = "", ""
	}
	if m.Hint != "" {
		b.WriteString(open + m.Hint + end)
	}
}
