package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/regcast/regcast/emulator"
)

// Exit codes of exec for a command that did not run, as shells have them.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

func newExec(env environment) *cobra.Command {
	var f upFlags
	var page string
	var always bool
	c := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARG…]",
		Short: "Run a command beside an emulator of its own",
		Long: `Start an emulator on a free port, run a command with its addresses in the environment, stop the emulator, and return the
command's exit code (126: it could not be executed, 127: it was not found).

The command's environment has:
  REGCAST_URL          http://127.0.0.1:PORT; regcast's client commands use it
  REGCAST_REGISTRY     127.0.0.1:PORT, to push to
  REGCAST_WS           ws://127.0.0.1:PORT/ws, to listen on
  REGCAST_CLOUD_ID REGCAST_FOLDER_ID REGCAST_REGISTRY_ID REGCAST_GATEWAY_ID REGCAST_SERVICE_ACCOUNT_ID
  SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS GRPC_DEFAULT_SSL_ROOTS_FILE_PATH
                       a file of what this machine trusts and of the emulator's authority, for https and wss, which are on the same
                       port (Go on macOS and Windows reads none: see regcast ca)
  YC_ENDPOINT (localhost:PORT) YC_TOKEN YC_CLOUD_ID YC_FOLDER_ID YC_METADATA_ADDR, so that Yandex Cloud's Terraform provider and SDKs
                       call the emulator; YC_TERRAFORM_INITIALIZATION_SILENCE and YC_CLI_INITIALIZATION_SILENCE, so that they do not
                       ask the real cloud for news; YC_MESSAGE_QUEUE_ENDPOINT and its _ACCESS_KEY and _SECRET_KEY
With --template also:
  AWS_ENDPOINT_URL AWS_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY, so that AWS's SDKs and CLI call the emulator
  REGCAST_OUTPUT_NAME  for every output of the template, with the emulator's address in place of the cloud's`,
		Example: `  regcast exec -- go test ./...
  regcast exec --trigger trigger.yaml -- sh -c 'crane push app.tar $REGCAST_REGISTRY/app:v1'
  regcast exec --data ./regcast-data -- terraform apply
  regcast exec --report report.html -- go test ./...
  regcast exec --template template.yaml -- aws dynamodb list-tables`,
		Args: cobra.MinimumNArgs(1),
	}
	f.add(c)
	c.Flags().StringVar(&page, "report", "", "when the command fails, make an HTML page of what happened, over one that is there: `FILE`")
	c.Flags().BoolVar(&always, "report-always", false, "make the page of --report also when it does not fail")
	c.Flags().SetInterspersed(false)
	groupFlags(c, execGroups())
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if always && page == "" {
			return usageError("--report-always: --report says where to")
		}
		if page != "" { // now, not when the command has run for an hour
			if err := folderOf(page); err != nil {
				return usageError("--report: %w", err)
			}
		}
		cfg, err := f.config(cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		em, served, err := serve(cfg)
		if err != nil {
			return err
		}
		ran := runBeside(cmd.Context(), em, args, env)
		if page != "" && (ran != nil || always) {
			// What goes wrong with it does not change what the command said.
			if err := reportRun(cmd.Context(), em, page, endNote(args, ran)); err != nil {
				fmt.Fprintf(env.stderr, "regcast: report: %v\n", err)
			} else {
				fmt.Fprintf(env.stderr, "regcast: report: %s\n", page)
			}
		}
		limit, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		if err := errors.Join(em.Close(limit), <-served); err != nil {
			return errors.Join(ran, err)
		}
		return ran
	}
	return c
}

func runBeside(ctx context.Context, em *emulator.Emulator, args []string, env environment) error {
	d := em.Defaults()
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = env.stdin, env.stdout, env.stderr
	command.Env = append(os.Environ(),
		"REGCAST_URL="+em.URL(),
		"REGCAST_REGISTRY="+em.Addr(),
		"REGCAST_WS=ws"+strings.TrimPrefix(em.URL(), "http")+"/ws",
		"REGCAST_CLOUD_ID="+d.CloudID,
		"REGCAST_FOLDER_ID="+d.FolderID,
		"REGCAST_REGISTRY_ID="+d.RegistryID,
		"REGCAST_GATEWAY_ID="+d.GatewayID,
		"REGCAST_SERVICE_ACCOUNT_ID="+d.ServiceAccountID,
	)
	command.Env = append(command.Env, em.YandexEnv()...)
	command.Env = append(command.Env, em.AWSEnv()...)
	for name, value := range em.Outputs() {
		command.Env = append(command.Env, "REGCAST_OUTPUT_"+name+"="+value)
	}
	// A terminal sends its Ctrl-C to the command as well; what comes to this process alone is passed on.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := command.Start(); err != nil {
		code := exitNotExecutable
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			code = exitNotFound
		}
		return exitError{code, fmt.Errorf("exec: %w", err)}
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case s := <-signals:
			if s != os.Interrupt || !isTerminal(env.stdin) {
				_ = command.Process.Signal(s) // it may have ended
			}
		case err := <-ended:
			var failed *exec.ExitError
			switch {
			case errors.As(err, &failed):
				return exitError{exitCode(failed), nil}
			case err != nil:
				return fmt.Errorf("exec: %w", err)
			}
			return nil
		}
	}
}

// exitCode is that of the command, and 128 + the signal's number when a signal ended it, as in shells.
func exitCode(failed *exec.ExitError) int {
	if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return failed.ExitCode()
}

func isTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
