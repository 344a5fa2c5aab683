package emulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/dynamodb"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/guard"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// The functions' side of the house: what runs them, what they call, and what stands between them and the world.

// ErrNoFunction says that Invoke, or Config.Debug, was given a name that no function has.
var ErrNoFunction = runner.ErrNoFunction

// FunctionError is what Invoke returns when the function itself failed.
type FunctionError struct {
	Function string
	Payload  []byte // {"errorMessage", "errorType", …}
}

func (e *FunctionError) Error() string { return fmt.Sprintf("function %s: %s", e.Function, e.Payload) }

// Invoke calls a function, by its logical id in the template or its id in Yandex Cloud, and returns what it answered.
func (e *Emulator) Invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	r, err := e.runner.Invoke(ctx, e.functionName(function), runner.Request{Payload: payload})
	switch {
	case errors.Is(err, ErrNoFunction):
		var ids []string
		for _, f := range e.Functions() {
			ids = append(ids, f.ID)
		}
		return nil, fmt.Errorf("invoke %s: %w; there is %s", function, ErrNoFunction, cmp.Or(strings.Join(ids, ", "), "none"))
	case err != nil:
		return nil, fmt.Errorf("invoke %s: %w", function, err)
	case r.FunctionError != "":
		return nil, &FunctionError{function, r.Payload}
	}
	return r.Payload, nil
}

// functionName is the name that a function has in the runner.
func (e *Emulator) functionName(id string) string {
	if e.plan != nil {
		for _, f := range e.plan.Functions {
			if f.LogicalID == id {
				return f.Name
			}
		}
	}
	if name, _, err := e.control.Resolve(id, ""); err == nil {
		return name
	}
	return id
}

// functionID is the other way round.
func (e *Emulator) functionID(name string) string {
	if e.plan != nil {
		for _, f := range e.plan.Functions {
			if f.Name == name {
				return f.LogicalID
			}
		}
	}
	if id, ok := e.control.FunctionOf(name); ok {
		return id
	}
	return name
}

// readTemplate reads the template before anything is made, so that a wrong one costs nothing.
func (e *Emulator) readTemplate(cfg Config) (err error) {
	if cfg.Template == nil {
		return nil
	}
	t := cfg.Template
	e.plan, err = template.Parse(t.Name, t.Data, template.Options{
		Parameters: t.Parameters, Stack: t.Stack, Region: t.Region, Account: t.Account,
	})
	return err
}

// buildFunctions makes what runs functions and what they call. None is there before defineFunctions.
func (e *Emulator) buildFunctions(cfg Config) (err error) {
	account, region, queues := "123456789012", "us-east-1", ""
	if e.plan != nil {
		account, region = e.plan.Account, e.plan.Region
	}
	if cfg.Data != "" {
		queues = e.folder.queues()
	}
	if e.queues, err = queue.New(queue.Options{Clock: e.clock, Dir: queues, Note: e.note}); err != nil {
		return err
	}
	e.tables = dynamodb.New(dynamodb.Options{Clock: e.clock, LazyTTL: cfg.LazyTTL, Region: region, Account: account,
		Changed: func(name string, was, now []byte) { e.noteKept(recording.KeptTable+name, was, now) }})
	e.sqs = &aws.SQS{Account: account, Region: region, Queues: e.queues}
	// The folder is ours alone, as the journal's lock has shown: what is there was left by a process that was killed.
	if err = errors.Join(os.RemoveAll(e.folder.functions()), os.MkdirAll(e.folder.functions(), 0o755)); err != nil {
		return err
	}
	if e.local() != "" { // else there is no process to guard
		e.buildGuard()
	}
	log := cfg.FunctionLog
	if log == nil {
		log = func(string, string) {}
	}
	e.identities = newIdentities(e.identity)
	e.runner = runner.New(runner.Options{
		Cache: cfg.Cache, TrustCache: cfg.TrustCache, Through: e.passInvoke,
		Clock: e.clock, Dir: e.folder.functions(), Region: region, Host: cfg.Environ, Env: e.functionEnv, Watch: cfg.Watch,
		Note: func(s events.Step) {
			e.note(s)
			log(e.functionID(s.Who), "regcast: "+s.Text) // a broken build, a debugger that waits: who watches the log must know
		},
		Log: func(function string, line []byte) {
			log(e.functionID(function), string(line))
			e.control.LogFunction(function, line)
		},
		Invoked: e.recordInvocation,
		Pause:   func(ctx context.Context, due time.Time) func() { return pause(ctx)(due) },
	})
	if e.plan == nil {
		return nil
	}
	e.stack = aws.NewStack(e.plan, aws.StackOptions{
		Dir: cfg.Template.Dir, Clock: e.clock, Queues: e.queues, Tables: e.tables, Runner: e.runner, Note: e.note, Warn: e.warn,
	})
	e.sqs.ContentDedup = e.stack.ContentDedup
	sockets := aws.SocketOptions(e.clock)
	sockets.Origins = cfg.AllowOrigins
	if cfg.FragmentFrames {
		sockets.Fragments = []int{256, 1024, 4096} // small enough for one event to be cut
	}
	e.recordSockets(&sockets, stageOf)
	sockets.Faults = e.gatewayFaults(func() *gateway.Gateway { return e.sockets })
	e.sockets = gateway.New(sockets)
	e.aws = aws.New(aws.Options{
		Account: account, Region: region, Gateway: e.sockets, Invoke: e.runner.Invoke, Clock: e.clock, Note: e.note, Warn: e.warn,
		StrictAuth: cfg.StrictAuth, Secret: e.stack.SecretOf, Allowed: e.stack.Allowed,
		Signers: clock.Real{}, // processes have the machine's clock, whatever the emulator's is
	})
	return nil
}

// local is the address of the port as processes of this machine reach it; empty when they cannot, as with a listener in memory.
func (e *Emulator) local() string {
	addr, ok := e.listener.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	if addr.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(addr.Port))
	}
	return addr.String()
}

// functionEnv is what every process is given: credentials that no cloud takes, and no way but to the emulator.
func (e *Emulator) functionEnv(f runner.Function) map[string]string {
	env := e.guard.Env(f.Name)
	maps.Copy(env, aws.Credentials(f.Name))
	env["AWS_ENDPOINT_URL"] = "http://" + e.local()
	env["AWS_EC2_METADATA_DISABLED"] = "true"
	env["YC_METADATA_ADDR"] = e.metadataAddress(f)
	return env
}

// AWSEnv returns the environment variables, as "NAME=value", with which AWS's SDKs and command line call the emulator, as somebody who
// may do everything. Without a template there is nothing for them to call, and it is empty.
func (e *Emulator) AWSEnv() []string {
	if e.plan == nil {
		return nil
	}
	return []string{
		"AWS_ENDPOINT_URL=" + e.URL(), "AWS_REGION=" + e.plan.Region, "AWS_DEFAULT_REGION=" + e.plan.Region,
		"AWS_ACCESS_KEY_ID=" + aws.DeveloperKey, "AWS_SECRET_ACCESS_KEY=" + aws.Secret, "AWS_SESSION_TOKEN=",
	}
}

// cloudURL finds hosts of AWS and Yandex Cloud in a variable's value, as a deployment writes them.
var cloudURL = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b(http|ws)s?://([A-Za-z0-9.-]+)(:443)?`) })

// localize makes of the URLs of a cloud in a variable's value those of the emulator, so that a function need not go through the guard.
func (e *Emulator) localize(value string) string {
	return cloudURL().ReplaceAllStringFunc(value, func(url string) string {
		m := cloudURL().FindStringSubmatch(url)
		scheme, host := m[1], m[2]
		if !guard.Cloud(host) {
			return url
		}
		local := scheme + "://" + e.local()
		if api, _, ok := strings.Cut(host, ".execute-api."); ok {
			return local + "/" + api
		}
		if host == "functions.yandexcloud.net" {
			return local + "/functions"
		}
		return local
	})
}

// defineFunctions makes everything that the configuration names: what is built from source is built now. It returns the triggers of
// the template's rules.
func (e *Emulator) defineFunctions(ctx context.Context, cfg Config) ([]trigger.Trigger, error) {
	var fs map[string]runner.Function // of the template
	if e.stack != nil {
		var missing map[string]string
		fs, missing = e.stack.Functions()
		for _, id := range slices.Sorted(maps.Keys(missing)) {
			if cfg.Functions[id] == nil {
				e.warn(missing[id])
				delete(fs, id)
			}
		}
	}
	if err := checkDebug(cfg, fs); err != nil {
		return nil, err
	}
	var errs []error
	processes := 0
	taken := map[string]bool{}
	set := func(id string, f runner.Function) {
		taken[id] = true
		if h := cfg.Functions[id]; h != nil {
			f.Handler, f.Executables, f.Package, f.Entry = h, nil, "", ""
		} else {
			processes++
		}
		f.Debug = slices.Contains(cfg.Debug, id)
		for k, v := range f.Env {
			f.Env[k] = e.localize(v)
		}
		if err := e.runner.Set(ctx, f); err != nil {
			errs = append(errs, err)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(fs)) {
		set(id, fs[id])
	}
	for _, f := range cfg.CloudFunctions {
		set(f.ID, runner.Function{
			Name: f.ID, Package: f.Package, Entry: f.Entry, HandlerName: f.Entry, Env: maps.Clone(f.Env), Memory: f.Memory, Timeout: f.Timeout,
		})
	}
	for _, id := range slices.Sorted(maps.Keys(cfg.Functions)) {
		if !taken[id] {
			for other := range taken {
				if strings.EqualFold(id, other) {
					e.warn(fmt.Sprintf("Config.Functions: %s is a function of its own beside %s, which it does not replace: the names differ", id, other))
				}
			}
			set(id, runner.Function{Name: id})
		}
	}
	if processes > 0 && e.local() == "" {
		errs = append(errs, errors.New("functions: a process cannot reach a listener that is not TCP; run them in this process with Config.Functions, or listen on 127.0.0.1"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if e.stack == nil {
		return nil, nil
	}
	return e.stack.Load(e.aws)
}

// checkDebug tells of a name to debug that no function has, before anything is built.
func checkDebug(cfg Config, fs map[string]runner.Function) error {
	ids := slices.AppendSeq(functionIDs(cfg), maps.Keys(fs))
	slices.Sort(ids)
	for _, id := range cfg.Debug {
		if !slices.Contains(ids, id) {
			return fmt.Errorf("debug %s: %w; there is %s", id, ErrNoFunction, cmp.Or(strings.Join(slices.Compact(ids), ", "), "none"))
		}
	}
	return nil
}

// deadLetter puts what a trigger of Yandex Cloud has given up into a queue that is made with its first message.
func (e *Emulator) deadLetter(ctx context.Context, arn string, body []byte, ids []string) error {
	name := arn[strings.LastIndex(arn, ":")+1:]
	if err := e.queues.Set(queue.Queue{Name: name}); err != nil {
		return err
	}
	_, err := e.queues.Send(ctx, name, []queue.Message{{Body: body, Events: ids}})
	return err
}
