package functions

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// What a zip file of a function may unpack to: the cloud's own limits.
const (
	maxUnpacked = 680 << 20 // bytes
	maxFiles    = 10_000
)

// unpack writes the files of a zip into a new folder, some of them when it fails. One without go.mod gets one, since Go does not build without.
func unpack(content []byte, dir string) error {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return resource.Invalid("content", "got what is no zip file: "+err.Error())
	}
	if len(archive.File) > maxFiles {
		return resource.Invalid("content", fmt.Sprintf("got %d files, want at most %d", len(archive.File), maxFiles))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return status.Errorf(codes.Internal, "source: %v", err)
	}
	left := int64(maxUnpacked)
	for _, f := range archive.File {
		if err := unpackFile(f, dir, &left); err != nil {
			return err
		}
	}
	return module(dir)
}

func unpackFile(f *zip.File, dir string, left *int64) error {
	if !filepath.IsLocal(f.Name) {
		return resource.Invalid("content", fmt.Sprintf("got the file %q, want names within the archive", f.Name))
	}
	path := filepath.Join(dir, filepath.FromSlash(f.Name))
	fail := func(err error) error { return status.Errorf(codes.Internal, "source: %s: %v", f.Name, err) }
	if f.FileInfo().IsDir() {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return fail(err)
		}
		return nil
	}
	if !f.Mode().IsRegular() {
		return resource.Invalid("content", fmt.Sprintf("got %q, which is no plain file", f.Name))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fail(err)
	}
	in, err := f.Open()
	if err != nil {
		return resource.Invalid("content", fmt.Sprintf("%s: %v", f.Name, err))
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644|f.Mode().Perm()&0o111)
	if err != nil {
		return fail(err)
	}
	n, err := io.Copy(out, io.LimitReader(in, *left+1))
	closed := out.Close()
	*left -= n
	switch {
	case *left < 0:
		return resource.Invalid("content", fmt.Sprintf("got more than %d bytes unpacked, want at most that", maxUnpacked))
	case errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat):
		return resource.Invalid("content", fmt.Sprintf("%s: %v", f.Name, err))
	case err != nil || closed != nil:
		return fail(errors.Join(err, closed))
	}
	return nil
}

// module makes the source a Go module, as the cloud's builder does.
func module(dir string) error {
	path := filepath.Join(dir, "go.mod")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.WriteFile(path, []byte("module function\n\ngo 1.23\n"), 0o644); err != nil {
		return status.Errorf(codes.Internal, "source: %v", err)
	}
	return nil
}

// versionOf is the id of the only version of a function of the configuration.
func versionOf(functionID string) string {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	sum := sha256.Sum256([]byte(functionID + " " + latest))
	id := []byte(prefix)
	for _, b := range sum[:20-len(prefix)] {
		id = append(id, digits[b%32])
	}
	return string(id)
}
