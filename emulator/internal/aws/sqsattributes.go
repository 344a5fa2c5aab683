package aws

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/regcast/regcast/emulator/internal/queue"
)

type getQueueAttributesInput struct {
	onQueue
	AttributeNames []string
}

type getQueueAttributesOutput struct {
	Attributes map[string]string `json:",omitempty"`
}

// sqsAttributeNames are the names that the service knows. Those that it knows and has nothing to say of here are left out of answers.
var sqsAttributeNames = [...]string{
	"All", "Policy", "VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod", "ApproximateNumberOfMessages",
	"ApproximateNumberOfMessagesNotVisible", "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn", "ApproximateNumberOfMessagesDelayed",
	"DelaySeconds", "ReceiveMessageWaitTimeSeconds", "RedrivePolicy", "FifoQueue", "ContentBasedDeduplication", "KmsMasterKeyId",
	"KmsDataKeyReusePeriodSeconds", "DeduplicationScope", "FifoThroughputLimit", "RedriveAllowPolicy", "SqsManagedSseEnabled",
}

func (s *SQS) getQueueAttributes(_ sqsRequest, in *getQueueAttributesInput) (getQueueAttributesOutput, error) {
	name, err := in.queue()
	if err != nil {
		return getQueueAttributesOutput{}, err
	}
	def, err := s.find(name)
	if err != nil {
		return getQueueAttributesOutput{}, err
	}
	for _, want := range in.AttributeNames {
		if !slices.Contains(sqsAttributeNames[:], want) {
			return getQueueAttributesOutput{}, &sqsError{Type: "InvalidAttributeName", Message: "Unknown Attribute " + want + "."}
		}
	}
	all, err := s.attributes(def)
	if err != nil {
		return getQueueAttributesOutput{}, err
	}
	out := make(map[string]string)
	for name, value := range all {
		if slices.Contains(in.AttributeNames, "All") || slices.Contains(in.AttributeNames, name) {
			out[name] = value
		}
	}
	return getQueueAttributesOutput{out}, nil
}

func (s *SQS) attributes(def queue.Queue) (map[string]string, error) {
	counts, err := s.Queues.Counts(def.Name)
	if err != nil {
		return nil, err
	}
	whole := func(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
	out := map[string]string{
		"QueueArn":                              s.arn(def.Name),
		"ApproximateNumberOfMessages":           strconv.Itoa(counts.Visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(counts.InFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(counts.Delayed),
		"VisibilityTimeout":                     whole(cmp.Or(def.Visibility, queue.Visibility)),
		"DelaySeconds":                          whole(def.Delay),
		"MessageRetentionPeriod":                whole(cmp.Or(def.Retention, queue.Retention)),
		"ReceiveMessageWaitTimeSeconds":         whole(def.Wait),
		"MaximumMessageSize":                    strconv.Itoa(maxSQSMessage),
	}
	if def.DeadLetter != "" {
		out["RedrivePolicy"] = string(encode(struct {
			Target string `json:"deadLetterTargetArn"`
			Most   int    `json:"maxReceiveCount"`
		}{s.arn(def.DeadLetter), def.MaxReceives}))
	}
	if def.FIFO {
		out["FifoQueue"] = "true"
		out["ContentBasedDeduplication"] = strconv.FormatBool(s.ContentDedup != nil && s.ContentDedup(def.Name))
	}
	return out, nil
}
