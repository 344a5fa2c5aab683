package yc

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	apigateway "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	websocket "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
)

func gateways() resource {
	return resource{
		noun: "API gateway", service: "yandex.cloud.serverless.apigateway.v1.ApiGatewayService", id: "api_gateway_id",
		columns: folderColumns(),
	}
}

func (s *session) apiGateway() *cobra.Command {
	r := gateways()
	spec := field{flag: "spec", path: "openapi_spec", use: "`FILE` with the OpenAPI specification", kind: file}
	rest := append([]field{
		spec,
		{flag: "variables", path: "variables", use: "values for the specification's variables"},
		{flag: "canary-weight", path: "canary.weight", use: "percentage of requests for the canary release"},
		{flag: "canary-variables", path: "canary.variables", use: "values for its variables"},
		{flag: "execution-timeout", path: "execution_timeout", use: "time for an integration's answer"},
		{flag: "network-id", path: "connectivity.network_id", use: "network"},
	}, logFields()...)
	c := group("api-gateway", "Manage API gateways",
		s.create(r.method("Create"), action{use: "create", short: "Create an API gateway", fields: append(describedFields(), rest...)}),
		s.update(r, action{use: "update", short: "Update an API gateway",
			fields: append(append([]field{{flag: "new-name", path: "name", use: "new name"}}, describedFields()...), rest...)}),
		s.list(r), s.get(r), s.remove(r), s.listOperations(r), s.getSpec(r), s.websocket(),
		s.act(r, "stop", "Stop", "Stop an API gateway", action{}),
		s.act(r, "resume", "Resume", "Let a stopped API gateway go on", action{}),
		s.act(r, "add-domain", "AddDomain", "Attach a domain to an API gateway", action{fields: []field{
			{flag: "domain", path: "domain_name", one: "d", use: "domain name"},
			{flag: "certificate-id", path: "certificate_id", one: "c", use: "certificate of the domain"},
		}}),
		s.act(r, "remove-domain", "RemoveDomain", "Detach a domain from an API gateway", action{fields: []field{
			{flag: "domain-id", path: "domain_id", use: "domain by id"},
		}}),
	)
	c.AddCommand(s.bindings(r)...)
	c.Aliases = []string{"gateway", "api-gw", "gw"}
	return c
}

// logFields say where a gateway, a function or a container logs to.
func logFields() []field {
	return []field{
		{flag: "no-logging", path: "log_options.disabled", use: "do not log"},
		{flag: "log-group-id", path: "log_options.log_group_id", use: "log group", of: logGroups},
		{flag: "log-folder-id", path: "log_options.folder_id", use: "folder whose default log group is used", of: folders},
		{flag: "min-log-level", path: "log_options.min_level", use: "trace, debug, info, warn, error or fatal"},
	}
}

func (s *session) getSpec(r resource) *cobra.Command {
	c := &cobra.Command{Use: "get-spec " + r.argumentUse(), Short: "Show an API gateway's specification", Args: cobra.MaximumNArgs(1)}
	var t target
	targetFlags(c, r, &t)
	c.RunE = func(c *cobra.Command, args []string) error {
		ids, err := s.pick(c.Context(), r, t, args)
		if err != nil {
			return err
		}
		req := &apigateway.GetOpenapiSpecRequest{ApiGatewayId: ids[0]}
		if s.global.format == "json" || s.global.format == "json-rest" {
			req.Format = apigateway.GetOpenapiSpecRequest_JSON
		}
		res, err := s.call(c.Context(), r.method("GetOpenapiSpec"), req)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.Stdout, strings.TrimSuffix(res.(*apigateway.GetOpenapiSpecResponse).GetOpenapiSpec(), "\n"))
		return err
	}
	return c
}

func connections() resource {
	return resource{
		noun: "connection", service: "yandex.cloud.serverless.apigateway.websocket.v1.ConnectionService", id: "connection_id", unnamed: true,
	}
}

func (s *session) websocket() *cobra.Command {
	r := connections()
	return group("websocket", "Manage WebSocket connections", s.get(r), s.send(r),
		s.act(r, "disconnect", "Disconnect", "Close a connection", action{}))
}

func (s *session) send(r resource) *cobra.Command {
	c := &cobra.Command{
		Use: "send " + r.argumentUse(), Aliases: []string{"push", "forward"}, Short: "Send data to a connection", Args: cobra.MaximumNArgs(1),
	}
	var t target
	targetFlags(c, r, &t)
	f := c.Flags()
	kind := f.StringP("type", "t", "TEXT", "TEXT or BINARY")
	text := f.StringP("data", "d", "", "what to send; base64 for BINARY")
	name := f.StringP("file", "f", "", "send the content of a file")
	lines := f.BoolP("stdin", "l", false, "send each line of stdin as a message; base64 for BINARY")
	c.MarkFlagsMutuallyExclusive("data", "file", "stdin")
	c.RunE = func(c *cobra.Command, args []string) error {
		ids, err := s.pick(c.Context(), r, t, args)
		if err != nil {
			return err
		}
		frame, known := websocket.SendToConnectionRequest_DataType_value[strings.ToUpper(*kind)]
		if !known || frame == 0 {
			return fmt.Errorf("--type %q: want TEXT or BINARY", *kind)
		}
		p := post{s, ids[0], websocket.SendToConnectionRequest_DataType(frame)}
		switch {
		case *lines:
			return p.lines(c.Context())
		case *name != "":
			b, err := os.ReadFile(*name)
			if err != nil {
				return fmt.Errorf("--file: %w", err)
			}
			return p.send(c.Context(), b)
		case f.Changed("data"):
			return p.encoded(c.Context(), "--data", *text)
		}
		return errors.New("what is to be sent? give --data, --file or --stdin")
	}
	return c
}

// post sends to one connection.
type post struct {
	s    *session
	id   string
	kind websocket.SendToConnectionRequest_DataType
}

func (p post) send(ctx context.Context, data []byte) error {
	_, err := p.s.call(ctx, connections().method("Send"), &websocket.SendToConnectionRequest{ConnectionId: p.id, Data: data, Type: p.kind})
	return err
}

// encoded sends a text, or what it is the base64 of.
func (p post) encoded(ctx context.Context, from, text string) error {
	data := []byte(text)
	if p.kind == websocket.SendToConnectionRequest_BINARY {
		var err error
		if data, err = base64.StdEncoding.DecodeString(text); err != nil {
			return fmt.Errorf("%s: binary data is given as base64: %w", from, err)
		}
	}
	return p.send(ctx, data)
}

// lineMaximum is more than a frame may have, so that the server says what is wrong with a long line.
const lineMaximum = 1 << 20

func (p post) lines(ctx context.Context) error {
	in := bufio.NewScanner(p.s.Stdin)
	in.Buffer(nil, lineMaximum)
	for in.Scan() {
		if err := p.encoded(ctx, "--stdin", in.Text()); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("--stdin: %w", err)
	}
	return nil
}
