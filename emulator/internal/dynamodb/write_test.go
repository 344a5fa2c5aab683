package dynamodb_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/dynamodb"
)

var ctx = context.Background()

// A row as a handler might keep it, through the SDK's own marshalling and expression builder.
func TestAHandlersRow(t *testing.T) {
	d := open(t, dynamodb.Options{})
	type row struct {
		PK     string   `dynamodbav:"pk"`
		SK     string   `dynamodbav:"sk"`
		Tags   []string `dynamodbav:"tags,stringset"`
		TTL    int64    `dynamodbav:"ttl"`
		Events []string `dynamodbav:"events"`
	}
	in := row{PK: "REPO#team/app", SK: "CONN#a", Tags: []string{"v*"}, TTL: start.Unix() + 60, Events: []string{"create-image-tag"}}
	it, err := attributevalue.MarshalMap(in)
	d.is.NoErr(err)
	absent, err := expression.NewBuilder().WithCondition(expression.AttributeNotExists(expression.Name("pk"))).Build()
	d.is.NoErr(err)
	put := &sdk.PutItemInput{TableName: aws.String("connections"), Item: it, ConditionExpression: absent.Condition(), ExpressionAttributeNames: absent.Names()}
	_, err = d.client.PutItem(ctx, put)
	d.is.NoErr(err)
	_, err = d.client.PutItem(ctx, put)
	var failed *types.ConditionalCheckFailedException
	d.is.True(errors.As(err, &failed))
	d.is.Equal(failed.ErrorMessage(), "The conditional request failed")
	d.is.Equal(failed.Item, nil)

	later, err := expression.NewBuilder().WithUpdate(expression.
		Set(expression.Name("ttl"), expression.Plus(expression.Name("ttl"), expression.Value(60))).
		Set(expression.Name("events"), expression.ListAppend(expression.Name("events"), expression.Value([]string{"delete-image"}))).
		Add(expression.Name("tags"), expression.Value(&types.AttributeValueMemberSS{Value: []string{"latest"}}))).
		WithCondition(expression.Name("ttl").LessThan(expression.Value(start.Unix() + 100))).Build()
	d.is.NoErr(err)
	update := &sdk.UpdateItemInput{TableName: aws.String("connections"), Key: item{"pk": it["pk"], "sk": it["sk"]}, UpdateExpression: later.Update(),
		ConditionExpression: later.Condition(), ExpressionAttributeNames: later.Names(), ExpressionAttributeValues: later.Values(),
		ReturnValues: types.ReturnValueAllNew, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}
	out, err := d.client.UpdateItem(ctx, update)
	d.is.NoErr(err)
	var got row
	d.is.NoErr(attributevalue.UnmarshalMap(out.Attributes, &got))
	in.TTL, in.Tags, in.Events = start.Unix()+120, []string{"v*", "latest"}, []string{"create-image-tag", "delete-image"}
	d.is.Equal(got, in)
	_, err = d.client.UpdateItem(ctx, update)
	d.is.True(errors.As(err, &failed))
	d.is.Equal(failed.Item, out.Attributes) // the item that failed the condition
}

func TestReturnValues(t *testing.T) {
	d := open(t, dynamodb.Options{})
	key := item{"pk": s("a"), "sk": s("b")}
	tree := func(x string) types.AttributeValue {
		return &types.AttributeValueMemberM{Value: item{"x": n(x), "y": n("9")}}
	}
	whole := item{"pk": s("a"), "sk": s("b"), "m": tree("2"), "old": s("o")}
	for want, expected := range map[types.ReturnValue]item{
		types.ReturnValueNone:       nil,
		types.ReturnValueAllOld:     whole,
		types.ReturnValueAllNew:     {"pk": s("a"), "sk": s("b"), "m": tree("3"), "new": s("v")},
		types.ReturnValueUpdatedOld: {"m": &types.AttributeValueMemberM{Value: item{"x": n("2")}}, "old": s("o")},
		types.ReturnValueUpdatedNew: {"m": &types.AttributeValueMemberM{Value: item{"x": n("3")}}, "new": s("v")},
	} {
		d.put(whole)
		out, err := d.client.UpdateItem(ctx, &sdk.UpdateItemInput{TableName: aws.String("connections"), Key: key, ReturnValues: want,
			UpdateExpression: aws.String("SET m.x = m.x + :one, #n = :v REMOVE #o"), ExpressionAttributeNames: map[string]string{"#n": "new", "#o": "old"},
			ExpressionAttributeValues: item{":one": n("1"), ":v": s("v")}})
		d.is.NoErr(err)
		d.is.Equal(out.Attributes, expected)
	}
	del := &sdk.DeleteItemInput{TableName: aws.String("connections"), Key: key, ReturnValues: types.ReturnValueAllOld}
	gone, err := d.client.DeleteItem(ctx, del)
	d.is.NoErr(err)
	d.is.Equal(gone.Attributes["new"], s("v"))
	gone, err = d.client.DeleteItem(ctx, del)
	d.is.NoErr(err)
	d.is.Equal(gone.Attributes, nil)
	del.ReturnValues = types.ReturnValueAllNew
	_, err = d.client.DeleteItem(ctx, del)
	d.is.Equal(code(err), "ValidationException")
}

func TestAnUpdateMakesTheItemUnlessItOnlyRemoves(t *testing.T) {
	d := open(t, dynamodb.Options{})
	update := func(pk string, text *string) *sdk.UpdateItemOutput {
		out, err := d.client.UpdateItem(ctx, &sdk.UpdateItemInput{TableName: aws.String("connections"), Key: item{"pk": s(pk), "sk": s("x")},
			UpdateExpression: text, ReturnValues: types.ReturnValueAllNew})
		d.is.NoErr(err)
		return out
	}
	d.is.Equal(update("bare", nil).Attributes, item{"pk": s("bare"), "sk": s("x")})
	d.is.Equal(d.get("bare", "x"), item{"pk": s("bare"), "sk": s("x")})
	d.is.Equal(update("removed", aws.String("REMOVE a")).Attributes, nil)
	d.is.Equal(d.get("removed", "x"), nil)
}

func TestWritesThatAreRefused(t *testing.T) {
	d := open(t, dynamodb.Options{})
	table := aws.String("connections")
	key := item{"pk": s("a"), "sk": s("b")}
	with := func(name string, v types.AttributeValue) item {
		it := item{"pk": s("a"), "sk": s("b")}
		if it[name] = v; v == nil {
			delete(it, name)
		}
		return it
	}
	for _, put := range []struct {
		item item
		want string
	}{
		{with("sk", nil), "One or more parameter values were invalid: Missing the key sk in the item"},
		{with("sk", n("1")), "One or more parameter values were invalid: Type mismatch for key sk expected: S actual: N"},
		{with("pk", s("")), "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{with("pk", s(strings.Repeat("k", 2049))), "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{with("sk", s(strings.Repeat("k", 1025))), "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes"},
		{with("since", s("x")), "One or more parameter values were invalid: Type mismatch for Index Key since Expected: N Actual: S IndexName: by-time"},
		{with("gsi1pk", s("")), "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by-connection, IndexKey: gsi1pk"},
		{with("text", s(strings.Repeat("x", 400<<10-9))), "Item size has exceeded the maximum allowed size"}, // names and key: 10 bytes
		{with("n", n("1e200")), "Number overflow. Attempting to store a number with magnitude larger than supported range"},
	} {
		_, err := d.client.PutItem(ctx, &sdk.PutItemInput{TableName: table, Item: put.item})
		d.is.Equal(code(err), "ValidationException")
		d.is.True(strings.HasSuffix(err.Error(), ": "+put.want))
	}
	d.put(with("text", s(strings.Repeat("x", 400<<10-10)))) // just fits
	for text, want := range map[string]string{
		"SET sk = :v":                "One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key",
		"SET pk.a = :v":              "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key",
		"SET gsi1pk.a = :v":          "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: gsi1pk",
		"SET #at = :v":               "One or more parameter values were invalid: Type mismatch for Index Key since Expected: N Actual: S IndexName: by-time",
		"SET #at = #text, more = :v": "The update expression attempted to update the secondary index key to unsupported type",
		"SET more = :v, #at = :v":    "One or more parameter values were invalid: Type mismatch for Index Key since Expected: N Actual: S IndexName: by-time",
		"SET more = :v":              "Item size to update has exceeded the maximum allowed size",
		"SET a.b = :v":               "The document path provided in the update expression is invalid for update",
	} {
		names := map[string]string{}
		for alias, name := range map[string]string{"#at": "since", "#text": "text"} {
			if strings.Contains(text, alias) {
				names[alias] = name
			}
		}
		if len(names) == 0 {
			names = nil
		}
		_, err := d.client.UpdateItem(ctx, &sdk.UpdateItemInput{TableName: table, Key: key, UpdateExpression: &text, ExpressionAttributeNames: names,
			ExpressionAttributeValues: item{":v": s("12345")}})
		d.is.Equal(code(err), "ValidationException")
		if !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, k := range []item{{"pk": s("a")}, {"pk": s("a"), "sk": n("1")}, {"pk": s("a"), "x": s("1")}, {"pk": s("a"), "sk": s("1"), "x": s("1")}} {
		_, err := d.client.GetItem(ctx, &sdk.GetItemInput{TableName: table, Key: k})
		d.is.Equal(code(err), "ValidationException")
		d.is.True(strings.HasSuffix(err.Error(), ": The provided key element does not match the schema"))
	}
	_, err := d.client.GetItem(ctx, &sdk.GetItemInput{TableName: aws.String("nowhere"), Key: key})
	var missing *types.ResourceNotFoundException
	d.is.True(errors.As(err, &missing))
	d.is.Equal(missing.ErrorMessage(), "Requested resource not found")
}

func TestTheSameRequestWithoutItsExpression(t *testing.T) {
	d := open(t, dynamodb.Options{})
	key := item{"pk": s("a"), "sk": s("b")}
	_, err := d.client.DeleteItem(ctx, &sdk.DeleteItemInput{TableName: aws.String("connections"), Key: key, ExpressionAttributeNames: map[string]string{"#a": "a"}})
	d.is.True(strings.Contains(err.Error(), "ExpressionAttributeNames can only be specified when using expressions"))
	_, err = d.client.UpdateItem(ctx, &sdk.UpdateItemInput{TableName: aws.String("connections"), Key: key, ExpressionAttributeValues: item{":a": s("a")}})
	d.is.True(strings.Contains(err.Error(), "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression are null"))
	_, err = d.client.DeleteItem(ctx, &sdk.DeleteItemInput{TableName: aws.String("connections"), Key: key, ConditionExpression: aws.String("a = :a"),
		ExpressionAttributeValues: item{":a": s("a"), ":x": s("a")}})
	d.is.True(strings.Contains(err.Error(), "Value provided in ExpressionAttributeValues unused in expressions: keys: {:x}"))
}

// A counter that many count up at once misses none.
func TestUpdatesOfOneItemAreOneAfterAnother(t *testing.T) {
	d := open(t, dynamodb.Options{})
	const writers, rounds = 8, 25
	var wg sync.WaitGroup
	failures := make(chan error, writers*rounds)
	for range writers {
		wg.Go(func() {
			for range rounds {
				_, err := d.client.UpdateItem(ctx, &sdk.UpdateItemInput{TableName: aws.String("connections"), Key: item{"pk": s("a"), "sk": s("b")},
					UpdateExpression: aws.String("ADD hits :one"), ExpressionAttributeValues: item{":one": n("1")}})
				failures <- err
			}
		})
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		is.New(t).NoErr(err)
	}
	d.is.Equal(d.get("a", "b")["hits"], n(strconv.Itoa(writers*rounds)))
}
