package yc

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// config answers what scripts ask a profile for. There is no profile to change.
func (s *session) config() *cobra.Command {
	get := &cobra.Command{Use: "get folder-id|cloud-id|token|endpoint", Short: "Print what is in use", Args: cobra.ExactArgs(1)}
	get.RunE = func(c *cobra.Command, args []string) error {
		for _, p := range s.properties() {
			if p.name == args[0] {
				value, err := p.value(c.Context())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(s.Stdout, value)
				return err
			}
		}
		return fmt.Errorf("%q is not known: want folder-id, cloud-id, token or endpoint", args[0])
	}
	list := &cobra.Command{Use: "list", Short: "Print what is in use, all of it", Args: cobra.NoArgs}
	list.RunE = func(c *cobra.Command, _ []string) error {
		var b strings.Builder
		for _, p := range s.properties() {
			if value, err := p.value(c.Context()); err == nil { // what nobody named is not in use
				fmt.Fprintf(&b, "%s: %s\n", p.name, value)
			}
		}
		_, err := fmt.Fprint(s.Stdout, b.String())
		return err
	}
	return group("config", "Print what is in use: there is no profile", get, list)
}

type property struct {
	name  string
	value func(context.Context) (string, error)
}

func (s *session) properties() []property {
	return []property{
		{"token", s.iamToken},
		{"endpoint", func(context.Context) (string, error) { return s.endpoint(), nil }},
		{"cloud-id", s.cloudID},
		{"folder-id", s.folderID},
	}
}
