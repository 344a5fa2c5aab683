package template

import (
	"fmt"
	"strings"
	"unicode"
)

// Overrides parses the arguments of --parameter-overrides in both spellings: Name=value, with quotation marks round a value that has
// spaces, and ParameterKey=Name,ParameterValue=value. An argument may hold several, apart by spaces. The last one of a name counts.
func Overrides(args []string) (map[string]string, error) {
	out := make(map[string]string)
	for _, arg := range args {
		words, err := shellWords(arg)
		if err != nil {
			return nil, err
		}
		for _, word := range words {
			name, value, ok := strings.Cut(word, "=")
			if name == "ParameterKey" && ok {
				name, value, ok = strings.Cut(value, ",ParameterValue=")
			}
			if !ok || name == "" {
				return nil, fmt.Errorf("parameter override: got %s, want Name=value, Name=\"a value\" or ParameterKey=Name,ParameterValue=value", quote(word))
			}
			out[name] = value
		}
	}
	return out, nil
}

// shellWords splits at spaces outside quotation marks. A backslash keeps a space or a quotation mark as it is.
func shellWords(s string) ([]string, error) {
	var out []string
	var word strings.Builder
	var open rune
	begun := false
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		switch {
		case c == '\\' && i+1 < len(runes) && open != '\'' && (runes[i+1] == ' ' || runes[i+1] == '"'):
			i++
			word.WriteRune(runes[i])
			begun = true
		case open != 0 && c == open:
			open = 0
		case open != 0:
			word.WriteRune(c)
		case (c == '"' || c == '\'') && (!begun || strings.HasSuffix(word.String(), "=")):
			open, begun = c, true
		case unicode.IsSpace(c):
			if begun {
				out = append(out, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if open != 0 {
		return nil, fmt.Errorf("parameter override: got %s, in which a %c is not closed", quote(s), open)
	}
	if begun {
		out = append(out, word.String())
	}
	return out, nil
}
