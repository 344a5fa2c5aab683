package yandex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/trigger"
)

// postTimeout bounds what a container takes for one request of a trigger.
const postTimeout = 10 * time.Minute

var errPost = errors.New("the container did not answer within 10 minutes")

// post is the target that sends a container each delivery, once: a POST of the trigger's JSON as it is.
type post struct {
	wiring    wiring
	container string
	path      string
}

func (t *post) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	out := make([]trigger.Outcome, len(ds))
	for i, d := range ds {
		began := t.wiring.clock.Now()
		o := trigger.Outcome{Text: "to the container " + t.container + t.path, Data: map[string]any{"container_id": t.container, "path": t.path}}
		status, err := t.send(ctx, d)
		if err != nil {
			o.Lost, o.Text = true, fmt.Sprintf("the container %s%s failed: %s", t.container, t.path, clip(err.Error()))
		}
		if status != 0 {
			o.Data["status"] = status
		}
		o.Data["invoke_ms"] = float64(t.wiring.clock.Now().Sub(began)) / float64(time.Millisecond)
		out[i] = o
	}
	return out
}

// send returns the status of the container's answer, if there is one. All but 2xx are errors, redirects too.
func (t *post) send(ctx context.Context, d trigger.Delivery) (int, error) {
	if len(d.Payload) > MaxPayload {
		return 0, tooLarge(len(d.Payload), MaxPayload)
	}
	path := t.path
	if path != "" {
		path = "/" + strings.TrimPrefix(path, "/")
	}
	url, err := t.wiring.containers.at(t.container, path)
	if err != nil {
		return 0, err
	}
	ctx, p := patient(ctx, t.wiring.clock)
	defer p.end()
	p.give(postTimeout, errPost)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.Payload))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := t.wiring.outward.call(r, MaxPayload, timeouts{}, runner.Invocation{
		Function: containerName(t.container), Events: idsOf(d), Input: d.Payload,
	})
	switch {
	case errors.Is(context.Cause(ctx), errPost):
		return 0, errPost
	case err != nil:
		return 0, err
	case a.status < 200 || a.status > 299:
		return a.status, fmt.Errorf("it answered %d %s", a.status, http.StatusText(a.status))
	}
	return a.status, nil
}
