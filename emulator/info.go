package emulator

import (
	"fmt"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/trigger"
)

// TriggerInfo is a trigger and what it has done since the start.
type TriggerInfo struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Summary   string    `json:"summary"` // what it matches, for people
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
			ID: s.Trigger.ID, Name: s.Trigger.Name, Summary: summary(s.Trigger), Paused: s.Trigger.Paused,
			Waiting: s.Waiting, Due: s.Due, Matched: s.Matched, Delivered: s.Delivered, Lost: s.Lost,
		})
	}
	return infos
}

func summary(t trigger.Trigger) string {
	registry := t.Match.Registry
	if registry == "" {
		registry = "any registry"
	}
	window := "one event a message"
	if t.Window.Count > 1 {
		window = fmt.Sprintf("up to %d events a message, sent after %s at the latest", t.Window.Count, t.Window.Cutoff)
	}
	return fmt.Sprintf("%s of %s, %s", strings.Join(t.Match.Types, ", "), registry, window)
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
	GatewayID    string    `json:"gateway_id"`
	Path         string    `json:"path"` // key in the gateway's specification
	SourceIP     string    `json:"source_ip"`
	UserAgent    string    `json:"user_agent,omitempty"`
	ConnectedAt  time.Time `json:"connected_at"`
	LastActiveAt time.Time `json:"last_active_at"`
}

// Connections returns the open WebSocket connections.
func (e *Emulator) Connections() []ConnectionInfo {
	infos := []ConnectionInfo{}
	for _, c := range e.gateway.List() {
		gateway, path, _ := strings.Cut(c.Path, "/")
		infos = append(infos, ConnectionInfo{
			ID: c.ID, GatewayID: gateway, Path: "/" + path, SourceIP: c.SourceIP, UserAgent: c.UserAgent,
			ConnectedAt: c.ConnectedAt, LastActiveAt: c.LastActiveAt,
		})
	}
	return infos
}
