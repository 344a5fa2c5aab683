// Package yc is as much of Yandex Cloud's command line as people need who work with regcast: the same commands, flags and output,
// so that `alias yc='regcast yc'` follows the cloud's own tutorials. It is a plain client of the cloud's gRPC API: against a running
// regcast it needs nothing, against the cloud itself an endpoint and a token.
package yc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Options is what the commands take from outside their arguments.
type Options struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string // nil: no variable is set
	// Endpoint is the host:port that is asked when neither --endpoint nor YC_ENDPOINT names one.
	Endpoint string
	// Home tells the ids of the cloud and the folder to work in at a loopback endpoint when nobody names them. nil: none.
	Home func(ctx context.Context, endpoint string) (cloudID, folderID string, err error)
	// Version is told by `version`.
	Version string

	Now   func() time.Time                     // nil: time.Now
	After func(time.Duration) <-chan time.Time // nil: time.After
}

// Run runs one command and returns its exit code: 0, or 1 when it failed for whatever reason, as yc does. The reason is on Stderr then.
func Run(ctx context.Context, args []string, o Options) int {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	s := &session{Options: o}
	defer s.close()
	root := s.root()
	root.SetArgs(args)
	root.SetIn(o.Stdin)
	root.SetOut(o.Stdout)
	root.SetErr(o.Stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(o.Stderr, "ERROR: %v\n", err)
		return 1
	}
	return 0
}

// session is one run: what the user said for all commands, and the connections it has opened.
type session struct {
	Options
	global struct {
		endpoint, token, impersonate  string
		cloudID, folderID, folderName string
		format, jq                    string
		retry                         int
		retryGiven                    bool
		debug, quiet, tls             bool
		accepted                      string // flags that mean nothing here
		ignored                       bool
	}
	links
	folder string // its id, once asked for
	cloud  string
}

func (s *session) root() *cobra.Command {
	root := group("yc", "Yandex Cloud's command line, as much of it as regcast's users need",
		s.serverless(), s.container(), s.iam(), s.resourceManager(), s.logging(), s.operation(), s.config(), s.version())
	root.Long = `The commands of Yandex Cloud's command line that regcast's users need; ` + "`alias yc='regcast yc'`" + ` follows the cloud's tutorials.

Without --endpoint (or YC_ENDPOINT) a running regcast is asked: no account, no profile, no token. Its own address is spoken to
without TLS unless --tls is given; every other one with TLS, verified with the system's roots and with those of SSL_CERT_FILE.
Against the cloud: --endpoint api.cloud.yandex.net:443 --token "$(yc iam create-token)" --folder-id ID.`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())
	})
	f, g := root.PersistentFlags(), &s.global
	f.StringVar(&g.endpoint, "endpoint", "", "the API's `host:port` (default $YC_ENDPOINT, then the running regcast)")
	f.StringVar(&g.token, "token", "", "IAM or OAuth token (default $YC_TOKEN)")
	f.StringVar(&g.impersonate, "impersonate-service-account-id", "", "service account to act as")
	f.StringVar(&g.cloudID, "cloud-id", "", "cloud to work in (default $YC_CLOUD_ID)")
	f.StringVar(&g.folderID, "folder-id", "", "folder to work in (default $YC_FOLDER_ID)")
	f.StringVar(&g.folderName, "folder-name", "", "folder to work in, by name")
	f.StringVar(&g.format, "format", "text", "output `format`: text, yaml, json, json-rest")
	f.StringVar(&g.jq, "jq", "", "jq `query` that selects from the answer")
	f.IntVar(&g.retry, "retry", retryDefault, "`attempts` while the API is unavailable; 0: one, negative: for 2 minutes; a loopback endpoint gets one unless this is given")
	f.BoolVar(&g.debug, "debug", false, "print every call to stderr")
	f.BoolVar(&g.quiet, "no-user-output", false, "print no progress to stderr")
	f.BoolVar(&g.tls, "tls", false, "speak TLS to a loopback endpoint too")
	for _, name := range []string{"profile", "region", "pager", "timeout", "syntax"} {
		f.StringVar(&g.accepted, name, "", "accepted, and means nothing here")
		_ = f.MarkHidden(name) // it is there
	}
	for _, name := range []string{"debug-grpc", "no-browser", "no-pager", "print-metadata", "no-cli-auto-prompt"} {
		f.BoolVar(&g.ignored, name, false, "accepted, and means nothing here")
		_ = f.MarkHidden(name)
	}
	f.StringVar(&g.jq, "query", "", "another name of --jq")
	_ = f.MarkHidden("query")
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		g.retryGiven = c.Flags().Changed("retry")
		return errors.Join(s.checkEndpoint(), checkFormat(g.format))
	}
	return root
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		// So that what is named here and unknown is told, not its flags.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
	}
	g.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		return unknown(c, args[0])
	}
	g.AddCommand(commands...)
	return g
}

func unknown(c *cobra.Command, name string) error {
	switch {
	case c.Name() == "config":
		return fmt.Errorf("regcast's yc keeps no profiles, so there is no `config %s`: give --folder-id, --token and --endpoint, "+
			"or set YC_FOLDER_ID, YC_TOKEN and YC_ENDPOINT", name)
	case name == "init" && !c.HasParent():
		return errors.New("there is nothing to set up: run `regcast up`, and the commands find it; " +
			"for the cloud itself set YC_ENDPOINT, YC_TOKEN and YC_FOLDER_ID")
	}
	var known []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			known = append(known, sub.Name())
		}
	}
	return fmt.Errorf("not emulated: `%s %s`; there is %s", c.CommandPath(), name, strings.Join(known, ", "))
}

func (s *session) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(s.Stdout, "regcast %s, not Yandex Cloud's own CLI\n", s.Version)
			return err
		},
	}
}

// folderID is the folder that the command works in.
func (s *session) folderID(ctx context.Context) (string, error) {
	if s.folder != "" {
		return s.folder, nil
	}
	g := &s.global
	var err error
	switch {
	case g.folderName != "":
		s.folder, err = s.named(ctx, folders(), g.folderName)
		if err != nil {
			err = fmt.Errorf("--folder-name: %w", err)
		}
	case g.folderID != "":
		s.folder = g.folderID
	case s.Getenv("YC_FOLDER_ID") != "":
		s.folder = s.Getenv("YC_FOLDER_ID")
	case s.local() && s.Home != nil:
		_, s.folder, err = s.Home(ctx, s.endpoint())
	}
	if err == nil && s.folder == "" {
		err = errors.New("no folder: give --folder-id or --folder-name, or set YC_FOLDER_ID")
	}
	return s.folder, err
}

// cloudID is the cloud that the command works in.
func (s *session) cloudID(ctx context.Context) (string, error) {
	if s.cloud != "" {
		return s.cloud, nil
	}
	var err error
	switch {
	case s.global.cloudID != "":
		s.cloud = s.global.cloudID
	case s.Getenv("YC_CLOUD_ID") != "":
		s.cloud = s.Getenv("YC_CLOUD_ID")
	case s.local() && s.Home != nil:
		s.cloud, _, err = s.Home(ctx, s.endpoint())
	}
	if err == nil && s.cloud == "" {
		err = errors.New("no cloud: give --cloud-id or set YC_CLOUD_ID")
	}
	return s.cloud, err
}

// has says whether a message has a field of this name.
func has(m protoreflect.MessageDescriptor, field string) bool {
	return m.Fields().ByName(protoreflect.Name(field)) != nil
}
