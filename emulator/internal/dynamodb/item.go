package dynamodb

import (
	"time"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
	"github.com/regcast/regcast/emulator/internal/dynamodb/expression"
)

// The verbs of a write.
const (
	putVerb    = "Put"
	deleteVerb = "Delete"
	updateVerb = "Update"
	checkVerb  = "ConditionCheck"
)

// writeRequest is what a write asks for, alone or in a transaction.
type writeRequest struct {
	TableName                           *string
	Item                                document.RawItem // of a put
	Key                                 document.RawItem // of the others
	ConditionExpression                 *string
	UpdateExpression                    *string
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	ReturnConsumedCapacity              string
	ReturnItemCollectionMetrics         string
	placeholders
	legacy
}

// write is a checked request, ready to be done under its table's lock.
type write struct {
	verb      string
	table     *table
	at        string
	item      document.Item // of a put; else the key
	update    *expression.Update
	condition *expression.Condition
	tell      bool // the item, when the condition fails
}

// prepare checks a request as far as that can be done without looking at items.
func (d *DB) prepare(verb string, r *writeRequest) (*write, error) {
	if err := r.check(verb); err != nil {
		return nil, err
	}
	w := &write{verb: verb, tell: r.ReturnValuesOnConditionCheckFailure == "ALL_OLD"}
	var err error
	raw := r.Key
	if verb == putVerb {
		raw = r.Item
	}
	if w.item, err = raw.Item(); err != nil {
		return nil, err
	}
	if verb == putVerb && w.item.Size() > document.MaxItem {
		return nil, invalid("Item size has exceeded the maximum allowed size")
	}
	if err := w.parse(r); err != nil {
		return nil, err
	}
	if w.table, err = d.table(*r.TableName); err != nil {
		return nil, err
	}
	if verb == putVerb {
		if err := w.table.checkItem(w.item); err != nil {
			return nil, err
		}
		w.at, _ = place(w.table.spec.Keys, w.item)
		return w, nil
	}
	if w.at, err = w.table.keyOf(w.item); err != nil {
		return nil, err
	}
	return w, w.checkUpdate()
}

func (r *writeRequest) check(verb string) error {
	var c constraints
	c.table(r.TableName)
	if verb == putVerb {
		c.notNull(r.Item != nil, "item")
	} else {
		c.notNull(r.Key != nil, "key")
	}
	if verb == checkVerb {
		c.notNull(r.ConditionExpression != nil, "conditionExpression")
	}
	c.oneOf(r.ReturnValues, "returnValues", "ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW")
	c.oneOf(r.ReturnValuesOnConditionCheckFailure, "returnValuesOnConditionCheckFailure", "ALL_OLD", "NONE")
	c.capacity(r.ReturnConsumedCapacity)
	c.oneOf(r.ReturnItemCollectionMetrics, "returnItemCollectionMetrics", "SIZE", "NONE")
	if err := c.err(); err != nil {
		return err
	}
	if err := r.refuse(verb + "Item"); err != nil {
		return err
	}
	if verb != updateVerb && r.ReturnValues != "" && r.ReturnValues != "ALL_OLD" && r.ReturnValues != "NONE" {
		return invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	return nil
}

func (w *write) parse(r *writeRequest) error {
	if w.verb != updateVerb {
		r.UpdateExpression = nil
	}
	wanted := []string{"ConditionExpression"}
	if w.verb == updateVerb {
		wanted = []string{"UpdateExpression", "ConditionExpression"}
	}
	any := r.ConditionExpression != nil || r.UpdateExpression != nil
	scope, err := r.scope(any, any, wanted...)
	if err != nil {
		return err
	}
	if r.UpdateExpression != nil {
		if w.update, err = scope.Update(*r.UpdateExpression); err != nil {
			return err
		}
	}
	if r.ConditionExpression != nil {
		if w.condition, err = scope.Condition("ConditionExpression", *r.ConditionExpression); err != nil {
			return err
		}
	}
	return scope.Unused()
}

// checkUpdate refuses to change the key.
func (w *write) checkUpdate() error {
	if w.update == nil {
		return nil
	}
	for _, k := range w.table.spec.Keys {
		for _, name := range w.update.Names() {
			if name == k.Name {
				return invalid("One or more parameter values were invalid: Cannot update attribute " + name + ". This attribute is part of the key")
			}
		}
	}
	for _, index := range w.table.spec.Indexes {
		for _, k := range index.Keys {
			if kind := w.update.Literal(k.Name); kind != document.None && kind != kindOf(k.Type) {
				return indexMismatch(k, kind, index)
			}
		}
	}
	return w.table.checkNested(w.update)
}

// plan says what the write makes of the item that is there, without doing it. The table is locked.
func (w *write) plan() (old, next document.Item, err error) {
	old = w.table.get(w.at)
	if !w.condition.Holds(old) {
		e := &refusal{Type: "ConditionalCheckFailedException", Message: "The conditional request failed"}
		if w.tell {
			e.item = old
		}
		return old, nil, e
	}
	switch w.verb {
	case putVerb:
		return old, w.item, nil
	case deleteVerb:
		return old, nil, nil
	case checkVerb:
		return old, old, nil
	}
	next = old
	if old == nil {
		next = w.item
	}
	if w.update == nil {
		return old, next, nil
	}
	if next, err = w.update.Apply(next); err != nil {
		return old, nil, err
	}
	if old == nil && w.update.Removes() {
		return nil, nil, nil
	}
	if err := w.table.checkIndexKeys(next, func(Key, document.Kind, Index) *refusal {
		return invalid("The update expression attempted to update the secondary index key to unsupported type")
	}); err != nil {
		return old, nil, err
	}
	if next.Size() > document.MaxItem {
		return old, nil, invalid("Item size to update has exceeded the maximum allowed size")
	}
	return old, next, nil
}

func (w *write) do(now time.Time) (old, next document.Item, err error) {
	w.table.lock(now)
	defer w.table.mu.Unlock()
	old, next, err = w.plan()
	if err == nil {
		w.table.put(w.at, next, now)
	}
	return old, next, err
}

// itemAnswer answers a write.
type itemAnswer struct {
	Attributes       document.Item `json:",omitempty"`
	ConsumedCapacity *capacity     `json:",omitempty"`
}

func (d *DB) write(verb string, r *writeRequest) (any, error) {
	w, err := d.prepare(verb, r)
	if err != nil {
		return nil, err
	}
	old, next, err := w.do(d.now())
	if err != nil {
		return nil, err
	}
	var answer itemAnswer
	if r.ReturnConsumedCapacity != "" {
		answer.ConsumedCapacity = w.cost(old, next, 1).as(r.ReturnConsumedCapacity)
	}
	switch r.ReturnValues {
	case "ALL_OLD":
		answer.Attributes = old
	case "ALL_NEW":
		answer.Attributes = next
	case "UPDATED_OLD":
		if w.update != nil {
			answer.Attributes = w.update.Of(old)
		}
	case "UPDATED_NEW":
		if w.update != nil {
			answer.Attributes = w.update.Of(next)
		}
	}
	return answer, nil
}

func (d *DB) putItem(r *writeRequest) (any, error)    { return d.write(putVerb, r) }
func (d *DB) deleteItem(r *writeRequest) (any, error) { return d.write(deleteVerb, r) }
func (d *DB) updateItem(r *writeRequest) (any, error) { return d.write(updateVerb, r) }

// getRequest asks for an item, alone or in a transaction.
type getRequest struct {
	TableName                *string
	Key                      document.RawItem
	ConsistentRead           bool
	ProjectionExpression     *string
	ExpressionAttributeNames map[string]string
	ReturnConsumedCapacity   string
	legacy
}

type get struct {
	table      *table
	at         string
	projection *expression.Projection
}

func (d *DB) prepareGet(r *getRequest) (*get, error) {
	var c constraints
	c.table(r.TableName)
	c.notNull(r.Key != nil, "key")
	c.capacity(r.ReturnConsumedCapacity)
	if err := c.err(); err != nil {
		return nil, err
	}
	if err := r.refuse("GetItem"); err != nil {
		return nil, err
	}
	key, err := r.Key.Item()
	if err != nil {
		return nil, err
	}
	projection, err := project(r.ProjectionExpression, r.ExpressionAttributeNames)
	if err != nil {
		return nil, err
	}
	t, err := d.table(*r.TableName)
	if err != nil {
		return nil, err
	}
	g := &get{table: t, projection: projection}
	if g.at, err = t.keyOf(key); err != nil {
		return nil, err
	}
	if projection != nil {
		err = t.checkNested(projection)
	}
	return g, err
}

// project parses the ProjectionExpression of a request that has no other expression; nil is none.
func project(text *string, names map[string]string) (*expression.Projection, error) {
	scope, err := placeholders{ExpressionAttributeNames: names}.scope(text != nil, false)
	if err != nil || text == nil {
		return nil, err
	}
	projection, err := scope.Projection(*text)
	if err != nil {
		return nil, err
	}
	return projection, scope.Unused()
}

// read is the item and the part of it that was asked for. The table is locked.
func (g *get) read() (item, part document.Item) {
	item = g.table.get(g.at)
	if item == nil || g.projection == nil {
		return item, item
	}
	return item, g.projection.Of(item)
}

func (d *DB) getItem(r *getRequest) (any, error) {
	g, err := d.prepareGet(r)
	if err != nil {
		return nil, err
	}
	g.table.rlock(d.now())
	defer g.table.mu.RUnlock()
	item, part := g.read()
	answer := map[string]any{}
	if item != nil {
		answer["Item"] = part
	}
	if cost := g.table.readCost(item.Size(), r.ConsistentRead).as(r.ReturnConsumedCapacity); cost != nil {
		answer["ConsumedCapacity"] = cost
	}
	return answer, nil
}
