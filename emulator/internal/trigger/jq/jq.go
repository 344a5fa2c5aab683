// Package jq is the language of filters and transformers: jq, without what reaches out of the program. There is no further input
// and no module, the environment is empty, and a run has a bounded number of steps. The clock can be read: now is the machine's.
// Memory is not bounded: a program that doubles a string at each step can fill it.
package jq

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// Errors of a run.
var (
	// ErrEndless is returned for a run of more than MaxSteps steps or MaxTime.
	ErrEndless = errors.New("jq: does not end")
	// ErrNothing is returned for a transformer without output.
	ErrNothing = errors.New("jq: no output")
)

// The bounds of one run. MaxSteps is met first on any machine of today, so that what a program does depends on nothing else.
const (
	MaxSteps = 2_000_000
	MaxTime  = time.Second
)

// Program is a compiled jq program. It may be run from several goroutines at once.
type Program struct {
	code *gojq.Code
	why  condition
}

// Compile reads a program. A syntax error names line, column and the word that was not expected.
func Compile(src string) (*Program, error) {
	query, err := gojq.Parse(src)
	if err != nil {
		return nil, syntax(src, err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, fmt.Errorf("jq: %w", err)
	}
	return &Program{code, conditionOf(query)}, nil
}

// syntax says where a program breaks off. gojq's offset is behind the word that it did not expect.
func syntax(src string, err error) error {
	var at *gojq.ParseError
	if !errors.As(err, &at) {
		return fmt.Errorf("jq: %w", err)
	}
	before := src[:max(0, min(at.Offset-len(at.Token), len(src)))]
	line := 1 + strings.Count(before, "\n")
	column := 1 + len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))
	return fmt.Errorf("jq: line %d, column %d: %w", line, column, err)
}

// True reports whether a filter keeps a JSON value: its first output is neither false nor null. Without output, and with an
// error, it does not; the error tells why.
func (p *Program) True(ctx context.Context, input []byte) (bool, error) {
	v, err := p.first(ctx, input)
	if errors.Is(err, ErrNothing) {
		return false, nil
	}
	return err == nil && v != nil && v != false, err
}

// Transform returns a transformer's first output as compact JSON with sorted keys; a string as its bare text, as jq -r does.
// Numbers that the program only passes on keep every digit.
func (p *Program) Transform(ctx context.Context, input []byte) ([]byte, error) {
	v, err := p.first(ctx, input)
	if err != nil {
		return nil, err
	}
	if s, ok := v.(string); ok {
		return []byte(strings.ToValidUTF8(s, "\uFFFD")), nil
	}
	out, err := gojq.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("jq: %w", err)
	}
	return out, nil
}

// first runs the program until its first output.
func (p *Program) first(ctx context.Context, input []byte) (any, error) {
	v, err := decode(input)
	if err != nil {
		return nil, fmt.Errorf("jq: input: %w", err)
	}
	return first(ctx, p.code, v)
}

func first(ctx context.Context, code *gojq.Code, v any) (any, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, MaxTime, ErrEndless)
	defer cancel()
	v, ok := code.RunWithContext(&budget{Context: ctx, left: MaxSteps}, v).Next()
	if !ok {
		return nil, ErrNothing
	}
	err, failed := v.(error)
	if !failed {
		return v, nil
	}
	var halt *gojq.HaltError
	switch {
	case errors.As(err, &halt) && halt.Value() == nil: // halt: an end without output
		return nil, ErrNothing
	case errors.Is(err, ErrEndless), errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), ErrEndless):
		return nil, ErrEndless
	}
	return nil, fmt.Errorf("jq: %w", err)
}

func decode(input []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(input))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// budget is a context that ends when it has been asked often enough: gojq asks before each step. So the bound is the same on a
// slow machine, and holds inside testing/synctest, where a program that never waits sees no time pass.
type budget struct {
	context.Context
	left int
}

func (b *budget) Done() <-chan struct{} {
	if b.left--; b.left < 0 {
		return closed()
	}
	return b.Context.Done()
}

func (b *budget) Err() error {
	if b.left < 0 {
		return ErrEndless
	}
	return b.Context.Err()
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
