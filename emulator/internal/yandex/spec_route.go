package yandex

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// The cloud's choice of route: fixed paths, then paths with {parameters}, then paths that end in a greedy {parameter+}. Among
// paths of the middle kind the segments are compared from the left, fixed before parameter; what is then still equal, and greedy
// paths, are decided by the longer template.

type segmentKind int

const (
	fixed  segmentKind = iota
	param              // {text}: one segment, not empty
	greedy             // {text+}: all that is left, not empty; only at the end
)

type segment struct {
	kind segmentKind
	text string // the segment itself, or the parameter's name
}

// parseTemplate splits a path key. The empty segment behind a trailing slash counts: "/ws/" is another path than "/ws".
func parseTemplate(key string) ([]segment, error) {
	rest, rooted := strings.CutPrefix(key, "/")
	if !rooted {
		return nil, fmt.Errorf("got the path key %s, want it to start with /", quote(key))
	}
	var out []segment
	names := make(map[string]bool)
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		if !strings.ContainsAny(part, "{}") {
			out = append(out, segment{fixed, part})
			continue
		}
		name, closed := strings.CutSuffix(strings.TrimPrefix(part, "{"), "}")
		name, isGreedy := strings.CutSuffix(name, "+")
		switch {
		case !closed || !strings.HasPrefix(part, "{") || name == "" || strings.ContainsAny(name, "{}+"):
			return nil, fmt.Errorf("got the segment %s, want fixed text, {name} or {name+}", quote(part))
		case names[name]:
			return nil, fmt.Errorf("got the parameter %s twice, want each name once", quote(name))
		case isGreedy && i != len(parts)-1:
			return nil, fmt.Errorf("got %s before the end, want it as the last segment", quote(part))
		}
		names[name] = true
		kind := param
		if isGreedy {
			kind = greedy
		}
		out = append(out, segment{kind, name})
	}
	return out, nil
}

// byPriority orders paths so that of those that match a request the one the cloud takes comes first.
func byPriority(a, b *Path) int {
	ca, cb := class(a.segments), class(b.segments)
	if c := cmp.Compare(ca, cb); c != 0 {
		return c
	}
	if ca == param {
		for i := range min(len(a.segments), len(b.segments)) {
			if c := cmp.Compare(a.segments[i].kind, b.segments[i].kind); c != 0 {
				return c
			}
		}
	}
	return cmp.Or(cmp.Compare(len(b.Key), len(a.Key)), strings.Compare(a.Key, b.Key))
}

func class(segments []segment) segmentKind {
	most := fixed
	for _, s := range segments {
		most = max(most, s.kind)
	}
	return most
}

var errEscape = errors.New("the path has a broken % escape")

// Route chooses the path for a request and reads its parameters, which come decoded. escaped is the path as it was sent
// (url.URL.EscapedPath): %2F is part of a segment, not a border. A slash at the end is left out if nothing else matches, unless the
// specification wants it to count. Nil means that no path matches.
func (s *Spec) Route(escaped string) (*Path, map[string]string) {
	parts, err := split(escaped)
	if err != nil {
		return nil, nil
	}
	bare := parts
	if last := len(parts) - 1; last > 0 && parts[last] == "" && !s.slashes {
		bare = parts[:last]
	}
	for _, p := range s.Paths {
		values, ok := p.match(parts)
		if !ok && len(bare) < len(parts) {
			values, ok = p.match(bare)
		}
		if ok {
			return p, values
		}
	}
	return nil, nil
}

// split cuts a path into decoded segments.
func split(escaped string) ([]string, error) {
	rest, rooted := strings.CutPrefix(escaped, "/")
	if !rooted && escaped != "" {
		return nil, errEscape
	}
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		decoded, err := url.PathUnescape(part)
		if err != nil {
			return nil, errEscape
		}
		parts[i] = decoded
	}
	return parts, nil
}

func (p *Path) match(parts []string) (map[string]string, bool) {
	if len(parts) < len(p.segments) {
		return nil, false
	}
	var values map[string]string // none for a fixed path: open connections keep it
	set := func(name, value string) {
		if values == nil {
			values = make(map[string]string)
		}
		values[name] = value
	}
	for i, s := range p.segments {
		switch s.kind {
		case greedy:
			rest := strings.Join(parts[i:], "/")
			set(s.text, rest)
			return values, rest != ""
		case param:
			if parts[i] == "" {
				return nil, false
			}
			set(s.text, parts[i])
		default:
			if parts[i] != s.text {
				return nil, false
			}
		}
	}
	return values, len(parts) == len(p.segments)
}
