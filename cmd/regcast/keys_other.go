//go:build !linux && !darwin

package main

import (
	"os"

	"golang.org/x/term"
)

// takeKeys makes a terminal hand over each key at once and show none.
func takeKeys(in *os.File) (restore func(), err error) {
	was, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(int(in.Fd()), was) }, nil
}
