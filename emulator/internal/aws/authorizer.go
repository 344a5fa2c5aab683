package aws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator/internal/template"
)

// maxAuthorizerAnswer is the most bytes of an authorizer's answer.
const maxAuthorizerAnswer = 8 << 10

// authorizer is a REQUEST authorizer of $connect.
type authorizer struct {
	function string
	sources  []source
}

// source is one thing that a client must bring for the authorizer to be asked.
type source struct{ text, kind, name string }

// Kinds of source.
const (
	fromHeader  = "route.request.header."
	fromQuery   = "route.request.querystring."
	fromContext = "context."
	fromStage   = "stageVariables."
)

func newAuthorizer(t template.Authorizer, function func(string) string) (*authorizer, error) {
	a := &authorizer{function: function(t.Function)}
	if a.function == "" && t.Function != "" { // without one the template's notices say what becomes of it
		return nil, fmt.Errorf("there is no function %s", t.Function)
	}
	kinds := []string{fromHeader, fromQuery, fromContext, fromStage}
	for _, text := range t.IdentitySources {
		s := source{text: text}
		for _, kind := range kinds {
			if name, ok := strings.CutPrefix(text, kind); ok {
				s.kind, s.name = kind, name
			}
		}
		if s.name == "" {
			return nil, fmt.Errorf("got the identity source %q, want %sNAME", text, strings.Join(kinds, "NAME, "))
		}
		a.sources = append(a.sources, s)
	}
	return a, nil
}

// missing returns the first identity source that the request does not have.
func (a *authorizer) missing(e *proxyEvent) string {
	for _, s := range a.sources {
		var value string
		switch s.kind {
		case fromHeader:
			value = last(e.Headers, s.name, true)
		case fromQuery:
			value = last(e.QueryStringParameters, s.name, false)
		case fromStage:
			value = e.StageVariables[s.name]
		case fromContext:
			value = contextValue(e.RequestContext, s.name)
		}
		if value == "" {
			return s.text
		}
	}
	return ""
}

// contextValue is a value of the request context by its dotted name; empty: there is none.
func contextValue(c requestContext, name string) string {
	var v any
	if json.Unmarshal(encode(c), &v) != nil {
		return ""
	}
	for key := range strings.SplitSeq(name, ".") {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// What the cloud says to those whom an authorizer does not let in. Anything else that goes wrong says nothing, with status 500.
const (
	textUnauthorized = "Unauthorized"
	textDenied       = "User is not authorized to access this resource with an explicit deny in an identity-based policy"
	textNotAllowed   = "User is not authorized to access this resource because no identity-based policy allows the execute-api:Invoke action"
)

// verdict is what an authorizer says: a status other than 0 refuses.
type verdict struct {
	status  int
	message string
	why     string         // for people
	context map[string]any // of strings
}

// judge reads the authorizer's answer.
func judge(r called, methodARN string) verdict {
	if r.response.FunctionError != "" {
		var f struct{ ErrorMessage string }
		if json.Unmarshal(r.response.Payload, &f) == nil && f.ErrorMessage == textUnauthorized {
			return verdict{status: http.StatusUnauthorized, message: textUnauthorized, why: "the authorizer raised Unauthorized"}
		}
	}
	if why := r.failed(); why != "" {
		return verdict{status: http.StatusInternalServerError, why: "the authorizer: " + why}
	}
	context, statements, err := parseVerdict(r.response.Payload)
	if err != nil {
		return verdict{status: http.StatusInternalServerError, why: fmt.Sprintf("the authorizer's answer: %v", err)}
	}
	switch decide(statements, "execute-api:Invoke", methodARN) {
	case denied:
		return verdict{status: http.StatusForbidden, message: textDenied, why: "the authorizer's policy denies " + methodARN}
	case unmentioned:
		return verdict{status: http.StatusForbidden, message: textNotAllowed, why: "the authorizer's policy does not allow " + methodARN}
	}
	return verdict{context: context}
}

// parseVerdict reads {principalId, policyDocument, context}. The principal is part of the context that later events carry.
func parseVerdict(payload []byte) (map[string]any, []template.Statement, error) {
	if len(payload) > maxAuthorizerAnswer {
		return nil, nil, fmt.Errorf("got %d bytes, want at most %d", len(payload), maxAuthorizerAnswer)
	}
	var in struct {
		PrincipalID    any
		PolicyDocument *struct{ Statement json.RawMessage }
		Context        map[string]any
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return nil, nil, err
	}
	if in.PolicyDocument == nil {
		return nil, nil, errors.New("want a policyDocument")
	}
	statements, err := parseStatements(in.PolicyDocument.Statement)
	if err != nil {
		return nil, nil, err
	}
	context := make(map[string]any)
	add := func(name string, value any) error {
		switch value.(type) {
		case nil: // left out
		case string, bool, json.Number:
			context[name] = fmt.Sprint(value)
		default:
			return fmt.Errorf("%s: want a string, number or boolean", name)
		}
		return nil
	}
	for name, value := range in.Context {
		if err := add(name, value); err != nil {
			return nil, nil, fmt.Errorf("context: %w", err)
		}
	}
	return context, statements, add("principalId", in.PrincipalID)
}

// oneOrMany is a string or a list of strings.
type oneOrMany []string

func (l *oneOrMany) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]string)(l))
	}
	*l = make(oneOrMany, 1)
	return json.Unmarshal(data, &(*l)[0])
}

func parseStatements(data json.RawMessage) ([]template.Statement, error) {
	type statement struct {
		Effect                            string
		Action, Resource                  oneOrMany
		NotAction, NotResource, Condition json.RawMessage
	}
	var list []statement
	if bytes.HasPrefix(data, []byte("{")) {
		data = slices.Concat([]byte("["), data, []byte("]"))
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("policyDocument.Statement: %w", err)
	}
	var out []template.Statement
	for _, s := range list {
		switch {
		case s.Effect != "Allow" && s.Effect != "Deny":
			return nil, fmt.Errorf("policyDocument: got the effect %q, want Allow or Deny", s.Effect)
		case s.NotAction != nil || s.NotResource != nil || s.Condition != nil:
			return nil, errors.New("policyDocument: not emulated: NotAction, NotResource and Condition")
		case len(s.Action) == 0 || len(s.Resource) == 0:
			return nil, errors.New("policyDocument: want an Action and a Resource")
		}
		out = append(out, template.Statement{Effect: s.Effect, Actions: s.Action, Resources: s.Resource})
	}
	return out, nil
}
