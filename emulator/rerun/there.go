package rerun

import (
	"context"
	"fmt"
	"io"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
)

// wasThere says whether a line tells of a socket that was open when the recording began. Such lines are the first.
func wasThere(l recording.Line) bool {
	return l.Socket != nil && l.Socket.What == recording.Opened && !l.Socket.Since.IsZero()
}

// there opens the sockets that were open when the recording began, so that functions know of them. What comes of that was before the
// recording: it is not in the new one either, and no fault is for it.
func (c *clients) there(ctx context.Context, lines []recording.Line, faults []emulator.Fault, out io.Writer, compress bool) error {
	for _, l := range lines {
		if err := c.dial(ctx, *l.Socket); err != nil {
			return err
		}
		if err := c.emulator.Flush(ctx); err != nil {
			return err
		}
	}
	for i, f := range faults {
		if k := c.open[f.Connection]; k != nil { // this house calls it otherwise
			f.Connection = k.id
		}
		if _, err := c.emulator.AddFault(f); err != nil {
			return fmt.Errorf("fault %d: %w", i+1, err)
		}
	}
	if out == nil {
		return nil
	}
	return c.emulator.BeginRecord(ctx, out, compress)
}
