package yandex

import "time"

// GatewayLog is an entry of a gateway's log: one for each request and for each event of a socket, when it is over.
type GatewayLog struct {
	GatewayID string
	At        time.Time
	Level     string // "INFO"; "WARN" for answers of 4xx, "ERROR" for those of 5xx
	Message   string
	Fields    map[string]any // of JSON's types
}
