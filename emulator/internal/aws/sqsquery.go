package aws

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
)

// queryVersion is in every request of SQS's Query protocol, and in no other service's.
const queryVersion = "Version=2012-11-05"

// IsQuery says whether a request speaks the Query protocol, which SDKs spoke to SQS before JSON: to the service, or to a queue by its
// URL. The body can be read as before.
func (s *SQS) IsQuery(r *http.Request) bool {
	if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/"+s.Account+"/") {
		return false
	}
	if strings.Contains(r.URL.RawQuery, queryVersion) {
		return true
	}
	if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return false
	}
	body := bufio.NewReader(r.Body) // SDKs begin with the version: what is in a reader's buffer will do
	head, _ := body.Peek(body.Size())
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}
	return bytes.Contains(head, []byte(queryVersion))
}
