package shake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/regcast/regcast/emulator"
)

// search is one search.
type search struct {
	cfg      emulator.Config
	options  Options
	src      *source
	recorded *history
	base     *history
	report   Report
	runs     atomic.Int64
	told     atomic.Bool // one run has a logger
}

// attempt is a schedule that fails.
type attempt struct {
	outcome
	findings []finding
}

func (s *search) run(ctx context.Context, run Source) error {
	given := s.cfg.Faults
	s.cfg.Faults = nil
	var skipped int
	var err error
	if s.src, skipped, err = load(run); err != nil {
		return err
	}
	if skipped > 0 {
		s.note("left out, since it cannot be read: %s of the recording", plural(skipped, "line"))
	}
	if s.recorded, err = read(s.src.Lines(), nil); err != nil {
		return err
	}
	budget, cancel := context.WithTimeoutCause(ctx, s.options.Budget, errOver)
	defer cancel()
	base, sites, err := s.calm(budget, s.src)
	if err != nil {
		return err
	}
	s.base = base.history
	for _, r := range s.base.got {
		s.report.Messages += r.times
	}
	s.report.Events, s.report.Sockets = len(s.base.order), len(s.base.opened)
	if s.report.Messages == 0 {
		s.note("no event reaches a socket in a run without faults, so none can be lost")
	}
	found := s.first(budget, base, given)
	if found == nil {
		found = s.hunt(budget, s.src, s.base, sites)
	}
	if found == nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}
	rest, cancel := context.WithTimeoutCause(ctx, s.options.Budget/2, errOver)
	defer cancel()
	return s.conclude(rest, found)
}

// first tries what needs no search: no fault at all, and the faults that the configuration has.
func (s *search) first(ctx context.Context, base outcome, given []emulator.Fault) *attempt {
	if len(given) == 0 {
		if wrong := unprovoked(s.recorded, s.base); len(wrong) > 0 && len(s.src.header.Configuration.Faults) == 0 {
			return &attempt{base, wrong}
		}
		return nil
	}
	var sch schedule
	for _, f := range given {
		words := fmt.Sprintf("%s at the step %s", f.What(), f.Step)
		if where := f.Where(); where != "" {
			words += ", " + where
		}
		if f.Next == 1 {
			words += fmt.Sprintf(", the %s time", nth(f.After+1))
		}
		sch = append(sch, slip{fault: f, words: words})
	}
	out := s.play(ctx, s.src, sch, false)
	s.runs.Add(1)
	if out.err != nil {
		s.unfinished(out)
		return nil
	}
	if v := judge(s.base, out.history, sch.faults()); len(v.findings) > 0 {
		return &attempt{out, v.findings}
	}
	s.note("the faults of the recording's configuration do no harm any more")
	return nil
}

// calm runs without faults, twice, and keeps what both runs say.
func (s *search) calm(ctx context.Context, of *source) (base outcome, sites []emulator.FaultSite, err error) {
	base = s.play(ctx, of, nil, true) // the first of all builds what is to be built
	again := s.play(ctx, of, nil, false)
	s.runs.Add(2)
	if err := errors.Join(base.err, again.err); err != nil {
		return base, nil, fmt.Errorf("a run without faults: %w", err)
	}
	unsteady := 0
	for p, r := range base.history.got {
		if other := again.history.got[p]; other == nil {
			delete(base.history.got, p)
			unsteady++
		} else if other.times != r.times {
			r.times = min(r.times, other.times)
			unsteady++
		}
	}
	if unsteady > 0 && of == s.src {
		s.note("without any fault %s may come or not, from run to run: what always comes is judged", plural(unsteady, "message"))
	}
	return base, base.sites, nil
}

// hunt tries schedules of one fault, then of two.
func (s *search) hunt(ctx context.Context, of *source, base *history, sites []emulator.FaultSite) *attempt {
	single := slips(sites, 0, s.options.Seed)
	after := make([][]emulator.FaultSite, len(single)) // what passes when that goes wrong
	kept := 0
	var mu sync.Mutex
	found := s.try(ctx, of, base, 1, len(single), func(yield func(schedule) bool) {
		for _, x := range single {
			if !yield(schedule{x}) {
				return
			}
		}
	}, func(n int, out outcome) {
		mu.Lock()
		defer mu.Unlock()
		if kept += len(out.sites); kept <= mostSites {
			after[n] = out.sites
		}
	})
	if found != nil || !s.options.Pairs || ctx.Err() != nil {
		return found
	}
	pairs, total := pairsOf(single, after, s.options.Seed)
	return s.try(ctx, of, base, 2, total, func(yield func(schedule) bool) {
		for _, p := range pairs {
			if !yield(schedule{single[p.first], p.second}) {
				return
			}
		}
	}, func(int, outcome) {})
}

// mostSites bounds what is remembered of single faults for pairs.
const mostSites = 1_000_000

// try runs schedules, several at once, and returns the first in their order that fails.
func (s *search) try(ctx context.Context, of *source, base *history, faults, total int, all iter.Seq[schedule], keep func(int, outcome)) *attempt {
	next, stop := iter.Pull(all)
	defer stop()
	var mu sync.Mutex
	n, tried := 0, 0
	best := -1
	var found *attempt
	take := func() (schedule, int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if found != nil || ctx.Err() != nil {
			return nil, 0, false
		}
		sch, ok := next()
		n++
		return sch, n - 1, ok
	}
	done := func(i int, out outcome) {
		mu.Lock()
		defer mu.Unlock()
		if out.err != nil && ctx.Err() != nil {
			return
		}
		tried++
		s.runs.Add(1)
		s.options.Progress(Progress{faults, tried, total})
		if out.err != nil {
			s.unfinished(out)
			return
		}
		v := judge(base, out.history, out.schedule.faults())
		for event, step := range v.givenUp {
			s.givenUp(out.schedule, event, step)
			break
		}
		if len(v.findings) > 0 && (best < 0 || i < best) {
			best, found = i, &attempt{out, v.findings}
		}
		out.file = nil
	}
	var workers sync.WaitGroup
	for range s.options.Parallel {
		workers.Go(func() {
			for {
				sch, i, ok := take()
				if !ok {
					return
				}
				out := s.play(ctx, of, sch, faults == 1 && s.options.Pairs)
				keep(i, out)
				done(i, out)
			}
		})
	}
	workers.Wait()
	if of == s.src {
		s.report.Lengths = append(s.report.Lengths, Length{faults, tried, total})
	}
	return found
}

func (s *search) note(format string, args ...any) {
	s.report.Notes = append(s.report.Notes, fmt.Sprintf(format, args...))
}

const mostUnfinished = 20

func (s *search) unfinished(out outcome) {
	if len(s.report.Unfinished) < mostUnfinished {
		s.report.Unfinished = append(s.report.Unfinished, Unfinished{out.schedule.words(), out.err.Error()})
	}
}

func (s *search) givenUp(sch schedule, event, step string) {
	if s.report.GivenUp == nil {
		s.report.GivenUp = &GivenUp{Schedule: sch.words(), Event: event, Step: step}
	}
	s.report.GivenUp.Schedules++
}

// confirmations is how often what was found is run again.
const confirmations = 2

// conclude makes the report of what was found.
func (s *search) conclude(ctx context.Context, found *attempt) error {
	if !s.options.Whole {
		if shorter := s.shorten(ctx, found); shorter != nil {
			found = shorter.attempt
			s.src, s.base = shorter.src, shorter.base
		}
	}
	first := found.findings[0]
	again := [2]int{1, 1}
	for range confirmations {
		if len(found.schedule) == 0 {
			break // two runs have said so
		}
		out := s.play(ctx, s.src, found.schedule, false)
		if out.err != nil {
			continue
		}
		s.runs.Add(1)
		again[1]++
		for _, f := range judge(s.base, out.history, found.schedule.faults()).findings {
			if f.kind == first.kind && f.by == first.by {
				again[0]++
				break
			}
		}
	}
	f, err := s.failure(found)
	f.Again = again
	s.report.Failure = f
	return err
}
