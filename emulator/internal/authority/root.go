package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"time"
)

const (
	rootLife = 10 * 365 * 24 * time.Hour
	// early is how long before now a certificate begins, since clocks differ.
	early = 24 * time.Hour
)

// root is what signs.
type root struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newRoot(now time.Time) (*root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template("", now, now.Add(rootLife))
	t.Subject.CommonName = fmt.Sprintf("regcast local authority %x", t.SerialNumber.Bytes()[:4]) // stores hold those of several folders
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &root{cert, key}, err
}

func template(name string, now, until time.Time) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand does not fail
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"regcast"}},
		NotBefore: now.Add(-early), NotAfter: until,
	}
}

// readRoot returns what encode has written, if it is good now. The error is os.ErrNotExist when there is none.
func readRoot(path string, now time.Time) (*root, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := parseRoot(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if now.Before(r.cert.NotBefore) || now.After(r.cert.NotAfter) {
		return nil, fmt.Errorf("%s: it is good from %s to %s, and now it is %s", path, r.cert.NotBefore.Format(time.RFC3339),
			r.cert.NotAfter.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return r, nil
}

func parseRoot(data []byte) (*root, error) {
	r := &root{}
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("private key: %w", err)
			}
			var ok bool
			if r.key, ok = key.(*ecdsa.PrivateKey); !ok {
				return nil, fmt.Errorf("private key: got %T, want one of ECDSA", key)
			}
		case "CERTIFICATE":
			var err error
			if r.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
				return nil, fmt.Errorf("certificate: %w", err)
			}
		}
	}
	switch {
	case r.key == nil:
		return nil, errors.New("there is no private key in it")
	case r.cert == nil:
		return nil, errors.New("there is no certificate in it")
	case !r.key.PublicKey.Equal(r.cert.PublicKey):
		return nil, errors.New("its certificate is not that of its private key")
	case !r.cert.IsCA || !r.cert.BasicConstraintsValid:
		return nil, errors.New("its certificate is not one of an authority")
	}
	return r, nil
}

func (r *root) encode() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(r.key)
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer
	_ = pem.Encode(&data, &pem.Block{Type: "PRIVATE KEY", Bytes: key}) // a buffer takes everything
	_ = pem.Encode(&data, &pem.Block{Type: "CERTIFICATE", Bytes: r.cert.Raw})
	return data.Bytes(), nil
}
