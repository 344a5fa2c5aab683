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

// parseAnswer takes the first answer from b and returns how many bytes it is long, 0 when it is not whole yet. It copies nothing
// but the body of a chunked answer: the load shares the machine with the server.
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
	if a.status < 200 || a.status == 204 {
		return a, end + 4, nil
	}
	ok := false
	if string(a.field("Transfer-Encoding")) == "chunked" {
		a.body, length, err = parseChunks(b[end+4:])
		ok = length > 0
	} else if length, err = parseSize(a.field("Content-Length"), 10); err == nil && len(b) >= end+4+length {
		a.body, ok = b[end+4:end+4+length], true
	}
	if !ok || err != nil {
		return answer{}, 0, err
	}
	return a, end + 4 + length, nil
}

// parseChunks joins the chunks of a body without trailers; the length is 0 while one is missing.
func parseChunks(b []byte) (body []byte, length int, err error) {
	for {
		line, rest, ok := bytes.Cut(b[length:], []byte("\r\n"))
		if !ok {
			return nil, 0, nil
		}
		size, err := parseSize(line, 16)
		if err != nil {
			return nil, 0, err
		}
		if len(rest) < size+2 {
			return nil, 0, nil
		}
		body = append(body, rest[:size]...)
		length += len(line) + 2 + size + 2
		if size == 0 {
			return body, length, nil
		}
	}
}

func parseSize(text []byte, base int) (int, error) {
	n, err := strconv.ParseUint(string(text), base, 30) // what is larger was misread
	if err != nil {
		return 0, fmt.Errorf("answer: length: %w", err)
	}
	return int(n), nil
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
