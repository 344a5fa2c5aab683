package yc

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// pack returns a file as it is, and a folder as a zip of the files below it.
func pack(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return os.ReadFile(path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is not a file", filepath.Join(path, name))
		}
		return packFile(w, root, name, entry)
	})
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	return out.Bytes(), nil
}

func packFile(w *zip.Writer, root *os.Root, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	// No times: the same source is the same zip, whenever it is packed.
	header := &zip.FileHeader{Name: name, Method: zip.Deflate}
	header.SetMode(info.Mode())
	into, err := w.CreateHeader(header)
	if err != nil {
		return fmt.Errorf("zip: %w", err)
	}
	from, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer from.Close()
	if _, err := io.Copy(into, from); err != nil {
		return fmt.Errorf("zip: %s: %w", name, err)
	}
	return nil
}
