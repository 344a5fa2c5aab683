package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"syscall"
)

// Codes of the distribution specification, and the few that it lacks a word for.
const (
	codeBlobUnknown         = "BLOB_UNKNOWN"
	codeUploadInvalid       = "BLOB_UPLOAD_INVALID"
	codeUploadUnknown       = "BLOB_UPLOAD_UNKNOWN"
	codeDigestInvalid       = "DIGEST_INVALID"
	codeManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
	codeManifestInvalid     = "MANIFEST_INVALID"
	codeManifestUnknown     = "MANIFEST_UNKNOWN"
	codeNameInvalid         = "NAME_INVALID"
	codeNameUnknown         = "NAME_UNKNOWN"
	codeSizeInvalid         = "SIZE_INVALID"
	codeTooManyRequests     = "TOOMANYREQUESTS"
	codeUnsupported         = "UNSUPPORTED"
	codePageInvalid         = "PAGINATION_NUMBER_INVALID" // distribution's word
	codeUnavailable         = "UNAVAILABLE"               // distribution's word
	codeUnknown             = "UNKNOWN"
)

// failure is an error that the client is told in the words of the protocol.
type failure struct {
	status  int
	code    string
	message string
	detail  any
}

func (f *failure) Error() string { return f.message }

func fail(status int, code, format string, args ...any) *failure {
	return &failure{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// brokenBody is for a body that did not come whole.
func brokenBody(code string, err error) *failure {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fail(http.StatusRequestTimeout, code, "the body stalled: nothing has come for too long")
	}
	return fail(http.StatusBadRequest, code, "the body ended early: %v", err)
}

func (f *failure) with(detail any) *failure {
	f.detail = detail
	return f
}

// asFailure finds the words for any error. What has none is the registry's own fault.
func asFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if diskFull(err) {
		return fail(http.StatusInsufficientStorage, codeUnavailable, "no space left on the registry's disk: %v", err)
	}
	return fail(http.StatusInternalServerError, codeUnknown, "%v", err)
}

func diskFull(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	// ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL, which package syscall does not name.
	return runtime.GOOS == "windows" && (errors.Is(err, syscall.Errno(39)) || errors.Is(err, syscall.Errno(112)))
}

func (f *failure) write(w http.ResponseWriter) {
	type entry struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Detail  any    `json:"detail,omitempty"`
	}
	h := w.Header()
	if f.status == http.StatusTooManyRequests {
		h.Set("Retry-After", "1")
	}
	writeJSON(w, f.status, "application/json", map[string][]entry{"errors": {{f.code, f.message, f.detail}}})
}

// writeJSON answers with v. The length is stated, because clients read it on HEAD.
func writeJSON(w http.ResponseWriter, status int, mediaType string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("registry: an answer that cannot be encoded: %v", err)) // only our own types come here
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone is no error of ours
}
