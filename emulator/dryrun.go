package emulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/ecr"
	words "github.com/regcast/regcast/events/yandex"
	"github.com/regcast/regcast/recording/explain"
)

// DryRun is the triggers and rules of a configuration with nothing running behind them: nothing listens, and nothing is delivered.
type DryRun struct {
	engine *trigger.Engine // that reads nothing
	idle   []explain.Verdict
	plan   *template.Plan // nil without a template

	wording words.Wording
}

// NewDryRun compiles Config.Triggers, or the default trigger when there is none and no template, and the rules of Config.Template.
// The rest of the configuration has no part in it: gateways and functions that a trigger names need not be there. The error names
// all problems of the files.
func NewDryRun(cfg Config) (*DryRun, error) {
	d := &DryRun{
		engine:  trigger.New(trigger.Options{}),
		wording: words.Wording{CloudID: yandex.CloudID, FolderID: yandex.FolderID, TagOnCreateImage: cfg.TagOnCreateImage},
	}
	var errs []error
	files := cfg.Triggers
	if len(files) == 0 && cfg.Template == nil {
		files = []File{{"default-trigger.yaml", yandex.DefaultTriggerFile()}}
	}
	for _, f := range files {
		parsed, err := yandex.ParseTriggers(f.Name, f.Data)
		errs = append(errs, err)
		for _, t := range parsed {
			compiled, err := yandex.CompileDry(t)
			if err == nil {
				err = d.engine.Set(compiled)
			}
			errs = append(errs, err)
		}
	}
	if t := cfg.Template; t != nil {
		errs = append(errs, d.template(t))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	return d, nil
}

func (d *DryRun) template(t *Template) (err error) {
	if d.plan, err = template.Parse(t.Name, t.Data, template.Options{
		Parameters: t.Parameters, Stack: t.Stack, Region: t.Region, Account: t.Account,
	}); err != nil {
		return err
	}
	rules, idle, err := aws.DryRules(d.plan)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if err := d.engine.Set(r); err != nil {
			return err
		}
	}
	d.idle = idleVerdicts(idle)
	return nil
}

// Triggers names what the configuration comes to.
func (d *DryRun) Triggers() []string {
	var names []string
	for _, s := range d.engine.Triggers() {
		names = append(names, s.Trigger.Name)
	}
	for _, v := range d.idle {
		names = append(names, v.Name)
	}
	return names
}

// Explain asks every trigger and rule about each event of a record. A record without events is worded as if it was published here. With
// a template, changes that no event of ECR tells of are worded for EventBridge too, so that what was recorded without one tests its rules.
func (d *DryRun) Explain(r events.Record) []explain.Explanation {
	r.Events, r.Changes = slices.Clone(r.Events), slices.Clone(r.Changes)
	for i := range r.Changes {
		r.Changes[i].Registry = cmp.Or(r.Changes[i].Registry, yandex.RegistryID)
	}
	if len(r.Events) == 0 {
		for i, c := range r.Changes {
			if e, ok := d.wording.Word(i, c); ok {
				r.Events = append(r.Events, e)
			}
		}
	}
	for i := range r.Events {
		if e := &r.Events[i]; e.Of >= 0 && e.Of < len(r.Changes) {
			e.Change = r.Changes[e.Of]
		}
	}
	if d.plan != nil && !slices.ContainsFunc(r.Events, func(e events.Event) bool { return e.Source == ecr.Source }) {
		r.Events = append(r.Events, ecr.Wording{Account: d.plan.Account, Region: d.plan.Region}.Word(r.Changes)...)
	}
	out := make([]explain.Explanation, len(r.Events))
	for i, e := range r.Events {
		out[i] = explain.Explain(explain.Run{
			Record: r, Event: e, Verdicts: append(verdicts(d.engine.Explain(e)), d.idle...), Dry: true,
		})
	}
	return out
}
