package authority

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

const (
	// hostLife is what some clients allow at most.
	hostLife = 397 * 24 * time.Hour
	// manyHosts bounds the certificates that are kept; one more, and all are forgotten.
	manyHosts = 1000
	// longestName of a host, in bytes.
	longestName = 253
	// local is whom a client meant that named nobody.
	local = "localhost"
	// gateways is what their own names end in.
	gateways = ".apigw.localhost"
)

// Server returns the server's side of TLS, with a certificate for the host that the client names; for host when it names none; and for
// the address that it has come to when host is empty too. protos are what is spoken above, the best first.
func (a *Authority) Server(host string, protos ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protos,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := cmp.Or(hello.ServerName, host)
			if name == "" {
				name = reached(hello.Conn)
			}
			return a.certificate(strings.ToLower(name))
		},
	}
}

// reached is the address of this side, without its port.
func reached(conn net.Conn) string {
	if tcp, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return local
}

// certificate returns a certificate for a host name, in lower case, or an IP address. Any name will do: whoever came here by it has
// been led here on purpose, and the certificate is of use to nobody else.
func (a *Authority) certificate(host string) (*tls.Certificate, error) {
	key, names, ips, err := identities(host)
	if err != nil {
		return nil, err
	}
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.hosts[key]; c != nil && now.Before(c.Leaf.NotAfter) {
		return c, nil
	}
	t := template("regcast", now, now.Add(hostLife-early)) // a host name may be longer than this may be
	if t.NotAfter.After(a.root.cert.NotAfter) {
		t.NotAfter = a.root.cert.NotAfter
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.DNSNames, t.IPAddresses = names, ips
	der, err := x509.CreateCertificate(rand.Reader, t, a.root.cert, &a.key.PublicKey, a.root.key)
	if err != nil {
		return nil, fmt.Errorf("authority: %s: %w", host, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("authority: %s: %w", host, err)
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.root.cert.Raw}, PrivateKey: a.key, Leaf: leaf}
	if len(a.hosts) >= manyHosts {
		clear(a.hosts)
	}
	a.hosts[key] = c
	return c, nil
}

// identities are whom the certificate for a host is made out to, and its name among the others. What everybody uses shares one.
func identities(host string) (key string, names []string, ips []net.IP, err error) {
	ip := net.ParseIP(host)
	gateway, ofGateway := strings.CutSuffix(host, gateways)
	loopback := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	switch {
	case host == local || slices.ContainsFunc(loopback, ip.Equal) || ofGateway && isName(gateway) && !strings.Contains(gateway, "."):
		return local, []string{local, "*" + gateways}, loopback, nil
	case ip != nil:
		return host, nil, []net.IP{ip}, nil
	case isName(host):
		return host, []string{host}, nil, nil
	}
	return "", nil, nil, fmt.Errorf("authority: %.80q is no name of a host", host)
}

// isName keeps out what no certificate should hold.
func isName(host string) bool {
	if len(host) > longestName {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_')
		}) {
			return false
		}
	}
	return true
}
