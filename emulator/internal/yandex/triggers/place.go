package triggers

import v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

// In lists the triggers of a folder.
func (s *Service) In(folder string) []string {
	var out []string
	for _, t := range s.triggers.Messages(func(t *v2.Trigger) bool { return t.FolderId == folder }) {
		out = append(out, t.Id)
	}
	return out
}
