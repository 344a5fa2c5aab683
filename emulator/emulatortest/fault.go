package emulatortest

import "github.com/regcast/regcast/emulator"

// Fault has something go wrong from now on, until RemoveFault is called with the id, or the test ends. It fails the test when the fault
// makes no sense.
func (e *Emulator) Fault(f emulator.Fault) (id string) {
	e.t.Helper()
	f, err := e.AddFault(f)
	if err != nil {
		e.t.Fatalf("emulatortest: %v", err)
	}
	return f.ID
}
