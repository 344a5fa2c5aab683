package yandex

import (
	"bytes"
	_ "embed"
)

// The ids of the resources that exist without any set-up. They never change; the README and the health answer name them.
const (
	CloudID          = "b1gregcastcloud00000"
	FolderID         = "b1gregcastfolder0000"
	RegistryID       = "crpregcastregistry00"
	GatewayID        = "d5dregcastgateway000"
	ServiceAccountID = "ajeregcastaccount000"
	OrganizationID   = "bpfregcastorg0000000"
	TriggerID        = "a1sregcasttrigger000"

	TriggerName = "regcast-default"
	DefaultPath = "/ws" // of the default gateway; where the default trigger broadcasts
)

//go:embed default-gateway.yaml
var defaultGateway []byte

//go:embed default-trigger.yaml
var defaultTrigger []byte

// DefaultTriggerFile is the declaration of the default trigger.
func DefaultTriggerFile() []byte { return bytes.Clone(defaultTrigger) }

// DefaultGateway is the specification of the default gateway, for who keeps gateways.
func DefaultGateway() []byte { return bytes.Clone(defaultGateway) }
