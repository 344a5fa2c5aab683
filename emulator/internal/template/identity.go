package template

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// token is n letters and digits that stay the same for a stack and a logical id.
func (r *reader) token(id string, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	sum := sha256.Sum256([]byte(r.opts.Stack + "\x00" + id))
	out := make([]byte, n)
	for i := range out {
		among := len(alphabet)
		if i == 0 {
			among = 26 // a letter first
		}
		out[i] = alphabet[int(sum[i])%among]
	}
	return string(out)
}

func (r *reader) shortID(id string) string { return strings.ToLower(r.token(id, 10)) }

func (r *reader) uuid(id string) string {
	sum := sha256.Sum256([]byte(r.opts.Stack + "\x00" + id))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func (r *reader) partition() string {
	switch {
	case strings.HasPrefix(r.opts.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(r.opts.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func (r *reader) suffix() string {
	if r.partition() == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

func (r *reader) arn(service, rest string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", r.partition(), service, r.opts.Region, r.opts.Account, rest)
}

// nameProperty is the property that gives a resource its name, and how long a name may be.
func nameProperty(kind string) (key string, longest int) {
	switch kind {
	case "AWS::Lambda::Function":
		return "FunctionName", 64
	case "AWS::SQS::Queue":
		return "QueueName", 80
	case "AWS::DynamoDB::Table":
		return "TableName", 255
	case "AWS::ECR::Repository":
		return "RepositoryName", 256
	case "AWS::IAM::Role":
		return "RoleName", 64
	case "AWS::Logs::LogGroup":
		return "LogGroupName", 512
	case "AWS::SNS::Topic":
		return "TopicName", 256
	case "AWS::S3::Bucket":
		return "BucketName", 63
	case "AWS::ApiGatewayV2::Stage", "AWS::ApiGateway::Stage":
		return "StageName", 128
	case "AWS::Lambda::LayerVersion":
		return "LayerName", 140
	case "AWS::StepFunctions::StateMachine":
		return "StateMachineName", 80
	case "AWS::CloudWatch::Alarm":
		return "AlarmName", 255
	case "AWS::Events::Rule", "AWS::Events::EventBus", "AWS::SSM::Parameter", "AWS::SecretsManager::Secret", "AWS::Kinesis::Stream",
		"AWS::Lambda::Alias":
		return "Name", 64
	}
	return "", 64
}

// physical is a resource's name: the one it is given, or one made of stack and logical id as the cloud does.
func (r *reader) physical(res *resource) string {
	key, longest := nameProperty(res.kind)
	switch {
	case res.naming == 1:
		r.doc.refuse(res.at, "the name of %s depends on itself, want no circle", res.id)
		return res.id
	case res.naming == 2:
		return res.name
	}
	res.naming = 1
	if key != "" && res.props != nil {
		if n := target(res.props); n.Kind == yaml.MappingNode {
			if f, ok := r.doc.field(n).object().fields[key]; ok {
				f = r.evalField(f)
				if f.scalar() && !f.broken() {
					res.name = f.text()
				}
			}
		}
	}
	if res.name == "" {
		tail := "-" + r.token(res.id, 12)
		if strings.HasSuffix(res.kind, "::Queue") && r.fifo(res) {
			tail += ".fifo"
		}
		head := r.opts.Stack + "-" + res.id
		res.name = head[:min(len(head), longest-len(tail))] + tail
		if res.kind == "AWS::ECR::Repository" || res.kind == "AWS::S3::Bucket" {
			res.name = strings.ToLower(res.name)
		}
	}
	res.naming = 2
	return res.name
}

func (r *reader) fifo(res *resource) bool {
	if res.props == nil {
		return false
	}
	f, ok := r.doc.field(res.props).object().fields["FifoQueue"]
	return ok && r.evalField(f).truth(false)
}

// ref works out Ref.
func (r *reader) ref(n *yaml.Node, name string) *yaml.Node {
	if id := r.nicknames[name]; id != "" {
		name = id
	}
	if res := r.resources[name]; res != nil {
		if !res.enabled {
			return r.absent(n, res)
		}
		out := r.doc.text(n, r.refOf(res))
		if key, _ := nameProperty(res.kind); key == "" && attributes(res.kind) == nil {
			out.Tag = madeUpTag
		}
		return out
	}
	if p := r.parameters[name]; p != nil {
		out := *p // where the parameter is used is where it stands
		return r.doc.fresh(n, out)
	}
	switch name {
	case "AWS::AccountId":
		return r.doc.text(n, r.opts.Account)
	case "AWS::Region":
		return r.doc.text(n, r.opts.Region)
	case "AWS::Partition":
		return r.doc.text(n, r.partition())
	case "AWS::URLSuffix":
		return r.doc.text(n, r.suffix())
	case "AWS::StackName":
		return r.doc.text(n, r.opts.Stack)
	case "AWS::StackId":
		return r.doc.text(n, r.arn("cloudformation", "stack/"+r.opts.Stack+"/"+r.uuid("")))
	case "AWS::NotificationARNs":
		return r.doc.list(n)
	case "AWS::NoValue":
		return nil
	}
	return r.doc.broken(n) // check has refused it
}

func (r *reader) absent(n *yaml.Node, res *resource) *yaml.Node {
	r.doc.refuse(r.doc.where[n], "%s is not made, since its condition %s does not hold; use it under Fn::If with that condition", res.id, res.condition)
	return r.doc.broken(n)
}

// refOf is what Ref gives for a resource.
func (r *reader) refOf(res *resource) string {
	name := r.physical(res)
	switch res.kind {
	case "AWS::SQS::Queue":
		return r.queueURL(name)
	case "AWS::ApiGatewayV2::Api", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::HttpApi", "AWS::Serverless::Api", "AWS::Serverless::HttpApi":
		return r.shortID(res.id)
	case "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Deployment",
		"AWS::ApiGatewayV2::RouteResponse", "AWS::ApiGatewayV2::IntegrationResponse":
		return strings.ToLower(r.token(res.id, 7))
	case "AWS::Events::Rule":
		if bus := r.bus(res); bus != defaultBus {
			return bus + "|" + name
		}
	case "AWS::Lambda::EventSourceMapping":
		return r.uuid(res.id)
	case "AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::IAM::ManagedPolicy", "AWS::SNS::Topic", "AWS::StepFunctions::StateMachine", "AWS::SecretsManager::Secret":
		return r.arnFor(res)
	}
	return name
}

func (r *reader) queueURL(name string) string {
	return fmt.Sprintf("https://sqs.%s.%s/%s/%s", r.opts.Region, r.suffix(), r.opts.Account, name)
}

// arnFor is a resource's ARN.
func (r *reader) arnFor(res *resource) string {
	name := r.physical(res)
	switch res.kind {
	case "AWS::Lambda::Function":
		return r.arn("lambda", "function:"+name)
	case "AWS::Lambda::Alias":
		return r.functionOf(res) + ":" + name
	case "AWS::Lambda::Version":
		return r.functionOf(res) + ":1"
	case "AWS::SQS::Queue":
		return r.arn("sqs", name)
	case "AWS::SNS::Topic":
		return r.arn("sns", name)
	case "AWS::DynamoDB::Table":
		return r.arn("dynamodb", "table/"+name)
	case "AWS::ECR::Repository":
		return r.arn("ecr", "repository/"+name)
	case "AWS::Events::Rule":
		if bus := r.bus(res); bus != defaultBus {
			name = bus + "/" + name
		}
		return r.arn("events", "rule/"+name)
	case "AWS::Events::EventBus":
		return r.arn("events", "event-bus/"+name)
	case "AWS::IAM::Role":
		return fmt.Sprintf("arn:%s:iam::%s:role/%s", r.partition(), r.opts.Account, name)
	case "AWS::IAM::ManagedPolicy":
		return fmt.Sprintf("arn:%s:iam::%s:policy/%s", r.partition(), r.opts.Account, name)
	case "AWS::Logs::LogGroup":
		return r.arn("logs", "log-group:"+name+":*")
	case "AWS::S3::Bucket":
		return fmt.Sprintf("arn:%s:s3:::%s", r.partition(), name)
	case "AWS::StepFunctions::StateMachine":
		return r.arn("states", "stateMachine:"+name)
	case "AWS::SecretsManager::Secret":
		return r.arn("secretsmanager", "secret:"+name)
	case "AWS::Kinesis::Stream":
		return r.arn("kinesis", "stream/"+name)
	case "AWS::Lambda::EventSourceMapping":
		return r.arn("lambda", "event-source-mapping:"+r.uuid(res.id))
	}
	parts := strings.Split(res.kind, "::")
	service := "custom"
	if len(parts) == 3 {
		service = strings.ToLower(parts[1])
	}
	return r.arn(service, strings.ToLower(parts[len(parts)-1])+"/"+name)
}

// functionOf is the ARN, without a qualifier, of the function that an alias or a version is one of.
func (r *reader) functionOf(res *resource) string {
	if res.naming == 1 || res.props == nil { // a circle has been refused; without properties there is no name
		return r.arn("lambda", "function:"+res.id)
	}
	f, ok := r.doc.field(target(res.props)).object().fields["FunctionName"]
	if !ok {
		return r.arn("lambda", "function:"+res.id)
	}
	name := r.evalField(f).text()
	if strings.HasPrefix(name, "arn:") {
		return unqualified(name)
	}
	return r.arn("lambda", "function:"+name)
}

// unqualified is a function's ARN without alias or version.
func unqualified(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) == 8 && parts[5] == "function" {
		return strings.Join(parts[:7], ":")
	}
	return arn
}

const defaultBus = "default"

// bus is the name of a rule's event bus.
func (r *reader) bus(res *resource) string {
	if res.props == nil {
		return defaultBus
	}
	f, ok := r.doc.field(target(res.props)).object().fields["EventBusName"]
	if !ok {
		return defaultBus
	}
	f = r.evalField(f)
	if !f.scalar() || f.broken() {
		return defaultBus
	}
	name := f.text()
	return name[strings.LastIndex(name, "/")+1:]
}
