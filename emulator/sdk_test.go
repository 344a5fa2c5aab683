package emulator_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// user is what a user's program loads when it is told of the emulator by the environment alone.
func user(t *testing.T, em *emulatortest.Emulator) aws.Config {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": em.URL(), "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "regcast", "AWS_SECRET_ACCESS_KEY": "regcast",
		"AWS_CONFIG_FILE": t.TempDir() + "/none", "AWS_SHARED_CREDENTIALS_FILE": t.TempDir() + "/none",
	} {
		t.Setenv(name, value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// address is that of an API's management, as a user would configure it.
func address(em *emulatortest.Emulator) func(*apigatewaymanagementapi.Options) {
	return func(o *apigatewaymanagementapi.Options) {
		o.BaseEndpoint = aws.String("http" + strings.TrimPrefix(em.APIs()[0].URLs[0], "ws"))
	}
}

// sockets are the resources of an API with handlers in this process.
const sockets = `
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      StageName: live
      RouteSelectionExpression: $request.body.action
      Routes:
        $connect: {FunctionArn: !GetAtt Connect.Arn}
        $disconnect: {FunctionArn: !GetAtt Disconnect.Arn}
        $default: {FunctionArn: !GetAtt Default.Arn}
  Connect: {Type: AWS::Serverless::Function}
  Disconnect: {Type: AWS::Serverless::Function}
  Default: {Type: AWS::Serverless::Function}
`

// gone gets the ids of connections whose $disconnect function has run.
func handlers(gone chan<- string) func(*emulator.Config) {
	fine := function(func(context.Context, []byte) ([]byte, error) { return []byte(`{"statusCode":200}`), nil })
	return func(cfg *emulator.Config) {
		cfg.Functions = map[string]emulator.Function{
			"Connect": fine, "Default": fine,
			"Disconnect": function(func(_ context.Context, payload []byte) ([]byte, error) {
				var e struct{ RequestContext struct{ ConnectionID string } }
				if err := json.Unmarshal(payload, &e); err != nil {
					return nil, err
				}
				gone <- e.RequestContext.ConnectionID
				return nil, nil
			}),
		}
	}
}

func TestConnectionsOverTheSDK(t *testing.T) {
	is := is.New(t)
	gone := make(chan string, 10)
	em, _ := stack(t, sockets, handlers(gone), func(cfg *emulator.Config) { cfg.StrictAuth = true })
	api := apigatewaymanagementapi.NewFromConfig(user(t, em), address(em))
	ws := em.Dial("/live")
	id := aws.String(em.Connections()[0].ID)

	_, err := api.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: id, Data: []byte("hello")})
	is.NoErr(err)
	is.Equal(string(ws.Read()), "hello")
	got, err := api.GetConnection(t.Context(), &apigatewaymanagementapi.GetConnectionInput{ConnectionId: id})
	is.NoErr(err)
	is.Equal(*got.Identity.SourceIp, "127.0.0.1")
	is.True(!got.ConnectedAt.IsZero() && !got.LastActiveAt.Before(*got.ConnectedAt))
	_, err = api.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{
		ConnectionId: id, Data: make([]byte, 128<<10+1),
	})
	var answered *smithyhttp.ResponseError // without the modelled exception, as from the cloud
	is.True(errors.As(err, &answered))
	is.Equal(answered.HTTPStatusCode(), 413)
	_, err = api.DeleteConnection(t.Context(), &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: id})
	is.NoErr(err)
	is.Equal(<-gone, *id)
	var none *apitypes.GoneException
	_, err = api.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: id, Data: []byte("hello")})
	is.True(errors.As(err, &none))
	_, err = api.GetConnection(t.Context(), &apigatewaymanagementapi.GetConnectionInput{ConnectionId: id})
	is.True(errors.As(err, &none))
	_, err = api.DeleteConnection(t.Context(), &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: id})
	is.True(errors.As(err, &none))

	// One API: the environment's endpoint alone is enough.
	ws = em.Dial("/live")
	_, err = apigatewaymanagementapi.NewFromConfig(user(t, em)).PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{
		ConnectionId: aws.String(em.Connections()[0].ID), Data: []byte("again"),
	})
	is.NoErr(err)
	is.Equal(string(ws.Read()), "again")
}

func TestDynamoDBOverTheSDK(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, `
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: who, AttributeType: S}, {AttributeName: n, AttributeType: N}]
      KeySchema: [{AttributeName: who, KeyType: HASH}, {AttributeName: n, KeyType: RANGE}]
`, func(cfg *emulator.Config) { cfg.StrictAuth = true })
	db := dynamodb.NewFromConfig(user(t, em))
	str := func(s string) dbtypes.AttributeValue { return &dbtypes.AttributeValueMemberS{Value: s} }
	num := func(s string) dbtypes.AttributeValue { return &dbtypes.AttributeValueMemberN{Value: s} }
	for _, n := range []string{"1", "2", "10"} {
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: aws.String("orders"), Item: map[string]dbtypes.AttributeValue{"who": str("me"), "n": num(n)},
			ConditionExpression: aws.String("attribute_not_exists(n)"),
		})
		is.NoErr(err)
	}
	pages := dynamodb.NewQueryPaginator(db, &dynamodb.QueryInput{
		TableName: aws.String("orders"), KeyConditionExpression: aws.String("who = :w AND n > :n"), Limit: aws.Int32(1),
		ExpressionAttributeValues: map[string]dbtypes.AttributeValue{":w": str("me"), ":n": num("1")},
	})
	var got []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		is.NoErr(err)
		for _, item := range page.Items {
			got = append(got, item["n"].(*dbtypes.AttributeValueMemberN).Value)
		}
	}
	is.Equal(got, []string{"2", "10"})
	_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("orders"), Item: map[string]dbtypes.AttributeValue{"who": str("me"), "n": num("1")},
		ConditionExpression: aws.String("attribute_not_exists(n)"),
	})
	var refused *dbtypes.ConditionalCheckFailedException
	is.True(errors.As(err, &refused))
	_, err = db.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String("nowhere"), Key: map[string]dbtypes.AttributeValue{"who": str("me")},
	})
	var unknown *dbtypes.ResourceNotFoundException
	is.True(errors.As(err, &unknown))
}

func TestLambdaOverTheSDK(t *testing.T) {
	is := is.New(t)
	em, logs := stack(t, `
  Echo: {Type: AWS::Serverless::Function, Properties: {FunctionName: echo, Environment: {Variables: {DO: echo}}}}
  Fail: {Type: AWS::Serverless::Function, Properties: {FunctionName: fail, Environment: {Variables: {DO: fail}}}}
  Log: {Type: AWS::Serverless::Function, Properties: {FunctionName: log, Environment: {Variables: {DO: log}}}}
`)
	api := lambdaapi.NewFromConfig(user(t, em))
	got, err := api.Invoke(t.Context(), &lambdaapi.InvokeInput{
		FunctionName: aws.String("echo"), Payload: []byte(`{"n":7}`), LogType: lambdatypes.LogTypeTail,
	})
	is.NoErr(err)
	is.Equal(string(got.Payload), `{"n":7}`)
	is.Equal(got.StatusCode, int32(200))
	is.Equal(*got.ExecutedVersion, "$LATEST")
	is.True(got.FunctionError == nil)
	tail, err := base64.StdEncoding.DecodeString(*got.LogResult)
	is.NoErr(err)
	for _, want := range []string{"START RequestId: ", "echoing\n", "END RequestId: ", "REPORT RequestId: "} {
		is.True(strings.Contains(string(tail), want))
	}

	got, err = api.Invoke(t.Context(), &lambdaapi.InvokeInput{FunctionName: aws.String("arn:aws:lambda:us-east-1:123456789012:function:fail")})
	is.NoErr(err) // an answer all the same
	is.Equal(got.StatusCode, int32(200))
	is.Equal(*got.FunctionError, "Unhandled")
	is.Equal(string(got.Payload), `{"errorMessage":"no order 7","errorType":"NoOrder"}`)

	got, err = api.Invoke(t.Context(), &lambdaapi.InvokeInput{FunctionName: aws.String("log"), InvocationType: lambdatypes.InvocationTypeDryRun})
	is.NoErr(err)
	is.Equal(got.StatusCode, int32(204))
	got, err = api.Invoke(t.Context(), &lambdaapi.InvokeInput{
		FunctionName: aws.String("log"), InvocationType: lambdatypes.InvocationTypeEvent, Payload: []byte(`{"once":true}`),
	})
	is.NoErr(err)
	is.Equal(got.StatusCode, int32(202))
	is.Equal(logs.wait("Log", "got "), `got {"once":true}`) // and the dry run never came
	em.Flush()

	_, err = api.Invoke(t.Context(), &lambdaapi.InvokeInput{FunctionName: aws.String("nobody")})
	var unknown *lambdatypes.ResourceNotFoundException
	is.True(errors.As(err, &unknown))
	is.Equal(*unknown.Message, "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody")
	_, err = api.Invoke(t.Context(), &lambdaapi.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`{`)})
	var wrong *lambdatypes.InvalidRequestContentException
	is.True(errors.As(err, &wrong))
	_, err = api.PublishVersion(t.Context(), &lambdaapi.PublishVersionInput{FunctionName: aws.String("echo")})
	is.True(err != nil && strings.Contains(err.Error(), "not emulated"))
}

func TestDeadLettersOverTheSDK(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	em, _ := stack(t, `
  Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: dead}}
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: work
      VisibilityTimeout: 60
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
  Fail:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {DO: fail}}
      Events: {Work: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn}}}
Outputs:
  Work: {Value: !Ref Work}
  Dead: {Value: !Ref Dead}
`, func(cfg *emulator.Config) { cfg.Clock = clock })
	api := sqs.NewFromConfig(user(t, em))
	sent, err := api.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(em.Outputs()["Work"]), MessageBody: aws.String("order"),
		MessageAttributes: map[string]sqstypes.MessageAttributeValue{"by": {DataType: aws.String("String"), StringValue: aws.String("me")}},
	})
	is.NoErr(err)
	for range 2 {
		em.Flush()
		clock.Advance(time.Minute)
	}
	em.Flush()
	is.Equal(em.Functions()[0].Errors, uint64(2))
	// Without an advance of the clock, this waits for as long as there is nothing.
	got, err := api.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(em.Outputs()["Dead"]), WaitTimeSeconds: 20, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"All"},
	})
	is.NoErr(err)
	is.Equal(len(got.Messages), 1)
	m := got.Messages[0]
	is.Equal(*m.Body, "order")
	is.Equal(*m.MessageId, *sent.MessageId)
	is.Equal(*m.MessageAttributes["by"].StringValue, "me")
	is.Equal(m.Attributes["DeadLetterQueueSourceArn"], "arn:aws:sqs:us-east-1:123456789012:work")
	_, err = api.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(em.Outputs()["Dead"]), ReceiptHandle: m.ReceiptHandle})
	is.NoErr(err)
	counts, err := api.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(em.Outputs()["Dead"]), AttributeNames: []sqstypes.QueueAttributeName{"All"},
	})
	is.NoErr(err)
	is.Equal(counts.Attributes["ApproximateNumberOfMessages"], "0")
	is.Equal(counts.Attributes["ApproximateNumberOfMessagesNotVisible"], "0")
}
