package runner

// guard is not needed: see tree.
type guard struct{}

func newGuard() *guard         { return nil }
func (g *guard) add(id int)    {}
func (g *guard) remove(id int) {}
func (g *guard) close()        {}
