package fault

import "maps"

// Site is one passage of a step: the place for a fault with After N-1 and Next 1.
type Site struct {
	Step   Step     `json:"step"`
	N      int      `json:"n"` // of all passages of the step; from 1
	Who    string   `json:"who,omitempty"`
	Events []string `json:"events,omitempty"`
	// Connection is the one that a message, a request or an opening is about.
	Connection string `json:"connection,omitempty"`
	Turn       int    `json:"turn,omitempty"` // of the connection, among all that were opened since somebody asks
}

// Observe has the room count what passes, also where there is no fault; it begins anew. The first 100,000 passages are remembered as sites.
func (r *Room) Observe(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observes = on
	if on {
		clear(r.counts)
		r.sites = nil
	}
	r.ask()
}

// Occurrences returns how many passages of each step there were since Observe.
func (r *Room) Occurrences() map[Step]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}

// Sites returns the passages since Observe, in their order.
func (r *Room) Sites() []Site {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Site(nil), r.sites...)
}

// observe needs the lock.
func (r *Room) observe(p *Point) {
	if !r.observes {
		return
	}
	r.counts[p.Step]++
	if len(r.sites) < mostSites {
		r.sites = append(r.sites, Site{Step: p.Step, N: r.counts[p.Step], Who: p.who(), Events: p.ids(), Connection: p.Connection, Turn: p.Turn})
	}
}
