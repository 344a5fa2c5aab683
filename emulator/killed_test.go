package emulator_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	cr "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// victim names the data folder of an emulator that is about to be killed.
const victim = "REGCAST_TEST_VICTIM"

// create makes resources for ever, and tells of each when it is acknowledged.
func create(t *testing.T, h *rights, name string) {
	c, folder := h.as(h.developer), h.Defaults().FolderID
	ctx := t.Context()
	say := func(kind string, op *operation.Operation, err error) {
		if err := finished(op, err); err != nil {
			t.Error(err)
			return
		}
		fmt.Println("made", kind, op.Id) // one write
	}
	accounts, registries := iam.NewServiceAccountServiceClient(c), cr.NewRegistryServiceClient(c)
	gateways, events := apigateway.NewApiGatewayServiceClient(c), triggers.NewTriggerServiceClient(c)
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s-%d", name, n)
		op, err := accounts.Create(ctx, &iam.CreateServiceAccountRequest{FolderId: folder, Name: name})
		say("account "+name, op, err)
		op, err = registries.Create(ctx, &cr.CreateRegistryRequest{FolderId: folder, Name: name})
		say("registry "+name, op, err)
		op, err = gateways.Create(ctx, &apigateway.CreateApiGatewayRequest{FolderId: folder, Name: name,
			Spec: &apigateway.CreateApiGatewayRequest_OpenapiSpec{OpenapiSpec: spec}})
		say("gateway "+name, op, err)
		op, err = events.Create(ctx, &triggers.CreateTriggerRequest{FolderId: folder, Name: name,
			Rule: broadcastRule(h.Defaults().RegistryID, h.Defaults().GatewayID, h.Defaults().ServiceAccountID)})
		say("trigger "+name, op, err)
		if err == nil {
			var about triggers.CreateTriggerMetadata
			if err := op.Metadata.UnmarshalTo(&about); err != nil {
				t.Error(err)
			}
			op, err = events.Pause(ctx, &triggers.PauseTriggerRequest{TriggerId: about.TriggerId})
			say("paused "+name, op, err)
		}
	}
}

// What a client was told is made is there after kill -9, and what is there is whole.
func TestWhatIsMadeSurvivesKill9(t *testing.T) {
	if data := os.Getenv(victim); data != "" {
		h := openRights(t, emulator.Config{Data: data})
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() { create(t, h, fmt.Sprintf("pid%d-%d", os.Getpid(), n)) })
		}
		all.Wait()
		return
	}
	data := t.TempDir()
	acknowledged := map[string]bool{}
	for range 4 { // the same folder is killed again and again
		is := is.New(t)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		c := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), victim+"="+data)
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		is.NoErr(err)
		is.NoErr(c.Start())
		after, lines := rand.IntN(300), 0
		for in := bufio.NewScanner(out); in.Scan(); lines++ {
			f := strings.Fields(in.Text())
			if len(f) != 4 || f[0] != "made" {
				t.Fatal(in.Text())
			}
			acknowledged[f[1]+" "+f[2]] = true
			if lines == after {
				is.NoErr(c.Process.Kill())
			}
		}
		is.True(c.Wait() != nil) // it was killed
		cancel()
		is.True(lines > after)
		survived(t, data, acknowledged)
	}
	t.Logf("%d acknowledgements", len(acknowledged))
}

func survived(t *testing.T, data string, acknowledged map[string]bool) {
	t.Helper()
	is := is.New(t)
	h := &rights{Emulator: emulatortest.Start(t, emulator.Config{Data: data}), t: t, developer: "Bearer any"}
	defer func() { is.NoErr(h.Close(t.Context())) }()
	c, folder, there := h.as(h.developer), h.Defaults().FolderID, map[string]bool{}
	running := map[string]bool{}
	for _, t := range h.Triggers() {
		running[t.ID] = true
	}
	for token := ""; ; {
		page, err := triggers.NewTriggerServiceClient(c).List(t.Context(), &triggers.ListTriggersRequest{FolderId: folder, PageSize: 1000, PageToken: token})
		is.NoErr(err)
		for _, m := range page.Triggers {
			there["trigger "+m.Name], there["paused "+m.Name] = true, m.Status == triggers.Trigger_PAUSED
			is.True(running[m.Id] && m.Rule.GetContainerRegistry().GetGatewayWebsocketBroadcast() != nil && m.CreatedAt != nil)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	for token := ""; ; {
		page, err := apigateway.NewApiGatewayServiceClient(c).List(t.Context(), &apigateway.ListApiGatewayRequest{FolderId: folder, PageSize: 1000, PageToken: token})
		is.NoErr(err)
		for _, m := range page.ApiGateways {
			there["gateway "+m.Name] = true
			is.Equal(m.Status, apigateway.ApiGateway_ACTIVE)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	for token := ""; ; {
		page, err := cr.NewRegistryServiceClient(c).List(t.Context(), &cr.ListRegistriesRequest{FolderId: folder, PageSize: 1000, PageToken: token})
		is.NoErr(err)
		for _, m := range page.Registries {
			there["registry "+m.Name] = true
			is.True(m.Status == cr.Registry_ACTIVE && m.Id != "")
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	for token := ""; ; {
		page, err := iam.NewServiceAccountServiceClient(c).List(t.Context(), &iam.ListServiceAccountsRequest{FolderId: folder, PageSize: 1000, PageToken: token})
		is.NoErr(err)
		for _, m := range page.ServiceAccounts {
			there["account "+m.Name] = true
			is.True(m.Status == iam.ServiceAccount_ACTIVE && m.FolderId == folder)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	for what := range acknowledged {
		if !there[what] {
			t.Errorf("%s was acknowledged and is not there", what)
		}
	}
}

// BenchmarkRestore is a start with a thousand triggers that clients have made.
func BenchmarkRestore(b *testing.B) {
	const many = 1000
	data := b.TempDir()
	em, err := emulator.New(emulator.Config{Data: data})
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = em.Serve(b.Context()) }()
	c, err := grpc.NewClient("passthrough:///"+em.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	d := em.Defaults()
	for n := range many {
		op, err := triggers.NewTriggerServiceClient(c).Create(b.Context(), &triggers.CreateTriggerRequest{
			FolderId: d.FolderID, Name: fmt.Sprintf("trigger-%d", n), Rule: broadcastRule(d.RegistryID, d.GatewayID, d.ServiceAccountID),
		})
		if err := finished(op, err); err != nil {
			b.Fatal(err)
		}
	}
	if err := em.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		em, err := emulator.New(emulator.Config{Data: data})
		if err != nil {
			b.Fatal(err)
		}
		if got := len(em.Triggers()); got != many+1 {
			b.Fatalf("%d triggers", got)
		}
		b.StopTimer()
		if err := em.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
