package yc

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	containersv1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// defaultTimeout is what yc gives a version or a revision when nobody says how long a call may take.
const defaultTimeout = 3 * time.Second

const containerService = "yandex.cloud.serverless.containers.v1.ContainerService"

func containers() resource {
	return resource{
		noun: "container", service: containerService, id: "container_id",
		columns: append(folderColumns(), column{title: "STATUS", path: "status"}),
	}
}

func revisions() resource {
	return resource{
		noun: "container revision", service: containerService, version: "Revision", id: "container_revision_id", unnamed: true, parent: "-",
		columns: []column{
			{title: "ID", path: "id"}, {title: "CONTAINER ID", path: "container_id"}, {title: "IMAGE", path: "image.image_url"},
			{title: "CREATED AT", path: "created_at"},
		},
	}
}

func (s *session) serverlessContainer() *cobra.Command {
	r := containers()
	c := group("container", "Manage containers",
		s.create(r.method("Create"), action{use: "create", short: "Create a container", fields: describedFields()}),
		s.update(r, action{use: "update", short: "Update a container",
			fields: append([]field{{flag: "new-name", path: "name", use: "new name"}}, describedFields()...)}),
		s.list(r), s.get(r), s.remove(r), s.listOperations(r), s.revisionGroup(),
		s.act(r, "rollback", "Rollback", "Go back to an older revision", action{fields: []field{
			{flag: "revision-id", path: "revision_id", use: "revision"},
		}}))
	c.AddCommand(s.labels(r)...)
	c.AddCommand(s.bindings(r)...)
	c.AddCommand(s.unauthenticated(r, "serverless-containers.containerInvoker")...)
	return c
}

func (s *session) revisionGroup() *cobra.Command {
	r := revisions()
	of := field{flag: "container-id", path: "container_id", use: "container", of: containers}
	deploy := s.create(containerService+".DeployRevision", action{
		use: "deploy", short: "Deploy a revision of a container",
		fields: append([]field{
			of,
			{flag: "image", path: "image_spec.image_url", use: "image to run"},
			{flag: "command", path: "image_spec.command.command", use: "in place of its entry point"},
			{flag: "args", path: "image_spec.args.args", use: "in place of its arguments"},
			{flag: "environment", path: "image_spec.environment", use: "environment variables"},
			{flag: "memory", path: "resources.memory", use: "memory (default 128MB)", kind: size},
			{flag: "cores", path: "resources.cores", use: "cores (default 1)"},
			{flag: "core-fraction", path: "resources.core_fraction", use: "share of a core that is always there, in percent"},
			{flag: "execution-timeout", path: "execution_timeout", use: "time limit of a call (default 3s)"},
			{flag: "concurrency", path: "concurrency", use: "calls that an instance takes at a time"},
			{flag: "service-account-id", path: "service_account_id", use: "service account that it runs as", of: serviceAccounts},
			{flag: "description", path: "description", use: "description"},
			{flag: "min-instances", path: "provision_policy.min_instances", use: "instances that are always there"},
		}, logFields()...),
		ready: func(_ context.Context, _ *cobra.Command, m protoreflect.Message, _ []string) ([]string, error) {
			req := m.Interface().(*containersv1.DeployContainerRevisionRequest)
			if req.Resources == nil {
				req.Resources = &containersv1.Resources{}
			}
			if req.Resources.Memory == 0 {
				req.Resources.Memory = 128 << 20
			}
			if req.Resources.Cores == 0 {
				req.Resources.Cores = 1
			}
			if req.ExecutionTimeout == nil {
				req.ExecutionTimeout = durationpb.New(defaultTimeout)
			}
			return nil, nil
		},
	})
	return group("revision", "Manage revisions of containers", deploy, s.list(r, of), s.get(r))
}
