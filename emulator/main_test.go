package emulator_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(trusting) != "" {
		os.Exit(m.Run()) // version 2 of the SDK leaves connections open: for endpoints, for tokens
	}
	goleak.VerifyTestMain(m)
}
