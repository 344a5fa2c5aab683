package recording_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

const (
	jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
	iam = "t1.9euelZqMkJ2Nx56Wm5LGnY2ems-MnQ.uT3hF0qLw7sXk2bVn8mPz5cR1yD4aE6gJ9oIiKlMnOpQrStUvWxYz0123456789"
	key = "AQVNyDuMmYsEcReTkEyFoRtEsTs0123456789abc"
	aws = "AKIAIOSFODNN7EXAMPLE"
)

var marker = regexp.MustCompile(`\[scrubbed:[0-9a-f]{8}\]`)

// told is a line with text where functions write theirs.
func told(text string) recording.Line {
	return recording.Line{Seq: 1, At: day, Invocation: &recording.Invocation{ID: "i", Function: "f", Log: []string{text}}}
}

func TestScrubText(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		// Headers as people log them.
		{"Authorization: Bearer abcdef123456", "Authorization: Bearer *"},
		{"authorization: Basic dXNlcjpwYXNz", "authorization: Basic *"},
		{"> Cookie: a=1; session=xyz\n> Accept: x", "> Cookie: *\n> Accept: x"},
		{"Set-Cookie: sid=1; HttpOnly", "Set-Cookie: *"},
		{"x-api-key: 0123abc, host: a", "x-api-key: *, host: a"},
		{`map[Authorization:[Bearer zz] Host:[a]]`, `map[Authorization:[Bearer *] Host:[a]]`},
		{"headers={'Cookie': 'a=b; c=d', 'Host': 'x'}", "headers={'Cookie': '*', 'Host': 'x'}"},
		// Queries.
		{"GET /ws?room=1&token=abc&x=2", "GET /ws?room=1&token=*&x=2"},
		{"/ws?access_token=a.b-c", "/ws?access_token=*"},
		{"https://b.s3/x?X-Amz-Credential=AK%2F2026&X-Amz-Signature=00ff&X-Amz-Security-Token=Fw%3D%3D&X-Amz-Date=1",
			"https://b.s3/x?X-Amz-Credential=*&X-Amz-Signature=*&X-Amz-Security-Token=*&X-Amz-Date=1"},
		{"?apikey=1&API_KEY=2&user[password]=3", "?apikey=*&API_KEY=*&user[password]=*"},
		{"postgres://app:hunter2@db:5432/x", "postgres://app:*@db:5432/x"},
		{"https://ghp_0123456789abcdefghijABCDEFGHIJ@github.com/x", "https://*@github.com/x"},
		// Tokens wherever they stand.
		{"got bearer abc123def456 from x", "got bearer * from x"},
		{"jwt " + jwt + " end", "jwt * end"},
		{"iam " + iam, "iam *"},
		{"key <" + key + ">", "key <*>"},
		{aws + " wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "* *"},
		{aws + " in commit 0123456789abcdef0123456789abcdef01234567", "* in commit 0123456789abcdef0123456789abcdef01234567"},
		{"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nnext", "*\nnext"},
		{"AWS4-HMAC-SHA256 Credential=AKID/2026/x, SignedHeaders=host, Signature=0f", "AWS4-HMAC-SHA256 Credential=*, SignedHeaders=host, Signature=*"},
		// JSON that is not alone, or in a string of JSON.
		{`INFO {"token":"abc","n":1}`, `INFO {"token":"*","n":1}`},
		{`INFO "{\"password\":\"a b\",\"n\":1}"`, `INFO "{\"password\":\"*\",\"n\":1}"`},
		{"{\"token\":\"a\"}\n{\"token\":\"b\"}", "{\"token\":\"*\"}\n{\"token\":\"*\"}"},
		{`{"a":{"clientSecret":"x","tokenType":"Bearer"}}`, `{"a":{"clientSecret":"*","tokenType":"Bearer"}}`},
		{`{"Authoriz\u0061tion":"x"}`, `{"Authoriz\u0061tion":"*"}`},
		{`{"headers":[{"name":"Cookie","value":"a"},{"name":"Host","value":"b"}]}`, `{"headers":[{"name":"Cookie","value":"*"},{"name":"Host","value":"b"}]}`},
		{`{"credentials":{"id":"a","keys":["b"]},"pin":1}`, `{"credentials":{"id":"*","keys":["*"]},"pin":1}`},
		{`{"password":12345,"max_tokens":4096}`, `{"password":"*","max_tokens":4096}`},
		{`{"auths":{"cr.yandex":{"auth":"aWFtOng="}}}`, `{"auths":{"cr.yandex":{"auth":"*"}}}`},
		{"DB_PASSWORD=x y", "DB_PASSWORD=* y"},
		// What is no secret.
		{"SyntaxError: Unexpected token < in JSON at position 0", ""},
		{"unexpected token: string", ""},
		{"the cookie was set, the secret kept, no password given", ""},
		{"Bearer authentication is needed; basic auth too", ""},
		{"nextToken=abc&pageToken=x", ""},
		{"author=me commit_author: you", ""},
		{"git clone ssh://git@host/x", ""},
		{"t1.micro at https://example.com/a?b=c", ""},
		{"cr.yandex/crp1/app@sha256:0123", ""},
		{"password: ${DB_PASSWORD}", ""},
		{"Token: !Ref Secret", ""},
		{`{"event_metadata":{"event_id":"x","event_type":"yandex.cloud.events.containerregistry.CreateImageTag"},"details":{"tag":"1.0"}}`, ""},
	} {
		t.Run(c.text[:min(len(c.text), 30)], func(t *testing.T) {
			is := is.New(t)
			l := told(c.text)
			shared := l.Invocation
			recording.Scrub(&l)
			got := marker.ReplaceAllString(l.Invocation.Log[0], "*")
			if c.want == "" {
				c.want = c.text
			}
			is.Equal(got, c.want)
			is.Equal(shared.Log[0], c.text) // others may read it
			again := l
			recording.Scrub(&again)
			is.Equal(again.Invocation.Log[0], l.Invocation.Log[0])
		})
	}
}

func TestScrubLine(t *testing.T) {
	is := is.New(t)
	n := 0
	next := func() string { n++; return fmt.Sprintf("s3cr3t-%02d", n) }
	payload := fmt.Appendf(nil, `{"headers":{"Cookie":"%s","X-YaCloud-SubjectToken":"%s"},"multiValueHeaders":{"X-Amz-Security-Token":["%s"]},"body":"{\"password\":\"%s\"}"}`,
		next(), next(), next(), next())
	shared := next()
	lines := []recording.Line{
		{At: day, Socket: &recording.Socket{What: recording.Opened, URL: "/ws?token=" + shared, Header: map[string][]string{
			"Authorization": {"Bearer " + next()}, "Sec-Websocket-Protocol": {"bearer, " + next()}}}},
		{At: day, Invocation: &recording.Invocation{ID: "1", Input: payload}},
		{At: day, Step: &events.Step{Data: map[string]any{"token": next(), "size": 3}}},
		{At: day, Frame: &recording.Frame{Binary: true, Data: []byte("\xff token=" + next())}},
		{At: day, Record: &events.Record{Changes: []events.Change{{}}, Events: []events.Event{{Body: json.RawMessage(`{"apiKey":"` + next() + `"}`)}}}},
		{At: day, Socket: &recording.Socket{Subprotocol: "base64url.bearer.authorization.k8s.io." + next()}},
		{At: day, Socket: &recording.Socket{Subprotocol: "graphql-transport-ws"}},
	}
	var b bytes.Buffer
	w, err := recording.NewWriter(&b, recording.Header{Created: day, Now: day, Configuration: recording.Configuration{
		Functions: []recording.CloudFunction{{ID: "f", Env: map[string]string{"DB_PASSWORD": shared, "TABLE": "wishes"}}}}})
	is.NoErr(err)
	for _, l := range lines {
		is.NoErr(w.Write(l))
		recording.Scrub(&l)
		data, err := json.Marshal(l)
		is.NoErr(err)
		is.True(!bytes.Contains(data, []byte("s3cr3t")))
	}
	is.NoErr(w.Close())
	is.True(!bytes.Contains(b.Bytes(), []byte("s3cr3t")))
	is.True(bytes.Contains(b.Bytes(), []byte("graphql-transport-ws")))
	h, got, errs := read(t, b.Bytes())
	is.Equal(len(errs), 0)
	is.Equal(len(got), len(lines))
	is.Equal(h.Configuration.Functions[0].Env["TABLE"], "wishes")
	is.True(!bytes.Contains(got[3].Frame.Data, []byte("s3cr3t")))
	is.True(bytes.HasPrefix(got[3].Frame.Data, []byte("\xff token=[scrubbed:")))
	// Equal secrets, equal markers.
	mark := strings.TrimPrefix(got[0].Socket.URL, "/ws?token=")
	is.Equal(h.Configuration.Functions[0].Env["DB_PASSWORD"], mark)
	is.True(got[0].Socket.Header["Authorization"][0] != "Bearer "+mark)
}

// What is read and written again is scrubbed where this version knows nothing either.
func TestScrubUnknown(t *testing.T) {
	is := is.New(t)
	_, lines, _ := read(t, []byte(`{"seq":1,"at":"2026-11-23T12:00:00Z","vault":{"token":"s3cr3t"}}`+"\n"))
	recording.Scrub(&lines[0])
	is.True(!strings.Contains(canon(t, lines[0]), "s3cr3t"))
}

func TestScrubKeepsURLsWhole(t *testing.T) {
	is := is.New(t)
	l := recording.Line{At: day, Socket: &recording.Socket{URL: "/ws?room=a&token=b&x=%20"}}
	recording.Scrub(&l)
	u, err := url.Parse(l.Socket.URL)
	is.NoErr(err)
	is.Equal(u.Query().Get("room"), "a")
	is.Equal(u.Query().Get("x"), " ")
	is.True(marker.MatchString(u.Query().Get("token")))
}

// places are where secrets stand.
var places = []string{
	"Authorization: Bearer %s", `{"headers":{"authorization":"Bearer %s"}}`, `{"multiValueHeaders":{"Cookie":["a","%s"]}}`,
	"/x?token=%s&a=b", "https://u:%s@host/", "password=%s", `say "{\"secret\":\"%s\"}"`, `[{"key":"X-Api-Key","value":"%s"}]`,
	"Cookie: x=%s", "bearer %s", `{"env":{"A_TOKEN":"%s"}}`, "apikey: %s",
}

func FuzzScrub(f *testing.F) {
	f.Add("before ", " after", uint8(0), uint32(1))
	f.Add("{\"", "\"}", uint8(1), uint32(7))
	f.Add("token: ", "\\", uint8(3), uint32(99))
	f.Add("a=[scrubbed:00000000]", "://", uint8(8), uint32(5))
	f.Fuzz(func(t *testing.T, before, after string, where uint8, n uint32) {
		secret := fmt.Sprintf("Zq%08xK7vW", n)
		planted := strings.Replace(places[int(where)%len(places)], "%s", secret, 1)
		for _, text := range []string{before + "\n" + planted + "\n" + after, canon(t, map[string]any{before: []string{planted}, "x": after})} {
			l := told(text)
			l.Invocation.Input = []byte(text)
			l.Invocation.Output = append([]byte{0xff}, text...)
			recording.Scrub(&l)
			data := canon(t, l)
			if strings.Contains(data, secret) || bytes.Contains(l.Invocation.Output, []byte(secret)) {
				t.Fatalf("%q: survives in %q", text, data)
			}
			again := l
			recording.Scrub(&again)
			if twice := canon(t, again); twice != data {
				t.Fatalf("%q\nonce  %s\ntwice %s", text, data, twice)
			}
		}
	})
}

func BenchmarkScrub(b *testing.B) {
	clean := `{"messages":[{"event_metadata":{"event_id":"crt0000000001","event_type":"yandex.cloud.events.containerregistry.CreateImageTag",` +
		`"created_at":"2026-11-23T12:00:00Z"},"details":{"registry_id":"crp00000000000000001","image_id":"crp00000000000000002",` +
		`"repository_name":"crp00000000000000001/team/app","tag":"1.0.0","image_digest":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}]}`
	clean = strings.Repeat(clean, 2)
	for _, c := range []struct{ name, input string }{{"clean", clean}, {"secret", clean + ` {"token":"abc"}`}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.input)))
			l := recording.Line{At: day, Invocation: &recording.Invocation{ID: "1", Function: "f", Input: []byte(c.input), Output: []byte(`"ok"`)}}
			for b.Loop() {
				once := l
				recording.Scrub(&once)
			}
		})
	}
}

// What clients make has secrets in it: variables, and specifications with them.
func TestScrubKept(t *testing.T) {
	is := is.New(t)
	l := recording.Line{Seq: 1, At: day, Kept: &recording.Kept{Name: "resource.container-revision.bba1",
		Value: json.RawMessage(`{"message":{"image":{"environment":{"DB_PASSWORD":"hunter2","REGCAST_URL":"http://127.0.0.1:9000"}}},"text":"a: b\nauthorization: Bearer abcdef123456"}`),
		Was:   json.RawMessage(`{"message":{"image":{"environment":{"DB_PASSWORD":"hunter1"}}}}`)}}
	recording.Scrub(&l)
	is.Equal(marker.ReplaceAllString(string(l.Kept.Value), "*"),
		`{"message":{"image":{"environment":{"DB_PASSWORD":"*","REGCAST_URL":"http://127.0.0.1:9000"}}},"text":"a: b\nauthorization: Bearer *"}`)
	is.Equal(marker.ReplaceAllString(string(l.Kept.Was), "*"), `{"message":{"image":{"environment":{"DB_PASSWORD":"*"}}}}`)
}
