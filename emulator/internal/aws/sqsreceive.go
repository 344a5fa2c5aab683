package aws

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/queue"
)

// senderID is who sent every message: no identity is checked here.
const senderID = "AIDAREGCASTREGCASTREG"

func md5Hex(data []byte) string {
	sum := md5.Sum(data)
	return hex.EncodeToString(sum[:])
}

// md5OfAttributes is the sum that the SDKs compare: names in order, each part behind its length, and whether the value is binary.
func md5OfAttributes(attributes map[string]queue.Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	sum := md5.New()
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		sumPart(sum, []byte(name))
		sumPart(sum, []byte(a.Type))
		if binaryType(a.Type) {
			sum.Write([]byte{2})
		} else {
			sum.Write([]byte{1})
		}
		sumPart(sum, a.Value)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func sumPart(sum hash.Hash, part []byte) {
	sum.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
	sum.Write(part)
}

func binaryType(kind string) bool { return kind == "Binary" || strings.HasPrefix(kind, "Binary.") }

func onWire(a queue.Attribute) sqsAttribute {
	if binaryType(a.Type) {
		return sqsAttribute{DataType: a.Type, BinaryValue: a.Value}
	}
	text := string(a.Value)
	return sqsAttribute{DataType: a.Type, StringValue: &text}
}

type receiveMessageInput struct {
	onQueue
	AttributeNames              []string // the older name of the next
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
}

// receivedMessage is a message as a client gets it.
type receivedMessage struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string       `json:",omitempty"`
	MD5OfMessageAttributes string                  `json:",omitempty"`
	MessageAttributes      map[string]sqsAttribute `json:",omitempty"`
}

type receiveMessageOutput struct {
	Messages []receivedMessage `json:",omitempty"`
}

// seconds reads an optional number within bounds; no number is -1 of its unit: the queue's own holds.
func seconds(name string, n *int, most int) (time.Duration, error) {
	switch {
	case n == nil:
		return -1, nil
	case *n < 0 || *n > most:
		return 0, invalidValue("Value %d for parameter %s is invalid. Reason: Must be between 0 and %d, if provided.", *n, name, most)
	}
	return time.Duration(*n) * time.Second, nil
}

const mostVisibility = 43_200 // seconds: 12 hours

func (s *SQS) receiveMessage(r sqsRequest, in *receiveMessageInput) (receiveMessageOutput, error) {
	name, err := in.queue()
	if err == nil {
		_, err = s.find(name)
	}
	if err != nil {
		return receiveMessageOutput{}, err
	}
	count := 1
	if in.MaxNumberOfMessages != nil {
		if count = *in.MaxNumberOfMessages; count < 1 || count > 10 {
			return receiveMessageOutput{}, invalidValue("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", count)
		}
	}
	wait, err := seconds("WaitTimeSeconds", in.WaitTimeSeconds, 20)
	if err != nil {
		return receiveMessageOutput{}, err
	}
	visibility, err := seconds("VisibilityTimeout", in.VisibilityTimeout, mostVisibility)
	if err != nil {
		return receiveMessageOutput{}, err
	}
	got, err := s.Queues.Receive(r, name, count, wait, visibility)
	if err != nil {
		return receiveMessageOutput{}, err
	}
	var out receiveMessageOutput
	for _, m := range got {
		out.Messages = append(out.Messages, s.received(m, in))
	}
	return out, nil
}

func (s *SQS) received(m queue.Received, in *receiveMessageInput) receivedMessage {
	out := receivedMessage{MessageID: m.ID, ReceiptHandle: m.Receipt, MD5OfBody: md5Hex(m.Body), Body: string(m.Body)}
	wanted := append(in.AttributeNames, in.MessageSystemAttributeNames...)
	all := systemAttributes(m)
	if m.DeadOf != "" {
		all = append(all, systemAttribute{"DeadLetterQueueSourceArn", s.arn(m.DeadOf)})
	}
	out.Attributes = make(map[string]string)
	for _, a := range all {
		if slices.Contains(wanted, "All") || slices.Contains(wanted, a.name) {
			out.Attributes[a.name] = a.value
		}
	}
	shown := make(map[string]queue.Attribute)
	for name, a := range m.Attributes {
		if slices.ContainsFunc(in.MessageAttributeNames, func(want string) bool { return wantsAttribute(want, name) }) {
			shown[name] = a
		}
	}
	if len(shown) > 0 {
		out.MD5OfMessageAttributes = md5OfAttributes(shown)
		out.MessageAttributes = make(map[string]sqsAttribute)
		for name, a := range shown {
			out.MessageAttributes[name] = onWire(a)
		}
	}
	return out
}

// wantsAttribute understands All, a name, and a beginning with ".*".
func wantsAttribute(want, name string) bool {
	if beginning, ok := strings.CutSuffix(want, ".*"); ok {
		return beginning == "" || name == beginning || strings.HasPrefix(name, beginning+".")
	}
	return want == "All" || want == name
}

// systemAttribute is what the service says of a message, in the order in which Lambda's event has it.
type systemAttribute struct{ name, value string }

func systemAttributes(m queue.Received) []systemAttribute {
	out := []systemAttribute{
		{"ApproximateReceiveCount", strconv.Itoa(m.Receives)},
		{"SentTimestamp", strconv.FormatInt(m.SentAt.UnixMilli(), 10)},
	}
	if m.Sequence != "" {
		out = append(out, systemAttribute{"SequenceNumber", m.Sequence}, systemAttribute{"MessageGroupId", m.Group})
	}
	out = append(out, systemAttribute{"SenderId", senderID})
	if m.Sequence != "" {
		out = append(out, systemAttribute{"MessageDeduplicationId", m.Dedup})
	}
	return append(out, systemAttribute{"ApproximateFirstReceiveTimestamp", strconv.FormatInt(m.FirstReceived.UnixMilli(), 10)})
}

func (s *SQS) arn(name string) string {
	return "arn:aws:sqs:" + s.Region + ":" + s.Account + ":" + name
}

type byReceipt struct{ ReceiptHandle string }

type deleteMessageInput struct {
	onQueue
	byReceipt
}

func (s *SQS) deleteMessage(_ sqsRequest, in *deleteMessageInput) (struct{}, error) {
	name, err := in.queue()
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.delete(name, in.ReceiptHandle)
}

func (s *SQS) delete(name, receipt string) error {
	if receipt == "" {
		return missing("ReceiptHandle")
	}
	return s.Queues.Delete(name, receipt)
}

type deleteMessageBatchInput struct {
	onQueue
	Entries []struct {
		batchEntry
		byReceipt
	}
}

func (s *SQS) deleteMessageBatch(_ sqsRequest, in *deleteMessageBatchInput) (batchOutput[batchEntry], error) {
	name, err := in.queue()
	if err == nil {
		_, err = s.find(name)
	}
	if err != nil {
		return batchOutput[batchEntry]{}, err
	}
	return batch(in.Entries, func(e struct {
		batchEntry
		byReceipt
	}) (batchEntry, error) {
		return e.batchEntry, s.delete(name, e.ReceiptHandle)
	})
}

type newVisibility struct {
	byReceipt
	VisibilityTimeout *int
}

type changeVisibilityInput struct {
	onQueue
	newVisibility
}

func (s *SQS) changeVisibility(_ sqsRequest, in *changeVisibilityInput) (struct{}, error) {
	name, err := in.queue()
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.change(name, in.newVisibility)
}

func (s *SQS) change(name string, in newVisibility) error {
	if in.ReceiptHandle == "" {
		return missing("ReceiptHandle")
	}
	if in.VisibilityTimeout == nil {
		return missing("VisibilityTimeout")
	}
	d, err := seconds("VisibilityTimeout", in.VisibilityTimeout, mostVisibility)
	if err != nil {
		return err
	}
	return s.Queues.ChangeVisibility(name, in.ReceiptHandle, d)
}

type changeEntry struct {
	batchEntry
	newVisibility
}

type changeVisibilityBatchInput struct {
	onQueue
	Entries []changeEntry
}

func (s *SQS) changeVisibilityBatch(_ sqsRequest, in *changeVisibilityBatchInput) (batchOutput[batchEntry], error) {
	name, err := in.queue()
	if err == nil {
		_, err = s.find(name)
	}
	if err != nil {
		return batchOutput[batchEntry]{}, err
	}
	return batch(in.Entries, func(e changeEntry) (batchEntry, error) { return e.batchEntry, s.change(name, e.newVisibility) })
}
