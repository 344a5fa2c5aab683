package emulator

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	"github.com/regcast/regcast/emulator/internal/authority"
	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/guard"
	"github.com/regcast/regcast/emulator/internal/port"
	"github.com/regcast/regcast/emulator/internal/yandex"
)

// TLS on the one port, and how clients are told of it.

// CA is the authority that signs the certificates of the emulator's port.
type CA struct {
	// File is the path of the authority's certificate.
	File string `json:"file"`
	// Bundle is the path of a file with the certificates that this machine trusts and the authority's, for clients that take such a
	// file in place of the machine's. Empty when there is no file of the machine's, as on Windows: it would keep them from what the
	// machine trusts.
	Bundle string `json:"bundle,omitempty"`
	// PEM is the authority's certificate.
	PEM string `json:"pem"`
}

// CA returns the authority, and writes its bundle. It stays the same as long as the data folder does.
func (e *Emulator) CA() (CA, error) { return describe(e.authority) }

// OpenCA returns the authority of a data folder, cfg.Data, whether or not an emulator runs with it. It makes one if there is none.
func OpenCA(cfg Config) (CA, error) {
	if cfg.Data == "" {
		return CA{}, fmt.Errorf("authority: Config.Data is empty; without a data folder every emulator has an authority of its own")
	}
	f, err := openFolder(cfg.Data)
	if err != nil {
		return CA{}, err
	}
	warn := func(string) {}
	if cfg.Logger != nil {
		warn = func(s string) { cfg.Logger.Warn(s) }
	}
	a, err := authority.Open(f.authority(cfg.Environ, warn))
	if err != nil {
		return CA{}, err
	}
	return describe(a)
}

func describe(a *authority.Authority) (CA, error) {
	bundle, whole, err := a.Bundle()
	if err != nil {
		return CA{}, err
	}
	if !whole {
		bundle = ""
	}
	return CA{File: a.File(), Bundle: bundle, PEM: string(a.PEM())}, nil
}

// authority is where the folder's is. A bundle of its own that this process was given takes the place of the machine's.
func (f *folder) authority(environ []string, warn func(string)) authority.Options {
	o := authority.Options{Dir: filepath.Join(f.path, "authority"), Warn: warn}
	for _, variable := range environ {
		if roots, ok := strings.CutPrefix(variable, "SSL_CERT_FILE="); ok {
			o.Roots = roots
		}
	}
	return o
}

// ClientTLS returns the client's side of TLS for clients in this process: it trusts the emulator and nobody else.
func (e *Emulator) ClientTLS() *tls.Config { return &tls.Config{RootCAs: e.authority.Pool()} }

// SecureURL is URL for TLS, which is spoken on the same port.
func (e *Emulator) SecureURL() string { return "https://" + e.host() }

// host is the port as certificates and people have it: localhost rather than 127.0.0.1.
func (e *Emulator) host() string {
	local := e.local()
	if local == "" {
		return e.Addr()
	}
	if _, port, err := net.SplitHostPort(local); err == nil && strings.HasPrefix(local, "127.0.0.1:") {
		return net.JoinHostPort("localhost", port)
	}
	return local
}

// listenTLS lets TLS in, which is told from plain by its first byte.
func (e *Emulator) listenTLS(l net.Listener) net.Listener {
	return port.Listen(l, port.Options{TLS: e.authority.Server("", "h2", "http/1.1")})
}

// buildGuard has functions trust the same authority.
func (e *Emulator) buildGuard() {
	bundle := sync.OnceValue(func() string {
		path, _, err := e.authority.Bundle()
		if err != nil {
			e.warn(err.Error() + "; functions will not trust the emulator")
		}
		return path
	})
	e.guard = guard.New(guard.Options{
		Handler: e.port, Proxy: e.local(), Bundle: bundle,
		Certificate: func(host string) *tls.Config { return e.authority.Server(host, "h2", "http/1.1") },
	})
}

// YandexEnv returns the environment variables, as "NAME=value", with which Yandex Cloud's Terraform provider, SDKs and command line call
// the emulator, as somebody who may do everything.
func (e *Emulator) YandexEnv() []string {
	env := []string{
		"YC_ENDPOINT=" + e.host(), "YC_TOKEN=" + yandex.Token,
		"YC_SERVICE_ACCOUNT_KEY_FILE=", // the developer's own, which the provider does not take beside a token
		"YC_CLOUD_ID=" + e.defaults.CloudID, "YC_FOLDER_ID=" + e.defaults.FolderID,
		"YC_TERRAFORM_INITIALIZATION_SILENCE=true", "YC_CLI_INITIALIZATION_SILENCE=true", // they would ask the real cloud for news
		"YC_METADATA_ADDR=" + e.local(),
		"YC_MESSAGE_QUEUE_ENDPOINT=http://" + e.host(),
		"YC_MESSAGE_QUEUE_ACCESS_KEY=" + aws.DeveloperKey, "YC_MESSAGE_QUEUE_SECRET_KEY=" + aws.Secret,
	}
	switch ca, err := e.CA(); {
	case err != nil:
		e.warn(err.Error() + "; clients that are started here will not trust the emulator")
	case ca.Bundle != "":
		for _, name := range [...]string{ // each is the first that some clients ask
			"SSL_CERT_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
		} {
			env = append(env, name+"="+ca.Bundle)
		}
	}
	return env
}

// getCA answers the authority's certificate or, to who asks for JSON, where it is.
func (e *Emulator) getCA(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(e.authority.PEM()) // the client may be gone
		return
	}
	ca, err := e.CA()
	if err != nil {
		answerError(w, http.StatusInternalServerError, err)
		return
	}
	answer(w, http.StatusOK, ca)
}
