package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/cmd/regcast/yc"
	"github.com/regcast/regcast/emulator"
)

func newYC(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "yc COMMAND…",
		Short: "Yandex Cloud's command line, as much of it as regcast's users need",
		Example: `  alias yc='regcast yc'
  yc container registry list
  yc serverless trigger create container-registry --help`,
		Args: cobra.ArbitraryArgs,
		// The commands below are made when one of them is asked for: no other command starts slower for them.
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			regcast, err := findClient("", env)
			if err != nil {
				return err
			}
			u, err := url.Parse(regcast.base)
			if err != nil {
				return err
			}
			code := yc.Run(cmd.Context(), args, yc.Options{
				Stdin: cmd.InOrStdin(), Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr(), Getenv: env.getenv,
				Endpoint: u.Host, Home: home, Version: version(),
			})
			if code != 0 {
				return exitError{code, nil}
			}
			return nil
		},
	}
}

// home asks a running regcast which cloud and folder it is.
func home(ctx context.Context, endpoint string) (cloudID, folderID string, err error) {
	res, err := client{"http://" + endpoint}.do(ctx, "GET", "/_regcast/health", nil)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	var health struct {
		Defaults emulator.Defaults `json:"defaults"`
	}
	if err := json.NewDecoder(res.Body).Decode(&health); err != nil {
		return "", "", fmt.Errorf("health of %s: %w", endpoint, err)
	}
	return health.Defaults.CloudID, health.Defaults.FolderID, nil
}
