package dynamodb

import (
	"cmp"
	"fmt"
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
	d.changing.Lock()
	defer d.changing.Unlock()
	t, made := d.create(spec, provisioned)
	if !made {
		return nil, &refusal{Type: "ResourceInUseException", Message: "Table already exists: " + spec.Name}
	}
	t.byClient = true
	d.options.Changed(spec.Name, nil, t.say())
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
