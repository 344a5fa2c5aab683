// Package triggers serves both versions of the cloud's TriggerService: what clients and files declare is kept in one store, listed by
// both, and runs at once.
//
// Inside, a trigger is v2's message; one that was made through v1 keeps its rule as it was sent beside, so that either version is
// echoed exactly. An update through the other version than the one that made a trigger is allowed: when it names the rule, or the
// source or the actions, the trigger becomes that version's.
package triggers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// Roles. The roles of functions are those of triggers too.
const (
	viewer  = "functions.viewer"
	editor  = "functions.editor"
	account = "iam.serviceAccounts.user"         // on a service account: to have a trigger act as it
	puller  = "container-registry.images.puller" // on a registry: to hear of it
)

// Options are the doors of a Service. Store, Cloud, Set and Remove are needed.
type Options struct {
	Store *resource.Store
	Cloud *yandex.Cloud // reads and compiles declarations
	// Set adds a trigger to those that run or replaces the one of its id, and Remove takes one away: the engine's methods.
	Set    func(trigger.Trigger) error
	Remove func(id string) error

	Authorize resource.Authorize
	// Folder and ServiceAccount say why there is no such folder or account, with a status. Nil: there is every one.
	Folder         func(ctx context.Context, id string) error
	ServiceAccount func(ctx context.Context, id string) error
	// Known tells whether a registry is there: one that is not yet may still be pushed to. Nil: each is.
	Known func(registryID string) bool
	// Chain is what a service account or a registry is in, after itself: where roles on it are looked for. Nil: the trigger's folder.
	Chain func(id string) []string
	// Warn hears of what is accepted and hardly meant, or not emulated. Nil: nobody does.
	Warn func(string)
}

// Service is the TriggerService, v1 and v2.
type Service struct {
	o        Options
	triggers *resource.Collection[*v2.Trigger]
	started  *timestamppb.Timestamp // when declared triggers are said to be created

	mu     sync.RWMutex    // round a change and what it sets off
	broken map[string]bool // ids of kept triggers that do not run, as their declaration is not understood
	asTold map[string]item // what was declared, by id
}

// item is a trigger. Extra is the rule of one that v1 made, in protobuf's wire format.
type item = resource.Item[*v2.Trigger]

// New opens the kept triggers and runs them. One that this version of regcast does not understand is warned of and does not run.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Folder == nil {
		o.Folder = func(context.Context, string) error { return nil }
	}
	if o.ServiceAccount == nil {
		o.ServiceAccount = func(context.Context, string) error { return nil }
	}
	kept, err := resource.Open(ctx, o.Store, resource.Kind[*v2.Trigger]{Name: "trigger"})
	if err != nil {
		return nil, err
	}
	s := &Service{o: o, triggers: kept, started: o.Store.Now(), broken: make(map[string]bool), asTold: map[string]item{}}
	kept.Feed(func(it item) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, compiled, err := s.compile(it)
		if s.broken[it.Message.Id] = err != nil; err != nil {
			return err
		}
		return s.set(compiled)
	}, func(id string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.halt(id)
	})
	for _, it := range kept.All(nil) {
		_, compiled, err := s.compile(it)
		if err != nil {
			s.broken[it.Message.Id] = true
			o.Warn(fmt.Sprintf("the trigger %s does not run: %s", called(it.Message), status.Convert(err).Message()))
			continue
		}
		if err := s.set(compiled); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Register adds both versions to a server.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	v1.RegisterTriggerServiceServer(r, first{service: s})
	v2.RegisterTriggerServiceServer(r, second{service: s})
}

// called is how messages for people name a trigger.
func called(t *v2.Trigger) string {
	if t.Name == "" {
		return t.Id
	}
	return t.Name
}

// get returns a trigger to a caller who has the role.
func (s *Service) get(ctx context.Context, role, id string) (item, error) {
	it, err := s.triggers.Get(id)
	if err != nil {
		return item{}, err
	}
	return it, s.o.Authorize.Check(ctx, role, id, it.Message.FolderId)
}

// list returns the triggers of a folder.
func (s *Service) list(ctx context.Context, folder string) ([]item, error) {
	if err := s.inFolder(ctx, viewer, folder); err != nil {
		return nil, err
	}
	return s.triggers.All(func(t *v2.Trigger) bool { return t.FolderId == folder }), nil
}

func (s *Service) set(t trigger.Trigger) error { return running(s.o.Set(t)) }

// running words the engine's errors.
func running(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, trigger.ErrClosed):
		return status.Error(codes.Unavailable, "regcast is stopping")
	}
	return status.Error(codes.Internal, err.Error())
}

// inFolder tells whether there is a folder, and the caller has a role on it.
func (s *Service) inFolder(ctx context.Context, role, id string) error {
	if err := s.o.Folder(ctx, id); err != nil {
		return err
	}
	return s.o.Authorize.Check(ctx, role, id)
}
