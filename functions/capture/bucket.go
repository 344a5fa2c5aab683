package capture

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// BucketOptions say where and as whom to put objects.
type BucketOptions struct {
	Endpoint string // https://s3.{region}.amazonaws.com, or what stands for it
	Bucket   string
	Prefix   string // of keys: "regcast/"
	Region   string // to sign for
	// Credentials sign the requests; without them Token's is sent, as Yandex Object Storage takes it.
	Credentials aws.CredentialsProvider
	Token       func(context.Context) (string, error)
	Transport   http.RoundTripper
	Now         func() time.Time // nil: time.Now
}

// bucket puts each batch as an object. It does so by hand because the S3 client weighs more than all the rest: docs/adr/0024-capture.md.
type bucket struct {
	BucketOptions
	base   *url.URL
	signer *v4.Signer
}

// Into is a Put that makes an object of each batch. Keys sort by time, and are all different:
// {prefix}2026-03-04/05-06-07.000000008-0123456789abcdef.jsonl.
func Into(o BucketOptions) (Put, error) {
	base, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("bucket: endpoint: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &bucket{o, base, v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })} // S3 signs a path as it is sent
	return b.put, nil
}

func (b *bucket) key(at time.Time) string {
	var unique [8]byte
	_, _ = rand.Read(unique[:]) // never fails
	return b.Prefix + at.UTC().Format("2006-01-02/15-04-05.000000000-") + hex.EncodeToString(unique[:]) + ".jsonl"
}

func (b *bucket) put(ctx context.Context, lines []byte) error {
	now := b.Now()
	u := b.base.JoinPath(b.Bucket, b.key(now))
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), bytes.NewReader(lines))
	if err != nil {
		return fmt.Errorf("bucket: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	if err := b.sign(ctx, r, lines, now); err != nil {
		return fmt.Errorf("bucket: PUT %s: %w", u, err)
	}
	response, err := b.Transport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("bucket: PUT %s: %w", u, err)
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // what came of it is what there is to say
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("bucket: PUT %s: %s: %w", u, response.Status, reason(said))
	}
	return nil
}

func (b *bucket) sign(ctx context.Context, r *http.Request, lines []byte, now time.Time) error {
	if b.Credentials == nil {
		token, err := b.Token(ctx)
		if err != nil {
			return err
		}
		r.Header.Set("X-YaCloud-SubjectToken", token)
		return nil
	}
	credentials, err := b.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(lines)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	return b.signer.SignHTTP(ctx, credentials, r, hash, "s3", b.Region, now)
}

// reason is what an answer says, which is XML: <Error><Code>…</Code><Message>…</Message>. encoding/xml would be its only reader here.
func reason(body []byte) error {
	part := func(name string) string {
		_, rest, _ := strings.Cut(string(body), "<"+name+">")
		text, _, found := strings.Cut(rest, "</"+name+">")
		if !found {
			return ""
		}
		return text
	}
	if code := part("Code"); code != "" {
		return fmt.Errorf("%s: %s", code, part("Message"))
	}
	return errors.New(strings.TrimSpace(string(body)))
}
