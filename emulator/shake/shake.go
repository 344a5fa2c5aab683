// Package shake looks for the shortest schedule of faults after which a message is lost or doubled.
package shake
