package shake

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/rerun"
	"github.com/regcast/regcast/recording"
)

// source is a recording in memory.
type source struct {
	header recording.Header
	lines  []recording.Line
}

func (s *source) Header() recording.Header { return s.header }

func (s *source) Lines() iter.Seq2[recording.Line, error] {
	return func(yield func(recording.Line, error) bool) {
		for _, l := range s.lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// outcome is a run with what can be said of it.
type outcome struct {
	schedule schedule
	history  *history
	sites    []emulator.FaultSite
	refused  bool   // a socket of the recording was not let in
	file     []byte // the run as a recording
	err      error
}

// play runs a recording with faults, in an emulator of its own.
func (s *search) play(ctx context.Context, of *source, sch schedule, observe bool) (out outcome) {
	out.schedule = sch
	cfg := s.cfg
	cfg.Faults, cfg.FaultSeed = sch.faults(), 0
	if !s.told.CompareAndSwap(false, true) {
		cfg.Logger = nil // what it warns of, every run would
		cfg.TrustCache = true
	}
	var started func(*emulator.Emulator) error
	if s.options.Fresh != nil {
		var err error
		if cfg.Functions, started, err = s.options.Fresh(); err != nil {
			out.err = err
			return out
		}
	}
	var file bytes.Buffer
	var em *emulator.Emulator
	var mu sync.Mutex
	names := map[string]string{}
	limit, cancel := context.WithTimeoutCause(ctx, s.options.Limit, errSlow)
	defer cancel()
	_, err := rerun.Run(limit, of, cfg, rerun.Options{
		Out: &file, Linger: s.options.Linger, Header: s.options.Header, Secrets: s.options.Secrets, Instead: s.options.Instead,
		Notice: func(string) {
			mu.Lock()
			defer mu.Unlock()
			out.refused = true
		},
		Begun: func() { em.ObserveFaults(observe) },
		Opened: func(recorded, now string) {
			mu.Lock()
			defer mu.Unlock()
			names[now] = recorded
		},
		Started: func(e *emulator.Emulator) error {
			em = e
			if started != nil {
				return started(em)
			}
			return nil
		},
	})
	if err != nil {
		out.err = err
		return out
	}
	if observe {
		out.sites, _ = em.FaultSites()
	}
	out.file = file.Bytes()
	r, err := recording.NewReader(bytes.NewReader(out.file))
	if err == nil {
		out.history, err = read(r.Lines(), names)
	}
	if err != nil {
		out.err = fmt.Errorf("shake: a run cannot be read: %w", err)
	}
	return out
}
