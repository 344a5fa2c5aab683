package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
)

// answer is the first thing that somebody wants to know: where the event is now. What was done to it on purpose comes behind that.
func (x Explanation) answer() string {
	if all := x.sentences(); len(all) > 0 {
		return shown(all)
	}
	switch {
	case len(x.Triggers) == 0 && x.Pending:
		return "no trigger has read it yet"
	case len(x.Triggers) == 0:
		return "there is no trigger that could want it"
	}
	t := x.Triggers[0]
	did := " did not fire: "
	if x.Dry {
		did = " would not fire: "
	}
	why := t.why()
	if x.Pending {
		if t.Miss == nil {
			return "no trigger has read it yet; " + t.name() + " wants it"
		}
		return "no trigger has read it yet; " + t.name() + " will not want it: " + why
	}
	n := -1
	for _, t := range x.Triggers {
		if !t.foreign() {
			n++
		}
	}
	switch {
	case n == 1:
		return t.name() + did + why + "; nor did the other one"
	case n > 1:
		return t.name() + did + why + fmt.Sprintf("; nor did the %d others", n)
	}
	return t.name() + did + why
}

// sentences are of the ends, and of what else went wrong.
func (x Explanation) sentences() []string {
	var before, all, faults []string
	if x.Dry {
		for _, t := range x.Triggers {
			if t.Fired {
				all = append(all, join(t.name()+" would fire", t.Note))
			}
		}
		return all
	}
	bad := false
	for _, e := range x.Ends {
		all = append(all, e.Text)
		bad = bad || grave(e.State) > grave(Waiting) || e.State == Waiting && e.Attempt > 0
	}
	for _, f := range x.Further {
		switch text := faultText(f.Who, f.Text); {
		case f.What == events.StepFault && !slices.Contains(all, text):
			faults = append(faults, text)
		case f.What == events.StepLost && !chained(f.Room):
			before = append(before, strings.TrimPrefix(f.Who+": ", ": ")+f.Text)
		}
	}
	for i, in := range x.Invocations {
		again := slices.ContainsFunc(x.Invocations[i+1:], func(later Invocation) bool { return later.Function == in.Function })
		if in.Error != "" && !again && !bad {
			before = append(before, fmt.Sprintf("the function %s failed: %s", in.Function, in.Error))
		}
	}
	return slices.Concat(before, all, faults)
}

// shown is the first few sentences.
func shown(all []string) string {
	const most = 3
	if len(all) > most {
		all = append(all[:most:most], fmt.Sprintf("and %d more, below", len(all)-most))
	}
	return strings.Join(all, "; ")
}

func (t Trigger) name() string {
	if t.Name == "" {
		return t.ID
	}
	return t.Name
}

// why is why it did not fire.
func (t Trigger) why() string {
	if t.Miss == nil {
		return t.Note
	}
	return join(t.Miss.String(), t.Note)
}

func (d Delivery) sentence() string {
	switch d.What {
	case Lost:
		return "its delivery is lost: " + d.Text
	case Skipped:
		return "the filter of its action leaves the event out: " + d.Text
	}
	if d.Text == Delivered {
		return d.Text
	}
	return "delivered " + d.Text
}

func (b Batch) sentence() string {
	if !b.Open {
		return "its batch has gone to the target (" + b.Text + ")"
	}
	s := fmt.Sprintf("the event waits in a batch, %d of %d", b.Waiting, b.Of)
	switch {
	case b.Left > 0:
		return s + ", for at most " + seconds(b.Left)
	case b.Due.IsZero():
		return s
	}
	return s + ", which is due"
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
