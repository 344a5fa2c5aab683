package registry

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// request is one request with what its URL says. The repository of a kind that has a name is parsed.
type request struct {
	*http.Request
	route
	key  key
	body io.Reader // is to be read, not Body: it ends when it stalls
}

// handler answers a request, or returns an error before it has begun to answer.
type handler func(r *Registry, w http.ResponseWriter, req *request) error

// handlers says what each method does to each kind of URL.
func handlers() map[kind]map[string]handler {
	return map[kind]map[string]handler{
		kindPing:      {"GET": (*Registry).ping, "HEAD": (*Registry).ping},
		kindCatalog:   {"GET": (*Registry).listRepositories, "HEAD": (*Registry).listRepositories},
		kindTags:      {"GET": (*Registry).listTags, "HEAD": (*Registry).listTags},
		kindReferrers: {"GET": (*Registry).listReferrers, "HEAD": (*Registry).listReferrers},
		kindManifest: {
			"GET": (*Registry).getManifest, "HEAD": (*Registry).getManifest,
			"PUT": (*Registry).putManifest, "DELETE": (*Registry).deleteManifest,
		},
		kindBlob:    {"GET": (*Registry).getBlob, "HEAD": (*Registry).getBlob, "DELETE": (*Registry).deleteBlob},
		kindUploads: {"POST": (*Registry).startUpload},
		kindUpload: {
			"GET": (*Registry).getUpload, "HEAD": (*Registry).getUpload, "PATCH": (*Registry).patchUpload,
			"PUT": (*Registry).putUpload, "DELETE": (*Registry).deleteUpload,
		},
	}
}

// ServeHTTP answers everything below /v2/. Who asks is of no interest: any credentials are as good as none.
func (r *Registry) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	if !r.serving.Load() {
		r.serving.Store(true)
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if err := r.serve(w, hr); err != nil {
		asFailure(err).write(w)
	}
}

func (r *Registry) serve(w http.ResponseWriter, hr *http.Request) error {
	req := &request{Request: hr, route: parseRoute(hr.URL.Path)}
	req.body = &movingBody{hr.Body, http.NewResponseController(w), r.opts.Limits.BodyStall}
	methods := r.handlers[req.kind]
	if methods == nil {
		return fail(http.StatusNotFound, codeUnsupported, "%s is no path of the registry API", hr.URL.Path)
	}
	handle, ok := methods[hr.Method]
	if !ok {
		var allowed []string
		for _, m := range []string{"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"} {
			if methods[m] != nil {
				allowed = append(allowed, m)
			}
		}
		return notAllowed(w, allowed, "%s is not supported here", hr.Method)
	}
	if req.kind != kindPing && req.kind != kindCatalog {
		if req.key, ok = parseName(req.name, r.opts.Default); !ok {
			return fail(http.StatusBadRequest, codeNameInvalid, "repository name %q is not valid", req.name)
		}
		if req.pushes() && r.opts.Known != nil && !r.opts.Known(req.key.registry) {
			return fail(http.StatusNotFound, codeNameUnknown, "there is no registry %s; create it first", req.key.registry)
		}
	}
	return handle(r, w, req)
}

// movingBody is a body that fails with os.ErrDeadlineExceeded when nothing has come for the time of stall. The deadline is the
// socket's, for nothing else wakes a reader; a ResponseWriter that has none (a test's recorder) reads without.
type movingBody struct {
	io.Reader
	socket *http.ResponseController
	stall  time.Duration
}

func (b *movingBody) Read(p []byte) (int, error) {
	_ = b.socket.SetReadDeadline(time.Now().Add(b.stall))
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		// The server now listens for the client's going, which may take as long as the answer. After any other error the deadline
		// stays: the server must not wait for the rest.
		_ = b.socket.SetReadDeadline(time.Time{})
	}
	return n, err
}

// pushes tells whether a request may bring something.
func (q *request) pushes() bool {
	return q.Method == http.MethodPost || q.Method == http.MethodPatch || q.Method == http.MethodPut
}

func notAllowed(w http.ResponseWriter, allowed []string, format string, args ...any) error {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return fail(http.StatusMethodNotAllowed, codeUnsupported, format, args...)
}

// ping answers 200 whatever the Authorization: `docker login` takes that for a login, and others for a registry without one.
func (r *Registry) ping(w http.ResponseWriter, _ *request) error {
	writeJSON(w, http.StatusOK, "application/json", struct{}{})
	return nil
}

// location is the URL of something in the repository, by the name that the client used.
func (q *request) location(what, ref string) string { return "/v2/" + q.name + "/" + what + "/" + ref }

// digest reads the URL's last segment as a digest.
func (q *request) digest() (digest, error) {
	d, ok := parseDigest(q.ref)
	if !ok {
		return "", fail(http.StatusBadRequest, codeDigestInvalid, "digest %q is not valid", q.ref)
	}
	return d, nil
}
