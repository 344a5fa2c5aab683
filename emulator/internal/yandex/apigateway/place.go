package apigateway

import pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"

// In lists the gateways of a folder.
func (s *Service) In(folder string) []string {
	var out []string
	for _, g := range s.gateways.Messages(func(g *pb.ApiGateway) bool { return g.FolderId == folder }) {
		out = append(out, g.Id)
	}
	return out
}

// Chain is a gateway's folder, after the gateway itself: where roles on it are looked for.
func (s *Service) Chain(id string) []string {
	out := []string{id}
	s.gateways.Look(id, func(g *pb.ApiGateway) { out = append(out, g.FolderId) })
	return out
}
