// Package capture keeps registry events as the cloud sent them, a line of JSON each: in the function's log, or as objects of a bucket.
// `regcast replay` reads both back.
//
// What comes is kept whatever it is: a batch of SQS by its bodies, a batch of a Yandex trigger by its messages, everything else whole.
// What cannot be kept is an error, so that the cloud tries again. So an event can be kept twice, never not at all.
package capture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Put keeps the lines of one batch. Its error says that they are not kept.
type Put func(ctx context.Context, lines []byte) error

// Capture handles batches. It is safe for concurrent use if its Put is.
type Capture struct{ put Put }

// New makes a Capture.
func New(put Put) *Capture { return &Capture{put} }

// To is a Put that writes to w, which a function's standard output is: the cloud makes an entry of its log of each line.
func To(w io.Writer) Put {
	return func(_ context.Context, lines []byte) error {
		if _, err := w.Write(lines); err != nil {
			return fmt.Errorf("log: %w", err)
		}
		return nil
	}
}

// Invoke is the function: it takes what the cloud hands it, and answers with how many events it has kept. To a queue's batch it answers
// as a queue wants it.
func (c *Capture) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	events, queued := split(payload)
	var lines bytes.Buffer
	for _, e := range events {
		if json.Compact(&lines, e) != nil { // no JSON: kept as text
			text, err := json.Marshal(string(e))
			if err != nil {
				return nil, fmt.Errorf("capture: %w", err)
			}
			lines.Write(text)
		}
		lines.WriteByte('\n')
	}
	if len(events) > 0 {
		if err := c.put(ctx, lines.Bytes()); err != nil {
			return nil, fmt.Errorf("capture: %w", err)
		}
	}
	if queued {
		return []byte(`{"batchItemFailures":[]}`), nil
	}
	return fmt.Appendf(nil, `{"captured":%d}`, len(events)), nil
}

// split takes a batch apart.
func split(payload []byte) (events []json.RawMessage, queued bool) {
	var batch struct {
		Records []struct {
			EventSource string `json:"eventSource"`
			Body        string `json:"body"`
		} `json:"Records"`
		Messages []json.RawMessage `json:"messages"`
	}
	if json.Unmarshal(payload, &batch) != nil {
		return []json.RawMessage{payload}, false
	}
	for _, r := range batch.Records {
		if r.EventSource != "aws:sqs" {
			return []json.RawMessage{payload}, false
		}
		events = append(events, json.RawMessage(r.Body))
	}
	switch {
	case len(batch.Records) > 0:
		return events, true
	case len(batch.Messages) > 0:
		return batch.Messages, false
	}
	return []json.RawMessage{payload}, false
}
