package registry_test

import (
	"crypto/sha512"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestManifestsComeBackAsTheyWere(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	m := "  " + index("spaces count") + "\n"
	a := h.push("app", "v1", m)
	d := digestOf(m)
	is.Equal(a.header.Get("Docker-Content-Digest"), d)
	is.Equal(a.header.Get("Location"), "/v2/app/manifests/"+d)
	for _, path := range []string{"app/manifests/v1", "app/manifests/" + d, defaultID + "/app/manifests/v1"} {
		for _, method := range []string{"GET", "HEAD"} {
			a := h.want(200, method, path, "")
			is.Equal(a.body == m, method == "GET")
			is.Equal(a.header.Get("Content-Type"), indexType)
			is.Equal(a.header.Get("Content-Length"), fmt.Sprint(len(m)))
			is.Equal(a.header.Get("Docker-Content-Digest"), d)
			is.Equal(a.header.Get("Docker-Distribution-Api-Version"), "registry/2.0")
		}
	}
	long := fmt.Sprintf("sha512:%x", sha512.Sum512([]byte(m)))
	h.push("app", long+"?tag=long", m)
	is.Equal(h.want(200, "GET", "app/manifests/long", "").header.Get("Docker-Content-Digest"), long)
	h.push("app", "typed", `{"schemaVersion":2,"manifests":[]}`) // neither header nor field say what it is
	is.Equal(h.want(200, "GET", "app/manifests/typed", "").header.Get("Content-Type"), indexType)
	h.want(201, "PUT", "app/manifests/any", `{"hello":1}`, "Content-Type: application/vnd.example+json; charset=utf-8")
	is.Equal(h.want(200, "GET", "app/manifests/any", "").header.Get("Content-Type"), "application/vnd.example+json")
}

func TestBadManifestsAreRefused(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	good := index("x")
	for _, tc := range []struct {
		name, ref, body, contentType string
		status                       int
		code                         string
	}{
		{"not JSON", "v1", "hello", indexType, 400, "MANIFEST_INVALID"},
		{"not an object", "v1", "[]", indexType, 400, "MANIFEST_INVALID"},
		{"of no known kind", "v1", "{}", "", 400, "MANIFEST_INVALID"},
		{"two kinds", "v1", good, manifestType, 400, "MANIFEST_INVALID"},
		{"no media type", "v1", good, "!", 400, "MANIFEST_INVALID"},
		{"old schema", "v1", `{"schemaVersion":1}`, "application/vnd.docker.distribution.manifest.v1+prettyjws", 400, "MANIFEST_INVALID"},
		{"image without config", "v1", `{"layers":[]}`, manifestType, 400, "MANIFEST_INVALID"},
		{"image that is an index", "v1", `{"config":{},"manifests":[]}`, manifestType, 400, "MANIFEST_INVALID"},
		{"index that is an image", "v1", `{"layers":[],"manifests":[]}`, indexType, 400, "MANIFEST_INVALID"},
		{"bad layer", "v1", `{"config":{"digest":"sha256:1"}}`, manifestType, 400, "MANIFEST_INVALID"},
		{"bad child", "v1", `{"manifests":[{"digest":"x"}]}`, indexType, 400, "MANIFEST_INVALID"},
		{"bad subject", "v1", `{"manifests":[],"subject":{"digest":"x"}}`, indexType, 400, "MANIFEST_INVALID"},
		{"missing blob", "v1", imageOf("none"), "", 400, "MANIFEST_BLOB_UNKNOWN"},
		{"missing child", "v1", `{"manifests":[{"digest":"` + digestOf("none") + `"}]}`, indexType, 400, "MANIFEST_BLOB_UNKNOWN"},
		{"another digest", digestOf("other"), good, "", 400, "DIGEST_INVALID"},
		{"no digest", "sha256:xyz", good, "", 400, "DIGEST_INVALID"},
		{"bad tag", "-v1", good, "", 400, "MANIFEST_INVALID"},
		{"bad tag parameter", digestOf(good) + "?tag=ok&tag=.no", good, "", 400, "MANIFEST_INVALID"},
		{"tag and tag parameter", "v1?tag=v2", good, "", 400, "MANIFEST_INVALID"},
		{"too large", "v1", `{"manifests":[],"a":"` + strings.Repeat("x", 4<<20) + `"}`, indexType, 413, "SIZE_INVALID"},
	} {
		a := h.do("PUT", "app/manifests/"+tc.ref, tc.body, "Content-Type: "+tc.contentType)
		is.Equal(a.status, tc.status) // tc.name
		is.Equal(a.code(), tc.code)   // tc.name
	}
	is.Equal(len(h.journal.records), 0)
	is.Equal(h.want(404, "GET", "app/manifests/v1", "").code(), "NAME_UNKNOWN") // there is not even a repository
}

func TestWhatNeedNotBeHere(t *testing.T) {
	h := open(t, t.TempDir(), &journal{})
	config, cache := h.blob("app", "{}"), h.blob("app", "cache")
	foreign := fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":%q},"layers":[{"digest":%q,"urls":["https://example.com/x"]},`+
		`{"digest":%q,"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"}]}`,
		config, digestOf("licensed"), digestOf("licensed too"))
	h.want(201, "PUT", "app/manifests/windows", foreign, "Content-Type: "+manifestType)
	// BuildKit's cache is an index whose children are layers.
	h.want(201, "PUT", "app/manifests/cache", `{"manifests":[{"digest":"`+cache+`"}]}`, "Content-Type: "+indexType)
	h.want(405, "DELETE", "app/blobs/"+cache, "")
}

func TestAnyoneMayLogIn(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	for _, header := range []string{"X: none", "Authorization: Basic YTpi", "Authorization: Bearer nonsense", "Authorization: nonsense"} {
		for _, path := range []string{"/v2/", "/v2"} {
			a := h.want(200, "GET", path, "", header)
			is.Equal(a.header.Get("Docker-Distribution-Api-Version"), "registry/2.0")
			is.Equal(a.header.Get("Www-Authenticate"), "")
		}
		h.want(201, "PUT", "app/manifests/v1", index("x"), header)
	}
	a := h.want(405, "POST", "app/manifests/v1", "")
	is.Equal(a.header.Get("Allow"), "GET, HEAD, PUT, DELETE")
	is.Equal(h.want(404, "GET", "app/nothing/v1", "").code(), "UNSUPPORTED")
	is.Equal(h.want(400, "GET", "UPPER/manifests/v1", "").code(), "NAME_INVALID")
}
