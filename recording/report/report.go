// Package report makes one HTML page of a run, or of two compared.
package report
