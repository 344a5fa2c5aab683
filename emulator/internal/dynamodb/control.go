package dynamodb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

type (
	attributeDefinition struct{ AttributeName, AttributeType string }
	keyElement          struct{ AttributeName, KeyType string }
	projection          struct {
		ProjectionType   string
		NonKeyAttributes []string `json:",omitempty"`
	}
	throughput struct {
		ReadCapacityUnits, WriteCapacityUnits int64
		NumberOfDecreasesToday                int
	}
	indexRequest struct {
		IndexName             *string
		KeySchema             []keyElement
		Projection            *projection
		ProvisionedThroughput *throughput
	}
)

type createRequest struct {
	TableName              *string
	AttributeDefinitions   []attributeDefinition
	KeySchema              []keyElement
	LocalSecondaryIndexes  *[]indexRequest
	GlobalSecondaryIndexes *[]indexRequest
	BillingMode            string
	ProvisionedThroughput  *throughput
	StreamSpecification    *struct{ StreamEnabled bool }
}

func (d *DB) createTable(r *createRequest) (any, error) {
	if r.StreamSpecification != nil && r.StreamSpecification.StreamEnabled {
		return nil, notEmulated("CreateTable with a stream: leave StreamSpecification out")
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	types := map[string]string{}
	for _, a := range r.AttributeDefinitions {
		types[a.AttributeName] = a.AttributeType
	}
	spec := Table{Name: *r.TableName}
	var err error
	if spec.Keys, err = r.keys(types, r.KeySchema); err != nil {
		return nil, err
	}
	if err := r.indexes(&spec, types); err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, keys := range append([][]Key{spec.Keys}, keysOf(spec.Indexes)...) {
		for _, k := range keys {
			used[k.Name] = true
		}
	}
	if len(used) != len(types) {
		return nil, invalid("One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	provisioned := r.ProvisionedThroughput
	if r.BillingMode == "PAY_PER_REQUEST" {
		provisioned = nil
	}
	t, made := d.create(spec, provisioned)
	if !made {
		return nil, &Error{Type: "ResourceInUseException", Message: "Table already exists: " + spec.Name}
	}
	return map[string]any{"TableDescription": t.describe("ACTIVE")}, nil
}

func keysOf(indexes []Index) [][]Key {
	var all [][]Key
	for _, index := range indexes {
		all = append(all, index.Keys)
	}
	return all
}

func (r *createRequest) check() error {
	var c constraints
	if err := checkName(r.TableName); err != nil {
		return err
	}
	c.notNull(r.AttributeDefinitions != nil, "attributeDefinitions")
	c.notNull(len(r.KeySchema) > 0, "keySchema")
	c.oneOf(r.BillingMode, "billingMode", "PROVISIONED", "PAY_PER_REQUEST")
	for i, a := range r.AttributeDefinitions {
		c.oneOf(cmp.Or(a.AttributeType, "null"), fmt.Sprintf("attributeDefinitions.%d.member.attributeType", i+1), "B", "N", "S")
	}
	for i, k := range r.KeySchema {
		c.oneOf(cmp.Or(k.KeyType, "null"), fmt.Sprintf("keySchema.%d.member.keyType", i+1), "HASH", "RANGE")
	}
	if len(r.KeySchema) > 2 {
		c.fail("'[…]'", "keySchema", "Member must have length less than or equal to 2")
	}
	if err := c.err(); err != nil {
		return err
	}
	switch {
	case r.BillingMode == "PAY_PER_REQUEST" && r.ProvisionedThroughput != nil:
		return invalid("One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case r.BillingMode != "PAY_PER_REQUEST" && (r.ProvisionedThroughput == nil || r.ProvisionedThroughput.ReadCapacityUnits < 1 || r.ProvisionedThroughput.WriteCapacityUnits < 1):
		return invalid("One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return nil
}

// keys reads a KeySchema.
func (r *createRequest) keys(types map[string]string, schema []keyElement) ([]Key, error) {
	var names, defined []string
	for _, k := range schema {
		names = append(names, k.AttributeName)
	}
	for _, a := range r.AttributeDefinitions {
		defined = append(defined, a.AttributeName)
	}
	if len(schema) > len(defined) {
		return nil, invalid("Invalid KeySchema: Some index key attribute have no definition")
	}
	var keys []Key
	for i, k := range schema {
		switch {
		case types[k.AttributeName] == "":
			return nil, invalid("One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [" +
				strings.Join(names, ", ") + "], AttributeDefinitions: [" + strings.Join(defined, ", ") + "]")
		case i > 0 && k.AttributeName == names[0]:
			return nil, invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
		case i == 0 && k.KeyType != "HASH":
			return nil, invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
		case i == 1 && k.KeyType != "RANGE":
			return nil, invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
		case i > 1:
			return nil, notEmulated("CreateTable with keys of several attributes")
		}
		keys = append(keys, Key{Name: k.AttributeName, Type: types[k.AttributeName], Sort: i == 1})
	}
	return keys, nil
}

func (r *createRequest) indexes(spec *Table, types map[string]string) error {
	seen := map[string]bool{}
	bad := func(why string) error { return invalid("One or more parameter values were invalid: " + why) }
	for _, kind := range []struct {
		list  *[]indexRequest
		local bool
		name  string
	}{{r.LocalSecondaryIndexes, true, "LocalSecondaryIndexes"}, {r.GlobalSecondaryIndexes, false, "GlobalSecondaryIndexes"}} {
		switch {
		case kind.list == nil:
			continue
		case len(*kind.list) == 0:
			return bad("List of " + kind.name + " is empty")
		case kind.local && len(spec.Keys) != 2:
			return bad("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
		case kind.local && len(*kind.list) > maxLocal:
			return bad("Number of LocalSecondaryIndexes exceeds per-table limit of 5")
		case !kind.local && len(*kind.list) > maxGlobal:
			return bad("GlobalSecondaryIndex count exceeds the per-table limit of 20")
		}
		for _, in := range *kind.list {
			var c constraints
			c.notNull(in.IndexName != nil, lower(kind.name)+".member.indexName")
			c.notNull(len(in.KeySchema) > 0, lower(kind.name)+".member.keySchema")
			c.notNull(in.Projection != nil, lower(kind.name)+".member.projection")
			if in.IndexName != nil && !namePattern().MatchString(*in.IndexName) {
				c.fail("'"+*in.IndexName+"'", lower(kind.name)+".member.indexName", "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
			}
			if in.Projection != nil {
				c.oneOf(in.Projection.ProjectionType, lower(kind.name)+".member.projection.projectionType", "ALL", "INCLUDE", "KEYS_ONLY")
			}
			if err := c.err(); err != nil {
				return err
			}
			keys, err := r.keys(types, in.KeySchema)
			if err != nil {
				return err
			}
			name := *in.IndexName
			switch {
			case kind.local && len(keys) != 2:
				return bad("Index KeySchema does not have a range key for index: " + name)
			case kind.local && keys[0] != spec.Keys[0]:
				return bad("Index KeySchema does not have the same leading hash key as table KeySchema for index: " + name +
					". index hash key: " + keys[0].Name + ", table hash key: " + spec.Keys[0].Name)
			case in.Projection.ProjectionType == "":
				return bad("Unknown ProjectionType: null")
			case in.Projection.NonKeyAttributes != nil && in.Projection.ProjectionType != "INCLUDE":
				return bad("ProjectionType is " + in.Projection.ProjectionType + ", but NonKeyAttributes is specified")
			case seen[name]:
				return bad("Duplicate index name: " + name)
			case !kind.local && r.BillingMode == "PAY_PER_REQUEST" && in.ProvisionedThroughput != nil:
				return bad("ProvisionedThroughput should not be specified for index: " + name + " when BillingMode is PAY_PER_REQUEST")
			}
			seen[name] = true
			spec.Indexes = append(spec.Indexes, Index{Name: name, Keys: keys, Projection: in.Projection.ProjectionType,
				Attributes: in.Projection.NonKeyAttributes, Local: kind.local})
		}
	}
	return nil
}

func lower(name string) string { return strings.ToLower(name[:1]) + name[1:] }

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
		return nil, &Error{Type: "ResourceNotFoundException", Message: "Requested resource not found: Table: " + *name + " not found"}
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
	t, err := d.named(r.TableName)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	if d.tables[t.spec.Name] == t {
		delete(d.tables, t.spec.Name)
	}
	d.mu.Unlock()
	t.mu.RLock()
	defer t.mu.RUnlock()
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
	t, err := d.named(r.TableName)
	if err != nil {
		return nil, err
	}
	now := d.now()
	t.lock(now)
	defer t.mu.Unlock()
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
