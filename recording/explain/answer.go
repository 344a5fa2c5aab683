package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
)

// answer is the first thing that somebody wants to know.
func (x Explanation) answer() string {
	var lost, open, fired []string
	for _, t := range x.Triggers {
		if !t.Fired {
			continue
		}
		name := t.name()
		switch state, text := t.state(); {
		case x.Dry:
			fired = append(fired, join(name+" would fire", t.Note))
		case state == Lost, state == Skipped:
			lost = append(lost, name+" fired, and "+text)
		case state == Delivered:
			fired = append(fired, name+" fired: "+text)
		default:
			open = append(open, name+" fired, and "+text)
		}
	}
	for _, f := range x.Further {
		switch f.What {
		case events.StepFault:
			lost = append(lost, "an injected fault, "+f.Who+": "+f.Text)
		case events.StepLost:
			lost = append(lost, strings.TrimPrefix(f.Who+": ", ": ")+f.Text)
		}
	}
	for _, i := range x.Invocations {
		if i.Error != "" {
			lost = append(lost, fmt.Sprintf("the function %s failed: %s", i.Function, i.Error))
		}
	}
	if all := append(append(lost, open...), fired...); len(all) > 0 {
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

// state is the worst of what became of the event, and a sentence.
func (t Trigger) state() (state, text string) {
	rank := map[string]int{Delivered: 1, Skipped: 2, Retrying: 3, Lost: 4}
	for _, d := range t.Deliveries {
		if rank[d.What] > rank[state] {
			state, text = d.What, d.sentence()
		}
	}
	if state == Skipped && rank[state] > 0 { // one action's filter may say no while the others deliver
		for _, d := range t.Deliveries {
			if d.What == Delivered {
				return Delivered, d.sentence()
			}
		}
	}
	switch {
	case state != "":
		return state, text
	case t.Batch != nil:
		return "", t.Batch.sentence()
	}
	return "", "its target has not taken it yet"
}

func (d Delivery) sentence() string {
	switch d.What {
	case Lost:
		return "its delivery is lost: " + d.Text
	case Skipped:
		return "the filter of its action leaves the event out: " + d.Text
	case Retrying:
		return "its delivery has failed: " + d.Text
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
