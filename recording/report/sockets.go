package report

import (
	"time"

	"github.com/regcast/regcast/recording"
)

// socket is a connection from its opening to its end.
type socket struct {
	recording.Socket // of its opening, and what its end says
	opened, closed   time.Time
	before           bool // it was open when the run began
	frames           int
	from             int // broadcasts on its path when it opened
}

// sockets follows the connections of which the page tells: the first so many. A broadcast has no connections of its own: it went to
// those that were open on its path.
type sockets struct {
	limit int
	begin time.Time
	list  []*socket
	live  map[string]*socket
	open  int // all that are, also those that are not listed
	most  int
	seen  int
	casts map[string]int // broadcasts by gateway and path
	bad   int            // closed otherwise than by 1000 and 1001
}

func newSockets(limit int, begin time.Time) sockets {
	return sockets{limit: limit, begin: begin, live: make(map[string]*socket), casts: make(map[string]int)}
}

func (s *sockets) take(at time.Time, news *recording.Socket) {
	if news.What == recording.Opened {
		s.open++
		s.most = max(s.most, s.open)
		s.add(&socket{Socket: *news, opened: at, from: s.casts[news.Gateway+news.Path]})
		return
	}
	if !clean(news.Code) {
		s.bad++
	}
	c := s.live[news.Connection]
	if c == nil {
		if s.open > 0 && s.seen > len(s.list) {
			s.open-- // one that is not listed
			return
		}
		c = &socket{Socket: *news, opened: s.begin, before: true}
		s.add(c)
	} else {
		s.open--
	}
	c.closed, c.Code, c.Reason, c.By = at, news.Code, news.Reason, news.By
	s.count(c)
	delete(s.live, news.Connection)
}

func (s *sockets) add(c *socket) {
	s.seen++
	if len(s.list) < s.limit {
		s.list = append(s.list, c)
		s.live[c.Connection] = c
	}
}

func (s *sockets) count(c *socket) { c.frames += s.casts[c.Gateway+c.Path] - c.from }

// frame counts what a connection got.
func (s *sockets) frame(f *recording.Frame) {
	switch {
	case f.In || f.Error != "":
	case f.Connection == "":
		if key := f.Gateway + f.Path; s.casts[key] > 0 || len(s.casts) < maxNames {
			s.casts[key]++
		}
	default:
		if c := s.live[f.Connection]; c != nil {
			c.frames++
		}
	}
}

// clean tells whether a connection ended as connections should.
func clean(code int) bool { return code == 0 || code == 1000 || code == 1001 }

// settle counts the frames of those that are still open.
func (s *sockets) settle() {
	for _, c := range s.live {
		s.count(c)
	}
	clear(s.live)
}
