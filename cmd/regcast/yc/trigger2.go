package yc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	triggers "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func triggersTwo() resource {
	return resource{noun: "trigger", service: "yandex.cloud.serverless.triggers.v2.TriggerService", id: "trigger_id", columns: folderColumns()}
}

func (s *session) triggersV2() *cobra.Command {
	r := triggersTwo()
	basic := append([]field{{flag: "new-name", path: "name", use: "new name"}}, describedFields()...)
	update := s.update(r, action{use: "update", short: "Update a trigger; what it listens to and its actions have commands of their own", fields: basic})
	update.AddCommand(
		s.update(r, action{use: "container-registry", short: "Update a trigger for a container registry", fields: append(basic, registrySource()...)}),
		s.updateActions(r, "add-actions", "Add actions to a trigger", false),
		s.updateActions(r, "replace-actions", "Replace all actions of a trigger", true),
	)
	c := group("v2", "Manage triggers (v2 API)", s.manageTrigger(r)...)
	c.AddCommand(group("create", "Create triggers", s.createV2(r)), update, s.helpAction())
	return c
}

// registrySource are the flags of a v2 trigger's source.
func registrySource() []field {
	const source = "source.container_registry."
	return []field{
		{flag: "registry-id", path: source + "registry_id", use: "registry", of: registries},
		{flag: "image-name", path: source + "image_name", use: "only events of this image"},
		{flag: "tag", path: source + "tag", use: "only events of this tag"},
		{flag: "events", path: source + "event_type", use: "create-image, delete-image, create-image-tag, delete-image-tag"},
		{flag: "batch-max-count", path: source + "batch_settings.max_count", use: "events in a batch"},
		{flag: "batch-max-bytes", path: source + "batch_settings.max_bytes", use: "bytes in a batch"},
		{flag: "batch-cutoff", path: source + "batch_settings.cutoff", use: "time until a batch leaves that is not full"},
	}
}

const actionUse = "action as `JSON` or @file with it; see help-action (repeatable)"

func (s *session) createV2(r resource) *cobra.Command {
	c := s.create(r.method("Create"), action{
		use: "container-registry", short: "Create a trigger for a container registry",
		fields: append(describedFields(), registrySource()...),
		ready: func(_ context.Context, c *cobra.Command, req protoreflect.Message, _ []string) ([]string, error) {
			actions, err := parseActions(c)
			req.Interface().(*triggers.CreateTriggerRequest).Action = actions
			return nil, err
		},
	})
	c.Flags().StringArray("action", nil, actionUse)
	return c
}

func (s *session) updateActions(r resource, use, short string, all bool) *cobra.Command {
	c := s.update(r, action{use: use, short: short, ready: func(ctx context.Context, c *cobra.Command, m protoreflect.Message, _ []string) ([]string, error) {
		actions, err := parseActions(c)
		if err != nil {
			return nil, err
		}
		if len(actions) == 0 {
			return nil, errors.New("--action is missing")
		}
		req := m.Interface().(*triggers.UpdateTriggerRequest)
		if !all {
			got, err := s.call(ctx, r.method("Get"), &triggers.GetTriggerRequest{TriggerId: req.GetTriggerId()})
			if err != nil {
				return nil, err
			}
			actions = append(got.(*triggers.Trigger).GetAction(), actions...)
		}
		req.Action = actions
		return []string{"action"}, nil
	}})
	c.Flags().StringArray("action", nil, actionUse)
	return c
}

// parseActions reads --action.
func parseActions(c *cobra.Command) ([]*triggers.Action, error) {
	texts, err := c.Flags().GetStringArray("action")
	if err != nil {
		return nil, err
	}
	var all []*triggers.Action
	for _, text := range texts {
		b := []byte(text)
		if name, isFile := strings.CutPrefix(text, "@"); isFile {
			if b, err = os.ReadFile(name); err != nil {
				return nil, fmt.Errorf("--action: %w", err)
			}
		}
		var a triggers.Action
		if err := protojson.Unmarshal(b, &a); err != nil {
			return nil, fmt.Errorf("--action %s: %w; see `help-action`", text, err)
		}
		all = append(all, &a)
	}
	return all, nil
}

func (s *session) helpAction() *cobra.Command {
	c := &cobra.Command{Use: "help-action", Short: "Show what --action takes", Args: cobra.NoArgs}
	targets := []struct{ flag, json string }{
		{"invoke-function", `"invokeFunction": {
    "functionId": "<function_ID>",
    "functionTag": "$latest",
    "serviceAccountId": "<service_account_ID>"
  },`},
		{"invoke-container", `"invokeContainer": {
    "containerId": "<container_ID>",
    "path": "/",
    "serviceAccountId": "<service_account_ID>"
  },`},
		{"gateway-websocket-broadcast", `"gatewayWebsocketBroadcast": {
    "gatewayId": "<API_gateway_ID>",
    "path": "/ws",
    "serviceAccountId": "<service_account_ID>"
  },`},
	}
	chosen := map[string]*bool{}
	for _, t := range targets {
		chosen[t.flag] = c.Flags().Bool(t.flag, false, "only this one")
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		for _, t := range targets {
			if c.Flags().NFlag() > 0 && !*chosen[t.flag] {
				continue
			}
			if _, err := fmt.Fprintf(s.Stdout, `{
  %s
  "filter": {"jq": "<condition>"},
  "transformer": {"jq": "<template>"},
  "retryPolicy": {"retryAttempts": "3", "interval": "10s"},
  "deadLetter": {"deadLetterQueue": {"queueArn": "<queue_ARN>", "serviceAccountId": "<service_account_ID>"}}
}
`, t.json); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}
