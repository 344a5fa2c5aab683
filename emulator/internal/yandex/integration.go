package yandex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// Function is the integration that calls a function.
type Function struct {
	ID               string
	Tag              string
	ServiceAccountID string
	Version          string // of the event's format: "0.1" or "1.0"
	// Context reaches the function as it stands in the specification, JSON, with the parameters filled in; nil: there is none.
	Context any

	at place
}

func parseFunction(o object) *Function {
	formats := []string{"0.1", "1.0"}
	f := &Function{
		at:               o.get("function_id").at,
		ID:               o.get("function_id").required("the id of a function").id(),
		Tag:              o.get("tag").text(),
		ServiceAccountID: o.get("service_account_id").id(),
		Version:          formats[0],
	}
	o.get("tag").warnOfTag()
	switch version := o.get("payload_format_version"); {
	case !version.given():
	case version.text() != formats[0] && version.text() != formats[1]:
		version.refuse("got %s, want %s", version.got(), oneOf(formats))
	default:
		f.Version = version.text()
	}
	if c := o.get("context"); c.given() {
		if c.got() != "a mapping" {
			c.refuse("got %s, want a mapping", c.got())
		} else if err := c.value().Decode(&f.Context); err != nil {
			c.refuse("got what cannot be read: %v", err)
		} else if _, err := json.Marshal(f.Context); err != nil {
			c.refuse("got what JSON cannot hold: %v", err)
		}
	}
	return f
}

// call is what an integration is called with.
type call struct {
	op         *Operation
	function   *Function // the one that is called, if one is
	authorizer map[string]any
	gateway    string
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

// run calls the integration of an operation; who may is not asked. An error says why a function gave no answer; the answer is then the cloud's.
func (d *door) run(ctx context.Context, c call) (answer, error) {
	op := c.op
	switch {
	case op.Type == "":
		return failed(http.StatusNotImplemented, "the operation has no integration"), nil
	case op.Dummy != nil:
		return op.Dummy.answer(c), nil
	case op.Function == nil:
		return failed(http.StatusNotImplemented, "not emulated: "+op.Type+" integration"), nil
	}
	a, err := d.function(ctx, c)
	if err != nil {
		var f *failure
		if !errors.As(err, &f) {
			return failed(http.StatusInternalServerError, err.Error()), err
		}
		return f.answer(), fmt.Errorf("the function %s failed: %w", op.Function.ID, err)
	}
	return a, nil
}

// function calls the function of an operation and reads its answer.
func (d *door) function(ctx context.Context, c call) (answer, error) {
	id, trace, err := d.mint.request()
	if err != nil {
		return answer{}, err
	}
	c.function = c.op.Function
	payload := encodeJSON(c.words(id, trace, d.clock.Now()))
	out, err := d.functions.call(ctx, c.op.Function.ID, runner.Request{ID: id, Payload: payload})
	if err != nil {
		return answer{}, err
	}
	return readAnswer(out)
}
