package gateway_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// verify checks a signature as a server would, from the published description of SigV4 and not from the SDK.
func verify(r request, host string) error {
	fields := map[string]string{}
	scheme, rest, _ := strings.Cut(r.header.Get("Authorization"), " ")
	if scheme != "AWS4-HMAC-SHA256" {
		return fmt.Errorf("scheme %q", scheme)
	}
	for _, part := range strings.Split(rest, ", ") {
		k, v, _ := strings.Cut(part, "=")
		fields[k] = v
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 || scope[0] != "AKIDEXAMPLE" || scope[3] != "execute-api" {
		return fmt.Errorf("credential %q", fields["Credential"])
	}
	canonical := "POST\n" + escapeAgain(r.uri) + "\n\n"
	for _, key := range strings.Split(fields["SignedHeaders"], ";") {
		value := r.header.Get(key)
		switch key {
		case "host":
			value = host
		case "content-length":
			value = strconv.Itoa(len(r.body))
		}
		canonical += key + ":" + value + "\n"
	}
	canonical += "\n" + fields["SignedHeaders"] + "\n" + sum(r.body)
	key := mac([]byte("AWS4secret"), scope[1])
	for _, s := range scope[2:] {
		key = mac(key, s)
	}
	toSign := strings.Join([]string{scheme, r.header.Get("X-Amz-Date"), strings.Join(scope[1:], "/"), sum(canonical)}, "\n")
	if hex.EncodeToString(mac(key, toSign)) != fields["Signature"] {
		return errors.New("signature does not match")
	}
	return nil
}

// escapeAgain encodes a path that is encoded already, as every service but S3 wants it.
func escapeAgain(path string) string {
	return strings.NewReplacer("%", "%25", "@", "%40").Replace(path)
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}
