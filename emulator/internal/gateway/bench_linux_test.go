package gateway_test

import (
	"context"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

const (
	benchClients = 1000
	benchMessage = 512
)

// BenchmarkYardstick is what a broadcast is measured against: one ready frame, one write(2) to each raw socket.
func BenchmarkYardstick(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	var fds []int
	drain := newDrain(b)
	for range benchClients {
		client, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		server, err := listener.Accept()
		if err != nil {
			b.Fatal(err)
		}
		defer server.Close()
		drain.add(client)
		fds = append(fds, descriptor(b, server))
	}
	frame := make([]byte, benchMessage+4)
	drain.measure(b, 1, len(frame), func() {
		for _, fd := range fds {
			for n, err := unix.Write(fd, frame); n < len(frame); n, err = unix.Write(fd, frame) {
				if err != unix.EAGAIN {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkBroadcast sends to a path one message at a time, and a hundred at once.
func BenchmarkBroadcast(b *testing.B) {
	for name, burst := range map[string]int{"one": 1, "burst": 100} {
		b.Run(name, func(b *testing.B) {
			h := newHouse(b, false)
			drain := newDrain(b)
			for range benchClients {
				c := h.dial(b, "/ws")
				drain.add(c.NetConn())
			}
			ms := make([]gateway.Message, burst)
			for i := range ms {
				ms[i].Data = make([]byte, benchMessage)
			}
			drain.measure(b, burst, benchMessage+4, func() {
				if sent := h.Broadcast(context.Background(), "/ws", ms); sent[0].Connections != benchClients {
					b.Fatal(sent[0])
				}
			})
		})
	}
}

// BenchmarkIdle tells what a connection at rest costs in Go's heap and stacks.
func BenchmarkIdle(b *testing.B) {
	h := newHouse(b, false)
	h.socket = func(s *gateway.Socket) { s.Message, s.Closed = nil, nil }
	before := inUse()
	for range b.N {
		nc, err := net.Dial("tcp", h.server.Listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer nc.Close()
		if _, err := nc.Write([]byte(handshake)); err != nil {
			b.Fatal(err)
		}
		var answer [256]byte
		if _, err := nc.Read(answer[:]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(inUse()-before)/float64(b.N), "B/conn") // with the client's net.Conn
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// drain reads what clients get, as cheaply as can be: the kernel throws it away.
type drain struct {
	epoll int
	seen  chan int
	stop  chan struct{}
	over  chan struct{}
}

func newDrain(b *testing.B) *drain {
	fd, err := unix.EpollCreate1(0)
	if err != nil {
		b.Fatal(err)
	}
	d := &drain{epoll: fd, seen: make(chan int, 1<<16), stop: make(chan struct{}), over: make(chan struct{})}
	go d.run()
	b.Cleanup(func() {
		close(d.stop)
		<-d.over
		unix.Close(fd)
	})
	return d
}

func (d *drain) add(nc net.Conn) {
	raw, _ := nc.(syscall.Conn).SyscallConn()
	_ = raw.Control(func(fd uintptr) {
		e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		_ = unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, int(fd), &e)
	})
}

func (d *drain) run() {
	defer close(d.over)
	events := make([]unix.EpollEvent, 1024)
	buf := make([]byte, 1<<20)
	for {
		select {
		case <-d.stop:
			return
		default:
		}
		n, _ := unix.EpollWait(d.epoll, events, 100)
		total := 0
		for _, e := range events[:max(n, 0)] {
			got, _, _ := unix.Recvfrom(int(e.Fd), buf, unix.MSG_TRUNC|unix.MSG_DONTWAIT)
			total += max(got, 0)
		}
		if total > 0 {
			d.seen <- total
		}
	}
}

// measure runs publish b.N times and waits until the clients have everything. It reports the CPU of the publishing thread and the
// messages delivered, because the clients are in this process too.
func (d *drain) measure(b *testing.B, burst, frame int, publish func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var cpu time.Duration
	b.ResetTimer()
	for b.Loop() {
		before := threadTime(b)
		publish()
		cpu += threadTime(b) - before
		for left := benchClients * burst * frame; left > 0; {
			left -= <-d.seen
		}
	}
	delivered := float64(b.N) * benchClients * float64(burst)
	b.ReportMetric(float64(cpu.Nanoseconds())/delivered, "cpu-ns/msg")
	b.ReportMetric(delivered/b.Elapsed().Seconds(), "msg/s")
}

func threadTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func descriptor(b *testing.B, nc net.Conn) (fd int) {
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	if err := raw.Control(func(f uintptr) { fd = int(f) }); err != nil {
		b.Fatal(err)
	}
	return fd
}
