package emulatortest

import (
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// Clock stands still until it is moved by Advance.
type Clock = clock.Manual

// NewClock returns a clock that stands at 2026-01-01, 00:00 UTC, so that recorded output is the same in every run.
func NewClock() *Clock { return clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) }
