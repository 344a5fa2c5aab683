package yandex

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/trigger/jq"
)

// Action is one thing done with each batch: exactly one of Broadcast, Invoke and Post.
type Action struct {
	Broadcast *Broadcast
	Invoke    *Invoke
	Post      *Post
	Recovery  Recovery // of Invoke and Post; a broadcast is tried once

	Filter      string // jq over one message; empty: all
	Transformer string // jq over the whole batch; empty: as it is

	filterAt, transformerAt place
}

// Broadcast sends each batch to the connections of a path.
type Broadcast struct {
	GatewayID        string
	Path             string // a path key of the gateway's specification, not a URL
	ServiceAccountID string

	gatewayAt, pathAt place
}

// Invoke calls a function with each batch.
type Invoke struct {
	FunctionID       string
	Tag              string // as it was given: empty is $latest, and stays empty
	ServiceAccountID string

	functionAt, tagAt place
}

// Post sends a container a request with each batch.
type Post struct {
	ContainerID      string
	Path             string // below the container's URL
	ServiceAccountID string

	containerAt place
}

// Recovery says what becomes of a batch that a function or container did not take.
type Recovery struct {
	Attempts   int           // after the first one that failed; 0: none
	Interval   time.Duration // before each of them
	DeadLetter *DeadLetter   // nil: what is given up is dropped

	queueAt place
}

// DeadLetter says where batches go that are given up.
type DeadLetter struct {
	QueueID          string // the ARN
	ServiceAccountID string
}

const (
	maxFilter   = 1024
	maxJQ       = 65536
	maxAttempts = 5
	minInterval = 10 * time.Second
	maxInterval = time.Minute

	latest = "$latest" // the tag of a function's newest version

	broadcastKey = "gateway_websocket_broadcast"
	invokeKey    = "invoke_function"
	postKey      = "invoke_container"
	withRetryKey = "invoke_function_with_retry" // what other kinds of v1's rules call it
)

func actionsV1() []string {
	return []string{broadcastKey, invokeKey, postKey, "start_workflow"}
}

func actionsOurs() []string { return []string{broadcastKey, invokeKey, postKey} }

// parseActionV1 reads the one action of v1's rule, which has its retries and dead letters inside.
func parseActionV1(o object) Action {
	kinds, ours := actionsV1(), actionsOurs()
	if o.get(withRetryKey).given() { // else no error proposes it
		kinds, ours = append(kinds, withRetryKey), append(ours, withRetryKey)
	}
	name, _ := o.emulated(kinds, ours...)
	f := o.get(name)
	switch name {
	case broadcastKey:
		return Action{Broadcast: parseBroadcast(f)}
	case withRetryKey:
		f.warn("accepted; the cloud calls it %s here", invokeKey)
		fallthrough
	case invokeKey:
		in := f.object(slices.Concat(invokeFields(), recoveryV1())...)
		return Action{Invoke: parseInvoke(in), Recovery: parseRecoveryV1(in)}
	case postKey:
		in := f.object(slices.Concat(postFields(), recoveryV1())...)
		return Action{Post: parsePost(in), Recovery: parseRecoveryV1(in)}
	}
	return Action{}
}

// parseActions reads v2's list.
func parseActions(f field) []Action {
	kinds := append(actionsOurs(), "start_workflow", "agent_runtime_call")
	var out []Action
	for _, item := range f.items() {
		o := item.object(slices.Concat(kinds, []string{"filter", "transformer", "retry_policy", "dead_letter"})...)
		var a Action
		name, _ := o.emulated(kinds, actionsOurs()...)
		var r Recovery // of a broadcast too, so that what stands beside it is checked
		r.parseRetry(o.get("retry_policy"))
		r.parseDeadLetter(o.get("dead_letter"))
		switch name {
		case broadcastKey:
			a.Broadcast = parseBroadcast(o.get(name))
			o.get("retry_policy").unused("a broadcast is tried once")
			o.get("dead_letter").unused("a broadcast has no dead letters")
		case invokeKey:
			a.Invoke, a.Recovery = parseInvoke(o.get(name).object(invokeFields()...)), r
		case postKey:
			a.Post, a.Recovery = parsePost(o.get(name).object(postFields()...)), r
		}
		a.Filter, a.filterAt = parseJQ(o.get("filter"), maxFilter)
		a.Transformer, a.transformerAt = parseJQ(o.get("transformer"), maxJQ)
		out = append(out, a)
	}
	if f.got() == "a list" && len(out) == 0 {
		f.refuse("got an empty list, want at least one action")
	}
	return out
}

func parseBroadcast(f field) *Broadcast {
	o := f.object("gateway_id", "path", "service_account_id")
	return &Broadcast{
		gatewayAt:        o.get("gateway_id").at,
		pathAt:           o.get("path").at,
		GatewayID:        o.get("gateway_id").required("the id of a gateway; " + dflt + GatewayID).id(),
		Path:             o.get("path").required("a path key of the gateway's specification, such as /ws").text(),
		ServiceAccountID: o.get("service_account_id").required("the id of a service account; " + dflt + ServiceAccountID).id(),
	}
}

func invokeFields() []string { return []string{"function_id", "function_tag", "service_account_id"} }

func parseInvoke(o object) *Invoke {
	return &Invoke{
		functionAt:       o.get("function_id").at,
		FunctionID:       o.get("function_id").required("the id of a function").id(),
		tagAt:            o.get("function_tag").at,
		Tag:              o.get("function_tag").text(),
		ServiceAccountID: o.get("service_account_id").id(),
	}
}

func postFields() []string { return []string{"container_id", "path", "service_account_id"} }

func parsePost(o object) *Post {
	return &Post{
		containerAt:      o.get("container_id").at,
		ContainerID:      o.get("container_id").required("the id of a container").id(),
		Path:             o.get("path").text(),
		ServiceAccountID: o.get("service_account_id").id(),
	}
}

func (f field) unused(why string) {
	if f.given() {
		f.warn("accepted, not used: %s", why)
	}
}

func recoveryV1() []string { return []string{"retry_settings", "dead_letter_queue"} }

// parseRecoveryV1 reads what stands in v1's calls.
func parseRecoveryV1(in object) (r Recovery) {
	r.parseRetry(in.get("retry_settings"))
	if queue := in.get("dead_letter_queue"); queue.given() {
		r.parseQueue(queue.object("queue_id", "service_account_id"), "queue_id")
	}
	return r
}

// parseRetry reads v1's retry_settings and v2's retry_policy, which are alike.
func (r *Recovery) parseRetry(f field) {
	if !f.given() {
		return
	}
	o := f.object("retry_attempts", "interval")
	r.Attempts = o.get("retry_attempts").number(1, maxAttempts)
	r.Interval = o.get("interval").required(`seconds from 10s to 60s, such as "10s"`).seconds(minInterval, maxInterval)
	if !o.get("retry_attempts").given() {
		f.warn("there is no retry_attempts: what fails is not tried again")
	}
}

// parseDeadLetter reads v2's.
func (r *Recovery) parseDeadLetter(f field) {
	if !f.given() {
		return
	}
	q := f.object("dead_letter_queue").get("dead_letter_queue").required("a queue").object("queue_arn", "service_account_id", "message_attributes")
	r.parseQueue(q, "queue_arn")
	if attributes := q.get("message_attributes"); attributes.given() {
		for _, m := range attributes.members() {
			m.text() // or it is refused
		}
		attributes.warn("not emulated: message_attributes of dead letters; they are left out")
	}
}

func (r *Recovery) parseQueue(o object, key string) {
	queue := o.get(key).required("the ARN of a queue")
	r.queueAt = queue.at
	r.DeadLetter = &DeadLetter{
		QueueID:          queue.text(),
		ServiceAccountID: o.get("service_account_id").required("the id of a service account; " + dflt + ServiceAccountID).id(),
	}
	if strings.HasSuffix(r.DeadLetter.QueueID, ".fifo") {
		queue.refuse("got %s, want a standard queue: dead letters do not go to FIFO queues", quote(r.DeadLetter.QueueID))
	}
}

func parseJQ(f field, limit int) (string, place) {
	if !f.given() {
		return "", f.at
	}
	program := f.object("jq").get("jq").required("a jq program")
	src := program.shorter(limit)
	if src != "" && len(src) <= limit {
		if _, err := jq.Compile(src); err != nil {
			program.refuse("%s", wrongJQ(src, err))
		}
	}
	return src, program.at
}

func wrongJQ(src string, err error) string {
	return fmt.Sprintf("got %s, want a jq program: %v", quote(src), err)
}
