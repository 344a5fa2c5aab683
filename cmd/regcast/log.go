package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// newLogger writes news for a person: "warning: what happened (key value, …)".
func newLogger(out io.Writer, level slog.Level) *slog.Logger {
	return slog.New(&plainHandler{out: out, level: level, mu: new(sync.Mutex)})
}

type plainHandler struct {
	out   io.Writer
	level slog.Level
	mu    *sync.Mutex // of out
	attrs []slog.Attr
}

func (h *plainHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *plainHandler) Handle(_ context.Context, r slog.Record) error {
	kind := map[slog.Level]string{slog.LevelWarn: "warning", slog.LevelError: "error"}[r.Level]
	if kind == "" {
		kind = strings.ToLower(r.Level.String())
	}
	var details []string
	add := func(a slog.Attr) bool {
		details = append(details, fmt.Sprintf("%s %v", a.Key, a.Value))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	text := kind + ": " + strings.TrimSpace(r.Message)
	if len(details) > 0 {
		text += " (" + strings.Join(details, ", ") + ")"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := fmt.Fprintln(h.out, text)
	return err
}

func (h *plainHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = append(with.attrs[:len(with.attrs):len(with.attrs)], attrs...)
	return &with
}

// WithGroup keeps the names as they are: nothing here uses groups.
func (h *plainHandler) WithGroup(string) slog.Handler { return h }
