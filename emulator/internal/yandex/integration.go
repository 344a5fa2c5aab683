package yandex

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/runner"
)

const (
	headerAuthorizer = "X-Yc-Apigateway-Authorizer-Context" // JSON: what the authorizer said
	headerOperation  = "X-Yc-Apigateway-Operation-Context"  // JSON in base64
)

// Function is the integration that calls a function.
type Function struct {
	ID               string
	Tag              string
	ServiceAccountID string
	Version          string // of the event's format: "0.1" or "1.0"
	// Context reaches the function as it stands in the specification, JSON, with the parameters filled in; nil: there is none.
	Context any

	at, tagAt place
}

func (r specReader) function(o object) *Function {
	formats := []string{"0.1", "1.0"}
	f := &Function{
		at:               o.get("function_id").at,
		tagAt:            o.get("tag").at,
		ID:               o.get("function_id").required("the id of a function").id(),
		Tag:              o.get("tag").text(),
		ServiceAccountID: o.account(r.account),
		Version:          formats[0],
	}
	switch version := o.get("payload_format_version"); {
	case !version.given():
	case version.text() != formats[0] && version.text() != formats[1]:
		version.refuse("got %s, want %s", version.got(), oneOf(formats))
	default:
		f.Version = version.text()
	}
	f.Context = readContext(o.get("context"))
	return f
}

// account reads the service account of an integration; without one it is the gateway's.
func (o object) account(inherited string) string {
	return cmp.Or(o.get("service_account_id").id(), o.get("serviceAccountId").id(), inherited)
}

// pathOnly is the path as it was sent, without the query.
func (c call) pathOnly() string {
	path, _, _ := strings.Cut(c.url, "?")
	return path
}

// call is what an integration is called with.
type call struct {
	id, trace  string // of the request; empty: see identify
	op         *Operation
	function   *Function // the one that is called, if one is
	authorizer map[string]any
	gateway    string
	release    string // "stable" or "canary"
	resource   string // the path key
	socket     *occasion
	method     string
	host       string // as the client named it
	remote     string // the client's address and port
	secure     bool
	url        string // the path and query as they were sent
	path       map[string]string
	query      url.Values
	header     http.Header
	body       []byte
	binary     bool // body is to be given in base64
}

// occasion is what a call for a socket is about.
type occasion struct {
	event       string // "CONNECT", "MESSAGE", "DISCONNECT"
	id          string
	connectedAt int64  // milliseconds since 1970
	message     string // its id
	code        int
	reason      string
}

// answer is what an integration answers.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// clone is an answer whose headers can be changed: answers may be kept.
func (a answer) clone() answer {
	a.header = a.header.Clone()
	return a
}

// text tells whether the body is text on a socket; anything else is binary there.
func (a answer) text() bool {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return kind == "application/json" || strings.HasPrefix(kind, "text/")
}

// failed is the gateway's own answer when there is none from an integration.
func failed(status int, text string) answer {
	return answer{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: encodeJSON(map[string]string{"message": text})}
}

// encodeJSON writes JSON with the characters <, > and & as they are. What it is given always encodes.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("yandex: %T did not encode: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// identify gives a call the ids of its request and trace.
func (d *door) identify(c *call) (err error) {
	if c.id == "" {
		c.id, c.trace, err = d.mint.request()
	}
	return err
}

// run calls the integration of an operation; who may is not asked. An error says why there is no answer of its own; the answer is
// then the cloud's.
func (h *gatewayHandler) run(c call) (answer, error) {
	d, op := h.door, c.op
	switch {
	case op.Type == "":
		return failed(http.StatusNotImplemented, "the operation has no integration"), nil
	case op.Dummy != nil:
		return op.Dummy.answer(c), nil
	case !op.calls():
		return failed(http.StatusNotImplemented, "not emulated: "+op.Type+" integration"), nil
	}
	if err := d.identify(&c); err != nil {
		return failed(http.StatusInternalServerError, err.Error()), err
	}
	ctx, p := patient(d.ctx, d.clock)
	defer p.end()
	p.give(h.state.Load().timeout, errTime)
	var a answer
	var err error
	switch {
	case op.Function != nil:
		a, err = d.function(ctx, c)
	case op.HTTP != nil:
		a, err = d.http(ctx, c)
	default:
		a, err = d.reach(ctx, c)
	}
	if err != nil && tooSlow(ctx) {
		return failed(http.StatusGatewayTimeout, "Gateway Timeout: "+context.Cause(ctx).Error()), context.Cause(ctx)
	}
	return a, err
}

// function calls the function of an operation and reads its answer. An error goes with the answer that the client gets instead.
func (d *door) function(ctx context.Context, c call) (answer, error) {
	c.function = c.op.Function
	a, err := d.proxy(ctx, c)
	if err == nil {
		return a, nil
	}
	err = fmt.Errorf("the function %s failed: %w", c.function.ID, err)
	var f *failure
	if !errors.As(err, &f) {
		return failed(http.StatusInternalServerError, err.Error()), err
	}
	return f.answer(), err
}

func (d *door) proxy(ctx context.Context, c call) (answer, error) {
	out, err := d.invoke(ctx, c, c.words(d.clock.Now()))
	if err != nil {
		return answer{}, err
	}
	return readAnswer(out, true)
}

// invoke calls the function of a call with an event. The error is a *failure.
func (d *door) invoke(ctx context.Context, c call, event map[string]any) ([]byte, error) {
	name, _, err := d.functions.version(c.function.ID, c.filler().Replace(c.function.Tag))
	if err != nil {
		return nil, err
	}
	if err := d.permitted(c, permission{c.function.ServiceAccountID, roleInvokeFunction, kindFunction, c.function.ID}); err != nil {
		return nil, err
	}
	if c.socket != nil && c.socket.event != "CONNECT" { // the gateway waits for what a connection says
		ctx = context.WithValue(ctx, pausing{}, d.sockets)
	}
	return d.functions.call(ctx, name, runner.Request{ID: c.id, Payload: encodeJSON(event)})
}

type pausing struct{}

// Pause tells the gateway that an Invoke with this ctx waits for its time only, until it calls resume: Drained does not wait for it. The
// timer must be set before. A context that is not of a call for an open connection tells nobody.
func Pause(ctx context.Context) (resume func()) {
	g, ok := ctx.Value(pausing{}).(*gateway.Gateway)
	if !ok {
		return func() {}
	}
	return g.Rest()
}

// told adds what an authorizer said to the headers of an outgoing request; clients cannot say it.
func (c call) told(h http.Header) {
	h.Del(headerAuthorizer)
	if c.authorizer != nil {
		h.Set(headerAuthorizer, string(ascii(c.authorizer)))
	}
}

// ascii is JSON that a header can carry.
func ascii(v any) []byte {
	var out []byte
	for _, r := range string(encodeJSON(v)) {
		switch {
		case r < 0x80:
			out = append(out, byte(r))
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// readContext reads the context of an integration: any mapping that JSON can hold; nil: there is none.
func readContext(c field) any {
	if !c.given() {
		return nil
	}
	var v any
	if c.got() != "a mapping" {
		c.refuse("got %s, want a mapping", c.got())
	} else if err := c.value().Decode(&v); err != nil {
		c.refuse("got what cannot be read: %v", err)
	} else if _, err := json.Marshal(v); err != nil {
		c.refuse("got what JSON cannot hold: %v", err)
	}
	return v
}
