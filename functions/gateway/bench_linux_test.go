package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	management "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"golang.org/x/sys/unix"

	"github.com/regcast/regcast/functions/gateway"
)

const serveVariable = "REGCAST_TEST_SERVE_CONNECTIONS"

// BenchmarkPost sets three ways to post beside one another, in one process each time and with the server in another: CPU is this
// process's alone.
func BenchmarkPost(b *testing.B) {
	endpoint := serve(b) + "/prod"
	const workers = 64
	text := bytes.Repeat([]byte("x"), 700)
	transport := gateway.Transport(workers)
	client := &http.Client{Transport: transport}
	sdk := management.New(management.Options{Region: "eu-west-1", BaseEndpoint: &endpoint, Credentials: credentials(), HTTPClient: client})
	ours, err := gateway.NewAWS(gateway.AWSOptions{Endpoint: endpoint, Region: "eu-west-1", Credentials: credentials(), Transport: transport})
	if err != nil {
		b.Fatal(err)
	}
	yandex, err := gateway.NewYandex(gateway.YandexOptions{Endpoint: endpoint, Token: func(context.Context) (string, error) { return "t1.x.y", nil }, Transport: transport})
	if err != nil {
		b.Fatal(err)
	}
	message, enveloped := ours.Message(text), yandex.Message(text)
	plain := func(ctx context.Context, id string) error {
		r, err := client.Post(endpoint+"/@connections/"+id, "application/octet-stream", bytes.NewReader(text))
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, r.Body)
		return r.Body.Close()
	}
	for _, way := range []struct {
		name    string
		workers int
		post    func(ctx context.Context, id string) error
	}{
		{"loop", 1, plain},
		{"plain", workers, plain},
		{"sdk", workers, func(ctx context.Context, id string) error {
			_, err := sdk.PostToConnection(ctx, &management.PostToConnectionInput{ConnectionId: &id, Data: text})
			return err
		}},
		{"aws", workers, func(ctx context.Context, id string) error { return ours.Post(ctx, id, message) }},
		{"yandex", workers, func(ctx context.Context, id string) error { return yandex.Post(ctx, id, enveloped) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpu(b)
			next := make(chan int)
			var group sync.WaitGroup
			for range way.workers {
				group.Go(func() {
					for i := range next {
						if err := way.post(b.Context(), fmt.Sprintf("gbgHN0-z%07dEA==", i)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for i := range b.N {
				next <- i
			}
			close(next)
			group.Wait()
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

func cpu(t testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serve starts this test's executable again, as an endpoint that takes every post.
func serve(t testing.TB) string {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), serveVariable+"=1")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // its sign to end
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func serveIfTold() bool {
	if os.Getenv(serveVariable) == "" {
		return false
	}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer s.Close()
	fmt.Println(s.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return true
}
