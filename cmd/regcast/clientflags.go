package main

import (
	"net/textproto"
	"strings"

	"github.com/spf13/pflag"

	"github.com/regcast/regcast/recording"
)

// clientFlags are what clients of a recording are given that it has not.
type clientFlags struct{ header, secret []string }

func (f *clientFlags) add(flags *pflag.FlagSet, when string) {
	flags.StringArrayVar(&f.header, "client-header", nil, when+"a `'Name: value'` that clients send when they connect, for what was scrubbed (repeatable)")
	flags.StringArrayVar(&f.secret, "client-secret", nil, when+"`1a2b3c4d=VALUE`: what clients ask and say where the recording has [scrubbed:1a2b3c4d] (repeatable)")
}

// parse reads headers as curl's -H has them, and secrets by their markers.
func (f *clientFlags) parse() (header map[string][]string, secrets map[string]string, err error) {
	header, secrets = map[string][]string{}, map[string]string{}
	for _, h := range f.header {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, nil, usageError("--client-header: got %q, want 'Name: value'", h)
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		header[name] = append(header[name], strings.TrimSpace(value))
	}
	for _, s := range f.secret {
		name, value, _ := strings.Cut(s, "=")
		marker := "[scrubbed:" + strings.TrimSuffix(strings.TrimPrefix(name, "[scrubbed:"), "]") + "]"
		if value == "" || recording.Marker(marker) != marker {
			return nil, nil, usageError("--client-secret: %s: want 1a2b3c4d=VALUE for what stood where the recording has [scrubbed:1a2b3c4d]", name)
		}
		secrets[marker] = value
	}
	return header, secrets, nil
}
