package aws_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/template"
)

func second(t *testing.T, h *house) {
	t.Helper()
	is.New(t).NoErr(h.cloud.AddAPI(template.API{ID: "second", RouteSelection: "$request.body.a", Stages: []template.Stage{{Name: "dev"}}}, logical))
}

func TestWhereSocketsAre(t *testing.T) {
	for name, test := range map[string]struct {
		path, host string
		status     int // without a second API, and with one
		with       int
	}{
		"stage":                    {"/dev", "", 426, 418},
		"stage and slash":          {"/dev/", "", 426, 418},
		"api and stage":            {"/" + apiID + "/dev", "", 426, 426},
		"host here":                {"/dev", apiID + ".execute-api.localhost:8080", 426, 426},
		"host in the cloud":        {"/dev", apiHost, 426, 426},
		"host in capitals":         {"/dev", strings.ToUpper(apiHost), 426, 426},
		"host in China":            {"/dev", apiID + ".execute-api.cn-north-1.amazonaws.com.cn", 426, 426},
		"below the stage":          {"/dev/x", "", 403, 418},
		"below the stage, by host": {"/dev/x", apiHost, 403, 403},
		"no stage, by host":        {"/", apiHost, 403, 403},
		"no stage, by api":         {"/" + apiID, "", 403, 403},
		"unknown stage, by host":   {"/nowhere", apiHost, 403, 403},
		"unknown API, by host":     {"/dev", "unknown.execute-api.localhost", 403, 403},
		"unknown stage":            {"/nowhere", "", 418, 418},
		"root":                     {"/", "", 418, 418},
		"another host":             {"/x", "example.org", 418, 418},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := build(t)
			is.Equal(h.ask("GET", test.path, "", "Host", test.host).status, test.status)
			second(t, h)
			is.Equal(h.ask("GET", test.path, "", "Host", test.host).status, test.with)
		})
	}
}

func TestWhereConnectionsAre(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	upper, lower := strings.ReplaceAll(id, "=", "%3D"), strings.ReplaceAll(id, "=", "%3d")
	ask := func(path, host string) {
		t.Helper()
		is.Equal(h.ask("POST", path, path, "Host", host).status, 200)
		is.Equal(h.frame(c), path)
	}
	for _, path := range []string{
		"/dev/@connections/" + id, "/dev/@connections/" + upper, "/dev/@connections/" + lower, "/dev/%40connections/" + upper,
		"/@connections/" + upper, "/" + apiID + "/dev/@connections/" + upper, "/" + apiID + "/@connections/" + upper,
	} {
		ask(path, "")
	}
	for _, path := range []string{"/dev/@connections/" + upper, "/@connections/" + id} {
		ask(path, apiHost)
		ask(path, apiID+".execute-api.localhost")
	}
	is.Equal(h.ask("POST", "/dev/@connections", "").status, 403)
	is.Equal(h.ask("POST", "/dev/@connections/"+id+"/x", "").status, 403)
}

func TestNothingIsOursWithoutAPIs(t *testing.T) {
	is := is.New(t)
	h := build(t)
	empty := aws.New(aws.Options{Gateway: gateway.New(aws.SocketOptions(nil))})
	defer func() { is.NoErr(empty.Close(t.Context())) }()
	h.cloud, empty = empty, h.cloud
	for _, path := range []string{"/dev", "/@connections/x", "/" + apiID + "/dev"} {
		is.Equal(h.ask("GET", path, "").status, 418)
	}
	h.cloud, empty = empty, h.cloud
}

func TestAPIs(t *testing.T) {
	is := is.New(t)
	h := build(t)
	second(t, h)
	is.Equal(h.cloud.APIs(), []aws.APIInfo{
		{ID: apiID, Name: "ws", Stages: []string{"dev", "other"}, Routes: []string{"$connect", "$disconnect", "$default", "echo"}},
		{ID: "second", Stages: []string{"dev"}},
	})
}

func TestDomainIsTheEmulatorsToSay(t *testing.T) {
	is := is.New(t)
	h := build(t, func(o *aws.Options, _ *gateway.Options, _ *template.API) {
		o.Domain = func(id string) string { return id + ".execute-api.localhost:1" }
	})
	h.open("/dev")
	is.True(strings.Contains(string(h.call("connect").payload), `"domainName":"`+apiID+`.execute-api.localhost:1"`))
}

func TestWrongAPIsAreRefusedWithEveryProblem(t *testing.T) {
	is := is.New(t)
	h := build(t)
	at := func(line int) template.Place { return template.Place{File: "t.yaml", Line: line} }
	err := h.cloud.AddAPI(template.API{
		LogicalID: "Ws", ID: "x", At: at(1), RouteSelection: "$context.a",
		Routes: []template.Route{
			{Key: "$connect", Function: "nobody", At: at(2)},
			{Key: "a", Function: "f", At: at(3), Authorizer: &template.Authorizer{Name: "Auth", Function: "f", IdentitySources: []string{"header.x"}}},
			{Key: "a", Function: "f", At: at(4), Authorizer: &template.Authorizer{Name: "Auth", Function: "nobody"}},
		},
	}, logical)
	is.Equal(err.Error(), strings.Join([]string{
		`t.yaml:1: the route selection expression of Ws: got "$context.a": at "$context.a": want $request.body.NAME, ${request.body.NAME}, or \$ for a dollar`,
		`t.yaml:2: the route $connect of Ws: there is no function nobody`,
		`t.yaml:3: the authorizer Auth of Ws: got the identity source "header.x", want route.request.header.NAME, route.request.querystring.NAME, context.NAME, stageVariables.NAME`,
		`t.yaml:4: the authorizer Auth of Ws: there is no function nobody`,
		`t.yaml:4: Ws has the route a twice`,
	}, "\n"))
	err = h.cloud.AddAPI(template.API{LogicalID: "Ws2", ID: apiID, At: at(9), RouteSelection: "x"}, logical)
	is.Equal(err.Error(), "t.yaml:9: the API Ws2 has the id "+apiID+", which another API has")
}
