package rerun_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// A client that goes while the house ends, as one does that `regcast exec` has run, goes in the rerun too.
func TestClientsGoWhileTheHouseEnds(t *testing.T) {
	is := is.New(t)
	lines := bytes.Split(record(t, emulator.Config{}, func(em *emulatortest.Emulator) {
		ws := em.Dial("/ws")
		em.Push("team/app:v1")
		em.Flush()
		ws.Close()
		em.Flush()
	}), []byte("\n"))
	find := func(lines [][]byte, what string) int {
		return slices.IndexFunc(lines, func(l []byte) bool { return bytes.Contains(l, []byte(what)) })
	}
	const gone, closing = `"socket":{"what":"close"`, `"what":"closing"`
	was, end := find(lines, gone), find(lines, closing)
	is.True(was > 0 && end > was)
	byClient := []byte(`"code":1000,"by":"client"`)
	is.True(bytes.Contains(lines[was], byClient))
	lines = slices.Insert(lines, end+1, lines[was]) // as if it had gone then
	lines = slices.Delete(lines, was, was+1)

	now := bytes.Split(again(t, bytes.Join(lines, []byte("\n")), nil), []byte("\n"))
	is.True(bytes.Contains(now[find(now, gone)], byClient))
}
