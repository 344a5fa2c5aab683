package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/functions/config"
)

// environment sets exactly these variables, of those that the configuration reads.
func environment(t *testing.T, lines ...string) {
	for _, line := range os.Environ() {
		name, _, _ := strings.Cut(line, "=")
		if strings.HasPrefix(name, "REGCAST_") || strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "YC_") {
			t.Setenv(name, "") // remembered for the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
}

// Lambda sets the last three.
var lambda = []string{"REGCAST_TABLE=conns", "REGCAST_ENDPOINT=https://a.execute-api.eu-west-1.amazonaws.com/prod",
	"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret"}

func TestDefaults(t *testing.T) {
	is := is.New(t)
	environment(t, append(lambda, "REGCAST_FORMAT=", "REGCAST_CONCURRENCY=", "REGCAST_TTL=", "REGCAST_TIMEOUT=", "REGCAST_LOG_LEVEL=")...)
	c, err := config.Load(config.AWS, config.Broadcasts)
	is.NoErr(err)
	is.Equal(c.Endpoint, "https://a.execute-api.eu-west-1.amazonaws.com/prod")
	is.Equal(c.TableEndpoint, "") // AWS's own
	is.Equal(c.Format, "yandex")
	is.Equal([]int{c.Concurrency.N, c.Attempts.N}, []int{64, 5})
	is.Equal([]time.Duration{c.TTL.D, c.Timeout.D, c.Margin.D}, []time.Duration{130 * time.Minute, 0, 500 * time.Millisecond})
	_, err = c.Broadcast(c.Log(os.Stderr), nil)
	is.NoErr(err)

	environment(t, "REGCAST_TABLE=conns", "REGCAST_TABLE_ENDPOINT=https://docapi.example/ru-central1/b1g/etn")
	c, err = config.Load(config.Yandex, config.Broadcasts)
	is.NoErr(err)
	is.Equal(c.Region, "ru-central1")
	is.Equal(c.TTL.D, 70*time.Minute)
	_, err = c.Broadcast(c.Log(os.Stderr), nil)
	is.NoErr(err)
}

func TestSettings(t *testing.T) {
	is := is.New(t)
	environment(t, append(lambda, "REGCAST_FORMAT=cloudevents", "REGCAST_CONCURRENCY=8", "REGCAST_ATTEMPTS=2", "REGCAST_TTL=3h", "REGCAST_TIMEOUT=25s",
		"REGCAST_MARGIN=1s", "REGCAST_LOG_LEVEL=debug", "TABLE=other", "FORMAT=ecr")...) // without the prefix they are somebody else's
	c, err := config.Load(config.AWS, config.Broadcasts)
	is.NoErr(err)
	is.Equal([]string{c.Table, c.Format, c.LogLevel}, []string{"conns", "cloudevents", "debug"})
	is.Equal([]int{c.Concurrency.N, c.Attempts.N}, []int{8, 2})
	is.Equal([]time.Duration{c.TTL.D, c.Timeout.D, c.Margin.D}, []time.Duration{3 * time.Hour, 25 * time.Second, time.Second})
}

// Capture needs nothing to write to its log, and for a bucket its name.
func TestCapture(t *testing.T) {
	keys := []string{"AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret"}
	for _, test := range []struct {
		cloud config.Cloud
		env   []string
		want  string // the endpoint, or the problems
	}{
		{config.AWS, nil, "https://s3..amazonaws.com"}, // unused
		{config.AWS, append(keys, "REGCAST_BUCKET=mine", "AWS_REGION=eu-west-1"), "https://s3.eu-west-1.amazonaws.com"},
		{config.AWS, append(keys, "REGCAST_BUCKET=mine", "AWS_REGION=cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn"},
		{config.AWS, append(keys, "REGCAST_BUCKET=mine", "AWS_REGION=r", "AWS_ENDPOINT_URL=http://all", "AWS_ENDPOINT_URL_S3=http://s3"), "http://s3"},
		{config.AWS, append(keys, "REGCAST_BUCKET=mine", "AWS_REGION=r", "AWS_ENDPOINT_URL=http://all", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=1"), "https://s3.r.amazonaws.com"},
		{config.Yandex, []string{"REGCAST_BUCKET=mine"}, "https://storage.yandexcloud.net"},
		{config.Yandex, []string{"REGCAST_BUCKET=mine", "REGCAST_ENDPOINT=http://own"}, "http://own"},
		{config.AWS, []string{"REGCAST_BUCKET=s3://mine", "REGCAST_PREFIX=/a", "REGCAST_ENDPOINT=mine"}, `configuration: REGCAST_BUCKET: "s3://mine"; want a bucket's name, without s3://
REGCAST_PREFIX: "/a"; want no slash at its beginning
REGCAST_ENDPOINT (or its AWS_ENDPOINT_URL…): "mine"; want http://… or https://…
AWS_REGION: not set; Lambda sets it
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; Lambda sets them`},
		{config.Yandex, []string{"REGCAST_BUCKET=mine", "AWS_ACCESS_KEY_ID=AKID"}, "configuration: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: only one of them is set"},
	} {
		is := is.New(t)
		environment(t, test.env...)
		c, err := config.Load(test.cloud, config.Captures)
		if err != nil {
			is.Equal(err.Error(), test.want)
			continue
		}
		is.Equal(c.Endpoint, test.want)
		is.Equal(c.Prefix, "regcast/")
		var log strings.Builder
		h, err := c.Capture(&log)
		is.NoErr(err)
		if c.Bucket == "" {
			_, err = h.Invoke(t.Context(), []byte(`{"a": 1}`))
			is.NoErr(err)
			is.Equal(log.String(), "{\"a\":1}\n")
		}
	}
}

// Endpoints of the environment come in the SDKs' order.
func TestEndpoints(t *testing.T) {
	base := []string{"REGCAST_TABLE=conns", "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret"}
	for _, test := range []struct{ env, endpoint, table string }{
		{"AWS_ENDPOINT_URL=http://all", "http://all", "http://all"},
		{"AWS_ENDPOINT_URL=http://all AWS_ENDPOINT_URL_DYNAMODB=http://table AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI=http://posts/p", "http://posts/p", "http://table"},
		{"AWS_ENDPOINT_URL=http://all REGCAST_ENDPOINT=http://own/p REGCAST_TABLE_ENDPOINT=http://owntable", "http://own/p", "http://owntable"},
		{"AWS_ENDPOINT_URL=http://all AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true REGCAST_ENDPOINT=http://own/p", "http://own/p", ""},
	} {
		is := is.New(t)
		environment(t, append(base, strings.Fields(test.env)...)...)
		c, err := config.Load(config.AWS, config.Broadcasts)
		is.NoErr(err)
		is.Equal([]string{c.Endpoint, c.TableEndpoint}, []string{test.endpoint, test.table})
	}
}

// Every problem is named at once, with what would do.
func TestProblems(t *testing.T) {
	for _, test := range []struct {
		cloud config.Cloud
		role  config.Role
		env   []string
		want  []string
	}{
		{config.AWS, config.Broadcasts, nil, []string{
			"configuration: REGCAST_TABLE: not set; name the table of connections",
			"AWS_REGION: not set; Lambda sets it",
			"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; Lambda sets them",
			"REGCAST_ENDPOINT: not set; want https://{api}.execute-api.{region}.amazonaws.com/{stage}",
		}},
		{config.AWS, config.Sockets, []string{"REGCAST_TABLE=t", "AWS_REGION=r", "AWS_ACCESS_KEY_ID=a"}, []string{
			"configuration: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: only one of them is set",
		}},
		{config.Yandex, config.Broadcasts, []string{"REGCAST_FORMAT=xml", "REGCAST_LOG_LEVEL=loud", "REGCAST_CONCURRENCY=many", "REGCAST_ATTEMPTS=0",
			"REGCAST_TTL=60m", "REGCAST_TIMEOUT=30", "REGCAST_MARGIN=-1s", "REGCAST_ENDPOINT=example.org"}, []string{
			"configuration: REGCAST_TABLE: not set; name the table of connections",
			`REGCAST_FORMAT: "xml"; allowed: yandex, ecr, cloudevents`,
			`REGCAST_LOG_LEVEL: "loud"; allowed: debug, info, warn, error`,
			`REGCAST_CONCURRENCY: "many"; want a number from 1 to 1000`,
			`REGCAST_ATTEMPTS: "0"; want a number from 1 to 20`,
			`REGCAST_TTL: "60m"; want a duration over the 1h0m0s that a connection can live`,
			`REGCAST_TIMEOUT: "30"; want a duration up to 1h, such as 25s`,
			`REGCAST_MARGIN: "-1s"; want a duration from 1ms to 1m`,
			`REGCAST_ENDPOINT (or its AWS_ENDPOINT_URL…): "example.org"; want http://… or https://…`,
			"REGCAST_TABLE_ENDPOINT: not set; want the database's document_api_endpoint",
		}},
		{config.AWS, config.Sockets, append(lambda, "REGCAST_TTL=2h"), []string{
			`configuration: REGCAST_TTL: "2h"; want a duration over the 2h0m0s that a connection can live`,
		}},
	} {
		is := is.New(t)
		environment(t, test.env...)
		_, err := config.Load(test.cloud, test.role)
		is.True(err != nil)
		is.Equal(err.Error(), strings.Join(test.want, "\n"))
	}
}
