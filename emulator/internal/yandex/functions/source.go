package functions

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// What a zip file of a function may unpack to.
const (
	maxUnpacked = 680 << 20 // bytes; the cloud's limit, as is the next
	maxFiles    = 10_000

	longestName = 255 // bytes, which all file systems take
	longestPath = 1000
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
	if err := checkNames(archive.File); err != nil {
		return err
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

// checkNames refuses files that lead out of the archive, that are none, and those in which there are others.
func checkNames(all []*zip.File) error {
	files := make(map[string]bool)
	for _, f := range all {
		name := path.Clean(f.Name)
		switch {
		case !filepath.IsLocal(f.Name) || strings.Contains(f.Name, "\x00"):
			return resource.Invalid("content", fmt.Sprintf("got the file %q, want names within the archive", f.Name))
		case len(name) > longestPath || slices.ContainsFunc(strings.Split(name, "/"), func(s string) bool { return len(s) > longestName }):
			return resource.Invalid("content", fmt.Sprintf("got the file %.100q…, want names of at most %d bytes, and %d with their folders", f.Name,
				longestName, longestPath))
		case f.FileInfo().IsDir():
		case !f.Mode().IsRegular() || name == ".":
			return resource.Invalid("content", fmt.Sprintf("got %q, which is no plain file", f.Name))
		default:
			files[name] = true
		}
	}
	for _, f := range all {
		name := path.Clean(f.Name)
		if !f.FileInfo().IsDir() {
			name = path.Dir(name)
		}
		for ; name != "."; name = path.Dir(name) {
			if files[name] {
				return resource.Invalid("content", fmt.Sprintf("got %q both as a file and as a folder", name))
			}
		}
	}
	return nil
}

func unpackFile(f *zip.File, dir string, left *int64) error {
	at := filepath.Join(dir, filepath.FromSlash(f.Name))
	fail := func(err error) error { return status.Errorf(codes.Internal, "source: %s: %v", f.Name, err) }
	if f.FileInfo().IsDir() {
		if err := os.MkdirAll(at, 0o755); err != nil {
			return fail(err)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return fail(err)
	}
	in, err := f.Open()
	if err != nil {
		return resource.Invalid("content", fmt.Sprintf("%s: %v", f.Name, err))
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := os.OpenFile(at, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644|f.Mode().Perm()&0o111)
	if err != nil {
		return fail(err)
	}
	n, err := io.Copy(out, io.LimitReader(in, *left+1))
	closed := out.Close()
	*left -= n
	var disk *fs.PathError
	switch {
	case errors.As(errors.Join(err, closed), &disk):
		return fail(disk)
	case err != nil: // of the archive
		return resource.Invalid("content", fmt.Sprintf("%s: %v", f.Name, err))
	case *left < 0:
		return resource.Invalid("content", fmt.Sprintf("got more than %d bytes unpacked, want at most that", maxUnpacked))
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
