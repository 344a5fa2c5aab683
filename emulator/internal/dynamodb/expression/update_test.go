package expression_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

const before = `{"a":{"N":"1"}, "b":{"S":"x"}, "l":{"L":[{"S":"0"},{"S":"1"},{"S":"2"}]}, "m":{"M":{"k":{"N":"5"},"xs":{"L":[{"N":"1"}]}}}, "ss":{"SS":["p","q"]}, "ns":{"NS":["1"]}}`

func TestUpdates(t *testing.T) {
	const values = `{":n":{"N":"2.5"}, ":s":{"S":"new"}, ":t":{"S":"newer"}, ":l":{"L":[{"S":"3"}]}, ":set":{"SS":["q","r"]}, ":p":{"SS":["p","q"]}, ":one":{"NS":["1"]}, ":two":{"NS":["1.0","2"]}}`
	for text, want := range map[string]string{ // the attributes that change; null: gone
		"SET c = :s":                                    `{"c":{"S":"new"}}`,
		"set a = a + :n, b = :s":                        `{"a":{"N":"3.5"},"b":{"S":"new"}}`,
		"SET a = :n - a, c = a":                         `{"a":{"N":"1.5"},"c":{"N":"1"}}`,
		"SET a = b, b = a":                              `{"a":{"S":"x"},"b":{"N":"1"}}`,
		"SET a = if_not_exists(a, :n)":                  `{}`,
		"SET c = if_not_exists(c, :n) + :n":             `{"c":{"N":"5"}}`,
		"SET c = if_not_exists(c, if_not_exists(d, a))": `{"c":{"N":"1"}}`,
		"SET l = list_append(l, :l)":                    `{"l":{"L":[{"S":"0"},{"S":"1"},{"S":"2"},{"S":"3"}]}}`,
		"SET l = list_append(:l, l)":                    `{"l":{"L":[{"S":"3"},{"S":"0"},{"S":"1"},{"S":"2"}]}}`,
		"SET l[1] = :s":                                 `{"l":{"L":[{"S":"0"},{"S":"new"},{"S":"2"}]}}`,
		"SET l[90] = :t, l[10] = :s":                    `{"l":{"L":[{"S":"0"},{"S":"1"},{"S":"2"},{"S":"new"},{"S":"newer"}]}}`,
		"REMOVE l[0], l[1]":                             `{"l":{"L":[{"S":"2"}]}}`,
		"REMOVE l[0] SET l[2] = :s, l[3] = :t":          `{"l":{"L":[{"S":"1"},{"S":"new"},{"S":"newer"}]}}`,
		"REMOVE l[7], c, m.c":                           `{}`,
		"REMOVE a, m.k":                                 `{"a":null,"m":{"M":{"xs":{"L":[{"N":"1"}]}}}}`,
		"SET m.xs[0] = :s, m.#x = :t":                   `{"m":{"M":{"xs":{"L":[{"S":"new"}]},"k":{"N":"5"},"x.y":{"S":"newer"}}}}`,
		"ADD a :n, c :n":                                `{"a":{"N":"3.5"},"c":{"N":"2.5"}}`,
		"ADD ss :set, c :set, ns :two":                  `{"ss":{"SS":["p","q","r"]},"c":{"SS":["q","r"]},"ns":{"NS":["1","2"]}}`,
		"ADD m.k :n":                                    `{"m":{"M":{"xs":{"L":[{"N":"1"}]},"k":{"N":"7.5"}}}}`,
		"DELETE ss :set":                                `{"ss":{"SS":["p"]}}`,
		"DELETE ss :p, ns :one, c :p":                   `{"ss":null,"ns":null}`,
		"SET c = (a + :n)":                              `{"c":{"N":"3.5"}}`,
		"SET c = :s REMOVE b ADD a :n DELETE ss :set":   `{"c":{"S":"new"},"b":null,"a":{"N":"3.5"},"ss":{"SS":["p"]}}`,
	} {
		names := map[string]string{"#x": "x.y"}
		u, err := scope(t, names, values).Update(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var all, changes map[string]json.RawMessage
		is := is.New(t)
		is.NoErr(json.Unmarshal([]byte(before), &all))
		is.NoErr(json.Unmarshal([]byte(want), &changes))
		for name, v := range changes {
			if all[name] = v; string(v) == "null" {
				delete(all, name)
			}
		}
		expected, err := json.Marshal(all)
		is.NoErr(err)
		item := read(t, before)
		got, err := u.Apply(item)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !equal(read(t, string(expected)), got) {
			out, _ := json.Marshal(got)
			t.Errorf("%s: %s", text, out)
		}
		is.True(equal(item, read(t, before))) // the item given stays as it is
	}
}

func equal(a, b document.Item) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range a {
		if !v.Equal(b[name]) {
			return false
		}
	}
	return true
}

func TestUpdatesThatFail(t *testing.T) {
	const (
		path    = "The document path provided in the update expression is invalid for update"
		operand = "An operand in the update expression has an incorrect data type"
		missing = "The provided expression refers to an attribute that does not exist in the item"
	)
	for text, want := range map[string]string{
		"SET c.d = :n": path, "SET m.c.d = :n": path, "SET a.b = :n": path, "SET a[0] = :n": path, "SET l.x = :n": path, "REMOVE c.d": path, "SET l[9].x = :n": path,
		"SET a = b + :n": operand, "SET a = list_append(a, :l)": operand, "ADD b :n": operand, "ADD a :set": operand, "DELETE a :set": operand, "ADD ns :set": operand,
		"SET a = c": missing, "SET a = c + :n": missing, "SET a = l[7]": missing, "SET a = if_not_exists(c, d)": missing,
		"SET a = a + :big": "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"ADD a :tiny":      "Attempting to store more than 38 significant digits in a Number",
	} {
		const values = `{":n":{"N":"1"}, ":l":{"L":[]}, ":set":{"SS":["q"]}, ":big":{"N":"9.9e125"}, ":tiny":{"N":"1e-60"}}`
		item := read(t, before)
		if strings.Contains(text, ":big") {
			item = read(t, `{"a":{"N":"9.9e125"}}`)
		}
		u, err := scope(t, nil, values).Update(text)
		is.New(t).NoErr(err)
		_, err = u.Apply(item)
		is.New(t).True(err != nil) // text must fail
		is.New(t).Equal(err.Error(), want)
	}
}

func TestUpdatesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "The expression can not be empty;",
		"SET":                           `Syntax error; token: "<EOF>", near: "SET"`,
		"SET a":                         `Syntax error; token: "<EOF>", near: "a"`,
		"a = :n":                        `Syntax error; token: "a", near: "a ="`,
		"SET a = :n,":                   `Syntax error; token: "<EOF>", near: ","`,
		"SET a = :n + :n + :n":          `Syntax error; token: "+", near: ":n + :n"`,
		"ADD a b":                       `Syntax error; token: "b", near: "a b"`,
		"SET a = :n SET b = :n":         `The "SET" section can only be used once in an update expression;`,
		"SET a = :n REMOVE a":           "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]",
		"SET a.b = :n, a[1] = :n":       "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [1]]",
		"SET data = :n":                 "Attribute name is a reserved keyword; reserved keyword: data",
		"SET a = upper(b)":              "Invalid function name; function: upper",
		"SET a = if_not_exists(b)":      "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1",
		"SET a = if_not_exists(:n, :n)": "Operator or function requires a document path; operator or function: if_not_exists",
		"SET a = list_append(b, :n)":    "Incorrect operand type for operator or function; operator or function: list_append, operand type: N",
		"SET a = b - :s":                "Incorrect operand type for operator or function; operator or function: -, operand type: S",
		"ADD a :s":                      "Incorrect operand type for operator or function; operator: ADD, operand type: STRING",
		"DELETE a :n":                   "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER",
		"SET a = :x":                    "An expression attribute value used in expression is not defined; attribute value: :x",
	} {
		_, err := scope(t, nil, `{":n":{"N":"1"}, ":s":{"S":"a"}}`).Update(text)
		is.New(t).True(err != nil) // text must be refused
		is.New(t).Equal(err.Error(), "Invalid UpdateExpression: "+want)
	}
}
