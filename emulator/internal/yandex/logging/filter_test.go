package logging_test

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex/logging"
)

func entry() logging.Entry {
	return logging.Entry{
		ResourceType: "serverless.function", ResourceID: "d4e1", StreamName: "input", Time: time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC), Level: "WARN",
		Message: `Hello World: "dialing" failed`,
		Payload: map[string]any{"code": 502, "took": 0.25, "flag": true, "none": nil, "request_id": "145", "path": "/ws",
			"deep": map[string]any{"list": []any{"Needle", 7.0}, "a-b": "c"}},
	}
}

func TestFilters(t *testing.T) {
	for filter, want := range map[string]bool{
		`hello`:                                   true,
		`"Hello World"`:                           true,
		`nobody hello`:                            true,
		`nobody "no one"`:                         false,
		`message: hello`:                          true,
		`message:! hello`:                         false,
		`message:!Hello`:                          true,
		`message: "\"dialing\""`:                  true,
		`message: '"dialing"'`:                    true,
		`message: nobody hello AND level=WARN`:    true,
		`resource_type = "serverless.function"`:   true,
		`resource_type: function`:                 true,
		`resource_id = d4e1`:                      true,
		`resource_id <> d4e1`:                     false,
		`stream_name = input`:                     true,
		`stream_name != input`:                    false,
		`level = WARN`:                            true,
		`level >= INFO`:                           true,
		`level > warn`:                            false,
		`level < ERROR`:                           true,
		`level: ERROR WARN`:                       true,
		`timestamp >= "2025-03-04T05:06:07Z"`:     true,
		`timestamp < "2025-03-04T08:06:07+03:00"`: false,
		`timestamp = 1741064767`:                  true,
		`ingested_at > 1741064767`:                true,
		`saved_at <= 1741064767`:                  false,
		`json_payload: needle`:                    true,
		`json_payload:! needle`:                   false,
		`json_payload: 502`:                       true,
		`json_payload: list`:                      false, // a name, not a value
		`json_payload.code = 502`:                 true,
		`json_payload.code >= 500 AND code < 503`: true,
		`code = "502"`:                            true,
		`code = x`:                                false,
		`code: 50`:                                true,
		`took < 0.3`:                              true,
		`took > 1e-3`:                             true,
		`flag = TRUE`:                             true,
		`flag = false`:                            false,
		`flag <> FALSE`:                           true,
		`path = /ws`:                              true,
		`path = TRUE`:                             false,
		`none = x`:                                false,
		`deep = x`:                                false,
		`deep: needle`:                            true,
		`deep.list: needle`:                       true,
		`deep.a-b = c`:                            true,
		`deep.missing <> c`:                       false,
		`code.deeper = 1`:                         false,
		`code EXISTS`:                             true,
		`none EXISTS`:                             true,
		`json_payload.missing EXISTS`:             false,
		`NOT missing EXISTS`:                      true,
		`request_id = "145"`:                      true,
		`request_id <= "145"`:                     true,
		`level=ERROR OR code=502 AND flag=FALSE`:  false, // AND binds first
		`(level=WARN OR code=1) AND flag=TRUE`:    true,
		`NOT level=ERROR AND hello`:               true, // NOT binds before it
		`NOT (level=WARN AND hello)`:              false,
		`not not hello and hello or nobody`:       true,
		"level\n=\tWARN":                          true,
	} {
		t.Run(filter, func(t *testing.T) {
			is := is.New(t)
			got, err := logging.Passes(filter, entry())
			is.NoErr(err)
			is.Equal(got, want)
		})
	}
}

func TestFiltersThatAreNone(t *testing.T) {
	for filter, want := range map[string]string{
		``:                       `got the end at character 1, want a condition, such as message: "text" or json_payload.code >= 500`,
		`hello level = WARN`:     `got "level" at character 7, want AND, OR or the end`,
		`привет AND`:             `got the end at character 11, want a condition, such as message: "text" or json_payload.code >= 500`,
		`level = LOUD`:           `got "LOUD" at character 9, want one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL`,
		`level: INFO LOUD`:       `got "LOUD" at character 13, want one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL`,
		`timestamp > yesterday`:  `got "yesterday" at character 13, want a time such as "2025-01-02T15:04:05Z", or seconds since 1970`,
		`timestamp: 5`:           `got timestamp with : at character 1, want a comparison, such as timestamp >= "2025-01-02T15:04:05Z"`,
		`message: "no end`:       `got a quote at character 10 that does not end, want " at its end`,
		`(hello`:                 `got the end at character 7, want )`,
		`hello)`:                 `got ")" at character 6, want AND, OR or the end`,
		`code >`:                 `got the end at character 7, want a value`,
		`code = = 5`:             `got "=" at character 8, want a value`,
		`code ! 5`:               `got "!" at character 6, want one of :, :!, =, <>, <, <=, >, >=, EXISTS`,
		`= 5`:                    `got "=" at character 1, want a condition, such as message: "text" or json_payload.code >= 500`,
		`OR x`:                   `got "OR" at character 1, want a condition, such as message: "text" or json_payload.code >= 500`,
		`a..b = 5`:               `got "a..b" at character 1, want a parameter, or a path of names with a point between them`,
		`json_payload = 5`:       `got json_payload with = at character 1, want an element of it, such as json_payload.code, or json_payload: "text"`,
		`json_payload EXISTS`:    `got json_payload EXISTS at character 1, want an element of the payload, such as json_payload.code`,
		`"a" = 5`:                `got "=" at character 5, want AND, OR or the end`,
		strings.Repeat("(", 100): `got "(" at character 52, want at most 50 parentheses and NOTs in one another`,
	} {
		t.Run(filter, func(t *testing.T) {
			is := is.New(t)
			_, err := logging.Passes(filter, entry())
			is.True(err != nil)
			is.Equal(err.Error(), want)
		})
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{`message: warning "error dialing"`, `NOT (level >= WARN OR json_payload.a.b EXISTS) AND x <> 'y\''`, `timestamp < 5`, `a:!b c "d"`, `((`, `"`, `\`, `ж = 1`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		got, err := logging.Passes(filter, entry())
		if err != nil {
			if !strings.Contains(err.Error(), "at character ") {
				t.Fatalf("the error does not say where: %v", err)
			}
			return
		}
		not, err := logging.Passes("NOT ("+filter+")", entry())
		if err != nil || not == got {
			t.Fatalf("got %v, and of its opposite %v, %v", got, not, err)
		}
	})
}
