package aws

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

// traceHeader tells which invocation sends a request: the SDKs set it in a function.
const traceHeader = "X-Amzn-Trace-Id"

// manage serves @connections. The stage is empty when the path names none; a nil API is that of the connection.
func (c *Cloud) manage(w http.ResponseWriter, r *http.Request, a *api, stage, id string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxMessage+1))
	if err != nil {
		return // the client has gone
	}
	if len(body) > MaxMessage {
		// The cloud's front turns it away before anybody could give it a number or a type.
		w.Header()["Content-Length"] = []string{"0"}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		if r.Method == http.MethodPost {
			_ = c.o.Gateway.Send(id, gateway.Message{Data: body, Sender: r.Header.Get(traceHeader)}) // too big there, too: for the record
		}
		c.refusedPost(r, id, http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d bytes", MaxMessage))
		return
	}
	if !c.mint.valid(id) { // before anybody is asked who he is
		c.fail(w, r, http.StatusBadRequest, "BadRequestException", map[string]string{"message": "Invalid connectionId: " + id})
		c.refusedPost(r, id, http.StatusBadRequest, "it is no id that this cloud gave out")
		return
	}
	info, err := c.o.Gateway.Get(id)
	home, homeStage, _ := strings.Cut(info.Path, "/")
	if err == nil && a != nil && home != a.id {
		err = gateway.ErrGone // another API's
	}
	apiID := home
	if a != nil {
		apiID = a.id
	}
	if stage = cmp.Or(stage, homeStage); stage == "" && a != nil && len(a.info.Stages) > 0 {
		stage = a.info.Stages[0] // the connection is gone, and with it its stage
	}
	resource := c.arn("execute-api", apiID) + "/" + stage + "/" + r.Method + "/" + connectionsPath + "/{connectionId}"
	if bad := c.authorize(r, body, "execute-api:ManageConnections", resource); bad != nil {
		c.deny(w, r, bad)
		c.refusedPost(r, id, bad.Status, bad.Error())
		return
	}
	message := gateway.Message{Data: []byte(string([]rune(string(body)))), Sender: r.Header.Get(traceHeader)} // bytes that are no text become U+FFFD
	switch {
	case r.Method != http.MethodPost && r.Method != http.MethodGet && r.Method != http.MethodDelete:
		c.deny(w, r, badAuth(typeMissingToken, "Missing Authentication Token"))
		return
	case err != nil && r.Method == http.MethodPost:
		c.o.Gateway.Refused(gateway.SentFrame{Path: apiID + "/" + stage, ID: id, Message: message, Err: err})
	case err != nil:
	case r.Method == http.MethodPost:
		err = c.o.Gateway.Send(id, message)
	case r.Method == http.MethodDelete:
		err = c.o.Gateway.Drop(id, closeNormal, reasonNormal, gateway.ByFunction)
	}
	switch {
	case errors.Is(err, gateway.ErrBusy):
		c.fail(w, r, http.StatusTooManyRequests, "LimitExceededException", map[string]string{"message": "Limit Exceeded"})
		c.refusedPost(r, id, http.StatusTooManyRequests, "the client does not read, and its queue is full")
	case errors.Is(err, gateway.ErrClosed):
		c.fail(w, r, http.StatusServiceUnavailable, "ServiceUnavailableException", map[string]string{"message": "Service Unavailable"})
		c.refusedPost(r, id, http.StatusServiceUnavailable, err.Error())
	case err != nil && !errors.Is(err, gateway.ErrGone) && !errors.Is(err, gateway.ErrSlow):
		c.fail(w, r, http.StatusInternalServerError, "InternalServerErrorException", map[string]string{"message": "Internal server error"})
		c.refusedPost(r, id, http.StatusInternalServerError, err.Error())
	case err != nil:
		c.fail(w, r, http.StatusGone, "GoneException", nil)
		c.refusedPost(r, id, http.StatusGone, c.whyGone(id))
	case r.Method == http.MethodGet:
		c.reply(w, r, http.StatusOK, "", describe(info))
	case r.Method == http.MethodDelete:
		c.reply(w, r, http.StatusNoContent, "", nil)
	default:
		c.reply(w, r, http.StatusOK, "", nil)
	}
}

// whyGone tells people what the answer does not.
func (c *Cloud) whyGone(id string) string {
	c.mu.RLock()
	pending := c.pending[id]
	c.mu.RUnlock()
	if pending {
		return "its $connect has not returned, and a connection can be used only after that"
	}
	if how := c.gone.find(id); how != "" {
		return "it was " + how
	}
	return "nobody remembers it; it is of another API or of an earlier run, or was never let in"
}

// refusedPost tells of what was not done. What was done would be a step for each socket of a broadcast.
func (c *Cloud) refusedPost(r *http.Request, id string, status int, why string) {
	c.note(StepRefused, "@connections", fmt.Sprintf("%s of %s was answered %d: %s", r.Method, id, status, why),
		map[string]any{"connection_id": id, "status": status})
}

// describe is the answer to GET, spaced as the cloud spaces it.
func describe(info gateway.Info) []byte {
	const layout = "2006-01-02T15:04:05.000Z"
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"identity\" : {\n    \"sourceIp\" : %s", encode(info.SourceIP))
	if info.UserAgent != "" {
		fmt.Fprintf(&b, ",\n    \"userAgent\" : %s", encode(info.UserAgent))
	}
	fmt.Fprintf(&b, "\n  },\n  \"connectedAt\" : %s,\n  \"lastActiveAt\" : %s\n}",
		encode(info.ConnectedAt.UTC().Truncate(time.Millisecond).Format(layout)), encode(info.LastActiveAt.UTC().Truncate(time.Millisecond).Format(layout)))
	return b.Bytes()
}

func (c *Cloud) deny(w http.ResponseWriter, r *http.Request, bad *AuthError) {
	name := "message"
	if bad.Capital {
		name = "Message"
	}
	c.fail(w, r, bad.Status, bad.Type, map[string]string{name: bad.Message})
}

// fail answers with an error. Nil has no body: clients would try to read whatever there is as JSON.
func (c *Cloud) fail(w http.ResponseWriter, r *http.Request, status int, kind string, message map[string]string) {
	var body []byte
	if message != nil {
		body = encode(message)
	}
	c.reply(w, r, status, kind, body)
}

// reply answers with the headers of API Gateway, in its spelling.
func (c *Cloud) reply(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	requestID, err1 := c.mint.uuid()
	apigwID, err2 := c.mint.request()
	trace, err3 := c.mint.trace(c.clock.Now())
	if err := errors.Join(err1, err2, err3); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["x-amzn-RequestId"] = []string{requestID}
	h["x-amz-apigw-id"] = []string{apigwID}
	if kind != "" {
		h["x-amzn-ErrorType"] = []string{kind}
	} else {
		h["X-Amzn-Trace-Id"] = []string{trace}
	}
	if status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client has gone: there is nobody to tell
	}
}
