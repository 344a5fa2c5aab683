package aws

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

// proxyEvent is what a function or an authorizer is invoked with. The order of the fields is the cloud's.
type proxyEvent struct {
	Type                            string            `json:"type,omitempty"`
	MethodARN                       string            `json:"methodArn,omitempty"`
	Headers                         lastValues        `json:"headers,omitempty"`
	MultiValueHeaders               allValues         `json:"multiValueHeaders,omitempty"`
	QueryStringParameters           lastValues        `json:"queryStringParameters,omitempty"`
	MultiValueQueryStringParameters allValues         `json:"multiValueQueryStringParameters,omitempty"`
	StageVariables                  map[string]string `json:"stageVariables,omitempty"`
	RequestContext                  requestContext    `json:"requestContext"`
	Body                            *string           `json:"body,omitempty"`
	IsBase64Encoded                 *bool             `json:"isBase64Encoded,omitempty"`
}

type requestContext struct {
	RouteKey             string         `json:"routeKey"`
	DisconnectStatusCode int            `json:"disconnectStatusCode,omitempty"`
	Authorizer           map[string]any `json:"authorizer,omitempty"`
	MessageID            string         `json:"messageId,omitempty"`
	EventType            string         `json:"eventType"`
	ExtendedRequestID    string         `json:"extendedRequestId"`
	RequestTime          string         `json:"requestTime"`
	MessageDirection     string         `json:"messageDirection"`
	DisconnectReason     *string        `json:"disconnectReason,omitempty"`
	Stage                string         `json:"stage"`
	ConnectedAt          int64          `json:"connectedAt"`      // ms since 1970
	RequestTimeEpoch     int64          `json:"requestTimeEpoch"` // ms since 1970
	Identity             identity       `json:"identity"`
	RequestID            string         `json:"requestId"`
	DomainName           string         `json:"domainName"`
	ConnectionID         string         `json:"connectionId"`
	APIID                string         `json:"apiId"`
}

type identity struct {
	UserAgent string `json:"userAgent,omitempty"`
	SourceIP  string `json:"sourceIp"`
}

// requestTimeLayout is the time as access logs have it.
const requestTimeLayout = "02/Jan/2006:15:04:05 -0700"

// Event types.
const (
	eventConnect    = "CONNECT"
	eventMessage    = "MESSAGE"
	eventDisconnect = "DISCONNECT"
)

// field is a name with its values. Lists of them are in the cloud's order: by name, whatever its case.
type field struct {
	name   string
	values []string
}

// lastValues is written as an object of strings, allValues as one of lists.
type (
	lastValues []field
	allValues  []field
)

func (l lastValues) MarshalJSON() ([]byte, error) {
	return object(l, func(f field) any { return f.values[len(f.values)-1] }), nil
}

func (l allValues) MarshalJSON() ([]byte, error) {
	return object(l, func(f field) any { return f.values }), nil
}

func object(l []field, value func(field) any) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range l {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encode(f.name))
		b.WriteByte(':')
		b.Write(encode(value(f)))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// encode writes JSON with <, > and & as they are.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // only what can be encoded comes here, and a bytes.Buffer takes everything
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sortFields(l []field) []field {
	slices.SortFunc(l, func(a, b field) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)), strings.Compare(a.name, b.name))
	})
	return l
}

// ownHeader says which headers an event does not have from the client: they have no place in it, the authorizer alone sees them, or
// the cloud words them itself.
func ownHeader(canonical string) bool {
	switch canonical {
	case "Connection", "Upgrade", "Content-Length", "Host", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Amzn-Trace-Id":
		return true
	}
	return false
}

// handshakeHeaders are the headers of a handshake as the integration sees them.
func handshakeHeaders(r *http.Request, sourceIP, trace string) []field {
	list := []field{
		{"Host", []string{r.Host}},
		{"X-Amzn-Trace-Id", []string{trace}},
		{"X-Forwarded-For", []string{strings.Join(append(slices.Clone(r.Header["X-Forwarded-For"]), sourceIP), ", ")}},
		{"X-Forwarded-Port", []string{"443"}}, // the client of a deployed function always comes by TLS
		{"X-Forwarded-Proto", []string{"https"}},
	}
	sent := gateway.SentNames(r)
	for name, values := range r.Header {
		if !ownHeader(name) {
			list = append(list, field{cmp.Or(sent[name], spelled(name)), values})
		}
	}
	return sortFields(list)
}

// authorizerHeaders are what the authorizer sees: also those that the integration is not told.
func authorizerHeaders(r *http.Request, integration []field) []field {
	return sortFields(append(slices.Clone(integration),
		field{"Connection", []string{"upgrade"}}, field{"content-length", []string{"0"}}, field{"Upgrade", []string{r.Header.Get("Upgrade")}}))
}

// disconnectHeaders are all that a $disconnect event tells of headers.
func disconnectHeaders(host string) []field {
	return []field{{"Host", []string{host}}, {"x-api-key", []string{""}}, {"X-Forwarded-For", []string{""}}, {"x-restapi", []string{""}}}
}

// spelled undoes net/http's spelling for the headers of the handshake, which clients write as the RFC does, for listeners that do not
// keep what was sent.
func spelled(name string) string {
	if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
		return "Sec-WebSocket-" + rest
	}
	return name
}

// queryFields are the parameters of a query string; what is malformed in it is left out.
func queryFields(query string) []field {
	values, _ := url.ParseQuery(query) // the well-formed ones are there in spite of the error
	list := make([]field, 0, len(values))
	for name, v := range values {
		list = append(list, field{name, v})
	}
	return sortFields(list)
}

// last returns the last value of a field, by a name in any case if fold is set.
func last(l []field, name string, fold bool) string {
	for _, f := range l {
		if f.name == name || fold && strings.EqualFold(f.name, name) {
			return f.values[len(f.values)-1]
		}
	}
	return ""
}
