package yc

import (
	"errors"

	"github.com/spf13/cobra"
	_ "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1" // its descriptors
)

func registries() resource {
	return resource{
		noun: "container registry", service: "yandex.cloud.containerregistry.v1.RegistryService", id: "registry_id", columns: folderColumns(),
	}
}

func repositories() resource {
	return resource{
		noun: "repository", service: "yandex.cloud.containerregistry.v1.RepositoryService", id: "repository_id", byName: "repository_name",
		columns: []column{{title: "ID", path: "id"}, {title: "NAME", path: "name"}},
	}
}

func images() resource {
	return resource{
		noun: "image", service: "yandex.cloud.containerregistry.v1.ImageService", id: "image_id", unnamed: true,
		columns: []column{
			{title: "ID", path: "id"}, {title: "CREATED", path: "created_at"}, {title: "NAME", path: "name"}, {title: "TAGS", path: "tags"},
			{title: "COMPRESSED SIZE", text: byteSize("compressed_size")},
		},
	}
}

func (s *session) container() *cobra.Command {
	return group("container", "Container registries, their repositories and images", s.registry(), s.repository(), s.image())
}

func (s *session) registry() *cobra.Command {
	r := registries()
	labels := field{flag: "labels", path: "labels", use: "labels"}
	c := group("registry", "Manage registries",
		s.create(r.method("Create"), action{use: "create", short: "Create a registry", fields: []field{labels}}),
		s.update(r, action{use: "update", short: "Update a registry", fields: []field{{flag: "new-name", path: "name", use: "new name"}, labels}}),
		s.list(r), s.get(r), s.remove(r), s.configureDocker())
	c.AddCommand(s.labels(r)...)
	c.AddCommand(s.bindings(r)...)
	return c
}

// configureDocker is a step of the tutorials that regcast makes needless.
func (s *session) configureDocker() *cobra.Command {
	c := &cobra.Command{Use: "configure-docker", Short: "Nothing: regcast's registry needs no login", Args: cobra.NoArgs}
	c.RunE = func(*cobra.Command, []string) error {
		if !s.local() {
			return errors.New("not emulated: `configure-docker` for the cloud itself; log in with `docker login --username iam --password-stdin cr.yandex`")
		}
		s.tell("Nothing to configure: docker pushes to %s without a login.\n", s.endpoint())
		return nil
	}
	return c
}

func (s *session) repository() *cobra.Command {
	r := repositories()
	in := field{flag: "registry-id", path: "registry_id", use: "registry", of: registries}
	c := group("repository", "Manage repositories", s.list(r, in), s.get(r), s.remove(r))
	c.AddCommand(s.bindings(r)...)
	return c
}

func (s *session) image() *cobra.Command {
	r := images()
	return group("image", "Manage images", s.list(r,
		field{flag: "registry-id", path: "registry_id", use: "registry", of: registries},
		field{flag: "repository-name", path: "repository_name", use: "repository, as <registry id>/<name>"},
	), s.get(r), s.remove(r))
}
