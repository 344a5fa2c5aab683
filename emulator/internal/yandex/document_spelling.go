package yandex

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quote keeps what is shown of a wrong value short.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		cut := most
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		return fmt.Sprintf("%q… (%d bytes)", s[:cut], len(s))
	}
	return strconv.Quote(s)
}

// clip keeps a text that somebody else wrote short.
func clip(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func snake(key string) string {
	var b strings.Builder
	for _, r := range key {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// suggest names the known word closest to a wrong one, or all of them when none is close.
func suggest(wrong string, known []string) string {
	best, closest := "", len(wrong)/3+2
	for _, k := range known {
		d := distance(wrong, k)
		if len(wrong) > 3 && strings.HasPrefix(k, wrong) {
			d = 1
		}
		if d < closest {
			best, closest = k, d
		}
	}
	if best != "" {
		return "want " + best
	}
	return "want " + oneOf(known)
}

func oneOf(words []string) string {
	switch len(words) {
	case 0:
		return "none"
	case 1:
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
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
