package registry

import "strings"

// kind is what a URL is about; with the method it says what to do.
type kind int

const (
	kindNone kind = iota
	kindPing
	kindCatalog
	kindTags
	kindManifest
	kindReferrers
	kindBlob
	kindUploads // start an upload, or mount
	kindUpload
)

// route is a parsed URL path. Nothing in it is validated but the split.
type route struct {
	kind kind
	name string // as asked, registry id and all
	ref  string // tag, digest or upload id
}

// parseRoute splits the path of a URL. Names may hold any of the protocol's own words as segments, so the last segments decide.
func parseRoute(path string) route {
	rest, ok := strings.CutPrefix(path, "/v2")
	switch {
	case !ok:
		return route{}
	case rest == "" || rest == "/":
		return route{kind: kindPing}
	case rest == "/_catalog":
		return route{kind: kindCatalog}
	case rest[0] != '/':
		return route{}
	}
	head, last := cutLast(rest[1:])
	name, word := cutLast(head)
	switch {
	case word == "tags" && last == "list":
		return route{kindTags, name, ""}
	case word == "manifests":
		return route{kindManifest, name, last}
	case word == "referrers":
		return route{kindReferrers, name, last}
	case word == "blobs" && last == "uploads":
		return route{kindUploads, name, ""}
	case word == "blobs":
		return route{kindBlob, name, last}
	case word == "uploads":
		owner, blobs := cutLast(name)
		switch {
		case blobs != "blobs":
		case last == "":
			return route{kindUploads, owner, ""}
		default:
			return route{kindUpload, owner, last}
		}
	}
	return route{}
}

func cutLast(s string) (before, after string) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}

// key names a repository wherever it is: the registry's id and the name without it.
type key struct{ registry, name string }

// parseName finds the repository that a name in a URL means. A first segment of the form of a registry id names the registry if
// something follows it; any other name belongs to the default registry.
func parseName(name, defaultRegistry string) (key, bool) {
	if !validName(name) {
		return key{}, false
	}
	if first, rest, ok := strings.Cut(name, "/"); ok && (first == defaultRegistry || isRegistryID(first)) {
		return key{first, rest}, true
	}
	return key{defaultRegistry, name}, true
}

// display is the shortest name that parseName reads as k.
func (k key) display(defaultRegistry string) string {
	if k.registry == defaultRegistry {
		return k.name
	}
	return k.registry + "/" + k.name
}

// isRegistryID tells whether s has the form of the ids that Yandex Cloud gives its registries.
func isRegistryID(s string) bool {
	if len(s) != 20 || !strings.HasPrefix(s, "crp") {
		return false
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

const nameLimit = 255

// validName is the specification's grammar: segments of lower-case letters and digits, with ".", "_", "__" or dashes between them.
func validName(name string) bool {
	if len(name) > nameLimit {
		return false
	}
	for segment := range strings.SplitSeq(name, "/") {
		if !validSegment(segment) {
			return false
		}
	}
	return true
}

func validSegment(s string) bool {
	if s == "" || !alphanumeric(s[0]) || !alphanumeric(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		start := i
		for !alphanumeric(s[i]) { // ends before the last byte
			i++
		}
		switch separator := s[start:i]; {
		case separator == "", separator == ".", separator == "_", separator == "__", strings.Trim(separator, "-") == "":
		default:
			return false
		}
		i++
	}
	return true
}

const tagLimit = 128

func validTag(tag string) bool {
	if tag == "" || len(tag) > tagLimit {
		return false
	}
	for i := range len(tag) {
		c := tag[i]
		switch {
		case alphanumeric(c), 'A' <= c && c <= 'Z', c == '_':
		case i > 0 && (c == '.' || c == '-'):
		default:
			return false
		}
	}
	return true
}
