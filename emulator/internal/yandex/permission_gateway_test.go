package yandex_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex"
)

const permitSpec = `openapi: 3.0.0
x-yc-apigateway: {service_account_id: ajetop}
paths:
  /function: {get: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}}}
  /own: {get: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine, service_account_id: ajeown}}}
  /container: {get: {x-yc-apigateway-integration: {type: serverless_containers, container_id: bbamine}}}
  /guarded: {get: {security: [{key: []}], x-yc-apigateway-integration: {type: dummy}}}
components:
  securitySchemes:
    key: {type: apiKey, in: query, name: key, x-yc-apigateway-authorizer: {type: function, function_id: d4eguard}}
`

func TestAMissingRole(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("strict=%t", strict), func(t *testing.T) {
			is := is.New(t)
			u := newUpstream(t)
			var asked []string
			allowed := false
			h, guard, f := guarded(t, permitSpec, u.at(""), func(o *yandex.Options) {
				o.StrictAuth = strict
				o.Permit = func(account, role, kind, id string) error {
					asked = append(asked, strings.Join([]string{account, role, kind, id}, " "))
					if allowed {
						return nil
					}
					return errors.New(account + " has no role " + role)
				}
			})
			refused := func(account, role string) string {
				return `{"errorCode":403,"errorMessage":"permission denied: ` + account + ` has no role ` + role + `","errorType":"ClientError"}`
			}
			for _, tc := range []struct {
				path, asks, who string
				status          int
				body            string
			}{
				{"/function", "ajetop functions.functionInvoker function d4emine", "/function", 403, refused("ajetop", "functions.functionInvoker")},
				{"/own", "ajeown functions.functionInvoker function d4emine", "/own", 403, refused("ajeown", "functions.functionInvoker")},
				{"/container", "ajetop serverless-containers.containerInvoker container bbamine", "/container", 403,
					refused("ajetop", "serverless-containers.containerInvoker")},
				{"/guarded?key=1", "ajetop functions.functionInvoker function d4eguard", "/guarded", 500,
					`{"message":"the authorizer key: the function d4eguard failed: permission denied: ajetop has no role functions.functionInvoker"}`},
			} {
				f.answers <- says(`{}`)
				guard.answers <- says(`{"isAuthorized": true}`)
				a := h.ask("GET", tc.path)
				is.Equal(asked, []string{tc.asks})
				asked = nil
				if strict {
					is.Equal([]any{a.status, a.body}, []any{tc.status, tc.body})
					is.Equal(len(f.requests)+len(guard.requests)+len(u.requests), 0)
					<-h.steps // what failed is on record
				} else {
					is.Equal(a.status, 200)
					step := h.step(yandex.StepUnpermitted)
					is.Equal(step.Who, mine+tc.who)
					is.True(strings.HasSuffix(step.Text, "; the cloud would refuse it"))
					f.answers <- says(`{}`)
					guard.answers <- says(`{"isAuthorized": true}`)
					h.ask("GET", tc.path) // is told of once
					asked = nil
				}
				for len(f.answers)+len(f.requests)+len(guard.answers)+len(guard.requests)+len(u.requests) > 0 {
					select {
					case <-f.answers:
					case <-f.requests:
					case <-guard.answers:
					case <-guard.requests:
					case <-u.requests:
					}
				}
			}
			is.Equal(len(h.steps), 0)
			allowed = true
			f.answers <- says(`{}`)
			is.Equal(h.ask("GET", "/function").status, 200)
			is.Equal(len(h.steps), 0)
			is.True(slices.Equal(asked, []string{"ajetop functions.functionInvoker function d4emine"}))
		})
	}
}
