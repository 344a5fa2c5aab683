package triggers

import (
	"context"
	"errors"
	"fmt"

	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/trigger"
)

const idPrefix = "a1s"

// create keeps and runs a new trigger; its message lacks the id, the time and the status.
func (s *Service) create(ctx context.Context, it item) (item, error) {
	folder := it.Message.FolderId
	if err := s.inFolder(ctx, editor, folder); err != nil {
		return item{}, err
	}
	id, err := s.o.Store.NewID(idPrefix)
	if err != nil {
		return item{}, err
	}
	it.Message.Id, it.Message.CreatedAt, it.Message.Status = id, s.o.Store.Now(), v2.Trigger_ACTIVE
	s.mu.Lock()
	defer s.mu.Unlock()
	return it, s.put(ctx, it, true)
}

// update changes a trigger; aimed tells that what it wants and reaches is changed too.
func (s *Service) update(ctx context.Context, id string, aimed bool, change func(*item) error) (item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.get(ctx, editor, id)
	if err != nil {
		return item{}, err
	}
	if err := change(&it); err != nil {
		return item{}, err
	}
	return it, s.put(ctx, it, aimed)
}

// put checks a trigger as a client wants it, keeps and runs it. The caller holds the lock.
func (s *Service) put(ctx context.Context, it item, aimed bool) error {
	declared, compiled, err := s.compile(it)
	if err != nil {
		return err
	}
	if aimed {
		if err := s.reachable(ctx, it, declared); err != nil {
			return err
		}
	}
	m := it.Message
	if err := s.triggers.Free(m.FolderId, m.Name, m.Id); err != nil {
		return err
	}
	if err := s.triggers.Put(ctx, it); err != nil {
		return err
	}
	delete(s.broken, m.Id)
	if aimed {
		for _, w := range s.o.Cloud.Warnings(declared) {
			s.o.Warn("the trigger " + called(m) + ": " + w)
		}
		if id := declared.Source.RegistryID; s.o.Known != nil && !s.o.Known(id) {
			s.o.Warn(fmt.Sprintf("the trigger %s: registry_id: got %q, which is no registry here yet; it tells of nothing until it is made or pushed to", called(m), id))
		}
	}
	return s.set(compiled)
}

// remove forgets a trigger. Its open batch still goes out.
func (s *Service) remove(ctx context.Context, id string, shown func(item) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.get(ctx, editor, id)
	if err == nil {
		err = shown(it)
	}
	if err != nil {
		return err
	}
	if err := s.triggers.Delete(ctx, id); err != nil {
		return err
	}
	return s.halt(id)
}

// halt takes away what runs a trigger. The caller holds the lock.
func (s *Service) halt(id string) error {
	delete(s.broken, id)
	if err := s.o.Remove(id); !errors.Is(err, trigger.ErrUnknown) { // one that is broken does not run
		return running(err)
	}
	return nil
}

// turn pauses or resumes a trigger; one that is so already stays so.
func (s *Service) turn(ctx context.Context, id string, to v2.Trigger_Status, shown func(item) error) (item, error) {
	return s.update(ctx, id, false, func(it *item) error {
		it.Message.Status = to
		return shown(*it)
	})
}
