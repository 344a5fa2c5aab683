package rerun

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/regcast/regcast/recording"
)

// secrets are what stood where the recording has markers, as far as somebody has given it again.
type secrets struct{ reveal, hide *strings.Replacer }

func newSecrets(given map[string]string) secrets {
	var reveal, hide []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name] == "" {
			continue
		}
		marker := "[scrubbed:" + strings.TrimSuffix(strings.TrimPrefix(name, "[scrubbed:"), "]") + "]"
		reveal, hide = append(reveal, marker, given[name]), append(hide, given[name], marker)
	}
	return secrets{reveal: strings.NewReplacer(reveal...), hide: strings.NewReplacer(hide...)}
}

// asked is what a client asked for, with its secrets.
func (s secrets) asked(o recording.Socket) recording.Socket {
	o.URL, o.Subprotocol = s.reveal.Replace(o.URL), s.reveal.Replace(o.Subprotocol)
	header := make(http.Header, len(o.Header))
	for name, values := range o.Header {
		for _, v := range values {
			header.Add(name, s.reveal.Replace(v))
		}
	}
	o.Header = header
	return o
}

// onRecord is how the house writes a URL.
func onRecord(url string) string {
	line := recording.Line{Socket: &recording.Socket{URL: url}}
	recording.Scrub(&line)
	return line.Socket.URL
}

// missing says which secrets a client did not have, and how it gets them; empty: none. more are headers that it was given besides.
func missing(asked recording.Socket, more map[string][]string) string {
	var all []string
	look := func(text, where string) {
		for i := range text {
			if marker := recording.Marker(text[i:]); marker != "" {
				all = append(all, marker+" in its "+where)
			}
		}
	}
	look(asked.URL, "URL")
	for _, name := range slices.Sorted(maps.Keys(asked.Header)) {
		if !given(more, name) {
			look(strings.Join(asked.Header[name], " "), "header "+name)
		}
	}
	if all == nil {
		return ""
	}
	return fmt.Sprintf("; it asked without its secrets, which no recording has: %s; give them again, by their markers (--client-secret, in Go Secrets), "+
		"or other headers (--client-header, in Go Header)", strings.Join(slices.Compact(all), ", "))
}

func given(header map[string][]string, name string) bool {
	for n := range header {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
