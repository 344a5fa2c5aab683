package registry

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"
	"strings"
)

// The algorithms of content addresses. Both are registered by the OCI image specification.
const (
	sha256Name = "sha256"
	sha512Name = "sha512"
)

// digest is the address of content, "sha256:<hex>". A value of this type is valid: file paths are made of it.
type digest string

// parseDigest accepts only what content can have: a known algorithm and all of its lower-case hex digits.
func parseDigest(s string) (digest, bool) {
	algorithm, digits, ok := strings.Cut(s, ":")
	if !ok || !knownAlgorithm(algorithm) || len(digits) != hex.EncodedLen(newHash(algorithm).Size()) {
		return "", false
	}
	for i := range len(digits) {
		if c := digits[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
	}
	return digest(s), true
}

func knownAlgorithm(name string) bool { return name == sha256Name || name == sha512Name }

func newHash(algorithm string) hash.Hash {
	if algorithm == sha512Name {
		return sha512.New()
	}
	return sha256.New()
}

// digestOf names what a hash of that algorithm has seen.
func digestOf(algorithm string, h hash.Hash) digest {
	return digest(algorithm + ":" + hex.EncodeToString(h.Sum(nil)))
}

func digestOfBytes(algorithm string, data []byte) digest {
	h := newHash(algorithm)
	h.Write(data)
	return digestOf(algorithm, h)
}

func (d digest) algorithm() string {
	algorithm, _, _ := strings.Cut(string(d), ":")
	return algorithm
}

// path is where the content lies below the folder of blobs: two digits fan out, so that no folder grows without bound.
func (d digest) path() string {
	algorithm, digits, _ := strings.Cut(string(d), ":")
	return filepath.Join(algorithm, digits[:2], digits)
}

// UnmarshalText refuses what is no digest, so that a broken snapshot is found when it is read.
func (d *digest) UnmarshalText(text []byte) error {
	valid, ok := parseDigest(string(text))
	if !ok {
		return fmt.Errorf("digest %q: not valid", text)
	}
	*d = valid
	return nil
}
