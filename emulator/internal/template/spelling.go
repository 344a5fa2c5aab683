package template

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// clip keeps what is shown of a value short.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

func quote(s string) string { return strconv.Quote(clip(s)) }

// suggest names the known word closest to a wrong one, or all of them when none is close.
func suggest(wrong string, known []string) string {
	if best := nearest(wrong, known); best != "" {
		return "want " + best
	}
	return "want " + oneOf(known)
}

func nearest(wrong string, known []string) string {
	best, closest := "", len(wrong)/3+2
	for _, k := range known {
		d := distance(wrong, k)
		switch {
		case strings.EqualFold(wrong, k):
			d = 0
		case len(wrong) > 3 && strings.HasPrefix(k, wrong):
			d = 1
		}
		if d < closest {
			best, closest = k, d
		}
	}
	return best
}

func oneOf(words []string) string {
	switch len(words) {
	case 0:
		return "none"
	case 1:
		return words[0]
	}
	return clip("one of " + strings.Join(words, ", "))
}

// distance is Levenshtein's, in bytes; long words are not worth the work.
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

var (
	wordBool = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)
	})
	wordInt = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$`)
	})
	wordSixty = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[1-9][0-9_]*(:[0-5]?[0-9])+$`) })
	wordFloat = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9_]*[0-9][0-9_]*)([eE][-+][0-9]+)?$`)
	})
)

// word reads an unquoted word as YAML 1.1 does and gives it back as AWS would print it.
func word(s string) (tag, value string) {
	switch {
	case s == "" || s == "~" || s == "null" || s == "Null" || s == "NULL":
		return "!!null", ""
	case wordBool().MatchString(s):
		switch strings.ToLower(s) {
		case "yes", "true", "on":
			return "!!bool", "true"
		}
		return "!!bool", "false"
	case wordInt().MatchString(s):
		digits := strings.TrimPrefix(strings.ReplaceAll(s, "_", ""), "+")
		if n, err := strconv.ParseInt(digits, 0, 64); err == nil {
			return "!!int", strconv.FormatInt(n, 10)
		}
		return "!!int", s
	case wordSixty().MatchString(s):
		sum := 0
		for part := range strings.SplitSeq(strings.ReplaceAll(s, "_", ""), ":") {
			n, err := strconv.Atoi(part)
			if err != nil || sum > 1<<40 {
				return "!!str", s
			}
			sum = sum*60 + n
		}
		return "!!int", strconv.Itoa(sum)
	case wordFloat().MatchString(s):
		f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
		if err != nil {
			return "!!str", s
		}
		text := strconv.FormatFloat(f, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return "!!float", text
	}
	return "!!str", s
}

// like tells whether a text matches a pattern of IAM: * is any run of characters, ? any one. It takes time in proportion to the
// product of the lengths.
func like(pattern, text string) bool {
	star, from := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func plural(n int, what string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
