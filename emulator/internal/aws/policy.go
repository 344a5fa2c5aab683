package aws

import (
	"strings"

	"github.com/regcast/regcast/emulator/internal/template"
)

// Permits says whether statements allow an action on a resource. A denial wins; what no statement allows is not allowed.
func Permits(statements []template.Statement, action, resource string) bool {
	return decide(statements, action, resource) == allowed
}

type decision int

const (
	unmentioned decision = iota
	allowed
	denied
)

func decide(statements []template.Statement, action, resource string) decision {
	d := unmentioned
	for _, s := range statements {
		if !anyMatch(s.Actions, action, strings.ToLower) || !anyMatch(s.Resources, resource, asIs) {
			continue
		}
		if s.Effect == "Deny" {
			return denied
		}
		if s.Effect == "Allow" {
			d = allowed
		}
	}
	return d
}

func asIs(s string) string { return s }

func anyMatch(patterns []string, s string, fold func(string) string) bool {
	for _, p := range patterns {
		if matches(fold(p), fold(s)) {
			return true
		}
	}
	return false
}

// matches is IAM's glob: * is anything, also slashes and colons, and ? is one character.
func matches(pattern, s string) bool {
	star, from := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0: // let the last star take one more
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
