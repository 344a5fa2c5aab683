package pattern_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/regcast/regcast/emulator/internal/trigger/pattern"
)

// Nothing panics, and there is a reason exactly when there is no match.
func FuzzMatch(f *testing.F) {
	for _, src := range []string{
		`{"source":["aws.ecr"],"detail":{"image-tag":[{"exists":true}]}}`,
		`{"$or":[{"a":[{"wildcard":"a*\\*"}]},{"b":{"c":[{"anything-but":{"prefix":["x"]}}]}}],"d":[null,1e3,{"numeric":[">",1]}]}`,
		`{"a":[{"cidr":"10.0.0.0/8"},{"suffix":{"equals-ignore-case":"x"}},{"anything-but":[1,2]}]}`,
	} {
		f.Add([]byte(src), []byte(push))
		f.Add([]byte(src), []byte(`{"a":[[{"b":"\u0041"}],"x*",{}],"b":{"c":"y"},"d":1000}`))
	}
	f.Fuzz(func(t *testing.T, src, event []byte) {
		p, err := pattern.Parse(src)
		if err != nil {
			return
		}
		for range 2 { // what the first walk left does not change the second
			if miss := p.Match(event); miss != nil && miss.String() == "" {
				t.Fatalf("no reason: %+v", miss)
			}
		}
	})
}

// A pattern made of an event's own values matches it, and with one more field it does not.
func FuzzOwnValues(f *testing.F) {
	f.Add([]byte(push))
	f.Add([]byte(`{"a":[{"b":[1,2],"c":"\ud83d\ude00\\"},{"b":3}],"a.b":null,"":{"":false},"$or":["x"]}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		d := json.NewDecoder(bytes.NewReader(event))
		d.UseNumber()
		var v map[string]any
		if err := d.Decode(&v); err != nil || d.More() || !json.Valid(event) {
			return
		}
		own, ok := mirror(v).(map[string]any)
		if !ok {
			return
		}
		src, err := json.Marshal(own)
		if err != nil {
			t.Fatal(err)
		}
		p, err := pattern.Parse(src)
		if err != nil {
			return // too long, or a number that is too big
		}
		if why := p.Match(event); why != nil {
			t.Fatalf("%s\n%s\n%s", src, event, why)
		}
		own["\x00none"] = []any{map[string]any{"exists": true}}
		src, err = json.Marshal(own)
		if err != nil {
			t.Fatal(err)
		}
		p, err = pattern.Parse(src)
		if _, has := v["\x00none"]; err != nil || has {
			return
		}
		if p.Match(event) == nil {
			t.Fatalf("%s\n%s", src, event)
		}
	})
}

// mirror makes a pattern of a value: of an array, of its first element. nil: there is nothing in it to want.
func mirror(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if m := mirror(e); m != nil {
				out[k] = m
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		if len(v) == 0 {
			return nil
		}
		return mirror(v[0])
	}
	return []any{v}
}

// Arrays that have nothing to do with each other are not multiplied out: 30 elements in each of 9 would be 30⁹ steps.
func TestArraysStandAlone(t *testing.T) {
	var want, event bytes.Buffer
	for i := range 9 {
		fmt.Fprintf(&want, `"a%d":{"x":[1],"y":[1]},`, i)
		fmt.Fprintf(&event, `"a%d":[%s{"x":1,"y":1}],`, i, strings.Repeat(`{"x":1,"y":2},`, 29))
	}
	p := compile(t, "{"+want.String()+`"last":{"x":[1],"y":[1]}}`)
	if p.Match([]byte("{"+event.String()+`"last":[{"x":1},{"y":1}]}`)) == nil {
		t.Error("two elements were taken for one")
	}
	if why := p.Match([]byte("{" + event.String() + `"last":[{"x":1},{"y":1,"x":1}]}`)); why != nil {
		t.Error(why)
	}
}

// One pattern serves many goroutines.
func TestMatchAtOnce(t *testing.T) {
	p := compile(t, `{"detail":{"image-tag":["v1"]}}`)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			event := bytes.Replace([]byte(push), []byte(`"v1"`), []byte(`"v`+string(rune('0'+i%2))+`"`), 1)
			for range 200 {
				if why := p.Match(event); (why == nil) != (i%2 == 1) {
					t.Errorf("%d: %v", i, why)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkMatch(b *testing.B) {
	for name, src := range map[string]string{
		"match":    `{"source":["aws.ecr"],"detail-type":["ECR Image Action"],"detail":{"action-type":["PUSH"],"result":["SUCCESS"],"repository-name":[{"prefix":"team/"}],"image-tag":[{"exists":true}]}}`,
		"mismatch": `{"source":["aws.ecr"],"detail-type":["ECR Image Action"],"detail":{"repository-name":["team/other"],"image-tag":[{"wildcard":"v*.*"}]}}`,
	} {
		b.Run(name, func(b *testing.B) {
			p, event := compile(b, src), []byte(push)
			b.ReportAllocs()
			b.SetBytes(int64(len(event)))
			for b.Loop() {
				if miss := p.Match(event); (miss == nil) != (name == "match") {
					b.Fatal(miss)
				}
			}
		})
	}
}
