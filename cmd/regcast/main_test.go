package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds every wait. It is the time after which a test is wrong, not a time that tests take.
const patience = 60 * time.Second

// noRest takes from commands the second that the race detector rests at the end of each.
const noRest = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"regcast":   main,
		"listening": listening,
		"bootstrap": recorder,
	})
}

// The command line, as a user types it: testdata/*.txtar.
func TestScripts(t *testing.T) {
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("GOCACHE", strings.TrimSpace(string(cache))) // scripts have no home, where it would be
		e.Setenv("GORACE", noRest)
		return nil
	}})
}

// listening is a command for the scripts: `listening N [URL] CMD…` connects `regcast listen --json --count N`, runs CMD once it is
// connected, and prints what it received.
func listening() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	listen := exec.CommandContext(ctx, "regcast", "listen", "--json", "--timeout", "30s", "--count", os.Args[1])
	todo := os.Args[2:]
	if strings.HasPrefix(todo[0], "ws") {
		listen.Args = append(listen.Args, todo[0])
		todo = todo[1:]
	}
	listen.Stdout = os.Stdout
	news, err := listen.StderrPipe()
	check(err)
	check(listen.Start())
	lines := bufio.NewScanner(news)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "connected ") {
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	cmd := exec.CommandContext(ctx, todo[0], todo[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	check(cmd.Run())
	for lines.Scan() {
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	check(listen.Wait())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "listening:", err)
		os.Exit(1)
	}
}
