package registry_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/regcast/regcast/emulator/internal/registry"
)

// FuzzParsePath holds the parsers against the specification's own expressions, and against what names must never be: a way out.
func FuzzParsePath(f *testing.F) {
	name := regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tag := regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	for _, seed := range []string{
		"/v2/app/manifests/v1", "/v2/" + otherID + "/a/b/blobs/uploads/id", "/v2/a/blobs/uploads", "/v2/blobs/uploads/blobs/uploads/",
		"/v2/a__b/c-d/tags/list", "/v2/../manifests/v1", "/v2/a//b/referrers/sha256:1", "/v2/_catalog", "/v2/" + otherID + "/tags/list",
		"/v2/a-.b/manifests/x", "", "/v2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if registry.ValidName(path) != (len(path) <= 255 && name.MatchString(path)) {
			t.Errorf("name %q: valid is %v", path, registry.ValidName(path))
		}
		if registry.ValidTag(path) != tag.MatchString(path) {
			t.Errorf("tag %q: valid is %v", path, registry.ValidTag(path))
		}
		id, repo, _, ok := registry.ParsePath(path, defaultID)
		if !ok {
			return
		}
		if !filepath.IsLocal(repo) || strings.Contains(repo, " ") {
			t.Errorf("%q: repository %q", path, repo)
		}
		if id != defaultID && !regexp.MustCompile("^crp[0-9a-z]{17}$").MatchString(id) {
			t.Errorf("%q: registry %q", path, id)
		}
		// The name that is shown leads back.
		againID, again, _, ok := registry.ParsePath("/v2/"+registry.Display(id, repo, defaultID)+"/tags/list", defaultID)
		if len(repo) < 200 && (!ok || againID != id || again != repo) {
			t.Errorf("%q: %s %s is shown as %q, which is %s %s", path, id, repo, registry.Display(id, repo, defaultID), againID, again)
		}
	})
}

func FuzzParseDigest(f *testing.F) {
	digest := regexp.MustCompile(`^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$`)
	for _, seed := range []string{digestOf("x"), strings.ToUpper(digestOf("x")), "sha256:", "sha512:" + strings.Repeat("0", 128), "md5:00", "a/b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path, ok := registry.ParseDigest(s)
		if ok != digest.MatchString(s) {
			t.Errorf("%q: valid is %v", s, ok)
		}
		if ok && !filepath.IsLocal(path) {
			t.Errorf("%q: path %q", s, path)
		}
	})
}

func FuzzParseContentRange(f *testing.F) {
	for _, seed := range []string{"0-4", "5-5", "4-0", "-", "0-", "-1", "+0-4", "0-99999999999999999999", "bytes 0-4/5", "0x0-4"} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^[0-9]+-[0-9]+$`)
	f.Fuzz(func(t *testing.T, s string) {
		first, last, ok := registry.ParseContentRange(s)
		if ok && (!form.MatchString(s) || first < 0 || last < first || last-first+1 <= 0) {
			t.Errorf("%q: %d-%d", s, first, last)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	for _, seed := range []string{index("x"), imageOf("{}", "layer"), "{}", "[]", `{"config":{"digest":1}}`, `{"manifests":[{}]}`} {
		f.Add([]byte(seed), manifestType)
		f.Add([]byte(seed), "")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		if registry.ParseManifest(body, contentType) == nil && !strings.Contains(string(body), "{") {
			t.Errorf("%q is no manifest", body)
		}
	})
}

// FuzzServeHTTP asks a registry for anything: it must answer, and never by its own fault.
func FuzzServeHTTP(f *testing.F) {
	r, err := registry.New(registry.Options{Dir: f.TempDir(), Default: defaultID})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = r.Close() })
	blob := httptest.NewRequest("POST", "/v2/app/blobs/uploads/?digest="+digestOf("0123456789"), strings.NewReader("0123456789"))
	r.ServeHTTP(httptest.NewRecorder(), blob)
	f.Add("GET", "/v2/app/blobs/"+digestOf("0123456789"), "bytes=2-4", "", "")
	f.Add("GET", "/v2/app/blobs/"+digestOf("0123456789"), "bytes=-3,0-1", "", "")
	f.Add("POST", "/v2/app/blobs/uploads/", "", "", "")
	f.Add("POST", "/v2/app/blobs/uploads/?mount=sha256:1&from=x", "", "", "")
	f.Add("PUT", "/v2/app/manifests/v1", "", "", index("x"))
	f.Add("DELETE", "/v2/app/manifests/v1", "", "", "")
	f.Add("GET", "/v2/app/tags/list?n=1&last=a", "", "", "")
	f.Add("PATCH", "/v2/app/blobs/uploads/x", "", "0-9", "0123456789")
	f.Fuzz(func(t *testing.T, method, target, byteRange, contentRange, body string) {
		req, err := http.NewRequest(method, "http://x"+target, strings.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Range", byteRange)
		req.Header.Set("Content-Range", contentRange)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code >= 500 || w.Code < 200 {
			t.Errorf("%s %q: %d %s", method, target, w.Code, w.Body)
		}
		if w.Code == http.StatusOK && strings.Contains(target, digestOf("0123456789")) && method == "GET" && w.Body.String() != "0123456789" {
			t.Errorf("%s %q: %q", method, target, w.Body)
		}
	})
}
