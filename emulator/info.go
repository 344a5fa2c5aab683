package emulator

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/aws"
)

// TriggerInfo is a trigger and what it has done since the start.
type TriggerInfo struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Summary   string    `json:"summary"` // what it wants and where that goes, for people
	Paused    bool      `json:"paused,omitempty"`
	Waiting   int       `json:"waiting"`      // events in the open batch
	Due       time.Time `json:"due,omitzero"` // when the open batch goes
	Matched   uint64    `json:"matched"`      // events
	Delivered uint64    `json:"delivered"`    // deliveries
	Lost      uint64    `json:"lost"`         // deliveries given up
}

// Triggers returns every trigger.
func (e *Emulator) Triggers() []TriggerInfo {
	var infos []TriggerInfo
	for _, s := range e.triggers.Triggers() {
		infos = append(infos, TriggerInfo{
			ID: s.Trigger.ID, Name: s.Trigger.Name, Summary: s.Trigger.About, Paused: s.Trigger.Paused,
			Waiting: s.Waiting, Due: s.Due, Matched: s.Matched, Delivered: s.Delivered, Lost: s.Lost,
		})
	}
	return infos
}

// GatewayInfo is a gateway.
type GatewayInfo struct {
	ID    string   `json:"id"`
	Paths []string `json:"paths"` // keys of its specification that take WebSocket connections
}

// Gateways returns every gateway, the default one first.
func (e *Emulator) Gateways() []GatewayInfo {
	var infos []GatewayInfo
	for _, g := range e.cloud.Gateways() {
		infos = append(infos, GatewayInfo{ID: g.ID, Paths: g.Sockets})
	}
	return infos
}

// ConnectionInfo is an open WebSocket connection.
type ConnectionInfo struct {
	ID           string    `json:"id"`
	GatewayID    string    `json:"gateway_id"` // or the id of AWS's API
	Path         string    `json:"path"`       // key in the gateway's specification, or / and the stage
	SourceIP     string    `json:"source_ip"`
	UserAgent    string    `json:"user_agent,omitempty"`
	ConnectedAt  time.Time `json:"connected_at"`
	LastActiveAt time.Time `json:"last_active_at"`
}

// Connections returns the open WebSocket connections.
func (e *Emulator) Connections() []ConnectionInfo {
	infos := []ConnectionInfo{}
	list := e.gateway.List()
	if e.sockets != nil {
		list = append(list, e.sockets.List()...)
	}
	for _, c := range list {
		gateway, path, _ := strings.Cut(c.Path, "/")
		infos = append(infos, ConnectionInfo{
			ID: c.ID, GatewayID: gateway, Path: "/" + path, SourceIP: c.SourceIP, UserAgent: c.UserAgent,
			ConnectedAt: c.ConnectedAt, LastActiveAt: c.LastActiveAt,
		})
	}
	return infos
}

// APIInfo is a WebSocket API of the template.
type APIInfo struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	URLs   []string `json:"urls"` // one for each stage
	Routes []string `json:"routes"`
}

// APIs returns the WebSocket APIs of the template.
func (e *Emulator) APIs() []APIInfo {
	infos := []APIInfo{}
	if e.aws == nil {
		return infos
	}
	for _, a := range e.aws.APIs() {
		info := APIInfo{ID: a.ID, Name: a.Name, Routes: a.Routes}
		for _, stage := range a.Stages {
			info.URLs = append(info.URLs, "ws://"+e.Addr()+"/"+a.ID+"/"+stage)
		}
		infos = append(infos, info)
	}
	return infos
}

// FunctionInfo is a function and what it has done since the start.
type FunctionInfo struct {
	ID          string `json:"id"`                   // in Yandex Cloud, or the logical id in the template
	Name        string `json:"name"`                 // as the cloud has it
	Executable  string `json:"executable,omitempty"` // none when it runs in this process
	Built       bool   `json:"built,omitempty"`      // from source, by regcast
	Processes   int    `json:"processes"`
	InFlight    int    `json:"in_flight"`
	Invocations uint64 `json:"invocations"`
	Errors      uint64 `json:"errors"`
	Throttled   uint64 `json:"throttled"`
}

// Functions returns every function.
func (e *Emulator) Functions() []FunctionInfo {
	infos := []FunctionInfo{}
	for _, f := range e.runner.Functions() {
		infos = append(infos, FunctionInfo{
			ID: e.functionID(f.Name), Name: f.Name, Executable: f.Executable, Processes: f.Environments,
			Built:    strings.HasPrefix(f.Executable, e.folder.functions()+string(filepath.Separator)),
			InFlight: f.InFlight, Invocations: f.Invocations, Errors: f.Errors, Throttled: f.Throttled,
		})
	}
	return infos
}

// TableInfo is a table of DynamoDB.
type TableInfo struct {
	ID   string `json:"id"` // logical id in the template
	Name string `json:"name"`
}

// Tables returns the tables of the template.
func (e *Emulator) Tables() []TableInfo {
	infos := []TableInfo{}
	if e.plan != nil {
		for _, t := range e.plan.Tables {
			infos = append(infos, TableInfo{ID: t.LogicalID, Name: t.Name})
		}
	}
	return infos
}

// QueueInfo is a queue and where its messages are.
type QueueInfo struct {
	Name     string `json:"name"`
	URL      string `json:"url"` // for SQS's API
	Visible  int    `json:"visible"`
	InFlight int    `json:"in_flight"` // with somebody, or resting after a failure
	Delayed  int    `json:"delayed"`
}

// Queues returns the queues of the template, and those of dead letters.
func (e *Emulator) Queues() []QueueInfo {
	infos := []QueueInfo{}
	for _, q := range e.queues.List() {
		if !aws.IsSQS(q.Name) {
			continue // of a function's asynchronous invocations
		}
		c, err := e.queues.Counts(q.Name)
		if err != nil {
			continue // it is gone meanwhile
		}
		infos = append(infos, QueueInfo{
			Name: q.Name, URL: "http://" + e.Addr() + "/" + e.sqs.Account + "/" + q.Name,
			Visible: c.Visible, InFlight: c.InFlight, Delayed: c.Delayed,
		})
	}
	return infos
}

// Outputs are the template's outputs, with the emulator's own addresses in place of the cloud's.
func (e *Emulator) Outputs() map[string]string {
	outputs := map[string]string{}
	if e.plan != nil {
		for _, o := range e.plan.Outputs {
			outputs[o.Name] = e.localize(o.Value)
		}
	}
	return outputs
}
