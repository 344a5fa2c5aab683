package dynamodb

import (
	"slices"
	"strings"
)

// checkName checks the TableName of a request about tables.
func checkName(name *string) error {
	switch {
	case name == nil:
		return invalid("The parameter 'TableName' is required but was not present in the request")
	case len(*name) < 3 || len(*name) > 255 && !strings.HasPrefix(*name, "arn:"):
		return invalid("TableName must be at least 3 characters long and at most 255 characters long")
	}
	var c constraints
	c.table(name)
	return c.err()
}

type nameRequest struct{ TableName *string }

// named finds the table of a request about tables, which tells the name when there is none.
func (d *DB) named(name *string) (*table, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	t, err := d.table(*name)
	if err != nil {
		return nil, &refusal{Type: "ResourceNotFoundException", Message: "Requested resource not found: Table: " + *name + " not found"}
	}
	return t, nil
}

func (d *DB) describeTable(r *nameRequest) (any, error) {
	t, err := d.named(r.TableName)
	if err != nil {
		return nil, err
	}
	t.rlock(d.now())
	defer t.mu.RUnlock()
	return map[string]any{"Table": t.describe("ACTIVE")}, nil
}

func (d *DB) deleteTable(r *nameRequest) (any, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	t, err := d.named(r.TableName)
	if err != nil {
		return nil, err
	}
	d.drop(t)
	t.mu.RLock()
	defer t.mu.RUnlock()
	d.options.Changed(t.spec.Name, t.say(), nil)
	return map[string]any{"TableDescription": t.describe("DELETING")}, nil
}

type listRequest struct {
	ExclusiveStartTableName *string
	Limit                   *int
}

func (d *DB) listTables(r *listRequest) (any, error) {
	var c constraints
	c.between(r.Limit, "limit", 1, 100)
	if err := c.err(); err != nil {
		return nil, err
	}
	names := d.names()
	if r.ExclusiveStartTableName != nil {
		i, found := slices.BinarySearch(names, *r.ExclusiveStartTableName)
		if found {
			i++
		}
		names = names[i:]
	}
	limit := 100
	if r.Limit != nil {
		limit = *r.Limit
	}
	answer := map[string]any{}
	if len(names) > limit {
		names = names[:limit]
		answer["LastEvaluatedTableName"] = names[limit-1]
	}
	answer["TableNames"] = append([]string{}, names...)
	return answer, nil
}

type ttlRequest struct {
	TableName               *string
	TimeToLiveSpecification *struct {
		AttributeName *string
		Enabled       *bool
	}
}

func (d *DB) updateTimeToLive(r *ttlRequest) (any, error) {
	var c constraints
	s := r.TimeToLiveSpecification
	c.notNull(s != nil, "timeToLiveSpecification")
	if s != nil {
		c.notNull(s.AttributeName != nil, "timeToLiveSpecification.attributeName")
		c.notNull(s.Enabled != nil, "timeToLiveSpecification.enabled")
		if s.AttributeName != nil && *s.AttributeName == "" {
			c.fail("''", "timeToLiveSpecification.attributeName", "Member must have length greater than or equal to 1")
		}
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	t, err := d.named(r.TableName)
	if err != nil {
		return nil, err
	}
	now := d.now()
	t.lock(now)
	defer t.mu.Unlock()
	was := t.say()
	switch {
	case *s.Enabled && t.spec.TTL == *s.AttributeName:
		return nil, invalid("TimeToLive is already enabled")
	case !*s.Enabled && t.spec.TTL == "":
		return nil, invalid("TimeToLive is already disabled")
	case t.spec.TTL != "" && t.spec.TTL != *s.AttributeName:
		return nil, invalid("TimeToLive is active on a different AttributeName: current AttributeName is " + t.spec.TTL)
	case *s.Enabled:
		t.spec.TTL = *s.AttributeName
	default:
		t.spec.TTL = ""
	}
	t.schedule(now)
	t.byClient = true
	d.options.Changed(t.spec.Name, was, t.say())
	return map[string]any{"TimeToLiveSpecification": s}, nil
}

func (d *DB) describeTimeToLive(r *nameRequest) (any, error) {
	t, err := d.named(r.TableName)
	if err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if t.spec.TTL != "" {
		out = map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": t.spec.TTL}
	}
	return map[string]any{"TimeToLiveDescription": out}, nil
}

// describeContinuousBackups tells that there are none, which can be said of every table: UpdateContinuousBackups is not emulated.
func (d *DB) describeContinuousBackups(r *nameRequest) (any, error) {
	if _, err := d.named(r.TableName); err != nil {
		return nil, err
	}
	return map[string]any{"ContinuousBackupsDescription": map[string]any{
		"ContinuousBackupsStatus":        "DISABLED",
		"PointInTimeRecoveryDescription": map[string]any{"PointInTimeRecoveryStatus": "DISABLED"},
	}}, nil
}

// listTags tells that there are none: TagResource is not emulated.
func (d *DB) listTags(r *tagsRequest) (any, error) {
	_, name, ok := strings.Cut(r.ResourceArn, ":table/")
	if !ok {
		return nil, invalid("ResourceArn: got " + r.ResourceArn + ", want the ARN of a table")
	}
	if _, err := d.named(&name); err != nil {
		return nil, err
	}
	return map[string]any{"Tags": []any{}}, nil
}

type tagsRequest struct{ ResourceArn string }

// describe is the table's description. The table is locked, or new.
func (t *table) describe(status string) map[string]any {
	var definitions []attributeDefinition
	schema := func(keys []Key) []keyElement {
		var out []keyElement
		for _, k := range keys {
			if d := (attributeDefinition{k.Name, k.Type}); !slices.Contains(definitions, d) {
				definitions = append(definitions, d)
			}
			kind := "HASH"
			if k.Sort {
				kind = "RANGE"
			}
			out = append(out, keyElement{k.Name, kind})
		}
		return out
	}
	through := t.throughput
	out := map[string]any{
		"TableName": t.spec.Name, "TableStatus": status, "TableArn": t.arn, "TableId": t.id, "KeySchema": schema(t.spec.Keys),
		"CreationDateTime": float64(t.created.UnixMilli()) / 1000, "ItemCount": t.rows.Len(), "TableSizeBytes": t.bytes,
		"DeletionProtectionEnabled": false,
	}
	if through == nil {
		through = &throughput{}
		out["BillingModeSummary"] = map[string]any{"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": out["CreationDateTime"]}
		out["TableThroughputModeSummary"] = map[string]any{"TableThroughputMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": out["CreationDateTime"]}
	}
	out["ProvisionedThroughput"] = through
	for i, index := range t.spec.Indexes {
		size := 0
		t.indexes[i].Ascend(func(e entry) bool {
			size += t.project(index, e.row.item).Size()
			return true
		})
		one := map[string]any{"IndexName": index.Name, "IndexArn": t.arn + "/index/" + index.Name, "KeySchema": schema(index.Keys),
			"Projection": projection{index.Projection, index.Attributes}, "ItemCount": t.indexes[i].Len(), "IndexSizeBytes": size}
		kind := "LocalSecondaryIndexes"
		if !index.Local {
			kind = "GlobalSecondaryIndexes"
			one["IndexStatus"] = "ACTIVE"
			one["ProvisionedThroughput"] = through
		}
		list, _ := out[kind].([]map[string]any)
		out[kind] = append(list, one)
	}
	out["AttributeDefinitions"] = definitions
	return out
}
