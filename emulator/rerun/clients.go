package rerun

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/coder/websocket"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
)

// clients are the clients of the recording: they open, send and close as they did then. They read what comes and leave it: what a socket
// gets is on record on the other side.
type clients struct {
	emulator *emulator.Emulator
	options  Options
	secrets  secrets
	news     *news
	http     *http.Client
	open     map[string]*client // by the recording's name
	faults   map[string]string  // of clients of then, by their ids then
	refused  map[string]bool
	reading  sync.WaitGroup
}

type client struct {
	conn *websocket.Conn
	id   string // as this house calls it
}

func newClients(em *emulator.Emulator, o Options) (*clients, error) {
	n, err := follow(em)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if o.Dial != nil {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return o.Dial(ctx) }
	}
	return &clients{
		emulator: em, options: o, secrets: newSecrets(o.Secrets), news: n, open: map[string]*client{}, faults: map[string]string{}, refused: map[string]bool{}, http: &http.Client{Transport: transport},
	}, nil
}

// line does what a client did. It returns when the house has taken notice.
func (c *clients) line(ctx context.Context, l recording.Line) error {
	switch {
	case l.Socket != nil && l.Socket.What == recording.Opened:
		return c.dial(ctx, *l.Socket)
	case l.Socket != nil:
		return c.hangUp(ctx, *l.Socket)
	case l.Frame != nil && l.Frame.In:
		return c.say(ctx, *l.Frame)
	case l.Kept != nil:
		c.keep(ctx, *l.Kept)
	}
	return nil
}

func (c *clients) dial(ctx context.Context, s recording.Socket) error {
	base := "ws://" + c.emulator.Addr() + "/gw/" + s.Gateway
	if slices.ContainsFunc(c.emulator.APIs(), func(api emulator.APIInfo) bool { return api.ID == s.Gateway }) {
		base = "ws://" + c.emulator.Addr() + "/" + s.Gateway
	}
	asked, header := c.secrets.asked(s), http.Header{}
	for _, more := range []map[string][]string{asked.Header, c.options.Header} {
		for name, values := range more {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	o := &websocket.DialOptions{HTTPClient: c.http, HTTPHeader: header}
	if asked.Subprotocol != "" {
		o.Subprotocols = []string{asked.Subprotocol}
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, res, err := websocket.Dial(limit, base+asked.URL, o)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		why := c.secrets.hide.Replace(err.Error())
		if res != nil {
			why = "answered " + res.Status
		}
		c.options.Notice(fmt.Sprintf("socket %s of %s%s was let in then and is not now: %s%s", s.Connection, s.Gateway, s.URL, why,
			missing(asked, c.options.Header)))
		c.refused[s.Connection] = true
		return nil
	}
	conn.SetReadLimit(-1)
	id, err := c.news.newcomer(limit, s.Gateway, onRecord(asked.URL))
	if err != nil {
		_ = conn.CloseNow()
		return fmt.Errorf("socket %s of %s%s: it was let in and is not on record: %w", s.Connection, s.Gateway, s.URL, err)
	}
	c.open[s.Connection] = &client{conn: conn, id: id}
	c.options.Opened(s.Connection, id)
	c.reading.Go(func() {
		for {
			if _, _, err := conn.Read(context.Background()); err != nil {
				_ = conn.CloseNow()
				return
			}
		}
	})
	return nil
}

// hangUp closes a socket that its client closed. One that somebody else closed is theirs to close again.
func (c *clients) hangUp(ctx context.Context, s recording.Socket) error {
	k := c.open[s.Connection]
	if k == nil {
		delete(c.refused, s.Connection)
		return nil
	}
	if s.By != "client" {
		if c.news.isGone(k.id) {
			delete(c.open, s.Connection)
		}
		return nil
	}
	delete(c.open, s.Connection)
	switch s.Code {
	case 1005, 1006, 1015: // these are not sent
		_ = k.conn.CloseNow()
	default:
		_ = k.conn.Close(websocket.StatusCode(s.Code), s.Reason)
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.news.gone(limit, k.id); err != nil {
		return fmt.Errorf("socket %s of %s: it was closed and that is not on record: %w", s.Connection, s.Gateway, err)
	}
	return nil
}

func (c *clients) say(ctx context.Context, f recording.Frame) error {
	k := c.open[f.Connection]
	if k == nil {
		if !c.refused[f.Connection] {
			c.options.Notice(fmt.Sprintf("a message of socket %s is left out: the recording does not tell how the socket was opened", f.Connection))
			c.refused[f.Connection] = true
		}
		return nil
	}
	kind := websocket.MessageText
	if f.Binary {
		kind = websocket.MessageBinary
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := k.conn.Write(limit, kind, []byte(c.secrets.reveal.Replace(string(f.Data))))
	if err == nil {
		err = k.conn.Ping(limit) // a socket is read in order: what answers has taken the message
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil // else the house has closed it, and that is on record there
}

// wait returns when no client is left; the house has closed.
func (c *clients) wait() {
	for _, k := range c.open {
		_ = k.conn.CloseNow()
	}
	c.reading.Wait()
	c.news.following.Wait()
	c.http.CloseIdleConnections()
}
