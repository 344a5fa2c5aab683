package functions_test

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/regcast/regcast/emulator/internal/yandex/functions"
)

// Whatever somebody sends is unpacked below its folder, or is the sender's mistake.
func FuzzUnpack(f *testing.F) {
	f.Add("index.go", "a/b.go", []byte("package main"))
	f.Add("../x", "", []byte{})
	f.Add("a", "a/b", []byte("x"))
	f.Add(".", "a\x00", []byte("x"))
	f.Add(strings.Repeat("x", 300), `a\..\b`, []byte("x"))
	f.Fuzz(func(t *testing.T, one, two string, content []byte) {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, name := range []string{one, two} {
			to, err := w.Create(name)
			if err != nil {
				return
			}
			if !strings.HasSuffix(name, "/") {
				if _, err := to.Write(content); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, sent := range [][]byte{b.Bytes(), content} {
			root := t.TempDir()
			err := functions.Unpack(sent, filepath.Join(root, "sources"))
			if err != nil && status.Code(err) != codes.InvalidArgument {
				t.Errorf("%q, %q: %v", one, two, err)
			}
			if all, _ := os.ReadDir(root); len(all) > 1 || len(all) == 1 && all[0].Name() != "sources" {
				t.Errorf("%q, %q: got %v", one, two, all)
			}
		}
	})
}
