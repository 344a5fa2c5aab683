package aws

import (
	"encoding/json"
	"strings"

	"github.com/regcast/regcast/emulator/internal/trigger/pattern"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/ecr"
)

// Where it is said what ECR tells EventBridge.
const (
	docECR      = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html"
	docECRTypes = "https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ecr.html"
)

// accept asks a rule's pattern. What people expect of ECR's events and what is not in them is told beside what did not match.
func accept(p *pattern.Pattern) func(events.Event) *events.Miss {
	return func(e events.Event) *events.Miss {
		miss := p.Match(e.Body)
		if miss != nil {
			hint(miss, e)
			for i := range miss.Either {
				hint(&miss.Either[i], e)
			}
		}
		return miss
	}
}

// hint says of a field of ECR's events what there is in it.
func hint(m *events.Miss, e events.Event) {
	say := func(text, doc string) { m.Hint, m.Doc = text, doc }
	wants := func(text string) bool { return strings.Contains(m.Want, text) }
	switch m.Field {
	case "resources":
		if m.Got == "[]" {
			say("resources is empty in every ECR Image Action, so the rule never fires; match detail.repository-name instead", docECR)
		}
	case "source":
		if wants("aws.") {
			say(`ECR's events have the source "aws.ecr"`, docECR)
		}
	case "detail-type":
		switch {
		case wants("CloudTrail"):
			say(`not emulated: what CloudTrail tells of API calls; pushes and deletes come as "ECR Image Action" besides`, docECRTypes)
		case m.Hint == "":
			say(`pushes and deletes come as "ECR Image Action"; scans, replications and the rest of ECR's types are not emulated`, docECRTypes)
		}
	case "detail.result":
		if m.Hint == "" {
			say(`an image action that is told of has the result "SUCCESS"`, docECR)
		}
	case "detail.action-type":
		if m.Hint == "" {
			say(`an image action is "PUSH" or "DELETE"`, docECR)
		}
	case "detail.image-tag":
		if m.Got == "no such field" {
			say("the manifest came or went by its digest, and then there is no image-tag", docECR)
		}
	case "detail.repository-name":
		hintName(m, e)
	case "account", "region":
		if m.Hint == "" {
			say("a deployment here is in us-east-1 unless --region says otherwise, and in account 123456789012", "docs/FIDELITY.md#ECR event envelope")
		}
	}
}

// hintName says how a repository is called.
func hintName(m *events.Miss, e events.Event) {
	var of struct {
		Detail ecr.ImageAction `json:"detail"`
	}
	if json.Unmarshal(e.Body, &of) != nil || of.Detail.Repository == "" {
		return
	}
	name := of.Detail.Repository
	switch {
	case strings.Contains(m.Want, `:repository/`+name+`"`):
		m.Hint, m.Doc = "it is the name alone, not the ARN", docECR
	case strings.Contains(m.Want, `.amazonaws.com/`+name) || e.Change.Registry != "" && strings.Contains(m.Want, e.Change.Registry+"/"+name):
		m.Hint, m.Doc = "it is the name alone, without the registry", docECR
	case strings.Contains(m.Want, `"`+name+`:`):
		m.Hint, m.Doc = "it is the name alone; the tag is detail.image-tag", docECR
	}
}
