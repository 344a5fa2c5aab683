package dynamodb_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/dynamodb"
)

func TestTables(t *testing.T) {
	d := open(t, dynamodb.Options{Region: "eu-central-1", Account: "123456789012"})
	in := &sdk.CreateTableInput{
		TableName: aws.String("made"), BillingMode: types.BillingModePayPerRequest,
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("x")}}, SSESpecification: &types.SSESpecification{Enabled: aws.Bool(true)},
		TableClass: types.TableClassStandardInfrequentAccess, DeletionProtectionEnabled: aws.Bool(true), // accepted, without effect
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: "B"}, {AttributeName: aws.String("grp"), AttributeType: "N"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: "HASH"}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{IndexName: aws.String("by-group"), KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("grp"), KeyType: "HASH"}},
			Projection: &types.Projection{ProjectionType: "INCLUDE", NonKeyAttributes: []string{"extra"}}}},
	}
	made, err := d.client.CreateTable(ctx, in)
	d.is.NoErr(err)
	d.is.Equal(made.TableDescription.TableStatus, types.TableStatusActive)
	d.is.Equal(*made.TableDescription.TableArn, "arn:aws:dynamodb:eu-central-1:123456789012:table/made")
	_, err = d.client.CreateTable(ctx, in)
	var taken *types.ResourceInUseException
	d.is.True(errors.As(err, &taken))
	d.is.Equal(taken.ErrorMessage(), "Table already exists: made")
	d.is.NoErr(sdk.NewTableExistsWaiter(d.client).Wait(ctx, &sdk.DescribeTableInput{TableName: in.TableName}, time.Minute))

	_, err = d.client.PutItem(ctx, &sdk.PutItemInput{TableName: made.TableDescription.TableArn, ReturnItemCollectionMetrics: types.ReturnItemCollectionMetricsSize, Item: item{"id": &types.AttributeValueMemberB{Value: []byte{1}}, "grp": n("1")}})
	d.is.NoErr(err)
	out, err := d.client.DescribeTable(ctx, &sdk.DescribeTableInput{TableName: in.TableName})
	d.is.NoErr(err)
	d.is.Equal(out.Table.AttributeDefinitions, in.AttributeDefinitions)
	d.is.Equal(out.Table.KeySchema, in.KeySchema)
	d.is.Equal(out.Table.GlobalSecondaryIndexes[0].Projection, in.GlobalSecondaryIndexes[0].Projection)
	d.is.Equal(*out.Table.GlobalSecondaryIndexes[0].ItemCount, int64(1))
	d.is.Equal(*out.Table.ItemCount, int64(1))
	d.is.Equal(*out.Table.TableSizeBytes, int64(8)) // id and 1 byte, grp and 2 bytes
	d.is.True(out.Table.CreationDateTime.Equal(start))
	d.is.Equal(out.Table.BillingModeSummary.BillingMode, types.BillingModePayPerRequest)

	list, err := d.client.ListTables(ctx, &sdk.ListTablesInput{Limit: aws.Int32(1)})
	d.is.NoErr(err)
	d.is.Equal(list.TableNames, []string{"connections"})
	list, err = d.client.ListTables(ctx, &sdk.ListTablesInput{ExclusiveStartTableName: list.LastEvaluatedTableName})
	d.is.NoErr(err)
	d.is.Equal(list.TableNames, []string{"made"})
	d.is.Equal(list.LastEvaluatedTableName, nil)

	gone, err := d.client.DeleteTable(ctx, &sdk.DeleteTableInput{TableName: in.TableName})
	d.is.NoErr(err)
	d.is.Equal(gone.TableDescription.TableStatus, types.TableStatusDeleting)
	_, err = d.client.DescribeTable(ctx, &sdk.DescribeTableInput{TableName: in.TableName})
	var missing *types.ResourceNotFoundException
	d.is.True(errors.As(err, &missing))
	d.is.Equal(missing.ErrorMessage(), "Requested resource not found: Table: made not found")
}

func TestTablesThatAreRefused(t *testing.T) {
	d := open(t, dynamodb.Options{})
	hash := func(name string) []types.KeySchemaElement {
		return []types.KeySchemaElement{{AttributeName: &name, KeyType: "HASH"}}
	}
	pair := append(hash("id"), types.KeySchemaElement{AttributeName: aws.String("sk"), KeyType: "RANGE"})
	attributes := func(names ...string) []types.AttributeDefinition {
		var list []types.AttributeDefinition
		for _, name := range names {
			list = append(list, types.AttributeDefinition{AttributeName: &name, AttributeType: "S"})
		}
		return list
	}
	all := &types.Projection{ProjectionType: "ALL"}
	for want, in := range map[string]sdk.CreateTableInput{
		"TableName must be at least 3 characters long and at most 255 characters long":                                                                             {TableName: aws.String("ab")},
		"One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [no], AttributeDefinitions: [id]":     {KeySchema: hash("no")},
		"Invalid KeySchema: The first KeySchemaElement is not a HASH key type":                                                                                     {KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: "RANGE"}}},
		"One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions": {AttributeDefinitions: attributes("id", "extra")},
		"One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED":               {BillingMode: "PROVISIONED"},
		"One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST":         {ProvisionedThroughput: &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(1), WriteCapacityUnits: aws.Int64(1)}},
		"One or more parameter values were invalid: List of GlobalSecondaryIndexes is empty":                                                                       {GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{}},
		"One or more parameter values were invalid: Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex":            {LocalSecondaryIndexes: []types.LocalSecondaryIndex{{IndexName: aws.String("local"), KeySchema: hash("id"), Projection: all}}},
		"One or more parameter values were invalid: Index KeySchema does not have a range key for index: local":                                                    {KeySchema: pair, AttributeDefinitions: attributes("id", "sk"), LocalSecondaryIndexes: []types.LocalSecondaryIndex{{IndexName: aws.String("local"), KeySchema: hash("id"), Projection: all}}},
		"One or more parameter values were invalid: ProjectionType is ALL, but NonKeyAttributes is specified":                                                      {GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{IndexName: aws.String("one"), KeySchema: hash("id"), Projection: &types.Projection{ProjectionType: "ALL", NonKeyAttributes: []string{"x"}}}}},
		"One or more parameter values were invalid: Duplicate index name: one":                                                                                     {GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{IndexName: aws.String("one"), KeySchema: hash("id"), Projection: all}, {IndexName: aws.String("one"), KeySchema: hash("id"), Projection: all}}},
	} {
		if in.TableName == nil {
			in.TableName = aws.String("made")
		}
		if in.KeySchema == nil {
			in.KeySchema = hash("id")
		}
		if in.AttributeDefinitions == nil {
			in.AttributeDefinitions = attributes("id")
		}
		if in.BillingMode == "" {
			in.BillingMode = types.BillingModePayPerRequest
		}
		_, err := d.client.CreateTable(ctx, &in)
		d.is.Equal(code(err), "ValidationException")
		if !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestCreateSaysAllThatIsWrong(t *testing.T) {
	is := is.New(t)
	db := dynamodb.New(dynamodb.Options{})
	err := db.Create(dynamodb.Table{Name: "a", Keys: []dynamodb.Key{{Name: "id", Type: "X"}}, Indexes: []dynamodb.Index{{Name: "index", Projection: "SOME", Keys: []dynamodb.Key{{Name: "x", Type: "S", Sort: true}}}}})
	is.True(err != nil)
	for _, want := range []string{"3 to 255", `key "id": the type "X" is none of S, N, B`, `index "index": projection SOME is none of`, `index "index": a key is a partition key`} {
		is.True(strings.Contains(err.Error(), want))
	}
	is.NoErr(db.Create(connections()))
	is.True(errors.Is(db.Create(connections()), dynamodb.ErrExists))
}

func TestWhatIsNotEmulatedSaysSo(t *testing.T) {
	d := open(t, dynamodb.Options{})
	key := item{"pk": s("a"), "sk": s("b")}
	table := aws.String("connections")
	for want, do := range map[string]func() error{
		"not emulated: dynamodb.UpdateTable": func() error {
			_, err := d.client.UpdateTable(ctx, &sdk.UpdateTableInput{TableName: table})
			return err
		},
		"not emulated: dynamodb.DescribeEndpoints": func() error {
			_, err := d.client.DescribeEndpoints(ctx, &sdk.DescribeEndpointsInput{})
			return err
		},
		"not emulated: dynamodb.Query with the legacy parameter KeyConditions: use KeyConditionExpression": func() error {
			_, err := d.client.Query(ctx, &sdk.QueryInput{TableName: table, KeyConditions: map[string]types.Condition{"pk": {ComparisonOperator: "EQ", AttributeValueList: []types.AttributeValue{s("a")}}}})
			return err
		},
		"not emulated: dynamodb.PutItem with the legacy parameter Expected: use ConditionExpression": func() error {
			_, err := d.client.PutItem(ctx, &sdk.PutItemInput{TableName: table, Item: key, Expected: map[string]types.ExpectedAttributeValue{"a": {Exists: aws.Bool(false)}}})
			return err
		},
		"not emulated: dynamodb.CreateTable with a stream: leave StreamSpecification out": func() error {
			_, err := d.client.CreateTable(ctx, &sdk.CreateTableInput{TableName: aws.String("made"), KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("a"), KeyType: "HASH"}},
				AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("a"), AttributeType: "S"}}, StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true)}})
			return err
		},
	} {
		err := do()
		is.New(t).Equal(code(err), "NotImplemented")
		if !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Terraform's aws_dynamodb_table asks for both when it has made a table.
func TestATableHasNoBackupsAndNoTags(t *testing.T) {
	d := open(t, dynamodb.Options{})
	backups, err := d.client.DescribeContinuousBackups(ctx, &sdk.DescribeContinuousBackupsInput{TableName: aws.String("connections")})
	d.is.NoErr(err)
	d.is.Equal(backups.ContinuousBackupsDescription.ContinuousBackupsStatus, types.ContinuousBackupsStatusDisabled)
	table, err := d.client.DescribeTable(ctx, &sdk.DescribeTableInput{TableName: aws.String("connections")})
	d.is.NoErr(err)
	tags, err := d.client.ListTagsOfResource(ctx, &sdk.ListTagsOfResourceInput{ResourceArn: table.Table.TableArn})
	d.is.NoErr(err)
	d.is.Equal(len(tags.Tags), 0)
	_, err = d.client.ListTagsOfResource(ctx, &sdk.ListTagsOfResourceInput{ResourceArn: aws.String("arn:aws:dynamodb:us-east-1:1:table/nothing")})
	d.is.Equal(code(err), "ResourceNotFoundException")
	_, err = d.client.ListTagsOfResource(ctx, &sdk.ListTagsOfResourceInput{ResourceArn: aws.String("nonsense")})
	d.is.Equal(code(err), "ValidationException")
}
