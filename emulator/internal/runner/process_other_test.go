//go:build !linux

package runner_test

import "os"

// lives tells whether there is such a process.
func lives(pid int) bool {
	_, err := os.FindProcess(pid)
	return err == nil
}
