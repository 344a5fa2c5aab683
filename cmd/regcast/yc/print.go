package yc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func checkFormat(format string) error {
	known := []string{"text", "yaml", "json", "json-rest"}
	if slices.Contains(known, format) {
		return nil
	}
	return fmt.Errorf("--format %q: want one of %s", format, strings.Join(known, ", "))
}

// print prints one message. Of a type that can say nothing, nothing is printed.
func (s *session) print(m proto.Message) error {
	if m.ProtoReflect().Descriptor().Fields().Len() == 0 {
		return nil
	}
	b, err := s.encode(m)
	if err != nil {
		return err
	}
	return s.printJSON(b)
}

// printList prints messages: as a table where the format is text.
func (s *session) printList(list []proto.Message, columns []column) error {
	if s.global.format == "text" && s.global.jq == "" {
		return writeTable(s.Stdout, columns, list)
	}
	all := []byte{'['}
	for i, m := range list {
		b, err := s.encode(m)
		if err != nil {
			return err
		}
		if i > 0 {
			all = append(all, ',')
		}
		all = append(all, b...)
	}
	return s.printJSON(append(all, ']'))
}

// encode words a message as yc's formats have it: the proto's names, or REST's. Fields keep the proto's order; empty ones are left out.
func (s *session) encode(m proto.Message) ([]byte, error) {
	if op, ok := m.(*operation.Operation); ok {
		m = known(op)
	}
	b, err := protojson.MarshalOptions{UseProtoNames: s.global.format != "json-rest"}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return b, nil
}

// known leaves out of an operation what is of a service that is not linked here.
func known(op *operation.Operation) *operation.Operation {
	op = proto.CloneOf(op)
	if _, err := op.GetMetadata().UnmarshalNew(); err != nil {
		op.Metadata = nil
	}
	if _, err := op.GetResponse().UnmarshalNew(); err != nil && op.GetResponse() != nil {
		op.Result = nil
	}
	return op
}

func (s *session) printJSON(b []byte) error {
	if s.global.jq != "" {
		return s.query(b)
	}
	var out bytes.Buffer
	switch s.global.format {
	case "json", "json-rest":
		if err := json.Indent(&out, b, "", "  "); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		out.WriteByte('\n')
	default:
		// JSON is YAML; only its style is not. The order of fields stays in the nodes.
		var node yaml.Node
		if err := yaml.Unmarshal(b, &node); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		block(&node)
		enc := yaml.NewEncoder(&out)
		enc.SetIndent(2)
		if err := enc.Encode(&node); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
	_, err := s.Stdout.Write(out.Bytes())
	return err
}

// block takes JSON's style from a node, so that it is written as a person would.
func block(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		block(child)
	}
}

// query prints what --jq selects: strings bare, anything else as JSON.
func (s *session) query(b []byte) error {
	q, err := gojq.Parse(s.global.jq)
	if err != nil {
		return fmt.Errorf("--jq: %w", err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	for found := q.Run(v); ; {
		v, more := found.Next()
		if !more {
			return nil
		}
		switch v := v.(type) {
		case error:
			return fmt.Errorf("--jq: %w", v)
		case string:
			fmt.Fprintln(s.Stdout, v)
		default:
			text, err := gojq.Marshal(v)
			if err != nil {
				return fmt.Errorf("--jq: %w", err)
			}
			if _, err := fmt.Fprintf(s.Stdout, "%s\n", text); err != nil {
				return err
			}
		}
	}
}
