package fault_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/fault"
)

// What goes together, in full: everything else is refused, and the error says what would be taken.
func TestCombinations(t *testing.T) {
	want := map[fault.Step]string{
		fault.Registry:   "drop delay error",
		fault.Publish:    "drop delay duplicate reorder",
		fault.Match:      "drop delay duplicate reorder",
		fault.Invoke:     "delay duplicate reorder error crash",
		fault.API:        "drop delay duplicate reorder error",
		fault.Send:       "drop delay duplicate reorder error torn slow close",
		fault.Connection: "drop delay error torn slow close late-disconnect",
	}
	all := []fault.Action{fault.Drop, fault.Delay, fault.Duplicate, fault.Reorder, fault.Error, fault.Torn, fault.Slow, fault.Close, fault.Crash,
		fault.LateDisconnect, "", "explode"}
	for step, actions := range want {
		for _, action := range all {
			f := fault.Fault{Step: step, Action: action}
			switch action {
			case fault.Delay, fault.LateDisconnect:
				f.Delay = time.Second
			case fault.Error:
				f.Code = "503"
			case fault.Close:
				f.Code = "1011"
			}
			err := f.Check()
			if slices.Contains(strings.Fields(actions), string(action)) {
				if err != nil {
					t.Errorf("%s %s: %v", step, action, err)
				}
				continue
			}
			if err == nil {
				t.Errorf("%s %s: is allowed", step, action)
				continue
			}
			for _, known := range strings.Fields(actions) {
				if !strings.Contains(err.Error(), known) {
					t.Errorf("%s %s: the error does not tell of %s: %v", step, action, known, err)
				}
			}
		}
	}
	is.New(t).Equal(len(fault.Steps()), len(want))
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault fault.Fault
		want  string // empty: all is well
	}{
		{"no step", fault.Fault{Action: fault.Drop}, `step: got "", want registry, publish, match, invoke, api, send or connection`},
		{"no action", fault.Fault{Step: fault.Publish}, `action: got "", want drop, delay, duplicate or reorder at the step publish`},
		{"a filter that the step has not", fault.Fault{Step: fault.Publish, Action: fault.Drop, Function: "f"},
			"function: the step publish has none; want repository, type or event"},
		{"no code", fault.Fault{Step: fault.Send, Action: fault.Error}, `code: got "", want 410, 429, 500 or 503 at the step send`},
		{"a code of another step", fault.Fault{Step: fault.Invoke, Action: fault.Error, Code: "410"},
			`code: got "410", want 429, 500, 502, 503 or timeout at the step invoke`},
		{"a code for nothing", fault.Fault{Step: fault.Send, Action: fault.Drop, Code: "410"}, `code: got "410", want none with the action drop`},
		{"a close code that may not be sent", fault.Fault{Step: fault.Send, Action: fault.Close, Code: "1006"},
			`code: got "1006", want 1000 to 1003, 1007 to 1014 or 3000 to 4999`},
		{"no delay", fault.Fault{Step: fault.Send, Action: fault.Delay}, "delay: got 0s, want more than 0, as 500ms or 2s"},
		{"a delay for nothing", fault.Fault{Step: fault.Send, Action: fault.Drop, Delay: time.Second},
			"delay: got 1s, want none with the action drop at the step send"},
		{"a share", fault.Fault{Step: fault.Send, Action: fault.Drop, Share: 1.5}, "share: got 1.5, want 0 to 1"},
		{"next", fault.Fault{Step: fault.Send, Action: fault.Drop, Next: -1}, "next: got -1, want 0 or more"},
		{"several", fault.Fault{Step: fault.Send, Action: fault.Drop, Share: -1, After: -1}, "share: got -1, want 0 to 1\nafter: got -1, want 0 or more"},
		{"reorder with a bound", fault.Fault{Step: fault.Send, Action: fault.Reorder, Delay: time.Minute}, ""},
		{"a connection that is cut later", fault.Fault{Step: fault.Connection, Action: fault.Drop, Delay: time.Minute}, ""},
		{"a timeout", fault.Fault{Step: fault.API, Action: fault.Error, Code: fault.Timeout}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			got := ""
			if err := tc.fault.Check(); err != nil {
				got = err.Error()
			}
			is.Equal(got, tc.want)
		})
	}
}

func TestRead(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"nothing", "", "faults.yaml:1: got no fault, want a list of them, as - {step: send, action: drop, next: 1}"},
		{"no YAML", "- step: send\n- {step: send", "faults.yaml:3: "},
		{"no fault", "- step: send\n  action: drop\n- 7", "faults.yaml:3: got no fault, want one as {step: send, action: drop, next: 1}"},
		{"an unknown field", "- step: send\n  acton: drop", `faults.yaml:2: got the field "acton", want action, after, `},
		{"a field twice", "- {step: send, action: drop}\n- step: send\n  step: match", "faults.yaml:3: "},
		{"a wrong value", "- step: send\n  action: drop\n  share: half", `faults.yaml:3: share: got "half", want 0 to 1`},
		{"a wrong time", "- step: send\n  action: delay\n  delay: 2", `faults.yaml:3: delay: got "2", want a time as 500ms or 2s`},
		{"a list", "- step: [send]", "faults.yaml:1: step: got a list or an object, want a value"},
		{"a wrong combination", "- step: send\n  path: /ws\n  action: crash", `faults.yaml:3: action: got "crash", want drop, delay, duplicate, reorder, error, torn, slow or close at the step send`},
		{"what is missing", "\n- step: send\n  action: delay", "faults.yaml:2: delay: got 0s, want more than 0"},
		{"two", "- {step: send}\n- {step: x}", "faults.yaml:2: step: got \"x\""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			_, err := fault.Read("faults.yaml", []byte(tc.file))
			is.True(err != nil)
			if !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestReadBothLanguages(t *testing.T) {
	is := is.New(t)
	want := []fault.Fault{
		{Step: fault.Send, Action: fault.Error, Code: "429", Path: "/ws", Share: 0.25, Seed: 3},
		{ID: "late", Step: fault.Connection, Action: fault.LateDisconnect, Delay: 5 * time.Second, After: 2, Next: 1},
	}
	for name, file := range map[string]string{
		"YAML": "# what the pager told\n- step: send\n  action: error\n  code: 429\n  path: /ws\n  share: 0.25\n  seed: 3\n" +
			"- {id: late, step: connection, action: late-disconnect, delay: 5s, after: 2, next: 1}\n",
		"JSON": `[{"step":"send","action":"error","code":429,"path":"/ws","share":0.25,"seed":3},
			{"id":"late","step":"connection","action":"late-disconnect","delay":"5s","after":2,"next":1}]`,
	} {
		got, err := fault.Read(name, []byte(file))
		is.NoErr(err)
		is.Equal(got, want)
	}
	one, err := fault.Read("one", []byte(`{"step":"send","action":"drop"}`))
	is.NoErr(err)
	is.Equal(one, []fault.Fault{{Step: fault.Send, Action: fault.Drop}})
}

// What is read without an error is what Add takes.
func FuzzRead(f *testing.F) {
	f.Add("- {step: send, action: drop, next: 1}")
	f.Add(`[{"step":"api","action":"error","code":"timeout","api":"dynamodb.*","share":0.5}]`)
	f.Add("step: connection\naction: late-disconnect\ndelay: 5s\n")
	f.Add("- &a {step: match, action: reorder}\n- *a")
	f.Fuzz(func(t *testing.T, file string) {
		faults, err := fault.Read("f", []byte(file))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("the error names no file: %v", err)
			}
			return
		}
		for _, one := range faults {
			if err := one.Check(); err != nil {
				t.Fatalf("%q was read and is refused: %v", file, err)
			}
		}
	})
}
