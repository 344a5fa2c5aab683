// Package functions is the cloud's FunctionService: functions, their versions and tags. A version's source is kept in a folder, built
// and run by the house's runner.
package functions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// Options are the service's doors.
type Options struct {
	Store     *resource.Store
	Bindings  *resource.Bindings
	Authorize resource.Authorize

	// Dir keeps the sources of versions, a folder each. It belongs to one Service at a time.
	Dir string
	// Set builds and adds a version to what runs functions, under the version's id; Remove takes it away.
	Set    func(ctx context.Context, f runner.Function) error
	Remove func(ctx context.Context, name string) error
	// URL is where a function is invoked over HTTP.
	URL func(functionID string) string
	// Folder tells whether there is such a folder, and ServiceAccount whether there is such an account. Nil: there is.
	Folder         func(ctx context.Context, id string) error
	ServiceAccount func(ctx context.Context, id string) error
	// LogGroup is the id of a folder's default log group. Nil: what functions print goes to none.
	LogGroup func(folderID string) string
	// Warn hears of kept versions that cannot be built any more. Nil: nobody does.
	Warn func(string)
}

// Service is the FunctionService. Its methods may be called at once.
type Service struct {
	pb.UnimplementedFunctionServiceServer

	o         Options
	changing  sync.Mutex // one change at a time; building is not part of it
	functions *resource.Collection[*pb.Function]
	versions  *resource.Collection[*pb.Version]

	mu      sync.RWMutex
	names   map[string]string // what a version is called in the runner, by its id, where that is something else
	pending map[string]string // the function of versions that are being built
}

const (
	prefix = "d4e"
	latest = "$latest"

	viewer = "functions.viewer"
	editor = "functions.editor"
	admin  = "functions.admin"
)

// New opens what was kept. Restore makes it run.
func New(ctx context.Context, o Options) (*Service, error) {
	s := &Service{o: o, names: make(map[string]string), pending: make(map[string]string)}
	if s.o.Warn == nil {
		s.o.Warn = func(string) {}
	}
	var err error
	if s.functions, err = resource.Open(ctx, o.Store, resource.Kind[*pb.Function]{Name: "function", Private: true}); err != nil {
		return nil, err
	}
	s.versions, err = resource.Open(ctx, o.Store, resource.Kind[*pb.Version]{
		Name: "function-version", Private: true, Folder: (*pb.Version).GetFunctionId, Label: func(*pb.Version) string { return "" },
	})
	return s, err
}

// Register serves the calls.
func (s *Service) Register(r grpc.ServiceRegistrar) { pb.RegisterFunctionServiceServer(r, s) }

// Restore builds the kept versions and removes sources that no version has. A version that cannot be built is warned of.
func (s *Service) Restore(ctx context.Context) error {
	kept := make(map[string]bool)
	for _, v := range s.versions.Messages(nil) {
		kept[v.Id] = true
		if err := s.o.Set(ctx, s.program(v)); err != nil {
			s.o.Warn(fmt.Sprintf("function %s: its version %s is kept and cannot be built any more; calls of it fail: %v", v.FunctionId, v.Id, err))
		}
	}
	there, err := os.ReadDir(s.o.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("functions: sources: %w", err)
	}
	for _, e := range there {
		if !kept[e.Name()] { // a killed process left it
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.o.Dir, e.Name())))
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// program is a version as the runner knows it.
func (s *Service) program(v *pb.Version) runner.Function {
	return runner.Function{
		Name: v.Id, Package: filepath.Join(s.o.Dir, v.Id), Entry: v.Entrypoint, HandlerName: v.Entrypoint, Version: v.Id,
		Env: v.Environment, Memory: int(v.Resources.GetMemory() >> 20), Timeout: v.ExecutionTimeout.AsDuration(),
	}
}

// Declared is a function that the house's configuration defines: its only version is called by the function's id.
type Declared struct {
	ID, FolderID, Entry string
	ServiceAccountID    string // that it runs as; empty: none
	Env                 map[string]string
	Memory              int           // MB; 0: 128
	Timeout             time.Duration // 0: 3 s
	File                string        // what declares it
}

// Declare adds a function of the configuration.
func (s *Service) Declare(d Declared) error {
	now := s.o.Store.Now()
	err := s.functions.Declare(resource.Item[*pb.Function]{File: d.File, Message: &pb.Function{
		Id: d.ID, FolderId: d.FolderID, CreatedAt: now, Name: d.ID, HttpInvokeUrl: s.o.URL(d.ID), Status: pb.Function_ACTIVE,
	}})
	if err != nil {
		return err
	}
	v := &pb.Version{
		Id: versionOf(d.ID), FunctionId: d.ID, CreatedAt: now, Runtime: runtime, Entrypoint: d.Entry, Environment: d.Env,
		ServiceAccountId: d.ServiceAccountID,
		Resources:        &pb.Resources{Memory: int64(cmp.Or(d.Memory, 128)) << 20}, Status: pb.Version_ACTIVE, Tags: []string{latest},
		ExecutionTimeout: durationpb.New(cmp.Or(d.Timeout, 3*time.Second)),
	}
	s.mu.Lock()
	s.names[v.Id] = d.ID
	s.mu.Unlock()
	return s.versions.Declare(resource.Item[*pb.Version]{File: d.File, Message: v})
}

// Any tells whether there is a function.
func (s *Service) Any() bool {
	found := false
	s.functions.Each(func(*pb.Function) bool { found = true; return false })
	return found
}

// IDs lists the functions that can be called.
func (s *Service) IDs() []string {
	var out []string
	s.functions.Each(func(f *pb.Function) bool {
		out = append(out, f.Id)
		return true
	})
	slices.Sort(out)
	return out
}

// Resolve says what the version of a function that a tag names is called in the runner, and its id. An empty tag is $latest.
func (s *Service) Resolve(functionID, tag string) (name, versionID string, err error) {
	tag = cmp.Or(tag, latest)
	if versionID = s.tagged(functionID, tag); versionID != "" {
		return s.nameOf(versionID), versionID, nil
	}
	if !s.functions.Look(functionID, func(*pb.Function) {}) {
		return "", "", fmt.Errorf("function not found: %s", functionID)
	}
	return "", "", fmt.Errorf("version not found: the function %s has none with the tag %s", functionID, tag)
}

func (s *Service) nameOf(versionID string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return cmp.Or(s.names[versionID], versionID)
}

// Owner says of which function and version something in the runner is.
func (s *Service) Owner(name string) (functionID, versionID string, ok bool) {
	if s.versions.Look(name, func(v *pb.Version) { functionID = v.FunctionId }) {
		return functionID, name, true
	}
	s.mu.RLock()
	function, building := s.pending[name]
	s.mu.RUnlock()
	if building {
		return function, name, true
	}
	if s.functions.Look(name, func(*pb.Function) {}) {
		return name, versionOf(name), true
	}
	return "", "", false
}

// ServiceAccountOf is the account that a version runs as; empty: none.
func (s *Service) ServiceAccountOf(versionID string) (id string) {
	s.versions.Look(versionID, func(v *pb.Version) { id = v.ServiceAccountId })
	return id
}

// LogGroupFor says to which log group what a version prints goes, by the version's log options; false: to none. What is printed has no
// level, so that the least one which the options name keeps nothing out.
func (s *Service) LogGroupFor(functionID, versionID string) (groupID string, ok bool) {
	if s.o.LogGroup == nil {
		return "", false
	}
	var folderID string
	s.functions.Look(functionID, func(f *pb.Function) { folderID = f.FolderId })
	disabled := false
	s.versions.Look(versionID, func(v *pb.Version) {
		disabled = v.LogOptions.GetDisabled()
		groupID = v.LogOptions.GetLogGroupId()
		folderID = cmp.Or(v.LogOptions.GetFolderId(), folderID)
	})
	if disabled || groupID != "" {
		return groupID, !disabled
	}
	return s.o.LogGroup(folderID), true
}

// In lists the functions of a folder, in no order.
func (s *Service) In(folder string) []string {
	var out []string
	s.functions.Each(func(f *pb.Function) bool {
		if f.FolderId == folder {
			out = append(out, f.Id)
		}
		return true
	})
	return out
}

// Chain is a function's folder, after the function itself: where roles on it are looked for.
func (s *Service) Chain(id string) []string {
	out := []string{id}
	s.functions.Look(id, func(f *pb.Function) { out = append(out, f.FolderId) })
	return out
}

func (s *Service) done(ctx context.Context, on, description string, metadata, response proto.Message) (*op, error) {
	return s.o.Store.Done(ctx, on, description, metadata, response)
}

// may finds a function and asks whether the caller may.
func (s *Service) may(ctx context.Context, role, id string) (resource.Item[*pb.Function], error) {
	f, err := s.functions.Get(id)
	if err != nil {
		return f, err
	}
	return f, s.o.Authorize.Check(ctx, role, f.Message.Id, f.Message.FolderId)
}

// inFolder tells whether there is a folder, and the caller has a role on it.
func (s *Service) inFolder(ctx context.Context, role, id string) error {
	if s.o.Folder != nil {
		if err := s.o.Folder(ctx, id); err != nil {
			return err
		}
	}
	return s.o.Authorize.Check(ctx, role, id)
}

func notEmulated(what string) error { return status.Error(codes.Unimplemented, "not emulated: "+what) }
