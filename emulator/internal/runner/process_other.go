//go:build unix && !linux

package runner

import "syscall"

// dieWithParent does nothing: only Linux kills a child with its parent. A process that asks for its next invocation finds nobody and
// ends by itself.
func dieWithParent(*syscall.SysProcAttr) {}

// awaitZombie does not wait: a process's children are killed when its environment ends.
func awaitZombie(int) bool { return false }

// peakNow returns 0: the system tells of a process's memory when it has ended.
func peakNow(int) int64 { return 0 }
