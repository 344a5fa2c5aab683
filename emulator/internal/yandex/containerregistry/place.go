package containerregistry

import pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"

// Chain is a registry's folder, after the registry itself: where roles on it are looked for.
func (s *Service) Chain(id string) []string {
	r, err := s.registry(id)
	if err != nil {
		return []string{id}
	}
	return []string{id, r.Message.FolderId}
}

// In lists the registries of a folder that clients have made; those that came with a push do not keep a folder from going.
func (s *Service) In(folder string) []string {
	var out []string
	for _, r := range s.registries.Messages(func(r *pb.Registry) bool { return r.FolderId == folder }) {
		out = append(out, r.Id)
	}
	return out
}
