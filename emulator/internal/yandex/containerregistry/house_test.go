package containerregistry_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/matryer/is"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/containerregistry"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/regcast/regcast/emulator/internal/yandex/wire"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// house is the real registry and the service on one loopback port, over one journal, as in the emulator.
type house struct {
	t       *testing.T
	dir     string
	journal *journal.Memory
	broken  atomic.Bool // the journal takes no changes
	clock   *clock.Manual
	host    string
	client  *http.Client
	room    *registry.Registry
	service *containerregistry.Service
	close   func()
	read    uint64 // the journal up to here has been taken
	checked *checked

	registries   pb.RegistryServiceClient
	repositories pb.RepositoryServiceClient
	images       pb.ImageServiceClient
}

func open(t *testing.T, change ...func(*containerregistry.Options)) *house {
	t.Helper()
	j := journal.NewMemory(journal.MemoryOptions{})
	t.Cleanup(func() { _ = j.Close() })
	return begin(&house{t: t, dir: t.TempDir(), journal: j, clock: clock.NewManual(start), checked: &checked{}}, change...)
}

// restart is the same data folder and journal in another process.
func (h *house) restart() *house {
	h.t.Helper()
	h.close()
	return begin(&house{t: h.t, dir: h.dir, journal: h.journal, clock: h.clock, read: h.read, checked: h.checked})
}

func begin(h *house, change ...func(*containerregistry.Options)) *house {
	t := h.t
	t.Helper()
	is := is.New(t)
	var err error
	h.room, err = registry.New(registry.Options{Dir: h.dir, Commit: h.commit, Clock: h.clock, Default: yandex.RegistryID})
	is.NoErr(err)
	for entry, err := range h.journal.Read(t.Context(), h.room.From()+1, journal.Changes) {
		is.NoErr(err)
		r, err := events.DecodeRecord(entry.Data)
		is.NoErr(err)
		is.NoErr(h.room.Apply(entry.Seq, r.Changes))
	}
	store := resource.New(resource.Options{Clock: h.clock, Values: h.journal})
	bindings, err := resource.OpenBindings(t.Context(), store)
	is.NoErr(err)
	o := containerregistry.Options{Store: store, Bindings: bindings, Room: h.room, Folder: func(_ context.Context, id string) error {
		if id != yandex.FolderID && id != otherFolder {
			return status.Errorf(codes.NotFound, "Folder %s not found", id)
		}
		return nil
	}}
	for _, f := range change {
		f(&o)
	}
	h.service, err = containerregistry.New(t.Context(), o)
	is.NoErr(err)
	h.service.DeclareDefault()
	apis := wire.New(wire.Options{Clock: h.clock})
	h.service.Register(apis)
	operation.RegisterOperationServiceServer(apis, store.Operations())
	is.NoErr(apis.Start())

	mux := http.NewServeMux()
	mux.Handle("/v2/", h.room)
	mux.Handle("/", apis)
	server := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	h.host = l.Addr().String()
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(l) })
	h.client = &http.Client{Transport: &http.Transport{}}
	conn, err := grpc.NewClient(h.host, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(h.checked.intercept(t)))
	is.NoErr(err)
	h.registries, h.repositories, h.images = pb.NewRegistryServiceClient(conn), pb.NewRepositoryServiceClient(conn), pb.NewImageServiceClient(conn)
	h.close = sync.OnceFunc(func() {
		_ = conn.Close()
		h.client.CloseIdleConnections()
		_ = server.Close()
		served.Wait()
		store.Close()
		if err := errors.Join(apis.Close(context.Background()), h.room.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.close)
	return h
}

const otherFolder = "b1gother000000000000"

// commit puts changes and their events on record.
func (h *house) commit(ctx context.Context, changes []events.Change) (uint64, error) {
	r := events.Record{Origin: events.OriginRegistry, Changes: changes}
	wording := words.Wording{CloudID: yandex.CloudID, FolderID: yandex.FolderID}
	for i, c := range changes {
		if e, ok := wording.Word(i, c); ok {
			r.Events = append(r.Events, e)
		}
	}
	if h.broken.Load() {
		return 0, errors.New("no journal")
	}
	data, err := r.Encode()
	if err != nil {
		return 0, err
	}
	return h.journal.Append(ctx, journal.Changes, data)
}

// events returns what has happened since the last call: type, image id, tag.
func (h *house) events() []string {
	h.t.Helper()
	var out []string
	for entry, err := range h.journal.Read(h.t.Context(), h.read+1, journal.Changes) {
		if err != nil {
			h.t.Fatal(err)
		}
		h.read = entry.Seq
		r, err := events.DecodeRecord(entry.Data)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, e := range r.Events {
			var m words.Message
			if err := json.Unmarshal(e.Body, &m); err != nil {
				h.t.Fatal(err)
			}
			out = append(out, strings.Join(strings.Fields(e.Type+" "+m.Details.ImageID+" "+m.Details.Tag), " "))
		}
	}
	return out
}

// push pushes a random image of some layers of 1000 bytes under a name with a tag, a second after what came before, and returns its id.
func (h *house) push(ref string, layers int64) (id string, image v1.Image) {
	h.t.Helper()
	image, err := random.Image(1000, layers)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.write(ref, image), image
}

func (h *house) write(ref string, image v1.Image) (id string) {
	h.t.Helper()
	is := is.New(h.t)
	h.clock.Advance(time.Second)
	is.NoErr(remote.Write(h.ref(ref), image, remote.WithTransport(h.client.Transport)))
	d, err := image.Digest()
	is.NoErr(err)
	repository, _, _ := strings.Cut(ref, ":")
	id, repository, ok := h.room.Split(repository)
	is.True(ok)
	return words.ImageID(id, repository, d.String())
}

func (h *house) writeIndex(ref string, index v1.ImageIndex) {
	h.t.Helper()
	h.clock.Advance(time.Second)
	is.New(h.t).NoErr(remote.WriteIndex(h.ref(ref), index, remote.WithTransport(h.client.Transport)))
}

// pull returns an image by its id.
func (h *house) pull(id string) v1.Image {
	h.t.Helper()
	is := is.New(h.t)
	m, err := h.images.Get(h.t.Context(), &pb.GetImageRequest{ImageId: id})
	is.NoErr(err)
	image, err := remote.Image(h.ref(m.Name+"@"+m.Digest), remote.WithTransport(h.client.Transport))
	is.NoErr(err)
	return image
}

func (h *house) ref(text string) name.Reference {
	h.t.Helper()
	parsed, err := name.ParseReference(h.host + "/" + text)
	is.New(h.t).NoErr(err)
	return parsed
}

// rest calls as curl does and returns status and body.
func (h *house) rest(method, path string) (int, map[string]any) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, "http://"+h.host+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	answer, err := h.client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	var body map[string]any
	_ = json.Unmarshal(data, &body) // a manifest's 404 is JSON too; what is not is nil
	return answer.StatusCode, body
}

// create makes a registry in the default folder.
func (h *house) create(name string) string {
	h.t.Helper()
	op, err := h.registries.Create(h.t.Context(), &pb.CreateRegistryRequest{FolderId: yandex.FolderID, Name: name})
	if err != nil {
		h.t.Fatal(err)
	}
	var m pb.Registry
	if err := op.GetResponse().UnmarshalTo(&m); err != nil {
		h.t.Fatal(err)
	}
	return m.Id
}

// code is the status of a call's error.
func code[T any](_ T, err error) codes.Code { return status.Code(err) }
