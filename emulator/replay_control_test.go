package emulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// A replay is held back, goes on record by record, and ends with a summary of what it did, although its client has more to send.
func TestReplayIsHeldBack(t *testing.T) {
	for _, speed := range []string{"max", "1x", "max&virtual=true"} {
		t.Run(speed, func(t *testing.T) {
			is := is.New(t)
			run := record(t, emulator.Config{}, func(em *emulatortest.Emulator) {
				em.Push("team/app:v1")
				em.Push("team/app:v2")
				em.Push("team/app:v3")
			})
			em := emulatortest.Start(t, emulator.Config{})
			ws := em.Dial("/ws")
			body, feed := io.Pipe()
			defer feed.Close()
			go func() { _, _ = feed.Write(bytes.TrimSuffix(run, []byte("\n"))) }() // and no end; the emulator may take no more
			res, err := http.Post(em.URL()+"/_regcast/replay?paused=true&eager=true&speed="+speed, "application/x-ndjson", body)
			is.NoErr(err)
			defer res.Body.Close()
			answer := json.NewDecoder(res.Body)
			var news emulator.ReplayNews
			is.NoErr(answer.Decode(&news))
			say := func(what string) int {
				res, err := http.Post(em.URL()+"/_regcast/replay/"+news.Replay+"/"+what, "", nil)
				is.NoErr(err)
				is.NoErr(res.Body.Close())
				return res.StatusCode
			}
			is.Equal(say("step"), http.StatusOK)
			ws.Expect("create-image", "create-image-tag")
			is.Equal(say("step"), http.StatusOK)
			ws.Expect("create-image", "create-image-tag")
			is.Equal(say("dance"), http.StatusNotFound)
			is.Equal(say("pause"), http.StatusOK)
			is.Equal(say("stop"), http.StatusOK)
			id := news.Replay
			for news.Summary == nil {
				is.NoErr(answer.Decode(&news))
			}
			is.Equal(news.Error, "")
			is.True(news.Stopped)
			is.Equal(news.Summary.Records, int64(2))
			_, err = answer.Token()
			is.Equal(err, io.EOF) // the handler has returned
			news.Replay = id
			is.Equal(say("resume"), http.StatusNotFound) // it does not run any more
		})
	}
}
