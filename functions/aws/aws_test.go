package aws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/functions/aws"
	"github.com/regcast/regcast/functions/socket"
)

const mainVariable = "REGCAST_TEST_MAIN"

// The test's executable is the functions' too.
func TestMain(m *testing.M) {
	mains := map[string]func() error{
		"connect":    func() error { return aws.ServeSocket((*socket.Handler).Connect) },
		"disconnect": func() error { return aws.ServeSocket((*socket.Handler).Disconnect) },
		"default":    func() error { return aws.ServeSocket((*socket.Handler).Message) },
		"broadcast":  aws.ServeBroadcast,
		"capture":    aws.ServeCapture,
	}
	if serve, ok := mains[os.Getenv(mainVariable)]; ok {
		log.Fatal(serve())
	}
	os.Exit(m.Run())
}

// runtime is Lambda's runtime API for one process that is asked one thing at a time.
type runtime struct {
	url     string
	waiting chan struct{} // the process has asked for work
	event   chan string
	answer  chan string
	over    chan struct{}
}

func newRuntime(t testing.TB) *runtime {
	r := &runtime{waiting: make(chan struct{}, 1), event: make(chan string), answer: make(chan string), over: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, q *http.Request) {
		select {
		case r.waiting <- struct{}{}:
		default:
		}
		select {
		case event := <-r.event:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "req-1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(30*time.Second).UnixMilli(), 10))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:f")
			_, _ = io.WriteString(w, event)
		case <-r.over:
			w.WriteHeader(http.StatusGone)
		case <-q.Context().Done():
		}
	})
	answer := func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		w.WriteHeader(http.StatusAccepted)
		select {
		case r.answer <- string(body):
		case <-r.over:
		}
	}
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/req-1/response", answer)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/req-1/error", answer)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	r.url = strings.TrimPrefix(s.URL, "http://")
	return r
}

// start starts a function with nothing in its environment but this.
func (r *runtime) start(t testing.TB, path string, env ...string) {
	t.Helper()
	c := exec.Command(path)
	c.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+r.url, "REGCAST_TABLE=conns", "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKID",
		"AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token", "SYSTEMROOT="+os.Getenv("SYSTEMROOT"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(r.over)
		_ = c.Process.Kill()
		_ = c.Wait()
	})
}

func (r *runtime) invoke(t *testing.T, event string) string {
	t.Helper()
	<-r.waiting
	r.event <- event
	return <-r.answer
}

// cloud is a table and an @connections that know one connection.
type cloud struct {
	url  string
	mu   sync.Mutex
	did  []string
	told string
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		target := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
		if target == "" {
			c.did, c.told = append(c.did, r.Method+" "+r.URL.Path), string(body)
			return
		}
		c.did = append(c.did, target)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		switch target {
		case "Query":
			items := `[]`
			if strings.Contains(string(body), `"patterns"`) {
				items = `[{"sk":{"S":"one=="},"wish":{"S":""},"since":{"N":"1"}}]`
			}
			fmt.Fprintf(w, `{"Items":%s}`, items)
		case "GetItem":
			_, _ = io.WriteString(w, `{"Item":{"wish":{"S":""}}}`)
		default:
			_, _ = io.WriteString(w, `{}`)
		}
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

// Each executable, as Lambda runs it: through the runtime API, with endpoints from the environment.
func TestFunctions(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	event := func(kind, body string) string {
		text, _ := json.Marshal(body)
		return fmt.Sprintf(`{"requestContext":{"eventType":%q,"connectionId":"one=="},"body":%s}`, kind, text)
	}
	push := `{"version":"0","id":"e1","detail-type":"ECR Image Action","source":"aws.ecr","account":"123456789012","time":"2026-09-25T01:02:03Z",` +
		`"region":"eu-west-1","resources":[],"detail":{"result":"SUCCESS","repository-name":"a","image-digest":"sha256:ab","action-type":"PUSH","image-tag":"v1"}}`
	body, _ := json.Marshal(push)
	for _, test := range []struct {
		main, event, want string
		did               []string
	}{
		{"connect", event("CONNECT", ""), `{"statusCode":200}`, []string{"BatchWriteItem"}},
		{"disconnect", event("DISCONNECT", ""), `{"statusCode":200}`, []string{"GetItem", "BatchWriteItem"}},
		{"default", event("MESSAGE", "ping"), `{"statusCode":200,"headers":{"Content-Type":"text/plain"},"body":"pong"}`, nil},
		{"broadcast", `{"Records":[{"messageId":"m1","eventSource":"aws:sqs","body":` + string(body) + `}]}`, `{"batchItemFailures":[]}`,
			[]string{"Query", "Query", "POST /@connections/one=="}},
		{"capture", `{"a": 1}`, `{"captured":1}`, []string{"PUT /mine/regcast/"}},
		{"broadcast", `{"a":1}`, `{"errorMessage":"batch: an object with the keys \"a\": want messages (a Yandex trigger's batch), detail-type (an event of EventBridge) ` +
			`or Records (a batch of SQS)","errorType":`, nil},
	} {
		t.Run(test.main, func(t *testing.T) {
			is := is.New(t)
			r, c := newRuntime(t), newCloud(t)
			r.start(t, self, mainVariable+"="+test.main, "AWS_ENDPOINT_URL="+c.url, "REGCAST_BUCKET=mine")
			got := r.invoke(t, test.event)
			is.Equal(got[:min(len(got), len(test.want))], test.want) // an error goes on with its type in Go's words
			for i := range min(len(c.did), len(test.did)) {          // an object's key goes on with the time
				c.did[i] = c.did[i][:min(len(c.did[i]), len(test.did[i]))]
			}
			is.Equal(c.did, test.did)
			if test.main == "broadcast" && test.did != nil {
				is.True(strings.Contains(c.told, `"event_id":"e1"`))
			}
		})
	}
}

// A function that is not configured says all that is missing and ends, which Lambda shows as an init error.
func TestNotConfigured(t *testing.T) {
	is := is.New(t)
	self, err := os.Executable()
	is.NoErr(err)
	c := exec.CommandContext(t.Context(), self)
	c.Env = []string{mainVariable + "=broadcast", "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")}
	said, err := c.CombinedOutput()
	is.True(err != nil)
	for _, want := range []string{"REGCAST_TABLE: not set", "AWS_REGION: not set", "REGCAST_ENDPOINT: not set"} {
		is.True(strings.Contains(string(said), want))
	}
}

// BenchmarkInit builds each executable as it is deployed and measures from its start to its first question for work.
func BenchmarkInit(b *testing.B) {
	for _, name := range []string{"connect", "disconnect", "default", "broadcast", "capture"} {
		b.Run(name, func(b *testing.B) {
			path := b.TempDir() + "/bootstrap"
			build := exec.CommandContext(context.Background(), "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", path, "./"+name)
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				b.Fatal(string(out))
			}
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			var took time.Duration
			for range b.N {
				r := newRuntime(b)
				began := time.Now()
				r.start(b, path, "REGCAST_ENDPOINT=http://127.0.0.1:1")
				<-r.waiting
				took += time.Since(began)
			}
			b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "init-ms")
			b.ReportMetric(float64(info.Size())/1e6, "MB")
		})
	}
}
