package template

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// attributes are what Fn::GetAtt finds of a kind; nil: regcast does not know.
func attributes(kind string) []string {
	switch kind {
	case "AWS::Lambda::Function":
		return []string{"Arn", "SnapStartResponse", "SnapStartResponse.ApplyOn", "SnapStartResponse.OptimizationStatus"}
	case "AWS::Lambda::Version":
		return []string{"Version", "FunctionArn"}
	case "AWS::Lambda::Alias":
		return []string{"AliasArn"}
	case "AWS::Lambda::EventSourceMapping":
		return []string{"Id", "EventSourceMappingArn"}
	case "AWS::SQS::Queue":
		return []string{"Arn", "QueueName", "QueueUrl"}
	case "AWS::DynamoDB::Table":
		return []string{"Arn", "StreamArn"}
	case "AWS::Events::Rule":
		return []string{"Arn"}
	case "AWS::Events::EventBus":
		return []string{"Arn", "Name", "Policy"}
	case "AWS::ApiGatewayV2::Api":
		return []string{"ApiEndpoint", "ApiId"}
	case "AWS::ApiGatewayV2::Route":
		return []string{"RouteId"}
	case "AWS::ApiGatewayV2::Integration":
		return []string{"IntegrationId"}
	case "AWS::ApiGatewayV2::Authorizer":
		return []string{"AuthorizerId"}
	case "AWS::ApiGatewayV2::Deployment":
		return []string{"DeploymentId"}
	case "AWS::ECR::Repository":
		return []string{"Arn", "RepositoryUri"}
	case "AWS::IAM::Role":
		return []string{"Arn", "RoleId"}
	case "AWS::Logs::LogGroup":
		return []string{"Arn"}
	case "AWS::SNS::Topic":
		return []string{"TopicArn", "TopicName"}
	}
	return nil
}

// madeUpTag marks a value that nobody knows. Whoever takes it for a list gets it as the list's only entry, at any index.
const madeUpTag = "!made-up"

// attribute works out Fn::GetAtt.
func (r *reader) attribute(n *yaml.Node, id, attr string) *yaml.Node {
	first, rest, deep := strings.Cut(attr, ".")
	if made := r.nicknames[id+"."+first]; deep && made != "" {
		id, attr = made, rest
	}
	res := r.resources[id]
	switch {
	case res == nil:
		return r.doc.broken(n) // check has refused it
	case !res.enabled:
		return r.absent(n, res)
	}
	switch attr {
	case "Arn", "AliasArn", "TopicArn", "EventSourceMappingArn":
		return r.doc.text(n, r.arnFor(res))
	case "QueueName", "TopicName":
		return r.doc.text(n, r.physical(res))
	case "ApiId", "RouteId", "IntegrationId", "AuthorizerId", "DeploymentId", "QueueUrl", "Id":
		return r.doc.text(n, r.refOf(res))
	}
	switch res.kind + "." + attr {
	case "AWS::ApiGatewayV2::Api.ApiEndpoint":
		scheme := "https"
		if r.socket(res) {
			scheme = "wss"
		}
		return r.doc.text(n, fmt.Sprintf("%s://%s.execute-api.%s.%s", scheme, r.refOf(res), r.opts.Region, r.suffix()))
	case "AWS::DynamoDB::Table.StreamArn":
		return r.doc.text(n, r.arnFor(res)+"/stream/2026-01-01T00:00:00.000")
	case "AWS::ECR::Repository.RepositoryUri":
		return r.doc.text(n, r.repositoryURI(r.physical(res)))
	case "AWS::Lambda::Version.Version":
		return r.doc.text(n, "1")
	case "AWS::Lambda::Version.FunctionArn":
		return r.doc.text(n, r.arnFor(res))
	case "AWS::Events::EventBus.Name":
		return r.doc.text(n, r.physical(res))
	case "AWS::IAM::Role.RoleId":
		return r.doc.text(n, "AROA"+r.token(id, 17))
	}
	value := r.physical(res) + "." + strings.ToLower(attr)
	r.doc.notice(r.doc.where[n], "not emulated: %s of %s; %s is made up", attr, res.kind, quote(value))
	return r.doc.fresh(n, yaml.Node{Kind: yaml.ScalarNode, Tag: madeUpTag, Value: value})
}

func (r *reader) repositoryURI(name string) string {
	return fmt.Sprintf("%s.dkr.ecr.%s.%s/%s", r.opts.Account, r.opts.Region, r.suffix(), name)
}

// socket tells whether an API is a WebSocket API.
func (r *reader) socket(res *resource) bool {
	if res.props == nil {
		return false
	}
	f, ok := r.doc.field(target(res.props)).object().fields["ProtocolType"]
	return ok && r.evalField(f).text() == "WEBSOCKET"
}
