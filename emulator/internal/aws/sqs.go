package aws

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/regcast/regcast/emulator/internal/queue"
)

// SQSTarget begins the header X-Amz-Target of every request for SQS.
const SQSTarget = "AmazonSQS."

// maxSQSMessage is the most bytes of a message with its attributes, and of a batch.
const maxSQSMessage = 1 << 20

// SQS serves the queues by SQS's JSON protocol: what a program needs to send, receive and look. Requests are told by SQSTarget.
type SQS struct {
	Account, Region string
	Queues          *queue.Queues
	// ContentDedup says whether a FIFO queue knows messages again by their bodies; nil: none does.
	ContentDedup func(name string) bool
}

// sqsError is an error in SQS's words. Query is the code of the query protocol, which some SDKs still go by.
type sqsError struct{ Type, Query, Message string }

func (e *sqsError) Error() string { return e.Type + ": " + e.Message }

func invalidValue(format string, args ...any) *sqsError {
	return &sqsError{Type: "InvalidParameterValue", Message: fmt.Sprintf(format, args...)}
}

func missing(parameter string) *sqsError {
	return &sqsError{Type: "MissingParameter", Message: "The request must contain the parameter " + parameter + "."}
}

const simpleQueue = "AWS.SimpleQueueService."

// sqsErrorOf maps the room's errors.
func sqsErrorOf(err error) *sqsError {
	var e *sqsError
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, queue.ErrNoQueue):
		return &sqsError{"QueueDoesNotExist", simpleQueue + "NonExistentQueue", "The specified queue does not exist."}
	case errors.Is(err, queue.ErrReceipt):
		return &sqsError{"ReceiptHandleIsInvalid", "", "The input receipt handle is invalid."}
	case errors.Is(err, queue.ErrNotInFlight):
		return &sqsError{"MessageNotInflight", simpleQueue + "MessageNotInflight", "The message referred to is not in flight."}
	case errors.Is(err, queue.ErrGroup):
		return missing("MessageGroupId")
	case errors.Is(err, queue.ErrFull):
		return &sqsError{"OverLimit", "OverLimit", err.Error()}
	}
	return &sqsError{"InternalFailure", "", err.Error()}
}

// ServeHTTP answers one request.
func (s *SQS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), SQSTarget)
	id := newRequestID()
	w.Header().Set("x-amzn-RequestId", id)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	call, ok := s.operations()[operation]
	if !ok {
		writeJSON(w, http.StatusNotImplemented, map[string]string{
			"__type": "com.amazonaws.sqs#UnsupportedOperation", "message": "not emulated: sqs." + operation,
		})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4*maxSQSMessage))
	var out any
	if err == nil {
		out, err = call(r, body)
	}
	if r.Context().Err() != nil {
		return // nobody is there to read it
	}
	if err != nil {
		e := sqsErrorOf(err)
		status := http.StatusBadRequest
		fault := "Sender"
		if e.Type == "InternalFailure" {
			status, fault = http.StatusInternalServerError, "Receiver"
		}
		w.Header().Set("x-amzn-query-error", cmp.Or(e.Query, e.Type)+";"+fault)
		writeJSON(w, status, map[string]string{"__type": "com.amazonaws.sqs#" + e.Type, "message": e.Message})
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data := encode(v)
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that has gone is no news
}

// newRequestID makes a random UUID.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it does not fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

type sqsOperation func(r *http.Request, body []byte) (any, error)

// operations is what is emulated; all else is said not to be.
func (s *SQS) operations() map[string]sqsOperation {
	return map[string]sqsOperation{
		"SendMessage":                  operation(s.sendMessage),
		"SendMessageBatch":             operation(s.sendMessageBatch),
		"ReceiveMessage":               operation(s.receiveMessage),
		"DeleteMessage":                operation(s.deleteMessage),
		"DeleteMessageBatch":           operation(s.deleteMessageBatch),
		"ChangeMessageVisibility":      operation(s.changeVisibility),
		"ChangeMessageVisibilityBatch": operation(s.changeVisibilityBatch),
		"GetQueueUrl":                  operation(s.getQueueURL),
		"GetQueueAttributes":           operation(s.getQueueAttributes),
		"ListQueues":                   operation(s.listQueues),
		"PurgeQueue":                   operation(s.purgeQueue),
	}
}

// sqsRequest is what all operations get besides their input.
type sqsRequest struct {
	context.Context
	host string // as the client sees us
}

func operation[In, Out any](do func(sqsRequest, *In) (Out, error)) sqsOperation {
	return func(r *http.Request, body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, &sqsError{Type: "SerializationException", Message: err.Error()}
		}
		scheme := "http://"
		if r.TLS != nil {
			scheme = "https://"
		}
		return do(sqsRequest{r.Context(), scheme + r.Host}, &in)
	}
}

// onQueue is a part of every input that names a queue.
type onQueue struct {
	QueueURL string `json:"QueueUrl"`
}

// queue is the name of the queue: the last part of its URL.
func (q onQueue) queue() (string, error) {
	if q.QueueURL == "" {
		return "", missing("QueueUrl")
	}
	return q.QueueURL[strings.LastIndex(q.QueueURL, "/")+1:], nil
}

func (s *SQS) url(host, name string) string { return host + "/" + s.Account + "/" + name }

// listed tells whether a queue is one of SQS: others in the room have names that SQS does not take.
func listed(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r != '.' && !validInID(r) })
}

func validInID(r rune) bool {
	return r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// find returns the definition of a queue.
func (s *SQS) find(name string) (queue.Queue, error) {
	for _, def := range s.Queues.List() {
		if def.Name == name && listed(name) {
			return def, nil
		}
	}
	return queue.Queue{}, queue.ErrNoQueue
}

type getQueueURLInput struct{ QueueName string }

func (s *SQS) getQueueURL(r sqsRequest, in *getQueueURLInput) (map[string]string, error) {
	if _, err := s.find(in.QueueName); err != nil {
		return nil, err
	}
	return map[string]string{"QueueUrl": s.url(r.host, in.QueueName)}, nil
}

type listQueuesInput struct {
	QueueNamePrefix string
	MaxResults      int
	NextToken       string
}

type listQueuesOutput struct {
	QueueURLs []string `json:"QueueUrls,omitempty"`
	NextToken string   `json:",omitempty"`
}

// listQueues goes by name; a token is the last name of the page before.
func (s *SQS) listQueues(r sqsRequest, in *listQueuesInput) (listQueuesOutput, error) {
	if in.MaxResults < 0 || in.MaxResults > 1000 {
		return listQueuesOutput{}, invalidValue("MaxResults must be a number between 1 and 1000.")
	}
	var names []string
	for _, def := range s.Queues.List() {
		if listed(def.Name) && strings.HasPrefix(def.Name, in.QueueNamePrefix) && def.Name > in.NextToken {
			names = append(names, def.Name)
		}
	}
	var out listQueuesOutput
	if n := cmp.Or(in.MaxResults, 1000); len(names) > n {
		names = names[:n]
		if in.MaxResults > 0 { // only who asks for pages gets them
			out.NextToken = names[n-1]
		}
	}
	for _, name := range names {
		out.QueueURLs = append(out.QueueURLs, s.url(r.host, name))
	}
	return out, nil
}

func (s *SQS) purgeQueue(_ sqsRequest, in *onQueue) (struct{}, error) {
	name, err := in.queue()
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.Queues.Purge(name)
}
