package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
)

func TestKeysPauseStepAndEnd(t *testing.T) {
	is := is.New(t)
	ctx, stop := context.WithCancel(t.Context())
	var heard []string
	k := newKeys(environment{stdin: strings.NewReader("")}, "file", false, stop, func(paused, step bool) {
		switch {
		case step:
			heard = append(heard, "step")
		case paused:
			heard = append(heard, "paused")
		default:
			heard = append(heard, "going")
		}
	})
	defer k.close()
	is.NoErr(k.wait(ctx)) // nobody has paused
	k.press('s', stop)
	is.NoErr(k.wait(ctx)) // the one
	k.press('?', stop)    // no key
	done := make(chan error, 1)
	go func() { done <- k.wait(ctx) }()
	k.press(' ', stop)
	is.NoErr(<-done)
	k.press(' ', stop)
	go func() { done <- k.wait(ctx) }()
	k.press('q', stop)
	is.Equal(<-done, context.Canceled)
	is.Equal(heard, []string{"going", "step", "going", "paused", "paused"})
}

func TestProgressFitsTheTerminal(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	width := 100
	p := &progress{out: &out, columns: func() int { return width }, began: time.Now(), first: at, last: at.Add(time.Minute)}
	p.show(emulator.ReplayProgress{At: at.Add(30 * time.Second), Records: 5, Events: 7})
	is.Equal(out.String(), "\r"+strings.Repeat("█", 12)+strings.Repeat("░", 12)+"  50 %  5 records, 7 events  2026-03-04 05:06:37")
	out.Reset()
	width = 20
	p.show(emulator.ReplayProgress{At: at.Add(30 * time.Second), Records: 5, Events: 7})
	is.Equal(out.String(), "\r 50 %  5 records, 7") // and nothing behind the edge
	out.Reset()
	p.pause(true)
	is.Equal(out.String(), "\rpaused (space goes ")
	out.Reset()
	p.end()
	p.show(emulator.ReplayProgress{})
	is.Equal(out.String(), "\r"+strings.Repeat(" ", 19)+"\r") // and nothing more
}
