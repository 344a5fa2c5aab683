package diff

import (
	"cmp"
	"slices"
	"strings"
)

// Kind is a sort of difference.
type Kind string

// What can differ. Only the notes of a report have Slower and Unreadable.
const (
	Input      Kind = "input"      // the runs were not given the same: what follows from it differs for that reason
	Refused    Kind = "refused"    // a socket that opened then does not open now
	Lost       Kind = "lost"       // a message that came then does not come now
	Doubled    Kind = "doubled"    // a message, or an event at a trigger, comes more often now
	Extra      Kind = "extra"      // a message, or a socket, that was never there then
	Changed    Kind = "changed"    // a message says something else
	Reordered  Kind = "reordered"  // a message comes at another place
	Later      Kind = "later"      // a message comes later, in house time, than is allowed
	Closed     Kind = "closed"     // a socket was closed in another way, or in one run only
	Failing    Kind = "failing"    // a function fails now, or in another way
	Fixed      Kind = "fixed"      // a function no longer fails
	Missing    Kind = "missing"    // a function is not called now
	Retried    Kind = "retried"    // a function is called more often now
	Invoked    Kind = "invoked"    // a function is called with something else
	Output     Kind = "output"     // a function answers something else
	Unfired    Kind = "unfired"    // an event fired a trigger then and does not now
	Fired      Kind = "fired"      // an event fires a trigger now and did not then
	GivenUp    Kind = "given-up"   // events are lost on their way now
	Kept       Kind = "kept"       // events that were lost are not any more
	Waiting    Kind = "waiting"    // what came in one run had not come by the end of the other: its events wait
	Batch      Kind = "batch"      // events are gathered in other batches
	Slower     Kind = "slower"     // a function takes longer by the machine's clock
	Unreadable Kind = "unreadable" // a line of a recording cannot be used
)

// Difference is one thing that a user would notice.
type Difference struct {
	Kind Kind `json:"kind"`
	// Where is a socket, a path, a function, a trigger or the input; sockets are numbered by their turn on their path.
	Where string `json:"where"`
	// Events are the ids of some events that it is about, as want calls them, or got where want has none.
	Events []string `json:"events,omitempty"`
	Text   string   `json:"text,omitempty"`
	// Want and Got are the beginnings of what was there: messages, answers, or batches (a b | c).
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
	// Details are the places at which two documents differ; More is how many there are beside them.
	Details []Detail `json:"details,omitempty"`
	More    int      `json:"more,omitempty"`
	// Line is where it stands in want and in got, counted from 1 without the header; 0: nowhere.
	Line [2]int64 `json:"line"`
}

// Detail is a place in a document.
type Detail struct {
	Path string `json:"path"` // as jq writes it
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
	Text string `json:"text,omitempty"`
}

// Subject is something that was compared.
type Subject struct {
	Kind string `json:"kind"` // "input", "path", "socket", "function", "trigger"
	Name string `json:"name"`
	// Messages are how many messages it got, or calls of a function, in want and in got.
	Messages    [2]int64 `json:"messages"`
	Differences int      `json:"differences"`
}

func (s *Subject) String() string { return s.Kind + " " + s.Name }

// Report is what Compare found.
type Report struct {
	// Differences are listed in the order in which they happened, up to Options.Limit of them; More is how many there are beside them.
	Differences []Difference `json:"differences"`
	More        int          `json:"more"`
	// Counts are all differences by kind.
	Counts map[Kind]int `json:"counts"`
	// Notes do not make runs differ: what is slower by the machine's clock, and lines that could not be read.
	Notes []Difference `json:"notes,omitempty"`
	// Subjects are what was compared, at most 10,000 by name; what is beyond is one of its kind, named "others".
	Subjects []Subject `json:"subjects"`
}

// Same says whether a user would notice nothing.
func (r Report) Same() bool { return len(r.Differences) == 0 && r.More == 0 }

// Total is how many differences there are.
func (r Report) Total() int { return len(r.Differences) + r.More }

const maxSubjects = 10_000

// collector makes a report.
type collector struct {
	limit    int
	out      Report
	subjects map[string]*Subject
	order    []*Subject
	dropped  Difference // what is counted only
}

func newCollector(limit int) *collector {
	if limit <= 0 {
		limit = defaultLimit
	}
	return &collector{limit: limit, out: Report{Differences: []Difference{}, Counts: map[Kind]int{}}, subjects: map[string]*Subject{}}
}

func (r *collector) subject(kind, name string) *Subject {
	key := kind + " " + name
	s := r.subjects[key]
	if s == nil && len(r.order) >= maxSubjects {
		name = "others"
		key = kind + " " + name
		s = r.subjects[key]
	}
	if s == nil {
		s = &Subject{Kind: kind, Name: name}
		r.subjects[key] = s
		r.order = append(r.order, s)
	}
	return s
}

// place is the subject called kind and name.
func (r *collector) place(where string) *Subject {
	kind, name, _ := strings.Cut(where, " ")
	return r.subject(kind, name)
}

// add counts a difference and lists it while there is room. What it returns may be completed until the next is added.
func (r *collector) add(s *Subject, d Difference) *Difference {
	d.Where = s.String()
	s.Differences++
	r.out.Counts[d.Kind]++
	if len(r.out.Differences) >= r.limit {
		r.out.More++
		r.dropped = d
		return &r.dropped
	}
	r.out.Differences = append(r.out.Differences, d)
	return &r.out.Differences[len(r.out.Differences)-1]
}

func (r *collector) note(d Difference) {
	if len(r.out.Notes) < r.limit {
		r.out.Notes = append(r.out.Notes, d)
	}
}

func (r *collector) finished() Report {
	slices.SortStableFunc(r.out.Differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.at(), b.at()), cmp.Compare(a.Line[1], b.Line[1]), cmp.Compare(a.Where, b.Where))
	})
	for _, s := range r.order {
		r.out.Subjects = append(r.out.Subjects, *s)
	}
	slices.SortStableFunc(r.out.Subjects, func(a, b Subject) int { return cmp.Compare(a.Kind, b.Kind) })
	return r.out
}

// at is the line by which a difference is sorted: lines of the two runs are about as far.
func (d Difference) at() int64 {
	if d.Line[0] == 0 {
		return d.Line[1]
	}
	return d.Line[0]
}
