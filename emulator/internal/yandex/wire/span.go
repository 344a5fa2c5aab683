package wire

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// span is a rule about a quantity as the protos write it: "<=50", ">0", "1-63", "36".
type span[T cmp.Ordered] struct {
	text     string
	low      *T // nil: unbounded
	high     *T
	lowOpen  bool // low itself is out
	highOpen bool
}

// parseSpan reads a rule whose quantities number reads.
func parseSpan[T cmp.Ordered](text string, number func(string) (T, error)) (*span[T], error) {
	s := &span[T]{text: text}
	one := func(quantity string) (*T, error) {
		n, err := number(quantity)
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", text, err)
		}
		return &n, nil
	}
	var err error
	for _, operator := range []string{">=", "<=", ">", "<"} {
		quantity, is := strings.CutPrefix(text, operator)
		if !is {
			continue
		}
		if operator[0] == '>' {
			s.low, err = one(quantity)
			s.lowOpen = operator == ">"
		} else {
			s.high, err = one(quantity)
			s.highOpen = operator == "<"
		}
		return s, err
	}
	// A hyphen may also be the sign of a number: the one that parts two numbers is the one with a number on both sides.
	for i := 1; i < len(text); i++ {
		if text[i] != '-' {
			continue
		}
		low, lowErr := number(text[:i])
		high, highErr := number(text[i+1:])
		if lowErr != nil || highErr != nil {
			continue
		}
		if low > high {
			return nil, fmt.Errorf("rule %q: the range is empty", text)
		}
		s.low, s.high = &low, &high
		return s, nil
	}
	if s.low, err = one(text); err != nil {
		return nil, err
	}
	s.high = s.low
	return s, nil
}

// holds says so of a number; NaN is within nothing.
func (s *span[T]) holds(n T) bool {
	return (s.low == nil || n > *s.low || !s.lowOpen && n == *s.low) &&
		(s.high == nil || n < *s.high || !s.highOpen && n == *s.high)
}

// want says what is allowed, for people.
func (s *span[T]) want() string {
	for _, w := range []struct{ operator, words string }{
		{">=", "at least "}, {"<=", "at most "}, {">", "more than "}, {"<", "less than "},
	} {
		if quantity, is := strings.CutPrefix(s.text, w.operator); is {
			return w.words + quantity
		}
	}
	return s.text
}

func parseInt(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

func parseFloat(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err == nil && math.IsNaN(n) {
		return 0, fmt.Errorf("%q is no number", s)
	}
	return n, err
}

// parseDuration reads Go's durations, as nanoseconds.
func parseDuration(s string) (int64, error) {
	d, err := time.ParseDuration(s)
	return int64(d), err
}

// parseTime reads 19700101T000000.000000000, as microseconds, which reach farther than the protos' years.
func parseTime(s string) (int64, error) {
	t, err := time.Parse("20060102T150405.999999999", s)
	return t.UnixMicro(), err
}
