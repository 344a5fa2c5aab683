// Package fault decides what goes wrong, where, and how often.
package fault
