package diff

type pairOf struct{ w, g int }

// align finds the longest common subsequence of two windows, and of the longest the one whose pairs have most else in common.
func (c *comparison) align(w, g []*item) []pairOf {
	if len(w) == 0 || len(g) == 0 {
		return nil
	}
	type bound struct{ to []uint64 } // what the ids of an item are bound to, 0: nothing yet
	bw, bg := make([]bound, len(w)), make([]bound, len(g))
	for i, it := range w {
		bw[i].to = c.ids.bound(&c.ids.there, it)
	}
	for j, it := range g {
		bg[j].to = c.ids.bound(&c.ids.back, it)
	}
	const one = 5 * window // a pair counts more than all that its pairs can have in common besides
	cols := len(g) + 1
	score := make([]int32, (len(w)+1)*cols)
	worth := make([]int32, len(w)*len(g))
	for i := len(w) - 1; i >= 0; i-- {
		for j := len(g) - 1; j >= 0; j-- {
			best := max(score[(i+1)*cols+j], score[i*cols+j+1])
			if match(w[i], g[j]) && compatible(w[i], g[j], bw[i].to, bg[j].to) {
				v := int32(one)
				if w[i].exact == g[j].exact {
					v += 2
				}
				if a, b := w[i].mark, g[j].mark; a != nil && a.known && b.known && a.row == b.row {
					v++
				}
				if c.timely(w[i], g[j]) {
					v++
				}
				worth[i*len(g)+j] = v
				best = max(best, score[(i+1)*cols+j+1]+v)
			}
			score[i*cols+j] = best
		}
	}
	var out []pairOf
	for i, j := 0, 0; i < len(w) && j < len(g); {
		switch v := worth[i*len(g)+j]; {
		case v > 0 && score[i*cols+j] == score[(i+1)*cols+j+1]+v:
			out = append(out, pairOf{i, j})
			i++
			j++
		case score[(i+1)*cols+j] >= score[i*cols+j+1]:
			i++
		default:
			j++
		}
	}
	return out
}

// bound looks up what the ids of an item are in the other run.
func (b *bijection) bound(m *memory[uint64], it *item) []uint64 {
	out := make([]uint64, len(it.leaves))
	for i, l := range it.leaves {
		if l.class == id {
			out[i] = m.peek(l.value)
		}
	}
	return out
}

func compatible(a, b *item, toA, toB []uint64) bool {
	if len(a.leaves) != len(b.leaves) {
		return false
	}
	for i := range a.leaves {
		if a.leaves[i].class != id {
			continue
		}
		if toA[i] != 0 && toA[i] != b.leaves[i].value || toB[i] != 0 && toB[i] != a.leaves[i].value {
			return false
		}
	}
	return true
}

// compatible says whether no id of a or b is known to be another in the other run.
func (b *bijection) compatible(x, y *item) bool {
	if len(x.leaves) != len(y.leaves) {
		return false
	}
	for i, l := range x.leaves {
		if l.class != id {
			continue
		}
		to, from := b.there.peek(l.value), b.back.peek(y.leaves[i].value)
		if to != 0 && to != y.leaves[i].value || from != 0 && from != l.value {
			return false
		}
	}
	return true
}

// timely says whether both come about as long after the start of their runs.
func (c *comparison) timely(a, b *item) bool {
	return (a.at.Sub(a.side.start) - b.at.Sub(b.side.start)).Abs() <= c.later/10
}
