package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// endpoint is what takes payloads: a URL, or a function of Lambda.
type endpoint struct {
	name   string // for people
	url    *url.URL
	header http.Header
	client *http.Client

	lambda      bool
	async       bool
	region      string
	credentials aws.Credentials
}

// isTarget tells a target from a time, which --to can be too.
func isTarget(s string) bool { return strings.Contains(s, "://") || strings.HasPrefix(s, "lambda:") }

// newEndpoint reads a target. It does not connect to it.
func newEndpoint(target string, headers []string, invoke string, env environment) (*endpoint, error) {
	e := &endpoint{header: http.Header{}, client: &http.Client{
		// A POST that is sent elsewhere would become a GET, or go where nobody has said that it may.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	async, err := choose("--invoke-type", invoke, "request", "event")
	if err != nil {
		return nil, err
	}
	if err := e.setHeader(headers, env); err != nil {
		return nil, err
	}
	if function, ok := strings.CutPrefix(target, "lambda:"); ok {
		e.async = async
		return e, e.findLambda(function, env)
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError("--to: got %q, want an http or https URL, lambda:NAME[@REGION], or a time where to end", target)
	}
	if async {
		return nil, usageError("--invoke-type is for lambda:NAME")
	}
	host := cmp.Or(e.header.Get("Host"), u.Host)
	if q := u.Query(); host == yandexFunctions && !q.Has("integration") {
		q.Set("integration", "raw") // as triggers do; otherwise the function gets an HTTP request with the payload in it
		u.RawQuery = q.Encode()
	}
	e.url, e.name = u, u.Redacted()
	return e, nil
}

const yandexFunctions = "functions.yandexcloud.net"

// form is what the endpoint takes, as far as its address tells.
func (e *endpoint) form() string {
	host := cmp.Or(e.header.Get("Host"), e.url.Hostname())
	switch {
	case e.lambda:
		return asEventBridge
	case strings.HasSuffix(host, ".yandexcloud.net"):
		return asYandex
	}
	return ""
}

// local tells whether nobody else is reached.
func (e *endpoint) local() bool {
	host := e.url.Hostname()
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// fromEnvironment is what stands for a variable's value in a header.
var fromEnvironment = regexp.MustCompile(`@env:([A-Za-z_][A-Za-z0-9_]*)`)

func (e *endpoint) setHeader(lines []string, env environment) error {
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return usageError("--header: got %q, want 'Name: value'", line)
		}
		var missing string
		value = fromEnvironment.ReplaceAllStringFunc(strings.TrimSpace(value), func(s string) string {
			variable := strings.TrimPrefix(s, "@env:")
			v := env.getenv(variable)
			if v == "" {
				missing = variable
			}
			return v
		})
		if missing != "" {
			return usageError("--header: %s: the environment has no %s", name, missing)
		}
		e.header.Add(name, value)
	}
	return nil
}

// findLambda reads NAME[@REGION]; a name can be an ARN, and have a version or an alias behind it.
func (e *endpoint) findLambda(function string, env environment) error {
	name, region, _ := strings.Cut(function, "@")
	if arn := strings.Split(name, ":"); region == "" && len(arn) > 3 && arn[0] == "arn" {
		region = arn[3]
	}
	e.lambda, e.name = true, "lambda:"+function
	e.region = cmp.Or(region, env.getenv("AWS_REGION"), env.getenv("AWS_DEFAULT_REGION"))
	e.credentials = aws.Credentials{
		AccessKeyID: env.getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: env.getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: env.getenv("AWS_SESSION_TOKEN"),
	}
	switch {
	case name == "":
		return usageError("--to: got %q, want lambda:NAME[@REGION]", "lambda:"+function)
	case e.region == "":
		return usageError("--to: the region is not known: say lambda:%s@REGION, or set AWS_REGION", name)
	case !e.credentials.HasKeys():
		return usageError("--to: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; " +
			`eval "$(aws configure export-credentials --format env)" sets them from a profile`)
	}
	base := "https://lambda." + e.region + ".amazonaws.com"
	if strings.HasPrefix(e.region, "cn-") {
		base += ".cn"
	}
	if env.getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") != "true" {
		base = cmp.Or(env.getenv("AWS_ENDPOINT_URL_LAMBDA"), env.getenv("AWS_ENDPOINT_URL"), base)
	}
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Host == "" {
		return usageError("--to: AWS_ENDPOINT_URL: got %q, want a URL", base)
	}
	path := "/2015-03-31/functions/" + name + "/invocations"
	u.RawPath = u.EscapedPath() + "/2015-03-31/functions/" + strings.ReplaceAll(url.PathEscape(name), ":", "%3A") + "/invocations"
	u.Path += path
	e.url = u
	return nil
}

// answered is what came of one request.
type answered struct {
	status   string // "200", "200 function error", "no answer"
	text     string // why it failed; empty: it did not
	body     []byte // the beginning
	again    bool   // another try may help
	after    time.Duration
	hopeless bool // nobody is there, or nobody lets us in
}

// mostAnswer bounds what is read of an answer: Lambda's are 6 MB.
const mostAnswer = 8 << 20

// send posts one payload.
func (e *endpoint) send(ctx context.Context, data []byte) answered {
	req, err := e.request(ctx, data)
	if err != nil {
		return answered{status: "no answer", text: err.Error(), hopeless: true}
	}
	res, err := e.client.Do(req)
	if err != nil {
		var sent *url.Error
		if errors.As(err, &sent) {
			err = sent.Err // the URL is known
		}
		return answered{status: "no answer", text: err.Error(), hopeless: true, again: ctx.Err() == nil}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	a := answered{status: strconv.Itoa(res.StatusCode), body: body[:min(len(body), 1000)]}
	switch failed := cmp.Or(res.Header.Get("X-Amz-Function-Error"), res.Header.Get("X-Function-Error")); {
	case err != nil:
		a.text, a.again = "the answer broke off: "+err.Error(), true
	case res.StatusCode/100 != 2:
		a.text = res.Status
		a.hopeless = slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, res.StatusCode)
		a.again = res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
			a.after = min(time.Duration(seconds)*time.Second, time.Minute)
		}
	case failed != "":
		a.status += " function error"
		a.text = "function error " + failed
	case bytes.Contains(body, []byte(`"batchItemFailures"`)):
		var told struct {
			Failures []any `json:"batchItemFailures"`
		}
		if json.Unmarshal(body, &told) == nil && len(told.Failures) > 0 {
			a.status += " with failed messages"
			a.text = plural(len(told.Failures), "message") + " of the batch failed"
		}
	}
	return a
}

func (e *endpoint) request(ctx context.Context, data []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header = e.header.Clone()
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "regcast")
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	if !e.lambda {
		return req, nil
	}
	kind := "RequestResponse"
	if e.async {
		kind = "Event"
	}
	req.Header.Set("X-Amz-Invocation-Type", kind)
	sum := sha256.Sum256(data)
	return req, signer.NewSigner().SignHTTP(ctx, e.credentials, req, hex.EncodeToString(sum[:]), "lambda", e.region, time.Now())
}
