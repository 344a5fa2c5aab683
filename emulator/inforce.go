package emulator

import (
	"bytes"
	"slices"

	"github.com/regcast/regcast/recording"
)

// inForce is the configuration as it is now: what this emulator was told, with what clients of the cloud have made and changed since.
func (e *Emulator) inForce() recording.Configuration {
	c := e.configuration
	if e.control == nil {
		return c
	}
	c.Kept, c.Faults = e.keptInForce(), e.faultsInForce(true)
	c.Triggers = e.triggersInForce(c.Triggers)
	c.Gateways = e.gatewaysInForce(c.Gateways)
	known := slices.Clone(c.InProcess)
	for _, f := range c.Functions {
		known = append(known, f.ID)
	}
	c.InProcess = slices.Clone(c.InProcess)
	for _, id := range e.control.Functions() { // their source is with this emulator alone
		if !slices.Contains(known, id) {
			c.InProcess = append(c.InProcess, id)
		}
	}
	slices.Sort(c.InProcess)
	return c
}

// triggersInForce leaves a file as it is as long as all that it declares is, and declares every other trigger by itself.
func (e *Emulator) triggersInForce(files []recording.File) []recording.File {
	forms, err := e.control.Triggers()
	if err != nil {
		e.log.Error("recording: triggers cannot be told", "error", err)
		return files
	}
	left := map[string]int{} // declared and unchanged, by file
	differ := false
	for _, f := range forms {
		if f.Unchanged {
			left[f.File]++
		}
		differ = differ || !f.Unchanged
	}
	whole := func(f recording.File) bool { return left[f.Name] == e.control.Declared(f.Name) }
	if !differ && !slices.ContainsFunc(files, func(f recording.File) bool { return !whole(f) }) {
		return files
	}
	out := slices.DeleteFunc(slices.Clone(files), func(f recording.File) bool { return !whole(f) })
	for _, f := range forms {
		if f.File != "" && slices.ContainsFunc(out, func(kept recording.File) bool { return kept.Name == f.File }) {
			continue
		}
		out = append(out, recording.File{Name: recording.Made + f.ID, Data: string(f.Data)})
	}
	return out
}

func (e *Emulator) gatewaysInForce(files []recording.Gateway) []recording.Gateway {
	var out []recording.Gateway
	for _, g := range e.control.Gateways() {
		i := slices.IndexFunc(files, func(f recording.Gateway) bool { return f.Name == g.File && bytes.Equal([]byte(f.Data), g.Spec) })
		switch {
		case i >= 0:
			out = append(out, files[i])
		case !g.Default:
			out = append(out, recording.Gateway{ID: g.ID, File: recording.File{Name: recording.Made + g.Name, Data: string(g.Spec)}})
		}
	}
	return out
}
