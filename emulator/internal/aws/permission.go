package aws

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Queues lets through to next, which serves SQS, what its sender may do with the queue that it names; all, unless the cloud is strict.
// A queue's own policy counts for nothing here.
func (c *Cloud) Queues(next http.Handler) http.Handler {
	return c.permit(next, "sqs", 4*maxSQSMessage, func(r *http.Request, body []byte) permission {
		operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), SQSTarget)
		var in struct{ QueueURL, QueueName string }
		_ = json.Unmarshal(body, &in) // what is no request is for SQS to refuse
		action, resource := "sqs:"+strings.TrimSuffix(operation, "Batch"), "*"
		if name := in.QueueURL[strings.LastIndex(in.QueueURL, "/")+1:] + in.QueueName; name != "" {
			resource = c.arn("sqs", name)
		}
		return permission{action, resource}
	}, func(w http.ResponseWriter, denied *AuthError) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Header().Set("x-amzn-query-error", strings.TrimSuffix(denied.Type, "Exception")+";Sender")
		writeJSON(w, http.StatusForbidden, map[string]string{"__type": "com.amazon.coral.service#" + denied.Type, "message": denied.Message})
	})
}

// Functions lets through to next, which serves Lambda, what its sender may do with the function that it names; all, unless the cloud is
// strict. A function's own policy counts for nothing here.
func (c *Cloud) Functions(next http.Handler) http.Handler {
	return c.permit(next, "lambda", maxPayload, func(r *http.Request, _ []byte) permission {
		name, what, _ := lambdaRoute(r)
		if name == "" {
			return permission{"lambda:ListFunctions", "*"}
		}
		if _, behind, ok := strings.Cut(name, "function:"); ok { // a whole ARN or the end of one
			name = behind
		}
		if q := r.URL.Query().Get("Qualifier"); q != "" && !strings.Contains(name, ":") {
			name += ":" + q
		}
		action := map[string]string{"invocations": "InvokeFunction", "configuration": "GetFunctionConfiguration"}[what]
		if action == "" {
			action = "GetFunction"
		}
		return permission{"lambda:" + action, c.arn("lambda", "function:"+name)}
	}, func(w http.ResponseWriter, denied *AuthError) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("x-amzn-ErrorType", denied.Type)
		key := "message"
		if denied.Type == typeAccessDenied {
			key = "Message"
		}
		writeJSON(w, http.StatusForbidden, map[string]string{key: denied.Message})
	})
}

// permit asks what a request of at most limit bytes needs, and refuses it or hands it on to next.
func (c *Cloud) permit(next http.Handler, service string, limit int64, needs func(*http.Request, []byte) permission,
	refuse func(http.ResponseWriter, *AuthError),
) http.Handler {
	if !c.o.StrictAuth {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, limit+1)) // a larger one is for next to refuse
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if denied := c.judge(r, body, service, needs(r, body)); denied != nil {
			refuse(w, denied)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}
