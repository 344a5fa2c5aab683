package shake

import (
	"fmt"
	"slices"

	"github.com/regcast/regcast/emulator"
)

// Kind is what is wrong with a message.
type Kind string

// The kinds.
const (
	Lost    Kind = "lost"
	Doubled Kind = "doubled"
)

// finding is a message that came less often, or more often, than is promised.
type finding struct {
	kind      Kind
	pair      pair
	want, got int
	by        string // the function that owes it; empty: a broadcast
	promise   string // what is promised
	why       string // why nothing excuses it
}

// What the clouds promise, in words. The sources stand in the package's documentation.
const (
	promiseBroadcast = "a broadcast is sent once to every socket that is open on its path; it is lost only when the gateway refuses it"
	promiseFunction  = "an event is delivered to its function at least once: after a failure as often as its trigger, queue or asynchronous " +
		"invocation is configured to try, then it is dead letter or given up with a step; a function that answers success has posted to every " +
		"connection that is not gone (410)"
	promiseOnce = "an event comes again only when the platform delivers it again: because a delivery was doubled, or because the function was " +
		"killed after it had done its work. A request that failed is the function's to repeat (SDKs try three times), and a connection that is " +
		"gone is no failure"
)

// verdict is what judging a run has brought.
type verdict struct {
	findings []finding
	givenUp  map[string]string // event → the step: allowed, since each of its tries was hit by a fault
}

// judge says what is lost or doubled in a run with faults, against the same run without.
func judge(base, run *history, schedule []emulator.Fault) verdict {
	j := judging{base: base, run: run, faults: map[string]emulator.Fault{}}
	for _, f := range schedule {
		j.faults[f.ID] = f
	}
	v := verdict{givenUp: map[string]string{}}
	for _, id := range base.order {
		for _, name := range base.opened {
			p := pair{id, name}
			want, got := 0, 0
			by := ""
			if r := base.got[p]; r != nil {
				want, by = r.times, r.by
			}
			if r := run.got[p]; r != nil {
				got = r.times
				if by == "" {
					by = r.by
				}
			}
			switch limit := max(want, 1) * (1 + j.again(p)); {
			case got < want:
				excuse, gave, why := j.excused(p, by)
				if gave != "" {
					v.givenUp[id] = gave
				}
				if !excuse {
					v.findings = append(v.findings, finding{Lost, p, want, got, by, promiseOf(by), why})
				}
			case got > limit:
				v.findings = append(v.findings, finding{Doubled, p, max(want, 1), got, by, promiseOnce, j.whyTwice(p)})
			}
		}
	}
	return v
}

func promiseOf(by string) string {
	if by == "" {
		return promiseBroadcast
	}
	return promiseFunction
}

// judging is one run's.
type judging struct {
	base, run *history
	faults    map[string]emulator.Fault
}

// excused says whether a message may be missing. gave is the step that gave it up, if that is why.
func (j *judging) excused(p pair, by string) (ok bool, gave, why string) {
	e, s := j.run.events[p.event], j.run.sockets[p.socket]
	switch {
	case s == nil:
		return true, "", "" // the client knows that it was not let in
	case e == nil:
		return false, "", "nothing in the run tells of the event"
	case s.closed > 0 && s.closed < e.last:
		return true, "", "" // gone before all was over
	}
	for _, m := range j.run.faults {
		f := j.faults[m.fault]
		switch {
		case m.connection == p.socket && f.Code == "410" && m.line < e.last:
			return true, "", "" // the function was told that it is gone
		case m.step == emulator.FaultInvoke && len(m.events) == 0 && s.said > 0 && breaks(m.action):
			return true, "", "" // the client was told that its message, which may have said what it wants, was not understood
		case m.step == emulator.FaultSend && m.action == emulator.FaultError && slices.Contains(m.events, p.event) && by == "":
			return true, "", "" // a broadcast that the gateway refuses is not repeated
		}
	}
	if by == "" {
		return false, "", "nothing refused it"
	}
	hit, crashed := j.hits(p.event, by)
	ran := e.calls[by] - crashed
	usual := 0
	if b := j.base.events[p.event]; b != nil {
		usual = b.calls[by]
	}
	if hit > 0 && ran <= usual-1 && (e.lost != "" || e.waits) {
		return true, e.lost, ""
	}
	switch {
	case ran > 0 && e.failed[by] > crashed:
		why = fmt.Sprintf("%s was called %s for it without a fault, and failed %s", by, times(ran), times(e.failed[by]-crashed))
	case ran > 0:
		why = fmt.Sprintf("%s was called %s for it without a fault, and answered success", by, times(ran))
	case e.lost != "":
		why = "it was given up: " + e.lost
	default:
		why = fmt.Sprintf("%s was not called for it again", by)
	}
	return false, "", why
}

// hits counts the faults that hit calls of a function for an event, and those of them that let it do its work.
func (j *judging) hits(event, function string) (all, crashed int) {
	for _, m := range j.run.faults {
		if m.step != emulator.FaultInvoke || !breaks(m.action) || !slices.Contains(m.events, event) {
			continue
		}
		if f := j.faults[m.fault]; f.Function != "" && f.Function != function {
			continue
		}
		all++
		if m.action == emulator.FaultCrash {
			crashed++
		}
	}
	return all, crashed
}

// breaks says whether a call that is hit fails.
func breaks(a emulator.FaultAction) bool { return a == emulator.FaultCrash || a == emulator.FaultError }

// again counts the faults after which the platform delivers a message once more.
func (j *judging) again(p pair) (n int) {
	for _, m := range j.run.faults {
		about := slices.Contains(m.events, p.event)
		switch {
		case m.action == emulator.FaultCrash && about:
			n++
		case m.action != emulator.FaultDuplicate:
		case about, m.connection == p.socket && p.socket != "":
			n++
		case m.step == emulator.FaultAPI && m.connection == "" && sends(j.faults[m.fault].API):
			n++ // what it sends on may be anything
		}
	}
	return n
}

func sends(api string) bool { return len(api) > 4 && api[:4] == "sqs." }

func (j *judging) whyTwice(p pair) string {
	r, e := j.run.got[p], j.run.events[p.event]
	calls, failed := e.calls[r.by], e.failed[r.by]
	switch {
	case r.by == "":
		return "no fault of the schedule makes the platform send it again"
	case failed > 0:
		return fmt.Sprintf("%s was called %s for it and failed %s, without having been killed", r.by, times(calls), times(failed))
	case calls > 1:
		return fmt.Sprintf("%s was called %s for it, though it was never killed: it had it come again", r.by, times(calls))
	}
	return fmt.Sprintf("%s was called once for it", r.by)
}

// unprovoked says what is wrong with a run without any fault: what came in the recording and does not come now, and the same message
// twice from one call, or from calls that failed.
func unprovoked(recorded, base *history) (out []finding) {
	for _, id := range recorded.order {
		for _, name := range recorded.opened {
			p := pair{id, name}
			then, now, s := recorded.got[p], base.got[p], base.sockets[name]
			if then == nil || recorded.sockets[name].opened > recorded.events[id].record {
				continue // whether it opened before the message was sent is a matter of chance
			}
			if now == nil && s != nil && base.events[id] != nil && (s.closed == 0 || s.closed > base.events[id].last) {
				by := then.by
				why := "it came when the recording was made, and does not come in a run without any fault"
				out = append(out, finding{Lost, p, then.times, 0, by, promiseOf(by), why})
			}
		}
	}
	for _, id := range base.order {
		for _, name := range base.opened {
			r := base.got[pair{id, name}]
			if r == nil || r.by == "" || r.same < 2 || base.events[id].calls[r.by] > 1 && base.events[id].failed[r.by] == 0 {
				continue // several triggers may call the same function
			}
			out = append(out, finding{Doubled, pair{id, name}, 1, r.times, r.by, promiseOnce, r.by + " sent the same message again, and nothing had gone wrong"})
		}
	}
	return out
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}
