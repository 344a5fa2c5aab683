package aws_test

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
)

func TestSignedService(t *testing.T) {
	is := is.New(t)
	r := httptest.NewRequest("POST", "/", nil)
	_, ok := aws.SignedService(r)
	is.True(!ok)
	is.NoErr(v4.NewSigner().SignHTTP(t.Context(), key, r, "", "sns", "eu-west-1", start))
	service, ok := aws.SignedService(r)
	is.True(ok)
	is.Equal(service, "sns")
	s, bad := aws.ParseSignature(r)
	is.True(bad == nil)
	is.Equal(s.Region, "eu-west-1")
	is.Equal(s.AccessKeyID, key.AccessKeyID)

	r = httptest.NewRequest("GET", "/", nil)
	uri, _, err := v4.NewSigner().PresignHTTP(t.Context(), key, r, "", "sts", "eu-west-1", start)
	is.NoErr(err)
	service, ok = aws.SignedService(httptest.NewRequest("GET", uri, nil))
	is.True(ok)
	is.Equal(service, "sts")
}

func TestParseSignatureRefuses(t *testing.T) {
	const credential = "Credential=A/20260925/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0"
	for name, test := range map[string]struct{ header, date, query, want string }{
		"scope":     {"AWS4-HMAC-SHA256 Credential=A/b, SignedHeaders=host, Signature=0", "20260925T002229Z", "", "Credential must have exactly 5 slash-delimited elements"},
		"date":      {"AWS4-HMAC-SHA256 " + credential, "2026-09-25", "", "Date must be in ISO-8601 'basic format'. Got '2026-09-25'."},
		"presigned": {"", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=x", "AWS query-string parameters must include 'X-Amz-Credential'. "},
		"presigned scope": {"", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=x&X-Amz-Credential=A&X-Amz-Signature=0&X-Amz-SignedHeaders=host",
			"Credential must have exactly 5 slash-delimited elements"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := httptest.NewRequest("GET", "/?"+test.query, nil)
			r.Header.Set("Authorization", test.header)
			r.Header.Set("X-Amz-Date", test.date)
			s, bad := aws.ParseSignature(r)
			is.True(s == nil)
			is.Equal(bad.Type, "IncompleteSignatureException")
			is.True(strings.HasPrefix(bad.Message, test.want))
		})
	}
}

func TestDateHeaderIsASigningDate(t *testing.T) {
	is := is.New(t)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20260925/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0")
	r.Header.Set("Date", "Fri, 25 Sep 2026 00:22:29 GMT")
	s, bad := aws.ParseSignature(r)
	is.True(bad == nil)
	is.Equal(s.At, start.Truncate(time.Second))
}

func FuzzParseSignature(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=A/20260925/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20260925T002229Z", "")
	f.Add(" ", "0", "")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F1%2Fr%2Fs%2Faws4_request&X-Amz-Date=20260925T002229Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0")
	f.Fuzz(func(t *testing.T, header, date, query string) {
		r := httptest.NewRequest("GET", "/", bytes.NewReader(nil))
		r.Header["Authorization"], r.Header["X-Amz-Date"], r.URL.RawQuery = []string{header}, []string{date}, query
		s, bad := aws.ParseSignature(r)
		if (s == nil) == (bad == nil) {
			t.Errorf("%v and %v", s, bad)
		}
		if bad != nil && (bad.Status != 403 || bad.Message == "") {
			t.Errorf("a bad answer: %+v", bad)
		}
	})
}
