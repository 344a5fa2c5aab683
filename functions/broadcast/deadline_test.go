package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/functions/broadcast"
	"github.com/regcast/regcast/functions/gateway"
)

// posting is a gateway in this process, whose time can be moved.
type posting func(ctx context.Context, connection string) error

func (posting) Message([]byte) gateway.Message { return gateway.Message{} }
func (p posting) Post(ctx context.Context, connection string, _ gateway.Message) error {
	return p(ctx, connection)
}

// A batch that does not end in time answers in time, with what it has not finished.
func TestDeadline(t *testing.T) {
	const limit, margin = 10 * time.Second, 2 * time.Second
	for name, test := range map[string]struct {
		options broadcast.Options
		ctx     func(t *testing.T) (context.Context, context.CancelFunc)
		post    posting
		gone    []string
	}{
		"one hangs": {
			ctx: func(t *testing.T) (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), limit)
			},
			post: func(ctx context.Context, connection string) error {
				switch connection {
				case "0":
					<-ctx.Done()
					return context.Cause(ctx)
				case "1":
					return gateway.ErrGone
				}
				return nil
			},
			gone: []string{"1"}, // rows are deleted in what is left
		},
		"stays busy": {
			options: broadcast.Options{Attempts: 1000},
			ctx: func(t *testing.T) (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), limit)
			},
			post: func(context.Context, string) error { return gateway.ErrBusy },
		},
		"the platform tells no deadline": {
			options: broadcast.Options{Timeout: limit},
			ctx:     func(t *testing.T) (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) },
			post: func(ctx context.Context, _ string) error {
				<-ctx.Done()
				return context.Cause(ctx)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				r := wanting("", "", "")
				for i := range r.connections {
					r.connections[i].Since = time.Now().Add(-time.Hour) // by the bubble's clock
				}
				o := test.options
				o.Store, o.Gateway, o.Margin, o.Jitter = r, test.post, margin, func() float64 { return 1 }
				ctx, cancel := test.ctx(t)
				defer cancel()
				began := time.Now()
				_, err := broadcast.New(o).Invoke(ctx, []byte(messages(message("e1", "CreateImage", "a", ""))))
				is.Equal(time.Since(began), limit-margin)
				var left *broadcast.Unfinished
				is.True(errors.As(err, &left))
				is.Equal(left.Events, []string{"e1"})
				is.True(strings.HasSuffix(err.Error(), ": time is up") || errors.Is(err, gateway.ErrBusy))
				is.Equal(r.forgotten, test.gone)
			})
		})
	}
}

// So many posts at a time and no more, and all of them.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var mu sync.Mutex
		now, most, done := 0, 0, 0
		post := posting(func(context.Context, string) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-time.After(time.Second)
			mu.Lock()
			defer mu.Unlock()
			now--
			done++
			return nil
		})
		b := broadcast.New(broadcast.Options{Store: wanting(slices.Repeat([]string{""}, 100)...), Gateway: post, Concurrency: 7})
		began := time.Now()
		_, err := b.Invoke(t.Context(), []byte(messages(message("e1", "CreateImage", "a", ""))))
		is.NoErr(err)
		is.Equal([]int{most, done}, []int{7, 100})
		is.Equal(time.Since(began), 15*time.Second) // 100 posts by 7, a second each
	})
}

// A full batch in which every tenth connection fails hands back exactly what that connection wanted.
func TestUnfinishedIsWhatFailed(t *testing.T) {
	is := is.New(t)
	var bodies, wishes []string
	for i := range 10 {
		bodies = append(bodies, action(fmt.Sprint("e", i), "PUSH", fmt.Sprint("r", i), "v"))
	}
	for i := range 100 {
		wishes = append(wishes, fmt.Sprintf("image=r%d", i%10))
	}
	post := posting(func(_ context.Context, connection string) error {
		if strings.HasSuffix(connection, "3") {
			return gateway.ErrBusy
		}
		return nil
	})
	b := broadcast.New(broadcast.Options{Store: wanting(wishes...), Gateway: post, Attempts: 1})
	answer, err := b.Invoke(t.Context(), []byte(queued(bodies...)))
	is.NoErr(err)
	is.Equal(string(answer), `{"batchItemFailures":[{"itemIdentifier":"m3"}]}`)
}

// texts takes every post and keeps what it was made of.
type texts struct{ made [][]byte }

func (x *texts) Message(text []byte) gateway.Message {
	x.made = append(x.made, text)
	return gateway.Message{}
}

func (x *texts) Post(context.Context, string, gateway.Message) error { return nil }
