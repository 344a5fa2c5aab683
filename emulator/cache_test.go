package emulator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
)

// Emulators that start at the same time share what they build, and none of them runs half a program.
func TestManyEmulatorsBuildTheSameFunction(t *testing.T) {
	is := is.New(t)
	cache := t.TempDir()
	before, err := os.UserCacheDir()
	is.NoErr(err)
	if os.Getenv("GOCACHE") == "" {
		t.Setenv("GOCACHE", filepath.Join(before, "go-build")) // Go's own stays
	}
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("LocalAppData", cache) // Windows
	t.Run("at once", func(t *testing.T) {
		for n := range 4 {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				em, _ := stack(t, "  Probe: {Type: AWS::Serverless::Function}\n")
				is.Equal(ask[map[string]any](t, em, "Probe", `{"do":"echo"}`), map[string]any{"do": "echo"})
			})
		}
	})
}
