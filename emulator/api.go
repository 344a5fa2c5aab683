package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// emitLimit bounds the body of POST /_regcast/events, in bytes.
const emitLimit = 64 << 20

// quietLimit bounds GET /_regcast/quiet where the request does not.
const quietLimit = 30 * time.Second

// api is regcast's own HTTP API. The command line and the console are its clients and know nothing else.
func (e *Emulator) api() http.Handler {
	mux := http.NewServeMux()
	allow := map[string][]string{} // by path
	for _, call := range []struct {
		method, path string
		serve        http.HandlerFunc
	}{
		{"GET", "/_regcast/health", e.getHealth},
		{"GET", "/_regcast/ca", e.getCA},
		{"POST", "/_regcast/events", e.postEvents},
		{"GET", "/_regcast/events/{id}", e.getTrace},
		{"GET", "/_regcast/events/{id}/explain", e.getExplain},
		{"GET", "/_regcast/journal", e.getJournal},
		{"GET", "/_regcast/recording", e.getRecording},
		{"POST", "/_regcast/replay", e.postReplay},
		{"POST", "/_regcast/replay/{id}/{what}", e.postReplayControl},
		{"GET", "/_regcast/quiet", e.getQuiet},
		{"GET", "/_regcast/clock", e.getClock},
		{"POST", "/_regcast/clock", e.postClock},
		{"GET", "/_regcast/faults", list("faults", e.Faults)},
		{"POST", "/_regcast/faults", e.postFaults},
		{"DELETE", "/_regcast/faults", e.deleteFaults},
		{"DELETE", "/_regcast/faults/{id}", e.deleteFault},
		{"GET", "/_regcast/triggers", list("triggers", e.Triggers)},
		{"GET", "/_regcast/connections", list("connections", e.Connections)},
		{"GET", "/_regcast/functions", list("functions", e.Functions)},
		{"GET", "/_regcast/queues", list("queues", e.Queues)},
		{"GET", "/_regcast/tables", list("tables", e.Tables)},
		{"GET", "/_regcast/apis", list("apis", e.APIs)},
		{"GET", "/_regcast/outputs", list("outputs", e.Outputs)},
	} {
		mux.HandleFunc(call.method+" "+call.path, call.serve)
		allow[call.path] = append(allow[call.path], call.method)
	}
	for path, methods := range allow {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			answerError(w, http.StatusMethodNotAllowed, fmt.Errorf("%s %s: the method is %s", r.Method, r.URL.Path, strings.Join(methods, " or ")))
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answerError(w, http.StatusNotFound, fmt.Errorf("%s %s: no such call; see docs/API.md", r.Method, r.URL.Path))
	})
	return mux
}

func (e *Emulator) getHealth(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, struct {
		Status   string   `json:"status"`
		Version  string   `json:"version"`
		Secure   string   `json:"secure_url"`
		Defaults Defaults `json:"defaults"`
	}{"ready", e.version, e.SecureURL(), e.defaults})
}

func (e *Emulator) postEvents(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, emitLimit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		answerError(w, http.StatusRequestEntityTooLarge, fmt.Errorf("body: over %d bytes; send several requests", emitLimit))
		return
	case err != nil:
		answerError(w, http.StatusBadRequest, fmt.Errorf("body: %w", err))
		return
	}
	records, err := parseEmit(body, e.defaults.RegistryID)
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	ids, err := e.emit(r.Context(), records)
	if err != nil {
		answer(w, http.StatusServiceUnavailable, map[string]any{"error": err.Error(), "event_ids": ids})
		return
	}
	answer(w, http.StatusAccepted, map[string]any{"event_ids": ids})
}

func (e *Emulator) getTrace(w http.ResponseWriter, r *http.Request) {
	t, err := e.Trace(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, ErrNoEvent):
		answerError(w, http.StatusNotFound, fmt.Errorf("%w; `regcast journal` lists the events on record", err))
	case err != nil:
		answerError(w, http.StatusInternalServerError, err)
	default:
		answer(w, http.StatusOK, t)
	}
}

// getJournal writes the journal as lines of JSON: from=N starts at a position, topic=frame,socket chooses, follow=true stays for what
// is to come.
func (e *Emulator) getJournal(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from := uint64(1)
	if s := q.Get("from"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil || n == 0 {
			answerError(w, http.StatusBadRequest, fmt.Errorf("from: got %q, want a position from 1", s))
			return
		}
		from = n
	}
	follow := false
	switch s := q.Get("follow"); s {
	case "", "false", "0":
	case "true", "1":
		follow = true
	default:
		answerError(w, http.StatusBadRequest, fmt.Errorf("follow: got %q, want true or false", s))
		return
	}
	topics, err := topicsOf(q.Get("topic"))
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	read := e.journal.Read
	if follow {
		read = e.journal.Follow
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := http.NewResponseController(w)
	defer context.AfterFunc(e.streams, func() { // neither a follower nor a reader that stands still must hold up the end of the house
		cancel()
		_ = out.SetWriteDeadline(time.Now())
	})()
	if err := e.journal.Sync(ctx); err != nil {
		answerError(w, http.StatusServiceUnavailable, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	if follow { // the reader shall know at once that it is connected
		_ = out.Flush()
	}
	enc := json.NewEncoder(w)
	for entry, err := range read(ctx, from, topics...) {
		if err != nil {
			return // the client went or the house closes; nobody is left to tell
		}
		line, err := journalLine(entry)
		if err != nil {
			e.log.Error("journal: entry left out", "seq", entry.Seq, "error", err)
			continue
		}
		if enc.Encode(line) != nil {
			return
		}
		if follow {
			_ = out.Flush()
		}
	}
}

// getQuiet answers when nothing is in flight, so that a test in any language needs no sleep; timeout=5s says how long it waits.
func (e *Emulator) getQuiet(w http.ResponseWriter, r *http.Request) {
	limit := quietLimit
	if s := r.URL.Query().Get("timeout"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			answerError(w, http.StatusBadRequest, fmt.Errorf("timeout: got %q, want a duration such as 5s", s))
			return
		}
		limit = d
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	if err := e.Flush(ctx); err != nil {
		answerError(w, http.StatusServiceUnavailable, fmt.Errorf(
			"not quiet after %s; a client that does not read, or a target that hangs? see /_regcast/connections and /_regcast/triggers: %w", limit, err))
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "quiet"})
}

// list answers what there is of something, under its name.
func list[T any](name string, of func() T) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]any{name: of()}) }
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

func answerError(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": err.Error()})
}
