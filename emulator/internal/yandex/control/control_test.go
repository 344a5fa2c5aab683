package control_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/control"
	"github.com/regcast/regcast/emulator/internal/yandex/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The list is by hand, since to find it out needs reflection that makes the binary larger. This test says what belongs there.
func TestWhatServicesLeaveOutIsTold(t *testing.T) {
	is := is.New(t)
	room, err := registry.New(registry.Options{Dir: t.TempDir(), Default: yandex.RegistryID})
	is.NoErr(err)
	sockets := gateway.New(gateway.Options{})
	p, err := control.New(t.Context(), control.Options{
		Values: journal.NewMemory(journal.MemoryOptions{}), Dir: t.TempDir(), Registry: room,
		Cloud:      yandex.New(yandex.Options{Gateway: sockets}),
		SetTrigger: func(trigger.Trigger) error { return nil }, RemoveTrigger: func(string) error { return nil },
		SetFunction: func(context.Context, runner.Function) error { return nil }, RemoveFunction: func(string) error { return nil },
		Base: func() string { return "http://localhost" }, Domain: func(id string) string { return id },
		Warn: func(string) {}, Log: slog.New(slog.DiscardHandler),
	})
	is.NoErr(err)
	want := wiretest.NotEmulated(p.RegisterAll)
	is.Equal(control.NotEmulated(), want)
	is.NoErr(p.Close(t.Context()))
	is.NoErr(sockets.Close(t.Context()))
	is.NoErr(room.Close())
}
