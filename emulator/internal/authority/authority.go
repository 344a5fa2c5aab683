// Package authority is the certificate authority of a data folder: made once, kept, and asked for a certificate of every host that a
// client calls the emulator by.
//
// Its key lies in the data folder, for its owner alone, and is good for nothing but what a client of this machine was told to trust.
package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// The files of an authority's folder.
const (
	keyFile    = "ca.key"      // key and certificate in one, so that they cannot differ
	certFile   = "ca.pem"      // the certificate, for others to trust
	bundleFile = "trusted.pem" // with this machine's trusted ones
	lockFile   = "lock"
)

// Options open an Authority.
type Options struct {
	// Dir is the authority's folder. It is made when it is not there.
	Dir string
	// Roots is the file of the certificates that this machine trusts. Empty: the first of those that systems have.
	Roots string
	// Warn is told why an authority that was kept is not used any more. Nil: nobody is.
	Warn func(string)
	// Now tells the time. Nil: the machine's. Clients use their own, so a clock that is moved by hand is none for this.
	Now func() time.Time
}

// Authority signs certificates for hosts as they are asked for. Its methods may be called at once.
type Authority struct {
	dir, roots string
	now        func() time.Time
	root       *root

	mu    sync.Mutex
	key   *ecdsa.PrivateKey // of every certificate of a host: they live in this process
	hosts map[string]*tls.Certificate
}

// Open returns the authority of a folder. One that has expired, or that cannot be read, is made anew, and Warn is told; whoever
// trusted it must be given the new one.
func Open(o Options) (*Authority, error) {
	a := &Authority{dir: o.Dir, roots: o.Roots, now: o.Now, hosts: make(map[string]*tls.Certificate)}
	if a.now == nil {
		a.now = time.Now
	}
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	if err := a.alone(func() error { return a.open(o.Warn) }); err != nil {
		return nil, err
	}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	return a, nil
}

// alone does what no other process may do to the folder meanwhile.
func (a *Authority) alone(do func() error) error {
	lock := flock.New(filepath.Join(a.dir, lockFile))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("authority: %s: %w", lock.Path(), err)
	}
	if err := errors.Join(do(), lock.Close()); err != nil {
		return fmt.Errorf("authority: %w", err)
	}
	return nil
}

func (a *Authority) open(warn func(string)) (err error) {
	path := filepath.Join(a.dir, keyFile)
	a.root, err = readRoot(path, a.now())
	switch {
	case err == nil:
		return a.write(certFile, a.PEM(), 0o644)
	case !os.IsNotExist(err) && warn != nil:
		warn(fmt.Sprintf("authority: %v; a new one is made, and clients that trusted the old one must be given %s", err, a.File()))
	}
	if a.root, err = newRoot(a.now()); err != nil {
		return err
	}
	data, err := a.root.encode()
	if err != nil {
		return err
	}
	if err := a.write(keyFile, data, 0o600); err != nil {
		return err
	}
	return a.write(certFile, a.PEM(), 0o644)
}

// write makes a file have this content: all of it or, when the process is killed, what it had before. It is called alone.
func (a *Authority) write(name string, data []byte, mode os.FileMode) error {
	path := filepath.Join(a.dir, name)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := os.WriteFile(path+".new", data, mode); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// PEM returns the authority's certificate.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.cert.Raw})
}

// File is the path of the authority's certificate.
func (a *Authority) File() string { return filepath.Join(a.dir, certFile) }

// Pool returns a pool of the authority alone, for clients in this process.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root.cert)
	return pool
}

// Bundle writes a file of this machine's trusted certificates and the authority's own, and returns its path: clients that take such a
// file take it in place of the machine's. It is not whole when no file of the machine's certificates was found, as on Windows.
func (a *Authority) Bundle() (path string, whole bool, err error) {
	var bundle bytes.Buffer
	for _, name := range [...]string{
		a.roots,
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
	} {
		if name == "" {
			continue
		}
		if roots, err := os.ReadFile(name); err == nil {
			bundle.Write(roots)
			if !bytes.HasSuffix(roots, []byte("\n")) {
				bundle.WriteByte('\n')
			}
			whole = true
			break
		}
	}
	if !bytes.Contains(bundle.Bytes(), a.PEM()) { // roots may be such a bundle
		bundle.Write(a.PEM())
	}
	if err := a.alone(func() error { return a.write(bundleFile, bundle.Bytes(), 0o644) }); err != nil {
		return "", false, err
	}
	return filepath.Join(a.dir, bundleFile), whole, nil
}
