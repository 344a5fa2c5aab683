package emulator

import (
	"context"
	"fmt"
	"io"
)

// record is the goroutine of Config.Record: everything from the start to the last frame of the end.
func (e *Emulator) record(ctx context.Context, r *recorder) {
	if err := r.follow(ctx); err != nil {
		e.log.Error("recording: broken off", "error", err)
		return
	}
	e.recorded <- r
}

// EndRecord completes the recording of Config.Record: what has happened is in it, what comes is not. Close does it when everything else is
// down. Further calls do nothing.
func (e *Emulator) EndRecord() (err error) {
	e.recordOnce.Do(func() {
		if e.stopRecord != nil {
			err = e.endRecord()
		}
	})
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	return nil
}

func (e *Emulator) endRecord() error {
	err := e.journal.Sync(context.Background())
	e.stopRecord()
	e.recordings.Wait()
	if err != nil {
		return err
	}
	select {
	case r := <-e.recorded:
		if err := r.read(context.Background()); err != nil {
			return err
		}
		return r.out.End(e.clock.Now())
	default: // broken off, and told
		return nil
	}
}

// startRecord begins Config.Record.
func (e *Emulator) startRecord(w io.Writer, compress bool) error {
	if w == nil {
		return nil
	}
	_, last, err := e.journal.Bounds(e.running)
	if err != nil {
		return err
	}
	r, err := e.newRecorder(w, e.Header(), ExportOptions{Follow: true, Compress: compress})
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	r.next = last + 1
	e.keepRecording(r)
	return nil
}

func (e *Emulator) keepRecording(r *recorder) {
	ctx, cancel := context.WithCancel(context.Background())
	e.stopRecord, e.recorded = cancel, make(chan *recorder, 1)
	e.recordings.Go(func() { e.record(ctx, r) })
}

// BeginRecord is Config.Record from now on, in the place of it: the recording begins with the sockets that are open. It is for those who
// began the emulator, before others use it.
func (e *Emulator) BeginRecord(ctx context.Context, w io.Writer, compress bool) error {
	if err := e.journal.Sync(ctx); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	_, last, err := e.journal.Bounds(ctx)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	r, err := e.newRecorder(w, e.Header(), ExportOptions{Follow: true, Compress: compress})
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	r.next = last + 1
	if err := r.opened(ctx, r.next, e.clock.Now()); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	e.keepRecording(r)
	return nil
}
