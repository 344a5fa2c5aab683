package aws_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	management "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/template"
)

var key = sdk.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}

const role = "arn:aws:sts::" + account + ":assumed-role/fn/fn"

// strict is a house that judges signatures.
func strict(t *testing.T, allowed func(principal, action, resource string) bool) *house {
	return build(t, func(o *aws.Options, _ *gateway.Options, a *template.API) {
		o.StrictAuth, o.Allowed = true, allowed
		o.Secret = func(id string) (string, string, bool) { return "secret", role, id == key.AccessKeyID }
	})
}

// signed is a request as a client of the SDK signs it, for the house's time.
func (h *house) signed(method, path, body string, change func(*http.Request)) *http.Request {
	h.t.Helper()
	is := is.New(h.t)
	r, err := http.NewRequest(method, h.server.URL+path, strings.NewReader(body))
	is.NoErr(err)
	sum := sha256.Sum256([]byte(body))
	is.NoErr(v4.NewSigner().SignHTTP(h.t.Context(), key, r, hex.EncodeToString(sum[:]), "execute-api", "us-east-1", h.clock.Now()))
	if change != nil {
		change(r)
	}
	return r
}

func (h *house) do(r *http.Request) answer {
	h.t.Helper()
	is := is.New(h.t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	is.NoErr(err)
	data, err := io.ReadAll(res.Body)
	is.NoErr(err)
	is.NoErr(res.Body.Close())
	return answer{res.StatusCode, res.Header, string(data)}
}

// unsignedID is an id of a connection that is not: what gets as far as it has passed the judge.
func (h *house) deadID() string {
	h.t.Helper()
	c, id := h.open("/dev")
	is.New(h.t).NoErr(c.CloseNow())
	h.call("disconnect")
	return id
}

func TestSignedRequestsPass(t *testing.T) {
	is := is.New(t)
	h := strict(t, nil)
	c, id := h.open("/dev")
	at := func(o *management.Options) { // the SDK signs for the real time
		o.HTTPSignerV4 = signer{h}
	}
	_, err := h.sdk("/dev", at).PostToConnection(t.Context(), &management.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")})
	is.NoErr(err)
	is.Equal(h.frame(c), "x")
	_, err = h.sdk("", at).GetConnection(t.Context(), &management.GetConnectionInput{ConnectionId: &id})
	is.NoErr(err)
	_, err = h.sdk("/"+apiID+"/other", at).DeleteConnection(t.Context(), &management.DeleteConnectionInput{ConnectionId: &id})
	is.NoErr(err)
}

// signer is the SDK's at the house's time.
type signer struct{ h *house }

func (s signer) SignHTTP(ctx context.Context, c sdk.Credentials, r *http.Request, hash, service, region string, _ time.Time, o ...func(*v4.SignerOptions)) error {
	return v4.NewSigner().SignHTTP(ctx, c, r, hash, service, region, s.h.clock.Now(), o...)
}

func TestPathsAreSignedAsSentAndEscapedOnceMore(t *testing.T) {
	is := is.New(t)
	h := strict(t, nil)
	id := h.deadID()
	for _, path := range []string{
		"/dev/@connections/" + id, "/dev/@connections/" + strings.ReplaceAll(id, "=", "%3D"), "/dev/%40connections/" + strings.ReplaceAll(id, "=", "%3d"),
		"/dev/@connections/" + id + "?b=2&a=1%201&a=%2B",
	} {
		is.Equal(h.do(h.signed("POST", path, "body", nil)).status, 410) // it has passed
	}
}

func TestUnsignedPayloadPasses(t *testing.T) {
	is := is.New(t)
	h := strict(t, nil)
	id := h.deadID()
	r, err := http.NewRequest("POST", h.server.URL+"/dev/@connections/"+id, strings.NewReader("x"))
	is.NoErr(err)
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	is.NoErr(v4.NewSigner().SignHTTP(t.Context(), key, r, "UNSIGNED-PAYLOAD", "execute-api", "us-east-1", h.clock.Now()))
	is.Equal(h.do(r).status, 410)
}

func TestPresignedRequests(t *testing.T) {
	is := is.New(t)
	h := strict(t, nil)
	id := h.deadID()
	sum := sha256.Sum256(nil)
	presign := func(expires string) *http.Request {
		r, err := http.NewRequest("GET", h.server.URL+"/dev/@connections/"+id+"?X-Amz-Expires="+expires, nil)
		is.NoErr(err)
		uri, _, err := v4.NewSigner().PresignHTTP(t.Context(), key, r, hex.EncodeToString(sum[:]), "execute-api", "us-east-1", h.clock.Now())
		is.NoErr(err)
		r, err = http.NewRequest("GET", uri, nil)
		is.NoErr(err)
		return r
	}
	r := presign("600")
	h.clock.Advance(10 * time.Minute)
	is.Equal(h.do(r.Clone(t.Context())).status, 410)
	h.clock.Advance(time.Second)
	a := h.do(r)
	is.Equal(a.status, 403)
	is.True(strings.Contains(a.body, "Signature expired: 20260925T002229Z is now earlier than 20260925T002230Z (20260925T003230Z - 10 min.)"))
}

func TestRequestsThatAreNotSignedWell(t *testing.T) {
	const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."
	for name, test := range map[string]struct {
		change        func(*http.Request)
		kind, message string
	}{
		"not at all":    {func(r *http.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		"another body":  {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("BODY")) }, "InvalidSignatureException", mismatch},
		"another path":  {func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "dev", "other", 1) }, "InvalidSignatureException", mismatch},
		"another query": {func(r *http.Request) { r.URL.RawQuery = "x=1" }, "InvalidSignatureException", mismatch},
		"another host":  {func(r *http.Request) { r.Host = apiHost }, "InvalidSignatureException", mismatch},
		"another key": {func(r *http.Request) { replace(r, key.AccessKeyID, "AKIDOTHER") },
			"UnrecognizedClientException", "The security token included in the request is invalid."},
		"another service": {func(r *http.Request) { replace(r, "execute-api", "lambda") },
			"InvalidSignatureException", "Credential should be scoped to correct service: 'execute-api'. "},
		"another day": {func(r *http.Request) { replace(r, "/20260925/", "/20260924/") },
			"InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260924' != '20260925', from '20260925T002229Z'."},
		"no Signature": {func(r *http.Request) { replace(r, "Signature=", "Sum=") },
			"IncompleteSignatureException", "Authorization header requires 'Signature' parameter. Authorization=AWS4-HMAC-SHA256"},
		"no date": {func(r *http.Request) { r.Header.Del("X-Amz-Date") },
			"IncompleteSignatureException", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256"},
		"a token": {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, "IncompleteSignatureException",
			"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
				"Authorization header requires 'SignedHeaders' parameter. Authorization=Bearer"},
		"a space in the key": {func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A,/x, SignedHeaders=host, Signature=1")
		},
			"IncompleteSignatureException", "'/x' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 Credential=A,/x, SignedHeaders=host, Signature=1'."},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := strict(t, nil)
			a := h.do(h.signed("POST", "/dev/@connections/"+h.deadID(), "body", test.change))
			is.Equal(a.status, 403)
			is.Equal(a.header.Get("X-Amzn-Errortype"), test.kind)
			var body struct{ Message string }
			is.NoErr(json.Unmarshal([]byte(a.body), &body))
			is.True(strings.HasPrefix(body.Message, test.message))
			if strings.HasPrefix(test.message, "The request") {
				is.True(strings.Contains(body.Message, "\n\nThe Canonical String for this request should have been\n'POST\n"))
				is.True(strings.Contains(body.Message, "\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20260925T002229Z\n20260925/us-east-1/execute-api/aws4_request\n"))
			} else {
				is.Equal(body.Message, test.message)
			}
		})
	}
}

func replace(r *http.Request, old, with string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, with, 1))
}

func TestClockSkew(t *testing.T) {
	for skew, want := range map[time.Duration]string{
		5 * time.Minute:                "",
		-5 * time.Minute:               "",
		5*time.Minute + time.Second:    "Signature expired: 20260925T002229Z is now earlier than 20260925T002230Z (20260925T002730Z - 5 min.)",
		-(5*time.Minute + time.Second): "Signature not yet current: 20260925T002730Z is still later than 20260925T002729Z (20260925T002229Z + 5 min.)",
	} {
		t.Run(skew.String(), func(t *testing.T) {
			is := is.New(t)
			h := strict(t, nil)
			id := h.deadID()
			r, err := http.NewRequest("POST", h.server.URL+"/dev/@connections/"+id, nil)
			is.NoErr(err)
			sum := sha256.Sum256(nil)
			signedAt := h.clock.Now().Add(max(0, -skew))
			is.NoErr(v4.NewSigner().SignHTTP(t.Context(), key, r, hex.EncodeToString(sum[:]), "execute-api", "us-east-1", signedAt))
			h.clock.Advance(max(0, skew))
			a := h.do(r)
			if want == "" {
				is.Equal(a.status, 410)
				return
			}
			is.Equal(a.status, 403)
			is.Equal(a.body, `{"message":"`+want+`"}`)
		})
	}
}

func TestAccessDenied(t *testing.T) {
	is := is.New(t)
	asked := make(chan []string, 1)
	h := strict(t, func(principal, action, resource string) bool {
		asked <- []string{principal, action, resource}
		return false
	})
	_, id := h.open("/dev")
	a := h.do(h.signed("POST", "/other/@connections/"+id, "x", nil))
	is.Equal(a.status, 403)
	is.Equal(a.header.Get("X-Amzn-Errortype"), "AccessDeniedException")
	is.Equal(a.body, `{"Message":"User: `+role+` is not authorized to perform: execute-api:ManageConnections on resource: `+
		`arn:aws:execute-api:us-east-1:********9012:`+apiID+`/other/POST/@connections/{connectionId} `+
		`because no identity-based policy allows the execute-api:ManageConnections action"}`)
	is.Equal(<-asked, []string{role, "execute-api:ManageConnections",
		"arn:aws:execute-api:us-east-1:" + account + ":" + apiID + "/other/POST/@connections/{connectionId}"})
}

func TestWithoutStrictAuthSignaturesAreNotJudged(t *testing.T) {
	is := is.New(t)
	h := build(t)
	_, id := h.open("/dev")
	for range 2 {
		is.Equal(h.ask("GET", "/dev/@connections/"+id, "").status, 200)
		is.Equal(h.ask("GET", "/dev/@connections/"+id, "", "Authorization", "Bearer x").status, 200)
	}
	is.Equal(len(h.warns), 2) // once for each kind
}

func TestIAMOnConnect(t *testing.T) {
	is := is.New(t)
	resources := make(chan string, 1)
	h := build(t, func(o *aws.Options, _ *gateway.Options, a *template.API) {
		o.StrictAuth = true
		o.Secret = func(id string) (string, string, bool) { return "secret", role, id == key.AccessKeyID }
		o.Allowed = func(_, action, r string) bool {
			resources <- r
			return action == "execute-api:Invoke"
		}
		a.Routes[0].IAM = true
	})
	_, a := h.dial("/dev", nil)
	is.Equal(a.status, 403)
	is.Equal(plain(a.body), `{"message": "Missing Authentication Token", "connectionId":"ID", "requestId":"REQUEST"}`)
	is.Equal(len(h.calls), 0)

	r := h.signed("GET", "/dev", "", nil)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
		r.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	is.NoErr(err)
	is.Equal(res.StatusCode, 101)
	is.NoErr(res.Body.Close())
	is.Equal(<-resources, methodARN)
}

func TestHostMustBeSigned(t *testing.T) {
	is := is.New(t)
	h := strict(t, nil)
	a := h.do(h.signed("POST", "/dev/@connections/"+h.deadID(), "", func(r *http.Request) { replace(r, "host;", "") }))
	is.Equal(a.body, `{"message":"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."}`)
}

// A path without a stage, for a connection that is gone, is judged as of the API's first stage.
func TestAccessDeniedWithoutAStage(t *testing.T) {
	is := is.New(t)
	asked := make(chan string, 1)
	h := strict(t, func(_, _, resource string) bool {
		asked <- resource
		return true
	})
	is.Equal(h.do(h.signed("POST", "/@connections/"+h.deadID(), "", nil)).status, 410)
	is.Equal(<-asked, "arn:aws:execute-api:us-east-1:"+account+":"+apiID+"/dev/POST/@connections/{connectionId}")
}
