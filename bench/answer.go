package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// answer is an HTTP/1.1 response.
type answer struct {
	status int
	header []byte // with the status line
	body   []byte
}

// parseAnswer takes the first answer from b and returns how many bytes it is long, 0 when it is not whole yet. It knows what our
// servers send, answers with a Content-Length, and allocates nothing: the load shares the machine with the server.
func parseAnswer(b []byte) (a answer, length int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return answer{}, 0, nil
	}
	a.header = b[:end+2]
	if len(a.header) < len("HTTP/1.1 200") || !bytes.HasPrefix(a.header, []byte("HTTP/1.1 ")) {
		return answer{}, 0, fmt.Errorf("answer: got %.80q, want HTTP/1.1", b)
	}
	if a.status, err = strconv.Atoi(string(a.header[9:12])); err != nil {
		return answer{}, 0, fmt.Errorf("answer: status: %w", err)
	}
	size := 0
	if a.status >= 200 && a.status != 204 {
		if size, err = strconv.Atoi(string(a.field("Content-Length"))); err != nil || size < 0 || size > sizeLimit {
			return answer{}, 0, fmt.Errorf("answer: %.200q has no Content-Length of ours", a.header)
		}
	}
	length = end + 4 + size
	if len(b) < length {
		return answer{}, 0, nil
	}
	a.body = b[end+4 : length]
	return a, length, nil
}

// field returns a header field, or nothing.
func (a answer) field(name string) []byte {
	for line := range bytes.SplitSeq(a.header, []byte("\r\n")) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		if ok && len(key) == len(name) && bytes.EqualFold(key, []byte(name)) {
			return bytes.TrimSpace(value)
		}
	}
	return nil
}

// want returns an error unless the status is the expected one.
func (a answer) want(status int) error {
	if a.status != status {
		return fmt.Errorf("answer: got %d %.300s, want %d", a.status, bytes.TrimSpace(a.body), status)
	}
	return nil
}
