package emulator_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
)

// Functions that never answer, behind an open socket and behind a handshake, do not hold up an end with a limit; the $disconnect
// functions have their turn all the same.
func TestCloseBesideFunctionsThatHang(t *testing.T) {
	is := is.New(t)
	gone, began := make(chan string, 10), make(chan string, 10)
	hang := function(func(ctx context.Context, payload []byte) ([]byte, error) {
		began <- string(payload)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	connects := 0
	em, _ := stack(t, sockets, handlers(gone), func(cfg *emulator.Config) {
		fine := cfg.Functions["Connect"]
		cfg.Functions["Default"] = hang
		cfg.Functions["Connect"] = function(func(ctx context.Context, payload []byte) ([]byte, error) {
			if connects++; connects == 1 {
				return fine.Invoke(ctx, payload)
			}
			return hang.Invoke(ctx, payload)
		})
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, _, err := websocket.Dial(ctx, em.APIs()[0].URLs[0], nil)
	is.NoErr(err)
	defer client.CloseNow()
	is.NoErr(client.Write(ctx, websocket.MessageText, []byte("hello")))
	<-began
	id := em.Connections()[0].ID
	refused := make(chan int, 1)
	go func() {
		_, res, err := websocket.Dial(ctx, em.APIs()[0].URLs[0], nil)
		if err == nil || res == nil {
			refused <- 0
			return
		}
		refused <- res.StatusCode
	}()
	<-began
	ended := make(chan websocket.StatusCode, 1)
	go func() {
		_, _, err := client.Read(ctx)
		ended <- websocket.CloseStatus(err)
	}()
	limit, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	start := time.Now()
	is.NoErr(em.Close(limit))
	is.True(time.Since(start) < 15*time.Second)
	is.Equal(<-gone, id)
	is.Equal(<-ended, websocket.StatusGoingAway)
	is.Equal(<-refused, http.StatusInternalServerError)
}
