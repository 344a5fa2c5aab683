package yandex

import (
	"net/http"
	"strings"
)

// The gRPC status codes that the cloud's APIs answer on every wire.
const (
	CodeInvalidArgument   = 3
	CodeNotFound          = 5
	CodePermissionDenied  = 7
	CodeResourceExhausted = 8
	CodeUnimplemented     = 12
	CodeInternal          = 13
	CodeUnavailable       = 14
	CodeUnauthenticated   = 16
)

// Error is the refusal of a call to one of the cloud's APIs, in no wire's words.
type Error struct {
	Code       int // gRPC's
	Text       string
	Violations []Violation // of the request's fields
}

// Violation is what is wrong with one field of a request.
type Violation struct {
	Field       string `json:"field"` // as the proto spells it
	Description string `json:"description"`
}

func (e *Error) Error() string { return e.Text }

// http is the HTTP status of an error.
func (e *Error) http() int {
	switch e.Code {
	case CodeInvalidArgument:
		return http.StatusBadRequest
	case CodeNotFound:
		return http.StatusNotFound
	case CodePermissionDenied:
		return http.StatusForbidden
	case CodeResourceExhausted:
		return http.StatusTooManyRequests
	case CodeUnimplemented:
		return http.StatusNotImplemented
	case CodeUnavailable:
		return http.StatusServiceUnavailable
	case CodeUnauthenticated:
		return http.StatusUnauthorized
	}
	return http.StatusInternalServerError
}

// invalid refuses a field of a request; the name is the proto's.
func invalid(field, description string) *Error {
	return &Error{Code: CodeInvalidArgument, Text: field + ": " + description, Violations: []Violation{{field, description}}}
}

// json is the body of the REST answer.
func (e *Error) json(requestID string) []byte {
	const typeURL = "type.googleapis.com/google.rpc."
	details := []any{map[string]any{"@type": typeURL + "RequestInfo", "requestId": requestID}}
	if len(e.Violations) > 0 {
		vs := make([]Violation, len(e.Violations))
		for i, v := range e.Violations {
			vs[i] = Violation{camel(v.Field), v.Description}
		}
		details = append(details, map[string]any{"@type": typeURL + "BadRequest", "fieldViolations": vs})
	}
	return encodeJSON(map[string]any{"code": e.Code, "message": e.Text, "details": details})
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
