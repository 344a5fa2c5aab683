package recording

import (
	"encoding/json"
	"strings"
	"sync"
)

// needle is what a secret, or the name of one, has in it.
type needle struct {
	text  string // in lower case when fold
	fold  bool
	check check
}

// check is what must stand around a needle.
type check int

const (
	anything check = iota
	leads          // the end of the name, and what leads to a value
	whole          // the same, and the name ends with the needle
	gap            // a blank
	userinfo       // an @
	escape         // a character that needs none
)

// haystack finds needles by looking at every second pair of bytes: of two pairs in a row in a needle, one begins at an even place.
type haystack struct {
	of    [1 << 16]uint16 // a pair of bytes → 1 + index in lists
	lists [][]spot
}

type spot struct {
	needle *needle
	offset int
}

var needles = sync.OnceValue(func() *haystack {
	list := []needle{
		{text: "socket-protocol", fold: true, check: leads}, {text: "auth", fold: true, check: whole},
		{text: "bearer", fold: true}, {text: "basic", fold: true, check: gap},
		{text: "AKIA"}, {text: "ASIA"}, {text: "PRIVATE KEY"}, {text: "://", check: userinfo}, {text: `\u0`, check: escape},
	}
	for _, stem := range stems {
		list = append(list, needle{text: stem, fold: true, check: leads})
	}
	for _, prefix := range prefixes {
		list = append(list, needle{text: prefix})
	}
	h := &haystack{}
	seen := map[[2]byte]int{}
	for i := range list {
		n := &list[i]
		best := rarest(n.text)
		for offset := best; offset < best+2; offset++ {
			for _, pair := range spellings(n.text[offset], n.text[offset+1], n.fold) {
				if seen[pair] == 0 {
					h.lists = append(h.lists, nil)
					seen[pair] = len(h.lists)
					h.of[int(pair[0])<<8|int(pair[1])] = uint16(len(h.lists))
				}
				at := seen[pair] - 1
				h.lists[at] = append(h.lists[at], spot{n, offset})
			}
		}
	}
	return h
})

// rarest returns where the three letters begin that texts have least often: the fewer pairs are found in vain.
func rarest(text string) int {
	const common = "etaoinsrhldcumfpgwybvkxjqz"
	best, most := 0, -1
	for i := range len(text) - 2 {
		sum := 0
		for _, c := range []byte(text[i : i+3]) {
			if at := strings.IndexByte(common, c); at >= 0 {
				sum += at
			} else if sum += 15; 'A' <= c && c <= 'Z' {
				sum += 10
			}
		}
		if sum > most {
			best, most = i, sum
		}
	}
	return best
}

func spellings(a, b byte, fold bool) [][2]byte {
	out := [][2]byte{{a, b}}
	if !fold {
		return out
	}
	letter := func(c byte) bool { return 'a' <= c && c <= 'z' }
	if letter(a) {
		out = append(out, [2]byte{a - 32, b})
	}
	if letter(b) {
		out = append(out, [2]byte{a, b - 32})
	}
	if letter(a) && letter(b) {
		out = append(out, [2]byte{a - 32, b - 32})
	}
	return out
}

// hidden says whether there may be a secret in data. It says yes too often, never no.
func hidden[T ~string | ~[]byte](data T) bool {
	h := needles()
	for i := 0; i+1 < len(data); i += 2 {
		at := h.of[int(data[i])<<8|int(data[i+1])]
		if at == 0 {
			continue
		}
		for _, p := range h.lists[at-1] {
			start := i - p.offset
			if end := start + len(p.needle.text); start >= 0 && end <= len(data) && equal(p.needle, data[start:end]) &&
				passes(p.needle.check, data, start, end) {
				return true
			}
		}
	}
	return false
}

func equal[T ~string | ~[]byte](n *needle, data T) bool {
	if !n.fold {
		return string(data) == n.text
	}
	for i := range len(data) {
		c := data[i]
		if 'A' <= c && c <= 'Z' {
			c += 32
		}
		if c != n.text[i] {
			return false
		}
	}
	return true
}

// passes says whether what stands around a needle can be a secret.
func passes[T ~string | ~[]byte](c check, data T, start, end int) bool {
	switch c {
	case leads:
		return called(data, end)
	case whole:
		return word(data, end) == end && called(data, end)
	case gap:
		return end < len(data) && strings.IndexByte(" \t\r\n+%\\", data[end]) >= 0
	case userinfo: // an @ before the URL's host ends
		for ; end < len(data) && strings.IndexByte(" \t\r\n/?#\"'", data[end]) < 0; end++ {
			if data[end] == '@' {
				return true
			}
		}
		return false
	case escape: // for what could have stood there itself: a way to hide
		if end+3 > len(data) || data[end] != '0' || data[end+1] < '2' {
			return false
		}
		switch string(data[end+1 : end+3]) {
		case "3c", "3e", "26", "27", "22", "3C", "3E":
			return false
		}
	}
	return true
}

// called says whether a word is followed by what may lead to a value, or is all there is.
func called[T ~string | ~[]byte](data T, end int) bool {
	end = word(data, end)
	for end < len(data) && (data[end] == ' ' || data[end] == '\t') {
		end++
	}
	return end == len(data) || strings.IndexByte("\"'`\\:=%],", data[end]) >= 0
}

// suspicious is hidden for everything that a line says.
func suspicious(l *Line) bool {
	if l.raw != nil && hidden(l.raw) {
		return true
	}
	switch {
	case l.Record != nil:
		for i := range l.Record.Events {
			if hidden(l.Record.Events[i].Body) {
				return true
			}
		}
		for i := range l.Record.Changes {
			c := &l.Record.Changes[i]
			if said(c.Repository, c.Tag, c.Registry, c.Digest, c.MediaType) {
				return true
			}
		}
	case l.Step != nil:
		return said(l.Step.Who, l.Step.Text) || contained(l.Step.Data)
	case l.Invocation != nil:
		i := l.Invocation
		return hidden(i.Input) || hidden(i.Output) || said(i.Error, i.Function, i.ID) || said(i.Log...)
	case l.Frame != nil:
		return hidden(l.Frame.Data) || said(l.Frame.Path, l.Frame.Error)
	case l.Socket != nil:
		s := l.Socket
		if s.Subprotocol != "" && scrubProtocols(s.Subprotocol) != s.Subprotocol {
			return true
		}
		for name, values := range s.Header {
			if said(name) || said(values...) {
				return true
			}
		}
		return said(s.URL, s.Path, s.Reason, s.Subprotocol)
	case l.Kept != nil:
		return true // they are few
	}
	return false
}

func said(texts ...string) bool {
	for _, s := range texts {
		if len(s) > 2 && hidden(s) {
			return true
		}
	}
	return false
}

// contained is hidden for a step's data.
func contained(v any) bool {
	switch v := v.(type) {
	case nil, bool, int, int64, uint64, float64:
		return false
	case string:
		return said(v)
	case []string:
		return said(v...)
	case []any:
		for _, e := range v {
			if contained(e) {
				return true
			}
		}
		return false
	case map[string]any:
		for name, e := range v {
			if said(name) || contained(e) {
				return true
			}
		}
		return false
	}
	data, err := json.Marshal(v)
	return err != nil || hidden(data)
}
