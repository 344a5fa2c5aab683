package emulator_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// SDKs from before SQS spoke JSON are told what to do, signed or not, and in a form that they read.
func TestQueryProtocolOfSQS(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, "  Work: {Type: AWS::SQS::Queue, Properties: {QueueName: work}}\n")
	form := url.Values{"Action": {"SendMessage"}, "Version": {"2012-11-05"}, "MessageBody": {"hello"}}.Encode()
	post := func(path, body string, header ...string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, em.URL()+path, strings.NewReader(body))
		is.NoErr(err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return do(t, em.Client(), r)
	}
	signature := "AWS4-HMAC-SHA256 Credential=A/20260925/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"
	for name, got := range map[string]func() (int, string){
		"to the queue":   func() (int, string) { return post("/123456789012/work", form) },
		"to the service": func() (int, string) { return post("/", form) },
		"to no queue":    func() (int, string) { return post("/123456789012/none", form) },
		"signed": func() (int, string) {
			return post("/", form, "Authorization", signature, "X-Amz-Date", "20260925T002229Z")
		},
		"by GET": func() (int, string) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, em.URL()+"/123456789012/work?"+form, nil)
			is.NoErr(err)
			return do(t, em.Client(), r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			status, body := got()
			is.Equal(status, 501)
			var refusal struct {
				Error struct{ Code, Message string }
			}
			is.NoErr(xml.Unmarshal([]byte(body), &refusal))
			is.Equal(refusal.Error.Code, "NotEmulated")
			is.True(strings.HasPrefix(refusal.Error.Message, "not emulated: sqs Query protocol; use an SDK that speaks SQS's JSON protocol ("))
		})
	}
	// What somebody else's form says is nobody's business.
	_, body := post("/", "Action=SendMessage")
	is.True(!strings.Contains(body, "not emulated"))
	_, body = post("/other", form)
	is.True(!strings.Contains(body, "not emulated"))
}

func do(t *testing.T, c *http.Client, r *http.Request) (int, string) {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}
