package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/regcast/regcast/emulator"
)

// progress shows how far a replay is, on one line of a terminal.
type progress struct {
	out         io.Writer // nil: nobody looks
	columns     func() int
	began       time.Time
	first, last time.Time // recorded; zero: not known

	mu     sync.Mutex
	now    emulator.ReplayProgress
	paused bool
	shown  int // characters of the line that is shown
	closed bool
}

func newProgress(env environment, quiet bool, first, last time.Time) *progress {
	p := &progress{began: time.Now(), first: first, last: last}
	if f, ok := env.stderr.(*os.File); ok && !quiet && term.IsTerminal(int(f.Fd())) {
		p.out = env.stderr
		p.columns = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil || width <= 0 {
				return 80
			}
			return width
		}
	}
	return p
}

func (p *progress) show(now emulator.ReplayProgress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = now
	p.draw()
}

func (p *progress) pause(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = paused
	p.draw()
}

// barWidth is that of a whole bar, in characters.
const barWidth = 24

func (p *progress) draw() {
	if p.out == nil || p.closed {
		return
	}
	width := max(p.columns()-1, 1) // in the last column some terminals begin another line
	line := p.line(width)
	length := utf8.RuneCountInString(line)
	_, _ = io.WriteString(p.out, "\r"+line+strings.Repeat(" ", max(min(p.shown, width)-length, 0))) // a terminal that is gone shows nothing
	p.shown = length
}

func (p *progress) line(width int) string {
	var b strings.Builder
	if p.paused {
		b.WriteString("paused (space goes on, s steps, q ends)  ")
	}
	if span := p.last.Sub(p.first); span > 0 {
		done := min(max(float64(p.now.At.Sub(p.first))/float64(span), 0), 1)
		if full := int(done * barWidth); width >= 80 && !p.paused {
			b.WriteString(strings.Repeat("█", full) + strings.Repeat("░", barWidth-full) + " ")
		}
		fmt.Fprintf(&b, "%3.0f %%  ", done*100)
	}
	fmt.Fprintf(&b, "%s, %s", plural(int(p.now.Records), "record"), plural(int(p.now.Events), "event"))
	if p.now.Known > 0 {
		fmt.Fprintf(&b, ", %d known", p.now.Known)
	}
	if seconds := time.Since(p.began).Seconds(); seconds > 1 && !p.paused {
		fmt.Fprintf(&b, ", %.0f/s", float64(p.now.Records)/seconds)
	}
	if !p.now.At.IsZero() {
		b.WriteString("  " + p.now.At.Format("2006-01-02 15:04:05"))
	}
	line := []rune(b.String())
	return string(line[:min(len(line), width)])
}

// clear makes room for a line of something else.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
}

func (p *progress) wipe() {
	if p.shown > 0 {
		_, _ = io.WriteString(p.out, "\r"+strings.Repeat(" ", p.shown)+"\r")
		p.shown = 0
	}
}

// end clears the line for good.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	p.closed = true
}
