package recording

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
)

// Scrub replaces the secrets in l by markers, [scrubbed:1a2b3c4d]: values of headers, members, parameters and variables whose names say
// what they are, and what looks like a token wherever it stands. Equal secrets have equal markers within a process; nobody can
// guess the secret from its marker, since the process has a key that it tells nobody. A line without secrets costs a look at its
// bytes. What l points to is never changed, it is replaced: others may read it meanwhile.
func Scrub(l *Line) {
	if !suspicious(l) {
		return
	}
	data, err := l.MarshalJSON()
	if err != nil {
		return // whoever writes it will be told the same
	}
	clean := scrubValue(data, "")
	if bytes.Equal(clean, data) {
		return
	}
	var n Line
	if n.decode(clean) != nil { // rather nothing than a secret
		n = Line{Seq: l.Seq, At: l.At}
	}
	if l.raw == nil {
		n.raw = nil
	}
	*l = n
}

const markerStart = "[scrubbed:"

// secretKey makes the markers of this process. A key that stood in the file would let a reader try passwords.
var secretKey = sync.OnceValue(func() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
})

func marker(secret string) string {
	if secret == "" || isMarker(secret) {
		return secret
	}
	h := hmac.New(sha256.New, secretKey())
	h.Write([]byte(secret))
	return markerStart + hex.EncodeToString(h.Sum(nil)[:4]) + "]"
}

// Marker returns the marker that s begins with, empty if there is none.
func Marker(s string) string {
	end := len(markerStart) + 8
	if len(s) <= end || !strings.HasPrefix(s, markerStart) || s[end] != ']' || strings.Trim(s[len(markerStart):end], "0123456789abcdef") != "" {
		return ""
	}
	return s[:end+1]
}

func isMarker(s string) bool { return s != "" && Marker(s) == s }

// scrubValue scrubs valid JSON. name is the innermost member that says of everything below what it is.
func scrubValue(v []byte, name string) []byte {
	switch kind(v) {
	case '{':
		return scrubObject(v, name)
	case '[':
		out, changed := []byte{'['}, false
		for i, e := range elements(v) {
			if i > 0 {
				out = append(out, ',')
			}
			clean := scrubValue(e, name)
			changed = changed || !bytes.Equal(clean, e)
			out = append(out, clean...)
		}
		if changed {
			return append(out, ']')
		}
	case '"':
		was := text(bytes.TrimSpace(v))
		if is := scrubString(was, name); is != was {
			return quote(is)
		}
	case 't', 'f', 'n':
	default: // a number; most numbers that are called tokens count them
		if secretName(name) && passwordName(name) && len(v) > 3 {
			return quote(marker(string(v)))
		}
	}
	return v
}

func scrubObject(v []byte, name string) []byte {
	all := members(v)
	called := "" // by {"name": "Cookie", "value": …}
	for _, m := range all {
		if n := strings.ToLower(m.name); (n == "name" || n == "key") && kind(m.value) == '"' {
			called = text(m.value)
		}
	}
	out, changed := []byte{'{'}, false
	for i, m := range all {
		if i > 0 {
			out = append(out, ',')
		}
		inner := m.name
		switch {
		case secretName(name): // everything in credentials is one
			inner = name
		case called != "" && strings.HasPrefix(strings.ToLower(m.name), "value"):
			inner = called
		}
		key, value := m.key, scrubValue(m.value, inner)
		if is := scrubText(m.name); is != m.name {
			key = quote(is)
		}
		if m.name == "base64" && kind(m.value) == '"' { // a Payload
			if was, err := base64.StdEncoding.DecodeString(text(m.value)); err == nil {
				if is := scrubString(string(was), ""); is != string(was) {
					value = quote(base64.StdEncoding.EncodeToString([]byte(is)))
				}
			}
		}
		changed = changed || !bytes.Equal(value, m.value) || !bytes.Equal(key, m.key)
		out = append(append(append(out, key...), ':'), value...)
	}
	if !changed {
		return v
	}
	return append(out, '}')
}

// scrubString scrubs what a string says; it may be JSON again.
func scrubString(s, name string) string {
	switch {
	case secretName(name):
		return scrubWhole(s, name)
	case protocolName(name):
		return scrubProtocols(s)
	}
	if k := kind([]byte(s[:min(len(s), 64)])); (k == '{' || k == '[' || k == '"') && json.Valid([]byte(s)) {
		return string(scrubValue([]byte(s), ""))
	}
	return scrubText(s)
}

// scrubWhole scrubs a value that is a secret, but for the scheme of an authorization.
func scrubWhole(s, name string) string {
	if scheme, rest, ok := strings.Cut(s, " "); ok && strings.Contains(strings.ToLower(name), "auth") && schemeName(scheme) {
		return scheme + " " + marker(rest)
	}
	return marker(s)
}

// scrubProtocols scrubs a list of WebSocket subprotocols, the only thing that a page in a browser can send a token in but the URL.
func scrubProtocols(s string) string {
	list := strings.Split(s, ",")
	announced := false
	for i, e := range list {
		p := strings.TrimSpace(e)
		lower := strings.ToLower(p)
		dot := strings.LastIndexByte(p, '.')
		switch {
		case announced, len(p) >= 20 && strings.ContainsAny(p, "0123456789") && !strings.Contains(lower, "bearer"):
			list[i] = strings.Replace(e, p, marker(p), 1)
		case strings.Contains(lower, "bearer") && dot > 0 && !isMarker(p[dot+1:]):
			list[i] = strings.Replace(e, p, p[:dot+1]+marker(p[dot+1:]), 1)
		}
		announced = schemeName(p) || secretName(p) && len(p) < 20
	}
	return strings.Join(list, ",")
}

func quote(s string) []byte {
	data, err := encode(s)
	if err != nil { // strings can be encoded
		return []byte(`""`)
	}
	return data
}
