package explain

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/regcast/regcast/events"
)

// listed is how many triggers that are far from firing are written out.
const listed = 20

// Text writes it for people: the answer first, then the event, then each trigger.
func (x Explanation) Text(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n", x.Answer)
	e := x.Event
	fmt.Fprintf(&b, "%s  %s  %s\n", e.ID, e.Type, image(e.Change))
	if e.Seq > 0 {
		fmt.Fprintf(&b, "entry %d, %s, from %s\n", e.Seq, clock(e), e.Origin)
	}
	near, foreign := x.near()
	for i, t := range near {
		if i == listed {
			fmt.Fprintf(&b, "\n… and %d more that did not fire\n", len(near)-i)
			break
		}
		b.WriteByte('\n')
		t.text(&b, x)
	}
	if foreign != nil {
		fmt.Fprintf(&b, "\nof another cloud, and so not asked: %s\n", few(foreign))
	}
	for _, i := range x.Invocations {
		fmt.Fprintf(&b, "\nfunction %s, %.0f ms", i.Function, i.DurationMS)
		if i.Error == "" {
			b.WriteString(": answered\n")
			continue
		}
		fmt.Fprintf(&b, ": %s\n", i.Error)
		if i.Output != "" {
			fmt.Fprintf(&b, "  %s\n", clip(i.Output))
		}
		for _, line := range i.Log {
			fmt.Fprintf(&b, "  | %s\n", clip(line))
		}
	}
	x.frames(&b)
	if len(x.Further) > 0 {
		b.WriteString("\nthen\n")
	}
	for _, f := range x.Further {
		fmt.Fprintf(&b, "  %s  %-8s  %-9s  %s\n", f.At.Local().Format("15:04:05.000"), f.Room, f.What, strings.TrimPrefix(f.Who+": ", ": ")+f.Text)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Brief writes a line for the event and one for each trigger, with what it says and where that is said.
func (x Explanation) Brief(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  %s  %s\n", x.Event.ID, x.Event.Type, image(x.Event.Change))
	width := 0
	near, foreign := x.near()
	for _, t := range near {
		width = max(width, len(t.name()))
	}
	for i, t := range near {
		if i == listed {
			fmt.Fprintf(&b, "  … and %d more that do not fire\n", len(near)-i)
			break
		}
		verdict, why := "no ", t.why()
		if t.Fired {
			verdict, why = "yes", t.Note
			for _, d := range t.Deliveries {
				why = join(why, fmt.Sprintf("action %d: %s", d.Action+1, d.Text))
			}
		}
		line := fmt.Sprintf("  %s  %-*s  %s", verdict, width, t.name(), why)
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
		if !t.Fired && t.Miss != nil && t.Miss.Doc != "" {
			fmt.Fprintf(&b, "       %*s  see %s\n", width, "", t.Miss.Doc)
		}
	}
	if foreign != nil {
		fmt.Fprintf(&b, "  no   of another cloud: %s\n", few(foreign))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// near are the triggers that are worth a line each; of those of another cloud the names are enough.
func (x Explanation) near() (near []Trigger, foreign []string) {
	for _, t := range x.Triggers {
		if t.foreign() && len(x.Triggers) > 1 {
			foreign = append(foreign, t.name())
		} else {
			near = append(near, t)
		}
	}
	return near, foreign
}

func (t Trigger) text(b *bytes.Buffer, x Explanation) {
	yes := "fired"
	switch {
	case x.Dry && t.Fired:
		yes = "would fire"
	case x.Dry:
		yes = "would not fire"
	case !t.Fired && x.Pending:
		yes = "has not read it yet"
	case !t.Fired:
		yes = "did not fire"
	}
	fmt.Fprintf(b, "%s  %s\n", t.name(), yes)
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(b, "  %-10s %s\n", what, text)
		}
	}
	line("wants", t.About)
	if t.Miss != nil {
		what := "but"
		if t.Fired {
			what = "now"
		}
		miss(line, what, t.Miss)
	}
	line("note", t.Note)
	if t.Batch != nil {
		line("batch", t.Batch.text())
		if n := len(t.Batch.With); n > 0 {
			line("with", few(t.Batch.With))
		}
	}
	for _, d := range t.Deliveries {
		what := d.What
		if len(t.Deliveries) > 1 && d.Action >= 0 {
			what = fmt.Sprintf("%s %d", d.What, d.Action+1)
		}
		if d.Miss != nil {
			miss(line, what, d.Miss)
			continue
		}
		line(what, d.Text)
		for _, r := range d.Retries {
			if r != d.Text {
				line("", "before: "+r)
			}
		}
		if d.What == Retrying && !d.Next.IsZero() {
			line("next", d.Next.Local().Format("15:04:05.000"))
		}
	}
}

// miss writes each part of a miss on a line of its own.
func miss(line func(what, text string), what string, m *events.Miss) {
	head := *m
	head.Hint = ""
	if len(m.Either) > 0 {
		head.Either = nil
		line(what, "no alternative of "+m.Field+" matches:")
		for i := range m.Either {
			miss(line, "", &m.Either[i])
		}
		line("", m.Hint)
	} else if text := head.String(); text != "" {
		line(what, text)
		line("hint", m.Hint)
	} else {
		line(what, m.Hint)
	}
	line("see", m.Doc)
}

func (b Batch) text() string {
	if b.Open {
		s := fmt.Sprintf("%d of %d so far", b.Waiting, b.Of)
		if b.Left > 0 {
			return s + ", goes in " + seconds(b.Left) + " at the latest"
		}
		return s
	}
	if b.Text == "" {
		return ""
	}
	return b.Text + ", after " + seconds(b.Waited)
}

// frames tells of what went to sockets: of those to single connections how many there were, and which were not taken.
func (x Explanation) frames(b *bytes.Buffer) {
	sent := 0
	for _, f := range x.Frames {
		switch {
		case f.Error != "":
			fmt.Fprintf(b, "\nframe to %s of %s: not taken: %s\n", f.to(), f.where(), f.Error)
		case f.Connection == "" && f.Sent == 0: // the delivery has said so
		case f.Connection == "":
			fmt.Fprintf(b, "\nframe of %d bytes to %s of %s\n", f.Bytes, connections(f.Sent), f.where())
		default:
			sent++
		}
	}
	if sent > 0 {
		fmt.Fprintf(b, "\nframes to %s, each by itself\n", connections(sent))
	}
}

func connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}

func (f Frame) where() string { return f.Gateway + "/" + strings.TrimPrefix(f.Path, "/") }

func (f Frame) to() string {
	if f.Connection == "" {
		return "all connections"
	}
	return "the connection " + f.Connection
}

func few(ids []string) string {
	const most = 5
	if len(ids) > most {
		return strings.Join(ids[:most], ", ") + fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return strings.Join(ids, ", ")
}

func image(c events.Change) string {
	s := c.Registry + "/" + c.Repository
	if c.Kind == events.TagAttached || c.Kind == events.TagDetached {
		s += ":" + c.Tag
	}
	if digest, _, _ := strings.Cut(c.Digest, " "); digest != "" {
		const short = len("sha256:") + 12
		if len(digest) > short {
			digest = digest[:short] + "…"
		}
		s += "@" + digest
	}
	return s
}

func clock(e Event) string {
	if e.At.IsZero() {
		return "at an unknown time"
	}
	return e.At.Local().Format("2006-01-02 15:04:05.000")
}

// clip shortens what would fill the screen.
func clip(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
