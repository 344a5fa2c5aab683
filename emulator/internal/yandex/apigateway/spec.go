package apigateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"go.yaml.in/yaml/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
)

// GetOpenapiSpec returns a gateway's specification as it was sent, or in the format that is asked for.
func (s *Service) GetOpenapiSpec(ctx context.Context, r *pb.GetOpenapiSpecRequest) (*pb.GetOpenapiSpecResponse, error) {
	it, err := s.get(ctx, viewer, r.ApiGatewayId)
	if err != nil {
		return nil, err
	}
	spec := it.Extra
	switch isJSON := json.Valid(spec); {
	case r.Format == pb.GetOpenapiSpecRequest_JSON && !isJSON:
		spec, err = toJSON(spec)
	case r.Format == pb.GetOpenapiSpecRequest_YAML && isJSON:
		spec, err = toYAML(spec)
	}
	if err != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "the specification of the API gateway %s cannot be written as %v: %v; it is there as it was sent, "+
			"without a format", r.ApiGatewayId, r.Format, err)
	}
	return &pb.GetOpenapiSpecResponse{ApiGatewayId: r.ApiGatewayId, OpenapiSpec: string(spec)}, nil
}

// toYAML writes JSON as YAML, the members in their order.
func toYAML(spec []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Load(spec, &root); err != nil {
		return nil, err
	}
	plain(&root)
	return yaml.Dump(&root, yaml.WithIndent(2))
}

// plain takes away the braces and quotes that are JSON's; what needs quotes gets them again.
func plain(n *yaml.Node) {
	switch strings.ToLower(n.Value) {
	case "y", "n", "yes", "no", "on", "off": // flags to readers of YAML 1.1
	default:
		n.Style = 0
	}
	for _, c := range n.Content {
		plain(c)
	}
}

// toJSON writes YAML as JSON, the members in their order.
func toJSON(spec []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Load(spec, &root); err != nil {
		return nil, err
	}
	if len(root.Content) != 1 {
		return nil, errors.New("got no document, want one")
	}
	w := &jsonWriter{}
	if err := w.node(root.Content[0], 0); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, w.out.Bytes(), "", "  "); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

const (
	deepest = 200
	// largest bounds what aliases, which JSON has not and which are written out, make of a specification.
	largest = maxSpec
)

type jsonWriter struct{ out bytes.Buffer }

func (w *jsonWriter) node(n *yaml.Node, depth int) error {
	switch {
	case depth > deepest:
		return fmt.Errorf("line %d: it is more than %d deep", n.Line, deepest)
	case w.out.Len() > largest:
		return fmt.Errorf("line %d: its aliases make it larger than %d bytes", n.Line, largest)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return w.node(n.Alias, depth+1)
	case yaml.MappingNode:
		return w.mapping(n, depth)
	case yaml.SequenceNode:
		w.out.WriteByte('[')
		for i, c := range n.Content {
			if i > 0 {
				w.out.WriteByte(',')
			}
			if err := w.node(c, depth+1); err != nil {
				return err
			}
		}
		w.out.WriteByte(']')
		return nil
	}
	return w.scalar(n)
}

func (w *jsonWriter) mapping(n *yaml.Node, depth int) error {
	members, err := merged(n, make(map[string]bool), depth)
	if err != nil {
		return err
	}
	w.out.WriteByte('{')
	for i := 0; i < len(members); i += 2 {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.text(members[i].Value)
		w.out.WriteByte(':')
		if err := w.node(members[i+1], depth+1); err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	return nil
}

// merged lists the keys and values of a mapping, those of its merge keys (<<) last; its own win over them.
func merged(n *yaml.Node, seen map[string]bool, depth int) ([]*yaml.Node, error) {
	if depth > deepest {
		return nil, fmt.Errorf("line %d: it is more than %d deep", n.Line, deepest)
	}
	var own, from []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		switch {
		case key.Tag == "!!merge" && v.Kind == yaml.SequenceNode:
			from = append(from, v.Content...)
		case key.Tag == "!!merge":
			from = append(from, v)
		case key.Kind != yaml.ScalarNode:
			return nil, fmt.Errorf("line %d: got a key that is no word", key.Line)
		case !seen[key.Value]:
			seen[key.Value] = true
			own = append(own, key, v)
		}
	}
	for _, v := range from {
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		if v.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("line %d: got a merge key (<<) that is no mapping", v.Line)
		}
		more, err := merged(v, seen, depth+1)
		if err != nil {
			return nil, err
		}
		own = append(own, more...)
	}
	return own, nil
}

func (w *jsonWriter) scalar(n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		w.out.WriteString("null")
		return nil
	case "!!bool", "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			w.out.WriteString(n.Value) // 1.10 stays 1.10
			return nil
		}
		var v any
		if err := n.Decode(&v); err != nil {
			return err
		}
		if f, isFloat := v.(float64); isFloat && (math.IsNaN(f) || math.IsInf(f, 0)) {
			break // JSON has no such number
		}
		text, err := json.Marshal(v)
		w.out.Write(text)
		return err
	}
	w.text(n.Value)
	return nil
}

func (w *jsonWriter) text(s string) {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' }) {
		w.out.WriteByte('"')
		w.out.WriteString(s)
		w.out.WriteByte('"')
		return
	}
	e := json.NewEncoder(&w.out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always can be; the line end is JSON's white space
}
