package emulatortest_test

import (
	"fmt"
	"testing"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// A user's own test: push, and expect what the code under test would receive.
func TestPush(t *testing.T) {
	em := emulatortest.Start(t, emulator.Config{})
	ws := em.Dial("/ws")
	em.Push("team/app:v1")
	for _, event := range ws.Expect("create-image", "create-image-tag") {
		if event.Details.RegistryID != em.Defaults().RegistryID {
			t.Errorf("unknown registry %s", event.Details.RegistryID)
		}
	}
}

func Example() {
	all := func(_, _ string) (bool, error) { return true, nil }
	fmt.Println(testing.RunTests(all, []testing.InternalTest{{Name: "TestPush", F: TestPush}}))
	// Output: true
}
