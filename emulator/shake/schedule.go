package shake

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator"
)

// slip is one fault at one place.
type slip struct {
	fault emulator.Fault
	words string
	class int                // the sort of fault: what is tried first
	turn  int                // among those of its sort
	site  emulator.FaultSite // where
	order int                // of the site in its run
}

// schedule is what goes wrong in a run.
type schedule []slip

func (s schedule) faults() []emulator.Fault {
	out := make([]emulator.Fault, len(s))
	for i, x := range s {
		out[i] = x.fault
		if out[i].ID == "" {
			out[i].ID = fmt.Sprintf("shake%d", i+1)
		}
	}
	return out
}

func (s schedule) words() []string {
	out := make([]string, len(s))
	for i, x := range s {
		out[i] = x.words
	}
	return out
}

// mishandled are the ways in which each step goes wrong in a search, the most telling first. What is left out cannot be told from what is
// there (other codes), needs no handler to go wrong (what the cloud itself loses), or waits for real time (a request without an answer).
var mishandled = []struct {
	step   emulator.FaultStep
	action emulator.FaultAction
	code   emulator.FaultCode
	delay  time.Duration
	words  string // %s: what passes
}{
	{emulator.FaultAPI, emulator.FaultError, "410", 0, "answer 410 to %s"},
	{emulator.FaultInvoke, emulator.FaultCrash, "", 0, "kill the function after its work in %s"},
	{emulator.FaultSend, emulator.FaultClose, "1001", 0, "close the socket at %s"},
	{emulator.FaultAPI, emulator.FaultError, "500", 0, "answer 500 to %s"},
	{emulator.FaultInvoke, emulator.FaultError, "500", 0, "answer 500 to %s"},
	{emulator.FaultConnection, emulator.FaultLateDisconnect, "", 5 * time.Minute, "tell the function 5 minutes late that the socket is closed, of %s"},
	{emulator.FaultMatch, emulator.FaultDuplicate, "", 0, "deliver %s twice"},
	{emulator.FaultAPI, emulator.FaultDrop, "", 0, "break the connection at %s"},
	{emulator.FaultInvoke, emulator.FaultDuplicate, "", 0, "make %s twice"},
	{emulator.FaultAPI, emulator.FaultError, "429", 0, "answer 429 to %s"},
	{emulator.FaultInvoke, emulator.FaultError, "429", 0, "answer 429 to %s"},
	{emulator.FaultConnection, emulator.FaultDrop, "", time.Second, "cut the line a second after %s"},
	{emulator.FaultInvoke, emulator.FaultError, "timeout", 0, "let %s run into its time limit"},
	{emulator.FaultAPI, emulator.FaultDuplicate, "", 0, "carry out %s twice"},
	{emulator.FaultMatch, emulator.FaultReorder, "", 0, "let the next overtake %s"},
	{emulator.FaultMatch, emulator.FaultDelay, "", time.Minute, "deliver %s a minute late"},
	{emulator.FaultConnection, emulator.FaultError, "503", 0, "answer 503 to %s"},
	{emulator.FaultPublish, emulator.FaultDuplicate, "", 0, "hand %s to all triggers twice"},
	{emulator.FaultPublish, emulator.FaultDelay, "", time.Minute, "hand %s to all triggers a minute late"},
}

// slips are all faults that can be at the places of a run behind the first skip, in the order in which to try them; the seed shuffles those of a sort.
func slips(sites []emulator.FaultSite, skip int, seed uint64) (out []slip) {
	matches := map[string]int{}
	for _, s := range sites {
		if s.Step == emulator.FaultMatch && len(s.Events) > 0 {
			matches[s.Events[0]]++
		}
	}
	places := map[string]int{}
	next := func(key string) int { places[key]++; return places[key] - 1 }
	for i, s := range sites {
		f := emulator.Fault{Step: s.Step, Next: 1}
		what := ""
		switch s.Step {
		case emulator.FaultPublish:
			if len(s.Events) == 0 || matches[s.Events[0]] < 2 {
				continue // as good as a match
			}
			f.Event = s.Events[0]
			f.After = next("publish " + f.Event)
			what = "the event " + f.Event
		case emulator.FaultMatch:
			if len(s.Events) == 0 {
				continue
			}
			f.Trigger, f.Event = s.Who, s.Events[0]
			f.After = next("match " + s.Who + " " + f.Event)
			what = fmt.Sprintf("the event %s to the trigger %s", f.Event, s.Who)
		case emulator.FaultInvoke:
			f.Function = s.Who
			n := next("calls of " + s.Who)
			what = fmt.Sprintf("the %s call of %s", nth(n+1), s.Who)
			f.After = n
			if len(s.Events) > 0 {
				f.Event = s.Events[0]
				f.After = next("calls of " + s.Who + " " + f.Event)
				for _, id := range s.Events[1:] {
					next("calls of " + s.Who + " " + id)
				}
			}
		case emulator.FaultAPI:
			f.API = s.Who
			to := only(&f, s)
			f.After = next("api " + s.Who + to)
			what = fmt.Sprintf("the %s %s%s", nth(f.After+1), s.Who, to)
		case emulator.FaultSend:
			f.Gateway, f.Path = split(s.Who)
			to := only(&f, s)
			f.After = next("send " + f.Gateway + f.Path + to)
			what = fmt.Sprintf("the %s message on %s%s%s", nth(f.After+1), f.Gateway, f.Path, to)
			if s.Connection == "" {
				continue // closing all sockets of a path at once leaves nobody to lose anything
			}
		case emulator.FaultConnection:
			f.Gateway, f.Path = split(s.Who)
			f.After = next("open " + f.Gateway + f.Path)
			what = fmt.Sprintf("the opening of the %s socket on %s%s", nth(f.After+1), f.Gateway, f.Path)
		default:
			continue
		}
		if i < skip {
			continue
		}
		for class, m := range mishandled {
			if m.step != s.Step || m.code == "410" && !strings.HasPrefix(s.Who, "connections.") {
				continue
			}
			if m.action == emulator.FaultDuplicate && s.Step == emulator.FaultAPI && reads(s.Who) {
				continue // nothing happens by reading twice
			}
			if m.code == emulator.FaultTimeout && len(s.Events) == 0 {
				continue // a client waits in real time
			}
			f := f
			f.Action, f.Code, f.Delay = m.action, m.code, m.delay
			out = append(out, slip{fault: f, words: fmt.Sprintf(m.words, what), class: class, site: s, order: i})
		}
	}
	dice := rand.New(rand.NewPCG(seed, 1))
	if seed != 0 {
		dice.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	// One of each sort comes first, then a second of each: what is wrong with a handler mostly shows wherever a sort of fault hits it.
	had := map[string]int{}
	for i, x := range out {
		sort := fmt.Sprint(x.class, x.fault.Function, x.fault.API, x.fault.Trigger)
		out[i].turn = had[sort]
		had[sort]++
	}
	slices.SortStableFunc(out, func(a, b slip) int { return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(a.class, b.class)) })
	return out
}

// only has a fault be for the connection of a site alone: which of several posts side by side comes first is different each time.
func only(f *emulator.Fault, s emulator.FaultSite) (words string) {
	if s.Turn == 0 {
		return ""
	}
	f.Connection = fmt.Sprintf("#%d", s.Turn)
	return fmt.Sprintf(" to the %s socket", nth(s.Turn))
}

func reads(api string) bool {
	return slices.Contains([]string{"dynamodb.Query", "dynamodb.GetItem", "dynamodb.Scan", "dynamodb.BatchGetItem", "connections.Get",
		"connections.GetConnection"}, api)
}

// split takes apart how a site names a path.
func split(who string) (gateway, path string) {
	who, _, _ = strings.Cut(who, " ")
	if i := strings.IndexByte(who, '/'); i >= 0 {
		return who[:i], who[i:]
	}
	return who, ""
}

// nth is an ordinal.
func nth(n int) string {
	switch {
	case n%100/10 == 1:
	case n%10 == 1:
		return fmt.Sprintf("%dst", n)
	case n%10 == 2:
		return fmt.Sprintf("%dnd", n)
	case n%10 == 3:
		return fmt.Sprintf("%drd", n)
	}
	return fmt.Sprintf("%dth", n)
}

// second is a second fault after a first.
type second struct {
	first  int // among the single faults
	second slip
	rank   [3]int
}

// mostPairs bounds the pairs that are held; the rest is counted, and not tried.
const mostPairs = 100_000

// pairsOf are all pairs of which the second fault is at a place that is passed when the first has happened. The same twice comes first, as
// when something stays broken for a while, then what is about the same event or connection, and each time what is close together.
func pairsOf(single []slip, after [][]emulator.FaultSite, seed uint64) (out []second, total int) {
	for i, x := range single {
		for _, y := range slips(after[i], x.order+1, seed) {
			if total++; len(out) == mostPairs {
				continue
			}
			kin := 2
			switch {
			case x.class == y.class && x.fault.API == y.fault.API && x.fault.Function == y.fault.Function:
				kin = 0
			case related(x, y):
				kin = 1
			}
			out = append(out, second{i, y, [3]int{kin, y.order - x.order, y.class}})
		}
	}
	slices.SortStableFunc(out, func(a, b second) int { return slices.Compare(a.rank[:], b.rank[:]) })
	return out, total
}

// related says whether two faults can have anything to do with each other at first sight.
func related(a, b slip) bool {
	if a.site.Turn > 0 && a.site.Turn == b.site.Turn {
		return true
	}
	for _, id := range a.site.Events {
		if slices.Contains(b.site.Events, id) {
			return true
		}
	}
	return len(a.site.Events) == 0 || len(b.site.Events) == 0
}
