package aws

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
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
	o    StackOptions
	plan *template.Plan
	keys map[string]*template.Function // by access key id
}

// NewStack returns a stack of which nothing is made yet.
func NewStack(plan *template.Plan, o StackOptions) *Stack {
	s := &Stack{o: o, plan: plan, keys: make(map[string]*template.Function)}
	for i := range plan.Functions {
		f := &plan.Functions[i]
		s.keys[accessKey(f.Name)] = f
	}
	return s
}

// Functions are the definitions of the stack's functions by logical id. Those whose code cannot run here are left out, and told of.
func (s *Stack) Functions() map[string]runner.Function {
	fs := make(map[string]runner.Function)
	for _, f := range s.plan.Functions {
		def := runner.Function{
			Name: f.Name, ARN: f.ARN, HandlerName: f.Handler, Env: f.Env, Memory: f.Memory, Timeout: f.Timeout,
		}
		if f.Reserved != nil {
			def.Limit = *f.Reserved
		}
		if f.CodeURI != "" {
			code := filepath.FromSlash(f.CodeURI)
			if !filepath.IsAbs(code) {
				code = filepath.Join(s.o.Dir, code)
			}
			name := "bootstrap"
			if f.Runtime == "go1.x" {
				name = cmp.Or(f.Handler, name)
			}
			def.Executables = []string{filepath.Join(s.o.Dir, ".aws-sam", "build", f.LogicalID, name), filepath.Join(code, name)}
			def.Package = code
		}
		fs[f.LogicalID] = def
	}
	return fs
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

// Load makes the stack's resources; its functions must be with the runner. It returns what its rules come to.
func (s *Stack) Load(c *Cloud) ([]trigger.Trigger, error) {
	var errs []error
	for _, t := range s.plan.Tables {
		errs = append(errs, s.table(t))
	}
	names := make(map[string]string)
	for _, f := range s.plan.Functions {
		names[f.LogicalID] = f.Name
	}
	for _, a := range s.plan.APIs {
		errs = append(errs, c.AddAPI(a, func(id string) string { return names[id] }))
	}
	for _, n := range s.plan.Notices {
		s.o.Warn(n)
	}
	return nil, errors.Join(errs...)
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

// queueName is the last part of a queue's ARN.
func queueName(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }
