package foreign

import (
	"errors"
	"fmt"
	"io"
)

// maxNesting bounds how deep JSON may go, as encoding/json does with a larger number.
const maxNesting = 500

// errTorn is what scanning says at the end of the text inside a JSON value.
var errTorn = errors.New("ends in the middle of JSON")

// source is text that is read byte by byte, and scanned as JSON from any of them. What fails to be JSON is text from where it failed:
// nothing is read twice.
type source struct {
	r    io.Reader // nil: data is all
	data []byte
	pos  int
	line int   // of the next byte
	err  error // why there are no more
	into *capture
}

// capture keeps what is read, up to a size.
type capture struct {
	bytes []byte
	max   int
	over  bool
}

func (c *capture) add(b ...byte) {
	if c.over = c.over || len(c.bytes)+len(b) > c.max; !c.over {
		c.bytes = append(c.bytes, b...)
	}
}

func newSource(r io.Reader) *source { return &source{r: r, data: make([]byte, 0, 64<<10), line: 1} }

func sourceOf(text []byte, line int) *source { return &source{data: text, line: line} }

// peek returns the next byte; 0 at the end, which no text has and JSON may not.
func (s *source) peek() byte {
	for s.pos >= len(s.data) {
		if s.err != nil || s.r == nil {
			if s.err == nil {
				s.err = io.EOF
			}
			return 0
		}
		n, err := s.r.Read(s.data[:cap(s.data)])
		s.data, s.pos, s.err = s.data[:n], 0, err
	}
	return s.data[s.pos]
}

// ended tells whether the 0 that peek returned is the end.
func (s *source) ended() bool { return s.pos >= len(s.data) }

// take goes past the byte that peek returned.
func (s *source) take() {
	b := s.data[s.pos]
	s.pos++
	if b == '\n' {
		s.line++
	}
	if s.into != nil {
		s.into.add(b)
	}
}

// space goes to the next byte that is none.
func (s *source) space() byte {
	for {
		switch b := s.peek(); b {
		case ' ', '\t', '\r', '\n':
			s.take()
		default:
			return b
		}
	}
}

// fault is why what comes next is not JSON.
func (s *source) fault(want string) error {
	b := s.peek()
	if s.ended() {
		return errTorn
	}
	return fmt.Errorf("found %q, want %s", b, want)
}

func (s *source) expect(b byte) error {
	if s.peek() != b {
		return s.fault(fmt.Sprintf("%q", b))
	}
	s.take()
	return nil
}

// value scans one JSON value.
func (s *source) value(depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("nested deeper than %d", maxNesting)
	}
	switch s.space() {
	case '{':
		return s.members('}', func() error {
			if err := s.text(); err != nil {
				return err
			}
			s.space()
			if err := s.expect(':'); err != nil {
				return err
			}
			return s.value(depth + 1)
		})
	case '[':
		return s.members(']', func() error { return s.value(depth + 1) })
	case '"':
		return s.text()
	}
	return s.scalar()
}

// members scans what stands between brackets: each by one, which is called at its first byte.
func (s *source) members(end byte, one func() error) error {
	s.take()
	if s.space() == end {
		s.take()
		return nil
	}
	for {
		s.space()
		if err := one(); err != nil {
			return err
		}
		switch s.space() {
		case ',':
			s.take()
		case end:
			s.take()
			return nil
		default:
			return s.fault(fmt.Sprintf("a comma or %q", end))
		}
	}
}

// text scans a string.
func (s *source) text() error {
	if err := s.expect('"'); err != nil {
		return err
	}
	return s.rest()
}

// rest scans a string after its first quote.
func (s *source) rest() error {
	for {
		n := s.pos // most of a string is nothing special: take it in one piece
		for n < len(s.data) && s.data[n] >= ' ' && s.data[n] != '"' && s.data[n] != '\\' {
			n++
		}
		if s.into != nil {
			s.into.add(s.data[s.pos:n]...)
		}
		s.pos = n
		switch b := s.peek(); {
		case b == '"':
			s.take()
			return nil
		case b < ' ':
			return s.fault("the end of a string")
		case b == '\\':
			s.take()
			if err := s.escape(); err != nil {
				return err
			}
		default:
			s.take()
		}
	}
}

func (s *source) escape() error {
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.take()
		return nil
	case 'u':
		s.take()
		for range 4 {
			if b := s.peek(); !(b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'f') {
				return s.fault("four hex digits after \\u")
			}
			s.take()
		}
		return nil
	}
	return s.fault("an escape")
}

// scalar scans a number, true, false or null; of a number only that it consists of what numbers do.
func (s *source) scalar() error {
	for _, word := range [...]string{"true", "false", "null"} {
		if s.peek() != word[0] {
			continue
		}
		for i := range len(word) {
			if s.peek() != word[i] {
				return s.fault(word)
			}
			s.take()
		}
		return nil
	}
	if b := s.peek(); b != '-' && (b < '0' || b > '9') {
		return s.fault("a value")
	}
	for b := s.peek(); b >= '0' && b <= '9' || b == '-' || b == '+' || b == '.' || b == 'e' || b == 'E'; b = s.peek() {
		s.take()
	}
	return nil
}
