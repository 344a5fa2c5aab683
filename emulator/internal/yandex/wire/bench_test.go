package wire_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

// A call of a small service over loopback, checked, with everything that stands round it.
func BenchmarkGRPC(b *testing.B) {
	h := open(b, wire.Options{})
	client := triggers.NewTriggerServiceClient(h.dial(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Create(b.Context(), pushes("one")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkREST(b *testing.B) {
	h := open(b, wire.Options{})
	b.ReportAllocs()
	for b.Loop() {
		response, err := h.plain.Client().Post(h.plain.URL+"/triggers/v1/triggers", "application/json", strings.NewReader(created))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
			b.Fatal(response.Status, err)
		}
		if err := response.Body.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// What every request of the port pays to be told apart.
func BenchmarkClaims(b *testing.B) {
	h := open(b, wire.Options{})
	r, err := http.NewRequestWithContext(b.Context(), "GET", "/v2/crp1/team/app/manifests/latest", nil)
	h.is.NoErr(err)
	b.ReportAllocs()
	for b.Loop() {
		if h.server.Claims(r) {
			b.Fatal("claimed")
		}
	}
}
