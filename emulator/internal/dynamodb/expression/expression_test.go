package expression_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
	"github.com/regcast/regcast/emulator/internal/dynamodb/expression"
)

const connection = `{
	"pk":{"S":"CONN#a"}, "num":{"N":"20"}, "title":{"S":"team/app"}, "gone":{"BOOL":false}, "nil":{"NULL":true},
	"tags":{"SS":["v1","v2"]}, "ports":{"NS":["80","443"]}, "blobs":{"BS":["AQ==","Ag=="]}, "bin":{"B":"AAEC"},
	"wish":{"M":{"image":{"S":"team/*"}, "ls":{"L":[{"N":"1"},{"S":"two"},{"M":{"deep":{"S":"x"}}}]}}}
}`

func read(t testing.TB, text string) document.Item {
	t.Helper()
	var raw document.RawItem
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(text, err)
	}
	item, err := raw.Item()
	if err != nil {
		t.Fatal(text, err)
	}
	return item
}

func scope(t testing.TB, names map[string]string, values string) *expression.Scope {
	t.Helper()
	var raw document.RawItem
	if values != "" {
		if err := json.Unmarshal([]byte(values), &raw); err != nil {
			t.Fatal(values, err)
		}
	}
	s, err := expression.NewScope(names, raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConditions(t *testing.T) {
	item := read(t, connection)
	const values = `{":n":{"N":"20.0"}, ":more":{"N":"21"}, ":s":{"S":"team/app"}, ":p":{"S":"team"}, ":v1":{"S":"v1"}, ":v":{"SS":["v2","v1"]}, ":m":{"M":{"deep":{"S":"x"}}},
		":b":{"B":"AQ=="}, ":bb":{"B":"AAE="}, ":two":{"S":"two"}, ":t":{"S":"N"}, ":l":{"S":"L"}, ":80":{"N":"80"}, ":2":{"N":"2"}, ":3":{"N":"3"}, ":8":{"N":"8"}, ":null":{"NULL":true}, ":no":{"BOOL":false}}`
	for text, want := range map[string]bool{
		"title = :s": true, "title <> :s": false, "num = :n": true, "num < :more": true, "num <= :n": true, "num > :n": false, ":more >= num": true,
		"num = :s": false, "num <> :s": true, "num < :s": false, "tags = :v": true, "gone = :no": true, "nil = :null": true, "wish.ls[2] = :m": true,
		"absent = :s": false, "absent <> :s": true, "absent < :n": false, "absent = absent2": false, "absent <> absent2": true, "title < wish": false,
		"num BETWEEN :n AND :more": true, "num BETWEEN :more AND :more": false, "title between :n and :more": false, "absent BETWEEN :n AND :more": false,
		"title IN (:p, :s)": true, "title in (:p)": false, "absent IN (:p)": false,
		"attribute_exists(wish.ls[1])": true, "attribute_exists(wish.ls[9])": false, "attribute_not_exists(absent)": true, "attribute_not_exists(title)": false,
		"attribute_exists(title[0])": false, "attribute_exists(wish[0])": false,
		"attribute_type(num, :t)": true, "attribute_type(title, :t)": false, "attribute_type(absent, :t)": false, "attribute_type(wish.ls, :l)": true,
		"begins_with(title, :p)": true, "begins_with(title, :two)": false, "begins_with(bin, :bb)": true, "begins_with(num, :p)": false, "begins_with(absent, :p)": false,
		"contains(title, :p)": true, "contains(tags, :v1)": true, "contains(ports, :80)": true, "contains(ports, :n)": false, "contains(blobs, :b)": true,
		"contains(bin, :b)": true, "contains(wish.ls, :two)": true, "contains(wish.ls, :m)": true, "contains(num, :n)": false, "contains(absent, :p)": false,
		"size(title) = :8": true, "size(tags) = :2": true, "size(bin) = :3": true, "size(wish) = :2": true, "size(wish.ls) >= :3": true, "size(num) = :2": false,
		"size(absent) = :2": false, ":2 = size(blobs)": true, "size(ports) BETWEEN :2 AND :3": true,
		"title = :s AND num = :s OR gone = :no": true, "title = :s AND (num = :s OR gone = :no)": true, "gone = :no OR title = :s AND num = :s": true,
		"NOT title = :s": false, "not (title = :p)": true, "NOT title = :p AND num = :n": true, "(title) = (:s)": true, "(title = :s) and (num = :n)": true,
		"((title = :s) AND (num = :n))": true,
	} {
		c, err := scope(t, nil, values).Condition("ConditionExpression", text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := c.Holds(item); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestConditionsThatAreRefused(t *testing.T) {
	const values = `{":n":{"N":"1"}, ":m":{"N":"2"}, ":s":{"S":"a"}, ":l":{"L":[]}, ":q":{"S":"Q"}}`
	for text, want := range map[string]string{
		"":                                 "The expression can not be empty;",
		"a":                                `Syntax error; token: "<EOF>", near: "a"`,
		"a = ":                             `Syntax error; token: "<EOF>", near: "= "`,
		"= a":                              `Syntax error; token: "=", near: "= a"`,
		"a == :n":                          `Syntax error; token: "=", near: "== :n"`,
		"my-name = :n":                     `Syntax error; token: "-", near: "my-name"`,
		"a = 'x'":                          `Syntax error; token: "'", near: "= 'x"`,
		"a = :n)":                          `Syntax error; token: ")", near: ":n)"`,
		"(a = :n":                          `Syntax error; token: "<EOF>", near: ":n"`,
		"a IN ()":                          `Syntax error; token: ")", near: "()"`,
		"a[x] = :n":                        `Syntax error; token: "x", near: "[x]"`,
		"a = :n AND b":                     `Syntax error; token: "<EOF>", near: "b"`,
		"(a = :n) = :n":                    `Syntax error; token: "=", near: ") = :n"`,
		"é = :n":                           `Syntax error; token: "é", near: "é ="`,
		"a[99999999999] = :n":              "List index is not within the allowable range; index: [99999999999]",
		"((a = :n))":                       "The expression has redundant parentheses;",
		"((a)) = :n":                       "The expression has redundant parentheses;",
		"near(a)":                          "Invalid function name; function: near",
		"size(a)":                          "The function is not allowed to be used this way in an expression; function: size",
		"attribute_exists(a) = :n":         "The function is not allowed to be used this way in an expression; function: attribute_exists",
		"contains(begins_with(a, :s), :s)": "The function is not allowed to be used this way in an expression; function: begins_with",
		"name = :n":                        "Attribute name is a reserved keyword; reserved keyword: name",
		"a.Ttl = :n":                       "Attribute name is a reserved keyword; reserved keyword: Ttl",
		"#x = :n":                          "An expression attribute name used in the document path is not defined; attribute name: #x",
		"a = :x":                           "An expression attribute value used in expression is not defined; attribute value: :x",
		"contains(a)":                      "Incorrect number of operands for operator or function; operator or function: contains, number of operands: 1",
		"a.b[1] = a.b[1]":                  "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a, b, [1]]",
		"attribute_exists(:n)":             "Operator or function requires a document path; operator or function: attribute_exists",
		"begins_with(a, :n)":               "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
		"size(:n) = :n":                    "Incorrect operand type for operator or function; operator or function: size, operand type: N",
		"a < :l":                           "Incorrect operand type for operator or function; operator: <, operand type: L",
		"attribute_type(a, :q)":            "Invalid attribute type name found; type: Q, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
		"attribute_type(a, :n)":            "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N",
		"attribute_type(a, b)":             "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}",
		"a BETWEEN :m AND :n":              "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
		"a BETWEEN :s AND :n":              "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {S:a}, upper bound operand: AttributeValue: {N:1}",
		strings.Repeat("a", 4097):          "Expression size has exceeded the maximum allowed size; expression size: 4097",
	} {
		_, err := scope(t, nil, values).Condition("FilterExpression", text)
		is.New(t).True(err != nil) // text must be refused
		is.New(t).Equal(err.Error(), "Invalid FilterExpression: "+want)
	}
}

func TestNamesAndValues(t *testing.T) {
	is := is.New(t)
	one := document.RawItem{}
	is.NoErr(json.Unmarshal([]byte(`{":v":{"N":"1"}, ":u":{"N":"1"}}`), &one))
	s, err := expression.NewScope(map[string]string{"#n": "name", "#dot": "a.b"}, one)
	is.NoErr(err)
	c, err := s.Condition("ConditionExpression", "#n = :v AND attribute_exists(#dot)")
	is.NoErr(err)
	is.True(c.Holds(read(t, `{"name":{"N":"1"}, "a.b":{"S":""}}`)))
	is.Equal(s.Unused().Error(), "Value provided in ExpressionAttributeValues unused in expressions: keys: {:u}")

	s, err = expression.NewScope(map[string]string{"#b": "b", "#a": "a"}, nil)
	is.NoErr(err)
	is.Equal(s.Unused().Error(), "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}")

	for _, bad := range []struct {
		names map[string]string
		value string
		want  string
	}{
		{map[string]string{}, "null", "ExpressionAttributeNames must not be empty"},
		{map[string]string{"n": "x"}, "null", `ExpressionAttributeNames contains invalid key: Syntax error; key: "n"`},
		{nil, "{}", "ExpressionAttributeValues must not be empty"},
		{nil, `{":a-b":{"N":"1"}}`, `ExpressionAttributeValues contains invalid key: Syntax error; key: ":a-b"`},
		{nil, `{":v":{"N":"x"}}`, "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :v"},
	} {
		var raw document.RawItem
		is.NoErr(json.Unmarshal([]byte(bad.value), &raw))
		_, err := expression.NewScope(bad.names, raw)
		is.True(err != nil)
		is.Equal(err.Error(), bad.want)
	}
}

func TestProjections(t *testing.T) {
	item := read(t, connection)
	for text, want := range map[string]string{
		"pk, num":                              `{"num":{"N":"20"},"pk":{"S":"CONN#a"}}`,
		"absent, wish.absent, title[0], bin.x": `{}`,
		"wish.ls[2].deep, wish.ls[0]":          `{"wish":{"M":{"ls":{"L":[{"N":"1"},{"M":{"deep":{"S":"x"}}}]}}}}`,
		"wish.ls[1], wish.image":               `{"wish":{"M":{"image":{"S":"team/*"},"ls":{"L":[{"S":"two"}]}}}}`,
		"wish.ls[7], pk":                       `{"pk":{"S":"CONN#a"}}`,
	} {
		p, err := scope(t, nil, "").Projection(text)
		is.New(t).NoErr(err)
		out, err := json.Marshal(p.Of(item))
		is.New(t).NoErr(err)
		is.New(t).Equal(string(out), want)
	}
	for text, want := range map[string]string{
		"a, a":        "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]",
		"a.b, a.b[1]": "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, b, [1]]",
		"a[0], a.b":   "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, [0]], path two: [a, b]",
		"a b":         `Syntax error; token: "b", near: "a b"`,
		"a,":          `Syntax error; token: "<EOF>", near: ","`,
		":v":          `Syntax error; token: ":v", near: ":v"`,
		"status":      "Attribute name is a reserved keyword; reserved keyword: status",
	} {
		_, err := scope(t, nil, "").Projection(text)
		is.New(t).True(err != nil) // text must be refused
		is.New(t).Equal(err.Error(), "Invalid ProjectionExpression: "+want)
	}
}

func TestKeyConditionsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"pk = :v OR sk = :v":             "Invalid operator used in KeyConditionExpression: OR",
		"pk = :v AND NOT sk = :v":        "Invalid operator used in KeyConditionExpression: NOT",
		"pk IN (:v)":                     "Invalid operator used in KeyConditionExpression: IN",
		"pk <> :v":                       "Invalid operator used in KeyConditionExpression: <>",
		"attribute_exists(pk)":           "Invalid operator used in KeyConditionExpression: attribute_exists",
		"size(pk) = :v":                  "KeyConditionExpressions cannot contain nested operations",
		"pk = sk":                        "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
		"pk.a = :v":                      "KeyConditionExpressions cannot have conditions on nested attributes",
		":v = :v":                        "Invalid condition in KeyConditionExpression: No key attribute specified",
		"begins_with(:v, sk)":            "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its first operand",
		":v BETWEEN :v AND :v":           "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first operand",
		"pk = :v AND pk = :v":            "KeyConditionExpressions must only contain one condition per key",
		"pk = :v AND sk = :v AND x = :v": "Conditions can be of length 1 or 2 only",
		"pk":                             `Invalid KeyConditionExpression: Syntax error; token: "<EOF>", near: "pk"`,
	} {
		_, err := scope(t, nil, `{":v":{"S":"a"}}`).Key(text)
		is.New(t).True(err != nil) // text must be refused
		is.New(t).Equal(err.Error(), want)
	}
}

func TestAKeyConditionMayStandTheOtherWayRound(t *testing.T) {
	is := is.New(t)
	list, err := scope(t, nil, `{":v":{"S":"a"}}`).Key("(:v < sk) AND :v = pk")
	is.NoErr(err)
	is.Equal(len(list), 2)
	is.Equal(list[0].Name+list[0].Op, "sk>")
	is.Equal(list[1].Name+list[1].Op, "pk=")
}

func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{
		"a.b[1] = :v AND NOT (size(#n) > :v OR begins_with(a, :v))", "a BETWEEN :v AND :v", "a IN (:v, b)", "SET a = if_not_exists(b, :v) + :v, c[2] = list_append(c, :v) REMOVE d ADD e :v DELETE f :v",
		"a, b.c[0], #n", "((a", "SET", "size(size(a)) = :v",
	} {
		f.Add(seed)
	}
	item := read(f, connection)
	f.Fuzz(func(t *testing.T, text string) {
		fresh := func() *expression.Scope {
			return scope(t, map[string]string{"#n": "wish"}, `{":v":{"N":"1"}, ":l":{"L":[]}}`)
		}
		var refusal document.Refusal
		c, err := fresh().Condition("ConditionExpression", text)
		if err == nil {
			c.Holds(item)
			c.Holds(nil)
		} else if !errors.As(err, &refusal) {
			t.Fatal(err)
		}
		if p, err := fresh().Projection(text); err == nil {
			p.Of(item)
		}
		_, _ = fresh().Key(text)
		if u, err := fresh().Update(text); err == nil {
			if next, err := u.Apply(item); err == nil {
				u.Of(next)
			}
			_, _ = u.Apply(document.Item{})
		}
		before, _ := json.Marshal(read(t, connection))
		after, _ := json.Marshal(item)
		if string(before) != string(after) {
			t.Fatalf("%q changed the item it was given", text)
		}
	})
}
