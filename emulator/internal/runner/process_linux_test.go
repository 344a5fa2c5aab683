package runner_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/events"
)

// lives tells whether there is such a process that is not a zombie.
func lives(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

// ended waits for the end of a process that is not ours.
func ended(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || n == 0:
			t.Fatalf("process %d is still there: %v", pid, err)
		default:
			return
		}
	}
}

func TestGrandchildrenEndToo(t *testing.T) {
	h := open(t)
	h.set("parent")
	pid, err := strconv.Atoi(string(h.invoke("parent", `1`).Payload))
	h.is.NoErr(err)
	h.is.True(lives(pid))
	h.is.NoErr(h.Close(t.Context()))
	ended(t, pid)
}

// A runner that is killed leaves nothing. The test runs itself: the child is the emulator.
func TestKill9LeavesNoOrphans(t *testing.T) {
	is := is.New(t)
	if os.Getenv("RUNNER_TEST_HOUSE") != "" {
		h := open(t)
		h.set("hang", func(f *runner.Function) { f.Timeout = time.Hour })
		h.set("parent")
		fmt.Printf("child %s\n", h.invoke("parent", `1`).Payload)
		go func() {
			fmt.Println(h.log.wait("hanging"))
		}()
		h.invoke("hang", `"hang"`)
		return
	}
	house := exec.Command(os.Args[0], "-test.run=^TestKill9LeavesNoOrphans$")
	house.Env = append(os.Environ(), "RUNNER_TEST_HOUSE=1")
	out, err := house.StdoutPipe()
	is.NoErr(err)
	is.NoErr(house.Start())
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) < 2 && lines.Scan(); {
		var pid int
		if _, err := fmt.Sscanf(lines.Text(), "hanging %d", &pid); err == nil {
			pids = append(pids, pid)
		} else if _, err := fmt.Sscanf(lines.Text(), "child %d", &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	is.Equal(len(pids), 2)
	is.NoErr(house.Process.Signal(syscall.SIGKILL))
	_ = house.Wait() // killed
	for _, pid := range pids {
		ended(t, pid)
	}
}

// A process that somebody kills while it is idle costs nobody an invocation.
func TestAWarmProcessIsKilled(t *testing.T) {
	notes := make(chan events.Step, 1)
	h := open(t, func(o *runner.Options) { o.Note = func(s events.Step) { notes <- s } })
	h.set("about")
	var about struct{ PID int }
	h.is.NoErr(json.Unmarshal(h.invoke("about", "null").Payload, &about))
	h.clock.made.wait("10m0s") // it is idle
	h.is.NoErr(syscall.Kill(about.PID, syscall.SIGKILL))
	h.is.Equal((<-notes).Text, "about: a process ended while it was idle: Runtime exited with error: signal: killed")
	response := h.invoke("about", "null")
	h.is.Equal(response.FunctionError, "")
	h.is.True(response.Init > 0)
}
