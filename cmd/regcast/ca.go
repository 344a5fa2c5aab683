package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/emulator"
)

func newCA(env environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "ca",
		Short: "Tell how to trust the emulator's TLS",
		Long: `Print where the emulator's certificate authority is, and the lines that make clients trust it. TLS is on the same port as everything
else, so https:// and wss:// work as soon as a client does. regcast exec sets up the command that it runs by itself.
The authority of an emulator without --data ends with it. One with --data keeps the folder's, and then none need run for regcast ca --data,
which makes the authority if there is none.`,
		Example: `  regcast ca
  export SSL_CERT_FILE=$(regcast ca --bundle)     # Terraform, yc, Go and OpenSSL on Linux
  curl --cacert $(regcast ca --path) https://localhost:8080/_regcast/health
  regcast ca --pem --url http://other.host:8080 > regcast-ca.pem`,
		Args: cobra.NoArgs,
	}
	find := urlFlag(c, env)
	var data string
	var path, bundle, pem bool
	c.Flags().StringVar(&data, "data", "", "the authority of this data `FOLDER`, in place of a running emulator's")
	c.Flags().BoolVar(&path, "path", false, "print the path of the authority's certificate only")
	c.Flags().BoolVar(&bundle, "bundle", false, "print only the path of the file that also has what this machine trusts")
	c.Flags().BoolVar(&pem, "pem", false, "print the authority's certificate itself only")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		out := cmd.OutOrStdout()
		switch {
		case path && bundle || path && pem || bundle && pem:
			return usageError("ca: --path, --bundle and --pem: want one of them")
		case data != "" && cmd.Flags().Changed("url"):
			return usageError("ca: --data and --url: want one of them")
		}
		regcast, err := find()
		if err != nil {
			return err
		}
		var ca emulator.CA
		if data != "" {
			ca, err = emulator.OpenCA(emulator.Config{
				Data: data, Environ: os.Environ(), Logger: newLogger(cmd.ErrOrStderr(), slog.LevelWarn),
			})
		} else {
			ca, err = regcast.authority(cmd.Context())
		}
		if err != nil {
			return err
		}
		switch {
		case path:
			_, err = fmt.Fprintln(out, ca.File)
		case bundle && ca.Bundle == "":
			err = fmt.Errorf("ca: --bundle: no file of what this machine trusts was found; add %s to the system's store", ca.File)
		case bundle:
			_, err = fmt.Fprintln(out, ca.Bundle)
		case pem:
			_, err = io.WriteString(out, ca.PEM)
		default:
			err = printCA(out, ca, regcast.base)
		}
		return err
	}
	return c
}

// authority asks a running emulator.
func (c client) authority(ctx context.Context) (ca emulator.CA, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/_regcast/ca", nil)
	if err != nil {
		return ca, err
	}
	req.Header.Set("Accept", "application/json")
	res, err := c.send(req)
	if err != nil {
		return ca, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&ca); err != nil {
		return ca, fmt.Errorf("%s: %w", req.URL, err)
	}
	return ca, nil
}

// printCA tells what to do for each kind of client. base is where the emulator is, or would be.
func printCA(out io.Writer, ca emulator.CA, base string) error {
	if _, err := os.Stat(ca.File); err != nil {
		_, err := fmt.Fprintf(out, "the authority's certificate is %s on the emulator's machine; here, keep it in a file:\n  regcast ca --pem --url %s > regcast-ca.pem\n",
			ca.File, base)
		return err
	}
	at := "localhost:8080"
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		at = u.Host
		if host, port, err := net.SplitHostPort(at); err == nil && host == "127.0.0.1" {
			at = net.JoinHostPort("localhost", port)
		}
	}
	file, bundle := quoted(ca.File), quoted(ca.Bundle)
	var text strings.Builder
	fmt.Fprintf(&text, "certificate of the authority   %s\n", ca.File)
	if ca.Bundle != "" {
		fmt.Fprintf(&text, `with all that this machine trusts   %s

One command, with everything set        regcast exec -- COMMAND
Terraform, yc, Go, OpenSSL (Linux)      export SSL_CERT_FILE=%[2]s
gRPC for Python, Node.js, C++           export GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=%[2]s
Python's requests, AWS's CLI            export REQUESTS_CA_BUNDLE=%[2]s AWS_CA_BUNDLE=%[2]s
`, ca.Bundle, bundle)
	} else {
		text.WriteByte('\n')
	}
	fmt.Fprintf(&text, `Node.js                                 export NODE_EXTRA_CA_CERTS=%[1]s
curl                                    curl --cacert %[1]s https://%[2]s/_regcast/health
docker (localhost needs nothing)        sudo install -D -m 644 %[1]s /etc/docker/certs.d/%[2]s/ca.crt

For every program of this machine; on macOS and Windows, Go and so Terraform need it:
Debian, Ubuntu   sudo cp %[1]s /usr/local/share/ca-certificates/regcast.crt && sudo update-ca-certificates
Fedora, RHEL     sudo cp %[1]s /etc/pki/ca-trust/source/anchors/regcast.pem && sudo update-ca-trust
macOS            sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain %[1]s
Windows          certutil -user -addstore Root %[1]s
Chrome (Linux)   certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n regcast -i %[1]s
Firefox          Settings, Privacy & Security, View Certificates, Authorities, Import
`, file, at)
	_, err := io.WriteString(out, text.String())
	return err
}

// quoted is a path as shells take it.
func quoted(path string) string {
	if !strings.ContainsAny(path, " '\"$`\\&;()<>|*?[]#~!{}") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
