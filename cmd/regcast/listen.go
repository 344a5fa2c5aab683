package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/spf13/cobra"

	"github.com/regcast/regcast/events/yandex"
)

const (
	// messageLimit is far above the 128 KB that either cloud sends.
	messageLimit = 4 << 20
	// retryFirst and retryMost bound the wait between attempts to reconnect.
	retryFirst = 100 * time.Millisecond
	retryMost  = 10 * time.Second
	// pingEvery is well below the ten minutes of silence that the gateways allow.
	pingEvery = 4 * time.Minute
)

func newListen(env environment) *cobra.Command {
	l := listener{}
	c := &cobra.Command{
		Use:   "listen [URL]",
		Short: "Print every frame that a WebSocket receives",
		Long: `Connect to a WebSocket and print what it receives, reconnecting when the connection ends; what is sent meanwhile is lost, as with
any client of the cloud.
The URL defaults to path /ws of the emulator's default gateway; it may be any ws:// or wss:// URL, also of the real cloud.
Ends with exit code 3 when --timeout passes before --count messages have come.`,
		Example: `  regcast listen
  regcast listen ws://localhost:8080/ws --json --count 2 --timeout 10s
  regcast listen wss://d5d….apigw.yandexcloud.net/ws`,
		Args: cobra.MaximumNArgs(1),
	}
	find := urlFlag(c, env)
	var timeout time.Duration
	var headers []string
	c.Flags().BoolVar(&l.json, "json", false, "print each message as it came, one a line")
	c.Flags().IntVarP(&l.count, "count", "n", 0, "end after `N` messages")
	c.Flags().DurationVar(&timeout, "timeout", 0, "end after this `DURATION`")
	c.Flags().StringArrayVarP(&headers, "header", "H", nil, "send a `'Name: value'` with the handshake (repeatable)")
	c.Flags().BoolVar(&l.once, "no-reconnect", false, "end when the connection ends")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		regcast, err := find()
		if err != nil {
			return err
		}
		if l.url, err = socketURL(regcast, args); err != nil {
			return err
		}
		if l.header, err = parseHeaders(headers); err != nil {
			return err
		}
		if l.count < 0 || timeout < 0 {
			return usageError("listen: --count and --timeout want positive values")
		}
		l.out, l.news = cmd.OutOrStdout(), cmd.ErrOrStderr()
		ctx := cmd.Context()
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		err = l.run(ctx)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil {
			if l.count == 0 {
				return nil // without a count, the timeout is how long to listen
			}
			return exitError{exitTimeout, fmt.Errorf("listen: got %d of %s in %s", l.got, plural(l.count, "message"), timeout)}
		}
		return err
	}
	return c
}

func socketURL(regcast client, args []string) (string, error) {
	if len(args) == 0 {
		return "ws" + strings.TrimPrefix(regcast.base, "http") + "/ws", nil
	}
	u, err := url.Parse(args[0])
	if err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return "", usageError("listen: URL: got %q, want ws:// or wss://, a host and a path", args[0])
	}
	return args[0], nil
}

func parseHeaders(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, usageError("listen: --header: got %q, want 'Name: value'", line)
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h, nil
}

// listener prints the messages of one URL over as many connections as it takes.
type listener struct {
	url    string
	header http.Header
	json   bool
	once   bool
	count  int // 0: no end
	got    int
	out    io.Writer // messages
	news   io.Writer // what happens to the connection
}

// run returns nil when count messages have come, and otherwise why it cannot go on.
func (l *listener) run(ctx context.Context) error {
	wait := retryFirst
	for first := true; ; first = false {
		conn, res, err := websocket.Dial(ctx, l.url, &websocket.DialOptions{HTTPHeader: l.header, HTTPClient: socketClient()})
		switch {
		case err == nil:
			wait = retryFirst
			fmt.Fprintf(l.news, "connected to %s as %s\n", l.url, cmp.Or(res.Header.Get("X-Yc-Apigateway-Websocket-Connection-Id"), "a client"))
			conn.SetReadLimit(messageLimit)
			if err = l.read(ctx, conn); err == nil {
				_ = conn.Close(websocket.StatusNormalClosure, "") // all is received, whatever the other side says to this
				return nil
			}
			_ = conn.CloseNow()
		case res != nil && res.StatusCode/100 == 4 && res.StatusCode != http.StatusTooManyRequests:
			return refused(l.url, res) // asking again would not help
		case first && connRefused(err):
			return fmt.Errorf("listen: %s", nobodyAt(l.url))
		case first && ctx.Err() == nil:
			return fmt.Errorf("listen: %w", err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if l.once {
			return fmt.Errorf("listen: %w", err)
		}
		pause := wait/2 + rand.N(wait/2+1)
		fmt.Fprintf(l.news, "disconnected (%s); next try in %s\n", closeReason(err), pause.Round(time.Millisecond))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, retryMost)
	}
}

// socketClient knows that every name under localhost is this machine (RFC 6761), which not every resolver does.
func socketClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(addr); err == nil && strings.HasSuffix(host, ".localhost") {
			addr = net.JoinHostPort("localhost", port)
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	return &http.Client{Transport: transport}
}

func (l *listener) read(ctx context.Context, conn *websocket.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	pinged := make(chan struct{})
	go func() {
		defer close(pinged)
		keepAlive(ctx, conn)
	}()
	defer func() {
		cancel()
		<-pinged
	}()
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		if err := l.print(kind, data); err != nil {
			return err
		}
		if l.got++; l.got == l.count {
			return nil
		}
	}
}

// keepAlive pings now and then: a gateway closes what has been silent for ten minutes.
func keepAlive(ctx context.Context, conn *websocket.Conn) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if conn.Ping(ctx) != nil {
				return // the reader finds out why
			}
		case <-ctx.Done():
			return
		}
	}
}

func (l *listener) print(kind websocket.MessageType, data []byte) error {
	if l.json {
		_, err := fmt.Fprintf(l.out, "%s\n", data)
		return err
	}
	batch, err := yandex.DecodeBatch(data)
	if kind == websocket.MessageText && err == nil && len(batch.Messages) > 0 {
		for _, m := range batch.Messages {
			if m.EventMetadata.EventID == "" { // another trigger's message
				return l.printRaw(kind, data)
			}
		}
		for _, m := range batch.Messages {
			name := m.Details.RepositoryName
			if m.Details.Tag != "" {
				name += ":" + m.Details.Tag
			}
			if _, err := fmt.Fprintf(l.out, "%s  %-16s  %s  %s  %s\n", clockTime(m.EventMetadata.CreatedAt),
				yandex.ShortType(m.EventMetadata.EventType), name, m.Details.ImageDigest, m.EventMetadata.EventID); err != nil {
				return err
			}
		}
		return nil
	}
	return l.printRaw(kind, data)
}

func (l *listener) printRaw(kind websocket.MessageType, data []byte) error {
	if kind == websocket.MessageBinary {
		_, err := fmt.Fprintf(l.out, "%s  binary, %s  %x\n", clockTime(time.Now()), plural(len(data), "byte"), data)
		return err
	}
	if json.Valid(data) {
		_, err := fmt.Fprintf(l.out, "%s  %s\n", clockTime(time.Now()), data)
		return err
	}
	_, err := fmt.Fprintf(l.out, "%s  %q\n", clockTime(time.Now()), data)
	return err
}

func refused(url string, res *http.Response) error {
	text := ""
	if res.Body != nil {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 512)) // coder/websocket keeps the first bytes of a refusal
		text = strings.TrimSpace(string(b))
	}
	if text != "" {
		text = ": " + text
	}
	return fmt.Errorf("listen: %s answered %s%s", url, res.Status, text)
}

func closeReason(err error) string {
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		if closed.Reason != "" {
			return fmt.Sprintf("code %d, %s", closed.Code, closed.Reason)
		}
		return fmt.Sprintf("code %d", closed.Code)
	}
	return err.Error()
}
