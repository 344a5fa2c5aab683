package main

import (
	"context"
	"fmt"
	"time"
)

// held tells a replay in an emulator what was said at the terminal: there it waits for each record's time, so there it is held.
type held struct {
	regcast client
	begun   chan string // the replay's id, once
	presses chan string
	done    chan struct{}
	ended   chan struct{}
	paused  bool // as the emulator knows, but for what is in presses
}

// newHeld begins to listen. The replay begins as step says.
func newHeld(regcast client, step bool) *held {
	h := &held{
		regcast: regcast, begun: make(chan string, 1), presses: make(chan string, 100), done: make(chan struct{}), ended: make(chan struct{}), paused: step,
	}
	go h.run()
	return h
}

func (h *held) run() {
	defer close(h.ended)
	var id string
	select {
	case id = <-h.begun:
	case <-h.done:
		return
	}
	for {
		select {
		case what := <-h.presses:
			h.say(id, what)
		case <-h.done:
			return
		}
	}
}

func (h *held) say(id, what string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	res, err := h.regcast.do(ctx, "POST", fmt.Sprintf("/_regcast/replay/%s/%s", id, what), nil)
	if err == nil {
		_ = res.Body.Close()
	} // else it has ended, and its answer says how
}

// begin names the replay.
func (h *held) begin(id string) {
	select {
	case h.begun <- id:
	default: // it is known
	}
}

// press hears of a key. Keys that come faster than the emulator takes them are dropped.
func (h *held) press(paused, step bool) {
	what := ""
	switch {
	case step:
		what = "step"
	case paused && !h.paused:
		what = "pause"
	case !paused && h.paused:
		what = "resume"
	default:
		return
	}
	h.paused = paused
	h.put(what)
}

// stop ends the replay.
func (h *held) stop() { h.put("stop") }

func (h *held) put(what string) {
	select {
	case h.presses <- what:
	default:
	}
}

// end waits until nothing more is said.
func (h *held) end() {
	close(h.done)
	<-h.ended
}
