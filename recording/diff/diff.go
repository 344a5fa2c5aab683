// Package diff says what a user would notice between two runs.
package diff
