package store_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/functions/store"
	"github.com/regcast/regcast/functions/wish"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// moved is a clock that stands still until it is moved.
type moved struct{ at time.Time }

func (m *moved) now() time.Time { return m.at }

func newStore(t *testing.T, b *table, change func(*store.Options)) (*store.Store, *moved) {
	clock := &moved{time.Unix(1_790_000_000, 0)}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	o := store.Options{Table: "conns", Endpoint: b.url, Region: "eu-west-1", Transport: transport, TTL: 130 * time.Minute, Now: clock.now,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
		})}
	if change != nil {
		change(&o)
	}
	return store.New(o), clock
}

func parse(t *testing.T, s string) wish.Wish {
	t.Helper()
	w, err := wish.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// found are the candidates' ids in order.
func found(t *testing.T, s *store.Store, repositories ...string) []string {
	t.Helper()
	connections, err := s.Candidates(t.Context(), repositories)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, c := range connections {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestRows(t *testing.T) {
	is := is.New(t)
	b := newTable(t)
	s, clock := newStore(t, b, nil)
	is.NoErr(s.Add(t.Context(), "one", parse(t, "image=team/app,team/*,infra/*,crpmine/ubuntu&tag=v*")))
	is.Equal(b.rows(), []string{"conn#one wish", "patterns one", "repo#team/app one", "repo#ubuntu one"})
	is.Equal(b.did(), []string{"BatchWriteItem 4"}) // a connect is one request
	for _, i := range b.items {
		is.Equal(number(i["ttl"]), int(clock.at.Unix())+130*60)
		is.Equal(i["wish"]["S"], "image=crpmine%2Fubuntu%2Cinfra%2F%2A%2Cteam%2F%2A%2Cteam%2Fapp&tag=v%2A")
	}
	is.True(strings.HasPrefix(b.auth[0], "AWS4-HMAC-SHA256 Credential=AKID/"))

	is.NoErr(s.Change(t.Context(), "one", parse(t, "image=other,team/app")))
	is.Equal(b.rows(), []string{"conn#one wish", "repo#other one", "repo#team/app one"})
	is.Equal(b.items["repo#team/app one"]["wish"]["S"], "image=other%2Cteam%2Fapp")
	is.Equal(b.did(), []string{"GetItem conn#one", "TransactWriteItems 5"})

	is.NoErr(s.Add(t.Context(), "two", wish.Wish{}))
	is.NoErr(s.Remove(t.Context(), "one"))
	is.Equal(b.rows(), []string{"conn#two wish", "patterns two"})
	is.NoErr(s.Remove(t.Context(), "one")) // again
	is.NoErr(s.Change(t.Context(), "three", wish.Wish{}))
	is.Equal(len(b.rows()), 4) // a change of what is not there adds it
}

// Of two changes at once the later one wins whole: no row is left of what the other one wrote.
func TestChangesOverlap(t *testing.T) {
	is := is.New(t)
	b := newTable(t)
	s, _ := newStore(t, b, nil)
	is.NoErr(s.Add(t.Context(), "one", parse(t, "image=a")))
	b.did()
	b.between = func() { // the other one, image=b, is done between reading and writing
		delete(b.items, "repo#a one")
		b.items["repo#b one"] = item{"pk": {"S": "repo#b"}, "sk": {"S": "one"}, "wish": {"S": "image=b"}}
		b.items["conn#one wish"] = item{"pk": {"S": "conn#one"}, "sk": {"S": "wish"}, "wish": {"S": "image=b"}}
	}
	is.NoErr(s.Change(t.Context(), "one", parse(t, "image=c")))
	is.Equal(b.rows(), []string{"conn#one wish", "repo#c one"})
	is.Equal(b.did(), []string{"GetItem conn#one", "GetItem conn#one", "TransactWriteItems 3", "TransactWriteItems 3"})
}

// A push costs one Query a page of its repository and of the patterns, whatever else is in the table.
func TestCandidates(t *testing.T) {
	is := is.New(t)
	b := newTable(t)
	b.page = 10
	s, _ := newStore(t, b, nil)
	for i := range 25 {
		is.NoErr(s.Add(t.Context(), fmt.Sprintf("app%02d", i), parse(t, "image=team/app")))
		is.NoErr(s.Add(t.Context(), fmt.Sprintf("other%02d", i), parse(t, fmt.Sprintf("image=other%d", i))))
	}
	is.NoErr(s.Add(t.Context(), "all", wish.Wish{}))
	is.NoErr(s.Add(t.Context(), "both", parse(t, "image=team/app,team/*")))
	b.did()

	ids := found(t, s, "team/app", "team/app")
	is.Equal(len(ids), 27) // "both" once, though two partitions have it
	is.Equal(ids[25:], []string{"app24", "both"})
	is.Equal(b.did(), []string{"Query patterns", "Query repo#team/app", "Query repo#team/app", "Query repo#team/app"})

	is.Equal(found(t, s, "crp12345678901234567/other3", "other4"), []string{"all", "both", "other03", "other04"})
	is.Equal(b.did(), []string{"Query patterns", "Query repo#other3", "Query repo#other4"})
}

func TestRegistryIDs(t *testing.T) {
	for image, repository := range map[string]string{
		"ubuntu":              "crpmine/ubuntu",
		"crpmine/ubuntu":      "crpmine/ubuntu",
		"crpteam/app":         "crpmine/crpteam/app",
		"crpmine/crpteam/app": "crpmine/crpteam/app",
		"crp":                 "crpmine/crp",
		"team/app":            "team/app",
	} {
		is := is.New(t)
		b := newTable(t)
		s, _ := newStore(t, b, nil)
		is.NoErr(s.Add(t.Context(), "one", wish.Wish{Images: []string{image}}))
		is.Equal(found(t, s, repository), []string{"one"}) // whether the wish has the registry's id or not
	}
}

func TestStaleRows(t *testing.T) {
	is := is.New(t)
	b := newTable(t)
	s, clock := newStore(t, b, nil)
	is.NoErr(s.Add(t.Context(), "old", wish.Wish{}))
	clock.at = clock.at.Add(130*time.Minute - time.Second)
	is.NoErr(s.Add(t.Context(), "new", wish.Wish{}))
	is.Equal(found(t, s), []string{"new", "old"})
	clock.at = clock.at.Add(time.Second)
	is.Equal(found(t, s), []string{"new"}) // the table has not deleted it yet
	is.Equal(len(b.rows()), 4)

	connections, err := s.Candidates(t.Context(), nil)
	is.NoErr(err)
	is.Equal(connections, []store.Connection{{ID: "new", Wish: "", Since: clock.at.Add(-time.Second)}})
}

func TestForget(t *testing.T) {
	is := is.New(t)
	b := newTable(t)
	s, _ := newStore(t, b, nil)
	for i := range 20 {
		is.NoErr(s.Add(t.Context(), fmt.Sprintf("c%02d", i), parse(t, "image=team/app,team/*")))
	}
	gone, err := s.Candidates(t.Context(), []string{"team/app"})
	is.NoErr(err)
	b.did()
	b.leaveOver = 7
	is.NoErr(s.Forget(t.Context(), gone[1:]))
	is.Equal(len(b.rows()), 3)
	is.Equal(b.did(), []string{"BatchWriteItem 25", "BatchWriteItem 25", "BatchWriteItem 7", "BatchWriteItem 7"}) // no read, and what was left over again
}

func TestMostPatterns(t *testing.T) {
	is := is.New(t)
	b := newTable(t)
	s, _ := newStore(t, b, nil)
	var images []string
	for i := range wish.MaxPatterns {
		images = append(images, fmt.Sprintf("image-%d", i))
	}
	w, err := wish.New(images, nil, nil)
	is.NoErr(err)
	is.NoErr(s.Add(t.Context(), "one", w))
	is.Equal(b.did(), []string{"BatchWriteItem 21"})
}

func TestThrottledTable(t *testing.T) {
	is := is.New(t)
	b := newTable(t)
	var waits []time.Duration
	s, _ := newStore(t, b, func(o *store.Options) {
		o.Wait = func(ctx context.Context, d time.Duration) error {
			waits = append(waits, d)
			return ctx.Err()
		}
	})
	b.leaveOver = 1
	is.NoErr(s.Add(t.Context(), "one", wish.Wish{}))
	is.Equal(len(b.rows()), 2)
	is.Equal(b.did(), []string{"BatchWriteItem 1", "BatchWriteItem 2"})
	is.Equal(waits, []time.Duration{50 * time.Millisecond})

	b.leaveOver = -1
	err := s.Add(t.Context(), "two", wish.Wish{})
	is.Equal(err.Error(), "store: add two: the table did not take every row, nor when asked again: it is throttled")
	is.Equal(len(b.did()), 4)
	is.Equal(waits[1:], []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond})
}

func TestQueryFails(t *testing.T) {
	is := is.New(t)
	b := newTable(t)
	s, _ := newStore(t, b, nil)
	b.fail = "repo#b"
	_, err := s.Candidates(t.Context(), []string{"a", "b", "c"})
	is.True(err != nil)
	is.True(strings.HasPrefix(err.Error(), "store: query repo#b: "))
	is.True(strings.Contains(err.Error(), "no such luck"))
}

// YDB's Document API: an endpoint with a path, and a bearer token where there is no static key.
func TestDocumentAPI(t *testing.T) {
	is := is.New(t)
	b := newTable(t)
	s, _ := newStore(t, b, func(o *store.Options) {
		o.Endpoint = b.url + "/ru-central1/b1g0/etn0"
		o.Region = "ru-central1"
		o.Credentials = nil
		o.Token = func(context.Context) (string, error) { return "t1.a.b", nil }
	})
	is.NoErr(s.Add(t.Context(), "one", wish.Wish{}))
	is.Equal(found(t, s), []string{"one"})
	is.Equal(b.auth, []string{"Bearer t1.a.b", "Bearer t1.a.b"})
	for _, path := range b.paths {
		is.Equal(strings.TrimRight(path, "/"), "/ru-central1/b1g0/etn0")
	}
}
