package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// Sizes of a replay.
const (
	replayRounds  = 5
	replayEvents  = 100_000
	replaySockets = 100
	replayBatch   = 10 // events in a message
	replayTimes   = 4  // as many events show whether memory grows with the file
	replaySpacing = 5 * time.Millisecond
)

// replayTrigger sends every tag of the default registry to the sockets that regcast.open opens.
var replayTrigger = fmt.Appendf(nil, `name: bench
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "%d", cutoff: 10s}
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: /ws, service_account_id: ajeregcastaccount000}
`, replayBatch)

// replays are what a contestant's rounds measured.
type replays struct {
	took, cpu []float64 // s
	peak      []float64 // MB
}

// measureReplay measures how fast recordings are replayed to sockets, and what memory that takes.
func measureReplay(ctx context.Context, b *bench) ([]row, error) {
	trigger := filepath.Join(b.dir, "trigger.yaml")
	if err := os.WriteFile(trigger, replayTrigger, 0o644); err != nil {
		return nil, err
	}
	records, long, whole := filepath.Join(b.dir, "records.jsonl"), filepath.Join(b.dir, "long.jsonl"), filepath.Join(b.dir, "whole.jsonl")
	defer func() { _ = errors.Join(os.Remove(records), os.Remove(long), os.Remove(whole)) }() // the whole folder goes at the end
	if err := errors.Join(writeRecords(records, replayEvents), writeRecords(long, replayTimes*replayEvents)); err != nil {
		return nil, err
	}
	var cast, all, longer, warm replays
	var frame int
	replay := func(into *replays, file string, n int, args ...string) (err error) {
		frame, err = b.replay(ctx, into, file, n, append(args, "--trigger", trigger)...)
		return err
	}
	if err := replay(&warm, records, replayEvents, "--record", whole); err != nil { // which also makes the other recording
		return nil, err
	}
	y, err := startYardstick()
	if err != nil {
		return nil, err
	}
	defer y.stop()
	load, err := y.open(ctx, replaySockets)
	if err != nil {
		return nil, err
	}
	defer load.close()
	var yard, scan replays
	err = b.rounds(ctx, b.roundsOr(replayRounds),
		func() error { return y.replay(ctx, &yard, load, frame, replayEvents/replayBatch) },
		func() error { return replay(&cast, records, replayEvents) },
		func() error { return replay(&all, whole, replayEvents) },
		func() error { return scanLines(&scan, whole) },
	)
	if err == nil {
		err = b.rounds(ctx, min(b.roundsOr(replayRounds), memoryRounds), func() error { return replay(&longer, long, replayTimes*replayEvents) })
	}
	if err != nil {
		return nil, err
	}
	seek, err := measureSeek(ctx, b)
	size, _ := os.Stat(whole)
	return append([]row{
		{
			Figure: "replay of 100,000 events to 100 sockets at max", Unit: "s", Target: atMost(5),
			Yardstick: spreadOf(yard.took), Ours: spreadOf(cast.took), Ratio: spreadOf(ratios(cast.took, yard.took)),
			Note: fmt.Sprintf("from the exec of `regcast replay FILE` to its end and the last byte at the last socket, whichever is later; %d events "+
				"a message, %d messages of %d bytes to each socket, and each is counted and on one socket every event is; yardstick: ready "+
				"frames as long to as many sockets", replayBatch, replayEvents/replayBatch, frame),
		},
		{
			Figure: "replay of 100,000 events: server CPU", Unit: "s",
			Yardstick: spreadOf(yard.cpu), Ours: spreadOf(cast.cpu), Ratio: spreadOf(ratios(cast.cpu, yard.cpu)),
		},
		{
			Figure: "the same of a recording with all that came of it", Unit: "s", Target: atMost(5),
			Yardstick: spreadOf(scan.took), Ours: spreadOf(all.took),
			Note: fmt.Sprintf("as `regcast up --record` wrote it, %.0f MB; yardstick: bufio.Scanner, which finds the lines' ends", float64(size.Size())/1e6),
		},
		{
			Figure: "replay of 400,000 events: peak resident memory", Unit: "MB", Target: atMostTimes(1.25),
			Yardstick: spreadOf(cast.peak), Ours: spreadOf(longer.peak), Ratio: spreadOf(ratios(longer.peak, cast.peak)),
			Note: "VmHWM of the server; yardstick: 100,000 events. Of an event that it has seen the server keeps a hash of its id",
		},
	}, seek...), err
}

// replay has a fresh emulator replay a file of n events to its sockets, and returns how long the last frame was.
func (b *bench) replay(ctx context.Context, into *replays, file string, n int, args ...string) (frame int, err error) {
	r, err := b.start(ctx, args...)
	if err != nil {
		return 0, err
	}
	defer r.stop()
	s, err := r.open(ctx, replaySockets)
	if err != nil {
		return 0, err
	}
	defer s.close()
	var seen tags
	s.frames[0].keep, s.frames[0].each = true, seen.take
	before, err := r.quiet(ctx)
	if err != nil {
		return 0, err
	}
	var out, said bytes.Buffer
	c := exec.CommandContext(ctx, b.regcast, "replay", file, "--speed", "max", "--json", "--url", "http://"+r.addr.String())
	c.Stdout, c.Stderr = &out, &said
	start := time.Now()
	if err := c.Start(); err != nil {
		return 0, err
	}
	err = s.await(ctx, n/replayBatch*replaySockets)
	if err != nil {
		_ = c.Process.Kill()
	}
	if err = errors.Join(err, c.Wait()); err != nil {
		return 0, fmt.Errorf("regcast replay: %w\n%s", err, said.Bytes())
	}
	took := time.Since(start)
	after, err := r.quiet(ctx)
	if err != nil {
		return 0, err
	}
	var told struct{ Events, Batches, Frames, Lost int }
	if err := json.Unmarshal(out.Bytes(), &told); err != nil {
		return 0, fmt.Errorf("regcast replay: %w", err)
	}
	if told.Events != n || told.Batches != n/replayBatch || told.Frames != n/replayBatch*replaySockets || told.Lost != 0 || seen.next != n {
		return 0, fmt.Errorf("regcast replay: got %+v and %d events on a socket, want %d events", told, seen.next, n)
	}
	peak, err := r.peak()
	into.took = append(into.took, took.Seconds())
	into.cpu = append(into.cpu, (after - before).Seconds())
	into.peak = append(into.peak, float64(peak)/1e6)
	return s.length(), err
}

// replay has the yardstick write as many frames.
func (y *yardstick) replay(ctx context.Context, into *replays, load *sockets, length, messages int) error {
	before, err := y.cpu()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := y.order("send %d %d", length, messages); err != nil {
		return err
	}
	if err := load.await(ctx, load.total+messages*len(load.fds)); err != nil {
		return err
	}
	if err := y.done(); err != nil {
		return err
	}
	into.took = append(into.took, time.Since(start).Seconds())
	after, err := y.cpu()
	into.cpu = append(into.cpu, (after - before).Seconds())
	return err
}

// scanLines reads a file as cheaply as lines can be read.
func scanLines(into *replays, file string) error {
	start := time.Now()
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
	}
	into.took = append(into.took, time.Since(start).Seconds())
	return s.Err()
}

// writeRecords writes a recording of n tags that nothing is known to have come of.
func writeRecords(file string, n int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(f, 256<<10)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fmt.Fprintf(out, `{"format":"regcast.recording","version":1,"created":%q,"now":%[1]q,"configuration":{}}`+"\n", at.Format(time.RFC3339))
	var line []byte
	for i := range n {
		line = fmt.Appendf(line[:0], `{"seq":%d,"at":%q,"record":{"origin":"emit","changes":[{"kind":"tag-attached","registry_id":"crpregcastregistry00",`+
			`"repository":"bench/app","tag":"v%08d","digest":"sha256:%064x","at":%[2]q,"rev":%[1]d}]}}`+"\n",
			i+1, at.Add(time.Duration(i)*replaySpacing).Format(time.RFC3339Nano), i, i)
		_, _ = out.Write(line) // Flush tells
	}
	return errors.Join(out.Flush(), f.Close())
}

// tags sees in messages that the tags of writeRecords come one after another, each once.
type tags struct{ next int }

func (t *tags) take(message []byte) error {
	const name, length = `"tag":"v`, 8
	for {
		i := bytes.Index(message, []byte(name))
		if i < 0 {
			return nil
		}
		message = message[i+len(name):]
		got, err := strconv.Atoi(string(message[:min(length, len(message))]))
		if err != nil || got != t.next {
			return fmt.Errorf("message: got tag v%.8s, want number %d", message, t.next)
		}
		t.next++
	}
}

// measureSeek takes its figures from the room itself: opening a file is too short for a process of its own.
func measureSeek(ctx context.Context, b *bench) ([]row, error) {
	recording, err := b.room(ctx, "recording")
	if err != nil {
		return nil, err
	}
	m, err := recording.bench(ctx, "SeekGigabyte/plain/(middle|scanner)", "5x")
	if err != nil {
		return nil, err
	}
	seek, err := m.of("BenchmarkSeekGigabyte/plain/middle", "ns/op")
	if err != nil {
		return nil, err
	}
	scan, err := m.of("BenchmarkSeekGigabyte/plain/scanner", "ns/op")
	if err != nil {
		return nil, err
	}
	return []row{{
		Figure: "a recording of 1 GB: open, and read on from the middle", Unit: "ms", Target: atMost(10),
		Yardstick: spreadOf([]float64{scan / 1e6}), Ours: spreadOf([]float64{seek / 1e6}), Ratio: spreadOf([]float64{seek / scan}),
		Note: "to the first line at a time; yardstick: bufio.Scanner from the start to the middle",
	}}, nil
}
