package broadcast_test

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
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sys/unix"

	"github.com/regcast/regcast/functions/broadcast"
	"github.com/regcast/regcast/functions/gateway"
	"github.com/regcast/regcast/functions/store"
)

const (
	connections = 10_000
	atOnce      = 64
)

// BenchmarkFanOut sends one batch of three events to 10,000 connections, beside plain loops of http.Client posts of the same bytes: one
// after another, and as many at once as the broadcast does. The endpoint is another process, so that CPU is the sender's alone.
func BenchmarkFanOut(b *testing.B) {
	endpoint := serve(b)
	batch := []byte(messages(message("e1", "CreateImage", "team/app", ""), message("e2", "CreateImageTag", "team/app", "v1"), message("e3", "DeleteImageTag", "team/app", "v1")))
	wishes := []string{"", "image=team%2Fapp", "image=team%2F%2A", "image=team%2Fapp&tag=v%2A"}
	r := &rows{}
	for i := range connections {
		r.connections = append(r.connections, store.Connection{ID: fmt.Sprintf("gbgHN0-z%07dEA==", i), Wish: wishes[i%3], Since: start})
	}
	transport := gateway.Transport(atOnce)
	onAWS, err := gateway.NewAWS(gateway.AWSOptions{Endpoint: endpoint + "/prod", Region: "eu-west-1", Transport: transport,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: strings.Repeat("token", 100)}, nil
		})})
	if err != nil {
		b.Fatal(err)
	}
	onYandex, err := gateway.NewYandex(gateway.YandexOptions{Endpoint: endpoint, Transport: transport,
		Token: func(context.Context) (string, error) { return "t1." + strings.Repeat("token", 40), nil }})
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	loop := func(b *testing.B, workers int) {
		var group sync.WaitGroup
		queue := make(chan store.Connection)
		for range workers {
			group.Go(func() {
				for c := range queue {
					response, err := client.Post(endpoint+"/prod/@connections/"+c.ID, "application/octet-stream", bytes.NewReader(batch))
					if err != nil {
						b.Error(err)
						continue
					}
					_, _ = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
			})
		}
		for _, c := range r.connections {
			queue <- c
		}
		close(queue)
		group.Wait()
	}
	invoke := func(b *testing.B, g broadcast.Gateway) {
		handler := broadcast.New(broadcast.Options{Store: r, Gateway: g, Concurrency: atOnce})
		answer, err := handler.Invoke(b.Context(), batch)
		if err != nil || !strings.Contains(string(answer), fmt.Sprintf(`"posts":%d,`, connections)) {
			b.Fatal(string(answer), err)
		}
	}
	var one, many float64 // µs of CPU a post of the loops
	for _, way := range []struct {
		name string
		once func(*testing.B)
		cost *float64
	}{
		{"loop", func(b *testing.B) { loop(b, 1) }, &one},
		{"loop-64-at-once", func(b *testing.B) { loop(b, atOnce) }, &many},
		{"aws", func(b *testing.B) { invoke(b, onAWS) }, new(float64)},
		{"yandex", func(b *testing.B) { invoke(b, onYandex) }, new(float64)},
	} {
		b.Run(way.name, func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			spent := cpu(b)
			for range b.N {
				way.once(b)
			}
			spent = cpu(b) - spent
			runtime.ReadMemStats(&after)
			posts := float64(b.N * connections)
			*way.cost = float64(spent.Nanoseconds()) / 1000 / posts
			b.ReportMetric(posts/b.Elapsed().Seconds(), "posts/s")
			b.ReportMetric(*way.cost, "cpu-µs/post")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/posts, "B/post")
			b.ReportMetric(*way.cost/one, "×loop")
			b.ReportMetric(*way.cost/max(many, 1), "×loop-64")
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

const serveVariable = "REGCAST_TEST_SERVE_CONNECTIONS"

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
