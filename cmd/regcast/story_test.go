package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"
)

// A user of Yandex Cloud at a terminal: testdata/yandex/*.txtar. Beside testscript's commands there are
//
//	up [FLAG…]          start `regcast up`, and point the commands that follow at it; its log is the file up.log
//	crash               kill -9 of that
//	yc ARG…             alias yc='regcast yc'
//	keep NAME           put what was printed last into a variable
//	push IMAGE [TAG…]   push a new image to the registry, and the same under more tags
//	listen NAME URL     run `regcast listen` until the script ends, once it is connected; $NAME is the connection's id
//	frame NAME          print the next message that it gets
//	container NAME [N…] be a container that says hello, at $NAME; its first answers have the statuses N
//	request             print the next request that it gets
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("testdata", "yandex"),
		Setup: func(e *testscript.Env) error { return setupStory(e) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up": inStory((*user).up), "crash": inStory((*user).crash), "keep": inStory((*user).keep), "push": inStory((*user).push),
			"listen": inStory((*user).listen), "frame": inStory((*user).frame), "container": inStory((*user).container),
			"request": inStory((*user).request),
			"yc": func(ts *testscript.TestScript, neg bool, args []string) {
				if err := ts.Exec("regcast", append([]string{"yc"}, args...)...); (err != nil) != neg {
					ts.Fatalf("yc: %v", err)
				}
			},
		},
	})
}

// user is at one terminal.
type user struct {
	ctx       context.Context
	emulator  *exec.Cmd
	listeners map[string]*bufio.Reader
	requests  chan string
}

func setupStory(e *testscript.Env) error {
	ctx, cancel := context.WithCancel(context.Background())
	u := &user{ctx: ctx, listeners: map[string]*bufio.Reader{}, requests: make(chan string, 100)}
	e.Values["user"] = u
	e.Defer(cancel)
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	e.Setenv("GOCACHE", strings.TrimSpace(string(cache))) // scripts have no home, where it would be
	e.Setenv("GORACE", noRest)
	return err
}

func inStory(do func(*user, *testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command never fails")
		}
		do(ts.Value("user").(*user), ts, args)
	}
}

// command is a program of the script's that lives on.
func (u *user) command(ts *testscript.TestScript, program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(u.ctx, program, args...)
	c.Dir = ts.MkAbs(".")
	c.Env = os.Environ()
	for _, name := range []string{"GOCACHE", "REGCAST_URL"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	ts.Defer(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // the script has crashed it perhaps
	})
	return c
}

func (u *user) up(ts *testscript.TestScript, args []string) {
	c := u.command(ts, "regcast", append([]string{"up", "--json", "--addr", "127.0.0.1:0"}, args...)...)
	log, err := os.OpenFile(ts.MkAbs("up.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer log.Close()
	c.Stderr = log
	out, err := c.StdoutPipe()
	ts.Check(err)
	ts.Check(c.Start())
	u.emulator = c
	var ready struct{ URL string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		ts.Fatalf("up: %v: %s", err, ts.ReadFile("up.log"))
	}
	ts.Setenv("REGCAST_URL", ready.URL)
	ts.Setenv("HOST", strings.TrimPrefix(ready.URL, "http://"))
}

func (u *user) crash(ts *testscript.TestScript, _ []string) {
	ts.Check(u.emulator.Process.Kill())
	_ = u.emulator.Wait() // it was killed
}

func (u *user) keep(ts *testscript.TestScript, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

func (u *user) push(ts *testscript.TestScript, args []string) {
	ref, err := name.NewTag(ts.Getenv("HOST") + "/" + args[0])
	ts.Check(err)
	image, err := random.Image(1024, 1)
	ts.Check(err)
	ts.Check(remote.Write(ref, image, remote.WithContext(u.ctx)))
	for _, tag := range args[1:] {
		ts.Check(remote.Tag(ref.Context().Tag(tag), image, remote.WithContext(u.ctx)))
	}
}

func (u *user) listen(ts *testscript.TestScript, args []string) {
	c := u.command(ts, "regcast", "listen", "--json", args[1])
	out, err := c.StdoutPipe()
	ts.Check(err)
	news, err := c.StderrPipe()
	ts.Check(err)
	ts.Check(c.Start())
	said, err := bufio.NewReader(news).ReadString('\n')
	if !strings.HasPrefix(said, "connected ") {
		ts.Fatalf("listen: %v: %s", err, said)
	}
	u.listeners[args[0]] = bufio.NewReader(out)
	ts.Setenv(args[0], said[strings.LastIndex(said, " ")+1:len(said)-1])
	go func() { _, _ = io.Copy(io.Discard, news) }() // until it ends
}

func (u *user) frame(ts *testscript.TestScript, args []string) {
	fmt.Fprint(ts.Stdout(), wait(ts, "frame", func() (string, error) { return u.listeners[args[0]].ReadString('\n') }))
}

func (u *user) container(ts *testscript.TestScript, args []string) {
	first := make(chan string, len(args)) // what the first requests are answered
	for _, status := range args[1:] {
		first <- status
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		select {
		case text := <-first:
			status, err := strconv.Atoi(text)
			ts.Check(err)
			w.WriteHeader(status)
		default:
		}
		if err == nil {
			_, err = io.WriteString(w, "hello")
		}
		u.requests <- fmt.Sprintf("%s %s %s %v\n", r.Method, r.URL.Path, body, err)
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

func (u *user) request(ts *testscript.TestScript, _ []string) {
	fmt.Fprint(ts.Stdout(), wait(ts, "request", func() (string, error) {
		select {
		case line := <-u.requests:
			return line, nil
		case <-u.ctx.Done():
			return "", u.ctx.Err()
		}
	}))
}

// wait returns what comes, unless it does not.
func wait(ts *testscript.TestScript, what string, get func() (string, error)) string {
	type result struct {
		line string
		err  error
	}
	came := make(chan result, 1)
	go func() {
		line, err := get()
		came <- result{line, err}
	}()
	select {
	case r := <-came:
		if r.err != nil {
			ts.Fatalf("%s: %v", what, r.err)
		}
		return r.line
	case <-time.After(patience):
		ts.Fatalf("%s: %v", what, errors.New("nothing came"))
		return ""
	}
}
