package aws

import (
	"cmp"
	"errors"
	"strings"

	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/emulator/internal/trigger"
)

// IdleRule is a rule that does nothing here.
type IdleRule struct{ ARN, Name, Why string }

// DryRules makes the triggers that the rules of a plan are with nothing behind them, for asking them about events; and says of each
// other rule why it does nothing.
func DryRules(plan *template.Plan) (ts []trigger.Trigger, idle []IdleRule, err error) {
	s := &Stack{plan: plan}
	var errs []error
	for _, r := range plan.Rules {
		t, ok, warnings, err := CompileRule(r, RuleWiring{Queue: s.queue, Function: s.hasFunction})
		errs = append(errs, err)
		switch {
		case ok:
			ts = append(ts, t)
		case err == nil:
			idle = append(idle, IdleRule{r.ARN, cmp.Or(r.Name, r.LogicalID), idleBecause(r, warnings)})
		}
	}
	return ts, idle, errors.Join(errs...)
}

func idleBecause(r template.Rule, warnings []string) string {
	for _, w := range warnings {
		if _, why, ok := strings.Cut(w, "the rule "+r.LogicalID+" does nothing here: "); ok {
			return why
		}
	}
	if len(r.Targets) == 0 {
		return "it has no targets"
	}
	return "none of its targets is a queue or a function of the template"
}
