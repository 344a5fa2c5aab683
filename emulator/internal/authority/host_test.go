package authority_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/authority"
)

func TestHosts(t *testing.T) {
	a := open(t, authority.Options{Dir: t.TempDir()})
	for _, name := range []string{
		"localhost", "127.0.0.1", "::1", "127.0.0.2", "d5dregcastgateway000.apigw.localhost", "registry.localhost", "a.b.apigw.localhost",
		"D5DREGCASTGATEWAY000.apigw.LOCALHOST", "host.docker.internal", "my_service", "192.168.7.7", "fd00::7",
		"cr.yandex", "apigateway-connections.api.cloud.yandex.net", "abc.execute-api.us-east-1.amazonaws.com",
		strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + ".localhost",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			host := "example.com" // what the client says itself counts
			if net.ParseIP(name) != nil {
				host = name // addresses are not said
			}
			leaf, err := shake(a, host, name, a.Pool())
			is.NoErr(err)
			is.True(leaf.NotAfter.Sub(leaf.NotBefore) <= 398*24*time.Hour) // what Apple's clients take
			is.True(len(leaf.DNSNames)+len(leaf.IPAddresses) > 0)
		})
	}
	is := is.New(t)
	one, err := shake(a, "", "localhost", a.Pool())
	is.NoErr(err)
	same, err := shake(a, "127.0.0.1", "127.0.0.1", a.Pool())
	is.NoErr(err)
	is.True(one.Equal(same)) // what everybody uses is made once
	for _, name := range []string{
		"a..b", "a b.localhost", "-.localhost\x00", "*.localhost", strings.Repeat("a", 64) + ".localhost", strings.Repeat("a.", 200) + "localhost",
	} {
		_, err := shake(a, "", name, a.Pool())
		is.True(err != nil)
	}
}

// A client that names nobody, since it was given an address, gets a certificate for the address.
func TestAnAddress(t *testing.T) {
	is := is.New(t)
	a := open(t, authority.Options{Dir: t.TempDir()})
	l, err := tls.Listen("tcp", "127.0.0.1:0", a.Server("", "http/1.1"))
	is.NoErr(err)
	defer l.Close()
	shaken := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
		shaken <- err
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: a.Pool()})
	is.NoErr(err)
	is.NoErr(conn.Close())
	is.NoErr(<-shaken)
}

func TestAHostsCertificateIsRenewed(t *testing.T) {
	is := is.New(t)
	now := time.Now()
	a := open(t, authority.Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	get := func() *tls.Certificate {
		c, err := a.Server("").GetCertificate(&tls.ClientHelloInfo{ServerName: "localhost"})
		is.NoErr(err)
		return c
	}
	first := get()
	now = first.Leaf.NotAfter.Add(-time.Minute)
	is.Equal(get(), first)
	now = first.Leaf.NotAfter.Add(time.Minute)
	second := get()
	is.True(second.Leaf.NotAfter.After(now))
	is.NoErr(second.Leaf.CheckSignatureFrom(parse(t, a)))
}

func TestManyHosts(t *testing.T) {
	is := is.New(t)
	a := open(t, authority.Options{Dir: t.TempDir()})
	config := a.Server("")
	for i := range 1100 { // more than are kept
		_, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: fmt.Sprintf("h%d.localhost", i)})
		is.NoErr(err)
	}
	_, err := shake(a, "", "localhost", a.Pool())
	is.NoErr(err)
}
