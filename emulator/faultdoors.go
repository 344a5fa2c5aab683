package emulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/fault"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
)

// The doors between the rooms where faults happen.

// passMatch stands before each event that a trigger wants.
func (e *Emulator) passMatch(t trigger.Trigger, ev events.Event, put func(late time.Duration), over func()) {
	hit, _ := e.faults.At(fault.Point{Step: fault.Match, Trigger: fault.Name{ID: t.ID, Name: t.Name}, Events: []events.Event{ev}})
	e.faults.Pass(hit, put, over)
}

// passInvoke stands before each call of a function.
func (e *Emulator) passInvoke(ctx context.Context, name string, q runner.Request, run func(context.Context, runner.Request) (runner.Response, error)) (runner.Response, error) {
	if !e.faults.On(fault.Invoke) {
		return run(ctx, q)
	}
	hit, ok := e.faults.At(fault.Point{Step: fault.Invoke, Function: fault.Name{ID: e.functionID(name), Name: name}, Events: eventsOf(q.Events)})
	if !ok {
		return run(ctx, q)
	}
	defer e.faults.Passed(hit)
	why := fmt.Sprintf("fault %s: %s", hit.ID, hit.What())
	switch hit.Action {
	case fault.Delay, fault.Reorder:
		if err := e.faults.Stay(ctx, hit, pause(ctx)); err != nil {
			return runner.Response{ID: q.ID}, err
		}
	case fault.Duplicate:
		if r, err := run(ctx, q); err != nil {
			return r, err
		}
	case fault.Crash:
		q.Crash = true
	case fault.Error:
		switch hit.Code {
		case "429":
			return runner.Response{ID: q.ID}, fmt.Errorf("%w: %s", runner.ErrThrottled, why)
		case "502":
			return runner.Response{ID: q.ID, FunctionError: "Unhandled", Payload: fmt.Appendf(nil, `{"errorMessage":%q,"errorType":"Fault"}`, why)}, nil
		case "503":
			return runner.Response{ID: q.ID}, fmt.Errorf("%w: %s", runner.ErrClosed, why)
		case fault.Timeout:
			limit := e.runner.Timeout(name)
			if limit == 0 {
				return run(ctx, q) // there is no such function
			}
			if err := e.faults.Linger(ctx, hit, hit.Came.Add(limit), pause(ctx)); err != nil {
				return runner.Response{ID: q.ID}, err
			}
			return runner.TimedOut(q.ID, limit), nil
		}
		return runner.Response{ID: q.ID}, errors.New(why)
	}
	return run(ctx, q)
}

// pause has the trigger, queue or socket that waits here say so, that nobody else waits for it.
func pause(ctx context.Context) func(time.Time) func() {
	return func(due time.Time) func() {
		if due.IsZero() {
			return func() {}
		}
		of := [...]func(){trigger.Pause(ctx, due), queue.Pause(ctx), aws.Pause(ctx), yandex.Pause(ctx)}
		return func() {
			for _, resume := range of {
				resume()
			}
		}
	}
}

// eventsOf are events of which only the ids are known.
func eventsOf(ids []string) []events.Event {
	out := make([]events.Event, len(ids))
	for i, id := range ids {
		out[i].ID = id
	}
	return out
}

// gatewayFaults are the doors of a gateway, which is there before anything passes them.
func (e *Emulator) gatewayFaults(of func() *gateway.Gateway) gateway.Faults {
	return gateway.Faults{
		Open: func(r *http.Request, s gateway.Socket) gateway.Opening { return e.passOpen(of(), r, s) },
		Send: func(id, path string, m gateway.Message, send func() error) error {
			return e.passSend(of(), id, path, m, send)
		},
		Broadcast: func(ctx context.Context, path string, ms []gateway.Message, send func(context.Context, []gateway.Message) []gateway.Sent) []gateway.Sent {
			if !e.faults.On(fault.Send) {
				return send(ctx, ms)
			}
			out := make([]gateway.Sent, len(ms))
			for i, m := range ms { // each may go its own way
				out[i] = e.passBroadcast(ctx, of(), path, m, func(ctx context.Context) gateway.Sent { return send(ctx, []gateway.Message{m})[0] })
			}
			return out
		},
	}
}

// sendError is what a gateway says of what it does not take.
func sendError(hit fault.Hit) error {
	why := fmt.Sprintf("fault %s", hit.ID)
	switch hit.Code {
	case "410":
		return fmt.Errorf("%w: %s", gateway.ErrGone, why)
	case "429":
		return fmt.Errorf("%w: %s", gateway.ErrBusy, why)
	case "503":
		return fmt.Errorf("%w: %s", gateway.ErrClosed, why)
	}
	return errors.New(why)
}

func (e *Emulator) passSend(g *gateway.Gateway, id, path string, m gateway.Message, send func() error) error {
	if !e.faults.On(fault.Send) {
		return send()
	}
	p := fault.Point{Step: fault.Send, Connection: id, Events: eventsOf(m.Events)}
	p.Gateway, p.Path = pathKeyOf(path)
	hit, _ := e.faults.At(p)
	defer e.faults.Passed(hit)
	switch hit.Action {
	case fault.Drop:
		return nil
	case fault.Delay, fault.Reorder: // whoever sends is told that it was taken, as ever
		e.faults.Pass(hit, func(time.Duration) { _ = send() }, nil)
		return nil
	case fault.Duplicate:
		if err := send(); err != nil {
			return err
		}
	case fault.Error:
		err := sendError(hit)
		g.Refused(gateway.SentFrame{Path: path, ID: id, Message: m, Err: err})
		return err
	case fault.Close:
		return g.Drop(id, closeCode(hit), "", gateway.ByGateway)
	}
	e.harm(g, hit, id)
	return send()
}

func (e *Emulator) passBroadcast(ctx context.Context, g *gateway.Gateway, path string, m gateway.Message, send func(context.Context) gateway.Sent) gateway.Sent {
	p := fault.Point{Step: fault.Send, Events: eventsOf(m.Events)}
	p.Gateway, p.Path = pathKeyOf(path)
	hit, _ := e.faults.At(p)
	defer e.faults.Passed(hit)
	on := g.On(path)
	taken := gateway.Sent{Connections: len(on)}
	switch hit.Action {
	case fault.Drop:
		return taken
	case fault.Delay, fault.Reorder:
		e.faults.Pass(hit, func(time.Duration) { send(e.patience) }, nil)
		return taken
	case fault.Duplicate:
		send(ctx)
	case fault.Error:
		err := sendError(hit)
		g.Refused(gateway.SentFrame{Path: path, Message: m, Err: err})
		return gateway.Sent{Err: err}
	case fault.Close:
		for _, id := range on {
			_ = g.Drop(id, closeCode(hit), "", gateway.ByGateway) // it may have gone
		}
		return taken
	}
	for _, id := range on {
		e.harm(g, hit, id)
	}
	return send(ctx)
}

// harm does to a connection what is done to it before something is sent. It may have gone.
func (e *Emulator) harm(g *gateway.Gateway, hit fault.Hit, id string) {
	switch hit.Action {
	case fault.Torn:
		_ = g.Tear(id)
	case fault.Slow:
		_ = g.Stall(id)
		e.faults.Finally(hit, e.resumeSockets)
	}
}

// resumeSockets has all connections take frames again.
func (e *Emulator) resumeSockets() {
	e.gateway.Resume()
	if e.sockets != nil {
		e.sockets.Resume()
	}
}

func closeCode(hit fault.Hit) int {
	code, _ := strconv.Atoi(string(hit.Code)) // it was checked
	return code
}

// passOpen stands before a connection that is to be let in.
func (e *Emulator) passOpen(g *gateway.Gateway, r *http.Request, s gateway.Socket) (o gateway.Opening) {
	if !e.faults.On(fault.Connection) {
		return o
	}
	p := fault.Point{Step: fault.Connection, Connection: s.ID}
	p.Gateway, p.Path = pathKeyOf(s.Path)
	hit, _ := e.faults.At(p)
	defer e.faults.Passed(hit)
	later := func(do func()) func() {
		if hit.Delay == 0 {
			return do
		}
		return func() { e.faults.Later(hit, hit.Delay, do) }
	}
	switch hit.Action {
	case fault.Delay:
		_ = e.faults.Stay(r.Context(), hit, nil) // a client that has gone is found out soon
	case fault.Error:
		o.Status, o.Text = http.StatusGatewayTimeout, fmt.Sprintf("fault %s", hit.ID)
		if hit.Code == fault.Timeout {
			_ = e.faults.Linger(r.Context(), hit, time.Time{}, nil)
		} else {
			o.Status = closeCode(hit)
		}
	case fault.Drop:
		o.Opened = later(func() { _ = g.Cut(s.ID) })
	case fault.Close:
		o.Opened = later(func() { _ = g.Drop(s.ID, closeCode(hit), "", gateway.ByGateway) })
	case fault.Torn:
		if o.Torn = hit.Delay == 0; !o.Torn {
			o.Opened = later(func() { _ = g.Tear(s.ID) })
		}
	case fault.Slow:
		o.Slow = true
		e.faults.Finally(hit, e.resumeSockets)
	case fault.LateDisconnect:
		o.Closed = func() {
			_ = e.faults.Linger(e.patience, hit, e.clock.Now().Add(hit.Delay), func(time.Time) func() { return g.Rest() })
		}
	}
	return o
}
