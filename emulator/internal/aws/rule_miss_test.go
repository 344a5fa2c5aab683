package aws_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/template"
)

// What people expect of ECR's events, and what is in them.
func TestWhatRulesExpectOfECR(t *testing.T) {
	for name, tc := range map[string]struct{ pattern, want string }{
		"a repository's ARN":      {`{"resources":["arn:aws:ecr:eu-north-1:210987654321:repository/team/app"]}`, `resources: want "arn:aws:ecr:eu-north-1:210987654321:repository/team/app", got [] (resources is empty in every ECR Image Action, so the rule never fires; match detail.repository-name instead)`},
		"another source":          {`{"source":["aws.ecs"]}`, `source: want "aws.ecs", got "aws.ecr" (ECR's events have the source "aws.ecr")`},
		"a scan":                  {`{"detail-type":["ECR Image Scan"]}`, `detail-type: want "ECR Image Scan", got "ECR Image Action" (pushes and deletes come as "ECR Image Action"; scans, replications and the rest of ECR's types are not emulated)`},
		"CloudTrail":              {`{"detail-type":["AWS API Call via CloudTrail"]}`, `detail-type: want "AWS API Call via CloudTrail", got "ECR Image Action" (not emulated: what CloudTrail tells of API calls; pushes and deletes come as "ECR Image Action" besides)`},
		"a detail-type by case":   {`{"detail-type":["ecr image action"]}`, `detail-type: want "ecr image action", got "ECR Image Action" (differs only by upper and lower case; {"equals-ignore-case": …} ignores that)`},
		"another result":          {`{"detail":{"result":["FAILURE"]}}`, `detail.result: want "FAILURE", got "SUCCESS" (an image action that is told of has the result "SUCCESS")`},
		"an action by case":       {`{"detail":{"action-type":["push"]}}`, `detail.action-type: want "push", got "PUSH" (differs only by upper and lower case; {"equals-ignore-case": …} ignores that)`},
		"another action":          {`{"detail":{"action-type":["PULL"]}}`, `detail.action-type: want "PULL", got "PUSH" (an image action is "PUSH" or "DELETE")`},
		"the name of an ARN":      {`{"detail":{"repository-name":["arn:aws:ecr:r:1:repository/team/app"]}}`, `detail.repository-name: want "arn:aws:ecr:r:1:repository/team/app", got "team/app" (it is the name alone, not the ARN)`},
		"the name with its host":  {`{"detail":{"repository-name":["1.dkr.ecr.r.amazonaws.com/team/app"]}}`, `detail.repository-name: want "1.dkr.ecr.r.amazonaws.com/team/app", got "team/app" (it is the name alone, without the registry)`},
		"the name with the id":    {`{"detail":{"repository-name":["crpmine/team/app"]}}`, `detail.repository-name: want "crpmine/team/app", got "team/app" (it is the name alone, without the registry)`},
		"the name with a tag":     {`{"detail":{"repository-name":["team/app:v1"]}}`, `detail.repository-name: want "team/app:v1", got "team/app" (it is the name alone; the tag is detail.image-tag)`},
		"the name's beginning":    {`{"detail":{"repository-name":["team/"]}}`, `detail.repository-name: want "team/", got "team/app" (a value is compared whole; {"prefix": "team/"} takes a beginning)`},
		"another name altogether": {`{"detail":{"repository-name":["x"]}}`, `detail.repository-name: want "x", got "team/app"`},
		"another region":          {`{"region":["us-west-2"]}`, `region: want "us-west-2", got "us-east-1" (a deployment here is in us-east-1 unless --region says otherwise, and in account 123456789012)`},
		"each of $or":             {`{"$or":[{"resources":["arn:x"]},{"source":["aws.s3"]}]}`, `no alternative of $or matches: resources: want "arn:x", got [] (resources is empty in every ECR Image Action, so the rule never fires; match detail.repository-name instead); source: want "aws.s3", got "aws.ecr" (ECR's events have the source "aws.ecr")`},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var o outbox
			r := rule(template.Target{ID: "1", ARN: queueARN("q")})
			r.Pattern = json.RawMessage(tc.pattern)
			e := pushed()
			e.Change.Registry = "crpmine"
			x, ok, _, err := aws.CompileRule(r, o.wiring())
			is.NoErr(err)
			is.True(ok)
			miss := x.Match.Accept(e)
			is.True(miss != nil)
			is.Equal(miss.String(), tc.want)
			is.True(miss.Doc != "") // where it is said
		})
	}
	t.Run("a push by digest", func(t *testing.T) {
		is := is.New(t)
		var o outbox
		e := pushed()
		e.Body = json.RawMessage(strings.Replace(ruledEvent, `,"image-tag":"v1"`, "", 1))
		miss := o.compile(t, rule(template.Target{ID: "1", ARN: queueARN("q")})).Match.Accept(e)
		is.Equal(miss.Hint, "the manifest came or went by its digest, and then there is no image-tag")
	})
}
