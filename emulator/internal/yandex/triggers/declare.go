package triggers

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/yandex"
)

// Declare adds the triggers of a file: yandex.Cloud.ReadTriggers says what may stand there, and what must be there before. They are as
// the file says at each start; what clients change of them lasts until then.
func (s *Service) Declare(file string, data []byte) error {
	declared, err := s.o.Cloud.ReadTriggers(file, data)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range declared {
		it, err := s.declaration(t)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		it.File = file
		if err := s.triggers.Declare(it); err != nil {
			return err
		}
		s.asTold[it.Message.Id] = it
		if err := s.triggers.Free(it.Message.FolderId, it.Message.Name, it.Message.Id); err != nil {
			s.o.Warn(fmt.Sprintf("%s: another trigger is called %s too; clients that ask for names find both", file, it.Message.Name))
		}
		if err := s.run(t); err != nil {
			return err
		}
	}
	return nil
}

// DeclareDefault adds the default trigger, unless a client has changed or deleted it, or the default gateway lacks its path.
func (s *Service) DeclareDefault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept, err := s.triggers.Get(yandex.TriggerID); err == nil {
		s.triggers.DeclareDefault(kept) // it is still the default one when it is deleted
		return nil
	}
	text := s.o.Cloud.DefaultTrigger()
	if text == nil {
		return nil
	}
	declared, err := yandex.ParseTriggers("default-trigger.yaml", text)
	if err != nil {
		return err
	}
	it, err := s.declaration(declared[0])
	if err != nil {
		return err
	}
	if _, there := s.triggers.DeclareDefault(it); !there {
		return nil
	}
	s.asTold[it.Message.Id] = it
	return s.run(declared[0])
}

// Form is a trigger as a file would declare it.
type Form struct {
	ID   string
	File string // that declares it; empty: none does
	// Unchanged: it is as its file, or the default, says.
	Unchanged bool
	Data      []byte // JSON, as the cloud's client prints it
}

// Declared counts the triggers that a file has declared.
func (s *Service) Declared(file string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := 0
	for _, it := range s.asTold {
		if it.File == file {
			n++
		}
	}
	return n
}

// Forms are all triggers that run.
func (s *Service) Forms() ([]Form, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Form
	for _, it := range s.triggers.All(nil) {
		id := it.Message.Id
		if s.broken[id] {
			continue
		}
		told, ok := s.asTold[id]
		f := Form{ID: id, File: told.File, Unchanged: ok && proto.Equal(told.Message, it.Message) && bytes.Equal(told.Extra, it.Extra)}
		m, err := form(it)
		if err != nil {
			return nil, err
		}
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("trigger %s: %w", id, err)
		}
		f.Data = ascii(text)
		out = append(out, f)
	}
	return out, nil
}

// run compiles and sets a declared trigger.
func (s *Service) run(t yandex.Trigger) error {
	compiled, err := s.o.Cloud.Compile(t)
	if err != nil {
		return err
	}
	for _, w := range s.o.Cloud.Warnings(t) {
		s.o.Warn(w)
	}
	delete(s.broken, t.ID)
	return s.set(compiled)
}

// declaration is the resource of a declared trigger.
func (s *Service) declaration(t yandex.Trigger) (item, error) {
	var it item
	var err error
	switch t.Version {
	case 1:
		m := &v1.Trigger{}
		if err := unmarshal(t.Document, m); err != nil {
			return item{}, err
		}
		it, err = ofV1(m)
	default:
		it.Message = &v2.Trigger{}
		err = unmarshal(t.Document, it.Message)
	}
	if err != nil {
		return item{}, err
	}
	m := it.Message
	if m.FolderId == "" {
		m.FolderId = yandex.FolderID
	}
	if m.CreatedAt == nil {
		m.CreatedAt = s.started
	}
	m.Status = v2.Trigger_ACTIVE
	if t.Paused {
		m.Status = v2.Trigger_PAUSED
	}
	return it, nil
}

func unmarshal(document []byte, m proto.Message) error {
	if err := protojson.Unmarshal(document, m); err != nil {
		return fmt.Errorf("trigger: %w", err)
	}
	return nil
}
