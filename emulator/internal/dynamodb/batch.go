package dynamodb

import (
	"maps"
	"slices"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// Limits of batches and transactions.
const (
	maxBatchGet   = 100
	maxBatchWrite = 25
	maxTransact   = 100
)

type keysAndAttributes struct {
	Keys                     []document.RawItem
	ConsistentRead           bool
	ProjectionExpression     *string
	ExpressionAttributeNames map[string]string
	legacy
}

type batchGetRequest struct {
	RequestItems           map[string]*keysAndAttributes
	ReturnConsumedCapacity string
}

type batchGetAnswer struct {
	Responses        map[string][]document.Item
	UnprocessedKeys  map[string]unprocessed
	ConsumedCapacity []*capacity `json:",omitempty"`
}

// unprocessed is what of a request for keys is left over, in its own form.
type unprocessed struct {
	Keys                     []document.Item
	ConsistentRead           bool              `json:",omitempty"`
	ProjectionExpression     *string           `json:",omitempty"`
	ExpressionAttributeNames map[string]string `json:",omitempty"`
}

func (d *DB) batchGet(r *batchGetRequest) (any, error) {
	names := slices.Sorted(maps.Keys(r.RequestItems))
	if err := r.check(names); err != nil {
		return nil, err
	}
	type wanted struct {
		*get
		name string // as the request has it
		key  document.Item
	}
	var all []wanted
	for _, name := range names {
		in := r.RequestItems[name]
		seen := map[string]bool{}
		for _, raw := range in.Keys {
			g, err := d.prepareGet(&getRequest{TableName: &name, Key: raw, ProjectionExpression: in.ProjectionExpression,
				ExpressionAttributeNames: in.ExpressionAttributeNames})
			if err != nil {
				return nil, err
			}
			if seen[g.at] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[g.at] = true
			key, _ := raw.Item()
			all = append(all, wanted{get: g, name: name, key: key})
		}
	}
	answer := batchGetAnswer{Responses: map[string][]document.Item{}, UnprocessedKeys: map[string]unprocessed{}}
	var costs bill
	now, bytes := d.now(), 0
	for _, w := range all {
		in := r.RequestItems[w.name]
		w.table.rlock(now)
		item, part := w.read()
		w.table.mu.RUnlock()
		if bytes += item.Size(); bytes > maxAnswer {
			left := answer.UnprocessedKeys[w.name]
			answer.UnprocessedKeys[w.name] = unprocessed{append(left.Keys, w.key), in.ConsistentRead, in.ProjectionExpression, in.ExpressionAttributeNames}
			continue
		}
		if answer.Responses[w.name] == nil {
			answer.Responses[w.name] = []document.Item{}
		}
		if item != nil {
			answer.Responses[w.name] = append(answer.Responses[w.name], part)
		}
		costs.add(w.table.readCost(item.Size(), in.ConsistentRead))
	}
	answer.ConsumedCapacity = costs.as(r.ReturnConsumedCapacity)
	return answer, nil
}

func (r *batchGetRequest) check(names []string) error {
	var c constraints
	c.capacity(r.ReturnConsumedCapacity)
	c.notNull(r.RequestItems != nil, "requestItems")
	if r.RequestItems != nil && len(names) == 0 {
		c.fail("'{}'", "requestItems", "Member must have length greater than or equal to 1")
	}
	count := 0
	for _, name := range names {
		in := r.RequestItems[name]
		if in == nil || in.Keys == nil {
			c.fail("null", "requestItems."+name+".member.keys", "Member must not be null")
			continue
		}
		if err := in.refuse("BatchGetItem"); err != nil {
			return err
		}
		if n := len(in.Keys); n < 1 {
			c.fail("'[]'", "requestItems."+name+".member.keys", "Member must have length greater than or equal to 1")
		} else if n > maxBatchGet {
			c.fail("'[…]'", "requestItems."+name+".member.keys", "Member must have length less than or equal to 100")
		}
		count += len(in.Keys)
	}
	if err := c.err(); err != nil {
		return err
	}
	if count > maxBatchGet {
		return invalid("Too many items requested for the BatchGetItem call")
	}
	return nil
}

type batchWriteRequest struct {
	RequestItems map[string][]struct {
		PutRequest    *struct{ Item document.RawItem }
		DeleteRequest *struct{ Key document.RawItem }
	}
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}

func (d *DB) batchWrite(r *batchWriteRequest) (any, error) {
	names := slices.Sorted(maps.Keys(r.RequestItems))
	if err := r.check(names); err != nil {
		return nil, err
	}
	var writes []*write
	for _, name := range names {
		seen := map[string]bool{}
		for _, in := range r.RequestItems[name] {
			verb, request := putVerb, &writeRequest{TableName: &name}
			switch {
			case in.PutRequest != nil && in.DeleteRequest == nil:
				request.Item = in.PutRequest.Item
			case in.DeleteRequest != nil && in.PutRequest == nil:
				verb, request.Key = deleteVerb, in.DeleteRequest.Key
			default:
				return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			}
			w, err := d.prepare(verb, request)
			if err != nil {
				if asError(err).key { // a batch words this as for other keys
					err = invalid("The provided key element does not match the schema")
				}
				return nil, err
			}
			if seen[w.at] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[w.at] = true
			writes = append(writes, w)
		}
	}
	var costs bill
	now := d.now()
	for _, w := range writes {
		old, next, err := w.do(now)
		if err != nil {
			return nil, err
		}
		costs.add(w.cost(old, next, 1))
	}
	answer := map[string]any{"UnprocessedItems": map[string]any{}}
	if list := costs.as(r.ReturnConsumedCapacity); list != nil {
		answer["ConsumedCapacity"] = list
	}
	return answer, nil
}

func (r *batchWriteRequest) check(names []string) error {
	var c constraints
	c.capacity(r.ReturnConsumedCapacity)
	c.oneOf(r.ReturnItemCollectionMetrics, "returnItemCollectionMetrics", "SIZE", "NONE")
	c.notNull(r.RequestItems != nil, "requestItems")
	if r.RequestItems != nil && len(names) == 0 {
		c.fail("'{}'", "requestItems", "Member must have length greater than or equal to 1")
	}
	count := 0
	for _, name := range names {
		n := len(r.RequestItems[name])
		if n < 1 || n > maxBatchWrite {
			c.fail("'{"+name+"=[…]}'", "requestItems",
				"Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]")
		}
		count += n
	}
	if err := c.err(); err != nil {
		return err
	}
	if count > maxBatchWrite {
		return invalid("Too many items requested for the BatchWriteItem call")
	}
	return nil
}
