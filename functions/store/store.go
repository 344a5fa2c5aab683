// Package store keeps which connection wants what, in one table behind the DynamoDB API: AWS's own, or YDB's Document API.
//
// The table has a string partition key "pk", a string sort key "sk" and the TTL attribute "ttl" (epoch seconds). A connection has
//
//	pk repo#team/app  sk <connection>   one row for each repository that its wish names
//	pk patterns       sk <connection>   one row if its wish has a pattern among its images, or no image (all)
//	pk conn#<id>      sk wish           one row to find the others by
//
// Every row carries the whole wish. So an event in a repository costs one Query a page of the repository's own partition, and a batch
// one Query a page of the patterns, whatever else is in the table; and all rows of a connection follow from any one of them, so that
// they go without an index and without a Scan. See docs/adr/0013-wishes-table.md.
package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/regcast/regcast/functions/wish"
)

// Options say where the table is. Table, Region and one of Credentials and Token are needed.
type Options struct {
	Table    string
	Endpoint string // empty: AWS's own by Region. A path is kept: YDB's endpoints have one
	Region   string
	// Credentials sign requests (SigV4). When nil, Token's bearer token goes along instead.
	Credentials aws.CredentialsProvider
	Token       func(context.Context) (string, error)
	Transport   http.RoundTripper                          // nil: http.DefaultTransport
	TTL         time.Duration                              // life of a row; longer than a connection can live. Zero: 2 h 10 min
	Now         func() time.Time                           // nil: time.Now
	Wait        func(context.Context, time.Duration) error // nil: a timer
}

// Store reads and writes rows. It is safe for concurrent use.
type Store struct {
	table  string
	ttl    time.Duration
	now    func() time.Time
	wait   func(context.Context, time.Duration) error
	client *dynamodb.Client
}

// Connection is one connection as its rows tell of it.
type Connection struct {
	ID    string
	Wish  string    // as wish.Wish.String wrote it
	Since time.Time // when the rows were written, in whole seconds
}

// New makes a Store. It makes no request.
func New(o Options) *Store {
	if o.TTL == 0 {
		o.TTL = 2*time.Hour + 10*time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Credentials == nil {
		o.Credentials = aws.AnonymousCredentials{}
		o.Transport = bearer{o.Token, o.Transport}
	}
	options := dynamodb.Options{Region: o.Region, Credentials: o.Credentials, HTTPClient: &http.Client{Transport: o.Transport}}
	if o.Endpoint != "" {
		options.BaseEndpoint = &o.Endpoint
	}
	return &Store{table: o.Table, ttl: o.TTL, now: o.Now, wait: o.Wait, client: dynamodb.New(options)}
}

// bearer sends a token where the SDK was told not to sign.
type bearer struct {
	token func(context.Context) (string, error)
	next  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := b.token(r.Context())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return b.next.RoundTrip(r)
}

const (
	patterns   = "patterns"
	ownSort    = "wish"
	writeLimit = 25 // items in one BatchWriteItem
)

func own(connection string) key { return key{"conn#" + connection, ownSort} }

type key struct{ pk, sk string }

func (k key) item() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": text(k.pk), "sk": text(k.sk)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func seconds(t time.Time) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(t.Unix(), 10)}
}

// partition is where an image, or an event's repository, is looked for. Yandex puts the registry's id (crp…) before the repository's
// name and a wish may or may not have it, so ids at the front are left out on both sides; the wish itself is what decides.
func partition(image string) string {
	if wish.IsPattern(image) {
		return patterns
	}
	for strings.HasPrefix(image, "crp") {
		_, rest, nested := strings.Cut(image, "/")
		if !nested {
			break
		}
		image = rest
	}
	return "repo#" + image
}

// keys are those of all rows of a connection with a wish.
func keys(connection string, w wish.Wish) []key {
	rows := []key{own(connection)}
	if len(w.Images) == 0 {
		return append(rows, key{patterns, connection})
	}
	for _, image := range w.Images {
		if k := (key{partition(image), connection}); !slices.Contains(rows, k) {
			rows = append(rows, k)
		}
	}
	return rows
}

// Add writes down what a new connection wants.
func (s *Store) Add(ctx context.Context, connection string, w wish.Wish) error {
	if err := s.write(ctx, s.puts(connection, w)); err != nil {
		return fmt.Errorf("store: add %s: %w", connection, err)
	}
	return nil
}

// Change replaces what a connection wants, all rows at once. Of changes that overlap one wins as a whole.
func (s *Store) Change(ctx context.Context, connection string, w wish.Wish) error {
	const attempts = 5
	var err error
	for range attempts {
		var before wish.Wish
		var found bool
		if before, found, err = s.wish(ctx, connection); err != nil {
			break
		}
		err = s.replace(ctx, connection, before, found, w)
		if overlapped := (*types.TransactionCanceledException)(nil); !errors.As(err, &overlapped) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("store: change %s: %w", connection, err)
	}
	return nil
}

// replace does so if the rows are still those of before.
func (s *Store) replace(ctx context.Context, connection string, before wish.Wish, found bool, w wish.Wish) error {
	var items []types.TransactWriteItem
	for _, put := range s.puts(connection, w) {
		items = append(items, types.TransactWriteItem{Put: &types.Put{TableName: &s.table, Item: put.PutRequest.Item}})
	}
	first := items[0].Put // the connection's own row
	if found {
		first.ConditionExpression = aws.String("wish = :before")
		first.ExpressionAttributeValues = map[string]types.AttributeValue{":before": text(before.String())}
		kept := keys(connection, w)
		for _, k := range keys(connection, before) {
			if !slices.Contains(kept, k) {
				items = append(items, types.TransactWriteItem{Delete: &types.Delete{TableName: &s.table, Key: k.item()}})
			}
		}
	} else {
		first.ConditionExpression = aws.String("attribute_not_exists(pk)")
	}
	_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
	return err
}

// Remove deletes every row of a connection. One that is not there is no error.
func (s *Store) Remove(ctx context.Context, connection string) error {
	w, found, err := s.wish(ctx, connection)
	if err == nil && found {
		rows := keys(connection, w)
		slices.Reverse(rows) // the row that names the others goes last, so that an interrupted Remove can be repeated
		err = s.write(ctx, deletes(rows))
	}
	if err != nil {
		return fmt.Errorf("store: remove %s: %w", connection, err)
	}
	return nil
}

// Forget deletes every row of connections that Candidates has returned.
func (s *Store) Forget(ctx context.Context, gone []Connection) error {
	var rows []key
	for _, c := range gone {
		w, err := wish.Parse(c.Wish)
		if err != nil {
			return fmt.Errorf("store: forget %s: %w", c.ID, err)
		}
		rows = append(rows, keys(c.ID, w)...)
	}
	if err := s.write(ctx, deletes(rows)); err != nil {
		return fmt.Errorf("store: forget: %w", err)
	}
	return nil
}

func (s *Store) wish(ctx context.Context, connection string) (wish.Wish, bool, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: own(connection).item(), ConsistentRead: aws.Bool(true)})
	if err != nil || out.Item == nil {
		return wish.Wish{}, false, err
	}
	w, err := wish.Parse(str(out.Item["wish"]))
	return w, err == nil, err
}

func (s *Store) puts(connection string, w wish.Wish) []types.WriteRequest {
	now := s.now()
	var requests []types.WriteRequest
	for _, k := range keys(connection, w) {
		item := k.item()
		item["wish"], item["since"], item["ttl"] = text(w.String()), seconds(now), seconds(now.Add(s.ttl))
		requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
	}
	return requests
}

func deletes(rows []key) []types.WriteRequest {
	requests := make([]types.WriteRequest, len(rows))
	for i, k := range rows {
		requests[i].DeleteRequest = &types.DeleteRequest{Key: k.item()}
	}
	return requests
}

var errUnprocessed = errors.New("the table did not take every row, nor when asked again: it is throttled")

// write sends what the table takes at once, and asks again for what it left over.
func (s *Store) write(ctx context.Context, requests []types.WriteRequest) error {
	const attempts = 4
	for part := range slices.Chunk(requests, writeLimit) {
		for attempt := 1; ; attempt++ {
			out, err := s.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{s.table: part}})
			if err != nil {
				return err
			}
			if part = out.UnprocessedItems[s.table]; len(part) == 0 {
				break
			}
			if attempt == attempts {
				return errUnprocessed
			}
			if err := s.wait(ctx, 25*time.Millisecond<<attempt); err != nil {
				return err
			}
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
