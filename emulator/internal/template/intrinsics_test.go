package template_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/template"
)

// env is a template with one function, whose variable V has a value.
func env(value string) string {
	return `Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Parameters:
  Text: {Type: String, Default: text}
  List: {Type: CommaDelimitedList, Default: "a, b"}
  Zone: {Type: "AWS::SSM::Parameter::Value<String>", Default: /zone}
Mappings:
  Map: {one: {two: found}}
Conditions:
  Yes: !Equals [!Ref Text, text]
Resources:
  Fn:
    Type: AWS::Lambda::Function
    Properties:
      Code: fn/
      Handler: bootstrap
      Runtime: provided.al2023
      Role: !GetAtt Role.Arn
      Environment:
        Variables:
          VV: ` + value + `
  Role: {Type: AWS::IAM::Role, Properties: {RoleName: runner}}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: work}}
  Table: {Type: AWS::DynamoDB::Table, Properties: {TableName: things, AttributeDefinitions: [{AttributeName: id, AttributeType: S}], KeySchema: [{AttributeName: id, KeyType: HASH}]}}
  Repo: {Type: AWS::ECR::Repository, Properties: {RepositoryName: team/app}}
  Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /log}}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: own}}
  Rule: {Type: AWS::Events::Rule, Properties: {Name: all, EventBusName: !Ref Bus, EventPattern: {source: [x]}, Targets: [{Id: q, Arn: !GetAtt Queue.Arn}]}}
  Plain: {Type: AWS::Events::Rule, Properties: {Name: all, EventPattern: {source: [x]}, Targets: [{Id: q, Arn: !GetAtt Queue.Arn}]}}
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: a, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.a}}
  Stage: {Type: AWS::ApiGatewayV2::Stage, Properties: {StageName: prod, AutoDeploy: true, ApiId: !Ref Api}}
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: files}}
`
}

func TestIntrinsicsAreWorkedOut(t *testing.T) {
	for _, tc := range []struct{ value, want string }{
		{`!Ref Text`, "text"},
		{`{Ref: Text}`, "text"},
		{`!Ref Queue`, "https://sqs.us-east-1.amazonaws.com/123456789012/work"},
		{`!Ref Table`, "things"}, {`!Ref Rule`, "own|all"}, {`!Ref Plain`, "all"}, {`!Ref Log`, "/log"}, {`!Ref Stage`, "prod"},
		{`!Ref Bucket`, "files"}, {`!Ref Role`, "runner"}, {`!Ref Zone`, "/zone"},
		{`!GetAtt Queue.Arn`, "arn:aws:sqs:us-east-1:123456789012:work"},
		{`!GetAtt [Queue, QueueName]`, "work"},
		{`{Fn::GetAtt: [Queue, !Sub ["Queue${U}", {U: Url}]]}`, "https://sqs.us-east-1.amazonaws.com/123456789012/work"},
		{`!GetAtt Table.Arn`, "arn:aws:dynamodb:us-east-1:123456789012:table/things"},
		{`!GetAtt Rule.Arn`, "arn:aws:events:us-east-1:123456789012:rule/own/all"},
		{`!GetAtt Plain.Arn`, "arn:aws:events:us-east-1:123456789012:rule/all"},
		{`!GetAtt Role.Arn`, "arn:aws:iam::123456789012:role/runner"},
		{`!GetAtt Repo.RepositoryUri`, "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"},
		{`!GetAtt Repo.Arn`, "arn:aws:ecr:us-east-1:123456789012:repository/team/app"},
		{`!GetAtt Log.Arn`, "arn:aws:logs:us-east-1:123456789012:log-group:/log:*"},
		{`!GetAtt Bucket.Arn`, "arn:aws:s3:::files"},
		{`!GetAtt Bucket.DomainName`, "files.domainname"},
		{`!Sub "${Text} ${Queue.QueueName} ${!Text} ${AWS::Region} $x ${"`, "text work ${Text} us-east-1 $x ${"},
		{`!Sub ["${A}-${Text}", {A: !Ref Table}]`, "things-text"},
		{`!Sub "${AWS::Partition} ${AWS::URLSuffix} ${AWS::StackName} ${AWS::AccountId}"`, "aws amazonaws.com regcast 123456789012"},
		{`!Join ["+", [a, !Ref Text, 3]]`, "a+text+3"},
		{`!Join ["+", !Ref List]`, "a+b"},
		{`!Join ["", []]`, ""},
		{`!Select [1, !Ref List]`, "b"},
		{`!Select ["1", !Split [",", "x,y,z"]]`, "y"},
		{`!FindInMap [Map, one, two]`, "found"},
		{`!FindInMap [Map, one, three, {DefaultValue: !Ref Text}]`, "text"},
		{`!If [Yes, this, that]`, "this"},
		{`!Base64 hi`, "aGk="},
		{`!Select [0, !GetAZs ""]`, "us-east-1a"},
		{`!Select [3, !Cidr [10.0.0.0/16, 6, 8]]`, "10.0.3.0/24"},
		{`!ImportValue shared`, "imported"},
		{`!Length [a, b, c]`, "3"},
		{`!ToJsonString {a: [1, "1", !Ref Text], b: true}`, `{"a":[1,"1","text"],"b":true}`},
		{`!Join ["", ["wss://", !Ref Api, ".execute-api"]]`, "wss://" + parse(t, env("x"), template.Options{}).APIs[0].ID + ".execute-api"},
	} {
		t.Run(tc.value, func(t *testing.T) {
			is := is.New(t)
			p, err := template.Parse("t.yaml", []byte(env(tc.value)), template.Options{Imports: map[string]string{"shared": "imported"}})
			is.NoErr(err)
			is.Equal(p.Functions[0].Env["VV"], tc.want)
		})
	}
}

func TestChinaHasItsOwnNames(t *testing.T) {
	is := is.New(t)
	p := parse(t, env(`!Sub "${AWS::Partition} ${AWS::URLSuffix} ${Queue}"`), template.Options{Region: "cn-north-1"})
	is.Equal(p.Functions[0].Env["VV"], "aws-cn amazonaws.com.cn https://sqs.cn-north-1.amazonaws.com.cn/123456789012/work")
	is.True(strings.HasPrefix(p.Functions[0].ARN, "arn:aws-cn:lambda:cn-north-1:"))
}

func TestNoValueIsLeftOut(t *testing.T) {
	is := is.New(t)
	p := parse(t, env(`!If [Yes, !Ref "AWS::NoValue", that]`), template.Options{})
	is.Equal(p.Functions[0].Env, map[string]string{})
}

func TestWrongIntrinsicsAreRefused(t *testing.T) {
	for _, tc := range []struct{ value, want string }{
		{`!Select [2, !Ref List]`, `Fn::Select: got "2" of a list of 2, want a whole number from 0`},
		{`!FindInMap [Map, one, tow]`, `Fn::FindInMap: there is no second key "Map.one.tow"; want two`},
		{`!FindInMap [Mapp, one, two]`, `Fn::FindInMap: there is no mapping "Mapp"; want Map`},
		{`!ImportValue other`, `Fn::ImportValue: nothing here exports "other"; give its value as an import`},
		{`!Join ["", !Ref Text]`, `Fn::Join: got a list, want a delimiter and a list of texts`},
		{`!Join ["", [!Ref List]]`, `got a list, want a text to join`},
		{`!Sub "${List}"`, `Fn::Sub: ${List} is a list, want a text`},
		{`!Sub [x]`, `Fn::Sub: got a list, want a text, or a list of a text and a mapping`},
		{`!GetAtt Queue`, `Fn::GetAtt: got "Queue", want a resource and an attribute, such as Table.Arn`},
		{`!Ref [a]`, `Ref: got a list, want a name`},
		{`!If [Yes, a]`, `Fn::If: want a condition's name, a value if it holds, and one if not`},
		{`!Equals [a, a]`, `Fn::Equals: want it in Conditions; here goes Fn::If with the name of a condition`},
		{`{Ref: Text, other: x}`, `Ref stands among other fields, want it alone`},
		{`!Cidr [x, 1, 8]`, `Fn::Cidr: got "x", want an IPv4 block such as 10.0.0.0/16 (not emulated: IPv6)`},
		{`!Cidr [10.0.0.0/24, 2, 8]`, `Fn::Cidr: 10.0.0.0/24 does not hold 2 blocks of 256 addresses`},
		{`!Split ["", x]`, `Fn::Split: want a delimiter and a text`},
		{`[a]`, `got a list, want a text`},
		{`!Condition Yes`, `got a mapping, want a text`},
	} {
		t.Run(tc.value, func(t *testing.T) {
			is := is.New(t)
			_, err := template.Parse("t.yaml", []byte(env(tc.value)), template.Options{})
			var fe *template.FileError
			is.True(errors.As(err, &fe))
			is.Equal(len(fe.Problems), 1)
			is.True(strings.HasPrefix(fe.Problems[0], "t.yaml:20: Resources.Fn.Properties.Environment.Variables.VV"))
			_, text, _ := strings.Cut(strings.TrimPrefix(fe.Problems[0], "t.yaml:20: "), ": ")
			is.Equal(text, tc.want)
		})
	}
}

// The cloud's tools read YAML 1.1. The value is theirs, and a notice tells of it.
func TestWordsThatYAMLTakesForSomethingElse(t *testing.T) {
	const at = "t.yaml:20: Resources.Fn.Properties.Environment.Variables.VV: "
	for _, tc := range []struct{ value, want, notice string }{
		{"yes", "true", "yes without quotation marks is true to AWS, which reads YAML 1.1; put it in quotation marks if it is a text"},
		{"Off", "false", "Off without quotation marks is false to AWS, which reads YAML 1.1; put it in quotation marks if it is a text"},
		{"010", "8", "010 without quotation marks is 8 to AWS, which reads YAML 1.1; put it in quotation marks if it is a text"},
		{"012345670123", "1402433619", "012345670123 without quotation marks is 1402433619 to AWS, which reads YAML 1.1; put it in quotation marks if it is a text"},
		{"098765432109", "098765432109", "tools differ in how they read 098765432109; put it in quotation marks"},
		{"1.10", "1.1", "1.10 without quotation marks is 1.1 to AWS, which reads YAML 1.1; put it in quotation marks if it is a text"},
		{"12:30", "750", "12:30 without quotation marks is 750 to AWS, which reads YAML 1.1; put it in quotation marks if it is a text"},
		{"1_000", "1000", "1_000 without quotation marks is 1000 to AWS, which reads YAML 1.1; put it in quotation marks if it is a text"},
		{"True", "true", ""}, {`"yes"`, "yes", ""}, {`'010'`, "010", ""}, {"2012-10-17", "2012-10-17", ""}, {"123456789012", "123456789012", ""},
		{"0", "0", ""}, {"1.5", "1.5", ""}, {"y", "y", ""}, {"1e3", "1e3", ""}, {"10.0.0.1", "10.0.0.1", ""},
	} {
		t.Run(tc.value, func(t *testing.T) {
			is := is.New(t)
			p := parse(t, env(tc.value), template.Options{})
			is.Equal(p.Functions[0].Env["VV"], tc.want)
			var notices []string
			for _, n := range p.Notices {
				if text, ok := strings.CutPrefix(n, at); ok {
					notices = append(notices, text)
				}
			}
			is.Equal(strings.Join(notices, "\n"), tc.notice)
		})
	}
}
