package yandex_test

import (
	"testing"

	"github.com/matryer/is"

	words "github.com/regcast/regcast/events/yandex"
)

// A filter says which part of it said no, and what that part saw.
func TestAFilterSaysWhatItSaw(t *testing.T) {
	for name, tc := range map[string]struct{ filter, want string }{
		"a comparison":          {`.details.tag == "22.04"`, `filter.jq: want .details.tag == "22.04", got false (.details.tag is "v1")`},
		"the second of two":     {`.details.tag != null and .details.tag != "v1"`, `filter.jq: want .details.tag != "v1", got false (.details.tag is "v1")`},
		"in parentheses":        {`((.details.tag == "v1") and (.details.registry_id == "crp1" and true))`, `filter.jq: want .details.registry_id == "crp1", got false (.details.registry_id is "crpmine")`},
		"a field that is not":   {`.details.name == "x"`, `filter.jq: want .details.name == "x", got false (.details.name is null)`},
		"a call":                {`.details.repository_name | startswith("crp1")`, `filter.jq: want .details.repository_name | startswith("crp1"), got false`},
		"either":                {`.details.tag == "a" or .details.tag == "b"`, `filter.jq: want .details.tag == "a" or .details.tag == "b", got false`},
		"a variable":            {`"v2" as $want | .details.tag == $want and true`, `filter.jq: want "v2" as $want | .details.tag == $want and true, got false`},
		"a function of its own": {`def is($t): .details.tag == $t; is("v2")`, `filter.jq: want def is($t): .details.tag == $t; is("v2"), got false`},
		"null":                  {`.details.name`, `filter.jq: want .details.name, got null`},
		"nothing":               {`select(.details.tag == "v2")`, `filter.jq: want select(.details.tag == "v2"), got no output`},
		"the batch":             {`.messages[0].details.tag == "v1"`, `filter.jq: want .messages[0].details.tag == "v1", got false (a filter is given one message, not {"messages": […]})`},
		"each of the batch":     {`.messages[].details.tag == "v1"`, `filter.jq: want .messages[].details.tag == "v1", got an error (a filter is given one message, not {"messages": […]})`},
		"an error":              {`.details.tag > 1 and (.details.tag + 1) == 2`, `filter.jq: want (.details.tag + 1) == 2, got an error (cannot add: string ("v1") and number (1))`},
		"an error before and":   {`error("no") and true`, `filter.jq: want error("no"), got an error (error: no)`},
		"it does not end":       {`def f: f; f`, `filter.jq: want def f: f; f, got an error (it does not end)`},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := build(t, roomsSpec)
			filter := "    filter:\n      jq: >-\n        " + tc.filter + "\n"
			action := h.compile(edit(t, v2YAML, "status: ACTIVE", filter)).Actions[0]
			miss := action.Keep(word(t, words.Wording{}, attached("crpmine", "ubuntu", "v1")))
			is.True(miss != nil)
			is.Equal(miss.String(), tc.want)
			is.Equal(miss.Doc, "docs/FIDELITY.md#v2 `filter.jq`")
		})
	}
}
