package emulator

import "github.com/regcast/regcast/emulator/internal/yandex"

// WellKnown returns the ids of what every emulator has. They never change.
func WellKnown() Defaults {
	return Defaults{
		CloudID: yandex.CloudID, FolderID: yandex.FolderID, RegistryID: yandex.RegistryID,
		GatewayID: yandex.GatewayID, ServiceAccountID: yandex.ServiceAccountID,
	}
}
