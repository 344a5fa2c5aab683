package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	blobRounds  = 5
	blobClients = 4
	blobSize    = 64 << 20
)

func digestOf(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// startUpload opens an upload and returns where the whole blob goes.
func startUpload(c *client, repository, digest string) (string, error) {
	a, err := c.do(202, "POST", "/v2/"+repository+"/blobs/uploads/", "application/octet-stream", nil)
	if err != nil {
		return "", err
	}
	location := strings.TrimPrefix(string(a.field("Location")), "http://"+c.host)
	if !strings.HasPrefix(location, "/") {
		return "", fmt.Errorf("upload: Location is %q", location)
	}
	separator := "?"
	if strings.Contains(location, "?") {
		separator = "&"
	}
	return location + separator + "digest=" + digest, nil
}

func pushBlob(c *client, repository string, data []byte) error {
	location, err := startUpload(c, repository, digestOf(data))
	if err != nil {
		return err
	}
	_, err = c.do(201, "PUT", location, "application/octet-stream", data)
	return err
}

// blob is a file that a client pushes.
type blob struct {
	path   string
	digest string
}

// measureBlobs measures the rate of whole blobs pushed by several clients, beside a plain copy of the same files.
func measureBlobs(ctx context.Context, b *bench) ([]row, error) {
	dir := filepath.Join(b.dir, "blobs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r, err := b.start(ctx, "--data", filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	defer r.stop()
	clients, err := dialAll(r, blobClients)
	if err != nil {
		return nil, err
	}
	defer closeAll(clients)

	blobs := make([]blob, blobClients)
	var hash, yard, cast, cpu []float64
	timed := func(into *[]float64, each func(i int) error) error {
		if err := flush(dir); err != nil {
			return err
		}
		start := time.Now()
		err := together(blobClients, each)
		*into = append(*into, blobClients*blobSize/1e6/time.Since(start).Seconds())
		return err
	}
	renew := func() error {
		return together(blobClients, func(i int) (err error) {
			blobs[i], err = newBlob(filepath.Join(dir, fmt.Sprint(i)))
			return err
		})
	}
	if err := renew(); err != nil {
		return nil, err
	}
	rounds := b.roundsOr(blobRounds)
	if err := warmMemory(dir, int64(rounds)*2*blobClients*blobSize); err != nil {
		return nil, err
	}
	err = b.rounds(ctx, rounds,
		func() error { // the copies stay, as what is pushed does, so that both find memory in the same state
			round := len(yard)
			return timed(&yard, func(i int) error {
				return copyPlain(filepath.Join(dir, fmt.Sprintf("copy-%d-%d", round, i)), blobs[i].path)
			})
		},
		func() error {
			if err := renew(); err != nil {
				return err
			}
			if err := timed(&hash, func(i int) error { _, err := hashFile(blobs[i].path); return err }); err != nil {
				return err
			}
			before, err := r.quiet(ctx)
			if err != nil {
				return err
			}
			if err := timed(&cast, func(i int) error { return pushFile(clients[i], fmt.Sprintf("bench/blobs-%d", i), blobs[i]) }); err != nil {
				return err
			}
			after, err := r.quiet(ctx)
			cpu = append(cpu, (after-before).Seconds()*1e6/(blobClients*blobSize/1e6))
			return err
		},
	)
	return []row{
		{Figure: "blob push, 4 clients", Unit: "MB/s", Target: atLeast(700),
			Yardstick: spreadOf(yard), Ours: spreadOf(cast), Ratio: spreadOf(ratios(cast, yard)),
			Note: "new blobs of 64 MiB, POST and one PUT, to --data on the disk named above; yardstick: 4 goroutines copy files as long, " +
				"read and write of 1 MiB, no fsync"},
		{Figure: "blob push: SHA-256 of the same files alone", Unit: "MB/s", Yardstick: spreadOf(hash)},
		{Figure: "blob push: server CPU per MB", Unit: "µs", Ours: spreadOf(cpu)},
	}, err
}

// newBlob writes a file of new bytes.
func newBlob(path string) (blob, error) {
	f, err := os.Create(path)
	if err != nil {
		return blob{}, err
	}
	defer f.Close()
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], rand.Uint64())
	random := rand.NewChaCha8(seed)
	chunk := make([]byte, 1<<20)
	h := sha256.New()
	for range blobSize / len(chunk) {
		_, _ = random.Read(chunk) // never fails
		h.Write(chunk)
		if _, err := f.Write(chunk); err != nil {
			return blob{}, err
		}
	}
	return blob{path: path, digest: fmt.Sprintf("sha256:%x", h.Sum(nil))}, f.Close()
}

func hashFile(path string) (digest string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.CopyBuffer(h, f, make([]byte, 1<<20))
	return fmt.Sprintf("sha256:%x", h.Sum(nil)), err
}

// copyPlain copies by read and write; io.Copy between files may let the file system share the blocks, which is no copy.
func copyPlain(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	for {
		n, err := in.Read(buf)
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err == nil {
			_, err = out.Write(buf[:n])
		}
		if err != nil {
			return errors.Join(err, out.Close())
		}
	}
}

func pushFile(c *client, repository string, b blob) error {
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close()
	location, err := startUpload(c, repository, b.digest)
	if err != nil {
		return err
	}
	if err := c.send(c.head("PUT", location, "application/octet-stream", blobSize)); err != nil {
		return err
	}
	if err := c.sendFile(f, blobSize); err != nil {
		return err
	}
	a, err := c.receive(201)
	if err != nil {
		return err
	}
	if got := string(a.field("Docker-Content-Digest")); got != "" && got != b.digest {
		return fmt.Errorf("blob: got digest %s, want %s", got, b.digest)
	}
	return nil
}

// warmMemory writes a file as long as all that will be written and removes it. On a virtual machine, memory that was never used
// is many times slower at first touch than a disk's cache is later, and that would be all that is measured.
func warmMemory(dir string, size int64) error {
	f, err := os.Create(filepath.Join(dir, "warm"))
	if err != nil {
		return err
	}
	chunk := make([]byte, 1<<20)
	for ; size > 0 && err == nil; size -= int64(len(chunk)) {
		_, err = f.Write(chunk)
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// flush writes what waits for the disk, so that nobody pays for what another one wrote.
func flush(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

// together runs n at once and waits for all.
func together(n int, each func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = each(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func dialAll(r *regcast, n int) ([]*client, error) {
	var clients []*client
	for range n {
		c, err := dialHTTP(r.addr)
		if err != nil {
			closeAll(clients)
			return nil, err
		}
		clients = append(clients, c)
	}
	return clients, nil
}

func closeAll(clients []*client) {
	for _, c := range clients {
		c.close()
	}
}
