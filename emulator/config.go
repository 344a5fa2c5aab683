package emulator

import (
	"context"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/recording"
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

	// Template is an AWS deployment: its functions, WebSocket APIs, rules, queues and tables are made, and the events of every registry
	// are worded for EventBridge too. Nil: none.
	Template *Template
	// CloudFunctions are functions of Yandex Cloud, for triggers and gateways to invoke.
	CloudFunctions []CloudFunction
	// Containers are Serverless Containers of Yandex Cloud that run elsewhere on this machine.
	Containers []Container
	// Functions run in this process, by the logical id in the template or the id in Yandex Cloud: in the place of the function that is
	// defined under that name, or as a function of their own that a trigger or gateway of Yandex Cloud may invoke. One that
	// lambda.NewHandler has made takes one invocation at a time.
	Functions map[string]Function
	// Environ is this machine's environment, as os.Environ gives it. Functions' processes get the few variables of it without which
	// programs do not start. Nil: none, and Lambda's own PATH.
	Environ []string
	// Cache is a folder where built functions are found again, by other emulators too. Empty: every New links them anew.
	Cache string
	// TrustCache runs what is in Cache, whatever has changed since: for many emulators one after another, of which the first has built.
	TrustCache bool
	// Watch builds functions anew when their source changes.
	Watch bool
	// Debug names functions, as Functions does, whose process waits for a debugger.
	Debug []string
	// FunctionLog gets every line that functions and their environments log. Nil: nobody does.
	FunctionLog func(function, line string)
	// StrictAuth checks the signatures of requests to AWS's APIs and the tokens of those to Yandex Cloud's, and what policies and roles
	// let everybody do.
	StrictAuth bool
	// LazyTTL leaves expired items of DynamoDB tables readable, as the cloud may for days. Otherwise they vanish at once.
	LazyTTL bool
	// FragmentFrames sends what is posted to AWS's connections in several frames, as the cloud does with any message now and then.
	FragmentFrames bool

	// Kept is what clients had made in another emulator by an API, as its recording's configuration has it. What cannot be made is warned of.
	Kept []recording.Kept

	// Record gets everything that happens, as a recording, from the start to the last frame of the end. It is not closed. What it does not
	// take ends the recording and nothing else. Nil: nobody does.
	Record io.Writer
	// RecordZstd compresses that.
	RecordZstd bool

	// Clock drives every timer. Nil: one over the machine's, which Emulator's Freeze, Advance, SetSpeed and Resume move.
	Clock Clock
	// Start is where that clock begins. Zero: now. Not with Clock.
	Start time.Time
	// Frozen has it stand still from the start. Not with Clock, but for one that is moved by hand.
	Frozen bool
	// Faults go wrong from the start; AddFault adds more.
	Faults []Fault
	// FaultSeed is the seed of those of them that have none of their own.
	FaultSeed uint64
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

// Template is a SAM or CloudFormation template with what `sam deploy` would be told beside it.
type Template struct {
	File
	Dir        string            // what CodeUri is relative to. Empty: the working directory
	Parameters map[string]string // overrides of the template's defaults
	Stack      string            // name of the stack. Empty: "regcast"
	Region     string            // empty: "us-east-1"
	Account    string            // empty: "123456789012"
}

// CloudFunction is a function of Yandex Cloud, run from its Go source.
type CloudFunction struct {
	ID      string
	Package string // folder of its package main
	Entry   string // "<file without .go>.<Name>"
	Env     map[string]string
	Memory  int           // MB. 0: 128
	Timeout time.Duration // 0: 3 s
}

// Container is a Serverless Container of Yandex Cloud that somebody else runs: images are not emulated.
type Container struct {
	ID  string
	URL string // where its requests go, "http://127.0.0.1:9000"
}

// Function is a function in this process; lambda.Handler of aws-lambda-go is one.
type Function interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
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
