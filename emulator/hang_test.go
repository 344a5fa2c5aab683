package emulator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// hangs is a function that never answers by itself, and says when it is called, in time of the house since its start.
func hangs(em **emulatortest.Emulator, calls chan<- time.Duration) function {
	var began time.Time
	return func(ctx context.Context, _ []byte) ([]byte, error) {
		now := (*em).ClockState().Now
		if began.IsZero() {
			began = now
		}
		calls <- now.Sub(began).Round(time.Second)
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

// Whoever has called a function that hangs: while the clock is moved it is waited for once, as long as its time limit is, and then the house
// is quiet but for it. So what falls due meanwhile is waited for, as ever.
func TestTheClockGoesPastWhatHangs(t *testing.T) {
	const queued = sockets + `
  Pushes: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: [aws.ecr]}, Targets: [{Id: q, Arn: !GetAtt Queue.Arn}]}}
  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 60}}
  Hangs: {Type: AWS::Serverless::Function, Properties: {Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}}}
`
	const direct = sockets + `
  Pushes: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: [aws.ecr]}, Targets: [{Id: f, Arn: !GetAtt Hangs.Arn}]}}
  May:
    Type: AWS::Lambda::Permission
    Properties: {Action: lambda:InvokeFunction, FunctionName: !Ref Hangs, Principal: events.amazonaws.com, SourceArn: !GetAtt Pushes.Arn}
  Hangs: {Type: AWS::Serverless::Function}
`
	push := func(em *emulatortest.Emulator, _ *emulatortest.Socket) { em.Push("team/app:v1") }
	say := func(_ *emulatortest.Emulator, ws *emulatortest.Socket) {
		ws.Write([]byte("hello"))
		go func() { _ = ws.Ended() }() // it reads what comes, also that the function took too long
	}
	leave := func(_ *emulatortest.Emulator, ws *emulatortest.Socket) { ws.Close() }
	for name, tc := range map[string]struct {
		template, function, path string
		do                       func(*emulatortest.Emulator, *emulatortest.Socket)
		again                    []time.Duration // since the first call
		machine                  time.Duration   // what all that took
	}{
		"a trigger's":                  {"", "d4efails000000000000", "/ws", push, []time.Duration{33 * time.Second, 66 * time.Second}, 5 * time.Second},
		"a queue's":                    {queued, "Hangs", "/live", push, []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute}, 13 * time.Second},
		"a rule's":                     {direct, "Hangs", "/live", push, []time.Duration{2 * time.Minute}, 11 * time.Second},
		"a message's":                  {sockets, "Default", "/live", say, nil, 10 * time.Second},
		"an end's":                     {sockets, "Disconnect", "/live", leave, nil, 10 * time.Second},
		"a message's, of Yandex Cloud": {"", "message", "/gw/" + historyGateway + "/live/1", say, nil, 3 * time.Second},
		"an end's, of Yandex Cloud":    {"", "disconnect", "/gw/" + historyGateway + "/live/1", leave, nil, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				calls := make(chan time.Duration, 100)
				var em *emulatortest.Emulator
				change := func(cfg *emulator.Config) {
					handlers(make(chan string, 100))(cfg)
					for _, id := range []string{"connect", "message", "disconnect", "d4efails000000000000"} {
						cfg.Functions[id] = cfg.Functions["Default"]
					}
					cfg.Functions[tc.function] = hangs(&em, calls)
					cfg.Frozen, cfg.Listener = true, emulatortest.NewNetwork()
					cfg.Triggers = []emulator.File{retrying}
					cfg.Gateways = []emulator.Gateway{{ID: historyGateway, File: emulator.File{Name: "spec.yaml", Data: []byte(historySpec)}}}
				}
				if tc.template == "" {
					cfg := emulator.Config{}
					change(&cfg)
					em = emulatortest.Start(t, cfg)
				} else {
					em, _ = stack(t, tc.template, change)
				}
				ws := em.Dial(tc.path)
				tc.do(em, ws)
				synctest.Wait()
				real := time.Now()
				is.NoErr(em.Advance(t.Context(), 200*time.Second))
				is.Equal(time.Since(real), tc.machine)
				is.Equal(<-calls, time.Duration(0))
				for _, at := range tc.again {
					is.Equal(<-calls, at)
				}
				is.Equal(len(calls), 0)
			})
		})
	}
}

// A function that hangs is waited for once, however often the clock is moved; another that only takes its time is waited for as ever, also
// beside it. Flush waits for both.
func TestOneFunctionHangsBesideAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		calls := make(chan time.Duration, 100)
		var em *emulatortest.Emulator
		slow := 0
		cfg := emulator.Config{Frozen: true, Listener: emulatortest.NewNetwork(), Triggers: []emulator.File{retrying}}
		cfg.Functions = map[string]emulator.Function{
			"hangs": hangs(&em, calls),
			"d4efails000000000000": function(func(context.Context, []byte) ([]byte, error) {
				<-time.After(2 * time.Second) // of the bubble: it only takes its time
				slow++
				return nil, errors.New("no")
			}),
		}
		em = emulatortest.Start(t, cfg)
		em.Push("team/app:v1")
		is.NoErr(em.Advance(t.Context(), 9*time.Second))
		ended := make(chan error, 1)
		go func() {
			_, err := em.Invoke(t.Context(), "hangs", nil)
			ended <- err
		}()
		<-calls
		began := time.Now()
		is.NoErr(em.Advance(t.Context(), time.Second))
		is.Equal(time.Since(began), 5*time.Second) // the time limit of the one, and what the other takes
		is.Equal(slow, 1)
		for range 100 {
			is.NoErr(em.Advance(t.Context(), 10*time.Millisecond))
		}
		is.Equal(time.Since(began), 5*time.Second)
		limited, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		is.True(errors.Is(em.Emulator.Flush(limited), context.DeadlineExceeded))
		is.Equal(len(ended), 0)
		is.NoErr(em.Advance(t.Context(), time.Second))
		is.True(strings.Contains((<-ended).Error(), "Task timed out"))
		began = time.Now()
		is.NoErr(em.Advance(t.Context(), time.Hour))
		is.Equal(slow, 3)
		is.Equal(time.Since(began), 4*time.Second)
		em.Flush()
	})
}

// A virtual replay goes past a function that hangs as the clock does: its batches are those of a house where it answers, and each call of it
// costs what it may take by the machine's clock once, then a second.
func TestAVirtualReplayGoesPastWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		calls := make(chan time.Duration, 100)
		var em *emulatortest.Emulator
		cfg := emulator.Config{Frozen: true, Listener: emulatortest.NewNetwork(), Triggers: []emulator.File{retrying, trigger(100, "20s")}}
		cfg.Functions = map[string]emulator.Function{"d4efails000000000000": hangs(&em, calls)}
		em = emulatortest.Start(t, cfg)
		ws := em.Dial("/ws")
		at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
		lines := func(yield func(recording.Line, error) bool) {
			for i, tag := range []string{"a", "b", "c"} {
				at := at.Add(time.Duration(i) * 15 * time.Second)
				change := events.Change{Kind: events.TagAttached, Repository: "app", Tag: tag, Digest: "sha256:" + strings.Repeat("a", 64), At: at}
				if !yield(recording.Line{At: at, Record: &events.Record{Changes: []events.Change{change}}}, nil) {
					return
				}
			}
			yield(recording.Line{At: at.Add(5 * time.Minute), End: &recording.End{}}, nil)
		}
		read := make(chan bool)
		go func() {
			defer close(read)
			ws.Expect("create-image-tag", "create-image-tag")
			ws.Expect("create-image-tag")
		}()
		real := time.Now()
		s, err := em.Replay(t.Context(), lines, emulator.ReplayOptions{Virtual: true})
		is.NoErr(err)
		is.Equal(s.Records, int64(3))
		is.Equal(s.Span, 5*time.Minute)
		is.Equal(len(calls), 9)                    // three batches, three tries each
		is.Equal(time.Since(real), 11*time.Second) // 3 for the first call, 1 for each of the others
		<-read
	})
}
