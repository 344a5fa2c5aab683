package authority_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/authority"
)

func open(t testing.TB, o authority.Options) *authority.Authority {
	t.Helper()
	a, err := authority.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// shake returns the certificate that a client that trusts roots is shown for a name, or why it does not take it.
func shake(a *authority.Authority, host, name string, roots *x509.CertPool) (*x509.Certificate, error) {
	near, far := net.Pipe()
	defer near.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer far.Close()
		_ = tls.Server(far, a.Server(host, "h2")).Handshake() // the client tells
	}()
	client := tls.Client(near, &tls.Config{ServerName: name, RootCAs: roots, NextProtos: []string{"h2"}})
	err := client.Handshake()
	_ = near.Close()
	<-served
	if err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates[0], nil
}

func TestItStaysTheSame(t *testing.T) {
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	first := open(t, authority.Options{Dir: dir})
	second := open(t, authority.Options{Dir: dir, Warn: func(s string) { t.Error(s) }})
	is.Equal(string(first.PEM()), string(second.PEM()))
	_, err := shake(second, "", "localhost", first.Pool())
	is.NoErr(err)
	kept, err := os.ReadFile(second.File())
	is.NoErr(err)
	is.Equal(string(kept), string(first.PEM()))
	_, err = shake(open(t, authority.Options{Dir: t.TempDir()}), "", "localhost", first.Pool())
	is.True(err != nil) // another's is another
	if runtime.GOOS != "windows" {
		info, err := os.Stat(filepath.Join(dir, "ca.key"))
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))
	}
}

func TestManyAtOnceMakeOne(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	found := make([]string, 10)
	var all sync.WaitGroup
	for i := range found {
		all.Go(func() {
			if a, err := authority.Open(authority.Options{Dir: dir}); err == nil {
				found[i] = string(a.PEM())
			}
		})
	}
	all.Wait()
	for _, pem := range found {
		is.Equal(pem, found[0])
	}
	is.True(found[0] != "")
}

func block(t *testing.T, kind string, key any, cert *x509.Certificate) []byte {
	t.Helper()
	if kind == "PRIVATE KEY" {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	k := key.(*ecdsa.PrivateKey)
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestWhatCannotBeUsedIsMadeAnew(t *testing.T) {
	one, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	two, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	good := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	old, early, leaf := *good, *good, *good
	old.NotAfter = now.Add(-time.Minute)
	early.NotBefore = now.Add(time.Minute)
	leaf.IsCA = false
	key := block(t, "PRIVATE KEY", one, nil)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":            {nil, "no private key"},
		"garbage":          {[]byte("\x00\xff"), "no private key"},
		"key alone":        {key, "no certificate"},
		"certificate only": {block(t, "CERTIFICATE", one, good), "no private key"},
		"cut":              {key[:len(key)/2], "no private key"},
		"broken key":       {[]byte("-----BEGIN PRIVATE KEY-----\nMIG=\n-----END PRIVATE KEY-----\n"), "private key"},
		"broken":           {append(bytes.Clone(key), "-----BEGIN CERTIFICATE-----\nMIG=\n-----END CERTIFICATE-----\n"...), "certificate"},
		"of another key":   {append(bytes.Clone(key), block(t, "CERTIFICATE", two, good)...), "not that of its private key"},
		"RSA":              {block(t, "PRIVATE KEY", other, nil), "ECDSA"},
		"no authority":     {append(bytes.Clone(key), block(t, "CERTIFICATE", one, &leaf)...), "not one of an authority"},
		"expired":          {append(bytes.Clone(key), block(t, "CERTIFICATE", one, &old)...), "it is good from"},
		"not yet good":     {append(bytes.Clone(key), block(t, "CERTIFICATE", one, &early)...), "it is good from"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			path := filepath.Join(dir, "ca.key")
			is.NoErr(os.WriteFile(path, c.file, 0o600))
			var said []string
			a := open(t, authority.Options{Dir: dir, Warn: func(s string) { said = append(said, s) }})
			is.Equal(len(said), 1)
			for _, want := range []string{path, c.want, "must be given " + a.File()} {
				if !strings.Contains(said[0], want) {
					t.Errorf("said %q, without %q", said[0], want)
				}
			}
			_, err := shake(a, "", "localhost", a.Pool())
			is.NoErr(err)
			again := open(t, authority.Options{Dir: dir, Warn: func(s string) { t.Error(s) }})
			is.Equal(string(again.PEM()), string(a.PEM()))
		})
	}
	t.Run("good", func(t *testing.T) { // the control: what the others lack is all that was wrong with them
		is := is.New(t)
		dir := t.TempDir()
		cert := block(t, "CERTIFICATE", one, good)
		is.NoErr(os.WriteFile(filepath.Join(dir, "ca.key"), append(bytes.Clone(key), cert...), 0o600))
		a := open(t, authority.Options{Dir: dir, Warn: func(s string) { t.Error(s) }})
		is.Equal(string(a.PEM()), string(cert))
		leaf, err := shake(a, "", "localhost", a.Pool())
		is.NoErr(err)
		is.True(!leaf.NotAfter.After(good.NotAfter)) // and nothing outlives who signed it
	})
}

// What a killed process leaves behind does no harm, and nothing that is wrong with a folder is kept quiet.
func TestFolders(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	a := open(t, authority.Options{Dir: dir})
	is.NoErr(os.WriteFile(filepath.Join(dir, "ca.key.new"), []byte("half of"), 0o600))
	is.NoErr(os.Remove(a.File()))
	again := open(t, authority.Options{Dir: dir, Warn: func(s string) { t.Error(s) }})
	is.Equal(string(again.PEM()), string(a.PEM()))
	_, err := os.Stat(a.File())
	is.NoErr(err) // it is there again

	file := filepath.Join(dir, "file")
	is.NoErr(os.WriteFile(file, nil, 0o600))
	_, err = authority.Open(authority.Options{Dir: filepath.Join(file, "authority")})
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), file))
}

func TestTheBundleHasWhatTheMachineTrusts(t *testing.T) {
	is := is.New(t)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	other := open(t, authority.Options{Dir: t.TempDir()})
	is.NoErr(os.WriteFile(roots, other.PEM(), 0o600))
	dir := t.TempDir()
	a := open(t, authority.Options{Dir: dir, Roots: roots})
	path, whole, err := a.Bundle()
	is.NoErr(err)
	is.True(whole)
	data, err := os.ReadFile(path)
	is.NoErr(err)
	pool := x509.NewCertPool()
	is.True(pool.AppendCertsFromPEM(data))
	for _, who := range []*authority.Authority{a, other} {
		_, err := shake(who, "", "localhost", pool)
		is.NoErr(err)
	}
	// A shell that has been told of the bundle starts the next emulator with it: it does not grow.
	again := open(t, authority.Options{Dir: dir, Roots: path})
	_, _, err = again.Bundle()
	is.NoErr(err)
	now, err := os.ReadFile(path)
	is.NoErr(err)
	is.Equal(string(now), string(data))
}
