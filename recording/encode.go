package recording

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// UnmarshalJSON reads a line and keeps what this version does not know, at every depth, for when it is written again.
func (l *Line) UnmarshalJSON(data []byte) error { return l.decode(bytes.Clone(data)) }

// decode takes data over.
func (l *Line) decode(data []byte) error {
	type plain Line
	var p plain
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	if p.Record != nil {
		for i := range p.Record.Events {
			e := &p.Record.Events[i]
			if e.Of < 0 || e.Of >= len(p.Record.Changes) {
				return fmt.Errorf("record: event %s tells of change %d of %d", e.ID, e.Of, len(p.Record.Changes))
			}
			e.Change = p.Record.Changes[e.Of]
		}
	}
	p.raw = data
	*l = Line(p)
	return nil
}

// MarshalJSON writes a line. One that was read and not changed is as it was read, and of one that was changed the rest is.
func (l Line) MarshalJSON() ([]byte, error) {
	type plain Line
	now, err := encode(plain(l))
	if err != nil || l.raw == nil {
		return now, err
	}
	var before plain
	if err := json.Unmarshal(l.raw, &before); err != nil {
		return nil, err
	}
	base, err := encode(before)
	if err != nil {
		return nil, err
	}
	return merge(l.raw, base, now), nil
}

// UnmarshalJSON reads a header and keeps what this version does not know.
func (h *Header) UnmarshalJSON(data []byte) error {
	type plain Header
	var p plain
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	p.raw = bytes.Clone(data)
	*h = Header(p)
	return nil
}

// MarshalJSON writes a header, as Line's does a line.
func (h Header) MarshalJSON() ([]byte, error) {
	type plain Header
	now, err := encode(plain(h))
	if err != nil || h.raw == nil {
		return now, err
	}
	var before plain
	if err := json.Unmarshal(h.raw, &before); err != nil {
		return nil, err
	}
	base, err := encode(before)
	if err != nil {
		return nil, err
	}
	return merge(h.raw, base, now), nil
}

// encode is json.Marshal without \u003c for <: what people read.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// merge returns raw with what differs between base, which is raw as this version understands it, and now.
func merge(raw, base, now []byte) []byte {
	if bytes.Equal(base, now) {
		return raw
	}
	switch {
	case kind(raw) == '{' && kind(base) == '{' && kind(now) == '{':
		return mergeObjects(members(raw), members(base), members(now))
	case kind(raw) == '[' && kind(base) == '[' && kind(now) == '[':
		was, before, is := elements(raw), elements(base), elements(now)
		if len(was) != len(before) {
			return now
		}
		return mergeArrays(was, before, is)
	}
	return now
}

func mergeObjects(raw, base, now []member) []byte {
	out := []byte{'{'}
	add := func(key, value []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	for _, m := range raw {
		before, known := find(base, m.name)
		is, set := find(now, m.name)
		switch {
		case known && set:
			add(m.key, merge(m.value, before, is))
		case set:
			add(m.key, is)
		case !known:
			add(m.key, m.value)
		}
	}
	for _, m := range now {
		if _, there := find(raw, m.name); there {
			continue
		}
		if before, known := find(base, m.name); !known || !bytes.Equal(before, m.value) {
			add(m.key, m.value)
		}
	}
	return append(out, '}')
}

// mergeArrays takes elements at equal places for the same when there are as many as before, else those that are equal, in order.
func mergeArrays(raw, base, now [][]byte) []byte {
	out := []byte{'['}
	next := 0
	for i, is := range now {
		if i > 0 {
			out = append(out, ',')
		}
		if len(now) == len(base) {
			out = append(out, merge(raw[i], base[i], is)...)
			continue
		}
		if j := slices.IndexFunc(base[next:], func(b []byte) bool { return bytes.Equal(b, is) }); j >= 0 {
			out = append(out, raw[next+j]...)
			next += j + 1
			continue
		}
		out = append(out, is...)
	}
	return append(out, ']')
}
