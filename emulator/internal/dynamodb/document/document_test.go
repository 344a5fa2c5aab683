package document_test

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

func decimal(t *testing.T, text string) document.Decimal {
	t.Helper()
	d, err := document.ParseDecimal(text)
	if err != nil {
		t.Fatal(text, err)
	}
	return d
}

func TestNumbersReadAndPrint(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0.000": "0", "007": "7", "+1": "1", ".5": "0.5", "5.": "5", "1.50": "1.5", "-1e3": "-1000", "1E-3": "0.001", "12.5e1": "125",
		"1e125": "1" + strings.Repeat("0", 125), "1e-130": "0." + strings.Repeat("0", 129) + "1",
		"99999999999999999999999999999999999999": "99999999999999999999999999999999999999", "0e999": "0",
	} {
		is.New(t).Equal(decimal(t, text).String(), want)
	}
	for text, want := range map[string]string{
		"": "The parameter cannot be converted to a numeric value", "x": "The parameter cannot be converted to a numeric value: x",
		" 1": "The parameter cannot be converted to a numeric value:  1", "0x1": "The parameter cannot be converted to a numeric value: 0x1",
		"1e": "The parameter cannot be converted to a numeric value: 1e", "NaN": "The parameter cannot be converted to a numeric value: NaN",
		"-": "The parameter cannot be converted to a numeric value: -", "1_0": "The parameter cannot be converted to a numeric value: 1_0",
		"1e126":                 "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"1e99999999999999999":   "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"1e-131":                "Number underflow. Attempting to store a number with magnitude smaller than supported range",
		strings.Repeat("1", 39): "Attempting to store more than 38 significant digits in a Number",
	} {
		_, err := document.ParseDecimal(text)
		is.New(t).True(err != nil) // text must be refused
		is.New(t).Equal(err.Error(), want)
	}
}

func number(r *rand.Rand) string {
	text := strconv.Itoa(r.IntN(2001) - 1000)
	if r.IntN(2) == 0 {
		text += "." + strconv.Itoa(r.IntN(100))
	}
	if r.IntN(3) == 0 {
		text += "e" + strconv.Itoa(r.IntN(40)-20)
	}
	return text
}

// Comparing, adding and the order of keys are held against math/big.
func TestNumbersAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		a, b := number(r), number(r)
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		d, e := decimal(t, a), decimal(t, b)
		if d.Compare(e) != x.Cmp(y) || (d == e) != (x.Cmp(y) == 0) {
			t.Fatal(a, b, d.Compare(e))
		}
		v, w := document.Value{Kind: document.Number, Decimal: d}, document.Value{Kind: document.Number, Decimal: e}
		if strings.Compare(v.Key(), w.Key()) != x.Cmp(y) {
			t.Fatalf("keys of %s and %s: %q %q", a, b, v.Key(), w.Key())
		}
		sum, err := d.Add(e)
		if err != nil {
			continue // more than 38 digits
		}
		got, _ := new(big.Rat).SetString(sum.String())
		if got.Cmp(new(big.Rat).Add(x, y)) != 0 {
			t.Fatal(a, b, sum)
		}
	}
}

func TestSumsThatDoNotFitAreRefused(t *testing.T) {
	is := is.New(t)
	_, err := decimal(t, "1e30").Add(decimal(t, "1e-30"))
	is.True(err != nil)
	_, err = decimal(t, "9e125").Add(decimal(t, "1e125"))
	is.True(err != nil)
	sum, err := decimal(t, "1.5").Add(decimal(t, "1.5").Neg())
	is.NoErr(err)
	is.Equal(sum, document.Decimal{})
}

// No key is the beginning of another, whatever bytes it has.
func TestKeysOfTextsOrderAsTheTexts(t *testing.T) {
	texts := []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "a", "a\x00", "a\x00b", "a\x01", "ab", "b", "ä", "\xff"}
	slices.Sort(texts)
	var before string
	for i, text := range texts {
		key := document.Value{Kind: document.String, Text: text}.Key()
		if i > 0 && (key <= before || strings.HasPrefix(key, before)) {
			t.Errorf("%q: %q after %q", text, key, before)
		}
		before = key
	}
}

func parse(text string) (document.Value, error) {
	var raw document.Raw
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return document.Value{}, err
	}
	return raw.Value()
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	for _, text := range []string{
		`{"S":""}`, `{"S":"a\"\\ä<&>\n"}`, `{"N":"-1.5"}`, `{"B":""}`, `{"B":"AAEC"}`, `{"BOOL":false}`, `{"NULL":true}`, `{"SS":["","b"]}`, `{"NS":["1","2"]}`,
		`{"BS":["AQ==","Ag=="]}`, `{"L":[]}`, `{"M":{}}`, `{"L":[{"M":{"a":{"L":[{"S":"x"}]},"b":{"N":"0"}}}]}`,
	} {
		v, err := parse(text)
		is.New(t).NoErr(err)
		out, err := v.MarshalJSON()
		is.New(t).NoErr(err)
		is.New(t).Equal(string(out), text)
		is.New(t).True(v.Equal(v))
	}
}

func TestMalformedValuesAreRefused(t *testing.T) {
	deep := strings.Repeat(`{"L":[`, 33) + `{"S":"x"}` + strings.Repeat(`]}`, 33)
	for text, want := range map[string]string{
		`{}`:                      "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
		`{"S":"a","N":"1"}`:       "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
		`{"NULL":false}`:          "One or more parameter values were invalid: Null attribute value types must have the value of true",
		`{"SS":[]}`:               "One or more parameter values were invalid: An string set  may not be empty",
		`{"NS":[]}`:               "One or more parameter values were invalid: An number set  may not be empty",
		`{"BS":[]}`:               "One or more parameter values were invalid: Binary sets should not be empty",
		`{"SS":["a","b","a"]}`:    "One or more parameter values were invalid: Input collection [a, b, a] contains duplicates.",
		`{"NS":["1","1.0"]}`:      "Input collection contains duplicates",
		`{"BS":["AQ==","AQ=="]}`:  "One or more parameter values were invalid: Input collection [AQ==, AQ==]of type BS contains duplicates.",
		`{"L":[{"M":{"a":{}}}]}`:  "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
		`{"M":{"a":{"N":"one"}}}`: "The parameter cannot be converted to a numeric value: one",
		deep:                      "Nesting Levels have exceeded supported limits",
	} {
		_, err := parse(text)
		is.New(t).True(err != nil) // text must be refused
		is.New(t).Equal(err.Error(), want)
	}
}

// The sizes are those of "DynamoDB item sizes and formats" in AWS's documentation.
func TestSizes(t *testing.T) {
	for text, want := range map[string]int{
		`{"S":"ä"}`: 2, `{"N":"0"}`: 1, `{"N":"123"}`: 3, `{"N":"-12"}`: 3, `{"B":"AAEC"}`: 3, `{"BOOL":true}`: 1, `{"NULL":true}`: 1, `{"SS":["ab","c"]}`: 3,
		`{"L":[]}`: 3, `{"L":[{"S":"ab"}]}`: 6, `{"M":{"k":{"S":"ab"}}}`: 7,
	} {
		v, err := parse(text)
		is.New(t).NoErr(err)
		is.New(t).Equal(v.Size(), want)
	}
	is.New(t).Equal(document.Item{"name": {Kind: document.String, Text: "x"}}.Size(), 5)
}

func FuzzDecimal(f *testing.F) {
	for _, seed := range []string{"0", "-1.5", "1e125", "+.5e-3", "e", "1e-999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := document.ParseDecimal(text)
		if err != nil {
			return
		}
		again, err := document.ParseDecimal(d.String())
		if err != nil || again != d {
			t.Fatalf("%q: %v, then %v, %v", text, d, again, err)
		}
	})
}

func FuzzValue(f *testing.F) {
	for _, seed := range []string{`{"S":"a"}`, `{"L":[{"N":"1"},{"M":{"a":{"BS":["AQ=="]}}}]}`, `{"NULL":true}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parse(text)
		if err != nil {
			return
		}
		out, err := v.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(string(out))
		if err != nil || !again.Equal(v) || again.Size() != v.Size() {
			t.Fatalf("%s became %s: %v", text, out, err)
		}
	})
}
