package triggers

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf16"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// compile reads a trigger as files are read, in the form of the version that made it, so that there is one reader and one set of
// checks. The error is a status: INVALID_ARGUMENT that names the fields, or UNIMPLEMENTED.
func (s *Service) compile(it item) (yandex.Trigger, trigger.Trigger, error) {
	m, err := form(it)
	if err != nil {
		return yandex.Trigger{}, trigger.Trigger{}, err
	}
	if err := emulated(m); err != nil {
		return yandex.Trigger{}, trigger.Trigger{}, err
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return yandex.Trigger{}, trigger.Trigger{}, status.Errorf(codes.InvalidArgument, "trigger: %v", err)
	}
	read, err := yandex.ParseTriggers("", ascii(text))
	if err != nil {
		return yandex.Trigger{}, trigger.Trigger{}, invalid(err)
	}
	declared := read[0]
	declared.Paused = it.Message.Status == v2.Trigger_PAUSED
	compiled, err := s.o.Cloud.Compile(declared)
	return declared, compiled, invalid(err)
}

// ascii escapes what JSON may hold as it is and YAML may not.
func ascii(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// invalid makes a status of what the façade says of fields.
func invalid(err error) error {
	var wrong *yandex.FileError
	if !errors.As(err, &wrong) {
		return err
	}
	var out []resource.Violation
	for _, p := range wrong.Fields {
		out = append(out, resource.Violation{Field: p.Field, Description: p.Text})
	}
	return resource.InvalidFields(out...)
}

// emulated refuses the kinds of sources and actions that regcast does not have.
func emulated(m proto.Message) error {
	var refused error
	walk(m.ProtoReflect(), "", func(in protoreflect.Message, path string, f protoreflect.FieldDescriptor) {
		if refused != nil || f.ContainingOneof() == nil {
			return
		}
		switch kind := f.Name(); in.Descriptor().Name() {
		case "Rule", "Source":
			if kind != "container_registry" {
				refused = status.Errorf(codes.Unimplemented, "not emulated: %s triggers (%s); emulated: container_registry", kind, path)
			}
		case "ContainerRegistry", "Action":
			if kind == "start_workflow" || kind == "agent_runtime_call" {
				refused = status.Errorf(codes.Unimplemented,
					"not emulated: %s (%s); emulated: gateway_websocket_broadcast, invoke_function, invoke_container", kind, path)
			}
		}
	})
	return refused
}

// walk visits every field that is set, with its path, in the order of the proto.
func walk(m protoreflect.Message, under string, visit func(in protoreflect.Message, path string, f protoreflect.FieldDescriptor)) {
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if !m.Has(f) {
			continue
		}
		path := under + string(f.Name())
		visit(m, path, f)
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for j := range m.Get(f).List().Len() {
				walk(m.Get(f).List().Get(j).Message(), fmt.Sprintf("%s[%d].", path, j), visit)
			}
		default:
			walk(m.Get(f).Message(), path+".", visit)
		}
	}
}

// reachable checks what a trigger names: that gateways, functions, containers and accounts are there, and that the caller may use
// accounts and hear of the registry. Paths of gateways are not checked, as in the cloud.
func (s *Service) reachable(ctx context.Context, it item, declared yandex.Trigger) error {
	if err := s.o.Cloud.CheckTargets(declared); err != nil {
		return invalid(err)
	}
	m, err := form(it)
	if err != nil {
		return err
	}
	ids := make(map[string]bool)
	var missing []resource.Violation
	walk(m.ProtoReflect(), "", func(in protoreflect.Message, path string, f protoreflect.FieldDescriptor) {
		if f.Name() != "service_account_id" {
			return
		}
		id := in.Get(f).String()
		if err := s.o.ServiceAccount(ctx, id); err != nil {
			missing = append(missing, resource.Violation{Field: path,
				Description: fmt.Sprintf("service account %s is not available: %s", id, status.Convert(err).Message())})
		}
		ids[id] = true
	})
	if len(missing) > 0 {
		return resource.InvalidFields(missing...)
	}
	chain := s.o.Chain
	if chain == nil {
		chain = func(id string) []string { return []string{id, it.Message.FolderId} }
	}
	for id := range ids {
		if err := s.o.Authorize.Check(ctx, account, chain(id)...); err != nil {
			return err
		}
	}
	return s.o.Authorize.Check(ctx, puller, chain(declared.Source.RegistryID)...)
}
