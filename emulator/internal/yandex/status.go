package yandex

import (
	"net/http"
	"strings"
)

// code is a gRPC status code, which the cloud's APIs answer on every wire.
type code int

const (
	invalidArgument code = 3
	notFound        code = 5
	unimplemented   code = 12
	internal        code = 13
	unavailable     code = 14
)

// http is the HTTP status of a code.
func (c code) http() int {
	switch c {
	case invalidArgument:
		return http.StatusBadRequest
	case notFound:
		return http.StatusNotFound
	case unimplemented:
		return http.StatusNotImplemented
	case unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// status is the error of a call to one of the cloud's APIs, in no wire's words.
type status struct {
	code       code
	text       string
	violations []violation // of the request's fields
}

// violation is what is wrong with one field of a request.
type violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

func (s *status) Error() string { return s.text }

// invalid refuses a field of a request; the name is the proto's.
func invalid(field, description string) *status {
	return &status{code: invalidArgument, text: field + ": " + description, violations: []violation{{field, description}}}
}

// json is the body of the REST answer.
func (s *status) json(requestID string) []byte {
	const typeURL = "type.googleapis.com/google.rpc."
	details := []any{map[string]any{"@type": typeURL + "RequestInfo", "requestId": requestID}}
	if len(s.violations) > 0 {
		vs := make([]violation, len(s.violations))
		for i, v := range s.violations {
			vs[i] = violation{camel(v.Field), v.Description}
		}
		details = append(details, map[string]any{"@type": typeURL + "BadRequest", "fieldViolations": vs})
	}
	return encodeJSON(map[string]any{"code": s.code, "message": s.text, "details": details})
}

// camel spells a field as the REST API does.
func camel(field string) string {
	words := strings.Split(field, "_")
	for i := 1; i < len(words); i++ {
		if w := words[i]; w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}
