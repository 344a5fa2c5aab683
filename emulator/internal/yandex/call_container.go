package yandex

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// ContainersPath begins the paths at which containers are called: the id follows, and then the container's own path.
const ContainersPath = "/containers/"

// ServeContainers passes requests below ContainersPath on to the containers that they name, as the cloud does by host names, and their
// answers back as they come.
func (c *Cloud) ServeContainers(w http.ResponseWriter, r *http.Request) {
	d := c.gateways.door
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), ContainersPath), "/")
	target, err := d.containerFor(r, id, "/"+rest)
	var f *failure
	if errors.As(err, &f) {
		write(w, r, f.answer())
		return
	}
	proxy := httputil.ReverseProxy{
		Transport: d.outward.transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			target.RawQuery = p.Out.URL.RawQuery
			p.Out.URL, p.Out.Host = target, p.In.Host
			p.Out.Header = passable(p.Out.Header)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			write(w, r, (&failure{status: http.StatusBadGateway, kind: serverError, text: fmt.Sprintf("the container %s at %s: %v", id, target.Host, err)}).answer())
		},
	}
	proxy.ServeHTTP(w, r)
}

// containerFor finds where a request to a container goes, if its sender may. The error is a *failure.
func (d *door) containerFor(r *http.Request, id, path string) (*url.URL, error) {
	if err := d.admitted(r, roleInvokeContainer, kindContainer, id); err != nil {
		return nil, err
	}
	address, err := d.containers.at(id, path)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(address)
	if err != nil {
		return nil, &failure{status: http.StatusBadGateway, kind: serverError, text: err.Error()}
	}
	return target, nil
}

// admitted asks whether the sender of a request may call something. The error is a *failure.
func (d *door) admitted(r *http.Request, role, kind, id string) error {
	if d.admit == nil {
		return nil
	}
	err := d.admit(r.Header.Get("Authorization"), role, kind, id)
	var refused *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Code == CodeUnauthenticated:
		return &failure{status: http.StatusUnauthorized, kind: clientError, text: err.Error()}
	}
	return &failure{status: http.StatusForbidden, kind: clientError, text: err.Error()}
}
