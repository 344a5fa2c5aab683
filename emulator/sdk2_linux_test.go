package emulator_test

import (
	"testing"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// Version 2 of the SDK as its users have it: it asks for the endpoints and verifies every certificate. Elsewhere Go reads no SSL_CERT_FILE.
func TestVersion2OfTheSDKOverTLS(t *testing.T) {
	if data := trusted(t); data != "" {
		everyService(t, discovering(t, emulatortest.Start(t, emulator.Config{Data: data})))
	}
}
