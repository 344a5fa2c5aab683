package emulator_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
)

// trigger returns a v1 trigger on the default gateway's /ws.
func trigger(size int, cutoff string) emulator.File {
	return emulator.File{Name: "trigger.yaml", Data: fmt.Appendf(nil, `
id: a1stesttrigger000000
name: test
rule:
  container_registry:
    event_type:
      - CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE
      - CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE
      - CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG
      - CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE_TAG
    registry_id: crpregcastregistry00
    batch_settings:
      size: %q
      cutoff: %s
    gateway_websocket_broadcast:
      gateway_id: d5dregcastgateway000
      path: /ws
      service_account_id: ajeregcastaccount000
status: ACTIVE
`, fmt.Sprint(size), cutoff)}
}

func TestPushReachesSocket(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	ws := em.Dial("/ws")
	digest := em.Push("ubuntu:22.04")
	got := ws.Expect("create-image", "create-image-tag")
	for _, m := range got {
		is.Equal(m.Details.ImageDigest, digest)
		is.Equal(m.Details.RepositoryName, em.Defaults().RegistryID+"/ubuntu") // the name carries the registry id
		is.Equal(m.EventMetadata.CloudID, em.Defaults().CloudID)
		is.Equal(m.EventMetadata.FolderID, em.Defaults().FolderID)
	}
	is.Equal(got[0].Details.Tag, "") // CreateImage has no tag unless asked for
	is.Equal(got[1].Details.Tag, "22.04")
	is.Equal(got[0].Details.ImageID, got[1].Details.ImageID)
}

// Every row of the cloud's table, as a client sees it on its socket.
func TestEventsOfEachRegistryAction(t *testing.T) {
	em := emulatortest.Start(t, emulator.Config{})
	ws := em.Dial("/ws")
	a := em.Push("app:v1")
	ws.Expect("create-image", "create-image-tag")
	em.Tag("app:v2", a)
	ws.Expect("create-image-tag")
	em.Tag("app:v2", a) // nothing changes: nothing comes before what follows
	b := em.Push("app:v1")
	moved := ws.Expect("create-image", "delete-image-tag", "create-image-tag")
	is := is.New(t)
	is.Equal(moved[1].Details.ImageDigest, a)
	is.Equal(moved[2].Details.ImageDigest, b)
	em.Push("app")
	ws.Expect("create-image")
	em.Tag("app:v0", b)
	ws.Expect("create-image-tag")
	em.Delete("app@" + b)
	gone := ws.Expect("delete-image-tag", "delete-image-tag", "delete-image")
	is.Equal(gone[0].Details.Tag, "v0") // sorted
	is.Equal(gone[1].Details.Tag, "v1")
	em.Delete("app:v2")
	ws.Expect("delete-image-tag")
	c := em.Push(em.Defaults().RegistryID + "/app:v3") // the same repository by its full name
	ws.Expect("create-image", "create-image-tag")
	em.Tag("app:v4", c)
	ws.Expect("create-image-tag")
}

func TestOneMinuteCutoffInsideSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		em := emulatortest.Start(t, emulator.Config{
			Listener: emulatortest.NewNetwork(),
			Triggers: []emulator.File{trigger(1000, "60s")},
		})
		ws := em.Dial("/ws")
		start := time.Now()
		em.Push("ubuntu:22.04")
		events := ws.Expect("create-image", "create-image-tag") // both in one batch
		is.Equal(time.Since(start), time.Minute)                // to the nanosecond: nothing else takes time in the bubble
		is.Equal(len(events), 2)
	})
}

func TestCutoffByHand(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	em := emulatortest.Start(t, emulator.Config{Clock: clock, Triggers: []emulator.File{trigger(3, "10s")}})
	ws := em.Dial("/ws")
	em.Push("ubuntu:22.04")
	em.Flush()
	is.Equal(em.Triggers()[0].Waiting, 2) // two of three, and no time has passed
	clock.Advance(10 * time.Second)
	ws.Expect("create-image", "create-image-tag")
	em.Flush()
	is.Equal(em.Triggers()[0].Waiting, 0)
}

func TestFiftyAtOnce(t *testing.T) {
	for i := range 50 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			em := emulatortest.Start(t, emulator.Config{})
			ws := em.Dial("/ws")
			em.Push(fmt.Sprintf("app%d:v1", i))
			for _, m := range ws.Expect("create-image", "create-image-tag") {
				if want := fmt.Sprintf("/app%d", i); !strings.HasSuffix(m.Details.RepositoryName, want) {
					t.Errorf("got an event of %s, want one of %s", m.Details.RepositoryName, want)
				}
			}
		})
	}
}

func TestTraceTellsTheWalk(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	ws := em.Dial("/ws")
	ids, err := em.Emit(t.Context(), events.Change{Kind: events.TagAttached, Repository: "ubuntu", Tag: "22.04", Digest: "sha256:0"})
	is.NoErr(err)
	is.Equal(len(ids), 1)
	got := ws.Expect("create-image-tag")
	is.Equal(got[0].EventMetadata.EventID, ids[0]) // one id runs through the whole house
	em.Flush()
	trace, err := em.Trace(t.Context(), ids[0])
	is.NoErr(err)
	is.Equal(trace.Origin, events.OriginEmit)
	var what []string
	for _, s := range trace.Steps {
		what = append(what, s.What)
	}
	is.Equal(what, []string{events.StepMatched, events.StepDelivered})
	_, err = em.Trace(t.Context(), "crp-unknown")
	is.True(err != nil)
}

func TestNobodyThereIsLost(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	ids, err := em.Emit(t.Context(), events.Change{Kind: events.TagAttached, Repository: "ubuntu", Tag: "1", Digest: "sha256:0"})
	is.NoErr(err)
	em.Flush()
	trace, err := em.Trace(t.Context(), ids[0])
	is.NoErr(err)
	is.Equal(trace.Steps[len(trace.Steps)-1].What, events.StepLost)
}
