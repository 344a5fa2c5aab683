package emulator

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/containers"
	"github.com/regcast/regcast/emulator/internal/yandex/control"
	"github.com/regcast/regcast/emulator/internal/yandex/functions"
)

// Yandex Cloud's side of the house: the doors between its gateways and triggers, its control plane and the rooms.

// cloudOptions are the doors of the cloud. The control plane behind some of them is there before the first request is.
func (e *Emulator) cloudOptions(cfg Config) yandex.Options {
	o := yandex.Options{
		Gateway: e.gateway, Clock: e.clock, Invoked: e.recordInvocation, Note: e.note, Warn: e.warn, TagOnCreateImage: cfg.TagOnCreateImage,
		Invoke: func(ctx context.Context, function string, q runner.Request) (runner.Response, error) {
			return e.runner.Invoke(ctx, function, q)
		},
		Functions: func() []string { return e.control.Functions() },
		Resolve: func(functionID, tag string) (name, versionID string, err error) {
			return e.control.Resolve(functionID, tag)
		},
		DeadLetter: e.deadLetter, Context: e.patience, Closing: e.streams.Done(),
		Container:  func(id string) (string, error) { return e.control.Container(id) },
		Transport:  yandex.Inward{Address: e.local, Next: e.outward},
		IAMToken:   func(account string) (string, error) { return e.control.IAMToken(account) },
		Log:        func(l yandex.GatewayLog) { e.control.LogGateway(l) },
		Permit:     func(account, role, kind, id string) error { return e.control.Permit(account, role, kind, id) },
		StrictAuth: cfg.StrictAuth,
	}
	if cfg.StrictAuth {
		o.Authenticate = func(authorization string) error { return e.control.Authenticate(authorization) }
		o.Admit = func(authorization, role, kind, id string) error {
			return e.control.Admit(authorization, role, kind, id)
		}
	}
	return o
}

// buildControl makes the control plane and feeds the rooms what was kept.
func (e *Emulator) buildControl(cfg Config) (err error) {
	e.control, err = control.New(e.running, control.Options{
		Clock: e.clock, Values: e.journal, Changed: e.noteKept, Dir: e.folder.sources(), Cloud: e.cloud, Registry: e.registry,
		SetTrigger: e.setTrigger, RemoveTrigger: e.removeTrigger,
		SetFunction: e.setCloudFunction, RemoveFunction: e.runner.Remove,
		Base: func() string { return "http://" + e.host() }, Domain: e.gatewayDomain,
		StrictAuth: cfg.StrictAuth, Warn: e.warn, Log: e.log,
	})
	return err
}

// declared is what the configuration defines of the cloud.
func declared(cfg Config) control.Declared {
	var d control.Declared
	defined := make(map[string]CloudFunction)
	for _, f := range cfg.CloudFunctions {
		defined[f.ID] = f
	}
	for _, id := range functionIDs(cfg) {
		f := defined[id]
		d.Functions = append(d.Functions, functions.Declared{
			ID: id, Entry: f.Entry, Env: f.Env, Memory: f.Memory, Timeout: f.Timeout, File: "the configuration",
		})
	}
	for _, c := range cfg.Containers {
		d.Containers = append(d.Containers, containers.Declared{ID: c.ID, URL: c.URL, File: "the configuration"})
	}
	for _, g := range cfg.Gateways {
		d.Gateways = append(d.Gateways, control.File{ID: g.ID, Name: g.Name, Data: g.Data})
	}
	for _, t := range cfg.Triggers {
		d.Triggers = append(d.Triggers, control.File{Name: t.Name, Data: t.Data})
	}
	return d
}

// settling is how long a change of a trigger waits for what was published before. It waits in vain only when some trigger is so far behind
// that nothing more is read, and that one above all must be changeable.
const settling = time.Second

func (e *Emulator) setTrigger(t trigger.Trigger) error {
	e.settle()
	return e.triggers.Set(t)
}

func (e *Emulator) removeTrigger(id string) error {
	e.settle()
	return e.triggers.Remove(id)
}

// settle lets every event that was published find the triggers as they are before one changes: what is pushed to a trigger that is
// paused is lost, however soon it is resumed.
func (e *Emulator) settle() {
	ctx, cancel := context.WithTimeout(e.running, settling)
	defer cancel()
	_ = e.triggers.Read(ctx, lastOf(e.published.Load())) // what is not read by then finds the trigger as it is then
}

// setCloudFunction adds a function that a client has made.
func (e *Emulator) setCloudFunction(ctx context.Context, f runner.Function) error {
	if e.local() == "" {
		return errors.New("a process cannot reach a listener that is not TCP; listen on 127.0.0.1")
	}
	f.Env = maps.Clone(f.Env)
	for k, v := range f.Env {
		f.Env[k] = e.localize(v)
	}
	return e.runner.Set(ctx, f)
}

// gatewayDomain is where clients reach a gateway.
func (e *Emulator) gatewayDomain(id string) string {
	host := id + gatewayDomain
	if _, port, err := net.SplitHostPort(e.Addr()); err == nil {
		return net.JoinHostPort(host, port)
	}
	return host
}

// functionIDs lists what the configuration defines for the cloud's triggers and gateways to invoke.
func functionIDs(cfg Config) []string {
	ids := slices.Collect(maps.Keys(cfg.Functions))
	for _, f := range cfg.CloudFunctions {
		if !slices.Contains(ids, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
