package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gorilla/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
)

// record is what a gateway has told, a line each.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *record) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// hears has everything told to r.
func hears(r *record) houseOption {
	return func(o *gateway.Options, _ *house) {
		o.Opened = func(i gateway.Info, q *http.Request) { r.add("%s opened %s", i.ID, q.URL) }
		o.Sent = func(f gateway.SentFrame) {
			who := f.ID
			if who == "" {
				who = "all"
			}
			r.add("%s sent %s to %d %v %v %s", who, f.Message.Data, f.Connections, f.Err, f.Message.Events, f.Path)
		}
		o.Received = func(id, path string, m gateway.Message) { r.add("%s received %s %s", id, m.Data, path) }
		o.Ended = func(i gateway.Info, code int, reason string, by gateway.Party) {
			r.add("%s ended %d %q by %s", i.ID, code, reason, by)
		}
	}
}

func TestTellsWhatHappensInOrder(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		r := &record{}
		first := true
		h := newHouse(t, plain, hears(r), func(_ *gateway.Options, h *house) {
			h.socket = func(s *gateway.Socket) {
				if first {
					s.First = &gateway.Message{Data: []byte("hello")}
				}
				first = false
				said := s.Message
				s.Message = func(id string, m gateway.Message) {
					r.add("%s heard", id)
					said(id, m)
				}
				closed := s.Closed
				s.Closed = func(info gateway.Info, code int, reason string) {
					r.add("%s closed", info.ID)
					closed(info, code, reason)
				}
			}
		})
		a, b := h.dial(t, "/ws?a=1"), h.dial(t, "/ws")
		_, _, err := a.ReadMessage()
		is.NoErr(err)
		is.NoErr(h.Send("1", text("one")))
		h.Broadcast(context.Background(), "/ws", []gateway.Message{{Data: []byte("two"), Events: []string{"e"}}, text("three")})
		h.Broadcast(context.Background(), "/none", []gateway.Message{text("four")})
		is.NoErr(a.WriteMessage(websocket.TextMessage, []byte("up")))
		<-h.said
		is.True(errors.Is(h.Send("1", text(strings.Repeat("x", 128<<10+1))), gateway.ErrTooBig))
		is.True(errors.Is(h.Send("9", text("five")), gateway.ErrGone))
		is.NoErr(h.Drop("1", 4000, "because", gateway.ByFunction))
		is.True(errors.Is(h.Send("1", text("six")), gateway.ErrGone))
		_, _, err = a.ReadMessage()
		for err == nil { // until the close, which the client answers
			_, _, err = a.ReadMessage()
		}
		<-h.ends
		is.NoErr(b.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "bye"), time.Time{}))
		<-h.ends
		big := strings.Repeat("x", 128<<10+1)
		is.Equal(strings.ReplaceAll(r.all(), big, "big"), strings.Join([]string{
			`1 opened /ws?a=1`,
			`1 sent hello to 1 <nil> [] /ws`,
			`2 opened /ws`,
			`1 sent one to 1 <nil> [] /ws`,
			`all sent two to 2 <nil> [e] /ws`,
			`all sent three to 2 <nil> [] /ws`,
			`all sent four to 0 <nil> [] /none`,
			`1 received up /ws`,
			`1 heard`,
			`1 sent big to 0 gateway: message too big [] /ws`,
			`9 sent five to 0 gateway: no such connection [] `,
			`1 ended 4000 "because" by function`,
			`1 sent six to 0 gateway: no such connection [] /ws`,
			`1 closed`,
			`2 ended 1000 "bye" by client`,
			`2 closed`,
		}, "\n"))
	})
}

func TestTellsOfTheSlowBeforeTheirEnd(t *testing.T) {
	is := is.New(t)
	r := &record{}
	h := newHouse(t, true, hears(r), func(o *gateway.Options, _ *house) { o.Limits.Backlog = 1000 })
	h.dial(t, "/ws")
	var err error
	sent := 0
	for err == nil { // the client reads nothing, so the queue fills
		err = h.Send("1", text(strings.Repeat("x", 500)))
		sent++
	}
	is.True(errors.Is(err, gateway.ErrSlow))
	lines := strings.Split(r.all(), "\n")
	is.Equal(len(lines), sent+2)
	is.True(strings.Contains(lines[sent], "to 0 "+gateway.ErrSlow.Error()))
	is.Equal(lines[sent+1], `1 ended 1008 "the client reads too slowly" by gateway`)
}

// While a broadcast goes out, one that it has reached says something, is sent something and leaves; one that it has not reached leaves;
// and one comes. Whoever was told to be open when the broadcast is told must be who got it.
func TestTellsWhatHappensDuringABroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		r := &record{}
		o := gateway.Options{Clock: clock.Real{}}
		hears(r)(&o, nil)
		g := gateway.New(o)
		l := one{make(chan net.Conn), make(chan struct{})}
		ids, said := 0, make(chan string, 1)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			ids++
			is.NoErr(g.Accept(w, q, gateway.Socket{
				ID: fmt.Sprint(ids), Path: "/ws", Message: func(_ string, m gateway.Message) { said <- string(m.Data) },
			}))
		})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		dial := func() *raw {
			client, theirs := net.Pipe()
			l.conn <- theirs
			return shake(t, client)
		}
		clients := []*raw{dial(), dial(), dial()}
		synctest.Wait()
		sent, late := make(chan error, 2), make(chan *raw, 1)
		gateway.AtWrite(g, "2", func() { // it has reached 1, and is about to reach 2 and then 3
			clients[0].send(masked(ws.OpText, true, "up"))
			synctest.Wait()
			go func() { sent <- g.Send("1", text("down")) }()
			synctest.Wait()
			go func() { late <- dial() }()
			synctest.Wait()
			is.NoErr(g.Drop("3", 1000, "", gateway.ByFunction))
			go func() { sent <- g.Drop("1", 1000, "", gateway.ByFunction) }()
			synctest.Wait()
			is.Equal(len(said)+len(sent)+len(late), 0) // what comes of it does not come before it is told
		})
		is.Equal(g.Broadcast(t.Context(), "/ws", []gateway.Message{text("all")})[0].Connections, 2)
		is.Equal(<-said, "up")
		is.NoErr(<-sent)
		is.NoErr(<-sent)
		clients = append(clients, <-late)
		is.Equal(r.all(), strings.Join([]string{
			`1 opened /ws`, `2 opened /ws`, `3 opened /ws`,
			`3 ended 1000 "" by function`,
			`all sent all to 2 <nil> [] /ws`,
			`1 received up /ws`,
			`1 sent down to 1 <nil> [] /ws`,
			`4 opened /ws`,
			`1 ended 1000 "" by function`,
		}, "\n"))
		for _, c := range clients {
			c.Close()
		}
		is.NoErr(g.Close(t.Context()))
		is.NoErr(server.Close())
		is.Equal(<-served, http.ErrServerClosed)
	})
}

// Whoever hears that a client has said something or gone, and then waits until nothing is left to do, waits for what comes of that, too.
func TestWhatIsToldIsNotQuietYet(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		news := make(chan string, 10)
		var g *gateway.Gateway
		h := newHouse(t, plain, func(o *gateway.Options, _ *house) {
			told := func(what string) {
				if g.Drained(over) == nil {
					what += ", and all is quiet"
				}
				news <- what
			}
			o.Received = func(string, string, gateway.Message) { told("message") }
			o.Ended = func(gateway.Info, int, string, gateway.Party) { told("end") }
		})
		g = h.Gateway
		for _, leave := range []func(*websocket.Conn){
			func(c *websocket.Conn) {
				is.NoErr(c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "bye")))
			},
			func(c *websocket.Conn) { is.NoErr(c.NetConn().Close()) },
			func(*websocket.Conn) { is.NoErr(g.Cut(g.List()[0].ID)) },
		} {
			c := h.dial(t, "/p")
			is.NoErr(c.WriteMessage(websocket.TextMessage, []byte("hello")))
			is.Equal(<-news, "message")
			leave(c)
			is.Equal(<-news, "end")
			is.NoErr(g.Drained(t.Context()))
		}
	})
}

func TestTellsNobodyOfPings(t *testing.T) {
	is := is.New(t)
	r := &record{}
	h := newHouse(t, false, hears(r))
	c := h.raw(t)
	c.send(masked(ws.OpPing, true, "x"))
	f, ok := c.frame()
	is.True(ok)
	is.Equal(f.Header.OpCode, ws.OpPong)
	is.Equal(r.all(), "1 opened /ws")
}
