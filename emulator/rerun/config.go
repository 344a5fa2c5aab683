package rerun

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
)

// Config makes the configuration that a recording was made with. Files come from read, so that today's are run; one that read does not
// have any more is as it was recorded, and the notices say so. A nil read takes all as recorded.
func Config(c recording.Configuration, read func(name string) ([]byte, error)) (cfg emulator.Config, notices []string) {
	today := func(name, recorded string) []byte {
		if read != nil && !strings.HasPrefix(name, recording.Made) {
			data, err := read(name)
			if err == nil {
				return data
			}
			notices = append(notices, fmt.Sprintf("%s is as it was recorded: %v", name, err))
		}
		return []byte(recorded)
	}
	cfg = emulator.Config{
		AllowOrigins: c.AllowOrigins, TagOnCreateImage: c.TagOnCreateImage, QuietChildren: c.QuietChildren,
		StrictAuth: c.StrictAuth, LazyTTL: c.LazyTTL, FragmentFrames: c.FragmentFrames,
	}
	for _, t := range c.Triggers {
		cfg.Triggers = append(cfg.Triggers, emulator.File{Name: t.Name, Data: today(t.Name, t.Data)})
	}
	cfg.Kept = c.Kept
	for _, g := range c.Gateways {
		if slices.ContainsFunc(c.Kept, func(k recording.Kept) bool { return k.Name == recording.KeptGateway+g.ID }) && strings.HasPrefix(g.Name, recording.Made) {
			continue // there it is with its variables
		}
		cfg.Gateways = append(cfg.Gateways, emulator.Gateway{ID: g.ID, File: emulator.File{Name: g.Name, Data: today(g.Name, g.Data)}})
	}
	if t := c.Template; t != nil {
		cfg.Template = &emulator.Template{
			File: emulator.File{Name: t.Name, Data: today(t.Name, t.Data)},
			Dir:  t.Dir, Parameters: t.Parameters, Stack: t.Stack, Region: t.Region, Account: t.Account,
		}
	}
	for _, f := range c.Functions {
		cfg.CloudFunctions = append(cfg.CloudFunctions, emulator.CloudFunction{
			ID: f.ID, Package: f.Package, Entry: f.Entry, Env: f.Env, Memory: f.Memory, Timeout: f.Timeout,
		})
	}
	for _, o := range c.Containers {
		cfg.Containers = append(cfg.Containers, emulator.Container{ID: o.ID, URL: o.URL})
	}
	for i, data := range c.Faults {
		var f emulator.Fault
		if err := json.Unmarshal(data, &f); err != nil {
			notices = append(notices, fmt.Sprintf("fault %d of the recording is left out: %v", i+1, err))
			continue
		}
		cfg.Faults = append(cfg.Faults, f)
	}
	return cfg, notices
}
