package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// AWS posts through API Gateway's @connections, signed with the SDK's SigV4. The SDK's own client for it would do the same for more
// CPU and memory a post than the posting itself: docs/adr/0014-signed-posts.md.
type AWS struct {
	base        *url.URL
	region      string
	credentials aws.CredentialsProvider
	transport   http.RoundTripper
	now         func() time.Time
	signer      *v4.Signer
}

// AWSOptions say where and as whom to post.
type AWSOptions struct {
	Endpoint    string // https://{api}.execute-api.{region}.amazonaws.com/{stage}, or what stands for it
	Region      string
	Credentials aws.CredentialsProvider
	Transport   http.RoundTripper
	Now         func() time.Time // nil: time.Now
}

// NewAWS makes an AWS. It makes no request.
func NewAWS(o AWSOptions) (*AWS, error) {
	u, err := base(o.Endpoint)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &AWS{u, o.Region, o.Credentials, o.Transport, o.Now, v4.NewSigner()}, nil
}

// Message makes text ready.
func (g *AWS) Message(text []byte) Message {
	sum := sha256.Sum256(text)
	return Message{text, hex.EncodeToString(sum[:])}
}

// Post sends m to a connection.
func (g *AWS) Post(ctx context.Context, connection string, m Message) error {
	credentials, err := g.credentials.Retrieve(ctx)
	if err != nil {
		return &Error{Text: err.Error(), Kind: ErrRefused}
	}
	r := &http.Request{Method: http.MethodPost, URL: under(g.base, "/@connections/", connection, ""), Host: g.base.Host, Header: make(http.Header, 5),
		ContentLength: int64(len(m.body)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	r.Header["Content-Type"] = []string{"application/octet-stream"}
	if err := g.signer.SignHTTP(ctx, credentials, r, m.hash, "execute-api", g.region, g.now()); err != nil {
		return &Error{Text: err.Error(), Kind: ErrRefused}
	}
	return post(ctx, g.transport, r, m.body, judgeAWS)
}

// judgeAWS knows the wire: a 410 and a 413 have no body, and an id that cannot be decoded is a 400.
func judgeAWS(status int, header http.Header, body []byte) error {
	var said struct{ Message string }
	_ = json.Unmarshal(body, &said) // "message" and "Message" are met; no JSON, no message
	code, _, _ := strings.Cut(header.Get("X-Amzn-Errortype"), ":")
	e := &Error{Status: status, Code: code, Text: said.Message, Kind: kind(status)}
	switch {
	case code == "GoneException", status == http.StatusBadRequest && strings.Contains(said.Message, "Invalid connectionId"):
		e.Kind = ErrGone
	case code == "PayloadTooLargeException":
		e.Kind = ErrRejected
	case code == "LimitExceededException":
		e.Kind = ErrBusy
	}
	return e
}

// under is the URL base + path + id + verb, with id as one escaped segment. Every = of an id goes as %3D, as the SDKs send it.
func under(base *url.URL, path, id, verb string) *url.URL {
	u := *base
	u.Path = base.Path + path + id + verb
	u.RawPath = base.EscapedPath() + path + strings.ReplaceAll(url.PathEscape(id), "=", "%3D") + verb
	return &u
}
