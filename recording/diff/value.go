package diff

import (
	"strconv"
	"strings"
	"time"
)

// class is what a value is to a comparison.
type class uint8

const (
	plain  class = iota
	id           // maps to one value of the other run
	moment       // a time; number is Unix nanoseconds
	length       // a duration; number is nanoseconds
)

// keyed is what the name of a member says of its value.
type keyed uint8

const (
	anyKey    keyed = iota
	fixedKey        // never volatile
	idKey           // volatile, whatever it looks like
	timeKey         // a number there may be a time
	lengthKey       // a duration
)

func keyOf(name string) keyed {
	var folded [40]byte
	n := 0
	for i := 0; i < len(name) && n < len(folded); i++ {
		if c := name[i]; letter(c) {
			folded[n] = c | 0x20
			n++
		} else if digit(c) {
			folded[n] = c
			n++
		}
	}
	switch text := string(folded[:n]); text {
	case "tag", "tags", "imagetag", "imagetags", "digest", "imagedigest", "repository", "repositoryname", "registryid", "image", "imageid", "ref":
		return fixedKey
	case "eventid", "requestid", "extendedrequestid", "awsrequestid", "connectionid", "messageid", "invocationid", "correlationid",
		"traceid", "spanid", "parentspanid", "tracestate", "traceparent", "xamzntraceid", "awstraceheader", "sessionid", "receipthandle",
		"secwebsocketkey", "xycapigatewaywebsocketmessageid":
		return idKey
	default:
		for _, word := range []string{"duration", "elapsed", "latency", "took"} {
			if strings.Contains(text, word) {
				return lengthKey
			}
		}
		if strings.Contains(text, "time") || strings.Contains(text, "date") || strings.HasSuffix(text, "at") || text == "ts" {
			return timeKey
		}
	}
	return anyKey
}

// isUUID says whether s is 8-4-4-4-12 hexadecimal digits.
func isUUID[S ~string | ~[]byte](s S) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !digit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}

// houseAt finds an address of this machine at the start of s, by any of its names, and says where its port begins and ends: a house
// listens where there is room, and a rerun's clients dial it by its number.
func houseAt(s string) (port, end int) {
	for _, host := range []string{"127.0.0.1:", "localhost:", "[::1]:"} {
		if !strings.HasPrefix(s, host) {
			continue
		}
		for end = len(host); end < len(s) && end < len(host)+5 && digit(s[end]); end++ {
		}
		if end > len(host) && (end == len(s) || !digit(s[end])) {
			return len(host), end
		}
	}
	return 0, 0
}

// timeAt reads a time of RFC 3339 that begins at the start of s and says how long it is; 0: none does.
func timeAt(s string) (time.Time, int) {
	if len(s) < 20 || !digit(s[0]) || s[4] != '-' || s[7] != '-' || s[10] != 'T' && s[10] != ' ' || s[13] != ':' {
		return time.Time{}, 0
	}
	n := 19
	if n < len(s) && s[n] == '.' {
		for n++; n < len(s) && digit(s[n]); n++ {
		}
	}
	switch {
	case n < len(s) && s[n] == 'Z':
		n++
	case n+6 <= len(s) && (s[n] == '+' || s[n] == '-'):
		n += 6
	default:
		return time.Time{}, 0
	}
	text := s[:n]
	if text[10] == ' ' {
		text = text[:10] + "T" + text[11:]
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1700 || t.Year() > 2250 { // Unix nanoseconds would not hold it
		return time.Time{}, 0
	}
	return t, n
}

// apacheTime is how API Gateway writes requestTime.
func apacheTime(s string) (time.Time, bool) {
	if len(s) != 26 || s[2] != '/' || s[6] != '/' {
		return time.Time{}, false
	}
	t, err := time.Parse("02/Jan/2006:15:04:05 -0700", s)
	return t, err == nil && t.Year() > 1700 && t.Year() < 2250
}

// epoch reads a time since 1970 in seconds (only beside near, or where the key speaks of time), milli-, micro- or nanoseconds.
func epoch(text string, key keyed, near time.Time) (int64, bool) {
	digits, fraction, _ := strings.Cut(text, ".")
	var unit int64
	switch {
	case len(digits) == 10:
		unit = 1e9
	case fraction != "":
		return 0, false
	case len(digits) == 13:
		unit = 1e6
	case len(digits) == 16:
		unit = 1e3
	case len(digits) == 19:
		unit = 1
	default:
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	if unit == 1e9 && key != timeKey {
		if away := near.Unix() - n; away > 365*86400 || away < -365*86400 {
			return 0, false
		}
	}
	if s := n / (1e9 / unit); s < 1e9 || s > 7e9 { // 2001 to 2191
		return 0, false
	}
	ns := n * unit
	if fraction != "" {
		f, err := strconv.ParseFloat("0."+fraction, 64)
		if err != nil {
			return 0, false
		}
		ns += int64(f * 1e9)
	}
	return ns, true
}

// span reads a duration under a key that says it is one: a number is of the unit that the key ends with, else of milliseconds.
func span(text, key string) (int64, bool) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return int64(d), true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 {
		return 0, false
	}
	unit := 1e6
	switch lower := strings.ToLower(key); {
	case strings.HasSuffix(lower, "_ns"), strings.HasSuffix(lower, "nanos"):
		unit = 1
	case strings.HasSuffix(lower, "_us"), strings.HasSuffix(lower, "micros"):
		unit = 1e3
	case strings.HasSuffix(lower, "_s"), strings.HasSuffix(lower, "seconds"):
		unit = 1e9
	}
	if f*unit > 1<<62 {
		return 0, false
	}
	return int64(f * unit), true
}

// number writes what equal numbers have in common: JSON readers do not tell 1 from 1.0 or 1e0.
func number(text string) string {
	if !strings.ContainsAny(text, ".eE") {
		if text == "-0" {
			return "0"
		}
		return text
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	if f == float64(int64(f)) && f < 1e15 && f > -1e15 {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
