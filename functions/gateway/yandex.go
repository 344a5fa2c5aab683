package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
)

// YandexEndpoint is where ConnectionService is.
const YandexEndpoint = "https://apigateway-connections.api.cloud.yandex.net"

// Yandex posts through ConnectionService's REST API.
type Yandex struct {
	base      *url.URL
	token     func(context.Context) (string, error)
	transport http.RoundTripper
}

// YandexOptions say where and as whom to post.
type YandexOptions struct {
	Endpoint  string // empty: YandexEndpoint
	Token     func(context.Context) (string, error)
	Transport http.RoundTripper
}

// NewYandex makes a Yandex. It makes no request.
func NewYandex(o YandexOptions) (*Yandex, error) {
	if o.Endpoint == "" {
		o.Endpoint = YandexEndpoint
	}
	u, err := base(o.Endpoint)
	if err != nil {
		return nil, err
	}
	return &Yandex{u, o.Token, o.Transport}, nil
}

// Message makes text ready. It arrives in a text frame.
func (g *Yandex) Message(text []byte) Message {
	const head, tail = `{"type":"TEXT","data":"`, `"}`
	body := make([]byte, 0, len(head)+base64.StdEncoding.EncodedLen(len(text))+len(tail))
	body = append(body, head...)
	body = base64.StdEncoding.AppendEncode(body, text)
	return Message{body: append(body, tail...)}
}

// Post sends m to a connection.
func (g *Yandex) Post(ctx context.Context, connection string, m Message) error {
	token, err := g.token(ctx)
	if err != nil {
		return &Error{Text: err.Error(), Kind: ErrBusy}
	}
	r := &http.Request{Method: http.MethodPost, URL: under(g.base, "/apigateways/websocket/v1/connections/", connection, ":send"),
		Host: g.base.Host, Header: make(http.Header, 3), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	r.Header["Content-Type"] = []string{"application/json"}
	r.Header["Authorization"] = []string{"Bearer " + token}
	return post(ctx, g.transport, r, m.body, judgeYandex)
}

// judgeYandex reads the error body {"code","message","details"}; code is gRPC's number.
func judgeYandex(status int, _ http.Header, body []byte) error {
	const notFound = 5
	var said struct {
		Code    int
		Message string
	}
	_ = json.Unmarshal(body, &said) // no JSON, no message
	e := &Error{Status: status, Text: said.Message, Kind: kind(status)}
	// A 404 without the code is that of a wrong address, and would cost every connection its rows.
	if status == http.StatusNotFound && said.Code == notFound {
		e.Kind = ErrGone
	}
	return e
}
