package recording

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// stems are what the name of a secret has in it. They are also what the quick look searches for.
var stems = []string{
	"token", "secret", "passw", "passphrase", "pwd", "signature", "credential", "authorization", "cookie", "bearer", "jwt",
	"apikey", "api-key", "api_key", "accesskey", "access-key", "access_key", "privatekey", "private-key", "private_key",
}

// prefixes are what tokens begin with.
var prefixes = []string{"eyJ", "t1.", "AQVN", "y0_", "y1_", "y2_", "y3_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "dckr_"}

// harmless are the ends of names that have a stem in them and tell of something public.
var harmless = []string{
	"type", "count", "used", "limit", "url", "uri", "endpoint", "expires", "expiresin", "expiresat", "expiration", "expiry", "ttl", "arn",
	"version", "method", "algorithm", "format", "name", "nexttoken", "pagetoken", "continuationtoken",
}

// secretName says whether a header, member, parameter or variable of this name holds a secret.
func secretName(name string) bool {
	if !stemmed(name) {
		lower := strings.ToLower(name) // not author
		return lower == "auth" || strings.HasSuffix(lower, "-auth") || strings.HasSuffix(lower, "_auth")
	}
	plain := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	return !slices.ContainsFunc(harmless, func(end string) bool { return strings.HasSuffix(plain, end) })
}

// stemmed says whether a stem goes on to the name's end in one word.
func stemmed(name string) bool {
	lower := strings.ToLower(name)
	for _, stem := range stems {
		if i := strings.LastIndex(lower, stem); i >= 0 && word(lower, i) == len(lower) {
			return true
		}
	}
	return false
}

func passwordName(name string) bool {
	lower := strings.ToLower(name)
	return strings.Contains(lower, "pass") || strings.Contains(lower, "pwd") || strings.Contains(lower, "secret")
}

func protocolName(name string) bool {
	return strings.EqualFold(name, "Sec-WebSocket-Protocol") || strings.EqualFold(name, "subprotocol")
}

func schemeName(s string) bool {
	switch strings.ToLower(s) {
	case "bearer", "basic", "digest", "token", "apikey", "api-key", "oauth", "negotiate", "aws4-hmac-sha256":
		return true
	}
	return false
}

// word returns where the word that holds i ends.
func word[T ~string | ~[]byte](s T, i int) int {
	for i < len(s) && (s[i] == '-' || s[i] == '_' || s[i] == '.' || '0' <= s[i] && s[i] <= '9' || 'a' <= s[i]|0x20 && s[i]|0x20 <= 'z') {
		i++
	}
	return i
}

// patterns are what tokens look like.
type patterns struct {
	pem, userinfo, bearer, basic, token, accessKey, secretKey *regexp.Regexp
}

var texts = sync.OnceValue(func() patterns {
	return patterns{
		pem:      regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`),
		userinfo: regexp.MustCompile(`(://)([^\s/?#"'@:\\]*:)?([^\s/?#"'\\]+)(@)`),
		bearer:   regexp.MustCompile(`(?i)(bearer(?:[\s:=+]|%20)+)([a-z0-9._~+/=:-]{8,})`),
		basic:    regexp.MustCompile(`(?i)(basic(?:\s|\+|%20)+)([a-z0-9+/_-]{4,}={0,2})`),
		token: regexp.MustCompile(`eyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*){0,3}|\bt1\.[\w=-]{6,}\.[\w=-]{6,}|AQVN[\w-]{16,}|\by[0-3]_[\w-]{20,}|` +
			`gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|dckr_[op]at_[\w-]{16,}`),
		accessKey: regexp.MustCompile(`\bA[KS]IA[A-Z0-9]{16}\b`),
		secretKey: regexp.MustCompile(`([^A-Za-z0-9/+=]|^)([A-Za-z0-9/+]{40})([^A-Za-z0-9/+=]|$)`),
	}
})

// scrubText scrubs free text: logs, URLs, messages.
func scrubText(s string) string {
	if !hidden(s) {
		return s
	}
	p := texts()
	s = scrubNamed(scrubInside(s))
	lower := strings.ToLower(s)
	if strings.Contains(s, "PRIVATE KEY") {
		s = p.pem.ReplaceAllStringFunc(s, marker)
	}
	if strings.Contains(s, "://") {
		s = replace(p.userinfo, s, func(m []string) string {
			if m[2] == "" && len(m[3]) < 16 || strings.HasPrefix(m[2]+m[3], markerStart) { // git@host
				return m[0]
			}
			return m[1] + m[2] + marker(m[3]) + m[4]
		})
	}
	if strings.Contains(lower, "bearer") {
		s = replace(p.bearer, s, func(m []string) string {
			if prose(m[2]) {
				return m[0]
			}
			return m[1] + marker(m[2])
		})
	}
	if strings.Contains(lower, "basic") {
		s = replace(p.basic, s, func(m []string) string {
			if user, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(m[2], "=")); err != nil || !strings.Contains(string(user), ":") {
				return m[0]
			}
			return m[1] + marker(m[2])
		})
	}
	if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.Contains(s, prefix) }) {
		s = p.token.ReplaceAllStringFunc(s, marker)
	}
	if (strings.Contains(s, "AKIA") || strings.Contains(s, "ASIA")) && p.accessKey.MatchString(s) {
		s = p.accessKey.ReplaceAllStringFunc(s, marker)
		s = replace(p.secretKey, s, func(m []string) string {
			if strings.Trim(m[2], "0123456789abcdef") == "" { // a commit
				return m[0]
			}
			return m[1] + marker(m[2]) + m[3]
		})
	}
	return s
}

// scrubInside scrubs JSON that stands in a text. What has more brackets than JSON is left to the other rules after a while.
func scrubInside(s string) string {
	var out []byte
	data, done := []byte(s), 0
	budget := 4*len(data) + 64<<10
	for i := 0; i < len(data) && budget > 0; i++ {
		if data[i] != '{' && data[i] != '[' {
			continue
		}
		end := skip(data, i)
		budget -= end - i
		if part := data[i:end]; json.Valid(part) {
			out = append(append(out, data[done:i]...), scrubValue(part, "")...)
			done, i = end, end-1
		}
	}
	return string(append(out, data[done:]...))
}

// scrubNamed scrubs values behind names: token=…, "password":"…", Authorization: Bearer …, map[Cookie:[…]].
func scrubNamed(s string) string {
	var out strings.Builder
	done := 0
	for i := 0; i < len(s); i++ {
		value := i + 1 // where it begins
		switch {
		case s[i] == '=' || s[i] == ':':
			if value < len(s) && (s[value] == '=' || s[value] == '>') {
				value++
			}
		case s[i] == '%' && len(s) > i+2 && strings.EqualFold(s[i:i+3], "%3d"):
			value += 2
		default:
			continue
		}
		name := nameBefore(s[done:i])
		if !hidden(name) || !secretName(name) {
			continue
		}
		blank := s[i-1] == ' '
		for value < len(s) && (s[value] == ' ' || s[value] == '\t') {
			blank = true
			value++
		}
		opening := openingOf(s[value:])
		value += len(opening)
		end := value + valueEnd(s[value:], name, opening)
		secret := s[value:end]
		if secret == "" || marked(secret) || reference(secret) || opening == "" && blank && !passwordName(name) && prose(secret) {
			continue // but there may be something in it: state=token=x
		}
		out.WriteString(s[done:value])
		out.WriteString(scrubWhole(secret, name))
		done, i = end, end-1
	}
	out.WriteString(s[done:])
	return out.String()
}

// nameBefore returns the name that ends s, without what encloses it.
func nameBefore(s string) string {
	s = strings.TrimRight(s, " \t")
	s = strings.TrimSuffix(s, "]")
	if n := len(s); n > 0 && strings.IndexByte("\"'`", s[n-1]) >= 0 {
		s = strings.TrimRight(s[:n-1], `\`)
	}
	i := len(s)
	for i > 0 && word(s[i-1:i], 0) == 1 {
		i--
	}
	return s[i:]
}

// openingOf returns the quote, escaped or not, or the bracket that begins s.
func openingOf(s string) string {
	if strings.HasPrefix(s, "[") && !strings.HasPrefix(s, markerStart) {
		return "["
	}
	n := len(s) - len(strings.TrimLeft(s, `\`))
	if n < len(s) && strings.IndexByte("\"'`", s[n]) >= 0 {
		return s[:n+1]
	}
	return ""
}

// valueEnd returns where a value ends that begins s.
func valueEnd(s, name, opening string) int {
	stop := " \t\r\n&;,\"'`<>)]}\\"
	lower := strings.ToLower(name)
	switch {
	case opening == "[":
		stop = "]\r\n"
	case opening != "": // the same quote, as often escaped
		if i := strings.Index(s, opening); i >= 0 {
			return i
		}
		return len(s)
	case strings.HasSuffix(lower, "cookie"):
		stop = "\r\n\"'`\\]}"
	case strings.Contains(lower, "authorization"):
		stop = "\r\n\"'`\\]},&"
	}
	if strings.HasPrefix(s, markerStart) {
		return len(markerStart) + 9
	}
	if i := strings.IndexAny(s, stop); i >= 0 {
		return i
	}
	return len(s)
}

// marked says whether a value was scrubbed before.
func marked(s string) bool {
	if scheme, rest, ok := strings.Cut(s, " "); ok && schemeName(scheme) {
		s = rest
	}
	return strings.HasPrefix(s, markerStart)
}

// prose says whether what follows a word and a space reads on: "unexpected token: string".
func prose(s string) bool {
	return len(s) < 20 && (strings.Trim(s, "abcdefghijklmnopqrstuvwxyz.-") == "" || len(s) < 6 && strings.Trim(s, "0123456789") == "")
}

// reference says whether a value only names where the secret is, as templates do.
func reference(s string) bool {
	return strings.HasPrefix(s, "!") || strings.HasPrefix(s, "${") || strings.HasPrefix(s, "$(") || strings.HasPrefix(s, "{{")
}

func replace(re *regexp.Regexp, s string, with func(m []string) string) string {
	return re.ReplaceAllStringFunc(s, func(part string) string {
		if m := re.FindStringSubmatch(part); m != nil {
			return with(m)
		}
		return part
	})
}
