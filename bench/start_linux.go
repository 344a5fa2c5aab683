package main

import (
	"context"
	"debug/elf"
	"os"
	"time"
)

const (
	startRounds  = 20
	memoryRounds = 3
	idleAfter    = 2 * time.Second
)

// measureStart measures exec to the first healthy answer, the memory of an emulator that nobody uses, and the binary.
func measureStart(ctx context.Context, b *bench) ([]row, error) {
	var yard, cast, idle []float64
	err := b.rounds(ctx, b.roundsOr(startRounds),
		func() error {
			start := time.Now()
			y, err := startYardstick()
			if err != nil {
				return err
			}
			yard = append(yard, ms(time.Since(start)))
			y.stop()
			return nil
		},
		func() error {
			r, err := b.start(ctx)
			if err != nil {
				return err
			}
			defer r.stop()
			cast = append(cast, ms(r.ready))
			if len(idle) >= memoryRounds {
				return nil
			}
			if err := pause(ctx, idleAfter); err != nil {
				return err
			}
			bytes, err := r.resident()
			idle = append(idle, float64(bytes)/1e6)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	binary, note, err := binarySize(b.regcast)
	return []row{
		{Figure: "start: exec → first healthy answer", Unit: "ms", Target: atMost(150), Yardstick: spreadOf(yard), Ours: spreadOf(cast),
			Note: "a fresh, ephemeral emulator on a warm page cache; yardstick: this program to the line that names its port"},
		{Figure: "resident memory 2 s after the start", Unit: "MB", Target: atMost(40), Ours: spreadOf(idle)},
		{Figure: "binary, stripped", Unit: "MB", Target: atMost(40), Ours: binary, Note: note},
	}, err
}

func binarySize(path string) (size *spread, note string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if f, err := elf.Open(path); err == nil {
		if f.Section(".symtab") != nil {
			note = "not stripped: it has a symbol table, so it is larger than what `make build` makes"
		}
		_ = f.Close()
	}
	return spreadOf([]float64{float64(info.Size()) / 1e6}), note, nil
}
