package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// The journal has the whole run: beside records and steps what the rooms tell of sockets, frames and invocations, in the order in which
// they tell it.

// mostDuring bounds Frame.During.
const mostDuring = 16

// recordSockets has what a gateway tells written down. split takes its paths apart.
func (e *Emulator) recordSockets(o *gateway.Options, split func(key string) (gateway, path string)) {
	o.Opened = func(info gateway.Info, r *http.Request) {
		s := &recording.Socket{
			What: recording.Opened, Connection: info.ID, URL: r.URL.RequestURI(), Header: asked(r.Header), Subprotocol: info.Subprotocol,
		}
		s.Gateway, s.Path = split(info.Path)
		if rest, below := strings.CutPrefix(s.URL, "/"+s.Gateway+"/"); below { // an API of AWS is called at its id, too
			s.URL = "/" + rest
		}
		e.putFirst(journal.Sockets, recording.Line{Socket: s})
	}
	o.Ended = func(info gateway.Info, code int, reason string, by gateway.Party) {
		s := &recording.Socket{What: recording.Closed, Connection: info.ID, Code: code, Reason: reason, By: string(by)}
		s.Gateway, s.Path = split(info.Path)
		e.putFirst(journal.Sockets, recording.Line{Socket: s})
	}
	o.Received = func(id, path string, m gateway.Message) {
		f := &recording.Frame{Connection: id, In: true, Binary: m.Binary, Data: m.Data}
		f.Gateway, f.Path = split(path)
		e.putFirst(journal.Frames, recording.Line{Frame: f})
	}
	o.Sent = func(s gateway.SentFrame) {
		e.tally.frames.Add(int64(s.Connections))
		f := &recording.Frame{
			Connection: s.ID, Sent: s.Connections, Binary: s.Message.Binary, Data: s.Message.Data, Events: s.Message.Events, Error: frameError(s.Err),
		}
		f.Gateway, f.Path = split(s.Path)
		if s.ID != "" { // no function sends to all at once
			f.During = e.during(s.Message.Sender)
		}
		e.put(journal.Frames, recording.Line{Frame: f})
	}
}

// pathKeyOf takes apart what Yandex Cloud's façade calls a path: the gateway's id, and the path key, which begins with a slash.
func pathKeyOf(key string) (gatewayID, path string) {
	if i := strings.IndexByte(key, '/'); i >= 0 {
		return key[:i], key[i:]
	}
	return key, ""
}

// stageOf takes apart what AWS's façade calls a path.
func stageOf(key string) (api, stage string) {
	api, stage, _ = strings.Cut(key, "/")
	return api, stage
}

// asked is what of a handshake's headers another client has to send to be the same.
func asked(h http.Header) map[string][]string {
	out := make(map[string][]string, len(h))
	for name, values := range h {
		switch textproto.CanonicalMIMEHeaderKey(name) {
		case "Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions":
		default:
			out[name] = values
		}
	}
	return out
}

func frameError(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, gateway.ErrGone):
		return "gone"
	case errors.Is(err, gateway.ErrSlow):
		return "slow"
	case errors.Is(err, gateway.ErrTooBig):
		return "too big"
	case errors.Is(err, gateway.ErrBusy):
		return "busy"
	}
	return err.Error()
}

// during names the invocations that may have sent a frame: the one that sender names by its id or its trace, else all that are in flight.
func (e *Emulator) during(sender string) []string {
	root, traced := traceRoot(sender)
	if sender != "" && !traced {
		return []string{sender}
	}
	var all, same []string
	for _, f := range e.runner.InFlight() {
		all = append(all, f.ID)
		if own, _ := traceRoot(f.TraceID); traced && own == root {
			same = append(same, f.ID)
		}
	}
	if same != nil {
		all = same
	}
	return all[:min(len(all), mostDuring)]
}

// traceRoot is the part of an X-Amzn-Trace-Id that all who take part share.
func traceRoot(trace string) (root string, ok bool) {
	for part := range strings.SplitSeq(trace, ";") {
		if root, ok = strings.CutPrefix(part, "Root="); ok {
			return root, true
		}
	}
	return "", false
}

func (e *Emulator) recordInvocation(in runner.Invocation) {
	if in.Error != "" {
		e.tally.failed.Add(1)
	}
	e.put(journal.Invocations, recording.Line{Invocation: &recording.Invocation{
		ID: in.ID, Function: e.functionID(in.Function), Events: in.Events, Started: in.Started, Input: in.Input, Output: in.Output,
		Error: in.Error, Log: in.Log, LogCut: in.LogCut, DurationMS: milliseconds(in.Duration), InitMS: milliseconds(in.Init),
	}})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// clients are the notes of what clients did: open, say something, close. What is published after must stand behind them in the journal, or
// whoever replays it would do things in another order. Other notes may stand behind a record that is younger by a moment.
type clients struct {
	noted, written atomic.Uint64
}

// await returns when all of them are written.
func (c *clients) await(ctx context.Context, j journal.Journal) {
	n := c.noted.Load()
	if n == c.written.Load() || j.Settle(ctx) != nil { // an append will tell what is wrong
		return
	}
	for w := c.written.Load(); n > w && !c.written.CompareAndSwap(w, n); w = c.written.Load() {
	}
}

// putFirst is put for what clients did.
func (e *Emulator) putFirst(topic journal.Topic, line recording.Line) {
	e.put(topic, line)
	e.clients.noted.Add(1)
}

// put writes a line down soon.
func (e *Emulator) put(topic journal.Topic, line recording.Line) {
	line.At = e.clock.Now()
	recording.Scrub(&line)
	data, err := encodeLine(line)
	if err != nil {
		e.log.Error("journal: what happened cannot be written", "topic", topic, "error", err)
		return
	}
	e.journal.Note(topic, data)
}

func encodeLine(line recording.Line) ([]byte, error) {
	if line.Frame != nil {
		return encodeFrame(line), nil
	}
	data, err := line.MarshalJSON()
	if err == nil && len(data) > journal.MaxEntry {
		return shorten(line)
	}
	return data, err
}

// shortenKept leaves out what is too much for the journal: what was, then what is.
func shortenKept(line recording.Line) ([]byte, error) {
	k := *line.Kept
	line.Kept = &k
	for _, p := range []*json.RawMessage{&k.Was, &k.Value} {
		k.Omitted += len(*p)
		*p = nil
		if data, err := line.MarshalJSON(); err != nil || len(data) <= journal.MaxEntry {
			return data, err
		}
	}
	return line.MarshalJSON()
}

// shorten leaves out of an invocation what is too much for the journal.
func shorten(line recording.Line) ([]byte, error) {
	if line.Kept != nil {
		return shortenKept(line)
	}
	in := *line.Invocation // nothing else but what is kept is as large
	line.Invocation = &in
	for _, p := range []*recording.Payload{&in.Output, &in.Input} {
		in.Omitted += len(*p)
		*p = nil
		if data, err := line.MarshalJSON(); err != nil || len(data) <= journal.MaxEntry {
			return data, err
		}
	}
	return line.MarshalJSON()
}

// topicsOf reads the topics that somebody wants, by the names of a line's members; none: all.
func topicsOf(list string) ([]journal.Topic, error) {
	if list == "" {
		return nil, nil
	}
	known := []string{"record", "step", "invocation", "frame", "socket", "clock", "kept"}
	var topics []journal.Topic
	for name := range strings.SplitSeq(list, ",") {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("topic: got %q, want some of %s with commas", name, strings.Join(known, ", "))
		}
		topic := journal.Topic(name)
		if name == "record" {
			topic = journal.Changes
		}
		topics = append(topics, topic)
	}
	return topics, nil
}

// journalLine makes a line of an entry.
func journalLine(entry journal.Entry) (line recording.Line, err error) {
	switch entry.Topic {
	case journal.Changes:
		var r events.Record
		if r, err = events.DecodeRecord(entry.Data); err == nil {
			line.Record, line.At = &r, r.At
		}
	case journal.Steps:
		var s events.Step
		err = json.Unmarshal(entry.Data, &s)
		line.Step, line.At = &s, s.At
	case journal.Clock:
		var c struct {
			At time.Time `json:"at"`
			recording.Clock
		}
		err = json.Unmarshal(entry.Data, &c)
		line.Clock, line.At = &c.Clock, c.At
	case journal.Invocations, journal.Frames, journal.Sockets, journal.Kept:
		type plain recording.Line // ours has nothing that this version does not know
		err = json.Unmarshal(entry.Data, (*plain)(&line))
	default:
		err = fmt.Errorf("topic %q is unknown", entry.Topic)
	}
	line.Seq = entry.Seq
	if line.At.IsZero() { // a record of an earlier version
		line.At = entry.At
	}
	return line, err
}
