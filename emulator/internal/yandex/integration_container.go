package yandex

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// Container is the integration that sends requests to a container, at the client's path.
type Container struct {
	ID               string
	ServiceAccountID string
	// Context reaches the container in a header, with the parameters filled in; nil: there is none.
	Context any
}

func (r specReader) container(o object) *Container {
	if path := o.get("path"); path.given() {
		path.warn("has no effect, as in the cloud: a container gets the client's path")
	}
	return &Container{
		ID:               o.get("container_id").required("the id of a container").id(),
		ServiceAccountID: o.account(r.account),
		Context:          readContext(o.get("context")),
	}
}

// containers finds containers.
type containers struct {
	url func(id string) (string, error)
}

// at is the URL of a path of a container: empty, or with a slash first. The error is a *failure.
func (cs containers) at(id, path string) (string, error) {
	base, err := cs.url(id)
	var told *Error
	if errors.As(err, &told) && told.Code == CodeUnimplemented {
		return "", &failure{status: told.http(), kind: clientError, text: told.Text}
	}
	if err != nil {
		return "", &failure{status: http.StatusNotFound, kind: clientError, text: "container not found: " + err.Error()}
	}
	return strings.TrimSuffix(base, "/") + path, nil
}

// reach sends a request to the container of an operation. An error goes with the answer that the client gets instead.
func (d *door) reach(ctx context.Context, c call) (answer, error) {
	container := c.op.Container
	if err := d.permitted(c, permission{container.ServiceAccountID, roleInvokeContainer, kindContainer, container.ID}); err != nil {
		return err.answer(), err
	}
	path := c.url
	if c.socket != nil && c.socket.event != "CONNECT" { // the query is the handshake's alone
		path = c.pathOnly()
	}
	url, err := d.containers.at(container.ID, path)
	var f *failure
	if errors.As(err, &f) {
		return f.answer(), f
	}
	r, err := http.NewRequestWithContext(ctx, c.method, url, c.content())
	if err != nil {
		return failed(http.StatusBadGateway, "Bad Gateway: "+clip(err.Error())), err
	}
	r.Host = c.host
	r.Header = passable(c.headers())
	r.Header.Del("Host")
	r.Header.Del("Content-Length")
	if r.Header.Get("User-Agent") == "" {
		r.Header["User-Agent"] = []string{""} // or net/http would say its own
	}
	c.told(r.Header)
	r.Header.Del(headerOperation)
	if container.Context != nil {
		r.Header.Set(headerOperation, base64.StdEncoding.EncodeToString(encodeJSON(fillAll(container.Context, c.filler()))))
	}
	a, err := d.outward.call(r, maxResponse, timeouts{}, runner.Invocation{ID: c.id, Function: containerName(container.ID), Input: c.body})
	if err != nil {
		return a, err
	}
	if forbidden := a.filter(true); forbidden != "" {
		err := fmt.Errorf("the container's answer has the header %s, which is not allowed", forbidden)
		return failed(http.StatusBadGateway, "Bad Gateway: "+err.Error()), err
	}
	return a, nil
}
