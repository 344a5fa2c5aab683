package dynamodb

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

type transactWriteRequest struct {
	TransactItems []struct {
		ConditionCheck, Put, Delete, Update *writeRequest
	}
	ClientRequestToken          string
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}

func (d *DB) transactWrite(r *transactWriteRequest) (any, error) {
	var c constraints
	checkCount(&c, r.TransactItems == nil, len(r.TransactItems))
	c.capacity(r.ReturnConsumedCapacity)
	c.oneOf(r.ReturnItemCollectionMetrics, "returnItemCollectionMetrics", "SIZE", "NONE")
	if err := c.err(); err != nil {
		return nil, err
	}
	writes := make([]*write, len(r.TransactItems))
	var tables []*table
	seen := map[string]bool{}
	for i, in := range r.TransactItems {
		var verb string
		var request *writeRequest
		parts := 0
		for _, part := range []struct {
			verb    string
			request *writeRequest
		}{{checkVerb, in.ConditionCheck}, {putVerb, in.Put}, {deleteVerb, in.Delete}, {updateVerb, in.Update}} {
			if part.request != nil {
				verb, request = part.verb, part.request
				parts++
			}
		}
		if parts != 1 {
			return nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
		}
		w, err := d.prepare(verb, request)
		if err != nil {
			return nil, err
		}
		if verb == updateVerb && w.update == nil {
			c.notNull(false, "transactItems.update.updateExpression")
			return nil, c.err()
		}
		item := w.table.spec.Name + "/" + w.at
		if seen[item] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[item] = true
		writes[i] = w
		tables = append(tables, w.table)
	}
	now := d.now()
	for _, t := range inOrder(tables) {
		t.lock(now)
		defer t.mu.Unlock()
	}
	next := make([]document.Item, len(writes))
	reasons := make([]reason, len(writes))
	failed := false
	var costs bill
	for i, w := range writes {
		old, made, err := w.plan()
		next[i] = made
		if reasons[i] = reasonOf(err); err != nil {
			failed = true
			continue
		}
		costs.add(w.cost(old, made, 2))
	}
	if failed {
		return nil, cancelled(reasons)
	}
	for i, w := range writes {
		if w.verb != checkVerb {
			w.table.put(w.at, next[i], now)
		}
	}
	return struct {
		ConsumedCapacity []*capacity `json:",omitempty"`
	}{costs.as(r.ReturnConsumedCapacity)}, nil
}

func checkCount(c *constraints, missing bool, n int) {
	switch {
	case missing:
		c.notNull(false, "transactItems")
	case n < 1:
		c.fail("'[]'", "transactItems", "Member must have length greater than or equal to 1")
	case n > maxTransact:
		c.fail("'[…]'", "transactItems", "Member must have length less than or equal to 100")
	}
}

// inOrder are the tables once each, in the order of names: who locks several locks them so.
func inOrder(tables []*table) []*table {
	slices.SortFunc(tables, func(a, b *table) int { return strings.Compare(a.id, b.id) })
	return slices.Compact(tables)
}

func reasonOf(err error) reason {
	if err == nil {
		return reason{Code: "None"}
	}
	e := asError(err)
	if e.Type == "ConditionalCheckFailedException" {
		return reason{Code: "ConditionalCheckFailed", Message: e.Message, Item: e.item}
	}
	return reason{Code: "ValidationError", Message: e.Message}
}

func cancelled(reasons []reason) error {
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	return &refusal{Type: "TransactionCanceledException", reasons: reasons,
		Message: "Transaction cancelled, please refer cancellation reasons for specific reasons [" + strings.Join(codes, ", ") + "]"}
}

type transactGetRequest struct {
	TransactItems          []struct{ Get *getRequest }
	ReturnConsumedCapacity string
}

type transactGetAnswer struct {
	Responses        []map[string]document.Item
	ConsumedCapacity []*capacity `json:",omitempty"`
}

func (d *DB) transactGet(r *transactGetRequest) (any, error) {
	var c constraints
	checkCount(&c, r.TransactItems == nil, len(r.TransactItems))
	c.capacity(r.ReturnConsumedCapacity)
	for _, in := range r.TransactItems {
		c.notNull(in.Get != nil, "transactItems.member.get")
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	gets := make([]*get, len(r.TransactItems))
	var tables []*table
	seen := map[string]bool{}
	for i, in := range r.TransactItems {
		g, err := d.prepareGet(in.Get)
		if err != nil {
			return nil, err
		}
		item := g.table.spec.Name + "/" + g.at
		if seen[item] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[item] = true
		gets[i] = g
		tables = append(tables, g.table)
	}
	now := d.now()
	for _, t := range inOrder(tables) {
		t.rlock(now)
		defer t.mu.RUnlock()
	}
	var answer transactGetAnswer
	var costs bill
	for _, g := range gets {
		item, part := g.read()
		out := map[string]document.Item{}
		if item != nil {
			out["Item"] = part
		}
		answer.Responses = append(answer.Responses, out)
		cost := newCapacity(g.table)
		cost.charge(nil, 2*readUnits(item.Size(), true))
		costs.add(cost)
	}
	answer.ConsumedCapacity = costs.as(r.ReturnConsumedCapacity)
	return answer, nil
}

const (
	tokenLife = 10 * time.Minute
	maxTokens = 10_000 // beyond that the oldest are forgotten
)

// tokens remember the transactions of the last minutes, so that one sent twice is done once. The zero value is usable.
type tokens struct {
	mu    sync.Mutex
	known map[string]done
	order []string
}

type done struct {
	sum   [sha256.Size]byte
	until time.Time
}

// tokenOf is a request's token and what stands for its parameters, in whatever order an SDK wrote them.
func tokenOf(body []byte) (token string, sum [sha256.Size]byte) {
	var in map[string]any
	if json.Unmarshal(body, &in) != nil {
		return "", sum
	}
	token, _ = in["ClientRequestToken"].(string)
	sorted, _ := json.Marshal(in) // what was JSON can be JSON
	return token, sha256.Sum256(sorted)
}

// once does a transaction unless one with its token has been done.
func (d *DB) once(body []byte, do operation) (any, error) {
	token, sum := tokenOf(body)
	if token == "" {
		return do(body)
	}
	d.tokens.mu.Lock()
	defer d.tokens.mu.Unlock()
	now := d.now()
	d.tokens.forget(now)
	if before, known := d.tokens.known[token]; known {
		if before.sum != sum {
			return nil, &refusal{Type: "IdempotentParameterMismatchException",
				Message: "Request parameters do not match the parameters of an earlier request with the same client request token"}
		}
		return struct{}{}, nil
	}
	answer, err := do(body)
	if err == nil {
		if d.tokens.known == nil {
			d.tokens.known = map[string]done{}
		}
		d.tokens.known[token] = done{sum, now.Add(tokenLife)}
		d.tokens.order = append(d.tokens.order, token)
	}
	return answer, err
}

func (t *tokens) forget(now time.Time) {
	for len(t.order) > 0 && (len(t.order) >= maxTokens || !now.Before(t.known[t.order[0]].until)) {
		delete(t.known, t.order[0])
		t.order = t.order[1:]
	}
}
