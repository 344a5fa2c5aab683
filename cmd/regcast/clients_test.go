package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/yandex"
	"github.com/regcast/regcast/recording"
)

// clients are programs of others that push, pull and delete: go install packages, pinned.
var clients = []string{
	"github.com/google/go-containerregistry/cmd/crane@v0.22.1",
	"github.com/regclient/regclient/cmd/regctl@v0.11.7",
	"oras.land/oras/cmd/oras@v1.3.6",
}

// Real clients against a registry on disk, with a WebSocket open on it: testdata/clients/*.txtar. Each script has an emulator of
// its own at $R, and two commands beside testscript's: layer and events.
func TestClients(t *testing.T) {
	bin := install(t, clients)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "clients"),
		Setup: func(env *testscript.Env) error {
			t := env.T().(testing.TB)
			em := emulatortest.Start(t, emulator.Config{Data: t.TempDir()})
			env.Values["story"] = &story{em: em, ws: em.Dial("/ws"), names: map[string]string{}}
			env.Setenv("R", em.Addr())
			env.Setenv("REGCAST_URL", em.URL())
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("DOCKER_CONFIG", filepath.Join(env.WorkDir, ".docker"))
			env.Setenv("REGCTL_CONFIG", filepath.Join(env.WorkDir, ".regctl.json"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"layer": layer,
			"events": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg {
					ts.Fatalf("usage: events ['TYPE IMAGE NAME' …]")
				}
				ts.Value("story").(*story).expect(ts, args)
			},
		},
	})
}

// install builds pkgs into a folder for this run. The build cache makes every run but the first a matter of linking.
func install(t *testing.T, pkgs []string) (bin string) {
	bin = t.TempDir()
	for _, pkg := range pkgs {
		cmd := exec.CommandContext(t.Context(), "go", "install", "-ldflags=-s -w", pkg)
		cmd.Env = append(os.Environ(), "GOBIN="+bin, "CGO_ENABLED=0", "GOOS=", "GOARCH=", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go install %s: %v\n%s", pkg, err, out)
		}
	}
	return bin
}

// layer is a command for the scripts: `layer FILE SIZE` writes a tar file with SIZE bytes that no compression makes smaller, the
// same for the same FILE in every run.
func layer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: layer FILE SIZE")
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	var seed [32]byte
	copy(seed[:], args[0])
	w := tar.NewWriter(f)
	ts.Check(w.WriteHeader(&tar.Header{Name: "data", Mode: 0o644, Size: size}))
	_, err = io.CopyN(w, rand.NewChaCha8(seed), size)
	ts.Check(errors.Join(err, w.Close(), f.Close()))
}

// story is what has happened at one emulator.
type story struct {
	em    *emulatortest.Emulator
	ws    *emulatortest.Socket
	read  uint64            // the last position of the journal that was read
	names map[string]string // digest → its name in the script
}

// expect is the command `events ['TYPE IMAGE NAME' …]`: exactly these events were recorded since the last call, in this order,
// and each came to the WebSocket. IMAGE is name or name:tag in the default registry. NAME stands for a digest: it is given to the
// digest that comes in the place where the script first names it, and means that digest from there on, as $NAME too.
// 'EVENT | EVENT' are events of requests that the client sends at the same time, in any order.
func (s *story) expect(ts *testscript.TestScript, args []string) {
	var want []string
	for _, arg := range args {
		want = append(want, strings.Split(arg, " | ")...)
	}
	var got []string
	for i, e := range s.next(ts) {
		image := e.Change.Repository
		if strings.HasSuffix(e.Type, "-tag") {
			image += ":" + e.Change.Tag
		}
		name, named := s.names[e.Change.Digest]
		if !named && i < len(want) {
			name = want[i][strings.LastIndex(want[i], " ")+1:]
			if old := ts.Getenv(name); old != "" {
				ts.Fatalf("event %d: %s %s %s: a digest that is not %s, which is %s", i+1, e.Type, image, e.Change.Digest, name, old)
			}
			s.names[e.Change.Digest] = name
			ts.Setenv(name, e.Change.Digest)
		}
		got = append(got, e.Type+" "+image+" "+name)
	}
	sorted, at := slices.Clone(got), 0
	for _, arg := range args {
		n := strings.Count(arg, " | ") + 1
		slices.Sort(want[at : at+n])
		slices.Sort(sorted[min(at, len(got)):min(at+n, len(got))])
		at += n
	}
	if !slices.Equal(sorted, want) {
		ts.Fatalf("events:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(args, "\n  "))
	}
}

// next returns the events that were recorded since the last call, and takes the same from the WebSocket.
func (s *story) next(ts *testscript.TestScript) []events.Event {
	s.em.Flush()
	res, err := s.em.Client().Get(s.em.URL() + "/_regcast/journal?from=" + strconv.FormatUint(s.read+1, 10))
	ts.Check(err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		ts.Fatalf("journal: %s", res.Status)
	}
	var recorded []events.Event
	for lines := json.NewDecoder(res.Body); lines.More(); {
		var line recording.Line
		ts.Check(lines.Decode(&line))
		s.read = line.Seq
		if line.Record == nil {
			continue
		}
		for _, e := range line.Record.Events {
			e.Change = line.Record.Changes[e.Of]
			recorded = append(recorded, e)
		}
	}
	for i := 0; i < len(recorded); {
		batch, err := yandex.DecodeBatch(s.ws.Read())
		ts.Check(err)
		for _, m := range batch.Messages {
			if i == len(recorded) || m.EventMetadata.EventID != recorded[i].ID {
				ts.Fatalf("the WebSocket has event %s where the journal has %v", m.EventMetadata.EventID, recorded[i:])
			}
			i++
		}
	}
	return recorded
}
