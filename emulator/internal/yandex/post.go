package yandex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

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
		status, err := t.send(ctx, d.Payload)
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

// send returns the status of the answer, if there is one. All but 2xx are errors, redirects too.
func (t *post) send(ctx context.Context, payload []byte) (int, error) {
	if len(payload) > MaxPayload {
		return 0, tooLarge(len(payload), MaxPayload)
	}
	base, err := t.wiring.container(t.container)
	if err != nil {
		return 0, err
	}
	url := strings.TrimSuffix(base, "/")
	if t.path != "" {
		url += "/" + strings.TrimPrefix(t.path, "/")
	}
	ctx, p := patient(ctx, t.wiring.clock)
	defer p.end()
	p.give(postTimeout, errPost)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := t.wiring.transport.RoundTrip(r)
	if err != nil {
		if errors.Is(context.Cause(ctx), errPost) {
			err = errPost
		}
		return 0, err
	}
	// What it says is of no interest, but a connection is kept only when all is read.
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, MaxPayload))
	if e := res.Body.Close(); err == nil {
		err = e
	}
	switch {
	case res.StatusCode < 200 || res.StatusCode > 299:
		return res.StatusCode, fmt.Errorf("it answered %s", res.Status)
	case errors.Is(context.Cause(ctx), errPost):
		return res.StatusCode, errPost
	}
	return res.StatusCode, err
}
