package yc

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	_ "github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1" // its descriptors
	"google.golang.org/protobuf/reflect/protoreflect"
)

func clouds() resource {
	return resource{
		noun: "cloud", service: "yandex.cloud.resourcemanager.v1.CloudService", id: "cloud_id", parent: "-",
		columns: []column{
			{title: "ID", path: "id"}, {title: "NAME", path: "name"}, {title: "ORGANIZATION ID", path: "organization_id"}, {title: "LABELS", path: "labels"},
		},
	}
}

func folders() resource {
	return resource{
		noun: "folder", service: "yandex.cloud.resourcemanager.v1.FolderService", id: "folder_id", parent: "cloud_id",
		columns: []column{{title: "ID", path: "id"}, {title: "NAME", path: "name"}, {title: "LABELS", path: "labels"}, {title: "STATUS", path: "status"}},
	}
}

func (s *session) resourceManager() *cobra.Command {
	c := group("resource-manager", "Clouds and folders", s.cloudGroup(), s.folderGroup())
	c.Aliases = []string{"resource"}
	return c
}

func (s *session) cloudGroup() *cobra.Command {
	r := clouds()
	c := group("cloud", "Manage clouds", s.list(r), s.get(r), s.listOperations(r))
	c.AddCommand(s.bindings(r)...)
	return c
}

func (s *session) folderGroup() *cobra.Command {
	r := folders()
	c := group("folder", "Manage folders",
		s.create(r.method("Create"), action{use: "create", short: "Create a folder", fields: describedFields(),
			ready: func(ctx context.Context, _ *cobra.Command, req protoreflect.Message, _ []string) ([]string, error) {
				cloud, err := s.cloudID(ctx)
				setString(req, "cloud_id", cloud)
				return nil, err
			}}),
		s.update(r, action{use: "update", short: "Update a folder",
			fields: append([]field{{flag: "new-name", path: "name", use: "new name"}}, describedFields()...)}),
		s.list(r), s.get(r), s.remove(r), s.listOperations(r))
	c.AddCommand(s.labels(r)...)
	c.AddCommand(s.bindings(r)...)
	return c
}

func (s *session) operation() *cobra.Command {
	r := resource{noun: "operation", service: "yandex.cloud.operation.OperationService", id: "operation_id", unnamed: true}
	// Its method answers an operation too, which is what is asked for: nothing is waited for.
	get := &cobra.Command{Use: "get " + r.argumentUse(), Short: "Show an operation", Args: cobra.MaximumNArgs(1)}
	var t target
	targetFlags(get, r, &t)
	get.RunE = func(c *cobra.Command, args []string) error {
		ids, err := s.pick(c.Context(), r, t, args)
		if err != nil {
			return err
		}
		return s.do(c.Context(), r.method("Get"), &operation.GetOperationRequest{OperationId: ids[0]}, true)
	}
	return group("operation", "Look at operations", get)
}
