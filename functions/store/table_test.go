package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

type value map[string]string // {"S": "…"} or {"N": "…"}
type item map[string]value

// table speaks as much of DynamoDB's wire as the store needs, and refuses everything else.
type table struct {
	url  string
	page int // items in one page of a Query

	mu        sync.Mutex
	items     map[string]item
	calls     []string // "Query repo#a", "BatchWriteItem 3"
	auth      []string
	paths     []string
	leaveOver int    // writes that the next BatchWriteItem does not take; -1: none takes any
	fail      string // partition whose Query fails
	between   func() // called before the next transaction, as somebody who is quicker
}

func newTable(t *testing.T) *table {
	b := &table{page: 1000, items: map[string]item{}}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	b.url = s.URL
	return b
}

func (b *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.auth = append(b.auth, r.Header.Get("Authorization"))
	b.paths = append(b.paths, r.URL.Path)
	answer, err := b.do(strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810."), json.NewDecoder(r.Body))
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		code := "com.amazon.coral.validate#ValidationException"
		if errors.Is(err, errCanceled) {
			code = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
		}
		answer = map[string]string{"__type": code, "message": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func name(i item) string { return i["pk"]["S"] + " " + i["sk"]["S"] }

func (b *table) do(operation string, body *json.Decoder) (any, error) {
	switch operation {
	case "GetItem":
		var in struct {
			TableName      string
			Key            item
			ConsistentRead bool
		}
		if err := body.Decode(&in); err != nil || in.TableName != "conns" || !in.ConsistentRead {
			return nil, fmt.Errorf("%+v: %v", in, err)
		}
		b.calls = append(b.calls, "GetItem "+in.Key["pk"]["S"])
		if i, ok := b.items[name(in.Key)]; ok {
			return map[string]item{"Item": i}, nil
		}
		return map[string]item{}, nil
	case "BatchWriteItem":
		return b.write(body)
	case "TransactWriteItems":
		return b.transact(body)
	case "Query":
		return b.query(body)
	}
	return nil, fmt.Errorf("operation %s", operation)
}

type write struct {
	PutRequest    *struct{ Item item }
	DeleteRequest *struct{ Key item }
}

func (b *table) write(body *json.Decoder) (any, error) {
	var in struct{ RequestItems map[string][]json.RawMessage }
	if err := body.Decode(&in); err != nil {
		return nil, err
	}
	requests := in.RequestItems["conns"]
	b.calls = append(b.calls, fmt.Sprintf("BatchWriteItem %d", len(requests)))
	if len(requests) == 0 || len(requests) > 25 || len(in.RequestItems) != 1 {
		return nil, fmt.Errorf("%d requests", len(requests))
	}
	seen := map[string]bool{}
	left := requests
	if b.leaveOver >= 0 {
		left = requests[len(requests)-min(b.leaveOver, len(requests)):]
		b.leaveOver = 0
	}
	for _, raw := range requests[:len(requests)-len(left)] {
		var r write
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, err
		}
		var key item
		if r.PutRequest != nil {
			key = r.PutRequest.Item
			b.items[name(key)] = key
		} else {
			key = r.DeleteRequest.Key
			delete(b.items, name(key))
		}
		if seen[name(key)] {
			return nil, fmt.Errorf("%s twice in one request", name(key))
		}
		seen[name(key)] = true
	}
	if len(left) > 0 {
		return map[string]any{"UnprocessedItems": map[string]any{"conns": left}}, nil
	}
	return map[string]any{}, nil
}

var errCanceled = errors.New("the condition does not hold")

func (b *table) transact(body *json.Decoder) (any, error) {
	var in struct {
		TransactItems []struct {
			Put *struct {
				TableName                 string
				Item                      item
				ConditionExpression       string
				ExpressionAttributeValues item
			}
			Delete *struct {
				TableName string
				Key       item
			}
		}
	}
	if err := body.Decode(&in); err != nil {
		return nil, err
	}
	b.calls = append(b.calls, fmt.Sprintf("TransactWriteItems %d", len(in.TransactItems)))
	if b.between != nil {
		b.between()
		b.between = nil
	}
	for _, i := range in.TransactItems {
		if i.Put == nil {
			continue
		}
		have, there := b.items[name(i.Put.Item)]
		switch i.Put.ConditionExpression {
		case "":
		case "wish = :before":
			if !there || have["wish"]["S"] != i.Put.ExpressionAttributeValues[":before"]["S"] {
				return nil, errCanceled
			}
		case "attribute_not_exists(pk)":
			if there {
				return nil, errCanceled
			}
		default:
			return nil, fmt.Errorf("condition %s", i.Put.ConditionExpression)
		}
	}
	for _, i := range in.TransactItems {
		if i.Put != nil {
			b.items[name(i.Put.Item)] = i.Put.Item
		} else {
			delete(b.items, name(i.Delete.Key))
		}
	}
	return map[string]any{}, nil
}

func (b *table) query(body *json.Decoder) (any, error) {
	var in struct {
		TableName, KeyConditionExpression, FilterExpression, ProjectionExpression string
		ExpressionAttributeNames                                                  map[string]string
		ExpressionAttributeValues                                                 item
		ExclusiveStartKey                                                         item
	}
	if err := body.Decode(&in); err != nil || in.KeyConditionExpression != "pk = :pk" || in.FilterExpression != "#ttl > :now" ||
		in.ProjectionExpression != "sk, wish, since" || in.ExpressionAttributeNames["#ttl"] != "ttl" {
		return nil, fmt.Errorf("%+v: %v", in, err)
	}
	pk := in.ExpressionAttributeValues[":pk"]["S"]
	b.calls = append(b.calls, "Query "+pk)
	if pk == b.fail {
		return nil, fmt.Errorf("no such luck")
	}
	var page []item
	var last item
	for _, key := range slices.Sorted(maps.Keys(b.items)) {
		i := b.items[key]
		if i["pk"]["S"] != pk || in.ExclusiveStartKey != nil && i["sk"]["S"] <= in.ExclusiveStartKey["sk"]["S"] {
			continue
		}
		if len(page) == b.page {
			return map[string]any{"Items": page, "LastEvaluatedKey": last}, nil
		}
		last = item{"pk": i["pk"], "sk": i["sk"]}
		if number(i["ttl"]) > number(in.ExpressionAttributeValues[":now"]) {
			page = append(page, item{"sk": i["sk"], "wish": i["wish"], "since": i["since"]})
		}
	}
	return map[string]any{"Items": page}, nil
}

func number(v value) int {
	n, err := strconv.Atoi(v["N"])
	if err != nil {
		panic(err)
	}
	return n
}

// rows are the keys in the table.
func (b *table) rows() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.items))
}

// did returns the calls since the last time.
func (b *table) did() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := b.calls
	b.calls = nil
	slices.Sort(calls)
	return calls
}
