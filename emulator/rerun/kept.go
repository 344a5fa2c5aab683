package rerun

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
)

// keep makes, changes or deletes by its API what a client did then.
func (c *clients) keep(ctx context.Context, k recording.Kept) {
	if id, ok := strings.CutPrefix(k.Name, recording.KeptFault); ok {
		if k, ok = c.fault(id, k); !ok {
			return
		}
	}
	if c.options.Instead && replaced(k) {
		return
	}
	if err := c.emulator.Keep(ctx, k); err != nil {
		c.options.Notice(fmt.Sprintf("what a client made is left out: %v", err))
	}
}

// replaced says that a configuration in the recording's place says what is to be of it.
func replaced(k recording.Kept) bool {
	return strings.HasPrefix(k.Name, recording.KeptTrigger) || strings.HasPrefix(k.Name, recording.KeptGateway)
}

// beside is what stays of what clients had made, under such a configuration.
func beside(all []recording.Kept) []recording.Kept {
	return slices.DeleteFunc(slices.Clone(all), replaced)
}

// fault is a fault as this house has it: it calls connections otherwise, and may have another of that id. False: it does not concern it.
func (c *clients) fault(id string, k recording.Kept) (recording.Kept, bool) {
	if k.Value == nil {
		called, ours := c.faults[id]
		if ours {
			k.Name = recording.KeptFault + called
			delete(c.faults, id)
		}
		return k, ours || !c.options.Instead
	}
	var f emulator.Fault
	if json.Unmarshal(k.Value, &f) != nil {
		return k, true
	}
	if to := c.open[f.Connection]; to != nil {
		f.Connection = to.id
		if data, err := f.MarshalJSON(); err == nil {
			k.Value = data
		}
	}
	called := id
	for slices.ContainsFunc(c.emulator.Faults(), func(there emulator.FaultInfo) bool { return there.ID == called }) {
		called += "-then"
	}
	c.faults[id], k.Name = called, recording.KeptFault+called
	return k, true
}
