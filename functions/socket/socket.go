// Package socket handles what a WebSocket gateway calls its functions for: a connection opens, says something, is closed. The events of
// API Gateway on AWS and on Yandex Cloud are alike in all that is read here, and so are the answers.
//
// On the open socket a client can say
//
//	ping                            → pong
//	{"action":"ping"}               → {"action":"pong"}
//	{"action":"subscribe", …}       → {"action":"subscribe","ok":true,"wish":"image=team%2Fapp&tag=v%2A"}
//
// where … are the keys of the query string: "image", "tag" and "events", each a string or a list of strings; the new wish replaces the
// old one, and a key left out means all. What cannot be done is answered {"action":…,"ok":false,"error":"…"}; the wish then is as it
// was. On AWS answers arrive only if the route has a route response.
package socket

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/regcast/regcast/functions/wish"
)

// Store keeps the connections.
type Store interface {
	Add(ctx context.Context, connection string, w wish.Wish) error
	Change(ctx context.Context, connection string, w wish.Wish) error
	Remove(ctx context.Context, connection string) error
}

// Options of New. Store is needed.
type Options struct {
	Store     Store
	Log       *slog.Logger // nil: nothing is logged
	RequestID func(context.Context) string
}

// Handler handles the three kinds of events. It keeps nothing between them.
type Handler struct{ o Options }

// New makes a Handler.
func New(o Options) *Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.RequestID == nil {
		o.RequestID = func(context.Context) string { return "" }
	}
	return &Handler{o}
}

// event is what is read of the gateway's event.
type event struct {
	Query      map[string]string   `json:"queryStringParameters"`
	MultiQuery map[string][]string `json:"multiValueQueryStringParameters"`
	Body       string              `json:"body"`
	Base64     bool                `json:"isBase64Encoded"`
	Context    struct {
		EventType    string `json:"eventType"`
		ConnectionID string `json:"connectionId"`
	} `json:"requestContext"`
}

// reply is what the gateway makes a response, or a message to the client, of.
type reply struct {
	Status  int               `json:"statusCode"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
}

func say(status int, body any) reply {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // strings and booleans
	return reply{status, map[string]string{"Content-Type": "application/json"}, strings.TrimRight(b.String(), "\n")}
}

// Connect writes down what the connection wants, or refuses it: 400 with the reason.
func (h *Handler) Connect(ctx context.Context, payload []byte) ([]byte, error) {
	return h.handle(ctx, payload, "CONNECT", func(ctx context.Context, log *slog.Logger, e event) (reply, error) {
		query := url.Values(e.MultiQuery)
		if len(query) == 0 {
			query = url.Values{}
			for k, v := range e.Query {
				query.Set(k, v)
			}
		}
		w, err := wish.FromQuery(query)
		if err != nil {
			log.Info("connection refused", "reason", err)
			return say(http.StatusBadRequest, map[string]string{"message": oneLine(err)}), nil
		}
		if err := h.o.Store.Add(ctx, e.Context.ConnectionID, w); err != nil {
			return reply{}, err
		}
		log.Info("connected", "wish", w.String())
		return reply{Status: http.StatusOK}, nil // no body: Yandex would send it to the client
	})
}

// Disconnect deletes what Connect wrote.
func (h *Handler) Disconnect(ctx context.Context, payload []byte) ([]byte, error) {
	return h.handle(ctx, payload, "DISCONNECT", func(ctx context.Context, log *slog.Logger, e event) (reply, error) {
		if err := h.o.Store.Remove(ctx, e.Context.ConnectionID); err != nil {
			return reply{}, err
		}
		log.Info("disconnected")
		return reply{Status: http.StatusOK}, nil
	})
}

// Message answers what a client says. The status is 200 also for what cannot be done: the answer is for the client, and a gateway puts
// words of its own in the place of any other.
func (h *Handler) Message(ctx context.Context, payload []byte) ([]byte, error) {
	return h.handle(ctx, payload, "MESSAGE", func(ctx context.Context, log *slog.Logger, e event) (reply, error) {
		body := []byte(e.Body)
		if e.Base64 {
			var err error
			if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
				return reply{}, fmt.Errorf("body: %w", err)
			}
		}
		if string(bytes.TrimSpace(body)) == "ping" {
			return reply{http.StatusOK, map[string]string{"Content-Type": "text/plain"}, "pong"}, nil
		}
		var said struct {
			Action string `json:"action"`
		}
		if err := json.Unmarshal(body, &said); err != nil {
			return refuse("", errors.New(`want ping or a JSON object with an "action": ping or subscribe`)), nil
		}
		switch said.Action {
		case "ping":
			return say(http.StatusOK, map[string]string{"action": "pong"}), nil
		case "subscribe":
			return h.subscribe(ctx, log, e.Context.ConnectionID, body)
		}
		if len(said.Action) > 60 {
			said.Action = said.Action[:60] + "…"
		}
		return refuse(said.Action, fmt.Errorf("action %q; allowed: ping, subscribe", said.Action)), nil
	})
}

func (h *Handler) subscribe(ctx context.Context, log *slog.Logger, connection string, body []byte) (reply, error) {
	var said struct {
		Action string `json:"action"`
		Image  list   `json:"image"`
		Tag    list   `json:"tag"`
		Events list   `json:"events"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields() // an authorizer's keys have no business here, so that any slip of the pen is told
	if err := d.Decode(&said); err != nil {
		return refuse("subscribe", err), nil
	}
	w, err := wish.New(said.Image, said.Tag, said.Events)
	if err != nil {
		return refuse("subscribe", err), nil
	}
	if err := h.o.Store.Change(ctx, connection, w); err != nil {
		return reply{}, err
	}
	log.Info("wish changed", "wish", w.String())
	return say(http.StatusOK, struct {
		Action string `json:"action"`
		OK     bool   `json:"ok"`
		Wish   string `json:"wish"`
	}{"subscribe", true, w.String()}), nil
}

func refuse(action string, err error) reply {
	return say(http.StatusOK, struct {
		Action string `json:"action,omitempty"`
		OK     bool   `json:"ok"`
		Error  string `json:"error"`
	}{action, false, oneLine(err)})
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// list is a string or a list of strings.
type list []string

func (l *list) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	var many []string
	if json.Unmarshal(data, &many) != nil {
		return fmt.Errorf("%s: want a string or a list of strings", data[:min(len(data), 60)])
	}
	if many != nil && len(many) == 0 {
		many = []string{""} // stated and empty: refused as in a query string
	}
	*l = many
	return nil
}

// handle reads the event and writes the answer. An error is the gateway's to answer: it has no words for the client.
func (h *Handler) handle(ctx context.Context, payload []byte, want string, do func(context.Context, *slog.Logger, event) (reply, error)) ([]byte, error) {
	log := h.o.Log
	if id := h.o.RequestID(ctx); id != "" {
		log = log.With("request_id", id)
	}
	var e event
	err := json.Unmarshal(payload, &e)
	if err == nil && (e.Context.EventType != want || e.Context.ConnectionID == "") {
		err = fmt.Errorf("eventType %q, connectionId %q in requestContext: want a WebSocket event of type %s", e.Context.EventType, e.Context.ConnectionID, want)
	}
	var r reply
	if err == nil {
		log = log.With("connection", e.Context.ConnectionID)
		r, err = do(ctx, log, e)
	}
	if err != nil {
		err = fmt.Errorf("socket: %s: %w", strings.ToLower(want), err)
		log.Error("event is not handled", "error", err)
		return nil, err
	}
	return json.Marshal(r)
}
