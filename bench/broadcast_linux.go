package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// Sizes of a round. Each is long enough that the CPU clock and the settling of a server are small beside it.
const (
	warmUp        = 10  // publishes before anything counts
	oneRounds     = 41  // of the figure "one": many short ones, for what disturbs is longer than one of them
	onePublishes  = 10  // in a round of it
	burstRounds   = 7   // of the figure "burst"
	burstSize     = 100 // publishes of a burst
	burstPosters  = 4   // connections that post a burst
	eventsPath    = "/_regcast/events"
	eventsContent = "application/json"
)

// stage is a broadcast's set-up: the yardstick and regcast side by side, each with all its sockets open.
type stage struct {
	yardstick *yardstick
	regcast   *regcast
	yardLoad  *sockets
	castLoad  *sockets
	posters   []*client
	published int
}

func newStage(ctx context.Context, b *bench, n int) (s *stage, err error) {
	s = &stage{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.yardstick, err = startYardstick(); err != nil {
		return s, err
	}
	if s.yardLoad, err = s.yardstick.open(ctx, n); err != nil {
		return s, err
	}
	if s.regcast, err = b.start(ctx); err != nil {
		return s, err
	}
	if s.castLoad, err = s.regcast.open(ctx, n); err != nil {
		return s, err
	}
	for range burstPosters {
		c, err := dialHTTP(s.regcast.addr)
		if err != nil {
			return s, err
		}
		s.posters = append(s.posters, c)
	}
	return s, s.warmUp(ctx)
}

// warmUp publishes a little on both sides, learns how long a message is on the wire, and looks whether it is the right one.
func (s *stage) warmUp(ctx context.Context) error {
	s.castLoad.frames[0].keep = true
	if err := s.castOneByOne(ctx, warmUp); err != nil {
		return err
	}
	s.castLoad.frames[0].keep = false
	if tag := s.tag(s.published); !bytes.Contains(s.castLoad.frames[0].payload, []byte(tag)) {
		return fmt.Errorf("message: got %.2000q, want tag %s in it", s.castLoad.frames[0].payload, tag)
	}
	return s.yardOneByOne(ctx, warmUp)
}

func (s *stage) close() {
	for _, c := range s.posters {
		c.close()
	}
	for _, l := range []*sockets{s.yardLoad, s.castLoad} {
		if l != nil {
			l.close()
		}
	}
	if s.regcast != nil {
		s.regcast.stop()
	}
	if s.yardstick != nil {
		s.yardstick.stop()
	}
}

// tag is the tag of a publish. All are of the same length, so that the messages are as well, but for the zeros at the end of a
// time that its text leaves out.
func (s *stage) tag(publish int) string { return fmt.Sprintf("v%08d", publish) }

// change is the body of a publish: one change, one event, one message.
func (s *stage) change() []byte {
	s.published++
	return fmt.Appendf(nil, `{"kind":"tag","repository":"bench/app","tag":%q}`, s.tag(s.published))
}

// castOneByOne publishes n times, each time when every socket has the message before.
func (s *stage) castOneByOne(ctx context.Context, n int) error {
	c := s.posters[0]
	for range n {
		if err := c.send(c.request("POST", eventsPath, eventsContent, s.change())); err != nil {
			return err
		}
		if err := s.castLoad.await(ctx, s.castLoad.total+len(s.castLoad.fds)); err != nil {
			return errors.Join(err, s.answered(c, 1))
		}
		if err := s.answered(c, 1); err != nil {
			return err
		}
	}
	return nil
}

// yardOneByOne does the same with frames as long as regcast's last one.
func (s *stage) yardOneByOne(ctx context.Context, n int) error {
	for range n {
		if err := s.yardBurst(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}

// yardBurst has the yardstick's loop write n messages.
func (s *stage) yardBurst(ctx context.Context, n int) error {
	if err := s.yardstick.order("send %d %d", s.castLoad.length(), n); err != nil {
		return err
	}
	if err := s.yardLoad.await(ctx, s.yardLoad.total+n*len(s.yardLoad.fds)); err != nil {
		return err
	}
	return s.yardstick.done()
}

// castPosts publishes a burst as posts of one change, over a few connections that do not wait for answers.
func (s *stage) castPosts(ctx context.Context, n int) error {
	each := n / len(s.posters)
	requests := make([][]byte, len(s.posters))
	for i, c := range s.posters {
		for range each {
			requests[i] = append(requests[i], c.request("POST", eventsPath, eventsContent, s.change())...)
		}
	}
	for i, c := range s.posters {
		if err := c.send(requests[i]); err != nil {
			return err
		}
	}
	err := s.castLoad.await(ctx, s.castLoad.total+each*len(s.posters)*len(s.castLoad.fds))
	for _, c := range s.posters {
		err = errors.Join(err, s.answered(c, each))
	}
	return err
}

// castArray publishes a burst as one post of a list.
func (s *stage) castArray(ctx context.Context, n int) error {
	body := []byte{'['}
	for i := range n {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, s.change()...)
	}
	c := s.posters[0]
	if err := c.send(c.request("POST", eventsPath, eventsContent, append(body, ']'))); err != nil {
		return err
	}
	err := s.castLoad.await(ctx, s.castLoad.total+n*len(s.castLoad.fds))
	return errors.Join(err, s.answered(c, 1))
}

// answered takes n answers from a poster.
func (s *stage) answered(c *client, n int) error {
	for range n {
		if _, err := c.receive(202); err != nil {
			return fmt.Errorf("POST %s: %w", eventsPath, err)
		}
	}
	return nil
}

// delivery is what a round measured.
type delivery struct {
	cpu  []float64 // µs of the server per message and socket
	rate []float64 // messages and sockets per second
}

// note runs a burst of n publishes and notes what it took.
func (d *delivery) note(ctx context.Context, p *process, load *sockets, n int, run func(context.Context, int) error) error {
	before, err := p.quiet(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := run(ctx, n); err != nil {
		return err
	}
	took := load.last.Sub(start) // the answers to the posts may come behind the last message
	after, err := p.quiet(ctx)
	if err != nil {
		return err
	}
	delivered := float64(n * len(load.fds))
	d.cpu = append(d.cpu, float64((after-before).Nanoseconds())/1e3/delivered)
	d.rate = append(d.rate, delivered/took.Seconds())
	return nil
}

// measureOne measures the CPU time of a delivered message when publishes come one at a time.
func measureOne(ctx context.Context, b *bench) ([]row, error) {
	s, err := newStage(ctx, b, b.connections)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var yard, cast delivery
	err = b.rounds(ctx, b.roundsOr(oneRounds),
		func() error { return yard.note(ctx, &s.yardstick.process, s.yardLoad, onePublishes, s.yardOneByOne) },
		func() error { return cast.note(ctx, &s.regcast.process, s.castLoad, onePublishes, s.castOneByOne) },
	)
	return []row{{
		Figure: "one at a time: server CPU per delivered message", Unit: "µs", Target: atMostTimes(1.15),
		Yardstick: spreadOf(yard.cpu), Ours: spreadOf(cast.cpu), Ratio: spreadOf(ratios(cast.cpu, yard.cpu)),
		Note: fmt.Sprintf("%d sockets, %d publishes a round, %d bytes a frame on both sides; the time of the whole server until it rests, "+
			"from the post over the journal to the socket", b.connections, onePublishes, s.castLoad.length()),
	}}, err
}

// measureBurst measures a burst of publishes, as many posts and as one.
func measureBurst(ctx context.Context, b *bench) ([]row, error) {
	s, err := newStage(ctx, b, b.connections)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var yard, posts, array delivery
	err = b.rounds(ctx, b.roundsOr(burstRounds),
		func() error { return yard.note(ctx, &s.yardstick.process, s.yardLoad, burstSize, s.yardBurst) },
		func() error { return posts.note(ctx, &s.regcast.process, s.castLoad, burstSize, s.castPosts) },
		func() error { return array.note(ctx, &s.regcast.process, s.castLoad, burstSize, s.castArray) },
	)
	rate := func(how string, d delivery, t *target, note string) row {
		return row{Figure: "burst of 100, " + how + ": messages", Unit: "/s", Target: t, Note: note,
			Yardstick: spreadOf(yard.rate), Ours: spreadOf(d.rate), Ratio: spreadOf(ratios(d.rate, yard.rate))}
	}
	cpu := func(how string, d delivery) row {
		return row{Figure: "burst of 100, " + how + ": server CPU per message", Unit: "µs",
			Yardstick: spreadOf(yard.cpu), Ours: spreadOf(d.cpu), Ratio: spreadOf(ratios(d.cpu, yard.cpu))}
	}
	note := fmt.Sprintf("%d sockets, %d bytes a frame on both sides; from the first byte of the first post to the last byte at the "+
		"last socket, posts over %d connections that do not wait", b.connections, s.castLoad.length(), burstPosters)
	return []row{
		rate("100 posts", posts, atLeastTimes(4), note), cpu("100 posts", posts),
		rate("one post", array, nil, ""), cpu("one post", array),
	}, err
}
