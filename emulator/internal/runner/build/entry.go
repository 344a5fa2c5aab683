package build

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// entryTag is the build tag of Yandex Cloud Functions.
const entryTag = "ycf"

// runtimeName is the package that runs the handler. It is laid beside the function's package so that no names of the two can meet.
const runtimeName = "regcastruntime"

// mainName is the file with the main that the function's package does not have.
const mainName = "regcast_main_ycf.go"

// The build constraint in them is the language that they are written in: the user's go.mod may name an older one, or none.
var (
	//go:embed serve.go.txt
	serveSource []byte
	//go:embed web.go.txt
	webSource []byte
)

// wrap makes a program of a Yandex Cloud Function: it checks the entry point and writes into work an overlay that adds a main to the
// package. The user's folder stays as it is.
func wrap(ctx context.Context, o Options, dir, entry, work string) (overlay string, err error) {
	file, name, ok := strings.Cut(entry, ".")
	if !ok || file == "" || !token.IsIdentifier(name) || !token.IsExported(name) || strings.ContainsAny(file, `/\`) {
		return "", fmt.Errorf("entry point %q: want <file without .go>.<Name>, the name beginning with a capital, as in index.Handler", entry)
	}
	out, err := goCommand(ctx, o, dir, "list", "-e", "-json=ImportPath,GoFiles", "-tags="+entryTag, ".")
	if err != nil {
		return "", fmt.Errorf("package %s: %w", dir, err)
	}
	var p struct {
		ImportPath string
		GoFiles    []string
	}
	if err := json.Unmarshal(out, &p); err != nil {
		return "", fmt.Errorf("package %s: go list: %w", dir, err)
	}
	found, err := survey(dir, p.GoFiles)
	if err != nil {
		return "", err
	}
	if err := found.check(file+".go", name); err != nil {
		return "", fmt.Errorf("entry point %s of %s: %w", entry, dir, err)
	}
	main := fmt.Sprintf("//go:build %s\n\npackage main\n\nimport %s %q\n\nfunc main() { %[2]s.Serve(%[4]s) }\n",
		entryTag, runtimeName, p.ImportPath+"/"+runtimeName, name)
	replace := map[string]string{}
	for _, f := range []struct {
		path string
		text []byte
	}{
		{mainName, []byte(main)},
		{filepath.Join(runtimeName, "serve.go"), serveSource},
		{filepath.Join(runtimeName, "web.go"), webSource},
	} {
		copied := filepath.Join(work, filepath.Base(f.path))
		if err := os.WriteFile(copied, f.text, 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(dir, f.path)] = copied
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(work, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o644)
}
