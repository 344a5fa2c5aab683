package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/regcast/regcast/emulator"
)

// progress shows how far a replay is, on one line of a terminal.
type progress struct {
	out         io.Writer // nil: nobody looks
	paused      func() bool
	began       time.Time
	first, last time.Time // recorded; zero: not known
	shown       bool
}

func newProgress(env environment, quiet bool, first, last time.Time, paused func() bool) *progress {
	p := &progress{paused: paused, began: time.Now(), first: first, last: last}
	if f, ok := env.stderr.(*os.File); ok && !quiet && term.IsTerminal(int(f.Fd())) {
		p.out = env.stderr
	}
	return p
}

// barWidth is that of a whole bar, in characters.
const barWidth = 24

func (p *progress) show(now emulator.ReplayProgress) {
	if p.out == nil {
		return
	}
	var b strings.Builder
	b.WriteString("\r\x1b[K")
	if span := p.last.Sub(p.first); span > 0 {
		done := min(max(float64(now.At.Sub(p.first))/float64(span), 0), 1)
		full := int(done * barWidth)
		fmt.Fprintf(&b, "%s%s %3.0f %%  ", strings.Repeat("█", full), strings.Repeat("░", barWidth-full), done*100)
	}
	fmt.Fprintf(&b, "%s  %d records, %d events", now.At.Format("2006-01-02 15:04:05"), now.Records, now.Events)
	if now.Known > 0 {
		fmt.Fprintf(&b, ", %d known", now.Known)
	}
	if seconds := time.Since(p.began).Seconds(); seconds > 1 {
		fmt.Fprintf(&b, ", %.0f/s", float64(now.Records)/seconds)
	}
	if p.paused() {
		b.WriteString("  paused (space goes on, s steps, q ends)")
	}
	_, _ = io.WriteString(p.out, b.String()) // a terminal that is gone shows nothing
	p.shown = true
}

// clear makes room for a line of something else.
func (p *progress) clear() {
	if p.shown {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
		p.shown = false
	}
}
