package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/events/yandex"
)

// emitKinds maps the cloud's word for an event to the change that makes it.
var emitKinds = map[string]string{
	yandex.CreateImage: "push", yandex.CreateImageTag: "tag", yandex.DeleteImage: "delete", yandex.DeleteImageTag: "untag",
}

// emitBatch is the number of changes in one request.
const emitBatch = 1000

func newEmit(env environment) *cobra.Command {
	var image, tag, digest, registry string
	var count int
	var asJSON, wait bool
	c := &cobra.Command{
		Use:   "emit {" + strings.Join(yandex.Types(), "|") + "}",
		Short: "Publish an event without a push",
		Long: `Publish an event without a push. It goes the same way as a pushed one: it is recorded, matched, gathered and sent.
The registry's contents stay as they are. Prints the event ids once they are on record.`,
		Example: `  regcast emit create-image-tag --image ubuntu --tag 22.04
  regcast emit create-image --image team/app --count 100 --wait`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: yandex.Types(),
	}
	find := urlFlag(c, env)
	c.Flags().StringVar(&image, "image", "", "repository `NAME`, without the registry id (required)")
	c.Flags().StringVar(&tag, "tag", "", "`TAG`; needed by the two tag events")
	c.Flags().StringVar(&digest, "digest", "", "`DIGEST` of the image (default: made up from the name and tag)")
	c.Flags().StringVar(&registry, "registry-id", "", "registry `ID` (default: the default registry)")
	c.Flags().IntVar(&count, "count", 1, "publish `N` events")
	c.Flags().BoolVar(&wait, "wait", false, "return when nothing is in flight any more (a batch may still wait for its cutoff)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		kind, ok := emitKinds[args[0]]
		switch {
		case !ok:
			return usageError("emit: event type: got %q, want %s", args[0], strings.Join(yandex.Types(), ", "))
		case image == "":
			return usageError("emit: --image is missing")
		case tag == "" && (kind == "tag" || kind == "untag"):
			return usageError("emit: --tag is missing; %s is about one", args[0])
		case tag != "" && (kind == "push" || kind == "delete"):
			return usageError("emit: --tag: %s is about an image, not a tag; emit %s-tag beside it", args[0], args[0])
		case count < 1:
			return usageError("emit: --count: got %d, want at least 1", count)
		}
		regcast, err := find()
		if err != nil {
			return err
		}
		change := map[string]string{"kind": kind, "repository": image, "tag": tag, "digest": digest, "registry_id": registry}
		var ids []string
		for left := count; left > 0; left -= emitBatch {
			body, err := json.Marshal(slices.Repeat([]any{change}, min(left, emitBatch)))
			if err != nil {
				return err
			}
			res, err := regcast.do(cmd.Context(), "POST", "/_regcast/events", body)
			if err != nil {
				return fmt.Errorf("emit: %w", err)
			}
			var answer struct {
				EventIDs []string `json:"event_ids"`
			}
			err = json.NewDecoder(res.Body).Decode(&answer)
			res.Body.Close()
			if err != nil {
				return fmt.Errorf("emit: answer: %w", err)
			}
			ids = append(ids, answer.EventIDs...)
		}
		if wait {
			res, err := regcast.do(cmd.Context(), "GET", "/_regcast/quiet", nil)
			if err != nil {
				return fmt.Errorf("emit: %w", err)
			}
			res.Body.Close()
		}
		if asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"event_ids": ids})
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(ids, "\n"))
		return err
	}
	return c
}
