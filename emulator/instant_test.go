package emulator_test

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// What is due at one instant happens one after another, and nobody waits for what comes in its turn: two triggers' windows, and a fault's
// delay.
func TestSeveralThingsAreDueAtOnce(t *testing.T) {
	is := is.New(t)
	trigger := func(name, path string) emulator.File {
		return emulator.File{Name: name + ".yaml", Data: []byte(`
name: ` + name + `
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "10", cutoff: 10s}
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: ` + path + `, service_account_id: ajeregcastaccount000}
`)}
	}
	em := emulatortest.Start(t, emulator.Config{
		Frozen: true, Triggers: []emulator.File{trigger("one", "/ws"), trigger("two", "/ws"), trigger("three", "/ws")},
	})
	ws := em.Dial("/ws")
	em.Fault(emulator.Fault{Step: emulator.FaultSend, Action: emulator.FaultDelay, Delay: 10 * time.Second, Next: 1})
	em.Push("team/app:v1")
	em.Flush()
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Second) // waiting for each other, they would be given up after 15
	defer cancel()
	is.NoErr(em.Advance(soon, 10*time.Second))
	ws.Expect("create-image-tag", "create-image-tag") // one is delayed
	is.NoErr(em.Advance(soon, 10*time.Second))
	ws.Expect("create-image-tag")
}
