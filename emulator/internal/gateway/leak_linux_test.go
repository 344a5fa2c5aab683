package gateway_test

import (
	"net"
	"os"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

// A hundred connections are reset while a broadcast is under way; nothing of them is left.
func TestResetLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		h.raw(t).Close() // whatever is opened once is open now
		<-h.ends
		before := descriptors(t)
		var clients []*raw
		for range 100 {
			clients = append(clients, h.raw(t))
		}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
					h.Broadcast(t.Context(), "/ws", []gateway.Message{text("x")})
				}
			}
		}()
		for _, c := range clients {
			is.NoErr(c.Conn.(*net.TCPConn).SetLinger(0))
			is.NoErr(c.Close())
		}
		for range clients {
			is.Equal((<-h.ends).code, 1006)
		}
		close(stop)
		<-stopped
		is.Equal(h.Count(), 0)
		is.Equal(descriptors(t), before)
		is.NoErr(h.Drained(t.Context()))
	})
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
