package emulator_test

import (
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events/ecr"
)

// The deployment without the permission to post: the cloud's refusal is regcast's, and the event is in the dead-letter queue after as
// many tries as the template says.
func TestWithoutItsPermissionBroadcastIsRefused(t *testing.T) {
	is := is.New(t)
	file := read(t, "../template.yaml")
	const from, to = "            - Effect: Allow\n              Action: execute-api:ManageConnections\n", "      Events:\n        Queue:"
	before, rest, ok := strings.Cut(string(file.Data), from)
	is.True(ok)
	_, after, ok := strings.Cut(rest, to)
	is.True(ok)
	file.Data = []byte(before + to + after)
	clock := emulatortest.NewClock()
	logs := newLogs(t)
	em := emulatortest.Start(t, emulator.Config{
		Template: &emulator.Template{File: file, Dir: ".."}, Clock: clock, StrictAuth: true, FunctionLog: logs.add,
	})
	em.Dial("/live?image=team/*")
	digest := em.Push("team/app:v1")
	for range 5 {
		em.Flush()
		logs.wait("Broadcast", "is not authorized to perform: execute-api:ManageConnections on resource: arn:aws:execute-api:")
		clock.Advance(3 * time.Minute) // the queue's visibility
	}
	em.Flush()
	queues := sqs.NewFromConfig(user(t, em))
	got, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(em.Outputs()["Undelivered"]), WaitTimeSeconds: 20})
	is.NoErr(err)
	is.Equal(len(got.Messages), 1)
	event, err := ecr.Decode([]byte(*got.Messages[0].Body))
	is.NoErr(err)
	is.Equal(event.Image.Digest, digest)
}

// What is not signed, or not as it should be, does not come in.
func TestStrictAuthRefuses(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, sockets, handlers(make(chan string, 10)), func(cfg *emulator.Config) { cfg.StrictAuth = true })
	ws := em.Dial("/live") // clients of the API itself sign nothing
	id := em.Connections()[0].ID
	api := "http" + strings.TrimPrefix(em.APIs()[0].URLs[0], "ws")
	res, err := em.Client().Post(api+"/@connections/"+id, "text/plain", strings.NewReader("unsigned"))
	is.NoErr(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	is.NoErr(err)
	is.Equal(res.StatusCode, http.StatusForbidden)
	is.Equal(res.Header.Get("X-Amzn-Errortype"), "MissingAuthenticationTokenException")
	var told struct{ Message string }
	is.NoErr(json.Unmarshal(body, &told))
	is.Equal(told.Message, "Missing Authentication Token")

	for key, want := range map[[2]string]string{
		{"regcast", "wrong"}:            "InvalidSignatureException",
		{"AKIAIOSFODNN7DEV", "regcast"}: "UnrecognizedClientException",
	} {
		client := apigatewaymanagementapi.NewFromConfig(user(t, em), address(em), func(o *apigatewaymanagementapi.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(key[0], key[1], "")
		})
		_, err := client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("unsigned")})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "StatusCode: 403") {
			t.Errorf("%v: got %v, want %s", key, err, want)
		}
	}
	_, err = apigatewaymanagementapi.NewFromConfig(user(t, em), address(em)).PostToConnection(t.Context(),
		&apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("signed")})
	is.NoErr(err)
	is.Equal(string(ws.Read()), "signed") // and nothing before it
}

// Queues and functions are kept as connections and tables are: who signs may do what its policies say, and who does not sign nothing.
func TestStrictAuthKeepsQueuesAndFunctions(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, `
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: work}}
  Echo: {Type: AWS::Serverless::Function, Properties: {FunctionName: echo}}
  Poor: {Type: AWS::Serverless::Function, Properties: {FunctionName: poor}}
  Rich:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: rich
      Policies:
        - SQSSendMessagePolicy: {QueueName: !GetAtt Queue.QueueName}
        - LambdaInvokePolicy: {FunctionName: !Ref Echo}
`, func(cfg *emulator.Config) { cfg.StrictAuth = true })
	unsigned := func(path, target string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, em.URL()+path, strings.NewReader(`{"QueueUrl":"http://localhost/123456789012/work","MessageBody":"x"}`))
		is.NoErr(err)
		req.Header.Set("X-Amz-Target", target)
		res, err := em.Client().Do(req)
		is.NoErr(err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		is.NoErr(err)
		return res.StatusCode, string(body)
	}
	for path, target := range map[string]string{"/": "AmazonSQS.SendMessage", "/2015-03-31/functions/echo/invocations": ""} {
		status, body := unsigned(path, target)
		is.Equal(status, http.StatusForbidden)
		is.True(strings.Contains(body, "Missing Authentication Token"))
	}
	key := func(id string) aws.CredentialsProvider { // of a function
		for _, variable := range ask[[]string](t, em, id, `{"do":"environment"}`) {
			if key, ok := strings.CutPrefix(variable, "AWS_ACCESS_KEY_ID="); ok {
				return credentials.NewStaticCredentialsProvider(key, "regcast", "regcast")
			}
		}
		t.Fatalf("%s has no key", id)
		return nil
	}
	cfg := user(t, em)
	for who, keys := range map[string]aws.CredentialsProvider{"": cfg.Credentials, "Rich": key("Rich"), "Poor": key("Poor")} {
		queues := sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.Credentials = keys })
		functions := lambdaapi.NewFromConfig(cfg, func(o *lambdaapi.Options) { o.Credentials = keys })
		_, sent := queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &em.Queues()[0].URL, MessageBody: aws.String("x")})
		_, batch := queues.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{
			QueueUrl: &em.Queues()[0].URL, Entries: []sqstypes.SendMessageBatchRequestEntry{{Id: aws.String("1"), MessageBody: aws.String("x")}},
		})
		_, invoked := functions.Invoke(t.Context(), &lambdaapi.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`{"do":"echo"}`)})
		_, other := functions.Invoke(t.Context(), &lambdaapi.InvokeInput{FunctionName: aws.String("poor"), Payload: []byte(`{"do":"echo"}`)})
		_, purged := queues.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &em.Queues()[0].URL})
		refused := func(err error) bool {
			return err != nil && strings.Contains(err.Error(), "is not authorized to perform: ")
		}
		got := []bool{refused(sent), refused(batch), refused(invoked), refused(other), refused(purged)}
		want := map[string][]bool{
			"": {false, false, false, false, false}, "Rich": {false, false, false, true, true}, "Poor": {true, true, true, true, true},
		}[who]
		if !slices.Equal(got, want) {
			t.Errorf("%q: refused %v, want %v: %v, %v, %v, %v, %v", who, got, want, sent, batch, invoked, other, purged)
		}
	}
}

// Clients of DynamoDB check the sum of every answer, refusals too, and print the request's id.
func TestARefusalOfATableIsSummed(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, sockets, handlers(make(chan string, 10)), func(cfg *emulator.Config) { cfg.StrictAuth = true })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, em.URL(), strings.NewReader(`{}`))
	is.NoErr(err)
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
	res, err := em.Client().Do(req)
	is.NoErr(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	is.NoErr(err)
	is.Equal(res.StatusCode, http.StatusBadRequest)
	is.True(strings.Contains(string(body), "MissingAuthenticationToken"))
	is.Equal(res.Header.Get("X-Amz-Crc32"), strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	is.Equal(len(res.Header.Get("X-Amzn-Requestid")), len("00000000-0000-0000-0000-000000000000"))
}
