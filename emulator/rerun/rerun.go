// Package rerun plays a recording to a fresh emulator under a clock moved by hand, and records what becomes of it.
package rerun
