package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/emulator"
)

// closeLimit bounds a clean stop. A client that keeps a request open for ever must not keep the emulator.
const closeLimit = 15 * time.Second

// upFlags are the flags that say what to emulate; up and exec have the same.
type upFlags struct {
	addr, data     string
	record         string
	triggers       []string
	specs          []string
	origins        []string
	faults         []string
	createImageTag string
	indexChildren  string
	frozen         bool
	verbose        bool
	functions      functionFlags
}

func (f *upFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.data, "data", "", "keep everything in this `FOLDER`: images, journal, queues, what clients make (default: nothing is kept; tables never are)")
	flags.StringArrayVar(&f.triggers, "trigger", nil, "take a trigger from `FILE`, as `yc serverless trigger get` prints it; takes the place of the default trigger (repeatable)")
	flags.StringArrayVar(&f.specs, "spec", nil, "add a gateway from an OpenAPI `[GATEWAY-ID=]FILE` (repeatable)")
	flags.StringArrayVar(&f.origins, "allow-origin", nil, "let only this `ORIGIN` open sockets from a browser, * is a wildcard (repeatable; default: all, as in the cloud)")
	flags.StringVar(&f.createImageTag, "create-image-tag-field", "omit", "the tag field of create-image events: `omit|copy` it from the push")
	flags.StringVar(&f.indexChildren, "index-children", "events", "images pushed without a tag, as children of an index are: `events|silent`")
	flags.StringVar(&f.record, "record", "", "record everything that happens to `FILE`; one that ends with .zst is compressed (regcast replay, diff, explain and report read it)")
	faultsFlag(flags, &f.faults)
	flags.BoolVar(&f.frozen, "frozen", false, "begin with a clock that stands still (see regcast clock)")
	f.functions.add(flags)
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log more, to standard error")
}

// config reads the files that the flags name.
func (f *upFlags) config(stderr io.Writer) (emulator.Config, error) {
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelDebug
	}
	cfg := emulator.Config{
		Addr: f.addr, Data: f.data, AllowOrigins: f.origins, Version: version(), Frozen: f.frozen,
		Logger: newLogger(stderr, level),
	}
	var err error
	if cfg.TagOnCreateImage, err = choose("--create-image-tag-field", f.createImageTag, "omit", "copy"); err != nil {
		return cfg, err
	}
	if cfg.QuietChildren, err = choose("--index-children", f.indexChildren, "events", "silent"); err != nil {
		return cfg, err
	}
	for _, name := range f.triggers {
		data, err := os.ReadFile(name)
		if err != nil {
			return cfg, usageError("--trigger: %w", err)
		}
		cfg.Triggers = append(cfg.Triggers, emulator.File{Name: name, Data: data})
	}
	for _, spec := range f.specs {
		id, name, ok := strings.Cut(spec, "=")
		if !ok {
			id, name = "", spec
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return cfg, usageError("--spec: %w", err)
		}
		cfg.Gateways = append(cfg.Gateways, emulator.Gateway{ID: id, File: emulator.File{Name: name, Data: data}})
	}
	if cfg.Faults, err = readFaults(f.faults); err != nil {
		return cfg, err
	}
	if err := f.functions.config(&cfg, stderr); err != nil {
		return cfg, err
	}
	if f.record != "" {
		out, err := createRecording(f.record, orRemove, false)
		if err != nil {
			return cfg, err
		}
		cfg.Record, cfg.RecordZstd = out, strings.HasSuffix(f.record, ".zst") // it is the process's to its end
	}
	return cfg, nil
}

// choose tells whether the second of two allowed values was given.
func choose(flag, got, first, second string) (bool, error) {
	if got != first && got != second {
		return false, usageError("%s: got %q, want %s or %s", flag, got, first, second)
	}
	return got == second, nil
}

func newUp(_ environment) *cobra.Command {
	var f upFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "up",
		Short: "Start the emulator",
		Long: `Start the emulator: registry, triggers, gateways, functions and API on one port, until Ctrl-C.
Without --addr it listens on 127.0.0.1:8080, or on the next free port. The first Ctrl-C hands on what is in flight, the second
stops at once.`,
		Example: `  regcast up
  regcast up --addr 127.0.0.1:9000 --data ./regcast-data
  regcast up --trigger trigger.yaml --spec d5dmygateway00000000=openapi.yaml
  regcast up --template template.yaml --parameter-overrides 'Repositories=team/*'`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&f.addr, "addr", "", "listen on `HOST:PORT` (default 127.0.0.1:8080, or the next free port)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON when ready, in place of the panel")
	f.add(c)
	groupFlags(c, upCommandGroups())
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return up(cmd.Context(), f, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return c
}

func up(ctx context.Context, f upFlags, asJSON bool, stdout, stderr io.Writer) error {
	cfg, err := f.config(stderr)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	var taken string
	if f.addr != "" {
		cfg.Listener, err = listenAt(ctx, f.addr)
	} else {
		cfg.Listener, taken, err = listenDefault(ctx)
	}
	if err != nil {
		abandon(cfg)
		return err
	}
	em, served, err := serve(cfg)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(stdout).Encode(map[string]any{
			"url": em.URL(), "secure_url": em.SecureURL(), "version": version(), "defaults": em.Defaults(), "gateways": em.Gateways(), "triggers": em.Triggers(),
			"apis": em.APIs(), "functions": em.Functions(), "queues": em.Queues(), "tables": em.Tables(), "outputs": em.Outputs(),
		})
	} else {
		err = printPanel(stdout, em, taken, f.data)
	}
	if err != nil {
		return errors.Join(err, em.Close(ctx), <-served)
	}

	select {
	case err := <-served:
		return err
	case <-signals:
	case <-ctx.Done():
	}
	fmt.Fprintln(stderr, "regcast: handing on what is in flight; Ctrl-C again stops now")
	limit, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	go func() {
		select {
		case <-signals:
			cancel()
		case <-limit.Done():
		}
	}()
	return em.Close(limit)
}

// serve starts an emulator. served gets its end.
func serve(cfg emulator.Config) (em *emulator.Emulator, served <-chan error, err error) {
	if em, err = emulator.New(cfg); err != nil {
		abandon(cfg)
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- em.Serve(context.Background()) }()
	return em, ended, nil
}

// abandon removes the file of a recording that will not begin, so that the next attempt finds its name free.
func abandon(cfg emulator.Config) {
	if f, ok := cfg.Record.(*os.File); ok {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
}

// printPanel tells where everything is. taken says who holds the default port, when another one is used.
func printPanel(out io.Writer, em *emulator.Emulator, taken, data string) error {
	w := bufio.NewWriter(out)
	_, port, _ := net.SplitHostPort(em.Addr())
	host := em.Addr()
	if ip, _, err := net.SplitHostPort(host); err == nil && (ip == "127.0.0.1" || ip == "::1") {
		host = "localhost:" + port
	}
	d := em.Defaults()
	fmt.Fprintf(w, "regcast %s is ready on %s\n", version(), em.URL())
	if taken != "" {
		fmt.Fprintf(w, "  (port %d is taken by %s)\n", firstPort, taken)
	}
	if port != fmt.Sprint(firstPort) {
		fmt.Fprintf(w, "\n  export REGCAST_URL=%s     (so that the commands below find it)\n", em.URL())
	}
	fmt.Fprintf(w, `
  push     docker push %[1]s/ubuntu:22.04     (or crane, regctl, oras, skopeo …)
  listen   regcast listen     (or any client at ws://%[1]s/ws)
  try it   regcast emit create-image-tag --image ubuntu --tag 22.04

  registry %[2]s at %[1]s and %[1]s/%[2]s
`, host, d.RegistryID)
	fmt.Fprintf(w, "  yandex   alias yc='regcast yc'; for Terraform and SDKs YC_ENDPOINT=%s, or regcast exec\n", host)
	fmt.Fprintf(w, "  TLS      %s and wss://, on the same port; regcast ca tells how to trust it\n", em.SecureURL())
	for _, g := range em.Gateways() {
		fmt.Fprintf(w, "  gateway  %s at ws://%s.apigw.localhost:%s and ws://%s/gw/%s, paths %s\n",
			g.ID, g.ID, port, host, g.ID, strings.Join(g.Paths, " "))
	}
	for _, a := range em.APIs() {
		fmt.Fprintf(w, "  API      %s at %s, routes %s\n", a.ID, strings.Join(a.URLs, " "), strings.Join(a.Routes, " "))
	}
	for _, t := range em.Triggers() {
		id := t.ID
		if id != t.Name && !strings.HasPrefix(id, "arn:") { // an ARN has the name in it
			id += " " + t.Name
		} else {
			id = t.Name
		}
		fmt.Fprintf(w, "  trigger  %s: %s\n", id, t.Summary)
	}
	for _, q := range em.Queues() {
		fmt.Fprintf(w, "  queue    %s\n", q.URL)
	}
	for _, t := range em.Tables() {
		fmt.Fprintf(w, "  table    %s = %s\n", t.ID, t.Name)
	}
	for _, f := range em.Functions() {
		name, from := f.ID, f.Executable
		if f.Name != f.ID {
			name += " = " + f.Name
		}
		if f.Built {
			from = "built from source"
		}
		fmt.Fprintf(w, "  function %s, %s\n", name, from)
	}
	outputs := em.Outputs()
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		fmt.Fprintf(w, "  output   %s = %s\n", name, outputs[name])
	}
	if data != "" {
		fmt.Fprintf(w, "  data     %s\n", data)
	} else {
		fmt.Fprintln(w, "  data     nothing is kept; --data FOLDER keeps it")
	}
	fmt.Fprint(w, "\nCtrl-C stops.\n")
	return w.Flush()
}
