package yandex

import (
	"cmp"
	"slices"
)

// Canary is a second release of a gateway, for a share of its requests.
type Canary struct {
	Weight    int               // the share in percent, 1 to 99
	Variables map[string]string // all that it has
}

const (
	headerRelease = "X-Yc-Apigateway-Release" // in the answers of a canary

	stableRelease = "stable"
	canaryRelease = "canary"
)

// release picks who serves the next request and says how it is called: of a hundred the canary gets as many as its weight says. The
// cloud picks at random, where few requests may all miss the canary.
func (h *gatewayHandler) release(s *gatewayState) (*Spec, string) {
	if s.canary == nil {
		return s.spec, stableRelease
	}
	if n := h.requests.Add(1) * s.weight; n/100 != (n-s.weight)/100 {
		return s.canary, canaryRelease
	}
	return s.spec, stableRelease
}

// socketPath is the path for sockets of that key, in the release that let them in if it is still there; nil: none takes any.
func (s *gatewayState) socketPath(key, release string) *Path {
	if s.stopped || s.gone {
		return nil
	}
	specs := []*Spec{s.spec, s.canary}
	if release == canaryRelease {
		slices.Reverse(specs)
	}
	for _, spec := range specs {
		if spec == nil {
			continue
		}
		if i := slices.IndexFunc(spec.Paths, func(p *Path) bool { return p.Key == key }); i >= 0 && spec.Paths[i].Socket() {
			return spec.Paths[i]
		}
	}
	return nil
}

// parseReleases reads a specification with the gateway's variables, and with its canary's if it has one.
func parseReleases(g GatewayDefinition) (stable, canary *Spec, err error) {
	if stable, err = parse(g.File, g.Spec, g.Variables); err != nil || g.Canary == nil {
		return stable, nil, err
	}
	if canary, err = parse(g.File, g.Spec, g.Canary.Variables); err != nil {
		return nil, nil, err
	}
	for _, w := range canary.Warnings {
		if !slices.Contains(stable.Warnings, w) {
			stable.Warnings = append(stable.Warnings, w)
		}
	}
	return stable, canary, nil
}

// allFunctions lists what calls functions in either release, each once.
func allFunctions(stable, canary *Spec) []*Function {
	out := stable.functions()
	if canary == nil {
		return out
	}
	for _, f := range canary.functions() {
		if !slices.ContainsFunc(out, func(o *Function) bool { return o.at == f.at && o.ID == f.ID && o.Tag == f.Tag }) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b *Function) int { return cmp.Compare(a.at.line, b.at.line) })
	return out
}
