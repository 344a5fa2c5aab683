package yc

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	triggers "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func (s *session) serverless() *cobra.Command {
	c := group("serverless", "Triggers, API gateways, functions and containers",
		s.trigger(), s.apiGateway(), s.function(), s.serverlessContainer())
	c.Aliases = []string{"sls"}
	return c
}

// trigger is the group of triggers: without a version it is v1, as in yc.
func (s *session) trigger() *cobra.Command {
	c := group("trigger", "Manage triggers", s.triggersV1()...)
	c.AddCommand(group("v1", "Manage triggers (v1 API)", s.triggersV1()...), s.triggersV2())
	return c
}

func triggersOne() resource {
	return resource{noun: "trigger", service: "yandex.cloud.serverless.triggers.v1.TriggerService", id: "trigger_id", columns: folderColumns()}
}

func folderColumns() []column {
	return []column{{title: "ID", path: "id"}, {title: "NAME", path: "name"}, {title: "FOLDER ID", path: "folder_id"}}
}

// manageTrigger makes the commands that both versions have.
func (s *session) manageTrigger(r resource) []*cobra.Command {
	return append(s.labels(r), s.list(r), s.get(r), s.remove(r), s.listOperations(r),
		s.act(r, "pause", "Pause", "Pause a trigger: what happens meanwhile is not delivered", action{}),
		s.act(r, "resume", "Resume", "Let a paused trigger go on", action{}))
}

func (s *session) triggersV1() []*cobra.Command {
	r := triggersOne()
	create := s.create(r.method("Create"), action{
		use: "container-registry", short: "Create a trigger for a container registry",
		fields: append(describedFields(), registryRule("")...),
		ready: func(_ context.Context, _ *cobra.Command, req protoreflect.Message, _ []string) ([]string, error) {
			// yc does not leave the tag to the service.
			source := req.Interface().(*triggers.CreateTriggerRequest).GetRule().GetContainerRegistry()
			if f := source.GetInvokeFunction(); f != nil && f.GetFunctionTag() == "" {
				f.FunctionTag = "$latest"
			}
			return nil, nil
		},
	})
	update := s.update(r, action{
		use: "update", short: "Update a trigger",
		fields: append([]field{{flag: "new-name", path: "name", use: "new name"}}, describedFields()...),
	})
	update.AddCommand(s.update(r, action{
		use: "container-registry", short: "Update a trigger for a container registry",
		fields: append(append([]field{{flag: "new-name", path: "name", use: "new name"}}, describedFields()...), registryRule("new-")...),
	}))
	return append(s.manageTrigger(r), group("create", "Create triggers", create), update)
}

// registryRule are the flags of a v1 trigger's rule; those of update have another prefix, and tell functions from containers.
func registryRule(prefix string) []field {
	const (
		source    = "rule.container_registry."
		function  = source + "invoke_function."
		container = source + "invoke_container."
		broadcast = source + "gateway_websocket_broadcast."
	)
	all := []field{
		{flag: "registry-id", path: source + "registry_id", use: "registry", of: registries},
		{flag: "image-name", path: source + "image_name", use: "only events of this image"},
		{flag: "tag", path: source + "tag", use: "only events of this tag"},
		{flag: "events", path: source + "event_type", use: "create-image, delete-image, create-image-tag, delete-image-tag"},
		{flag: "batch-size", path: source + "batch_settings.size", use: "events in a batch, 1 to 1000 (default 1)"},
		{flag: "batch-cutoff", path: source + "batch_settings.cutoff", use: "time until a batch leaves that is not full, 1s to 60s (default 1s)"},
		{flag: "invoke-function-id", path: function + "function_id", use: "function to call", of: functions},
		{flag: "invoke-function-tag", path: function + "function_tag", use: "tag of its version (default $latest)"},
		{flag: "invoke-function-service-account-id", path: function + "service_account_id", use: "service account that calls it", of: serviceAccounts},
		{flag: "invoke-container-id", path: container + "container_id", use: "container to call", of: containers},
		{flag: "invoke-container-path", path: container + "path", use: "path in it"},
		{flag: "invoke-container-service-account-id", path: container + "service_account_id", use: "service account that calls it", of: serviceAccounts},
		{flag: "gateway-id", path: broadcast + "gateway_id", use: "API gateway to broadcast to", of: gateways},
		{flag: "gateway-websocket-broadcast-path", path: broadcast + "path", use: "path of its connections"},
		{flag: "gateway-websocket-broadcast-service-account-id", path: broadcast + "service_account_id",
			use: "service account that broadcasts", of: serviceAccounts,
			// The prose of the cloud's tutorials says so.
			also: []string{prefix + "gateway-websocket-broadcast-account-id"}},
	}
	retry := func(name, action string) []field {
		return []field{
			{flag: name + "retry-attempts", path: source + action + ".retry_settings.retry_attempts", use: "calls after a failed one (default 0)"},
			{flag: name + "retry-interval", path: source + action + ".retry_settings.interval", use: "time between them, 10s to 1m"},
			{flag: name + "dlq-queue-id", path: source + action + ".dead_letter_queue.queue_id", use: "ARN of the queue for what could not be delivered"},
			{flag: name + "dlq-service-account-id", path: source + action + ".dead_letter_queue.service_account_id",
				use: "service account that sends it there", of: serviceAccounts},
		}
	}
	if prefix == "" {
		return append(all, retry("", "*")...)
	}
	all = append(append(all, retry("function-", "invoke_function")...), retry("container-", "invoke_container")...)
	for i := range all {
		all[i].flag = prefix + all[i].flag
		all[i].use = "new " + strings.TrimSuffix(all[i].use, " (default $latest)")
	}
	return all
}
