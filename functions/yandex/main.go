//go:build !ycf

package main

import "log"

// The cloud's builder sets the tag ycf and brings a main of its own.
func main() { log.Fatal("these are functions for Yandex Cloud: see docs/DEPLOY.md") }
