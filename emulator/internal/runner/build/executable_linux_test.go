package build_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner/build"
)

// Headers alone tell what a file is; that of this host is not among them.
func TestWhatDoesNotRun(t *testing.T) {
	elf := func(edit func([]byte)) string {
		b := make([]byte, 64)
		copy(b, "\x7fELF\x02\x01\x01")
		binary.LittleEndian.PutUint16(b[16:], 2) // EXEC
		binary.LittleEndian.PutUint16(b[18:], map[string]uint16{"amd64": 62, "arm64": 183}[runtime.GOARCH])
		b[20] = 1
		binary.LittleEndian.PutUint16(b[52:], 64)
		edit(b)
		return string(b)
	}
	macho := func(cpu uint32) string {
		b := make([]byte, 32)
		binary.LittleEndian.PutUint32(b, 0xfeedfacf)
		binary.LittleEndian.PutUint32(b[4:], cpu)
		binary.LittleEndian.PutUint32(b[12:], 2)
		return string(b)
	}
	windows := make([]byte, 512)
	copy(windows, "MZ")
	windows[0x3c] = 0x80
	copy(windows[0x80:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(windows[0x84:], 0xaa64)
	loader := elf(func(b []byte) {
		binary.LittleEndian.PutUint64(b[32:], 64) // program headers
		binary.LittleEndian.PutUint16(b[54:], 56)
		binary.LittleEndian.PutUint16(b[56:], 1)
	})
	prog := make([]byte, 56)
	binary.LittleEndian.PutUint32(prog, 3) // INTERP
	binary.LittleEndian.PutUint64(prog[8:], 120)
	binary.LittleEndian.PutUint64(prog[32:], 12)
	loader += string(prog) + "/no/ld-x.so\x00"

	for name, tc := range map[string]struct{ text, want string }{
		"another machine":        {elf(func(b []byte) { b[18], b[19] = 243, 0 }), "is linux/riscv64, this host is linux/"},
		"another system":         {elf(func(b []byte) { b[7] = 9 }), "is freebsd/"},
		"no program":             {elf(func(b []byte) { b[16] = 1 }), "is no program but an ELF file of type ET_REL"},
		"broken":                 {"\x7fELF\x09", "is a broken ELF program"},
		"mac":                    {macho(0x0100000c), "is darwin/arm64, this host is linux/"},
		"windows":                {string(windows), "is windows/arm64, this host is linux/"},
		"another loader":         {loader, "needs the loader /no/ld-x.so, which this host does not have: build it with CGO_ENABLED=0"},
		"another interpreter":    {"#! /no/such/shell -e\n", "is a script for /no/such/shell, which this host does not have"},
		"no interpreter":         {"#!  \n", "is a script without an interpreter"},
		"nothing after #!":       {"#!", "is a script without an interpreter"},
		"empty":                  {"", "is no program: it is empty"},
		"text":                   {"hello there", `is no program: it begins with "hell"; want a linux/`},
		"a script without x bit": {"#!/bin/sh\n", "is not executable: chmod +x it"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "bootstrap")
			mode := os.FileMode(0o755)
			if strings.HasPrefix(tc.want, "is not executable") {
				mode = 0o644
			}
			is.NoErr(os.WriteFile(path, []byte(tc.text), mode))
			_, err := build.Build(t.Context(), build.Options{}, build.Source{Executables: []string{path}})
			is.True(err != nil)
			is.True(strings.HasPrefix(err.Error(), "build: nothing to run, and no Go package to build:\n  "+path+" "+tc.want)) // names the file and what is wrong with it
		})
	}
}
