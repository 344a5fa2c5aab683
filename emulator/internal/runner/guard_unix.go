//go:build unix

package runner

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// guard is a shell that outlives the emulator for a moment: when the emulator is no more, however that ended, it kills the process groups
// that it was told of. A parent-death signal would not reach a process's children, and only Linux has one.
type guard struct {
	cmd *exec.Cmd

	mu sync.Mutex
	in io.WriteCloser
}

const guardScript = `trap '' HUP INT TERM
all=
while read -r op id; do
	case $op in
	+) all="$all $id" ;;
	-) left=
		for i in $all; do [ "$i" = "$id" ] || left="$left $i"; done
		all=$left ;;
	esac
done
for i in $all; do kill -s KILL -- "-$i"; done 2>/dev/null`

// newGuard starts a guard. Without a shell there is none, and its methods do nothing.
func newGuard() *guard {
	g := &guard{cmd: exec.Command("/bin/sh", "-c", guardScript)}
	g.cmd.Env = []string{}
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends the emulator's group or terminal is not meant for it
	in, err := g.cmd.StdinPipe()
	if err != nil || g.cmd.Start() != nil {
		return nil
	}
	g.in = in
	return g
}

// add puts a process group under guard.
func (g *guard) add(id int) { g.tell("+", id) }

// remove lets go of a process group, which is no more.
func (g *guard) remove(id int) { g.tell("-", id) }

func (g *guard) tell(op string, id int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = fmt.Fprintln(g.in, op, id) // fails when somebody killed the shell: then there is no guard
}

func (g *guard) close() {
	if g == nil {
		return
	}
	_ = g.in.Close()
	_ = g.cmd.Wait()
}
