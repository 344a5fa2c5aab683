package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/vanguard"
	"connectrpc.com/vanguard/vanguardgrpc"
	"google.golang.org/genproto/googleapis/api/annotations"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// transcoder makes REST of the registered services.
func (s *Server) transcoder() (http.Handler, error) {
	var extra []*annotations.HttpRule
	for name := range s.services {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			return nil, err
		}
		methods := found.(protoreflect.ServiceDescriptor).Methods()
		for i := range methods.Len() {
			extra = append(extra, extraBindings(methods.Get(i))...)
		}
	}
	return vanguardgrpc.NewTranscoder(s.grpc,
		vanguard.WithRules(extra...),
		vanguard.WithDefaultServiceOptions(vanguard.WithMaxMessageBufferBytes(2*maxMessage)), // JSON has bytes as base64
		vanguard.WithCodec(func(types vanguard.TypeResolver) vanguard.Codec {
			return jsonCodec{vanguard.JSONCodec{
				MarshalOptions:   protojson.MarshalOptions{Resolver: types},
				UnmarshalOptions: protojson.UnmarshalOptions{Resolver: types},
			}}
		}),
		vanguard.WithUnknownHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNotFound)
		})),
	)
}

// serveREST answers a request by way of the transcoder and gRPC; every error comes out as the cloud's JSON.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, c *call) {
	rest, err := s.rest()
	if err != nil {
		c.answered("", c.word(err))
		writeError(w, c)
		return
	}
	inner, err := prepare(r)
	if err != nil {
		c.answered("", c.word(err))
		writeError(w, c)
		return
	}
	out := &answer{ResponseWriter: w}
	rest.ServeHTTP(out, inner)
	if out.code < 400 {
		if c.answer() == nil { // a client that went before the service had answered
			c.answered("", status.New(codes.Canceled, "the client has gone"))
		}
		return
	}
	switch st := c.answer(); {
	case st == nil:
		err := refusal(r, out)
		if absent := s.absent(r.URL.Path); absent != "" {
			err = notEmulated(absent)
		}
		c.answered("", c.word(err))
	case st.Code() == codes.OK:
		c.answered("", c.word(status.Errorf(codes.Internal, "the answer cannot be worded: %s", bytes.TrimSpace(out.body.Bytes()))))
	}
	writeError(w, c)
}

// prepare makes of a request what the transcoder takes.
func prepare(r *http.Request) (*http.Request, error) {
	path := r.URL.EscapedPath() // the transcoder unescapes what it captures, so that a variable may hold %2F
	if len(path) > 1 && strings.HasSuffix(path, "/") {
		return nil, status.Errorf(codes.NotFound, "%s is not found; leave out the slash at its end", path)
	}
	// Users write connections/{id}/:send for connections/{id}:send.
	if i := strings.LastIndexByte(path, '/'); i > 0 && strings.HasPrefix(path[i:], "/:") {
		path = path[:i] + path[i+1:]
	}
	kind := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(kind)
	switch {
	case kind == "":
	case err == nil && (media == "application/json" || media == "text/json"):
	case err == nil && media == "application/x-www-form-urlencoded": // curl --data says so of JSON as well
	default:
		return nil, status.Errorf(codes.InvalidArgument, "Content-Type: got %q, want application/json", kind)
	}
	inner := r.Clone(r.Context()) // the transcoder changes headers
	inner.URL = &url.URL{Path: path, RawQuery: r.URL.RawQuery}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "query: %v", err)
	}
	if r.ContentLength == 0 && (r.Method == http.MethodPost || r.Method == http.MethodPatch) {
		inner.Body, inner.ContentLength = io.NopCloser(strings.NewReader("{}")), 2 // no body is an empty request
	}
	inner.Header.Set("Content-Type", "application/json")
	inner.Header.Del("Connect-Protocol-Version")
	return inner, nil
}

// answer lets through what went well and holds back what did not.
type answer struct {
	http.ResponseWriter
	code int
	body bytes.Buffer
}

func (a *answer) WriteHeader(code int) {
	if a.code != 0 {
		return
	}
	a.code = code
	if code < 400 {
		delete(a.Header(), "Date") // grpc suppresses it
		a.ResponseWriter.WriteHeader(code)
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.code < 400 {
		return a.ResponseWriter.Write(p)
	}
	return a.body.Write(p)
}

func (a *answer) Flush() {
	if a.code > 0 && a.code < 400 {
		_ = http.NewResponseController(a.ResponseWriter).Flush() // what cannot flush has sent it or will
	}
}

// refusal words what the transcoder itself refused: before a service was called, so it is the request's fault.
func refusal(r *http.Request, out *answer) error {
	switch out.code {
	case http.StatusNotFound:
		return status.Errorf(codes.NotFound, "no method has %s %s", r.Method, r.URL.EscapedPath())
	case http.StatusMethodNotAllowed:
		verbs := strings.Split(out.Header().Get("Allow"), ",")
		slices.Sort(verbs)
		out.Header().Set("Allow", strings.Join(verbs, ", "))
		return status.Errorf(codes.Unimplemented, "%s is not served at %s; what is: %s", r.Method, r.URL.EscapedPath(), out.Header().Get("Allow"))
	}
	var st spb.Status
	if protojson.Unmarshal(out.body.Bytes(), &st) != nil || st.GetCode() == 0 {
		return status.Error(codes.InvalidArgument, strings.TrimSpace(out.body.String()))
	}
	if codes.Code(st.GetCode()) == codes.ResourceExhausted {
		return status.Errorf(codes.ResourceExhausted, "request body: %s", st.GetMessage())
	}
	return status.Error(codes.InvalidArgument, queryMessage(st.GetMessage()))
}

// queryMessage says of a query parameter that is no field's what it is.
func queryMessage(message string) string {
	rest, is := strings.CutPrefix(message, "unknown field in field path ")
	if !is {
		return message
	}
	name, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return message
	}
	_, message, _ = strings.Cut(message, ": ")
	return fmt.Sprintf("query parameter %s is unknown: %s", name, message)
}

// writeError writes the error that a call was answered with.
func writeError(w http.ResponseWriter, c *call) {
	st := c.answer()
	body, err := errorBody(st.Proto())
	if err != nil { // details of a type that this program does not know
		body, err = errorBody(&spb.Status{Code: int32(st.Code()), Message: st.Message()})
	}
	if err != nil {
		body = []byte(`{"code":13,"message":"the error cannot be worded"}`)
	}
	h := w.Header()
	h.Del("Content-Encoding")
	h.Del("Content-Length")
	for _, name := range []string{"Date", "Trailer", "Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin"} {
		h.Del(name) // what grpc left
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(httpCode(st.Code()))
	_, _ = w.Write(body) // the client may have gone
}

func errorBody(st *spb.Status) ([]byte, error) {
	body, err := protojson.Marshal(st)
	if err != nil {
		return nil, err
	}
	return compact(nil, body)
}

// httpCode is the HTTP status of a code, as the cloud's documentation has it.
func httpCode(code codes.Code) int {
	switch code {
	case codes.OK:
		return http.StatusOK
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.NotFound:
		return http.StatusNotFound
	case codes.AlreadyExists, codes.Aborted:
		return http.StatusConflict
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Canceled:
		return 499
	case codes.Unimplemented:
		return http.StatusNotImplemented
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

// jsonCodec is vanguard's with one form of output, which protojson has not, and errors for people.
type jsonCodec struct{ vanguard.JSONCodec }

func (j jsonCodec) MarshalAppend(base []byte, m proto.Message) ([]byte, error) {
	body, err := j.JSONCodec.MarshalAppend(nil, m)
	if err != nil {
		return nil, err
	}
	return compact(base, body)
}

func (j jsonCodec) Unmarshal(data []byte, m proto.Message) error {
	err := j.JSONCodec.Unmarshal(data, m)
	if err == nil {
		return nil
	}
	// protojson says "proto:" and mixes in no-break spaces lest anybody compare its messages.
	text := strings.TrimSpace(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto:"))
	return fmt.Errorf("request body: %s", text)
}

// compact appends JSON without the spaces that protojson puts in at random.
func compact(base, body []byte) ([]byte, error) {
	out := bytes.NewBuffer(base)
	if err := json.Compact(out, body); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
