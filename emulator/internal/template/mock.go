package template

import (
	"regexp"
	"strconv"
	"strings"
)

// mock reads what a MOCK integration answers; nil when that is not constant, or not known.
func (b *builder) mock(api *API, res *resource, o object, route *Route) *Mock {
	text, ok := chosen(o)
	if !ok {
		return nil
	}
	status := statusOf(text)
	if status == 0 {
		return nil
	}
	m := &Mock{Status: status}
	if !route.Reply || route.Key == "$connect" || route.Key == "$disconnect" {
		return m
	}
	var otherwise *string
	for _, answer := range b.belongs(api, "AWS::ApiGatewayV2::IntegrationResponse") {
		a := b.properties(answer).takes("ApiId", "IntegrationId", "IntegrationResponseKey", "TemplateSelectionExpression", "ResponseTemplates",
			"ResponseParameters", "ContentHandlingStrategy")
		if a.get("IntegrationId").text() != b.refOf(res) {
			continue
		}
		key := a.get("IntegrationResponseKey").text()
		text, ok := chosen(a)
		switch {
		case !ok:
		case key == "$default":
			otherwise = &text
		case matchesStatus(key, status):
			m.Body = &text
		}
	}
	if m.Body == nil {
		m.Body = otherwise
	}
	if m.Body == nil {
		return nil
	}
	return m
}

// chosen is the mapping template that an integration, or a response of one, takes whatever the message is; false when it is none of
// constant text.
func chosen(o object) (string, bool) {
	var only, named *field
	templates := o.get("RequestTemplates")
	if !templates.given() {
		templates = o.get("ResponseTemplates")
	}
	key := strings.TrimPrefix(o.get("TemplateSelectionExpression").text(), `\`)
	members := templates.members()
	for _, m := range members {
		if len(members) == 1 {
			only = &m.field
		}
		if m.key == key || named == nil && m.key == "$default" {
			named = &m.field
		}
	}
	if named == nil {
		named = only
	}
	if named == nil || !named.scalar() || named.broken() || strings.ContainsAny(named.text(), "$#") { // VTL
		return "", false
	}
	return named.text(), true
}

// statusOf reads the statusCode of a request template, which need not be strict JSON; 0: it has none.
func statusOf(text string) int {
	found := regexp.MustCompile(`^\s*\{(?:.*[,\s])?"?statusCode"?\s*:\s*"?([2-5]\d\d)"?\s*[,}]`).FindStringSubmatch(strings.ReplaceAll(text, "\n", " "))
	if found == nil {
		return 0
	}
	status, _ := strconv.Atoi(found[1])
	return status
}

// matchesStatus tells whether the key of an integration response, a regular expression between slashes, is for a status.
func matchesStatus(key string, status int) bool {
	pattern, err := regexp.Compile("^(?:" + strings.Trim(key, "/") + ")$")
	return err == nil && pattern.MatchString(strconv.Itoa(status))
}
