package capture_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/matryer/is"

	"github.com/regcast/regcast/functions/capture"
)

// What comes is kept, a line each, whatever it is.
func TestInvoke(t *testing.T) {
	for name, test := range map[string]struct{ payload, lines, answer string }{
		"EventBridge":         {"{\n \"id\": \"1\", \"detail\": {\"a\": \"<&>\"}}", `{"id":"1","detail":{"a":"<&>"}}` + "\n", `{"captured":1}`},
		"a queue":             {`{"Records":[{"messageId":"1","eventSource":"aws:sqs","body":"{\"a\": 1}"},{"messageId":"2","eventSource":"aws:sqs","body":"no \"JSON\""}]}`, `{"a":1}` + "\n" + `"no \"JSON\""` + "\n", `{"batchItemFailures":[]}`},
		"a trigger":           {`{"messages":[{"a":1}, {"b":2}]}`, `{"a":1}` + "\n" + `{"b":2}` + "\n", `{"captured":2}`},
		"another source":      {`{"Records":[{"eventSource":"aws:kinesis","body":""}]}`, `{"Records":[{"eventSource":"aws:kinesis","body":""}]}` + "\n", `{"captured":1}`},
		"messages of no list": {`{"messages":"a"}`, `{"messages":"a"}` + "\n", `{"captured":1}`},
		"empty":               {`{"messages":[]}`, `{"messages":[]}` + "\n", `{"captured":1}`},
		"no JSON":             {"a\nb", `"a\nb"` + "\n", `{"captured":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var out bytes.Buffer
			answer, err := capture.New(capture.To(&out)).Invoke(t.Context(), []byte(test.payload))
			is.NoErr(err)
			is.Equal(out.String(), test.lines)
			is.Equal(string(answer), test.answer)
		})
	}
}

// What is not kept is an error: the cloud tries again.
func TestInvokeFails(t *testing.T) {
	is := is.New(t)
	full := errors.New("no space")
	_, err := capture.New(func(context.Context, []byte) error { return full }).Invoke(t.Context(), []byte(`{}`))
	is.True(errors.Is(err, full))
	r, w := io.Pipe()
	is.NoErr(r.CloseWithError(full))
	_, err = capture.New(capture.To(w)).Invoke(t.Context(), []byte(`{}`))
	is.True(errors.Is(err, full))
	is.Equal(err.Error(), "capture: log: no space")
}

var now = time.Date(2026, 3, 4, 5, 6, 7, 89, time.FixedZone("", 3600))

var key = regexp.MustCompile(`^/mine/team/a/2026-03-04/04-06-07\.000000089-[0-9a-f]{16}\.jsonl$`)

func into(t *testing.T, s *httptest.Server, edit func(*capture.BucketOptions)) *capture.Capture {
	t.Helper()
	o := capture.BucketOptions{Endpoint: s.URL, Bucket: "mine", Prefix: "team/a/", Region: "eu-north-1", Transport: s.Client().Transport,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", "session"), Now: func() time.Time { return now }}
	if edit != nil {
		edit(&o)
	}
	put, err := capture.Into(o)
	if err != nil {
		t.Fatal(err)
	}
	return capture.New(put)
}

func TestBucket(t *testing.T) {
	is := is.New(t)
	var keys []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPut || !key.MatchString(r.URL.Path) || string(body) != "{\"a\":1}\n" || r.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%s %s %q", r.Method, r.URL, body)
		}
		keys = append(keys, r.URL.Path)
		// Signed as the SDK signs the same request for S3.
		again, _ := http.NewRequest(r.Method, "http://"+r.Host+r.URL.Path, bytes.NewReader(body))
		for _, name := range []string{"Content-Type", "X-Amz-Content-Sha256"} {
			again.Header.Set(name, r.Header.Get(name))
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err := signer.SignHTTP(r.Context(), aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: "session"}, again,
			r.Header.Get("X-Amz-Content-Sha256"), "s3", "eu-north-1", now); err != nil {
			t.Error(err)
		}
		if got, want := r.Header.Get("Authorization"), again.Header.Get("Authorization"); got != want {
			t.Errorf("signed %s, want %s", got, want)
		}
	}))
	defer s.Close()
	c := into(t, s, nil)
	for range 100 {
		_, err := c.Invoke(t.Context(), []byte(`{"a":1}`))
		is.NoErr(err)
	}
	slices.Sort(keys)
	is.Equal(len(slices.Compact(keys)), 100) // at the same nanosecond
}

func TestKeysSortByTime(t *testing.T) {
	is := is.New(t)
	var keys []string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { keys = append(keys, r.URL.Path) }))
	defer s.Close()
	at := now
	c := into(t, s, func(o *capture.BucketOptions) { o.Now = func() time.Time { return at } })
	for _, step := range []time.Duration{1, 999, time.Millisecond, time.Second, time.Hour, 24 * time.Hour, 365 * 24 * time.Hour} {
		at = at.Add(step)
		_, err := c.Invoke(t.Context(), []byte(`{}`))
		is.NoErr(err)
	}
	is.True(slices.IsSorted(keys))
	is.Equal(len(keys), 7)
}

// Without credentials it is Yandex Object Storage, which takes the token of the function's account.
func TestBucketWithToken(t *testing.T) {
	is := is.New(t)
	var got http.Header
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer s.Close()
	token := func(context.Context) (string, error) { return "t1.a.b", nil }
	_, err := into(t, s, func(o *capture.BucketOptions) { o.Credentials, o.Token = nil, token }).Invoke(t.Context(), []byte(`{}`))
	is.NoErr(err)
	is.Equal(got.Get("X-YaCloud-SubjectToken"), "t1.a.b")
	is.Equal(got.Get("Authorization"), "")
	none := func(context.Context) (string, error) { return "", errors.New("no account") }
	_, err = into(t, s, func(o *capture.BucketOptions) { o.Credentials, o.Token = nil, none }).Invoke(t.Context(), []byte(`{}`))
	is.True(strings.HasSuffix(err.Error(), ": no account"))
}

func TestBucketRefuses(t *testing.T) {
	for body, want := range map[string]string{
		`<?xml version="1.0"?><Error><Code>NoSuchBucket</Code><Message>The bucket is not there</Message></Error>`: `: 404 Not Found: NoSuchBucket: The bucket is not there$`,
		"gone\n": `: 404 Not Found: gone$`,
	} {
		is := is.New(t)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, body)
		}))
		_, err := into(t, s, nil).Invoke(t.Context(), []byte(`{}`))
		is.True(err != nil)
		is.True(regexp.MustCompile(`^capture: bucket: PUT http://127\.0\.0\.1:\d+/mine/team/a/\S+` + want).MatchString(err.Error()))
		s.Close()
		_, err = into(t, s, nil).Invoke(t.Context(), []byte(`{}`))
		is.True(err != nil) // nobody there
	}
	_, err := capture.Into(capture.BucketOptions{Endpoint: "http://[::1"})
	if err == nil {
		t.Fatal("an endpoint that is no URL")
	}
}

func FuzzInvoke(f *testing.F) {
	f.Add([]byte(`{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}`))
	f.Add([]byte(`{"messages":[1,"a\u2028",null]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var out bytes.Buffer
		if _, err := capture.New(capture.To(&out)).Invoke(t.Context(), payload); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
			t.Fatalf("%q was not kept", payload)
		}
	})
}
