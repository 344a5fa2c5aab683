package dynamodb

import (
	"fmt"

	"github.com/google/btree"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
	"github.com/regcast/regcast/emulator/internal/dynamodb/expression"
)

// maxPage is how many bytes of items a page reads, before the filter.
const maxPage = 1 << 20

// pageRequest asks for a page of a Query or of a Scan.
type pageRequest struct {
	TableName              *string
	IndexName              *string
	KeyConditionExpression *string // Query
	ScanIndexForward       *bool   // Query
	Segment, TotalSegments *int    // Scan
	FilterExpression       *string
	ProjectionExpression   *string
	ExclusiveStartKey      document.RawItem
	Limit                  *int
	Select                 string
	ConsistentRead         bool
	ReturnConsumedCapacity string
	placeholders
	legacy
}

type pageAnswer struct {
	Items            *[]document.Item `json:",omitempty"` // nil for Select COUNT
	Count            int
	ScannedCount     int
	LastEvaluatedKey document.Item `json:",omitempty"`
	ConsumedCapacity *capacity     `json:",omitempty"`
}

// page is a checked request: the entries of order from low up to but without high.
type page struct {
	*pageRequest
	table      *table
	index      *Index // nil: the table itself
	keys       []Key
	keyed      []expression.KeyCondition
	filter     *expression.Condition
	projection *expression.Projection
	low, high  string // high empty: to the end
	backward   bool
	whole      bool // items come whole, though the index holds a part
}

func (d *DB) query(r *pageRequest) (any, error) { return d.page("Query", r) }
func (d *DB) scan(r *pageRequest) (any, error)  { return d.page("Scan", r) }

func (d *DB) page(operation string, r *pageRequest) (any, error) {
	p := &page{pageRequest: r}
	if err := r.check(operation); err != nil {
		return nil, err
	}
	start, err := r.ExclusiveStartKey.Item()
	if err != nil {
		return nil, err
	}
	if operation == "Query" && r.KeyConditionExpression == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	if err := p.parse(operation); err != nil {
		return nil, err
	}
	if p.table, err = d.table(*r.TableName); err != nil {
		return nil, err
	}
	if err := p.chooseIndex(); err != nil {
		return nil, err
	}
	if operation == "Query" {
		err = p.bounds()
	} else {
		p.segment()
	}
	if err == nil && r.ExclusiveStartKey != nil {
		err = p.startAfter(start, operation)
	}
	if err == nil {
		err = p.checkPaths(operation)
	}
	if err != nil {
		return nil, err
	}
	p.table.rlock(d.now())
	defer p.table.mu.RUnlock()
	return p.read(), nil
}

func (r *pageRequest) check(operation string) error {
	var c constraints
	c.table(r.TableName)
	c.between(r.Limit, "limit", 1, 1<<31-1)
	c.oneOf(r.Select, "select", "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
	c.capacity(r.ReturnConsumedCapacity)
	c.between(r.Segment, "segment", 0, 999999)
	c.between(r.TotalSegments, "totalSegments", 1, 1000000)
	if err := c.err(); err != nil {
		return err
	}
	if err := r.refuse(operation); err != nil {
		return err
	}
	switch {
	case operation == "Query":
	case r.Segment != nil && r.TotalSegments == nil:
		return invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case r.TotalSegments != nil && r.Segment == nil:
		return invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case r.Segment != nil && *r.Segment >= *r.TotalSegments:
		return invalid(fmt.Sprintf("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d",
			*r.Segment, *r.TotalSegments))
	}
	switch {
	case r.Select == "ALL_PROJECTED_ATTRIBUTES" && r.IndexName == nil:
		return invalid("One or more parameter values were invalid: ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	case r.Select == "SPECIFIC_ATTRIBUTES" && r.ProjectionExpression == nil:
		return invalid("One or more parameter values were invalid: Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case r.Select != "" && r.Select != "SPECIFIC_ATTRIBUTES" && r.ProjectionExpression != nil:
		return invalid("Cannot specify the ProjectionExpression when choosing to get " + r.Select)
	}
	return nil
}

func (p *page) parse(operation string) error {
	wanted := []string{"FilterExpression"}
	if operation == "Query" {
		wanted = []string{"FilterExpression", "KeyConditionExpression"}
	} else {
		p.KeyConditionExpression = nil
	}
	valued := p.FilterExpression != nil || p.KeyConditionExpression != nil
	scope, err := p.scope(valued || p.ProjectionExpression != nil, valued, wanted...)
	if err != nil {
		return err
	}
	if p.KeyConditionExpression != nil {
		if p.keyed, err = scope.Key(*p.KeyConditionExpression); err != nil {
			return err
		}
	}
	if p.FilterExpression != nil {
		if p.filter, err = scope.Condition("FilterExpression", *p.FilterExpression); err != nil {
			return err
		}
	}
	if p.ProjectionExpression != nil {
		if p.projection, err = scope.Projection(*p.ProjectionExpression); err != nil {
			return err
		}
	}
	return scope.Unused()
}

func (p *page) chooseIndex() error {
	p.keys = p.table.spec.Keys
	if p.IndexName == nil {
		return nil
	}
	for i := range p.table.spec.Indexes {
		if p.table.spec.Indexes[i].Name == *p.IndexName {
			p.index = &p.table.spec.Indexes[i]
		}
	}
	if p.index == nil {
		return invalid("The table does not have the specified index: " + *p.IndexName)
	}
	p.keys = p.index.Keys
	if !p.index.Local && p.ConsistentRead {
		return invalid("Consistent reads are not supported on global secondary indexes")
	}
	partial := p.index.Projection != "ALL"
	switch {
	case p.index.Local:
		p.whole = partial && p.Select == "ALL_ATTRIBUTES"
		if p.projection != nil {
			for _, name := range p.projection.Names() {
				p.whole = p.whole || !p.table.holds(*p.index, name)
			}
		}
	case partial && p.Select == "ALL_ATTRIBUTES":
		return invalid("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index " +
			p.index.Name + " because its projection type is not ALL")
	case p.projection != nil:
		var lacking []string
		for _, name := range p.projection.Names() {
			if !p.table.holds(*p.index, name) {
				lacking = append(lacking, name)
			}
		}
		if lacking != nil {
			return invalid(fmt.Sprintf("One or more parameter values were invalid: Global secondary index %s does not project %v", p.index.Name, lacking))
		}
	}
	return nil
}

func (p *page) checkPaths(operation string) error {
	if p.projection != nil {
		if err := p.table.checkNested(p.projection); err != nil {
			return err
		}
	}
	if p.filter == nil {
		return nil
	}
	for _, k := range p.keys {
		for _, name := range p.filter.Names() {
			if name == k.Name && operation == "Query" {
				return invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: " + name)
			}
		}
	}
	return p.table.checkNested(p.filter)
}

// read reads the page. The table is locked.
func (p *page) read() *pageAnswer {
	items := []document.Item{}
	answer := &pageAnswer{}
	var bytes, fetched int
	var last document.Item
	p.walk(func(r *row) bool {
		item, size := r.item, r.size
		if p.index != nil && p.index.Projection != "ALL" {
			item = p.table.project(*p.index, r.item)
			size = item.Size()
		}
		if answer.ScannedCount > 0 && bytes+size > maxPage {
			answer.LastEvaluatedKey = p.keyAt(last)
			return false
		}
		bytes += size
		last = r.item
		if p.whole {
			item = r.item
			fetched += r.size
		}
		answer.ScannedCount++
		if p.filter.Holds(item) {
			answer.Count++
			if p.projection != nil {
				item = p.projection.Of(item)
			}
			items = append(items, item)
		}
		if p.Limit != nil && answer.ScannedCount >= *p.Limit {
			answer.LastEvaluatedKey = p.keyAt(last)
			return false
		}
		return true
	})
	if p.Select != "COUNT" {
		answer.Items = &items
	}
	cost := newCapacity(p.table)
	cost.charge(p.index, readUnits(bytes, p.ConsistentRead))
	if p.whole {
		cost.charge(nil, readUnits(fetched, p.ConsistentRead))
	}
	answer.ConsumedCapacity = cost.as(p.ReturnConsumedCapacity)
	return answer
}

// walk visits rows in the order asked for.
func (p *page) walk(visit func(*row) bool) {
	order := p.table.rows
	if p.index != nil {
		for i := range p.table.spec.Indexes {
			if p.table.spec.Indexes[i].Name == p.index.Name {
				order = p.table.indexes[i]
			}
		}
	}
	each := btree.ItemIteratorG[entry](func(e entry) bool {
		switch {
		case !p.backward:
			return (p.high == "" || e.at < p.high) && visit(e.row)
		case e.at >= p.high:
			return true // what stands at high itself
		}
		return e.at >= p.low && visit(e.row)
	})
	if p.backward {
		order.DescendLessOrEqual(entry{at: p.high}, each)
	} else {
		order.AscendGreaterOrEqual(entry{at: p.low}, each)
	}
}

// keyAt is where the next page goes on: the table's key and the index's.
func (p *page) keyAt(item document.Item) document.Item {
	key := document.Item{}
	for _, k := range append(append([]Key{}, p.table.spec.Keys...), p.keys...) {
		key[k.Name] = item[k.Name]
	}
	return key
}
