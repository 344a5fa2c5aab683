package yandex

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// readAnswer reads what a function returns as the HTTP answer that it stands for. The error is a *failure: 502, with what the function
// returned. A gateway passes more headers on than the functions' own host.
func readAnswer(payload []byte, gateway bool) (answer, error) {
	malformed := func(what string) (answer, error) {
		text := "Malformed serverless function response: " + what
		return answer{}, &failure{status: http.StatusBadGateway, kind: proxyError, text: text, user: true, body: encodeJSON(map[string]string{
			"errorMessage": text, "errorType": proxyError, "payload": string(payload),
		})}
	}
	if !json.Valid(payload) {
		return malformed("not a valid json")
	}
	var told *struct {
		StatusCode        *int                `json:"statusCode"`
		Headers           map[string]string   `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
		Body              string              `json:"body"`
		IsBase64Encoded   bool                `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(payload, &told); err != nil {
		var wrong *json.UnmarshalTypeError
		if !errors.As(err, &wrong) {
			return malformed(err.Error())
		}
		return malformed(fmt.Sprintf("got a JSON %s as %s", wrong.Value, cmp.Or(wrong.Field, "the whole, want an object")))
	}
	if told == nil {
		return malformed("got null, want an object")
	}
	a := answer{status: http.StatusOK, header: make(http.Header), body: []byte(told.Body)}
	if told.StatusCode != nil {
		a.status = *told.StatusCode
	}
	if a.status < 200 || a.status > 599 {
		return malformed(fmt.Sprintf("got the statusCode %d, want 200 to 599", a.status))
	}
	if told.IsBase64Encoded {
		var err error
		if a.body, err = base64.StdEncoding.DecodeString(told.Body); err != nil {
			return malformed("the body is not base64: " + err.Error())
		}
	}
	for name, value := range told.Headers {
		a.header.Set(name, value)
	}
	for name, values := range told.MultiValueHeaders { // they win
		a.header[http.CanonicalHeaderKey(name)] = values
	}
	if name := a.filter(gateway); name != "" {
		return malformed("the header " + name + " is not allowed")
	}
	if len(a.body) > 0 && a.header.Get("Content-Type") == "" {
		a.header.Set("Content-Type", http.DetectContentType(a.body))
	}
	return a, nil
}

// filter takes out and renames what functions and containers may not say; it names a header that makes the whole answer wrong.
// Gateways have passed Via and Www-Authenticate on since March 2024.
func (a answer) filter(gateway bool) (forbidden string) {
	for _, name := range []string{"Proxy-Authenticate", "Transfer-Encoding", "Via"} {
		if a.header[name] != nil && !(gateway && name == "Via") {
			return name
		}
	}
	for _, name := range []string{"Host", "Authorization", "User-Agent", "Connection", "Max-Forwards", "Cookie", "X-Request-Id",
		"X-Function-Id", "X-Function-Version-Id", "X-Content-Type-Options", "Content-Length"} {
		a.header.Del(name)
	}
	for _, name := range []string{"Content-Md5", "Date", "Server", "Www-Authenticate"} {
		if values := a.header[name]; values != nil && !(gateway && name == "Www-Authenticate") {
			a.header["X-Yf-Remapped-"+name] = values
			a.header.Del(name)
		}
	}
	return ""
}

// passable takes from a request's headers what does not reach a function that is called directly, nor a container.
func passable(h http.Header) http.Header {
	out := h.Clone()
	for _, name := range []string{"Expect", "Te", "Trailer", "Upgrade", "Proxy-Authenticate", "Authorization", "Connection", "Content-Md5",
		"Max-Forwards", "Server", "Transfer-Encoding", "Www-Authenticate", "Cookie"} {
		out.Del(name)
	}
	return out
}
