// Command bench measures every figure that regcast promises, with the server and the load in separate processes and a yardstick
// in the same run, and prints one table.
//
//	go run ./bench -regcast bin/regcast
//	go run ./bench -regcast bin/regcast -only burst,idle -json figures.json
//	go run ./bench -regcast bin/regcast -only functions
//
// It runs in the repository's root: the figures of functions are those of template.yaml, deploy/yandex and the rooms' own benchmarks.
//
// The yardstick of the sockets is this same program, started as a server that writes one ready frame with one write(2) to each
// socket. Yardstick and regcast take turns in rounds; a cell shows the median of the rounds and, in brackets, the least and the
// greatest. A ratio is the median of the rounds' own ratios. KB and MB are 1,000 and 1,000,000 bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// config is what the flags say.
type config struct {
	regcast     string // the binary
	lambda      string // the bootstraps, as make lambda lays them out
	connections int    // that a broadcast goes to
	idle        int    // connections that are only open
	rounds      int    // 0: each figure's own number
	dir         string // what is written goes to a folder here
}

// roundsOr returns the number of rounds asked for, or a figure's own.
func (c config) roundsOr(own int) int {
	if c.rounds > 0 {
		return c.rounds
	}
	return own
}

// The arguments that make this program a yardstick's server.
const (
	yardstickCommand = "yardstick" // of sockets
	plainCommand     = "plain"     // of HTTP
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == yardstickCommand {
		exit(serveYardstick(os.Stdin, os.Stdout))
	}
	if len(os.Args) == 2 && os.Args[1] == plainCommand {
		exit(servePlain(os.Stdin, os.Stdout))
	}
	var cfg config
	flag.StringVar(&cfg.regcast, "regcast", "bin/regcast", "the `BINARY` to measure")
	flag.StringVar(&cfg.lambda, "lambda", "dist/lambda", "the `FOLDER` of ARCHITECTURE/FUNCTION/bootstrap to measure")
	flag.IntVar(&cfg.connections, "connections", 2000, "sockets that a broadcast goes to")
	flag.IntVar(&cfg.idle, "idle", 10000, "sockets that are only open")
	flag.IntVar(&cfg.rounds, "rounds", 0, "rounds of every figure (default: each figure's own number)")
	flag.StringVar(&cfg.dir, "dir", os.TempDir(), "the `FOLDER` on the disk to write to")
	only := flag.String("only", "", "measure these `FIGURES`, with commas: "+strings.Join(names(), ", ")+
		"; "+functionFigures+" for those of functions")
	file := flag.String("json", "", "write the figures to `FILE` as well")
	flag.Parse()
	chosen, err := choose(*only)
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("got %q, want flags only", flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, cfg, chosen, *file))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// figure is one thing that is measured; it may fill several rows of the table.
type figure struct {
	name      string
	measure   func(context.Context, *bench) ([]row, error)
	functions bool // it is one of functionFigures
}

// functionFigures chooses the figures of functions.
const functionFigures = "functions"

func names() []string {
	var all []string
	for _, f := range figures() {
		all = append(all, f.name)
	}
	return all
}

// choose returns the figures of a list with commas, in the order of the table; an empty list means all.
func choose(list string) ([]figure, error) {
	if list == "" {
		return figures(), nil
	}
	wanted := strings.Split(list, ",")
	for _, name := range wanted {
		if name != functionFigures && !slices.Contains(names(), name) {
			return nil, fmt.Errorf("-only: got %q, want %s or one of %s", name, functionFigures, strings.Join(names(), ", "))
		}
	}
	return slices.DeleteFunc(figures(), func(f figure) bool {
		return !slices.Contains(wanted, f.name) && !(f.functions && slices.Contains(wanted, functionFigures))
	}), nil
}
