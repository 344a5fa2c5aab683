//go:build !linux

package gateway_test

func serveIfTold() bool { return false }
