package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// defaultURL is where `regcast up` listens when nobody says otherwise.
const defaultURL = "http://127.0.0.1:8080"

// client talks to a running emulator.
type client struct{ base string }

// urlFlag adds --url to a client command and returns what finds the emulator: --url, then REGCAST_URL, then the default.
func urlFlag(c *cobra.Command, env environment) func() (client, error) {
	var flag string
	c.Flags().StringVar(&flag, "url", "", "the emulator's `URL` (default $REGCAST_URL, then "+defaultURL+")")
	return func() (client, error) { return findClient(flag, env) }
}

func findClient(flag string, env environment) (client, error) {
	base, from := flag, "--url"
	if base == "" {
		base, from = env.getenv("REGCAST_URL"), "REGCAST_URL"
	}
	if base == "" {
		base = defaultURL
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return client{}, usageError("%s: got %q, want a URL such as %s", from, base, defaultURL)
	}
	return client{strings.TrimRight(base, "/")}, nil
}

// refusal is an answer other than 2xx, in the emulator's words.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

// do sends a request and returns the answer with its body open. Answers other than 2xx are errors in the emulator's words.
func (c client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return c.send(req)
}

func (c client) send(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if connRefused(err) {
			return nil, errors.New(nobodyAt(c.base))
		}
		return nil, err
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	var told struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &told) != nil || told.Error == "" {
		return nil, fmt.Errorf("%s answered %s: is it a regcast?", req.URL, res.Status)
	}
	return nil, refusal{res.StatusCode, told.Error}
}

// Windows has its own numbers, which the syscall package of other systems has no names for.
const (
	wsaAddrInUse   = syscall.Errno(10048)
	wsaConnRefused = syscall.Errno(10061)
)

func connRefused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || runtime.GOOS == "windows" && errors.Is(err, wsaConnRefused)
}

func addrInUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || runtime.GOOS == "windows" && errors.Is(err, wsaAddrInUse)
}

func nobodyAt(url string) string {
	return fmt.Sprintf("nothing listens at %s; start `regcast up`, or point --url or REGCAST_URL at a running one", url)
}
