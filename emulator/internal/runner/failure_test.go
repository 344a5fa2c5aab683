package runner_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// failed decodes the payload of a function error.
func (h *house) failed(r runner.Response) (kind, message string) {
	h.t.Helper()
	h.is.Equal(r.FunctionError, "Unhandled")
	var document struct{ ErrorType, ErrorMessage string }
	h.is.NoErr(json.Unmarshal(r.Payload, &document))
	return document.ErrorType, strings.ReplaceAll(document.ErrorMessage, r.ID, "ID")
}

// Every way in which a process does not answer, and what the caller gets.
func TestFailures(t *testing.T) {
	for _, test := range []struct {
		program, payload string
		kind, message    string
		log              string // a line that there is
		starts           int    // how often the process was started
		again            bool   // the process lives on
	}{
		{"fail", `1`, "badOrder", "no order 7", "END RequestId", 1, true},
		{"panic", `1`, "string", "out of cheese", "END RequestId", 1, false},
		{"exit", `1`, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 1", "Status: error\tError Type: Runtime.ExitError", 1, false},
		{"exit", `0`, "Runtime.ExitError", "RequestId: ID Error: Runtime exited without providing a reason", "Runtime.ExitError", 1, false},
		{"signal", `1`, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: signal: killed", "Runtime.ExitError", 1, false},
		{"init exit", `1`, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 3",
			"Phase: init\tStatus: error\tError Type: Runtime.ExitError", 2, false},
		{"init silent exit", `1`, "Runtime.ExitError", "RequestId: ID Error: Runtime exited without providing a reason", "Phase: invoke\tStatus: error", 2, false},
		{"init error", `1`, "Runtime.ImportModuleError", "no module app", "Phase: init\tStatus: error\tError Type: Runtime.ImportModuleError", 2, false},
		{"extension exits", `1`, "Extension.ExitError", "RequestId: ID Error: extension frail: Frail.Broke", "Error Type: Extension.ExitError", 1, false},
		{"big", `6291557`, "Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (6291556 bytes).", "END RequestId", 1, false},
		{"cut", `1`, "badOrder", "no order 8", "END RequestId", 1, true},
		{"partial chunk", `1`, "Runtime.TruncatedResponse", "RequestId: ID Error: Response was cut off", "END RequestId", 1, true},
		{"short body", `1`, "Runtime.TruncatedResponse", "RequestId: ID Error: Response was cut off", "END RequestId", 1, false},
		{"odd mode", `1`, "Runtime.InvalidResponseModeHeader", "RequestId: ID Error: response mode telepathy", `POST /invocation/ID/response 400 {"errorMessage":"Invalid function response mode","errorType":"InvalidFunctionResponseMode"}`, 1, true},
	} {
		t.Run(test.program+" "+test.payload, func(t *testing.T) {
			h := open(t)
			h.set(test.program)
			response, err := h.Invoke(t.Context(), test.program, runner.Request{Payload: []byte(test.payload), Tail: true})
			h.is.NoErr(err)
			kind, message := h.failed(response)
			h.is.Equal(kind, test.kind)
			h.is.Equal(message, test.message)
			h.log.wait(strings.ReplaceAll(test.log, "ID/", response.ID+"/"))
			h.is.Equal(h.info(test.program).Errors, uint64(1))
			h.is.Equal(h.info(test.program).InFlight, 0)
			if test.starts == 2 {
				h.is.Equal(response.Init, time.Duration(0)) // the init was on the invocation's time
			}
			next := h.invoking(test.program, test.payload)
			h.log.wait("START", 2)
			switch test.program {
			case "partial chunk", "odd mode": // these ask once more and no further
				h.clock.Advance(3 * time.Second)
			}
			h.is.Equal((<-next).Init == 0, test.again || test.starts == 2)
		})
	}
}

func TestATimeout(t *testing.T) {
	h := open(t)
	h.set("hang", func(f *runner.Function) { f.Timeout = 1500 * time.Millisecond })
	h.invoke("hang", `"warm up"`)
	h.log.wait("REPORT") // it is free, if not idle yet
	hanging := h.invoking("hang", `"hang"`)
	var pid int
	_, err := fmt.Sscanf(h.log.wait("hanging"), "hanging %d", &pid)
	h.is.NoErr(err)
	h.clock.Advance(1500 * time.Millisecond)
	response := <-hanging
	kind, message := h.failed(response)
	h.is.Equal(kind, "Sandbox.Timedout")
	h.is.Equal(message, "RequestId: ID Error: Task timed out after 1.50 seconds")
	h.is.Equal(response.Duration, 1500*time.Millisecond)
	h.log.wait(response.ID + " Task timed out after 1.50 seconds")
	h.log.wait("Duration: 1500.00 ms\tBilled Duration: 1500 ms\tMemory Size: 128 MB\t")
	h.is.True(!lives(pid)) // killed, not asked
	after := h.invoke("hang", `"x"`)
	h.is.Equal(string(after.Payload), `"x"`)
	h.is.True(after.Init > 0)
}

func TestAnInitThatHangs(t *testing.T) {
	h := open(t)
	h.set("init hang")
	hanging := h.invoking("init hang", `1`)
	h.log.wait("thinking")
	h.clock.Advance(10 * time.Second)
	h.log.wait("INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout")
	h.log.wait("thinking", 2) // once more, on the invocation's time
	h.clock.Advance(3 * time.Second)
	kind, message := h.failed(<-hanging)
	h.is.Equal(kind, "Sandbox.Timedout")
	h.is.Equal(message, "RequestId: ID Error: Task timed out after 3.00 seconds")
}

func TestAnInitThatHangsOnce(t *testing.T) {
	h := open(t)
	h.set("init slow once")
	slow := h.invoking("init slow once", `"x"`)
	h.log.wait("thinking")
	h.clock.Advance(10 * time.Second)
	response := <-slow
	h.is.Equal(string(response.Payload), `"x"`)
	h.is.Equal(response.Init, time.Duration(0)) // the init was part of the duration
	h.log.wait("REPORT")
	h.is.Equal(string(h.invoke("init slow once", `"y"`).Payload), `"y"`)
}

func TestWhatIsLeftInTmp(t *testing.T) {
	dir := t.TempDir()
	h := open(t, func(o *runner.Options) { o.Dir = dir })
	h.set("tmp")
	h.is.Equal(string(h.invoke("tmp", `1`).Payload), "0")
	h.log.wait("REPORT")
	h.is.Equal(string(h.invoke("tmp", `1`).Payload), "1") // a warm environment keeps it
	h.log.wait("REPORT", 2)
	h.invoke("tmp", `"exit"`)
	h.is.Equal(string(h.invoke("tmp", `1`).Payload), "3") // and so does one after a crash
	h.is.NoErr(h.Close(t.Context()))
	left, err := os.ReadDir(filepath.Join(dir, "tmp", "tmp")) // an end in peace takes it along
	h.is.NoErr(err)
	h.is.Equal(len(left), 0)
}

func TestAResponseOfTheLimit(t *testing.T) {
	h := open(t)
	h.set("big")
	h.is.Equal(len(h.invoke("big", `6291556`).Payload), runner.MaxResponse)
}

func TestAStream(t *testing.T) {
	h := open(t)
	h.set("streaming")
	whole := h.invoke("streaming", `1`)
	h.is.Equal(string(whole.Payload), "one two")
	h.is.Equal(whole.FunctionError, "")
	kind, message := h.failed(h.invoke("streaming", `"fail"`))
	h.is.Equal(kind, "Runtime.StreamError")
	h.is.Equal(message, "")
}

// A runtime that does not keep to the protocol is told so, and the caller gets what it answered first.
func TestRudeRuntimes(t *testing.T) {
	const forbidden = `403 {"errorMessage":"State transition from %s to %s failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}`
	for program, want := range map[string][]string{
		"respond twice": {
			`POST /invocation/ID/response 202 {"status":"OK"}`,
			"POST /invocation/ID/response " + fmt.Sprintf(forbidden, "ResponseSent", "InvocationResponse"),
			"POST /invocation/ID/error " + fmt.Sprintf(forbidden, "ResponseSent", "InvocationErrorResponse"),
			"POST /init/error " + fmt.Sprintf(forbidden, "ResponseSent", "InitError"),
		},
		"wrong id":   {`POST /invocation/00000000-0000-4000-8000-000000000000/response 400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`},
		"next twice": {"NEXT " + fmt.Sprintf(forbidden, "Running", "Ready")},
		"garbage":    {"RAW HTTP/1.1 400 Bad Request", "UNKNOWN 404", "PING 200 pong", `POST /invocation/ID/response 202 {"status":"OK"}`},
	} {
		t.Run(program, func(t *testing.T) {
			h := open(t)
			h.set(program)
			response := h.invoke(program, `"x"`)
			h.is.Equal(response.FunctionError, "")
			if program == "garbage" {
				h.is.Equal(string(response.Payload), "not JSON at all \xff")
			} else {
				h.is.Equal(string(response.Payload), `"x"`)
			}
			for _, line := range want {
				h.log.wait(strings.ReplaceAll(line, "ID/", response.ID+"/"))
			}
		})
	}
}

func TestAnOldRequestIsRefused(t *testing.T) {
	h := open(t)
	h.set("old id")
	h.invoke("old id", `1`)
	h.is.Equal(string(h.invoke("old id", `2`).Payload), `2`)
	h.log.wait("InvalidRequestID")
}

// The caller has its answer; what the environment does with itself afterwards is its own affair, until its time is up.
func TestAfterTheAnswer(t *testing.T) {
	h := open(t)
	h.set("never next")
	h.is.Equal(string(h.invoke("never next", `1`).Payload), `"last words"`)
	h.log.wait("sulking")
	h.is.Equal(string(h.invoke("never next", `1`).Payload), `"last words"`) // of another process: this one is busy
	h.clock.Advance(3 * time.Second)
	h.log.wait("Status: timeout", 2)
	h.set("exit after answer")
	h.is.Equal(string(h.invoke("exit after answer", `1`).Payload), `"last words"`)
	again := h.invoke("exit after answer", `1`)
	h.is.Equal(string(again.Payload), `"last words"`)
	h.is.True(again.Init > 0)
	h.is.Equal(h.info("exit after answer").Errors, uint64(0))
}

func TestNoEntryPoint(t *testing.T) {
	h := open(t)
	script := t.TempDir() + "/bootstrap"
	h.is.NoErr(os.WriteFile(script, []byte("#!/bin/sh\nexit 0\n"), 0o700))
	h.set("gone", func(f *runner.Function) { f.Executables = []string{script} })
	h.is.NoErr(os.Remove(script))
	kind, message := h.failed(h.invoke("gone", `1`))
	h.is.Equal(kind, "Runtime.InvalidEntrypoint")
	h.is.True(strings.Contains(message, "no such file")) // and which
	h.is.True(strings.Contains(message, script))
}

func TestExtensions(t *testing.T) {
	h := open(t)
	h.set("extension")
	h.is.Equal(string(h.invoke("extension", `"x"`).Payload), `"x"`)
	h.log.wait("EVENT INVOKE")
	for _, line := range []string{
		`REGISTER 200 {"accountId":"000000000000","functionName":"extension","functionVersion":"$LATEST","handler":"extension"}`,
		`REFUSED 403 {"errorMessage":"Empty extension name","errorType":"Extension.InvalidExtensionName"}`,
		`REFUSED 403 {"errorMessage":"Extension with this name already registered","errorType":"Extension.InvalidExtensionState"}`,
		`"errorType":"Extension.InvalidEventType"`, `"errorType":"InvalidRequestFormat"`,
		`"errorType":"Extension.MissingExtensionIdentifier"`, `"errorType":"Extension.MissingHeader"`,
		`SUBSCRIBE 202 {"errorMessage":"Logs API is not supported","errorType":"Logs.NotSupported"}`,
		`SUBSCRIBE 202 {"errorMessage":"Telemetry API is not supported","errorType":"Telemetry.NotSupported"}`,
		`LATE 403 {"errorMessage":"Extension registration closed already","errorType":"Extension.RegistrationClosed"}`,
	} {
		h.log.wait(line)
	}
	h.log.wait("REPORT") // both ask for the next
	h.is.NoErr(h.Close(t.Context()))
	h.log.wait("EVENT SHUTDOWN spindown")
}

func TestAnExtensionHoldsTheEnvironment(t *testing.T) {
	h := open(t)
	enough, err := net.Listen("tcp", "127.0.0.1:0")
	h.is.NoErr(err)
	defer enough.Close()
	h.set("slow extension", func(f *runner.Function) { f.Env["ENOUGH"] = enough.Addr().String() })
	h.is.Equal(string(h.invoke("slow extension", `1`).Payload), `1`) // the caller does not wait for extensions
	h.log.wait("extension at work")
	c, err := enough.Accept()
	h.is.NoErr(err)
	h.is.Equal(h.log.count("REPORT"), 0)
	h.is.Equal(h.info("slow extension").InFlight, 1)
	h.is.NoErr(c.Close())
	h.log.wait("REPORT")
	h.is.Equal(string(h.invoke("slow extension", `2`).Payload), `2`)
	c, err = enough.Accept() // it is told of every invocation
	h.is.NoErr(err)
	h.is.NoErr(c.Close())
	h.log.wait("REPORT", 2)
}

func TestSIGTERMWithoutAnEnd(t *testing.T) {
	h := open(t)
	h.set("stubborn")
	h.invoke("stubborn", `1`)
	h.log.wait("REPORT")
	began := time.Now()
	h.is.NoErr(h.Close(t.Context()))
	took := time.Since(began)
	h.log.wait("asked to end, and will not")
	h.is.True(took >= 500*time.Millisecond && took < 2*time.Second) // then SIGKILL
}

func TestNoSIGTERMForWhoDidNotAsk(t *testing.T) {
	h := open(t)
	h.set("unasked")
	h.invoke("unasked", `1`)
	h.is.NoErr(h.Close(t.Context()))
	h.is.Equal(h.log.count("SIGTERM"), 0)
}
