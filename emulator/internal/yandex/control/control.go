// Package control is the control plane of Yandex Cloud: the services over one store, wired to each other and to the rooms that they
// feed.
package control

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/apigateway"
	"github.com/regcast/regcast/emulator/internal/yandex/containerregistry"
	"github.com/regcast/regcast/emulator/internal/yandex/containers"
	"github.com/regcast/regcast/emulator/internal/yandex/functions"
	"github.com/regcast/regcast/emulator/internal/yandex/iam"
	"github.com/regcast/regcast/emulator/internal/yandex/logging"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/regcast/regcast/emulator/internal/yandex/resourcemanager"
	"github.com/regcast/regcast/emulator/internal/yandex/triggers"
	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

// OAuth is the OAuth token of the developer: with StrictAuth the only one that an IAM token is given for.
const OAuth = "y0_regcast_developer"

// Options are the plane's doors. All are needed but Clock and Changed.
type Options struct {
	Clock    clock.Clock
	Values   resource.Values                    // where resources are kept
	Changed  func(name string, was, now []byte) // hears of what clients make, as resource.Options has it; nil: nobody does
	Dir      string                             // where the sources of functions are
	Cloud    *yandex.Cloud
	Registry *registry.Registry

	// SetTrigger and RemoveTrigger are the engine's, SetFunction and RemoveFunction the runner's.
	SetTrigger     func(trigger.Trigger) error
	RemoveTrigger  func(id string) error
	SetFunction    func(context.Context, runner.Function) error
	RemoveFunction func(name string) error

	// Base begins the URLs of functions and containers, "http://localhost:8080", and Domain is where clients reach a gateway, without a
	// scheme.
	Base   func() string
	Domain func(gatewayID string) string

	StrictAuth bool
	Warn       func(string)
	Log        *slog.Logger // of calls
}

// Plane is the control plane.
type Plane struct {
	o     Options
	store *resource.Store
	wire  *wire.Server

	iam        *iam.Service
	folders    *resourcemanager.Service
	registries *containerregistry.Service
	gateways   *apigateway.Service
	triggers   *triggers.Service
	functions  *functions.Service
	containers *containers.Service
	log        *logging.Log
	logs       *logging.Service
}

// New makes the services and feeds the rooms what was kept, but for functions, which Declare builds.
func New(ctx context.Context, o Options) (*Plane, error) {
	p := &Plane{o: o, store: resource.New(resource.Options{Clock: o.Clock, Values: o.Values, Changed: o.Changed})}
	if err := p.open(ctx); err != nil {
		return nil, fmt.Errorf("control plane: %w", err)
	}
	p.wire = wire.New(wire.Options{Clock: o.Clock, Authenticate: p.iam.Authenticate, NotEmulated: notEmulated(), Note: p.note})
	p.register(p.wire)
	return p, p.wire.Start()
}

// register tells of every service.
func (p *Plane) register(r grpc.ServiceRegistrar) {
	operation.RegisterOperationServiceServer(r, p.store.Operations())
	for _, service := range []interface{ Register(grpc.ServiceRegistrar) }{
		p.iam, p.folders, p.registries, p.functions, p.containers, p.logs, p.gateways, p.triggers,
	} {
		service.Register(r)
	}
}

func (p *Plane) open(ctx context.Context) (err error) {
	o := p.o
	bindings, err := resource.OpenBindings(ctx, p.store)
	if err != nil {
		return err
	}
	folder := func(ctx context.Context, id string) error { return p.folders.CheckFolder(ctx, id) }
	account := func(ctx context.Context, id string) error { return p.iam.CheckAccount(ctx, id) }
	runAs := func(ctx context.Context, id string) error {
		if err := account(ctx, id); err != nil {
			return err
		}
		return p.iam.Authorize().Check(ctx, "iam.serviceAccounts.user", p.iam.Chain(id)...)
	}
	if p.iam, err = iam.New(ctx, iam.Options{
		Store: p.store, Bindings: bindings, StrictAuth: o.StrictAuth, DeveloperToken: yandex.Token, OAuth: OAuth,
		Signers: time.Now, // clients have the machine's clock, whatever the emulator's is
		Folder:  folder, CloudOf: func(folder string) string { return p.folders.CloudOf(folder) },
	}); err != nil {
		return err
	}
	may := p.iam.Authorize()
	if p.folders, err = resourcemanager.New(ctx, resourcemanager.Options{
		Store: p.store, Bindings: bindings, Authorize: may, Contents: p.contents,
	}); err != nil {
		return err
	}
	if p.registries, err = containerregistry.New(ctx, containerregistry.Options{
		Store: p.store, Bindings: bindings, Authorize: may, Room: o.Registry, Folder: folder,
	}); err != nil {
		return err
	}
	if p.functions, err = functions.New(ctx, functions.Options{
		Store: p.store, Bindings: bindings, Authorize: may, Folder: folder, ServiceAccount: runAs, Dir: o.Dir, Warn: o.Warn,
		Set: o.SetFunction, Remove: func(_ context.Context, name string) error { return o.RemoveFunction(name) },
		URL:      func(id string) string { return o.Base() + yandex.FunctionsPath + id },
		LogGroup: func(folder string) string { return p.logs.DefaultGroup(folder) },
	}); err != nil {
		return err
	}
	if p.containers, err = containers.New(ctx, containers.Options{
		Store: p.store, Bindings: bindings, Authorize: may, Folder: folder, ServiceAccount: runAs, Warn: o.Warn,
		URL: func(id string) string { return o.Base() + yandex.ContainersPath + id + "/" },
	}); err != nil {
		return err
	}
	p.log = logging.NewLog(logging.LogOptions{Clock: o.Clock})
	if p.logs, err = logging.New(ctx, logging.Options{
		Store: p.store, Bindings: bindings, Authorize: may, Log: p.log, Folder: folder,
	}); err != nil {
		return err
	}
	if p.gateways, err = apigateway.New(ctx, apigateway.Options{
		Store: p.store, Bindings: bindings, Authorize: may, Runner: o.Cloud, Folder: folder, LogGroup: p.logs.DefaultGroup,
		Domain: o.Domain, Warn: o.Warn,
	}); err != nil {
		return err
	}
	p.triggers, err = triggers.New(ctx, triggers.Options{
		Store: p.store, Cloud: o.Cloud, Known: p.registries.Known, Set: o.SetTrigger, Remove: o.RemoveTrigger, Authorize: may, Folder: folder,
		ServiceAccount: account, Warn: o.Warn,
		Chain: func(id string) []string {
			if chain := p.iam.Chain(id); len(chain) > 1 {
				return chain
			}
			return p.registries.Chain(id)
		},
	})
	return err
}

// note tells the operator of a call.
func (p *Plane) note(c wire.Call) {
	p.o.Log.Debug("yandex: "+c.Method, "code", c.Code, "request", c.Request, "message", c.Message, "took", c.Duration)
	if c.Panic != "" {
		p.o.Log.Error("yandex: "+c.Method+" panicked", "request", c.Request, "stack", c.Panic)
	}
}

// Claims tells whether a request is for the cloud's APIs.
func (p *Plane) Claims(r *http.Request) bool { return p.wire.Claims(r) }

// ServeHTTP answers gRPC and REST.
func (p *Plane) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.wire.ServeHTTP(w, r) }

// Close lets the calls that run end until ctx does, then breaks them off, as it does with operations.
func (p *Plane) Close(ctx context.Context) error {
	err := p.wire.Close(ctx)
	p.store.Close()
	return err
}

// GatewayFor finds the gateway of a domain that a client has attached.
func (p *Plane) GatewayFor(host string) (gatewayID string, ok bool) {
	return p.gateways.GatewayFor(host)
}

// Functions lists the functions there are.
func (p *Plane) Functions() []string { return p.functions.IDs() }

// Resolve finds what the runner calls the version of a function that a tag names.
func (p *Plane) Resolve(functionID, tag string) (name, versionID string, err error) {
	return p.functions.Resolve(functionID, tag)
}

// FunctionOf is the function whose version the runner calls by a name.
func (p *Plane) FunctionOf(name string) (functionID string, ok bool) {
	functionID, _, ok = p.functions.Owner(name)
	return functionID, ok
}

// RunsAs is the service account that what the runner calls a name runs as; empty: none. False: it is no function of this cloud.
func (p *Plane) RunsAs(name string) (serviceAccountID string, ok bool) {
	_, version, ok := p.functions.Owner(name)
	return p.functions.ServiceAccountOf(version), ok
}

// HasFunctions tells whether there is any function.
func (p *Plane) HasFunctions() bool { return p.functions.Any() }

// HasContainers tells whether there is any container.
func (p *Plane) HasContainers() bool { return p.containers.Any() }

// Known tells whether there is a registry, for those that may not make one by a push.
func (p *Plane) Known(registryID string) bool { return p.registries.Known(registryID) }

// Container is the URL that a container's requests go to.
func (p *Plane) Container(id string) (string, error) {
	url, err := p.containers.Target(id)
	return url, refusal(err)
}

// IAMToken issues a token to a service account.
func (p *Plane) IAMToken(serviceAccountID string) (string, error) {
	token, _, err := p.iam.TokenFor(serviceAccountID)
	return token, err
}

// contents says what is in a folder.
func (p *Plane) contents(folderID string) []string {
	var out []string
	for kind, ids := range map[string][]string{
		"function": p.functions.In(folderID), "container": p.containers.In(folderID), "gateway": p.gateways.In(folderID),
		"registry": p.registries.In(folderID), "trigger": p.triggers.In(folderID),
	} {
		for _, id := range ids {
			out = append(out, kind+" "+id)
		}
	}
	slices.Sort(out)
	return append(out, p.iam.Contents(folderID)...)
}

// chain is a resource and what contains it: where roles on it are looked for.
func (p *Plane) chain(kind, id string) []string {
	switch kind {
	case "function":
		return p.functions.Chain(id)
	case "container":
		return p.containers.Chain(id)
	case "gateway":
		return p.gateways.Chain(id)
	}
	return []string{id}
}

// Permit says why a service account may not act in a role on a resource of a kind, as yandex.Options has it.
func (p *Plane) Permit(serviceAccountID, role, kind, id string) error {
	return p.iam.HasRole(serviceAccountID, role, p.chain(kind, id)...)
}

// Admit says why the sender of a token may not; without StrictAuth everybody may.
func (p *Plane) Admit(authorization, role, kind, id string) error {
	if !p.o.StrictAuth {
		return nil
	}
	caller, err := p.iam.Caller(authorization)
	if err != nil && authorization != "" {
		return refusal(err)
	}
	return refusal(p.iam.Permit(caller, role, p.chain(kind, id)...)) // what is open to all users needs no token
}

// Authenticate says why a token is not taken.
func (p *Plane) Authenticate(authorization string) error {
	_, err := p.iam.Caller(authorization)
	return refusal(err)
}

// refusal is a status as the data plane has it.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	return &yandex.Error{Code: int(s.Code()), Text: s.Message()}
}

// LogGateway keeps what a gateway tells of a request where clients read it.
func (p *Plane) LogGateway(l yandex.GatewayLog) {
	group, wanted := p.gateways.LogGroupFor(l.GatewayID, l.Level)
	if !wanted {
		return
	}
	p.log.Write(logging.Entry{
		GroupID: group, ResourceType: logging.GatewayType, ResourceID: l.GatewayID, Time: l.At, Level: l.Level, Message: l.Message,
		Payload: l.Fields,
	})
}

// LogFunction keeps a line of the log of what the runner calls name there too; others than Yandex Cloud's functions are left alone.
func (p *Plane) LogFunction(name string, line []byte) {
	function, version, ours := p.functions.Owner(name)
	if !ours {
		return
	}
	group, wanted := p.functions.LogGroupFor(function, version)
	if !wanted {
		return
	}
	p.log.Write(logging.Entry{
		GroupID: group, ResourceType: logging.FunctionType, ResourceID: function, StreamName: version, Message: string(line),
	})
}
