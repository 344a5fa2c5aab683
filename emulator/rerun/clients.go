package rerun

import (
	"context"
	"fmt"
	"net/http"
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
	http     *http.Client
	bases    map[string]string // URLs, by gateway
	open     map[string]*websocket.Conn
	refused  map[string]bool
	reading  sync.WaitGroup
}

func newClients(em *emulator.Emulator, o Options) *clients {
	return &clients{
		emulator: em, options: o, open: map[string]*websocket.Conn{}, refused: map[string]bool{}, bases: map[string]string{},
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// line does what a client did. It returns when the house has taken notice.
func (c *clients) line(ctx context.Context, l recording.Line) error {
	switch {
	case l.Socket != nil && l.Socket.What == recording.Opened:
		return c.dial(ctx, *l.Socket)
	case l.Socket != nil && l.Socket.By == "client":
		return c.hangUp(*l.Socket)
	case l.Frame != nil && l.Frame.In:
		return c.say(ctx, *l.Frame)
	}
	return nil
}

func (c *clients) dial(ctx context.Context, s recording.Socket) error {
	base := "ws://" + c.emulator.Addr() + "/gw/" + s.Gateway
	for _, api := range c.emulator.APIs() {
		if api.ID == s.Gateway {
			base = "ws://" + c.emulator.Addr() + "/" + s.Gateway
		}
	}
	header := http.Header{}
	for _, more := range []map[string][]string{s.Header, c.options.Header} {
		for name, values := range more {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	o := &websocket.DialOptions{HTTPClient: c.http, HTTPHeader: header}
	if s.Subprotocol != "" {
		o.Subprotocols = []string{s.Subprotocol}
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, res, err := websocket.Dial(limit, base+s.URL, o)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		why := err.Error()
		if res != nil {
			why = "answered " + res.Status
		}
		c.options.Notice(fmt.Sprintf("socket %s of %s%s was let in then and is not now: %s", s.Connection, s.Gateway, s.URL, why))
		c.refused[s.Connection] = true
		return nil
	}
	conn.SetReadLimit(-1)
	c.open[s.Connection] = conn
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

func (c *clients) hangUp(s recording.Socket) error {
	conn := c.open[s.Connection]
	if conn == nil {
		return nil // it was refused
	}
	delete(c.open, s.Connection)
	switch s.Code {
	case 1005, 1006, 1015: // these are not sent
		_ = conn.CloseNow()
	default:
		_ = conn.Close(websocket.StatusCode(s.Code), s.Reason)
	}
	return nil
}

func (c *clients) say(ctx context.Context, f recording.Frame) error {
	conn := c.open[f.Connection]
	if conn == nil {
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
	err := conn.Write(limit, kind, f.Data)
	if err == nil {
		err = conn.Ping(limit) // a socket is read in order: what answers has taken the message
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil // else the house has closed it, and that is on record there
}

// wait returns when no client is left; the house has closed.
func (c *clients) wait() {
	for _, conn := range c.open {
		_ = conn.CloseNow()
	}
	c.reading.Wait()
	c.http.CloseIdleConnections()
}
