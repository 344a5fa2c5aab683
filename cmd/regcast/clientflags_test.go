package main

import (
	"testing"

	"github.com/matryer/is"
	"github.com/spf13/pflag"
)

func TestClientFlags(t *testing.T) {
	is := is.New(t)
	parse := func(args ...string) (map[string][]string, map[string]string, error) {
		var f clientFlags
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		f.add(flags, "")
		is.NoErr(flags.Parse(args))
		return f.parse()
	}
	header, secrets, err := parse("--client-header", "authorization: Bearer x:y", "--client-secret", "1a2b3c4d=a=b,c", "--client-secret", "[scrubbed:00000000]=z")
	is.NoErr(err)
	is.Equal(header, map[string][]string{"Authorization": {"Bearer x:y"}})
	is.Equal(secrets, map[string]string{"[scrubbed:1a2b3c4d]": "a=b,c", "[scrubbed:00000000]": "z"})
	for _, wrong := range []string{"1a2b3c4d", "1a2b3c4d=", "token=hush", "1a2b3c4g=hush"} {
		_, _, err := parse("--client-secret", wrong)
		is.True(err != nil)
	}
	_, _, err = parse("--client-header", "no colon")
	is.True(err != nil)
}
