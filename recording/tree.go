package recording

import (
	"bytes"
	"encoding/json"
)

// member is one of a JSON object; key and value are the JSON text.
type member struct {
	name       string
	key, value []byte
}

// kind is the first byte of a JSON text: what it is.
func kind(data []byte) byte {
	data = bytes.TrimLeft(data, " \t\r\n")
	if len(data) == 0 {
		return 0
	}
	return data[0]
}

// members takes a valid JSON object apart, in order.
func members(data []byte) []member {
	var out []member
	i := space(data, 0) + 1
	for i = space(data, i); i < len(data) && data[i] == '"'; i = space(data, i) {
		m := member{}
		end := skip(data, i)
		m.key = data[i:end]
		m.name = text(m.key)
		i = space(data, space(data, end)+1) // the colon
		end = skip(data, i)
		m.value = data[i:end]
		out = append(out, m)
		if i = space(data, end); i < len(data) && data[i] == ',' {
			i++
		}
	}
	return out
}

// elements takes a valid JSON array apart.
func elements(data []byte) [][]byte {
	var out [][]byte
	i := space(data, 0) + 1
	for i = space(data, i); i < len(data) && data[i] != ']'; i = space(data, i) {
		end := skip(data, i)
		out = append(out, data[i:end])
		if i = space(data, end); i < len(data) && data[i] == ',' {
			i++
		}
	}
	return out
}

func find(list []member, name string) ([]byte, bool) {
	for _, m := range list {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// text is what a valid JSON string says.
func text(data []byte) string {
	if bytes.IndexByte(data, '\\') < 0 {
		return string(data[1 : len(data)-1])
	}
	var s string
	if json.Unmarshal(data, &s) != nil {
		return ""
	}
	return s
}

func space(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r') {
		i++
	}
	return i
}

// skip returns where the value that begins at i ends. The JSON must be valid.
func skip(data []byte, i int) int {
	depth := 0
	for i < len(data) {
		switch data[i] {
		case '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			i++
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default:
			for i < len(data) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(data[i])) {
				i++
			}
		}
		if depth <= 0 {
			break
		}
	}
	return min(i, len(data))
}
