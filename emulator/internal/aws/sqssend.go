package aws

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/regcast/regcast/emulator/internal/queue"
)

// sqsAttribute is a message attribute on the wire.
type sqsAttribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

// sqsMessage is what a client sends, alone or in a batch.
type sqsMessage struct {
	MessageBody            string
	DelaySeconds           *int
	MessageAttributes      map[string]sqsAttribute
	MessageDeduplicationID string `json:"MessageDeduplicationId"`
	MessageGroupID         string `json:"MessageGroupId"`
}

type sendMessageInput struct {
	onQueue
	sqsMessage
}

// sentMessage is what a client hears of it.
type sentMessage struct {
	ID                     string `json:"Id,omitempty"` // in a batch
	MessageID              string `json:"MessageId"`
	MD5OfMessageBody       string
	MD5OfMessageAttributes string `json:",omitempty"`
	SequenceNumber         string `json:",omitempty"`
}

func (s *SQS) sendMessage(r sqsRequest, in *sendMessageInput) (sentMessage, error) {
	name, err := in.queue()
	if err != nil {
		return sentMessage{}, err
	}
	return s.send(r, name, &in.sqsMessage)
}

func (s *SQS) send(r sqsRequest, name string, in *sqsMessage) (sentMessage, error) {
	def, err := s.find(name)
	if err != nil {
		return sentMessage{}, err
	}
	m, err := s.message(def, in)
	if err != nil {
		return sentMessage{}, err
	}
	sent, err := s.Queues.Send(r, name, []queue.Message{m})
	if err != nil {
		return sentMessage{}, err
	}
	return sentMessage{
		MessageID: sent[0].ID, SequenceNumber: sent[0].Sequence,
		MD5OfMessageBody: md5Hex(m.Body), MD5OfMessageAttributes: md5OfAttributes(m.Attributes),
	}, nil
}

// message checks what a client sends, in the order and the words of the service.
func (s *SQS) message(def queue.Queue, in *sqsMessage) (queue.Message, error) {
	m := queue.Message{Body: []byte(in.MessageBody), Group: in.MessageGroupID, Dedup: in.MessageDeduplicationID}
	switch {
	case in.MessageBody == "":
		return m, missing("MessageBody")
	case !allowedText(in.MessageBody):
		return m, &sqsError{Type: "InvalidMessageContents", Message: "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"}
	case def.FIFO && in.MessageGroupID == "":
		return m, missing("MessageGroupId")
	case def.FIFO && in.MessageDeduplicationID == "" && (s.ContentDedup == nil || !s.ContentDedup(def.Name)):
		return m, invalidValue("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case len(in.MessageAttributes) > 10:
		return m, invalidValue("Number of message attributes [%d] exceeds the allowed maximum [10].", len(in.MessageAttributes))
	}
	if d := in.DelaySeconds; d != nil {
		switch {
		case *d < 0 || *d > 900:
			return m, invalidValue("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *d)
		case def.FIFO && *d > 0:
			return m, invalidValue("Value %d for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.", *d)
		case *d == 0:
			m.Delay = -1 // said, so the queue's own does not hold
		default:
			m.Delay = time.Duration(*d) * time.Second
		}
	}
	size := len(m.Body)
	for name, a := range in.MessageAttributes {
		value, err := a.value(name)
		if err != nil {
			return m, err
		}
		if m.Attributes == nil {
			m.Attributes = make(map[string]queue.Attribute)
		}
		m.Attributes[name] = queue.Attribute{Type: a.DataType, Value: value}
		size += len(name) + len(a.DataType) + len(value)
	}
	if size > maxSQSMessage {
		return m, invalidValue("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxSQSMessage)
	}
	return m, nil
}

// value takes the value that the type asks for. A type may have the sender's own word after a dot.
func (a sqsAttribute) value(name string) ([]byte, error) {
	kind, _, _ := strings.Cut(a.DataType, ".")
	switch kind {
	case "String", "Number":
		if a.StringValue == nil || *a.StringValue == "" {
			return nil, invalidValue("The message attribute '%s' must contain a non-empty message attribute value for message attribute type '%s'.", name, kind)
		}
		return []byte(*a.StringValue), nil
	case "Binary":
		if len(a.BinaryValue) == 0 {
			return nil, invalidValue("The message attribute '%s' must contain a non-empty message attribute value for message attribute type 'Binary'.", name)
		}
		return a.BinaryValue, nil
	}
	return nil, invalidValue("The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", name)
}

func allowedText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}

// batchEntry is one of a batch.
type batchEntry struct {
	ID string `json:"Id"`
}

func (e batchEntry) id() string { return e.ID }

// failedEntry is one of a batch that was refused.
type failedEntry struct {
	ID          string `json:"Id"`
	SenderFault bool
	Code        string
	Message     string
}

type batchOutput[Out any] struct {
	Successful []Out
	Failed     []failedEntry `json:",omitempty"`
}

// batch does each entry by itself, once the batch as such is well formed.
func batch[In interface{ id() string }, Out any](entries []In, do func(In) (Out, error)) (batchOutput[Out], error) {
	out := batchOutput[Out]{Successful: []Out{}}
	switch {
	case len(entries) == 0:
		return out, &sqsError{"EmptyBatchRequest", simpleQueue + "EmptyBatchRequest", "There should be at least one entry in the request."}
	case len(entries) > 10:
		return out, &sqsError{"TooManyEntriesInBatchRequest", simpleQueue + "TooManyEntriesInBatchRequest", fmt.Sprintf("Maximum number of entries per request are 10. You have sent %d.", len(entries))}
	}
	seen := map[string]bool{}
	for _, e := range entries {
		id := e.id()
		switch {
		case id == "" || len(id) > 80 || strings.ContainsFunc(id, func(r rune) bool { return !validInID(r) }):
			return out, &sqsError{"InvalidBatchEntryId", simpleQueue + "InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."}
		case seen[id]:
			return out, &sqsError{"BatchEntryIdsNotDistinct", simpleQueue + "BatchEntryIdsNotDistinct", "Id " + id + " repeated."}
		}
		seen[id] = true
	}
	for _, e := range entries {
		done, err := do(e)
		if err != nil {
			bad := sqsErrorOf(err)
			out.Failed = append(out.Failed, failedEntry{ID: e.id(), SenderFault: bad.Type != "InternalFailure", Code: bad.Type, Message: bad.Message})
			continue
		}
		out.Successful = append(out.Successful, done)
	}
	return out, nil
}

type sendEntry struct {
	batchEntry
	sqsMessage
}

type sendMessageBatchInput struct {
	onQueue
	Entries []sendEntry
}

func (s *SQS) sendMessageBatch(r sqsRequest, in *sendMessageBatchInput) (batchOutput[sentMessage], error) {
	name, err := in.queue()
	if err == nil {
		_, err = s.find(name)
	}
	if err != nil {
		return batchOutput[sentMessage]{}, err
	}
	size := 0
	for _, e := range in.Entries {
		size += len(e.MessageBody)
		for name, a := range e.MessageAttributes {
			size += len(name) + len(a.DataType) + len(a.BinaryValue)
			if a.StringValue != nil {
				size += len(*a.StringValue)
			}
		}
	}
	if size > maxSQSMessage {
		return batchOutput[sentMessage]{}, &sqsError{"BatchRequestTooLong", simpleQueue + "BatchRequestTooLong",
			fmt.Sprintf("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxSQSMessage, size)}
	}
	return batch(in.Entries, func(e sendEntry) (sentMessage, error) {
		sent, err := s.send(r, name, &e.sqsMessage)
		sent.ID = e.ID
		return sent, err
	})
}
