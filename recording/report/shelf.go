package report

// shelf keeps at most so many things: the first that matter, and in what room they leave the latest of the others.
type shelf[T any] struct {
	limit  int
	first  []T // what matters
	others []T // at most twice the limit, so that making room is cheap
	seen   int
}

func (s *shelf[T]) add(x T, matters bool) {
	s.seen++
	if matters {
		if len(s.first) < s.limit {
			s.first = append(s.first, x)
		}
		return
	}
	s.others = append(s.others, x)
	if len(s.others) >= 2*s.limit {
		n := copy(s.others, s.others[len(s.others)-s.limit:])
		clear(s.others[n:])
		s.others = s.others[:n]
	}
}

// kept is what is on the shelf, not in order.
func (s *shelf[T]) kept() []T {
	room := s.limit - len(s.first)
	return append(s.first[:len(s.first):len(s.first)], s.others[max(0, len(s.others)-room):]...)
}
