package emulator_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// The whole chain of a template inside a bubble: the four minutes of a batch's window take no time, and nothing else takes any.
func TestATemplateInsideSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var em *emulatortest.Emulator
		post := func(ctx context.Context, e lambdaevents.SQSEvent) error {
			for _, c := range em.Connections() {
				url := fmt.Sprintf("http://%s.execute-api.us-east-1.amazonaws.com%s/@connections/%s", c.GatewayID, c.Path, c.ID)
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewBufferString(fmt.Sprint(len(e.Records))))
				if err != nil {
					return err
				}
				res, err := em.Client().Do(req)
				if err != nil {
					return err
				}
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					return fmt.Errorf("%s: %s", url, res.Status)
				}
			}
			return nil
		}
		gone := make(chan string, 1)
		em, _ = stack(t, sockets+`
  Pushes: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: [aws.ecr]}, Targets: [{Id: q, Arn: !GetAtt Queue.Arn}]}}
  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 360}}
  Post:
    Type: AWS::Serverless::Function
    Properties: {Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, BatchSize: 100, MaximumBatchingWindowInSeconds: 240}}}}
`, handlers(gone), func(cfg *emulator.Config) {
			cfg.Functions["Post"] = lambda.NewHandler(post)
			cfg.Listener = emulatortest.NewNetwork()
		})
		ws := em.Dial("/live")
		began := time.Now()
		em.Push("team/app:v1")
		em.Push("team/app:v2")
		em.Flush()
		is.Equal(string(ws.Read()), "2")
		is.Equal(time.Since(began), 4*time.Minute)
		ws.Close()
		<-gone
	})
}
