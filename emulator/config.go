package emulator

import (
	"log/slog"
	"net"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// Config says what to emulate. The zero value is a complete emulator on a free loopback port that keeps nothing.
type Config struct {
	// Addr is the TCP address to listen on. Empty: a free port on 127.0.0.1.
	Addr string
	// Listener takes the place of Addr. The emulator closes it.
	Listener net.Listener

	// Data is the folder that keeps everything over restarts. Empty: a temporary folder, removed by Close.
	Data string
	// InMemory keeps the journal in memory instead of on disk: for tests, and needed inside testing/synctest. Not with Data.
	InMemory bool

	// Triggers are trigger definitions, v1 or v2, YAML or JSON. When there is none, the default trigger sends all four event
	// types of the default registry to path /ws of the default gateway.
	Triggers []File
	// Gateways are OpenAPI specifications of gateways beside the default one. One with the default gateway's ID replaces it.
	Gateways []Gateway

	// TagOnCreateImage copies the pushed tag into CreateImage events, as the cloud's documented sample has it.
	TagOnCreateImage bool
	// QuietChildren holds back the events of an image until it has a tag, so that a multi-arch push tells of its index alone.
	QuietChildren bool
	// AllowOrigins lists the Origin values that browsers may open sockets from, with * as a wildcard. Empty: all, as in the cloud.
	AllowOrigins []string

	// Clock drives every timer. Nil: the machine's clock.
	Clock Clock
	// Logger gets news for the operator. Nil: none.
	Logger *slog.Logger
	// Version is told by the health endpoint.
	Version string
}

// File is a definition with the name that its errors carry.
type File struct {
	Name string
	Data []byte
}

// Gateway is an OpenAPI specification with the gateway's ID.
type Gateway struct {
	// ID of the gateway. Empty: derived from the file's name.
	ID string
	File
}

// Clock tells the time and makes timers; emulatortest has one that is moved by hand.
type Clock = clock.Clock

// Defaults are the ids of the resources that exist without any set-up. They never change.
type Defaults struct {
	CloudID          string `json:"cloud_id"`
	FolderID         string `json:"folder_id"`
	RegistryID       string `json:"registry_id"`
	GatewayID        string `json:"gateway_id"`
	ServiceAccountID string `json:"service_account_id"`
}
