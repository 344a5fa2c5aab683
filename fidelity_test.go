package regcast_test

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// FIDELITY.md is a table that a program can read, and every test that it names is there.
func TestFidelityRows(t *testing.T) {
	tests := testNames(t)
	file, err := os.Open("docs/FIDELITY.md")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows := 0
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| behaviour ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 5 {
			t.Errorf("docs/FIDELITY.md:%d: %d cells, want behaviour, cloud, source, regcast, test", n, len(cells))
			continue
		}
		rows++
		source, does, held := cells[2], cells[3], cells[4]
		for _, s := range strings.Split(source, ", ") {
			switch s {
			case "doc", "proto", "spec", "client", "capture", "user", "inference":
			default:
				t.Errorf("docs/FIDELITY.md:%d: source %q: want doc, proto, spec, client, capture, user or inference", n, s)
			}
		}
		if held == "–" && !strings.HasPrefix(does, "not emulated") {
			t.Errorf("docs/FIDELITY.md:%d: what is emulated has a test", n)
		}
		if held == "–" {
			continue
		}
		for _, name := range strings.Split(held, ", ") {
			if !tests[name] && name != "make conformance" {
				t.Errorf("docs/FIDELITY.md:%d: there is no test %s", n, name)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if rows == 0 {
		t.Error("docs/FIDELITY.md has no rows")
	}
}

func testNames(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)
	names := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(source, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
