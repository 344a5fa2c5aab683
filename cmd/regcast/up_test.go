package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"
)

// child is a `regcast up` of its own.
type child struct {
	cmd    *exec.Cmd
	url    string
	stdout *bufio.Reader
	stderr *bufio.Reader
}

// start runs `regcast up` with args and returns when it is ready.
func start(t *testing.T, args ...string) *child {
	t.Helper()
	p := &child{}
	p.cmd = exec.Command("regcast", append([]string{"up"}, args...)...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	news, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout, p.stderr = bufio.NewReader(out), bufio.NewReader(news)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		said, _ := io.ReadAll(p.stderr)
		t.Fatalf("up %v: %v: %s", args, p.cmd.Wait(), said)
	}
	_, p.url, _ = strings.Cut(strings.TrimSpace(line), " is ready on ")
	return p
}

// wait returns what the process printed after the first line and how it ended.
func (p *child) wait() (string, error) {
	out, _ := io.ReadAll(p.stdout)
	_, _ = io.Copy(io.Discard, p.stderr)
	return string(out), p.cmd.Wait()
}

func (p *child) get(t *testing.T, path string) []byte {
	t.Helper()
	res, err := http.Get(p.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v: %s", path, res.Status, err, body)
	}
	return body
}

func TestUpTellsWhatIsThereAndStopsOnInterrupt(t *testing.T) {
	is := is.New(t)
	p := start(t, "--addr", "127.0.0.1:0")
	var health struct {
		Status, Version string
		Defaults        map[string]string
	}
	is.NoErr(json.Unmarshal(p.get(t, "/_regcast/health"), &health))
	is.Equal(health.Status, "ready")
	is.Equal(health.Defaults, map[string]string{
		"cloud_id": "b1gregcastcloud00000", "folder_id": "b1gregcastfolder0000", "registry_id": "crpregcastregistry00",
		"gateway_id": "d5dregcastgateway000", "service_account_id": "ajeregcastaccount000",
	})
	is.NoErr(p.cmd.Process.Signal(os.Interrupt))
	panel, err := p.wait()
	is.NoErr(err) // a clean stop is exit code 0
	_, port, _ := strings.Cut(strings.TrimPrefix(p.url, "http://"), ":")
	for _, want := range []string{
		"docker push localhost:" + port + "/ubuntu:22.04", "regcast listen", "ws://localhost:" + port + "/ws",
		"crpregcastregistry00", "d5dregcastgateway000", "a1sregcasttrigger000", "https://localhost:" + port, "YC_ENDPOINT=localhost:" + port, "Ctrl-C stops",
	} {
		if !strings.Contains(panel, want) {
			t.Errorf("the panel does not tell %q:\n%s", want, panel)
		}
	}
}

func TestUpForPrograms(t *testing.T) {
	is := is.New(t)
	cmd := exec.Command("regcast", "up", "--addr", "127.0.0.1:0", "--json")
	out, err := cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	var ready struct {
		URL      string
		Defaults map[string]string
		Gateways []struct{ ID string }
		Triggers []struct{ ID string }
	}
	is.NoErr(json.NewDecoder(out).Decode(&ready))
	is.True(strings.HasPrefix(ready.URL, "http://127.0.0.1:"))
	is.Equal(ready.Gateways[0].ID, ready.Defaults["gateway_id"])
	is.Equal(ready.Triggers[0].ID, "a1sregcasttrigger000")
	is.NoErr(cmd.Process.Signal(os.Interrupt))
	is.NoErr(cmd.Wait())
}

func TestTakenAddress(t *testing.T) {
	is := is.New(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	defer l.Close()
	out, err := exec.Command("regcast", "up", "--addr", l.Addr().String()).CombinedOutput()
	is.True(err != nil)
	is.True(strings.Contains(string(out), "--addr "+l.Addr().String()+" is taken by "))
	is.True(strings.Contains(string(out), fmt.Sprintf("(process %d)", os.Getpid()))) // it is this test that holds it

	p := start(t, "--addr", "127.0.0.1:0")
	addr := strings.TrimPrefix(p.url, "http://")
	out, err = exec.Command("regcast", "up", "--addr", addr).CombinedOutput()
	is.True(err != nil)
	is.True(strings.Contains(string(out), "a running regcast "))

	out, err = exec.Command("regcast", "up", "--addr", "nonsense").CombinedOutput()
	is.True(err != nil)
	is.True(strings.Contains(string(out), "want HOST:PORT"))
}

func TestNextFreePort(t *testing.T) {
	is := is.New(t)
	first := start(t) // 8080, or already the next free one
	second := start(t)
	is.True(first.url != second.url)
	is.NoErr(second.cmd.Process.Signal(syscall.SIGTERM))
	panel, err := second.wait()
	is.NoErr(err)
	is.True(strings.Contains(panel, "port 8080 is taken by "))
	is.True(strings.Contains(panel, "REGCAST_URL="+second.url)) // the client commands need it then
}

func TestSecondProcessOnTheSameFolder(t *testing.T) {
	is := is.New(t)
	data := t.TempDir()
	p := start(t, "--addr", "127.0.0.1:0", "--data", data)
	out, err := exec.Command("regcast", "up", "--addr", "127.0.0.1:0", "--data", data).CombinedOutput()
	is.True(err != nil)
	is.True(strings.Contains(string(out), "in use"))
	is.True(strings.Contains(string(out), fmt.Sprint(p.cmd.Process.Pid))) // by whom

	file := filepath.Join(t.TempDir(), "file")
	is.NoErr(os.WriteFile(file, nil, 0o600))
	out, err = exec.Command("regcast", "up", "--addr", "127.0.0.1:0", "--data", file).CombinedOutput()
	is.True(err != nil)
	is.True(strings.Contains(string(out), "data folder"))
}

// The first signal hands on what is in flight: an open batch that would have waited for a minute is sent.
func TestFirstInterruptHandsOn(t *testing.T) {
	is := is.New(t)
	p := start(t, "--addr", "127.0.0.1:0", "--trigger", writeTrigger(t, 1000, "60s"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(p.url, "http")+"/ws", nil)
	is.NoErr(err)
	defer ws.CloseNow()
	push(t, p.url, "app", "v1")
	p.get(t, "/_regcast/quiet")
	is.NoErr(p.cmd.Process.Signal(os.Interrupt))
	_, data, err := ws.Read(ctx)
	is.NoErr(err)
	is.Equal(strings.Count(string(data), "event_id"), 2) // CreateImage and CreateImageTag
	_, _, err = ws.Read(ctx)
	is.Equal(websocket.CloseStatus(err), websocket.StatusGoingAway)
	_, err = p.wait()
	is.NoErr(err)
}

// The second signal does not wait: here for a client that never ends its request.
func TestSecondInterruptStopsNow(t *testing.T) {
	is := is.New(t)
	p := start(t, "--addr", "127.0.0.1:0")
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	is.NoErr(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v2/app/blobs/uploads/?digest=sha256:"+strings.Repeat("0", 64)+
		" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
	is.NoErr(err)
	_, err = bufio.NewReader(conn).ReadString('\n') // 100 Continue: the handler reads
	is.NoErr(err)
	began := time.Now()
	is.NoErr(p.cmd.Process.Signal(os.Interrupt))
	line, err := p.stderr.ReadString('\n')
	is.NoErr(err)
	is.True(strings.Contains(line, "Ctrl-C again stops now"))
	is.NoErr(p.cmd.Process.Signal(os.Interrupt))
	_, _ = p.wait()
	is.True(time.Since(began) < closeLimit) // it did not sit out the limit of a clean stop
}

func writeTrigger(t *testing.T, size int, cutoff string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "trigger.yaml")
	err := os.WriteFile(name, fmt.Appendf(nil, `
name: test
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE, CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: %d, cutoff: %s}
    gateway_websocket_broadcast:
      gateway_id: d5dregcastgateway000
      path: /ws
      service_account_id: ajeregcastaccount000
`, size, cutoff), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return name
}
