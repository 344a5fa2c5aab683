package pattern_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/trigger/pattern"
)

const push = `{
  "version": "0", "id": "00000000-1111-4222-8333-444444444444", "detail-type": "ECR Image Action", "source": "aws.ecr",
  "account": "210987654321", "time": "2026-02-03T04:05:06Z", "region": "eu-north-1", "resources": [],
  "detail": {"result": "SUCCESS", "repository-name": "team/app", "image-digest": "sha256:00", "action-type": "PUSH", "image-tag": "v1"}
}`

func compile(t testing.TB, src string) *pattern.Pattern {
	t.Helper()
	p, err := pattern.Parse([]byte(src))
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return p
}

// In each row the pattern is the list of what field x may be; yes and no are values of x as JSON, and "" stands for no x at all.
func TestOperators(t *testing.T) {
	type values = []string
	for name, tc := range map[string]struct {
		want    string
		yes, no values
	}{
		"a string":               {`["a"]`, values{`"a"`, `"\u0061"`, `["b","a"]`}, values{`"A"`, `"aa"`, `"b"`, `null`, `["b"]`, `[]`, `{"x":"a"}`, ``}},
		"the empty string":       {`[""]`, values{`""`}, values{`" "`, `null`, `[]`, ``}},
		"escapes":                {`["a\"b\\/ü\u20ac😀"]`, values{`"a\"b\\/ü€😀"`, `"a\u0022b\\\/\u00fc\u20ac\ud83d\ude00"`}, values{`"a"`}},
		"an address":             {`["::1"]`, values{`"::1"`}, values{`"0:0:0:0:0:0:0:1"`}},
		"null":                   {`[null]`, values{`null`, `[1,null]`}, values{`"null"`, `""`, `false`, `0`, ``}},
		"booleans":               {`[true]`, values{`true`}, values{`"true"`, `false`, `1`}},
		"a number":               {`[300]`, values{`300`, `3.0e2`, `300.0`, `[1,300]`}, values{`"300"`, `301`, `3000`, `null`}},
		"a negative number":      {`[-0.5]`, values{`-0.5`, `-5E-1`}, values{`0.5`}},
		"one of several":         {`["a",5,null]`, values{`"a"`, `5`, `null`}, values{`"5"`, `true`}},
		"exactly":                {`[{"exactly":"a"}]`, values{`"a"`}, values{`"A"`}},
		"prefix":                 {`[{"prefix":"ab"}]`, values{`"ab"`, `"abc"`, `["x","abc"]`}, values{`"a"`, `"Abc"`, `"xab"`, `12`, ``}},
		"empty prefix":           {`[{"prefix":""}]`, values{`""`, `"x"`}, values{`1`, `null`, ``}},
		"prefix, any case":       {`[{"prefix":{"equals-ignore-case":"éB"}}]`, values{`"éb"`, `"ÉBC"`}, values{`"é"`, `"xéb"`, `1`}},
		"suffix":                 {`[{"suffix":"bc"}]`, values{`"bc"`, `"abc"`}, values{`"c"`, `"abC"`, `"bcd"`, `null`}},
		"suffix, any case":       {`[{"suffix":{"equals-ignore-case":"Éc"}}]`, values{`"éC"`, `"aÉc"`}, values{`"c"`, `"écd"`}},
		"any case":               {`[{"equals-ignore-case":"aÉ"}]`, values{`"aé"`, `"AÉ"`}, values{`"a"`, `"aéa"`, `0`}},
		"wildcard":               {`[{"wildcard":"a*b*c"}]`, values{`"abc"`, `"axxbyyc"`, `"abbc"`, `"abcbc"`}, values{`"ab"`, `"xabc"`, `"abcx"`, `"acb"`, `1`}},
		"wildcard, parts apart":  {`[{"wildcard":"aba*aba"}]`, values{`"abaaba"`, `"aba-aba"`}, values{`"aba"`, `"ababa"`}},
		"wildcard alone":         {`[{"wildcard":"*"}]`, values{`""`, `"x"`}, values{`1`, ``}},
		"wildcard, escaped":      {`[{"wildcard":"a\\*\\\\*"}]`, values{`"a*\\"`, `"a*\\x"`}, values{`"ax\\"`, `"a*"`}},
		"wildcard without star":  {`[{"wildcard":"ab"}]`, values{`"ab"`}, values{`"abc"`, `"xab"`}},
		"anything but":           {`[{"anything-but":"a"}]`, values{`"b"`, `1`, `null`, `true`, `["a","b"]`}, values{`"a"`, `["a"]`, `[]`, `{}`, ``}},
		"anything but strings":   {`[{"anything-but":["a","b"]}]`, values{`"c"`, `5`}, values{`"a"`, `"b"`, ``}},
		"anything but a number":  {`[{"anything-but":5}]`, values{`6`, `"5"`}, values{`5`, `5.0`, ``}},
		"anything but numbers":   {`[{"anything-but":[5,6]}]`, values{`7`, `"5"`}, values{`5`, `6e0`}},
		"anything but prefix":    {`[{"anything-but":{"prefix":"ab"}}]`, values{`"xab"`, `"a"`, `1`}, values{`"abc"`, ``}},
		"anything but prefixes":  {`[{"anything-but":{"prefix":["ab","cd"]}}]`, values{`"x"`}, values{`"abc"`, `"cd"`}},
		"anything but suffix":    {`[{"anything-but":{"suffix":"bc"}}]`, values{`"bcd"`}, values{`"abc"`, `"bc"`}},
		"anything but suffixes":  {`[{"anything-but":{"suffix":["a","b"]}}]`, values{`"c"`}, values{`"xa"`, `"xb"`}},
		"anything but, any case": {`[{"anything-but":{"equals-ignore-case":"aB"}}]`, values{`"abc"`}, values{`"AB"`, `"ab"`}},
		"… several":              {`[{"anything-but":{"equals-ignore-case":["a","b"]}}]`, values{`"c"`}, values{`"A"`, `"B"`}},
		"anything but wildcard":  {`[{"anything-but":{"wildcard":"*/x/*"}}]`, values{`"a/y/b"`}, values{`"a/x/b"`}},
		"anything but wildcards": {`[{"anything-but":{"wildcard":["a*","*b"]}}]`, values{`"ba"`}, values{`"ab"`, `"xb"`, `"ax"`}},
		"numeric =":              {`[{"numeric":["=",3.018e2]}]`, values{`301.8`}, values{`301.81`, `"301.8"`}},
		"numeric >":              {`[{"numeric":[">",0]}]`, values{`0.1`, `1e300`}, values{`0`, `-1`, `"1"`, `true`, `null`}},
		"numeric >=":             {`[{"numeric":[">=",0]}]`, values{`0`, `-0.0`}, values{`-0.1`}},
		"numeric <":              {`[{"numeric":["<",0]}]`, values{`-1`}, values{`0`, `1`}},
		"numeric <=":             {`[{"numeric":["<=",5]}]`, values{`5`, `-5e10`}, values{`5.5`}},
		"numeric range":          {`[{"numeric":[">",0,"<=",5]}]`, values{`1`, `5`, `[9,5]`}, values{`0`, `6`, `[0,9]`}},
		"cidr":                   {`[{"cidr":"10.1.2.3/24"}]`, values{`"10.1.2.0"`, `"10.1.2.255"`}, values{`"10.1.3.0"`, `"::1"`, `"x"`, `10`}},
		"cidr of 6":              {`[{"cidr":"2001:db8::/32"}]`, values{`"2001:DB8:1::"`}, values{`"2001:db9::"`, `"10.1.2.3"`}},
		"exists":                 {`[{"exists":true}]`, values{`1`, `null`, `""`, `[1]`}, values{`[]`, `{}`, `{"y":1}`, ``}},
		"exists not":             {`[{"exists":false}]`, values{``, `{"y":1}`, `[]`}, values{`1`, `null`, `""`, `[1]`}},
		"exists not, or a value": {`[{"exists":false},"a"]`, values{``, `"a"`}, values{`"b"`}},
		"nested arrays":          {`["a"]`, values{`[["b"],["c",["a"]]]`}, values{`[[["b"]]]`}},
	} {
		t.Run(name, func(t *testing.T) {
			p := compile(t, `{"x":`+tc.want+`}`)
			check := func(value string, want bool) {
				event := `{"before":[{"x":1}],"x":` + value + ` , "after" : {"x":[{}]}}`
				if value == "" {
					event = `{"before":[{"x":1}],"after":{"x":"a"}}`
				}
				miss := p.Match([]byte(event))
				if (miss == nil) != want {
					t.Errorf("x=%s: got %v", value, miss)
				}
				if miss != nil && miss.String() == "" {
					t.Errorf("x=%s: no reason: %+v", value, miss)
				}
			}
			for _, v := range tc.yes {
				check(v, true)
			}
			for _, v := range tc.no {
				check(v, false)
			}
		})
	}
}

func TestFields(t *testing.T) {
	const people = `{"people":[{"first":"Ann","last":"Ash","tags":["x","y"]},{"first":"Bob","last":"Birch","tags":["z"]}],` +
		`"teams":[[{"first":"Cid"},{"first":"Dan"}],[{"first":"Eve","role":"lead"}]]}`
	for name, tc := range map[string]struct {
		pattern, event string
		want           bool
	}{
		"all fields":                           {`{"source":["aws.ecr"],"detail":{"action-type":["PUSH"],"image-tag":[{"exists":true}]}}`, push, true},
		"all but one":                          {`{"source":["aws.ecr"],"detail":{"action-type":["DELETE"]}}`, push, false},
		"a field in a value":                   {`{"source":{"x":["aws.ecr"]}}`, push, false},
		"dots in the pattern":                  {`{"detail.image-tag":["v1"]}`, push, true},
		"dots in the event":                    {`{"a":{"b":{"c":[1]}}}`, `{"a":{"b.c":1}}`, true},
		"dots in both":                         {`{"a.b":{"c":[1]}}`, `{"a":{"b.c":2,"b":{"c":1}}}`, true},
		"dots that lead nowhere":               {`{"a":{"b":[1]}}`, `{"a.b.c":1,"a.x.b":1,"b":1,"a.":{"b":1}}`, false},
		"a key with an escape":                 {`{"a\nb":[1]}`, `{"a\u000ab":1}`, true},
		"the last key wins":                    {`{"source":["x"],"source":["aws.ecr"]}`, push, true},
		"the last key wins, also if worse":     {`{"source":["aws.ecr"],"source":["x"]}`, push, false},
		"of objects each path counts":          {`{"detail":{"result":["SUCCESS"]},"detail":{"image-tag":["v2"]}}`, push, false},
		"one element":                          {`{"people":{"first":["Ann"],"last":["Ash"]}}`, people, true},
		"two elements":                         {`{"people":{"first":["Ann"],"last":["Birch"]}}`, people, false},
		"another element":                      {`{"people":{"first":["Ann","Bob"],"last":["Birch"]}}`, people, true},
		"scalars of one array":                 {`{"people":{"first":["Ann"],"tags":["y"]}}`, people, true},
		"scalars of another element's":         {`{"people":{"first":["Ann"],"tags":["z"]}}`, people, false},
		"elements of different arrays":         {`{"people":{"first":["Bob"]},"teams":{"first":["Eve"]}}`, people, true},
		"arrays of arrays":                     {`{"teams":{"first":["Eve"],"role":["lead"]}}`, people, true},
		"arrays of arrays, apart":              {`{"teams":{"first":["Dan"],"role":["lead"]}}`, people, false},
		"absent in one, present in another":    {`{"teams":{"first":["Cid"],"role":[{"exists":false}]}}`, people, false},
		"absent everywhere":                    {`{"people":{"first":["Bob"],"role":[{"exists":false}]}}`, people, true},
		"or, the first":                        {`{"$or":[{"a":[1]},{"b":[2]}]}`, `{"a":1}`, true},
		"or, the second":                       {`{"$or":[{"a":[1]},{"b":[2]}]}`, `{"a":0,"b":2}`, true},
		"or, none":                             {`{"$or":[{"a":[1]},{"b":[2]}]}`, `{"a":2,"b":1}`, false},
		"or beside a field":                    {`{"c":[3],"$or":[{"a":[1]},{"b":[2]}]}`, `{"a":1,"c":4}`, false},
		"or with an and":                       {`{"$or":[{"a":[1],"b":[2]},{"c":[3]}]}`, `{"a":1,"c":4}`, false},
		"or below":                             {`{"d":{"$or":[{"a":[1]},{"b":[2]}]}}`, `{"d":{"b":2}}`, true},
		"or in or":                             {`{"$or":[{"a":[1],"$or":[{"b":[1]},{"c":[1]}]},{"d":[1]}]}`, `{"a":1,"c":1}`, true},
		"or in or, without the outer":          {`{"$or":[{"a":[1],"$or":[{"b":[1]},{"c":[1]}]},{"d":[1]}]}`, `{"c":1}`, false},
		"two or":                               {`{"$or":[{"a":[1]},{"b":[1]}],"x":{"$or":[{"a":[1]},{"b":[1]}]}}`, `{"a":1,"x":{"a":2}}`, false},
		"a field said again in an or":          {`{"a":[1],"$or":[{"a":[2]},{"b":[2]}]}`, `{"a":2}`, true},
		"or with values is a field":            {`{"$or":["x"]}`, `{"$or":"x"}`, true},
		"or as an object is a field":           {`{"$or":{"a":[1]}}`, `{"$or":{"a":1}}`, true},
		"or of operators is a field":           {`{"$or":[{"prefix":"ab"},{"numeric":[">",0]}]}`, `{"$or":"abc"}`, true},
		"a filter of a queue: body is parsed":  {`{"body":{"detail":{"image-tag":[{"prefix":"v"}]}}}`, `{"messageId":"1","body":` + push + `}`, true},
		"… and what is no JSON does not match": {`{"body":{"detail":{"image-tag":[{"prefix":"v"}]}}}`, `{"body":"plain"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if miss := compile(t, tc.pattern).Match([]byte(tc.event)); (miss == nil) != tc.want {
				t.Errorf("got %v", miss)
			}
		})
	}
}

func TestWhy(t *testing.T) {
	for name, tc := range map[string]struct{ pattern, event, want string }{
		"another value":            {`{"detail":{"image-tag":["v2"]}}`, push, `detail.image-tag: want "v2", got "v1"`},
		"one of several":           {`{"detail":{"image-tag":["v2",{"prefix":"w<"},null]}}`, push, `detail.image-tag: want one of "v2", {"prefix":"w<"}, null, got "v1"`},
		"the first that is":        {`{"source":["aws.ecr"],"region":["us-east-1"],"detail":{"image-tag":["v2"]}}`, push, `region: want "us-east-1", got "eu-north-1"`},
		"a field of a like name":   {`{"detail":{"image-tags":["v1"]}}`, push, `detail.image-tags: want "v1", got no such field (there is "image-tag")`},
		"a field in camel case":    {`{"detail":{"imageTag":["v1"]}}`, push, `detail.imageTag: want "v1", got no such field (there is "image-tag")`},
		"a field's case":           {`{"Detail-Type":["x"]}`, push, `Detail-Type: want "x", got no such field (there is "detail-type")`},
		"no field":                 {`{"a":{"x":["v1"]}}`, `{"a":{"c":1,"b":2}}`, `a.x: want "v1", got no such field (a has b, c)`},
		"no field at the top":      {`{"x":["v1"]}`, `{"c":1,"b":2}`, `x: want "v1", got no such field (the event has b, c)`},
		"nothing to be a field of": {`{"a":{"x":["v1"]}}`, `{"a":1}`, `a.x: want "v1", got no such field`},
		"an object":                {`{"a":["v1"]}`, `{"a":{"c":1,"b":2}}`, `a: want "v1", got an object (only values are compared; go on to one of a.b, a.c)`},
		"an array":                 {`{"a":[3]}`, `{"a":[1,"4"]}`, `a: want 3, got [1, "4"]`},
		"a long array":             {`{"a":[9]}`, `{"a":[1,2,3,4,5,6,7]}`, `a: want 9, got [1, 2, 3, 4, 5, … 2 more]`},
		"an empty array":           {`{"a":[3]}`, `{"a":[ ]}`, `a: want 3, got []`},
		"it exists":                {`{"detail":{"image-tag":[{"exists":false}]}}`, push, `detail.image-tag: want {"exists":false}, got "v1"`},
		"elements apart":           {`{"a":{"b":[1],"c":[2]}}`, `{"a":[{"b":1,"c":1},{"b":2,"c":2}]}`, `a.b, a.c: each on its own is matched, but never in the same element of an array`},
		"or":                       {`{"$or":[{"a":[1]},{"b":[2]}]}`, `{"a":2}`, `no alternative of $or matches: a: want 1, got 2; b: want 2, got no such field (the event has a)`},
		"or, the same":             {`{"x":[1],"$or":[{"a":[1]},{"b":[2]}]}`, `{"x":2}`, `x: want 1, got 2`},
		"or, many":                 {`{"$or":[{"a":[1]},{"b":[1]},{"c":[1]},{"d":[1]},{"e":[1]},{"f":[1]}]}`, `{}`, `e: want 1, got no such field (and more)`},
		"no JSON":                  {`{"a":[1]}`, `{`, `the event is not valid JSON`},
		"empty":                    {`{"a":[1]}`, ``, `the event is not valid JSON`},
		"no object":                {`{"a":[1]}`, ` [{"a":1}]`, `the event is not a JSON object`},
		"a long value":             {`{"a":[1]}`, `{"a":"` + strings.Repeat("é", 300) + `"}`, `é…`},
		"different in case":        {`{"a":["push"]}`, `{"a":"PUSH"}`, `a: want "push", got "PUSH" (differs only by upper and lower case; {"equals-ignore-case": …} ignores that)`},
		"a prefix by case":         {`{"a":[{"prefix":"Team/"}]}`, `{"a":"team/x"}`, `a: want {"prefix":"Team/"}, got "team/x" (differs only by upper and lower case; {"prefix": {"equals-ignore-case": …}} ignores that)`},
		"a suffix by case":         {`{"a":[{"suffix":"X"}]}`, `{"a":"team/x"}`, `a: want {"suffix":"X"}, got "team/x" (differs only by upper and lower case; {"suffix": {"equals-ignore-case": …}} ignores that)`},
		"a star":                   {`{"a":["team/*"]}`, `{"a":"team/x"}`, `a: want "team/*", got "team/x" (a * is only a * here; {"wildcard": "team/*"} would match)`},
		"a beginning":              {`{"a":["x","team/"]}`, `{"a":"team/y"}`, `a: want one of "x", "team/", got "team/y" (a value is compared whole; {"prefix": "team/"} takes a beginning)`},
		"an end":                   {`{"a":["app"]}`, `{"a":"team/app"}`, `a: want "app", got "team/app" (a value is compared whole; {"suffix": "app"} takes an end)`},
		"a string for a number":    {`{"a":[5]}`, `{"a":"5"}`, `a: want 5, got "5" (5 and "5" are not the same: one of them is a string)`},
		"a number for a string":    {`{"a":["5"]}`, `{"a":5}`, `a: want "5", got 5 (5 and "5" are not the same: one of them is a string)`},
		"nothing alike":            {`{"a":["","x",true,{"anything-but":"y"}]}`, `{"a":"y"}`, `a: want one of "", "x", true, {"anything-but":"y"}, got "y"`},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			miss := compile(t, tc.pattern).Match([]byte(tc.event))
			is.True(miss != nil)
			if name == "or, many" || name == "a long value" {
				is.True(strings.HasSuffix(miss.String(), tc.want))
				return
			}
			is.Equal(miss.String(), tc.want)
			is.Equal(miss.Doc == "", miss.Field == "") // what is no event at all is in no documentation
		})
	}
}

func TestParseRefuses(t *testing.T) {
	wide := `{"$or":[{"a":["x"]},{"b":["x"]},{"c":["x"]},{"d":["x"]},{"e":["x"]},{"f":["x"]},{"g":["x"]},{"h":["x"]},{"i":["x"]},{"j":["x"]},{"k":["x"]}]}`
	for name, tc := range map[string]struct{ src, want string }{
		"nothing":               {``, `line 1, column 1: unexpected EOF`},
		"half":                  {"{\"a\":\n [", `line 2, column 3: unexpected EOF`},
		"no JSON":               {"{\"a\":\n  nope}", `line 2, column`},
		"two":                   {`{"a":[1]} {}`, `more than one JSON value`},
		"no object":             {`["a"]`, `found a list, want an object that mirrors the event`},
		"no fields":             {`{}`, `the pattern: found an empty object, want fields`},
		"no fields below":       {`{"detail":{}}`, `detail: found an empty object, want fields`},
		"a bare value":          {`{"detail":{"state":"x"}}`, `detail.state: found the string "x", want a list of values such as ["x"], or an object`},
		"a bare number":         {`{"a":5}`, `a: found the number 5, want a list of values such as [5], or an object`},
		"no values":             {`{"a":[]}`, `a: found an empty list, want at least one value`},
		"a list in a list":      {`{"a":[["x"]]}`, `a[0]: found a list in a list, want a value or an operator`},
		"an unknown operator":   {`{"a":["x",{"regex":"x"}]}`, `a[1].regex: found no operator of this name, want prefix, suffix,`},
		"two operators":         {`{"a":[{"prefix":"x","suffix":"y"}]}`, `a[0]: found an object of 2 keys, want one operator: prefix,`},
		"no operator":           {`{"a":[{}]}`, `a[0]: found an object of 0 keys, want one operator`},
		"prefix of a number":    {`{"a":[{"prefix":5}]}`, `a[0].prefix: found the number 5, want a string`},
		"prefix of something":   {`{"a":[{"prefix":{"wildcard":"x"}}]}`, `a[0].prefix: found an object, want a string or {"equals-ignore-case": "…"}`},
		"suffix of null":        {`{"a":[{"suffix":{"equals-ignore-case":null}}]}`, `a[0].suffix.equals-ignore-case: found null, want a string`},
		"fold of prefix":        {`{"a":[{"equals-ignore-case":{"prefix":"x"}}]}`, `a[0].equals-ignore-case: found an object, want a string`},
		"two stars":             {`{"a":[{"wildcard":"x**y"}]}`, `a[0].wildcard: found "x**y": two * in a row: write one`},
		"an escape of another":  {`{"a":[{"wildcard":"x\\y"}]}`, `a[0].wildcard: found "x\\y": \ stands only before * and \`},
		"an escape of nothing":  {`{"a":[{"wildcard":"x\\"}]}`, `\ stands only before`},
		"cidr without bits":     {`{"a":[{"cidr":"10.0.0.0"}]}`, `a[0].cidr: found "10.0.0.0": want an address and a number of bits, as in 10.0.0.0/24`},
		"cidr of one":           {`{"a":[{"cidr":"10.0.0.0/32"}]}`, `want fewer than 32 bits`},
		"exists of a string":    {`{"a":[{"exists":"true"}]}`, `a[0].exists: found the string "true", want true or false`},
		"exists of null":        {`{"a":[{"exists":null}]}`, `a[0].exists: found null, want true or false`},
		"anything-but null":     {`{"a":[{"anything-but":null}]}`, `a[0].anything-but: found null, want a string or a number`},
		"anything-but bool":     {`{"a":[{"anything-but":["x",true]}]}`, `a[0].anything-but[1]: found true, want a string or a number`},
		"anything-but mixed":    {`{"a":[{"anything-but":["x",5]}]}`, `a[0].anything-but[1]: found the number 5 beside the string "x", want all strings or all numbers`},
		"anything-but nothing":  {`{"a":[{"anything-but":[]}]}`, `a[0].anything-but: found an empty list, want strings or numbers`},
		"anything-but numeric":  {`{"a":[{"anything-but":{"numeric":["=",1]}}]}`, `a[0].anything-but: found an object, want a value, a list, or one of prefix, suffix, equals-ignore-case, wildcard`},
		"anything-but empty":    {`{"a":[{"anything-but":{"prefix":["x",""]}}]}`, `a[0].anything-but.prefix[1]: found an empty string`},
		"anything-but of a num": {`{"a":[{"anything-but":{"suffix":5}}]}`, `a[0].anything-but.suffix: found the number 5, want a string`},
		"anything-but stars":    {`{"a":[{"anything-but":{"wildcard":["a","**"]}}]}`, `a[0].anything-but.wildcard[1]: found "**": two * in a row`},
		"numeric of a number":   {`{"a":[{"numeric":5}]}`, `a[0].numeric: found 5, want ["=", n], or a range such as`},
		"numeric of strings":    {`{"a":[{"numeric":["=","5"]}]}`, `a[0].numeric: found ["=","5"], want ["=", n]`},
		"numeric, odd":          {`{"a":[{"numeric":[">",1,"<"]}]}`, `found [">",1,"<"], want`},
		"numeric, no relation":  {`{"a":[{"numeric":["!=",1]}]}`, `found ["!=",1], want`},
		"numeric, wrong order":  {`{"a":[{"numeric":["<",5,">",1]}]}`, `found ["<",5,">",1], want`},
		"numeric, two equals":   {`{"a":[{"numeric":["=",5,"=",5]}]}`, `found ["=",5,"=",5], want`},
		"numeric, two lower":    {`{"a":[{"numeric":[">",5,">",6]}]}`, `found [">",5,">",6], want`},
		"numeric, upside down":  {`{"a":[{"numeric":[">",5,"<",5]}]}`, `want the lower end below the upper one`},
		"too big a number":      {`{"a":[1e999]}`, `a[0]: found 1e999, want a number that fits 64 bits`},
		"or of one":             {`{"$or":[{"a":[1]}]}`, `$or[0].a: found no operator of this name`},
		"or says what it needs": {`{"$or":[{"a":[1]}]}`, `to say “or” it needs at least 2 objects of fields, none named like an operator`},
		"broken in or":          {`{"d":{"$or":[{"a":[1]},{"b":5}]}}`, `d.$or[1]: d.b: found the number 5`},
		"too wide":              {`{"x":` + wide + `,"y":` + wide + `,"z":` + wide + `}`, `z.$or: found more than 1000 combinations of $or, at most 1000 are allowed`},
		"too long":              {`{"a":["` + strings.Repeat("é", 4096) + `"]}`, `found 4106 characters, at most 4096 are allowed`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pattern.Parse([]byte(tc.src))
			if err == nil {
				t.Fatal("it was taken")
			}
			if !strings.HasPrefix(err.Error(), "pattern: ") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}
