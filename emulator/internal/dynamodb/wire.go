package dynamodb

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// maxRequest is how many bytes a request may have, and maxAnswer about how many a batch answers with.
const (
	maxRequest = 16 << 20
	maxAnswer  = 16 << 20
)

// refusal is an answer that refuses, as SDKs read it.
type refusal struct {
	Type    string // "ValidationException"
	Message string
	status  int           // 0: 400
	key     bool          // an item's key is not the table's
	item    document.Item // of a failed condition
	reasons []reason      // of a cancelled transaction
}

func (e *refusal) Error() string { return e.Type + ": " + e.Message }

// reason says what became of one part of a cancelled transaction.
type reason struct {
	Code    string
	Message string        `json:",omitempty"`
	Item    document.Item `json:",omitempty"`
}

func invalid(message string) *refusal { return &refusal{Type: "ValidationException", Message: message} }

// notEmulated answers 501, which no SDK tries again.
func notEmulated(what string) *refusal {
	return &refusal{Type: "NotImplemented", Message: "not emulated: dynamodb." + what, status: http.StatusNotImplemented}
}

// asError is err as an answer: what the document and the expression package refuse is a ValidationException.
func asError(err error) *refusal {
	var e *refusal
	if errors.As(err, &e) {
		return e
	}
	return invalid(err.Error())
}

type operation func(body []byte) (any, error)

// handle makes an operation of a function from a request to an answer.
func handle[In any](do func(*In) (any, error)) operation {
	return func(body []byte) (any, error) {
		in := new(In)
		if err := json.Unmarshal(body, in); err != nil {
			return nil, serialization(err)
		}
		return do(in)
	}
}

func serialization(err error) *refusal {
	e := &refusal{Type: "SerializationException"}
	var wrong *json.UnmarshalTypeError
	var coding base64.CorruptInputError
	switch {
	case errors.As(err, &wrong):
		switch first, _, _ := strings.Cut(wrong.Value, " "); first {
		case "object":
			e.Message = "Start of structure or map found where not expected"
		case "array":
			if wrong.Type.Kind() == reflect.Map {
				e.Message = "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"
				break
			}
			e.Message = "Unrecognized collection type class java.lang." + jsonType(wrong)
		case "number":
			e.Message = "NUMBER_VALUE cannot be converted to " + jsonType(wrong)
		case "bool":
			e.Message = "TRUE_VALUE cannot be converted to " + jsonType(wrong)
		default:
			e.Message = "STRING_VALUE cannot be converted to " + jsonType(wrong)
		}
	case errors.As(err, &coding):
		e.Message = "only base-64-encoded strings are convertible to bytes"
	}
	return e
}

func jsonType(e *json.UnmarshalTypeError) string {
	switch e.Type.Kind() {
	case reflect.String:
		return "String"
	case reflect.Bool:
		return "Boolean"
	case reflect.Int, reflect.Int64:
		return "Integer"
	}
	return "Object"
}

// ServeHTTP answers one request. Where it was sent to does not matter: YDB's Document API has a path before the same wire.
func (d *DB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-amzn-RequestId", d.requestID())
	switch r.Method {
	case http.MethodPost:
	case http.MethodGet:
		_, _ = io.WriteString(w, "healthy: dynamodb."+d.options.Region+".amazonaws.com ")
		return
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<UnknownOperationException/>\n")
		return
	}
	answer, err := d.serve(w, r)
	if err != nil {
		refuse(w, asError(err))
		return
	}
	send(w, http.StatusOK, answer)
}

func (d *DB) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	version, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch {
	case version == "DynamoDBStreams_20120810":
		return nil, notEmulated("Streams." + name)
	case version != "DynamoDB_20120810" || name == "":
		return nil, &refusal{Type: "UnknownOperationException"}
	}
	do, known := d.operations[name]
	if !known {
		return nil, notEmulated(name)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return nil, &refusal{Type: "RequestEntityTooLargeException", Message: "the request has more than 16 MB", status: http.StatusRequestEntityTooLarge}
		}
		return nil, &refusal{Type: "SerializationException"}
	}
	if name == "TransactWriteItems" {
		return d.once(body, do)
	}
	return do(body)
}

func refuse(w http.ResponseWriter, e *refusal) {
	space := "com.amazonaws.dynamodb.v20120810#"
	switch e.Type {
	case "ValidationException":
		space = "com.amazon.coral.validate#"
	case "SerializationException", "UnknownOperationException", "RequestEntityTooLargeException", "NotImplemented":
		space = "com.amazon.coral.service#"
	}
	out := map[string]any{"__type": space + e.Type}
	if e.Message != "" {
		// The cloud is not of one mind on the case; SDKs read both.
		key := "message"
		if e.Type == "SerializationException" || e.reasons != nil {
			key = "Message"
		}
		out[key] = e.Message
	}
	if e.item != nil {
		out["Item"] = e.item
	}
	if e.reasons != nil {
		out["CancellationReasons"] = e.reasons
	}
	status := e.status
	if status == 0 {
		status = http.StatusBadRequest
	}
	send(w, status, out)
}

func send(w http.ResponseWriter, status int, answer any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(answer) // our own types into a buffer cannot fail
	b.Truncate(b.Len() - 1)
	h := w.Header()
	h.Set("Content-Type", "application/x-amz-json-1.0")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("x-amz-crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(b.Bytes())), 10))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that has gone needs no answer
}
