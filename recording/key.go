package recording

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// key is what a line is found by.
type key struct {
	Seq uint64    `json:"seq"`
	At  time.Time `json:"at"`
}

// keyOf reads a line's key. Our lines begin with it, so most of a line is not looked at.
func keyOf(line []byte) (key, bool) {
	if k, ok := prefix(line); ok {
		return k, true
	}
	var k key
	err := json.Unmarshal(line, &k)
	return k, err == nil
}

// prefix reads {"seq":1,"at":"…" and {"at":"…".
func prefix(line []byte) (k key, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"seq":`))
	if ok {
		digits, after, _ := bytes.Cut(rest[:min(len(rest), 24)], []byte{','})
		seq, err := strconv.ParseUint(string(digits), 10, 64)
		if err != nil || len(after) == 0 {
			return key{}, false
		}
		k.Seq = seq
		rest = rest[len(digits)+1:]
	} else if rest, ok = bytes.CutPrefix(line, []byte{'{'}); !ok {
		return key{}, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`"at":"`)); !ok {
		return key{}, false
	}
	at, _, ok := bytes.Cut(rest[:min(len(rest), 48)], []byte{'"'})
	if !ok {
		return key{}, false
	}
	var err error
	k.At, err = time.Parse(time.RFC3339Nano, string(at))
	return k, err == nil
}
