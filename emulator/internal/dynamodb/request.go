package dynamodb

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
	"github.com/regcast/regcast/emulator/internal/dynamodb/expression"
)

// legacy are the parameters that expressions replaced in 2014.
type legacy struct {
	AttributesToGet, KeyConditions, QueryFilter, ScanFilter, ConditionalOperator, Expected, AttributeUpdates json.RawMessage
}

func (l legacy) refuse(operation string) error {
	for _, p := range []struct {
		name  string
		value json.RawMessage
		use   string
	}{
		{"AttributesToGet", l.AttributesToGet, "ProjectionExpression"},
		{"KeyConditions", l.KeyConditions, "KeyConditionExpression"},
		{"QueryFilter", l.QueryFilter, "FilterExpression"},
		{"ScanFilter", l.ScanFilter, "FilterExpression"},
		{"ConditionalOperator", l.ConditionalOperator, "AND and OR in an expression"},
		{"Expected", l.Expected, "ConditionExpression"},
		{"AttributeUpdates", l.AttributeUpdates, "UpdateExpression"},
	} {
		if len(p.value) > 0 && string(p.value) != "null" {
			return notEmulated(operation + " with the legacy parameter " + p.name + ": use " + p.use)
		}
	}
	return nil
}

// names and values of a request's expressions.
type placeholders struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues document.RawItem
}

// scope checks that what is given is given for something: some says that there is an expression, valued that there is one that may
// hold values; wanted names those.
func (p placeholders) scope(some, valued bool, wanted ...string) (*expression.Scope, error) {
	if p.ExpressionAttributeNames != nil && !some {
		return nil, invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	if p.ExpressionAttributeValues != nil && !valued {
		are := " is null"
		if len(wanted) > 1 {
			are = " are null"
		}
		return nil, invalid("ExpressionAttributeValues can only be specified when using expressions: " + strings.Join(wanted, " and ") + are)
	}
	return expression.NewScope(p.ExpressionAttributeNames, p.ExpressionAttributeValues)
}

// constraints gathers what the service's model says against a request, in the words of its validator.
type constraints []string

func (c *constraints) fail(value, member, constraint string) {
	*c = append(*c, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, member, constraint))
}

func (c *constraints) notNull(there bool, member string) {
	if !there {
		c.fail("null", member, "Member must not be null")
	}
}

func (c *constraints) table(name *string) {
	if name == nil {
		c.notNull(false, "tableName")
		return
	}
	quoted := "'" + *name + "'"
	switch {
	case strings.HasPrefix(*name, "arn:"):
	case *name == "":
		c.fail(quoted, "tableName", "Member must have length greater than or equal to 1")
	case strings.Trim(*name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != "":
		c.fail(quoted, "tableName", "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
	}
}

func (c *constraints) oneOf(value, member string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		c.fail("'"+value+"'", member, "Member must satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
	}
}

func (c *constraints) between(value *int, member string, low, high int) {
	switch {
	case value == nil:
	case *value < low:
		c.fail(fmt.Sprintf("'%d'", *value), member, fmt.Sprintf("Member must have value greater than or equal to %d", low))
	case *value > high:
		c.fail(fmt.Sprintf("'%d'", *value), member, fmt.Sprintf("Member must have value less than or equal to %d", high))
	}
}

func (c *constraints) capacity(value string) {
	c.oneOf(value, "returnConsumedCapacity", "INDEXES", "TOTAL", "NONE")
}

func (c *constraints) err() error {
	switch n := len(*c); n {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected: " + (*c)[0])
	default:
		return invalid(fmt.Sprintf("%d validation errors detected: %s", n, strings.Join(*c, "; ")))
	}
}
