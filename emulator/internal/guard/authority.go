package guard

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// life of an authority. It begins in the past, since clocks differ.
const life = 5 * 365 * 24 * time.Hour

// Authority signs certificates for hosts as they are asked for.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey // of the authority, and of every certificate: they live in one process

	mu    sync.Mutex
	hosts map[string]*tls.Certificate
}

// NewAuthority makes an authority with a new key, which is kept in memory only.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	a := &Authority{key: key, hosts: make(map[string]*tls.Certificate)}
	t := template("regcast local authority")
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand does not fail
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"regcast"}},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(life),
	}
}

// PEM returns the authority's certificate.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// WriteBundle writes a file of this machine's trusted certificates and the authority's own, and returns its path: clients that take such
// a file take it in place of the machine's.
func (a *Authority) WriteBundle(dir string) (string, error) {
	var bundle bytes.Buffer
	for _, name := range [...]string{
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
	} {
		if roots, err := os.ReadFile(name); err == nil {
			bundle.Write(roots)
			bundle.WriteByte('\n')
			break
		}
	}
	bundle.Write(a.PEM())
	path := filepath.Join(dir, "trusted.pem")
	if err := os.WriteFile(path, bundle.Bytes(), 0o644); err != nil {
		return "", fmt.Errorf("authority: %w", err)
	}
	return path, nil
}

// Config returns the TLS side of a host that the client named before it said so itself.
func (a *Authority) Config(host string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName != "" {
				return a.certificate(hello.ServerName)
			}
			return a.certificate(host)
		},
	}
}

// manyHosts bounds the certificates that are kept.
const manyHosts = 1000

func (a *Authority) certificate(host string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.hosts[host]; c != nil {
		return c, nil
	}
	t := template(host)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.NotAfter = t.NotBefore.Add(397 * 24 * time.Hour) // what some clients allow at most
	if ip := net.ParseIP(host); ip != nil {
		t.IPAddresses = []net.IP{ip}
	} else {
		t.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("authority: %s: %w", host, err)
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: a.key}
	if len(a.hosts) >= manyHosts {
		clear(a.hosts)
	}
	a.hosts[host] = c
	return c, nil
}
