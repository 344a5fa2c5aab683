package registry

import "os"

// BreakDisk has every write of the registry go through write. It is for the time before the first request.
func (r *Registry) BreakDisk(write func(*os.File, []byte) (int, error)) {
	r.store.write, r.links.write = write, write
}

// HasManifest tells whether the bytes of a manifest are kept.
func (r *Registry) HasManifest(d string) bool { return r.store.has(digest(d)) }

// The parsers, for fuzzing.
var (
	ParseContentRange = parseContentRange
	ValidName         = validName
	ValidTag          = validTag
)

// ParsePath splits a URL's path and finds its repository.
func ParsePath(path, defaultRegistry string) (registry, name, ref string, ok bool) {
	route := parseRoute(path)
	k, ok := parseName(route.name, defaultRegistry)
	return k.registry, k.name, route.ref, ok
}

// Display is the name that lists show.
func Display(registry, name, defaultRegistry string) string {
	return key{registry, name}.display(defaultRegistry)
}

// ParseDigest returns the digest's path below the folder of blobs.
func ParseDigest(s string) (path string, ok bool) {
	d, ok := parseDigest(s)
	if !ok {
		return "", false
	}
	return d.path(), true
}

// ParseManifest tells only whether the manifest is good.
func ParseManifest(body []byte, contentType string) error {
	_, err := parseManifest(body, contentType)
	return err
}
