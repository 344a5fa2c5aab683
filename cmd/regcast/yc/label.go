package yc

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// labels makes add-labels and remove-labels: an update of all labels, from those that are there.
func (s *session) labels(r resource) []*cobra.Command {
	change := func(use, short, flagUse string, with func(labels map[string]string, texts []string) error) *cobra.Command {
		d := describe(r.method("Update"))
		c := &cobra.Command{Use: use + " " + r.argumentUse() + " --labels …", Short: short, Args: cobra.MaximumNArgs(1)}
		var t target
		targetFlags(c, r, &t)
		texts := c.Flags().StringSlice("labels", nil, flagUse)
		async := asyncFlag(c, d)
		c.RunE = func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			if len(*texts) == 0 {
				return fmt.Errorf("--labels is missing: %s", flagUse)
			}
			ids, err := s.pick(ctx, r, t, args)
			if err != nil {
				return err
			}
			got, err := s.call(ctx, r.method("Get"), r.request("Get", ids[0]).Interface())
			if err != nil {
				return err
			}
			req := r.request("Update", ids[0])
			copyField(req, got.ProtoReflect(), "labels")
			labels := map[string]string{}
			field := req.Descriptor().Fields().ByName("labels")
			req.Get(field).Map().Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
				labels[key.String()] = v.String()
				return true
			})
			if err := with(labels, *texts); err != nil {
				return fmt.Errorf("--labels: %w", err)
			}
			req.Clear(field)
			for key, v := range labels {
				req.Mutable(field).Map().Set(protoreflect.ValueOfString(key).MapKey(), protoreflect.ValueOfString(v))
			}
			setMask(req, []string{"labels"})
			return s.do(ctx, r.method("Update"), req.Interface(), *async)
		}
		return c
	}
	return []*cobra.Command{
		change("add-labels", "Add labels to a "+r.noun, "key=value[,key=value…]", func(labels map[string]string, texts []string) error {
			for _, text := range texts {
				key, value, pair := strings.Cut(text, "=")
				if !pair {
					return fmt.Errorf("%q: want KEY=VALUE", text)
				}
				labels[key] = value
			}
			return nil
		}),
		change("remove-labels", "Remove labels from a "+r.noun, "key[,key…]", func(labels map[string]string, keys []string) error {
			for _, key := range keys {
				delete(labels, key)
			}
			return nil
		}),
	}
}
