package journal

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// maxPayload is what NATS advises against exceeding. The largest entry fits in, framed; what is packed is far below.
const maxPayload = 8 << 20

// engine is a NATS server in this process. It listens nowhere, takes no signals and writes no log.
type engine struct {
	server *server.Server
	log    *engineLog
}

// startEngine returns when JetStream has recovered what is in dir.
// broken is called when the engine cannot write its files any more. It stays so until they are opened anew.
func startEngine(dir string, warn func(string), broken func(error)) (*engine, error) {
	log := &engineLog{warn: warn, broken: broken}
	s, err := server.NewServer(&server.Options{
		ServerName: "regcast",
		DontListen: true,
		NoSigs:     true,
		NoLog:      true,
		MaxPayload: maxPayload,

		JetStream:              true,
		StoreDir:               dir,
		DisableJetStreamBanner: true,
		// The streams have their own limits; these are set so that the server does not ask the machine for its sizes.
		JetStreamMaxMemory: 1 << 20,
		JetStreamMaxStore:  math.MaxInt64 / 2,

		// Nobody can vanish from an in-process connection.
		PingInterval:          time.Hour,
		DisableShortFirstPing: true,
	})
	if err != nil {
		return nil, err
	}
	s.SetLoggerV2(log, false, false, false)
	s.Start() // returns when it is ready, as it does not listen
	e := &engine{server: s, log: log}
	if log.fatal != "" {
		e.stop()
		return nil, errors.New(log.fatal)
	}
	return e, nil
}

// connect returns a connection that calls lost when it ends other than by Close.
func (e *engine) connect(lost func()) (*nats.Conn, error) {
	return nats.Connect("",
		nats.InProcessServer(e.server),
		nats.NoReconnect(),
		nats.PingInterval(time.Hour),
		nats.ClosedHandler(func(*nats.Conn) { lost() }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { e.log.Errorf("connection: %v", err) }),
	)
}

func (e *engine) stop() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// engineLog hands on what the server warns of and drops the rest. The last words of a start that failed are kept.
type engineLog struct {
	warn   func(string)
	broken func(error)
	fatal  string
}

func (l *engineLog) Warnf(format string, v ...any) {
	// After a kill -9 the engine finds its summary older than its files, says so, and reads the files: nothing to worry about.
	if strings.Contains(format, "state outdated") {
		return
	}
	l.warn("nats: " + fmt.Sprintf(format, v...))
}

func (l *engineLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.warn("nats: " + text)
	// Whoever waits for an answer to a write gets none then, so the log is where to hear of it.
	if _, what, critical := strings.Cut(text, "ritical write error: "); critical {
		l.broken(writeError(what))
	}
}

// writeError gives the text of a write error its identity back, where that matters to callers.
func writeError(text string) error {
	if strings.Contains(text, syscall.ENOSPC.Error()) {
		return fmt.Errorf("%s: %w", strings.TrimSuffix(text, ": "+syscall.ENOSPC.Error()), syscall.ENOSPC)
	}
	return errors.New(text)
}

func (l *engineLog) Fatalf(format string, v ...any) { l.fatal = fmt.Sprintf(format, v...) }
func (l *engineLog) Noticef(string, ...any)         {}
func (l *engineLog) Debugf(string, ...any)          {}
func (l *engineLog) Tracef(string, ...any)          {}
