package rerun_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
)

const reruns = 10

// elsewhere names the folder with recordings that another process has made.
const elsewhere = "REGCAST_TEST_RERUN"

// What is recorded in one process is in another, byte for byte and second for second, what every rerun gives: see frames.
func TestRerunGivesTheSameFrames(t *testing.T) {
	is := is.New(t)
	if dir := os.Getenv(elsewhere); dir != "" {
		for _, name := range []string{"broadcasts", "invoked", "deployed"} {
			run, err := os.ReadFile(filepath.Join(dir, name))
			is.NoErr(err)
			var change func(*emulator.Config)
			if name == "invoked" {
				change = func(cfg *emulator.Config) { inProcess(t, cfg) }
			}
			for n := range reruns {
				file := filepath.Join(dir, name+"-"+string(rune('0'+n)))
				is.NoErr(os.WriteFile(file, []byte(frames(t, again(t, run, change))), 0o600))
			}
		}
		return
	}
	dir := t.TempDir()
	byFunctions, _ := invoked(t)
	golden := map[string][]byte{"broadcasts": broadcasts(t), "invoked": byFunctions, "deployed": deployed(t)}
	for name, run := range golden {
		is.NoErr(os.WriteFile(filepath.Join(dir, name), run, 0o600))
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), elsewhere+"="+dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("the other process: %v\n%s", err, out)
	}
	for name, run := range golden {
		want := frames(t, run)
		files, err := filepath.Glob(filepath.Join(dir, name+"-*"))
		is.NoErr(err)
		is.Equal(len(files), reruns)
		if n := strings.Count(want, "\n"); n < 8 {
			t.Errorf("%s: %d frames prove nothing", name, n)
		}
		for _, file := range files {
			got, err := os.ReadFile(file)
			is.NoErr(err)
			if !bytes.Equal(got, []byte(want)) {
				t.Errorf("%s: got\n%s\nwant\n%s", filepath.Base(file), got, want)
			}
		}
	}
}
