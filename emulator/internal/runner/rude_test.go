package runner_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/aws/aws-lambda-go/lambda"
)

const base = "/2018-06-01"

func api() string { return os.Getenv("AWS_LAMBDA_RUNTIME_API") }

func next() (id string, payload []byte) {
	r, err := http.Get("http://" + api() + base + "/runtime/invocation/next")
	must(err)
	defer r.Body.Close()
	payload, err = io.ReadAll(r.Body)
	must(err)
	if r.StatusCode != http.StatusOK {
		must(errors.New(r.Status))
	}
	return r.Header.Get("Lambda-Runtime-Aws-Request-Id"), payload
}

// do sends one request and prints what came back.
func do(method, path string, header map[string]string, body string) (status int, answer string, h http.Header) {
	r, err := http.NewRequest(method, "http://"+api()+path, strings.NewReader(body))
	must(err)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w, err := http.DefaultClient.Do(r)
	must(err)
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	must(err)
	return w.StatusCode, strings.TrimSpace(string(b)), w.Header
}

func post(path string, header map[string]string, body string) {
	status, answer, _ := do("POST", base+path, header, body)
	fmt.Println("POST", strings.TrimPrefix(path, "/runtime"), status, answer)
}

func respond(id, body string) { post("/runtime/invocation/"+id+"/response", nil, body) }

// raw writes bytes to the API and returns the first line of what it answers.
func raw(text string) string {
	c, err := net.Dial("tcp", api())
	must(err)
	defer c.Close()
	_, err = io.WriteString(c, text)
	must(err)
	must(c.(*net.TCPConn).CloseWrite())
	b, _ := io.ReadAll(c) // a reset is an answer too
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	return string(line)
}

// rude speaks the API itself, and wrongly.
func rude(name string) {
	switch name {
	case "respond twice":
		for {
			id, payload := next()
			respond(id, string(payload))
			respond(id, `"again"`)
			post("/runtime/invocation/"+id+"/error", nil, `{}`)
			post("/runtime/init/error", nil, `{}`)
		}
	case "wrong id":
		for {
			id, payload := next()
			respond("00000000-0000-4000-8000-000000000000", string(payload))
			respond(id, string(payload))
		}
	case "next twice":
		id, payload := next()
		status, answer, _ := do("GET", base+"/runtime/invocation/next", nil, "")
		fmt.Println("NEXT", status, answer)
		respond(id, string(payload))
		next()
	case "old id":
		old := ""
		for {
			id, payload := next()
			if old != "" {
				respond(old, `"of before"`)
			}
			respond(id, string(payload))
			old = id
		}
	case "garbage":
		fmt.Println("RAW", raw("\x16\x03\x01 this is not HTTP\r\n\r\n"))
		status, _, _ := do("GET", base+"/runtime/unknown", nil, "")
		fmt.Println("UNKNOWN", status)
		status, answer, _ := do("GET", base+"/ping", nil, "")
		fmt.Println("PING", status, answer)
		for {
			id, _ := next()
			respond(id, "not JSON at all \xff")
		}
	case "partial chunk":
		id, _ := next()
		raw("POST " + base + "/runtime/invocation/" + id + "/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nonly a part")
		next()
	case "short body":
		id, _ := next()
		raw("POST " + base + "/runtime/invocation/" + id + "/response HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly a part")
		os.Exit(0)
	case "odd mode":
		id, _ := next()
		post("/runtime/invocation/"+id+"/response", map[string]string{"Lambda-Runtime-Function-Response-Mode": "telepathy"}, "{}")
		next()
	case "streaming": // with trailers, as the payload says
		for {
			id, payload := next()
			r, err := http.NewRequest("POST", "http://"+api()+base+"/runtime/invocation/"+id+"/response", io.MultiReader(strings.NewReader("one "), strings.NewReader("two")))
			must(err)
			r.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
			r.Trailer = http.Header{"Lambda-Runtime-Function-Error-Type": nil, "Lambda-Runtime-Function-Error-Body": nil}
			if string(payload) == `"fail"` {
				r.Trailer.Set("Lambda-Runtime-Function-Error-Type", "Runtime.StreamError")
			}
			w, err := http.DefaultClient.Do(r)
			must(err)
			w.Body.Close()
		}
	case "never next": // answers, then does nothing
		id, _ := next()
		respond(id, `"last words"`)
		fmt.Println("sulking")
		forever()
	case "exit after answer":
		id, _ := next()
		respond(id, `"last words"`)
	case "slow extension": // works on behind the answer until the test says enough
		_, _, h := do("POST", "/2020-01-01/extension/register", map[string]string{"Lambda-Extension-Name": "slow"}, `{"events":["INVOKE"]}`)
		id := map[string]string{"Lambda-Extension-Identifier": h.Get("Lambda-Extension-Identifier")}
		go lambda.Start(handler(echo))
		for {
			do("GET", "/2020-01-01/extension/event/next", id, "")
			fmt.Println("extension at work")
			c, err := net.Dial("tcp", os.Getenv("ENOUGH"))
			must(err)
			_, _ = io.ReadAll(c) // until the test closes
			_ = c.Close()
		}
	case "extension exits":
		_, _, h := do("POST", "/2020-01-01/extension/register", map[string]string{"Lambda-Extension-Name": "frail"}, `{"events":["INVOKE"]}`)
		id := map[string]string{"Lambda-Extension-Identifier": h.Get("Lambda-Extension-Identifier"), "Lambda-Extension-Function-Error-Type": "Frail.Broke"}
		go next() // and answers nothing
		do("GET", "/2020-01-01/extension/event/next", id, "")
		status, answer, _ := do("POST", "/2020-01-01/extension/exit/error", id, "")
		fmt.Println("EXIT", status, answer)
		forever()
	case "extension":
		extension()
	default:
		must(fmt.Errorf("no program %q", name))
	}
}

// extension is a function that is its own extension, for both kinds of event.
func extension() {
	register := func(name, body string) (int, string, http.Header) {
		return do("POST", "/2020-01-01/extension/register", map[string]string{"Lambda-Extension-Name": name, "Lambda-Extension-Accept-Feature": "accountId"}, body)
	}
	status, answer, h := register("watcher", `{"events":["INVOKE","SHUTDOWN"]}`)
	fmt.Println("REGISTER", status, answer)
	for name, body := range map[string]string{"": `{}`, "watcher": `{}`, "odd": `{"events":["RESTORE"]}`, "bad": `[`} {
		status, answer, _ := register(name, body)
		fmt.Println("REFUSED", status, answer)
	}
	id := map[string]string{"Lambda-Extension-Identifier": h.Get("Lambda-Extension-Identifier")}
	for path, header := range map[string]map[string]string{"event/next": nil, "exit/error": id} {
		method := "POST"
		if path == "event/next" {
			method = "GET"
		}
		status, answer, _ := do(method, "/2020-01-01/extension/"+path, header, "")
		fmt.Println("REFUSED", status, answer)
	}
	for _, path := range []string{"/2020-08-15/logs", "/2022-07-01/telemetry"} {
		status, answer, _ := do("PUT", path, id, `{}`)
		fmt.Println("SUBSCRIBE", status, answer)
	}
	ended := make(chan struct{})
	go func() {
		for {
			_, answer, _ := do("GET", "/2020-01-01/extension/event/next", id, "")
			var event struct{ EventType, RequestID, ShutdownReason string }
			must(json.Unmarshal([]byte(answer), &event))
			fmt.Println("EVENT", event.EventType, event.ShutdownReason)
			if event.EventType == "SHUTDOWN" {
				close(ended)
				return
			}
		}
	}()
	go func() {
		for {
			id, payload := next()
			respond(id, string(payload))
			status, answer, _ := register("late", `{"events":[]}`)
			fmt.Println("LATE", status, answer)
		}
	}()
	signal.Ignore(syscall.SIGTERM)
	<-ended
}
