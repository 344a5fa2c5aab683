package rerun

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
)

// keep makes, changes or deletes by its API what a client did then.
func (c *clients) keep(ctx context.Context, k recording.Kept) {
	var f emulator.Fault
	if strings.HasPrefix(k.Name, "fault.") && json.Unmarshal(k.Value, &f) == nil {
		if to := c.open[f.Connection]; to != nil { // this house calls it otherwise
			f.Connection = to.id
			if data, err := f.MarshalJSON(); err == nil {
				k.Value = data
			}
		}
	}
	if err := c.emulator.Keep(ctx, k); err != nil {
		c.options.Notice(fmt.Sprintf("what a client made is left out: %v", err))
	}
}
