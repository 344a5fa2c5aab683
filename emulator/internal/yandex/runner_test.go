package yandex_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex"
)

// handler is a function in this process.
type handler func(ctx context.Context, payload []byte) ([]byte, error)

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

// The real runner behind the door: its words become this cloud's.
func TestTheRunnersWords(t *testing.T) {
	is := is.New(t)
	h := build(t, "", func(o *yandex.Options) {
		r := runner.New(runner.Options{Clock: o.Clock, Dir: t.TempDir()})
		t.Cleanup(func() { is.NoErr(r.Close(context.Background())) })
		o.Invoke, o.Functions = r.Invoke, func() []string { return []string{its} }
		is.NoErr(r.Set(t.Context(), runner.Function{Name: its, Timeout: 3 * time.Second, Handler: handler(func(ctx context.Context, payload []byte) ([]byte, error) {
			switch string(payload) {
			case "error":
				return nil, errors.New("no")
			case "panic":
				panic("no")
			case "slow":
				o.Clock.(interface{ Advance(time.Duration) }).Advance(time.Minute)
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return payload, nil
		})}))
	})
	ask := func(body string) (int, map[string]any) {
		a := api(t, h.cloud.ServeFunctions, "POST", "/functions/d4emine?integration=raw", body)
		var told map[string]any
		is.NoErr(json.Unmarshal([]byte(a.body), &told))
		return a.status, told
	}
	status, told := ask(`{"as": "it is"}`)
	is.Equal(status, 200)
	same(t, told, `{"as": "it is"}`)
	status, told = ask("error")
	is.Equal(status, 502)
	same(t, told, `{"errorMessage": "no", "errorType": "UserCodeError"}`)
	status, told = ask("panic")
	is.Equal([]any{status, told["errorMessage"], told["errorType"]}, []any{502, "no", "UserCodePanic"})
	is.True(strings.Contains(told["stackTrace"].([]any)[0].(string), "runner_test.go:"))
	status, told = ask("slow")
	is.Equal([]any{status, told["errorType"]}, []any{504, "Timeout"})
	is.True(strings.Contains(told["errorMessage"].(string), "Task timed out after 3.00 seconds"))
}
