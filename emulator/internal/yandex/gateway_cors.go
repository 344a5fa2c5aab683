package yandex

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const corsKey = "x-yc-apigateway-cors"

// CORS is a rule for requests from other origins: the gateway answers their preflight requests itself and marks its answers.
type CORS struct {
	Origins                  []string // "*", or who may; empty: whoever asks
	Methods, Allowed, Expose string   // as headers have them; empty: see answer
	Credentials              string   // "true", "false" or empty
	MaxAge                   string
	Status                   int // of the answer to a preflight request
}

// cors reads a rule; nil if there is none or it switches off.
func (r specReader) cors(f field) *CORS {
	f = r.follow(f)
	if !f.given() {
		return nil
	}
	o := f.object("origin", "methods", "allowedHeaders", "exposedHeaders", "credentials", "maxAge", "optionsSuccessStatus")
	rule := &CORS{
		Methods: strings.Join(o.get("methods").texts(), ","), Allowed: strings.Join(o.get("allowedHeaders").texts(), ","),
		Expose: strings.Join(o.get("exposedHeaders").texts(), ","), Status: http.StatusOK,
	}
	if c := o.get("credentials"); c.given() {
		rule.Credentials = strconv.FormatBool(c.boolean())
	}
	if age := o.get("maxAge"); age.given() {
		rule.MaxAge = strconv.Itoa(age.number(-1, 1<<31-1))
	}
	if status := o.get("optionsSuccessStatus"); status.given() {
		rule.Status = status.number(200, 299)
	}
	origins := o.get("origin").required("true, false, an origin or a list of origins").texts()
	switch {
	case slices.Equal(origins, []string{"false"}):
		return nil
	case slices.Equal(origins, []string{"true"}):
	default:
		rule.Origins = origins
	}
	return rule
}

// preflight answers a preflight request; false: it is none, or there is no rule.
func (rule *CORS) preflight(r *http.Request) (answer, bool) {
	wanted := r.Header.Get("Access-Control-Request-Method")
	if rule == nil || r.Method != http.MethodOptions || r.Header.Get("Origin") == "" || wanted == "" {
		return answer{}, false
	}
	a := answer{status: rule.Status, header: make(http.Header)}
	rule.mark(a.header, r)
	set(a.header, "Access-Control-Allow-Methods", cmp.Or(rule.Methods, wanted))
	set(a.header, "Access-Control-Allow-Headers", rule.Allowed)
	set(a.header, "Access-Control-Max-Age", rule.MaxAge)
	return a, true
}

// mark tells the browser who may read an answer. Of a list it is told the one origin that asks, since it takes no list.
func (rule *CORS) mark(h http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	if rule == nil || origin == "" {
		return
	}
	allowed := ""
	switch {
	case len(rule.Origins) == 1:
		allowed = rule.Origins[0]
	case len(rule.Origins) == 0 || slices.Contains(rule.Origins, origin):
		allowed = origin
	}
	if len(rule.Origins) != 1 {
		h.Add("Vary", "Origin")
	}
	set(h, "Access-Control-Allow-Origin", allowed)
	set(h, "Access-Control-Expose-Headers", rule.Expose)
	set(h, "Access-Control-Allow-Credentials", rule.Credentials)
}

// set sets a header unless there is nothing to set.
func set(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}
