package shake

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// socketName says which socket, by its turn on its path.
func (h *history) socketName(name string) string {
	s := h.sockets[name]
	if s == nil {
		return name
	}
	n := 0
	for _, other := range h.opened {
		if o := h.sockets[other]; o.gateway == s.gateway && o.path == s.path {
			n++
		}
		if other == name {
			break
		}
	}
	path := s.path
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	text := fmt.Sprintf("the %s socket on %s%s", nth(n), s.gateway, path)
	if s.url != "" && s.url != path {
		text += " (" + s.url + ")"
	}
	return text
}

// Text writes the report for people. file is where the failure's recording is; empty: nowhere.
func (r Report) Text(to io.Writer, file string) error {
	w := bufio.NewWriter(to)
	if f := r.Failure; f != nil {
		f.text(w, file)
	} else {
		fmt.Fprintf(w, "nothing found: no message is lost or doubled beyond what is promised\n")
	}
	fmt.Fprintf(w, "\n%s, %s, %s; %s in %v", plural(r.Events, "event"), plural(r.Sockets, "socket"), plural(r.Messages, "message"), plural(r.Runs, "run"), r.Duration.Round(10*time.Millisecond))
	if r.Duration > 0 {
		fmt.Fprintf(w, ", %.1f a second", float64(r.Runs)/r.Duration.Seconds())
	}
	fmt.Fprintln(w)
	for _, l := range r.Lengths {
		what := "single faults"
		if l.Faults > 1 {
			what = "pairs of faults"
		}
		fmt.Fprintf(w, "%s: %d of %d tried", what, l.Tried, l.Of)
		switch {
		case l.Tried == l.Of:
		case r.Failure != nil:
			fmt.Fprint(w, "; the first that fails ends the search")
		default:
			fmt.Fprintf(w, "; %d were not, for the budget is used up (--budget)", l.Of-l.Tried)
		}
		fmt.Fprintln(w)
	}
	if g := r.GivenUp; g != nil {
		fmt.Fprintf(w, "allowed: in %s an event is given up as configured, as when you %s: %s\n",
			plural(g.Schedules, "schedule"), strings.Join(g.Schedule, ", and "), orElse(g.Step, "it is yet to be tried again"))
	}
	for _, u := range r.Unfinished {
		fmt.Fprintf(w, "not judged: %s: %s\n", strings.Join(u.Schedule, ", and "), u.Why)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	return w.Flush()
}

func (f *Failure) text(w io.Writer, file string) {
	fmt.Fprintf(w, "%s: %s\n", strings.ToUpper(string(f.Kind)), f.What)
	fmt.Fprintf(w, "  event    %s\n  socket   %s\n", f.Event, f.Socket)
	switch {
	case f.Kind == Doubled:
		fmt.Fprintf(w, "  came     %s in place of %s\n", times(f.Got), times(f.Want))
	case f.Got > 0:
		fmt.Fprintf(w, "  came     %s in place of %s\n", times(f.Got), times(f.Want))
	default:
		fmt.Fprintf(w, "  came     never\n")
	}
	if f.Also > 0 {
		fmt.Fprintf(w, "  and      %d more messages are lost or doubled\n", f.Also)
	}
	if len(f.Schedule) == 0 {
		fmt.Fprintf(w, "  when     nothing goes wrong\n")
	}
	for i, s := range f.Schedule {
		fmt.Fprintf(w, "  %-8s %s\n", []string{"when", "and"}[min(i, 1)], s)
	}
	fmt.Fprintf(w, "  why      %s\n  promise  %s\n", f.Why, f.Promise)
	if len(f.Steps) > 0 {
		fmt.Fprintf(w, "  steps\n")
		for _, s := range f.Steps {
			fmt.Fprintf(w, "    %s  %-9s %-9s %s\n", s.At.UTC().Format("15:04:05.000"), s.Room, s.What, orElse(s.Text, s.Who))
		}
	}
	if f.Again[1] > 1 {
		fmt.Fprintf(w, "  again    %d of %d runs of this schedule fail\n", f.Again[0], f.Again[1])
	}
	if file != "" {
		fmt.Fprintf(w, "  replay   regcast shake %s   (a recording with %s; its configuration has the faults)\n", file, plural(f.Events, "event"))
	}
}

// JSON writes the report as one indented object.
func (r Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
