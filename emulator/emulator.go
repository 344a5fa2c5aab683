// Package emulator runs the whole chain from a container registry's push to a WebSocket frame in this process, on one port.
//
//	em, err := emulator.New(emulator.Config{})   // everything listens on em.Addr()
//	go em.Serve(ctx)                             // until ctx ends
//
// docker push to Addr, and a WebSocket client at ws://Addr/ws receives the event. For tests there is emulatortest.
package emulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/authority"
	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/dynamodb"
	"github.com/regcast/regcast/emulator/internal/fault"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/guard"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/control"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// Emulator is a running house. Its methods may be called at once.
type Emulator struct {
	clock    clock.Clock
	log      *slog.Logger
	version  string
	defaults Defaults

	listener net.Listener
	port     http.Handler // everything that the listener answers
	server   *http.Server

	faults  *fault.Room // at every step of the walk
	passing passing

	// The rooms, in the order of the walk.
	folder     *folder
	authority  *authority.Authority
	registry   *registry.Registry
	journal    journal.Journal
	cursor     *journal.Cursor
	triggers   *trigger.Engine
	gateway    *gateway.Gateway
	cloud      *yandex.Cloud
	control    *control.Plane // of the cloud
	strictAuth bool
	outward    *http.Transport // what its gateways call

	// Functions and what they call.
	runner     *runner.Runner
	queues     *queue.Queues
	tables     *dynamodb.DB
	sqs        *aws.SQS
	guard      *guard.Guard
	identities *identities
	// Nil without a template.
	plan    *template.Plan
	stack   *aws.Stack
	aws     *aws.Cloud
	sockets *gateway.Gateway // of aws

	rev       atomic.Uint64 // the last Change.Rev given
	published atomic.Uint64 // position of the last record
	recent    recent
	known     known
	snapshot  chan struct{} // a snapshot is due
	records   atomic.Int64  // published since the start
	replays   replays
	tally     tally
	clients   clients

	configuration recording.Configuration
	faultSeed     uint64
	tells         bool               // what clients make from now on is on record
	recordings    sync.WaitGroup     // the goroutine of Config.Record
	recorded      chan *recorder     // what it hands over
	stopRecord    context.CancelFunc // ends it; nil: nothing is recorded
	recordOnce    sync.Once

	streams    context.Context // ends when Close begins: answers that would last for ever
	endStreams context.CancelFunc
	running    context.Context // ends when the triggers are done
	stop       context.CancelFunc
	background sync.WaitGroup
	requests   requests              // from outside
	calls      requests              // from functions, which are answered until the last of them has ended
	failed     atomic.Pointer[error] // what stopped the triggers

	closing  sync.Once
	closed   error           // what the one shutdown returned
	patience context.Context // ends when somebody who closes will not wait any more
	hurry    context.CancelFunc
}

// New opens the data folder, builds every room and listens; triggers work from here on, HTTP is answered by Serve.
// Errors tell which definition, folder or address is at fault.
func New(cfg Config) (*Emulator, error) {
	e := &Emulator{
		clock:   cfg.Clock,
		log:     cfg.Logger,
		version: cfg.Version, strictAuth: cfg.StrictAuth,
		defaults: Defaults{
			CloudID: yandex.CloudID, FolderID: yandex.FolderID, RegistryID: yandex.RegistryID,
			GatewayID: yandex.GatewayID, ServiceAccountID: yandex.ServiceAccountID,
		},
		snapshot:      make(chan struct{}, 1),
		configuration: configurationOf(cfg), faultSeed: cfg.FaultSeed,
	}
	if e.clock == nil {
		e.clock = newClock(cfg)
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.version == "" {
		e.version = "devel"
	}
	e.faults = fault.New(fault.Options{Clock: e.clock, Note: e.note, Seed: cfg.FaultSeed, Changed: e.faultChanged})
	e.passing.init()
	e.streams, e.endStreams = context.WithCancel(context.Background())
	e.running, e.stop = context.WithCancel(context.Background())
	e.patience, e.hurry = context.WithCancel(context.Background())
	if err := e.build(cfg); err != nil {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		return nil, errors.Join(fmt.Errorf("emulator: %w", err), e.Close(now))
	}
	return e, nil
}

// build makes the rooms and the doors between them. What it has made when it fails, shutdown takes down.
func (e *Emulator) build(cfg Config) (err error) {
	e.listener = cfg.Listener // ours to close from here on
	// What needs neither folder nor port comes first, so that a wrong file costs nothing.
	if _, err := e.addFaults(cfg.Faults); err != nil {
		return err
	}
	for _, pattern := range cfg.AllowOrigins {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("allowed origin %q: %w; want HOST or SCHEME://HOST, * is a wildcard", pattern, err)
		}
	}
	sockets := gateway.Options{Clock: e.clock, Origins: cfg.AllowOrigins}
	e.recordSockets(&sockets, pathKeyOf)
	sockets.Faults = e.gatewayFaults(func() *gateway.Gateway { return e.gateway })
	e.gateway = gateway.New(sockets)
	e.outward = yandex.NewTransport()
	e.cloud = yandex.New(e.cloudOptions(cfg))
	if err := e.readTemplate(cfg); err != nil {
		return err
	}
	if err := declared(cfg).Check(); err != nil {
		return err
	}
	if e.listener, err = listen(cfg); err != nil {
		return err
	}
	if e.folder, err = openFolder(cfg.Data); err != nil {
		return err
	}
	if e.journal, err = e.openJournal(cfg); err != nil {
		return err
	}
	if e.authority, err = authority.Open(e.folder.authority(cfg.Environ, e.warn)); err != nil {
		return err
	}
	room := registry.Options{
		Dir: e.folder.registry(), Commit: e.commit, Clock: e.clock, Default: yandex.RegistryID, QuietChildren: cfg.QuietChildren,
	}
	if cfg.StrictAuth { // who may not make a registry makes none by a push
		room.Known = func(id string) bool { return e.control.Known(id) }
	}
	if e.registry, err = registry.New(room); err != nil {
		return err
	}
	if err := e.restore(); err != nil {
		return err
	}
	if e.cursor, err = journal.OpenCursor(e.running, e.journal, "triggers", journal.Changes); err != nil {
		return err
	}
	e.published.Store(e.cursor.Behind())
	e.triggers = trigger.New(trigger.Options{Clock: e.clock, Next: e.nextRecord, Done: e.recordDone, Note: e.note,
		Asked: func() bool { return e.faults.On(fault.Match) }, Through: e.passMatch})
	e.port = e.handler()
	if err := e.buildFunctions(cfg); err != nil {
		return err
	}
	if err := e.buildControl(cfg); err != nil {
		return err
	}
	rules, err := e.defineFunctions(e.running, cfg)
	if err != nil {
		return err
	}
	e.keepAll(cfg.Kept)
	if err := e.control.Declare(e.running, declared(cfg)); err != nil {
		return err
	}
	for _, t := range rules {
		if err := e.triggers.Set(t); err != nil {
			return err
		}
	}
	e.server = &http.Server{
		Handler:           e.port,
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
	}
	e.server.Protocols.SetHTTP1(true)
	e.server.Protocols.SetHTTP2(true)
	e.server.Protocols.SetUnencryptedHTTP2(true)
	e.tells = true
	if err := e.startRecord(cfg.Record, cfg.RecordZstd); err != nil {
		return err
	}
	e.background.Go(e.runTriggers)
	e.background.Go(e.runSnapshots)
	return nil
}

func listen(cfg Config) (net.Listener, error) {
	if cfg.Listener != nil {
		return cfg.Listener, nil
	}
	addr := cfg.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return net.Listen("tcp", addr)
}

// restore brings the registry to where the journal says it was.
func (e *Emulator) restore() error {
	_, last, err := e.journal.Bounds(e.running)
	if err != nil {
		return err
	}
	if err := e.reserveRevs(); err != nil {
		return err
	}
	if from := e.registry.From(); from > last {
		e.log.Warn("journal: its end is damaged and lost; the registry goes on from its snapshot", "journal", last, "snapshot", from)
		if err := e.registry.Rewind(last); err != nil {
			return err
		}
	}
	for entry, err := range e.journal.Read(e.running, e.registry.From()+1, journal.Changes) {
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		r, err := events.DecodeRecord(entry.Data)
		if err != nil {
			return fmt.Errorf("restore: journal entry %d: %w", entry.Seq, err)
		}
		if r.Origin != events.OriginRegistry {
			continue
		}
		if err := e.registry.Apply(entry.Seq, r.Changes); err != nil {
			e.log.Warn("registry: an image of the journal is not on disk", "seq", entry.Seq, "error", err)
		}
	}
	return nil
}

// reserveRevs makes sure that no Change.Rev is ever given twice on one journal: every life takes a block of its own.
func (e *Emulator) reserveRevs() error {
	const name, block = "rev", 1 << 32
	saved, err := e.journal.Get(e.running, name)
	if err != nil {
		return err
	}
	var first uint64
	if saved != nil {
		if first, err = strconv.ParseUint(string(saved), 10, 64); err != nil {
			return fmt.Errorf("restore: %s: %w", name, err)
		}
	}
	e.rev.Store(first)
	return e.journal.Put(e.running, name, strconv.AppendUint(nil, first+block, 10))
}

// Addr returns the address that New listens on.
func (e *Emulator) Addr() string { return e.listener.Addr().String() }

// URL returns the base of the emulator's HTTP URLs, without a slash at the end.
func (e *Emulator) URL() string { return "http://" + e.Addr() }

// Defaults returns the ids of the resources that exist without any set-up.
func (e *Emulator) Defaults() Defaults { return e.defaults }

// Serve answers HTTP until ctx ends or Close is called. When ctx ends it closes the emulator, with no limit of time for what is
// in flight; for a limit, call Close. It returns nil after a clean end.
func (e *Emulator) Serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = e.Close(context.Background()) })() // its result is returned below
	listener := e.listenTLS(e.listener)
	if e.aws != nil { // its events tell of headers as clients spelled them
		listener, e.server.ConnContext = gateway.KeepHeads(listener), gateway.KeepHead
	}
	err := e.server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	err = errors.Join(err, e.Close(context.Background()))
	if failed := e.failed.Load(); failed != nil {
		err = errors.Join(fmt.Errorf("emulator: triggers: %w", *failed), err)
	}
	return err
}

// Close ends the house in the order of the walk: running requests are answered, what is on record is matched, open batches are
// sent at once, queues to sockets are written, sockets get a going-away. When ctx ends it stops waiting; what was not handed on
// by then is handed on after a restart with the same data folder. Every call waits for the end and returns its result, and the first
// ctx to end counts for all.
func (e *Emulator) Close(ctx context.Context) error {
	defer context.AfterFunc(ctx, e.hurry)()
	e.closing.Do(func() { e.closed = e.shutdown(e.patience) })
	return e.closed
}

func (e *Emulator) shutdown(ctx context.Context) error {
	defer e.thaw()()
	var errs []error
	late := func(err error) { // running out of time is what the caller asked for
		if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			errs = append(errs, err)
		}
	}
	e.endStreams()
	if e.journal != nil {
		e.note(events.Step{Room: "house", What: events.StepClosing, Text: "regcast stops: what is open is handed on"})
	}
	late(e.faults.Close(ctx)) // what they hold back goes on, and nothing goes wrong any more
	late(e.requests.wait(ctx))
	// The port is open until here, since functions that what is on record is handed to post through it.
	if e.triggers != nil {
		late(e.passing.quiet(ctx))
		late(e.triggers.Quiet(ctx, lastOf(e.published.Load())))
		late(e.triggers.Close(ctx))
	}
	if e.queues != nil {
		late(e.queues.Quiet(ctx))
		late(e.queues.Close(ctx))
	}
	if e.gateway != nil {
		late(e.gateway.Close(ctx))
	}
	if e.aws != nil {
		late(e.aws.Close(ctx))
	}
	if e.runner != nil {
		late(e.runner.Close(ctx))
	}
	if e.guard != nil {
		late(e.guard.Close(ctx))
	}
	if e.identities != nil {
		late(e.identities.Close(ctx))
	}
	if e.control != nil {
		late(e.control.Close(ctx))
	}
	if e.outward != nil {
		e.outward.CloseIdleConnections()
	}
	if e.server != nil {
		late(e.server.Shutdown(ctx))
		errs = append(errs, e.server.Close())
		_ = e.requests.wait(context.Background()) // whoever was cut off sees it
		_ = e.calls.wait(context.Background())
	}
	if e.listener != nil {
		if err := e.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	e.stop()
	e.background.Wait()
	if e.registry != nil {
		errs = append(errs, e.registry.Snapshot(), e.registry.Close())
	}
	if e.cursor != nil {
		errs = append(errs, e.cursor.Close())
	}
	errs = append(errs, e.EndRecord())
	if e.journal != nil {
		errs = append(errs, e.journal.Close())
	}
	if e.folder != nil {
		if e.runner != nil {
			errs = append(errs, os.RemoveAll(e.folder.functions()))
		}
		errs = append(errs, e.folder.close())
	}
	return errors.Join(errs...)
}
