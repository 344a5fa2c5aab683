package registry_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// next is the URL of a Link header.
func (a answer) next() string {
	link := a.header.Get("Link")
	url, ok := strings.CutSuffix(link, `>; rel="next"`)
	if !ok {
		return ""
	}
	return strings.TrimPrefix(url, "<")
}

func TestListsComeInPages(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	for _, name := range []string{"b", "a", "team/app", otherID + "/z", otherID + "/team/app"} {
		h.push(name, "v1", index("x"))
	}
	for _, tag := range []string{"v3", "V2", "1.0_x", "latest"} {
		h.push("a", tag, index("x"))
	}
	h.blob("only-blobs", "x")
	h.want(404, "GET", "only-read/tags/list", "")
	for _, tc := range []struct {
		path string
		want []string // pages
	}{
		{"/v2/_catalog", []string{"a b " + otherID + "/team/app " + otherID + "/z team/app"}},
		{"/v2/_catalog?n=2", []string{"a b", otherID + "/team/app " + otherID + "/z", "team/app"}},
		{"/v2/_catalog?n=5", []string{"a b " + otherID + "/team/app " + otherID + "/z team/app"}},
		{"/v2/_catalog?last=b&n=1", []string{otherID + "/team/app", otherID + "/z", "team/app"}},
		{"/v2/a/tags/list", []string{"1.0_x V2 latest v1 v3"}},
		{"/v2/a/tags/list?n=0", []string{""}},
		{"/v2/a/tags/list?last=m", []string{"v1 v3"}},
		{"/v2/a/tags/list?n=4&last=1.0_x", []string{"V2 latest v1 v3"}},
		{"/v2/" + defaultID + "/a/tags/list?n=3", []string{"1.0_x V2 latest", "v1 v3"}},
	} {
		path := tc.path
		for i, want := range tc.want {
			a := h.want(200, "GET", path, "")
			var got struct{ Repositories, Tags []string }
			is.NoErr(json.Unmarshal([]byte(a.body), &got))
			is.Equal(strings.Join(append(got.Repositories, got.Tags...), " "), want) // tc.path
			path = a.next()
			is.Equal(path != "", i < len(tc.want)-1) // tc.path: a link to the next page, if there is one
		}
	}
	is.Equal(h.want(200, "GET", "a/tags/list?n=1", "").body, `{"name":"a","tags":["1.0_x"]}`)
	is.Equal(h.want(200, "GET", defaultID+"/a/tags/list?n=0", "").body, `{"name":"`+defaultID+`/a","tags":[]}`) // as asked
	is.Equal(h.want(404, "GET", "nowhere/tags/list", "").code(), "NAME_UNKNOWN")
	for _, n := range []string{"-1", "x", ""} {
		is.Equal(h.want(400, "GET", "a/tags/list?n="+n, "").code(), "PAGINATION_NUMBER_INVALID")
	}
	// A repository whose images are all deleted is still one.
	h.want(202, "DELETE", "b/manifests/"+digestOf(index("x")), "")
	is.Equal(h.want(200, "GET", "b/tags/list", "").body, `{"name":"b","tags":[]}`)
}

func TestReferrers(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	h.blob("app", "{}")
	subject := digestOf(index("subject"))
	artifact := func(kind, note string) string {
		return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":%q,"config":{"mediaType":"application/vnd.oci.empty.v1+json",`+
			`"digest":%q,"size":2},"layers":[],"subject":{"mediaType":%q,"digest":%q,"size":1},"annotations":{"note":%q}}`,
			manifestType, kind, digestOf("{}"), indexType, subject, note)
	}
	sbom, signature := artifact("text/sbom", "a"), artifact("", "b")
	for _, m := range []string{sbom, signature} {
		a := h.push("app", digestOf(m), m) // before the subject is there
		is.Equal(a.header.Get("OCI-Subject"), subject)
	}
	type descriptor struct {
		MediaType, Digest, ArtifactType string
		Size                            int
		Annotations                     map[string]string
	}
	ask := func(query string) (out []descriptor) {
		t.Helper()
		a := h.want(200, "GET", "app/referrers/"+query, "")
		is.Equal(a.header.Get("Content-Type"), indexType)
		is.Equal(a.header.Get("OCI-Filters-Applied") == "artifactType", strings.Contains(query, "?"))
		var got struct {
			SchemaVersion int
			MediaType     string
			Manifests     []descriptor
		}
		is.NoErr(json.Unmarshal([]byte(a.body), &got))
		is.Equal(got.SchemaVersion, 2)
		is.Equal(got.MediaType, indexType)
		is.True(got.Manifests != nil)
		return got.Manifests
	}
	for range 2 { // once from memory, once from disk
		is.Equal(len(ask(subject)), 2)
		got := ask(subject + "?artifactType=text/sbom")
		is.Equal(got, []descriptor{{manifestType, digestOf(sbom), "text/sbom", len(sbom), map[string]string{"note": "a"}}})
		got = ask(subject + "?artifactType=application/vnd.oci.empty.v1%2Bjson") // the config's, where there is no other
		is.Equal(len(got), 1)
		is.Equal(got[0].Digest, digestOf(signature))
		is.Equal(len(ask(digestOf("unknown"))), 0)
		h.close()
		h = open(t, dir, j)
	}
	h.want(202, "DELETE", "app/manifests/"+digestOf(sbom), "")
	is.Equal(len(ask(subject)), 1)
	h.want(200, "GET", "nowhere/referrers/"+subject, "")
	is.Equal(h.want(400, "GET", "app/referrers/sha256:abc", "").code(), "DIGEST_INVALID")
}
