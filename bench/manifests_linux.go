package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	manifestRounds  = 5
	manifestClients = 8
	manifestsEach   = 1250 // that a client pushes in a round
	manifestType    = "application/vnd.oci.image.manifest.v1+json"
	configType      = "application/vnd.oci.image.config.v1+json"
	layerType       = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// image is the blobs that every manifest of a repository names.
type image struct {
	repository    string
	config, layer []byte
}

// pushImage pushes a config and a layer, so that manifests can follow.
func pushImage(c *client, repository string) (image, error) {
	i := image{repository: repository, config: []byte(`{"architecture":"amd64","os":"linux"}`), layer: []byte("layer of " + repository)}
	return i, errors.Join(pushBlob(c, repository, i.config), pushBlob(c, repository, i.layer))
}

// manifest returns a manifest with a digest of its own.
func (i image) manifest(n int) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},`+
		`"layers":[{"mediaType":%q,"digest":%q,"size":%d}],"annotations":{"org.opencontainers.image.version":"%08d"}}`,
		manifestType, configType, digestOf(i.config), len(i.config), layerType, digestOf(i.layer), len(i.layer), n)
}

// put is the request that pushes manifest n under a tag.
func (i image) put(c *client, tag string, n int) []byte {
	return c.request("PUT", "/v2/"+i.repository+"/manifests/"+tag, manifestType, i.manifest(n))
}

// pusher is a client that pushes manifests to a repository of its own.
type pusher struct {
	lane
	image
	pushed int
}

// prepare makes the requests of a round.
func (p *pusher) prepare() {
	p.requests = p.requests[:0]
	for range manifestsEach {
		p.pushed++
		p.requests = append(p.requests, p.put(p.client, p.lastTag(), p.pushed))
	}
}

func (p *pusher) lastTag() string { return fmt.Sprintf("v%06d", p.pushed) }

// measureManifests measures how many images a second become known, beside a loop that writes files as long.
func measureManifests(ctx context.Context, b *bench) ([]row, error) {
	dir := filepath.Join(b.dir, "manifests")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r, err := b.start(ctx, "--data", filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	defer r.stop()
	clients, err := dialAll(r, manifestClients)
	if err != nil {
		return nil, err
	}
	defer closeAll(clients)
	pushers, lanes := make([]*pusher, manifestClients), make([]*lane, manifestClients)
	for i, c := range clients {
		img, err := pushImage(c, fmt.Sprintf("bench/app-%d", i))
		if err != nil {
			return nil, err
		}
		pushers[i] = &pusher{lane: lane{client: c, take: func(a answer) error {
			if err := a.want(201); err != nil {
				return fmt.Errorf("PUT %s: %w", img.repository, err)
			}
			return nil
		}}, image: img}
		lanes[i] = &pushers[i].lane
	}

	const perRound = manifestClients * manifestsEach
	size := len(pushers[0].manifest(0))
	var yard, cast, cpu []float64
	rounds := b.roundsOr(manifestRounds)
	if err := warmMemory(dir, int64(rounds)*2*perRound*8192); err != nil { // a page, an inode and an entry each
		return nil, err
	}
	written := 0
	err = b.rounds(ctx, rounds,
		func() error {
			written++
			took, err := writeFiles(filepath.Join(dir, fmt.Sprint("files-", written)), pushers[0].manifest(0))
			yard = append(yard, perRound/took.Seconds())
			return err
		},
		func() error {
			for _, p := range pushers {
				p.prepare()
			}
			if err := flush(dir); err != nil {
				return err
			}
			before, err := r.quiet(ctx)
			if err != nil {
				return err
			}
			start := time.Now()
			if err := drive(ctx, lanes); err != nil {
				return err
			}
			cast = append(cast, perRound/time.Since(start).Seconds())
			after, err := r.quiet(ctx)
			cpu = append(cpu, (after-before).Seconds()*1e6/perRound)
			return err
		},
	)
	if err == nil {
		err = verify(pushers)
	}
	return []row{
		{Figure: "manifest push, 8 clients", Unit: "/s", Target: atLeast(10000),
			Yardstick: spreadOf(yard), Ours: spreadOf(cast), Ratio: spreadOf(ratios(cast, yard)),
			Note: fmt.Sprintf("%d new images of %d bytes a round, each under a new tag, 8 repositories, to --data on the disk named above; "+
				"yardstick: 8 goroutines write files as long, no fsync", perRound, size)},
		{Figure: "manifest push: server CPU per manifest", Unit: "µs", Ours: spreadOf(cpu)},
	}, err
}

// verify looks whether the last image of each repository is there, so that no speed comes from forgetting.
func verify(pushers []*pusher) error {
	for _, p := range pushers {
		a, err := p.do(200, "GET", "/v2/"+p.repository+"/manifests/"+p.lastTag(), manifestType, nil)
		if err != nil {
			return err
		}
		if got, want := digestOf(a.body), digestOf(p.manifest(p.pushed)); got != want {
			return fmt.Errorf("verify %s: got %s, want %s", p.repository, got, want)
		}
	}
	return nil
}

// writeFiles is the yardstick: as many files as a round has manifests, in a folder for each writer.
func writeFiles(dir string, data []byte) (took time.Duration, err error) {
	if err := flush(filepath.Dir(dir)); err != nil {
		return 0, err
	}
	start := time.Now()
	err = together(manifestClients, func(i int) error {
		folder := filepath.Join(dir, fmt.Sprint(i))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		for n := range manifestsEach {
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(n)), data, 0o644); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(start), err
}
