// Package config reads the functions' configuration from the environment and builds from it what they are made of.
package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/kelseyhightower/envconfig"

	"github.com/regcast/regcast/functions/broadcast"
)

// Config is the whole configuration of every function. The environment variable stands at the end of each field's comment.
//
// Endpoints follow the SDKs: REGCAST_ENDPOINT and REGCAST_TABLE_ENDPOINT win, then AWS_ENDPOINT_URL_<service>, then AWS_ENDPOINT_URL,
// unless AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true.
type Config struct {
	Table         string `split_words:"true"` // table of connections: REGCAST_TABLE, required
	TableEndpoint string `split_words:"true"` // its endpoint; needed for YDB's Document API, with the path: REGCAST_TABLE_ENDPOINT
	// Endpoint is where to post. AWS: https://{api}.execute-api.{region}.amazonaws.com/{stage}, required by broadcast. Yandex:
	// ConnectionService, the cloud's own by default. Of capture: the object storage, the cloud's own by default. REGCAST_ENDPOINT
	Endpoint    string `split_words:"true"`
	Region      string `envconfig:"AWS_REGION"` // to sign for; ru-central1 by default on Yandex: AWS_REGION, set by Lambda
	Format      string `split_words:"true"`     // of what clients receive, yandex (default), ecr or cloudevents: REGCAST_FORMAT
	Concurrency Count  `split_words:"true"`     // posts at a time, 1 to 1000, 64 by default: REGCAST_CONCURRENCY
	Attempts    Count  `split_words:"true"`     // posts of one message while the gateway is busy, 1 to 20, 5 by default: REGCAST_ATTEMPTS
	TTL         Span   `split_words:"true"`     // of rows; 2h10m by default on AWS, 70m on Yandex: REGCAST_TTL
	Timeout     Span   `split_words:"true"`     // of one batch where the platform tells no deadline (Yandex): REGCAST_TIMEOUT
	Margin      Span   `split_words:"true"`     // left before the deadline for the answer, 500ms by default: REGCAST_MARGIN
	LogLevel    string `split_words:"true"`     // debug, info (default), warn or error: REGCAST_LOG_LEVEL
	Bucket      string `split_words:"true"`     // where capture keeps events, if not in its log: REGCAST_BUCKET
	Prefix      string `split_words:"true"`     // of the objects' keys there, regcast/ by default: REGCAST_PREFIX
	Token       string `split_words:"true"`     // IAM token instead of the metadata service's (Yandex): REGCAST_TOKEN

	MetadataAddr    string `envconfig:"YC_METADATA_ADDR"`      // host of the metadata service (Yandex): YC_METADATA_ADDR
	AccessKeyID     string `envconfig:"AWS_ACCESS_KEY_ID"`     // set by Lambda; a static key for the table on Yandex: AWS_ACCESS_KEY_ID
	SecretAccessKey string `envconfig:"AWS_SECRET_ACCESS_KEY"` // AWS_SECRET_ACCESS_KEY
	SessionToken    string `envconfig:"AWS_SESSION_TOKEN"`     // AWS_SESSION_TOKEN

	EndpointURL        string `envconfig:"AWS_ENDPOINT_URL"`
	EndpointURLTable   string `envconfig:"AWS_ENDPOINT_URL_DYNAMODB"`
	EndpointURLGateway string `envconfig:"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"`
	EndpointURLBucket  string `envconfig:"AWS_ENDPOINT_URL_S3"`
	IgnoreEndpointURLs string `envconfig:"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"`
	cloud              Cloud
}

// Cloud is where the function runs.
type Cloud string

// The clouds.
const (
	AWS    Cloud = "aws"
	Yandex Cloud = "yandex"
)

// Role is what a function does, for what its configuration must have.
type Role int

// The roles.
const (
	Sockets    Role = iota // connect, disconnect, default
	Broadcasts             // posts to connections
	Captures               // keeps events
)

// Load reads the environment. The error names every problem in it.
func Load(cloud Cloud, role Role) (*Config, error) {
	c := &Config{cloud: cloud}
	if err := envconfig.Process("REGCAST", c); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c.defaults(role)
	if err := errors.Join(c.problems(role)...); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

func (c *Config) defaults(role Role) {
	if ignore, _ := strconv.ParseBool(c.IgnoreEndpointURLs); ignore { // as the SDKs: what is no boolean is false
		c.EndpointURL, c.EndpointURLTable, c.EndpointURLGateway, c.EndpointURLBucket = "", "", "", ""
	}
	c.Prefix = firstOf(c.Prefix, "regcast/")
	if role == Captures {
		c.captureDefaults()
		return
	}
	c.TableEndpoint = firstOf(c.TableEndpoint, c.EndpointURLTable, c.EndpointURL)
	c.Format = firstOf(c.Format, string(broadcast.Yandex))
	c.LogLevel = firstOf(c.LogLevel, "info")
	c.Concurrency.or(64)
	c.Attempts.or(5)
	c.Margin.or(500 * time.Millisecond)
	switch c.cloud {
	case AWS:
		c.Endpoint = firstOf(c.Endpoint, c.EndpointURLGateway, c.EndpointURL)
		c.TTL.or(2*time.Hour + 10*time.Minute)
	case Yandex:
		c.Region = firstOf(c.Region, "ru-central1")
		c.TTL.or(70 * time.Minute)
	}
}

func (c *Config) problems(role Role) []error {
	if role == Captures {
		return c.captureProblems()
	}
	var found []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			found = append(found, fmt.Errorf(format, args...))
		}
	}
	add(c.Table == "", "REGCAST_TABLE: not set; name the table of connections")
	add(c.Region == "", "AWS_REGION: not set; Lambda sets it")
	add(!slices.Contains(broadcast.Formats(), broadcast.Format(c.Format)), "REGCAST_FORMAT: %q; allowed: yandex, ecr, cloudevents", c.Format)
	var level slog.Level
	add(level.UnmarshalText([]byte(c.LogLevel)) != nil, "REGCAST_LOG_LEVEL: %q; allowed: debug, info, warn, error", c.LogLevel)
	add(c.Concurrency.outside(1, 1000), "REGCAST_CONCURRENCY: %q; want a number from 1 to 1000", c.Concurrency.text)
	add(c.Attempts.outside(1, 20), "REGCAST_ATTEMPTS: %q; want a number from 1 to 20", c.Attempts.text)
	life := map[Cloud]time.Duration{AWS: 2 * time.Hour, Yandex: time.Hour}[c.cloud]
	add(c.TTL.outside(life+1, 365*24*time.Hour), "REGCAST_TTL: %q; want a duration over the %v that a connection can live", c.TTL.text, life)
	add(c.Timeout.outside(0, time.Hour), "REGCAST_TIMEOUT: %q; want a duration up to 1h, such as 25s", c.Timeout.text)
	add(c.Margin.outside(time.Millisecond, time.Minute), "REGCAST_MARGIN: %q; want a duration from 1ms to 1m", c.Margin.text)
	add((c.AccessKeyID == "") != (c.SecretAccessKey == ""), "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: only one of them is set")
	for _, e := range []struct{ name, url string }{{"REGCAST_TABLE_ENDPOINT", c.TableEndpoint}, {"REGCAST_ENDPOINT", c.Endpoint}} {
		u, err := url.Parse(e.url)
		add(e.url != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https"),
			"%s (or its AWS_ENDPOINT_URL…): %q; want http://… or https://…", e.name, e.url)
	}
	switch c.cloud {
	case AWS:
		add(c.AccessKeyID == "" && c.SecretAccessKey == "", "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; Lambda sets them")
		add(role == Broadcasts && c.Endpoint == "",
			"REGCAST_ENDPOINT: not set; want https://{api}.execute-api.{region}.amazonaws.com/{stage}")
	case Yandex:
		add(c.TableEndpoint == "", "REGCAST_TABLE_ENDPOINT: not set; want the database's document_api_endpoint")
	}
	return found
}

// Log writes JSON lines to w.
func (c *Config) Log(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // checked by Load
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Count is a number. What is none is a problem for Load to name with the others, where envconfig would stop at the first.
type Count struct {
	N    int
	text string
	bad  bool
}

// Decode is envconfig's.
func (c *Count) Decode(text string) error {
	n, err := strconv.Atoi(text)
	*c = Count{n, text, err != nil && text != ""}
	return nil
}

// or sets what is not set. What is set to nothing, as a template's parameter may be, counts as that.
func (c *Count) or(n int) {
	if c.text == "" {
		c.N = n
	}
}

func (c Count) outside(low, high int) bool { return c.bad || c.N < low || c.N > high }

// Span is a duration, read as a Count is.
type Span struct {
	D    time.Duration
	text string
	bad  bool
}

// Decode is envconfig's.
func (s *Span) Decode(text string) error {
	d, err := time.ParseDuration(text)
	*s = Span{d, text, err != nil && text != ""}
	return nil
}

func (s *Span) or(d time.Duration) {
	if s.text == "" {
		s.D = d
	}
}

func (s Span) outside(low, high time.Duration) bool { return s.bad || s.D < low || s.D > high }
