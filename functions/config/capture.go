package config

import (
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"

	"github.com/regcast/regcast/functions/capture"
	"github.com/regcast/regcast/functions/gateway"
)

// captureDefaults sets where objects go: the cloud's own storage, unless an endpoint is set.
func (c *Config) captureDefaults() {
	c.Endpoint = firstOf(c.Endpoint, c.EndpointURLBucket, c.EndpointURL)
	if c.cloud == Yandex {
		c.Region = firstOf(c.Region, "ru-central1")
		c.Endpoint = firstOf(c.Endpoint, "https://storage.yandexcloud.net")
		return
	}
	suffix := "amazonaws.com"
	if strings.HasPrefix(c.Region, "cn-") {
		suffix += ".cn"
	}
	c.Endpoint = firstOf(c.Endpoint, "https://s3."+c.Region+"."+suffix)
}

// captureProblems is what stands against capturing. To the log nothing does.
func (c *Config) captureProblems() []error {
	if c.Bucket == "" {
		return nil
	}
	var found []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			found = append(found, fmt.Errorf(format, args...))
		}
	}
	name := regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	add(!name.MatchString(c.Bucket), "REGCAST_BUCKET: %q; want a bucket's name, without s3://", c.Bucket)
	add(strings.HasPrefix(c.Prefix, "/"), "REGCAST_PREFIX: %q; want no slash at its beginning", c.Prefix)
	u, err := url.Parse(c.Endpoint)
	add(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https",
		"REGCAST_ENDPOINT (or its AWS_ENDPOINT_URL…): %q; want http://… or https://…", c.Endpoint)
	add((c.AccessKeyID == "") != (c.SecretAccessKey == ""), "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: only one of them is set")
	if c.cloud == AWS {
		add(c.Region == "", "AWS_REGION: not set; Lambda sets it")
		add(c.AccessKeyID == "" && c.SecretAccessKey == "", "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; Lambda sets them")
	}
	return found
}

// Capture makes the handler that keeps events in the bucket, or without one writes them to out.
func (c *Config) Capture(out io.Writer) (*capture.Capture, error) {
	if c.Bucket == "" {
		return capture.New(capture.To(out)), nil
	}
	put, err := capture.Into(capture.BucketOptions{Endpoint: c.Endpoint, Bucket: c.Bucket, Prefix: c.Prefix, Region: c.Region,
		Credentials: c.credentials(), Token: c.token(), Transport: gateway.Transport(1)})
	if err != nil {
		return nil, err
	}
	return capture.New(put), nil
}
