package aws

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/dynamodb"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/ecr"
)

// StackOptions are the rooms that a stack's resources are made in.
type StackOptions struct {
	Dir    string // what CodeUri is relative to; empty: the working directory
	Clock  clock.Clock
	Queues *queue.Queues
	Tables *dynamodb.DB
	Runner *runner.Runner
	Note   func(events.Step)
	Warn   func(string) // hears of what is accepted and not as in the cloud
}

// Stack is a deployed template: its functions have credentials and policies, its rules, queues, mappings and tables are at work.
type Stack struct {
	o     StackOptions
	plan  *template.Plan
	async *Async
	keys  map[string]*template.Function // by access key id
}

// NewStack returns a stack of which nothing is made yet.
func NewStack(plan *template.Plan, o StackOptions) *Stack {
	s := &Stack{o: o, plan: plan, keys: make(map[string]*template.Function)}
	s.async = NewAsync(AsyncOptions{
		Queues: o.Queues, Clock: o.Clock, Invoke: o.Runner.Invoke, Send: s.send, Note: o.Note, Warn: o.Warn,
	})
	for i := range plan.Functions {
		f := &plan.Functions[i]
		s.keys[accessKey(f.Name)] = f
	}
	return s
}

// Functions are the definitions of the stack's functions by logical id. One whose code cannot run here has no code in its definition,
// and missing says why.
func (s *Stack) Functions() (fs map[string]runner.Function, missing map[string]string) {
	fs, missing = make(map[string]runner.Function), make(map[string]string)
	for _, f := range s.plan.Functions {
		def := runner.Function{
			Name: f.Name, ARN: f.ARN, HandlerName: f.Handler, Env: f.Env, Memory: f.Memory, Timeout: f.Timeout,
		}
		if f.Reserved != nil {
			def.Limit = *f.Reserved
			if def.Limit == 0 {
				def.Limit = -1 // the cloud's way to switch a function off
			}
		}
		why := func(format string, args ...any) {
			missing[f.LogicalID] = fmt.Sprintf("%s: %s: ", place(f.At), f.LogicalID) + fmt.Sprintf(format, args...)
		}
		code := filepath.FromSlash(f.CodeURI)
		if !filepath.IsAbs(code) {
			code = filepath.Join(s.o.Dir, code)
		}
		name := "bootstrap"
		if f.Runtime == "go1.x" {
			name = cmp.Or(f.Handler, name)
		}
		executables := []string{filepath.Join(s.o.Dir, ".aws-sam", "build", f.LogicalID, name), filepath.Join(code, name)}
		switch {
		case f.CodeURI == "", f.CodeElsewhere != "" && !slices.ContainsFunc(executables, isFile):
			why("not emulated: code %s: every call of it fails; name a folder in its place and it will be run", f.CodeElsewhere)
		case strings.HasPrefix(f.Runtime, "provided") || f.Runtime == "go1.x":
			if withoutGo(code) && !slices.ContainsFunc(executables, isFile) {
				why("every call of it fails: neither an executable named %s nor a Go file is in %s; build it, as `sam build` does", name, code)
			}
			def.Executables, def.Package = executables, code
		case slices.ContainsFunc(executables, isFile):
			def.Executables = executables
		default:
			folder := path.Clean(filepath.ToSlash(f.CodeURI))
			if folder == "." {
				folder = "the template's folder"
			}
			why("not emulated: the runtime %s: every call of it fails; put an executable named bootstrap that speaks the Lambda runtime API into %s and it will be run",
				f.Runtime, folder)
		}
		fs[f.LogicalID] = def
	}
	return fs, missing
}

// withoutGo tells a folder that has no Go package in it; one that cannot be read is left to whoever builds it.
func withoutGo(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return filepath.Ext(e.Name()) == ".go" })
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Secret is what every access key here is signed with.
const Secret = "regcast"

// accessKey is the access key id of a function: the same in every run.
func accessKey(function string) string {
	sum := sha256.Sum256([]byte("access key " + function))
	return "ASIA" + base32.StdEncoding.EncodeToString(sum[:10])
}

// Credentials are the environment variables with which a function signs what it sends. No cloud takes them.
func Credentials(function string) map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID": accessKey(function), "AWS_SECRET_ACCESS_KEY": Secret, "AWS_SESSION_TOKEN": "regcast",
	}
}

// SecretOf knows the keys of the stack's functions, and DeveloperKey.
func (s *Stack) SecretOf(accessKeyID string) (secret, principal string, ok bool) {
	if accessKeyID == DeveloperKey {
		return Secret, s.arn("iam", "", "user/"+DeveloperKey), true
	}
	f := s.keys[accessKeyID]
	if f == nil {
		return "", "", false
	}
	return Secret, s.principal(f), true
}

// DeveloperKey is the access key id for people and tests: it may do everything. Its secret is Secret.
const DeveloperKey = "regcast"

// principal is who a function is when it calls.
func (s *Stack) principal(f *template.Function) string {
	return s.arn("sts", "", "assumed-role/"+f.Name+"/"+f.Name)
}

func (s *Stack) arn(service, region, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, region, s.plan.Account, resource)
}

// Allowed says whether the policies of a function let it do something. What is not known to be forbidden is allowed.
func (s *Stack) Allowed(principal, action, resource string) bool {
	for i := range s.plan.Functions {
		if f := &s.plan.Functions[i]; s.principal(f) == principal {
			return f.AllResources || Permits(f.Statements, action, resource)
		}
	}
	return true
}

// Word says what happened in the cloud's words: the events of the changes, in order.
func (s *Stack) Word(changes []events.Change) []events.Event {
	return ecr.Wording{Account: s.plan.Account, Region: s.plan.Region}.Word(changes)
}

// Load makes the stack's resources; its functions must be with the runner. It returns what its rules come to. The error names
// everything that the cloud would refuse.
func (s *Stack) Load(c *Cloud) ([]trigger.Trigger, error) {
	var errs []error
	for _, t := range s.plan.Tables {
		errs = append(errs, s.table(t))
	}
	for _, q := range s.plan.Queues {
		if err := s.o.Queues.Set(queue.Queue{
			Name: q.Name, Visibility: q.Visibility, Delay: q.Delay, Retention: q.Retention, Wait: q.Wait,
			MaxReceives: q.MaxReceives, DeadLetter: queueName(q.DeadLetter), FIFO: q.FIFO,
		}); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", place(q.At), q.LogicalID, err))
		}
	}
	for _, f := range s.plan.Functions {
		errs = append(errs, s.async.Add(f))
	}
	for _, m := range s.plan.Mappings {
		errs = append(errs, s.mapping(m))
	}
	var triggers []trigger.Trigger
	for _, r := range s.plan.Rules {
		t, ok, warnings, err := CompileRule(r, RuleWiring{
			Clock: s.o.Clock, Queue: s.queue, Function: s.hasFunction, Send: s.send, Invoke: s.invoke,
		})
		errs = append(errs, err)
		s.warn(warnings...)
		if ok {
			triggers = append(triggers, t)
		}
	}
	names := make(map[string]string)
	for _, f := range s.plan.Functions {
		names[f.LogicalID] = f.Name
	}
	for _, a := range s.plan.APIs {
		errs = append(errs, c.AddAPI(a, func(id string) string { return names[id] }))
	}
	s.warn(s.plan.Notices...)
	return triggers, errors.Join(errs...)
}

func (s *Stack) warn(texts ...string) {
	for _, text := range texts {
		s.o.Warn(text)
	}
}

// mapping puts a function behind a queue.
func (s *Stack) mapping(m template.Mapping) error {
	if !m.Enabled {
		s.warn(fmt.Sprintf("%s: %s is disabled: nothing is taken from %s", place(m.At), m.LogicalID, m.Queue))
		return nil
	}
	q, ok := s.queue(m.Queue)
	if !ok {
		s.warn(fmt.Sprintf("%s: %s does nothing here: %s is no queue of this template", place(m.At), m.LogicalID, m.Queue))
		return nil
	}
	i := slices.IndexFunc(s.plan.Functions, func(f template.Function) bool { return f.LogicalID == m.Function })
	if i < 0 {
		s.warn(fmt.Sprintf("%s: %s does nothing here: %s is no function of this template", place(m.At), m.LogicalID, m.Function))
		return nil
	}
	consumer, err := CompileMapping(m, s.plan.Functions[i], q, s.plan.Region, s.o.Runner.Invoke)
	if err != nil {
		return err
	}
	if _, err := s.o.Queues.Consume(consumer); err != nil { // it ends with the queues
		return fmt.Errorf("%s: %s: %w", place(m.At), m.LogicalID, err)
	}
	return nil
}

// queue is the queue of an ARN.
func (s *Stack) queue(arn string) (template.Queue, bool) {
	i := slices.IndexFunc(s.plan.Queues, func(q template.Queue) bool { return q.ARN == arn })
	if i < 0 {
		return template.Queue{}, false
	}
	return s.plan.Queues[i], true
}

func (s *Stack) hasFunction(arn string) bool {
	_, ok := s.plan.Function(arn)
	return ok
}

// send puts a message into the queue of an ARN.
func (s *Stack) send(ctx context.Context, arn string, m queue.Message) error {
	_, err := s.o.Queues.Send(ctx, queueName(arn), []queue.Message{m})
	return err
}

// invoke takes an event for the function of an ARN, asynchronously. An alias is the function itself.
func (s *Stack) invoke(ctx context.Context, arn string, payload []byte, events []string) error {
	f, ok := s.plan.Function(arn)
	if !ok {
		return runner.ErrNoFunction
	}
	_, err := s.async.Invoke(ctx, f.Name, runner.Request{Payload: payload}, events)
	return err
}

// Lambda serves the Invoke API for the stack's functions.
func (s *Stack) Lambda() *Lambda {
	return &Lambda{
		Account: s.plan.Account, Region: s.plan.Region, Functions: func() []template.Function { return s.plan.Functions },
		Invoke: s.o.Runner.Invoke, InvokeAsync: s.async.Invoke,
	}
}

// ContentDedup says whether a FIFO queue knows messages again by their bodies.
func (s *Stack) ContentDedup(name string) bool {
	return slices.ContainsFunc(s.plan.Queues, func(q template.Queue) bool { return q.Name == name && q.ContentDedup })
}

func (s *Stack) table(t template.Table) error {
	keys := func(ks []template.Key) []dynamodb.Key {
		var out []dynamodb.Key
		for _, k := range ks {
			out = append(out, dynamodb.Key(k))
		}
		return out
	}
	def := dynamodb.Table{Name: t.Name, Keys: keys(t.Keys), TTL: t.TTL}
	for _, i := range t.Indexes {
		def.Indexes = append(def.Indexes, dynamodb.Index{
			Name: i.Name, Keys: keys(i.Keys), Projection: i.Projection, Attributes: i.Attributes, Local: i.Local,
		})
	}
	if err := s.o.Tables.Create(def); err != nil {
		return fmt.Errorf("%s: %s: %w", place(t.At), t.LogicalID, err)
	}
	return nil
}

// Claims says whether ServeAPI will serve a request.
func (c *Cloud) Claims(r *http.Request) bool {
	_, ours := c.locate(r)
	return ours
}

// IsSQS says whether a queue is one of SQS, by its name, and not of a function's asynchronous invocations.
func IsSQS(name string) bool { return !strings.HasPrefix(name, asyncQueue) }

// queueName is the last part of a queue's ARN.
func queueName(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }
