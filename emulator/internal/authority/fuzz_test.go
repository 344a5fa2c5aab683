package authority_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/regcast/regcast/emulator/internal/authority"
)

func parse(t testing.TB, a *authority.Authority) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(a.PEM())
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Whatever the file holds, there is an authority afterwards that can sign.
func FuzzKeyFile(f *testing.F) {
	dir := f.TempDir()
	open(f, authority.Options{Dir: dir})
	good, err := os.ReadFile(filepath.Join(dir, "ca.key"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, "ca.key"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		a := open(t, authority.Options{Dir: dir})
		c, err := a.Server("").GetCertificate(&tls.ClientHelloInfo{ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Leaf.CheckSignatureFrom(parse(t, a)); err != nil {
			t.Fatal(err)
		}
	})
}

// A name is refused, or its certificate is good for it.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"localhost", "d5d.apigw.localhost", ".apigw.localhost", "127.0.0.1", "::1", "cr.yandex", "-a", "A_b.c.", "1.2", "*.x"} {
		f.Add(s)
	}
	config := open(f, authority.Options{Dir: f.TempDir()}).Server("")
	f.Fuzz(func(t *testing.T, host string) {
		if host == "" {
			return // it is asked for by address then
		}
		c, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: host})
		if err != nil {
			return
		}
		if err := c.Leaf.VerifyHostname(host); err != nil {
			t.Fatal(err)
		}
	})
}

// What a start pays for an authority.
func BenchmarkNew(b *testing.B) {
	parent, n := b.TempDir(), 0
	for b.Loop() {
		n++
		open(b, authority.Options{Dir: filepath.Join(parent, strconv.Itoa(n))})
	}
}
