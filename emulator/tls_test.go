package emulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// client speaks one protocol to an emulator whose names it need not resolve.
func client(t *testing.T, em *emulatortest.Emulator, config *tls.Config, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{
		Protocols: new(http.Protocols), TLSClientConfig: config,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", em.Addr())
		},
	}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	transport.Protocols.SetUnencryptedHTTP2(http2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func fetch(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestTLSIsOnTheSamePort(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	_, port, err := net.SplitHostPort(em.Addr())
	is.NoErr(err)
	is.Equal(em.SecureURL(), "https://localhost:"+port)
	for _, url := range []string{em.URL(), em.SecureURL(), "https://" + em.Addr(), "https://[::1]:" + port} {
		for http2, want := range map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"} {
			res, body := fetch(t, client(t, em, em.ClientTLS(), http2), url+"/_regcast/health")
			is.Equal(res.Proto, want)
			is.True(strings.Contains(body, `"secure_url":"`+em.SecureURL()+`"`))
		}
	}
	res, _ := fetch(t, client(t, em, em.ClientTLS(), true), "https://"+em.Defaults().GatewayID+".apigw.localhost:"+port+"/nothing")
	is.Equal(res.StatusCode, http.StatusNotFound) // the gateway's own answer
	res, _ = fetch(t, client(t, em, em.ClientTLS(), true), em.SecureURL()+"/v2/")
	is.Equal(res.StatusCode, http.StatusOK)
}

// Sockets by TLS receive what a push by TLS sets off, at the gateway's own name too, and beside plain ones.
func TestSecureSockets(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	host, port, _ := strings.Cut(strings.TrimPrefix(em.SecureURL(), "https://"), ":")
	dialed, _, err := websocket.Dial(ctx, "wss://"+em.Defaults().GatewayID+".apigw.localhost:"+port+"/ws",
		&websocket.DialOptions{HTTPClient: client(t, em, em.ClientTLS(), false)})
	is.NoErr(err)
	defer dialed.CloseNow()
	dialer := gorilla.Dialer{TLSClientConfig: em.ClientTLS()}
	other, _, err := dialer.DialContext(ctx, "wss://"+net.JoinHostPort(host, port)+"/ws", nil)
	is.NoErr(err)
	defer other.Close()
	plain := em.Dial("/ws")

	em.Push("team/app:v1")
	plain.Expect("create-image", "create-image-tag")
	_, first, err := dialed.Read(ctx)
	is.NoErr(err)
	is.True(strings.Contains(string(first), "team/app"))
	_, first, err = other.ReadMessage()
	is.NoErr(err)
	is.True(strings.Contains(string(first), "team/app"))
	is.Equal(len(em.Connections()), 3)

	is.NoErr(dialed.Close(websocket.StatusNormalClosure, ""))
	is.NoErr(em.Close(ctx)) // says goodbye to who is left
	for err == nil {
		_, _, err = other.ReadMessage()
	}
	is.True(gorilla.IsCloseError(err, gorilla.CloseGoingAway))
}

// The events of AWS's sockets tell of headers; by TLS too.
func TestSecureSocketsOfATemplate(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, sockets, handlers(make(chan string, 10)))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url := strings.Replace(em.APIs()[0].URLs[0], "ws://", "wss://", 1)
	dialer := gorilla.Dialer{TLSClientConfig: em.ClientTLS()}
	conn, _, err := dialer.DialContext(ctx, url, nil)
	is.NoErr(err)
	defer conn.Close()
	is.Equal(len(em.Connections()), 1)
	res, _ := fetch(t, client(t, em, em.ClientTLS(), true), em.SecureURL()+"/_regcast/apis")
	is.Equal(res.Proto, "HTTP/2.0")
}

func TestTLSInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		network := emulatortest.NewNetwork()
		em := emulatortest.Start(t, emulator.Config{Listener: network})
		transport := &http.Transport{
			TLSClientConfig: em.ClientTLS(), ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return network.DialContext(ctx) },
		}
		defer transport.CloseIdleConnections()
		res, body := fetch(t, &http.Client{Transport: transport}, em.SecureURL()+"/_regcast/health")
		is.Equal(res.Proto, "HTTP/2.0")
		is.True(strings.Contains(body, "ready"))
	})
}

// lines is a log that can be read.
type lines struct {
	mu   sync.Mutex
	text []string
	came chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(p))
	select {
	case l.came <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(strings.Join(l.text, ""), text)
}

// A client that does not trust the authority is told so by itself; here it is no news but for who debugs.
func TestAClientThatDoesNotTrust(t *testing.T) {
	is := is.New(t)
	log := &lines{came: make(chan struct{}, 1)}
	em := emulatortest.Start(t, emulator.Config{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	_, err := client(t, em, &tls.Config{}, true).Get(em.SecureURL() + "/_regcast/health")
	var unknown x509.UnknownAuthorityError
	is.True(errors.As(err, &unknown))
	for !log.has("TLS handshake error") {
		<-log.came
	}
	for _, line := range log.text {
		is.True(strings.Contains(line, "level=DEBUG"))
	}
	res, _ := fetch(t, client(t, em, em.ClientTLS(), true), em.SecureURL()+"/_regcast/health")
	is.Equal(res.StatusCode, http.StatusOK)
}

// Clients that connect and say nothing, as browsers do in advance, keep nobody: neither others nor the end.
func TestSilentClients(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	var silent []net.Conn
	for range 100 {
		conn, err := net.Dial("tcp", em.Addr())
		is.NoErr(err)
		defer conn.Close()
		silent = append(silent, conn)
	}
	res, _ := fetch(t, client(t, em, em.ClientTLS(), false), em.SecureURL()+"/_regcast/health")
	is.Equal(res.StatusCode, http.StatusOK)
	is.NoErr(em.Close(t.Context()))
	for _, conn := range silent {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		_, err := conn.Read(make([]byte, 1))
		var late net.Error
		is.True(err != nil && !(errors.As(err, &late) && late.Timeout()))
	}
}

func TestTheAuthorityIsKeptWithTheData(t *testing.T) {
	is := is.New(t)
	data := filepath.Join(t.TempDir(), "data")
	before, err := emulator.OpenCA(emulator.Config{Data: data}) // nothing has run yet
	is.NoErr(err)
	start := func(log *lines) (emulator.CA, *tls.Config) {
		em, err := emulator.New(emulator.Config{Data: data, Logger: slog.New(slog.NewTextHandler(log, nil))})
		is.NoErr(err)
		defer func() { is.NoErr(em.Close(t.Context())) }()
		ca, err := em.CA()
		is.NoErr(err)
		return ca, em.ClientTLS()
	}
	quiet := &lines{}
	for range 2 {
		ca, config := start(quiet)
		is.Equal(ca, before)
		pool := x509.NewCertPool()
		is.True(pool.AppendCertsFromPEM([]byte(before.PEM)))
		is.True(config.RootCAs.Equal(pool))
	}
	is.Equal(len(quiet.text), 0)

	is.NoErr(os.WriteFile(filepath.Join(filepath.Dir(before.File), "ca.key"), []byte("oops"), 0o600))
	loud := &lines{}
	ca, _ := start(loud)
	is.True(ca.PEM != before.PEM)
	is.True(loud.has("level=WARN"))
	is.True(loud.has(ca.File))
	_, err = emulator.OpenCA(emulator.Config{})
	is.True(err != nil)
}

func TestTheAPITellsTheAuthority(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	want, err := em.CA()
	is.NoErr(err)
	res, body := fetch(t, em.Client(), em.URL()+"/_regcast/ca")
	is.Equal(res.Header.Get("Content-Type"), "application/x-pem-file")
	is.Equal(body, want.PEM)
	req, err := http.NewRequest(http.MethodGet, em.URL()+"/_regcast/ca", nil)
	is.NoErr(err)
	req.Header.Set("Accept", "application/json")
	res, err = em.Client().Do(req)
	is.NoErr(err)
	defer res.Body.Close()
	var got emulator.CA
	is.NoErr(json.NewDecoder(res.Body).Decode(&got))
	is.Equal(got, want)
}

// A client that goes by the environment alone reaches the emulator, and nothing of it is the real cloud's.
func TestYandexEnv(t *testing.T) {
	is := is.New(t)
	roots := filepath.Join(t.TempDir(), "roots.pem") // what the machine trusts
	machine, err := emulator.OpenCA(emulator.Config{Data: t.TempDir()})
	is.NoErr(err)
	is.NoErr(os.WriteFile(roots, []byte(machine.PEM), 0o600))
	em := emulatortest.Start(t, emulator.Config{Environ: []string{"SSL_CERT_FILE=" + roots}})
	env := map[string]string{}
	for _, variable := range em.YandexEnv() {
		name, value, ok := strings.Cut(variable, "=")
		is.True(ok)
		_, twice := env[name]
		is.True(!twice)
		env[name] = value
		is.True(!strings.Contains(value, "yandex.net"))
	}
	_, port, _ := net.SplitHostPort(em.Addr())
	is.Equal(env["YC_ENDPOINT"], "localhost:"+port)
	is.True(strings.HasPrefix(env["YC_TOKEN"], "t1."))
	is.Equal(strings.Count(env["YC_TOKEN"], "."), 2) // or it would be taken for one of OAuth
	keyFile, told := env["YC_SERVICE_ACCOUNT_KEY_FILE"]
	is.True(told && keyFile == "")
	is.Equal(env["YC_CLOUD_ID"], em.Defaults().CloudID)
	is.Equal(env["YC_FOLDER_ID"], em.Defaults().FolderID)
	is.Equal(env["YC_METADATA_ADDR"], em.Addr())
	is.Equal(env["YC_MESSAGE_QUEUE_ENDPOINT"], "http://localhost:"+port)
	for _, name := range []string{"YC_TERRAFORM_INITIALIZATION_SILENCE", "YC_CLI_INITIALIZATION_SILENCE"} {
		is.Equal(env[name], "true")
	}
	bundle, err := os.ReadFile(env["SSL_CERT_FILE"])
	is.NoErr(err)
	is.True(strings.HasPrefix(string(bundle), machine.PEM)) // as before, and more
	pool := x509.NewCertPool()
	is.True(pool.AppendCertsFromPEM(bundle))
	res, _ := fetch(t, client(t, em, &tls.Config{RootCAs: pool}, true), "https://"+env["YC_ENDPOINT"]+"/_regcast/health")
	is.Equal(res.StatusCode, http.StatusOK)
}
