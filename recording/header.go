// Package recording is a run in one file: a header, then a line for each thing that happened.
//
// The file is lines of JSON (.regcast.jsonl), as it is or compressed with zstd (.zst). Its schema is docs/recording.schema.json.
// The package is types and functions over io.Reader and io.Writer: it knows no emulator.
package recording

import (
	"encoding/json"
	"time"
)

// The format that this package writes.
const (
	Format  = "regcast.recording"
	Version = 1
)

// Header is the first line of a recording.
type Header struct {
	Format  string    `json:"format"` // Format
	Version int       `json:"version"`
	Regcast string    `json:"regcast,omitempty"` // the version of regcast that wrote it
	Created time.Time `json:"created"`           // by the machine's clock
	// Now is the house's clock at Created; it differs from that when somebody has moved it.
	Now time.Time `json:"now"`
	// Resources is what there was, as the API lists it: triggers, gateways, apis, functions, queues, tables, connections.
	Resources map[string]json.RawMessage `json:"resources,omitempty"`
	// Configuration is what an emulator needs to be as that one was.
	Configuration Configuration `json:"configuration"`

	raw []byte // as it was read
}

// Made begins the names of what is no file: clients of the cloud have made it, and it is here in the form that a file would have.
const Made = "client:"

// Configuration is what an emulator was told at its start, with what clients of the cloud have changed since. Files are here with their
// contents.
type Configuration struct {
	Triggers         []File          `json:"triggers,omitempty"`
	Gateways         []Gateway       `json:"gateways,omitempty"`
	Template         *Template       `json:"template,omitempty"`
	Functions        []CloudFunction `json:"functions,omitempty"`
	Containers       []Container     `json:"containers,omitempty"`
	InProcess        []string        `json:"in_process,omitempty"` // functions that ran in the process, or whose source clients have sent: nobody else has them
	AllowOrigins     []string        `json:"allow_origins,omitempty"`
	TagOnCreateImage bool            `json:"tag_on_create_image,omitempty"`
	QuietChildren    bool            `json:"quiet_children,omitempty"`
	StrictAuth       bool            `json:"strict_auth,omitempty"`
	LazyTTL          bool            `json:"lazy_ttl,omitempty"`
	FragmentFrames   bool            `json:"fragment_frames,omitempty"`
	// Faults are what went wrong on purpose from the start, each as POST /_regcast/faults takes it.
	Faults []json.RawMessage `json:"faults,omitempty"`
	// Kept is what clients had made by then. Triggers and gateways of theirs are above, too, for those who read no more than that.
	Kept []Kept `json:"kept,omitempty"`
}

// File is a file with its path as it was given.
type File struct {
	Name string `json:"name"`
	Data string `json:"data"`
}

// Gateway is a specification with the gateway's id.
type Gateway struct {
	ID string `json:"id,omitempty"`
	File
}

// Template is an AWS deployment.
type Template struct {
	File
	Dir        string            `json:"dir,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Stack      string            `json:"stack,omitempty"`
	Region     string            `json:"region,omitempty"`
	Account    string            `json:"account,omitempty"`
}

// CloudFunction is a function of Yandex Cloud from Go source.
type CloudFunction struct {
	ID      string            `json:"id"`
	Package string            `json:"package"`
	Entry   string            `json:"entry"`
	Env     map[string]string `json:"env,omitempty"`
	Memory  int               `json:"memory,omitempty"`
	Timeout time.Duration     `json:"timeout,omitempty"` // nanoseconds
}

// Container is a container that ran elsewhere on the machine.
type Container struct {
	ID  string `json:"id"`
	URL string `json:"url"`
}
