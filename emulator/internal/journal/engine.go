package journal

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// engine is a NATS server in this process. It listens nowhere, takes no signals and writes no log.
type engine struct {
	server *server.Server
	log    *engineLog
}

// startEngine returns when JetStream has recovered what is in dir.
func startEngine(dir string, warn func(string)) (*engine, error) {
	log := &engineLog{warn: warn}
	s, err := server.NewServer(&server.Options{
		ServerName: "regcast",
		DontListen: true,
		NoSigs:     true,
		NoLog:      true,
		MaxPayload: 8 << 20,

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
	warn  func(string)
	fatal string
}

func (l *engineLog) Warnf(format string, v ...any) {
	// After a kill -9 the engine finds its summary older than its files, says so, and reads the files: nothing to worry about.
	if strings.Contains(format, "state outdated") {
		return
	}
	l.warn("nats: " + fmt.Sprintf(format, v...))
}
func (l *engineLog) Errorf(format string, v ...any) { l.warn("nats: " + fmt.Sprintf(format, v...)) }
func (l *engineLog) Fatalf(format string, v ...any) { l.fatal = fmt.Sprintf(format, v...) }
func (l *engineLog) Noticef(string, ...any)         {}
func (l *engineLog) Debugf(string, ...any)          {}
func (l *engineLog) Tracef(string, ...any)          {}
