package dynamodb_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/regcast/regcast/emulator/internal/dynamodb"
)

func value(v types.AttributeValue) int {
	i, _ := strconv.Atoi(text(v))
	return i
}

func puts(from, to int) []types.WriteRequest {
	var list []types.WriteRequest
	for i := from; i < to; i++ {
		list = append(list, types.WriteRequest{PutRequest: &types.PutRequest{Item: item{"pk": s("a"), "sk": s(strconv.Itoa(i)), "num": n(strconv.Itoa(i))}}})
	}
	return list
}

func TestBatches(t *testing.T) {
	d := open(t, dynamodb.Options{})
	write := func(list []types.WriteRequest) error {
		out, err := d.client.BatchWriteItem(ctx, &sdk.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"connections": list}})
		if err == nil {
			d.is.Equal(len(out.UnprocessedItems), 0)
		}
		return err
	}
	d.is.NoErr(write(puts(0, 25)))
	d.is.NoErr(write(append(puts(25, 26), types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: item{"pk": s("a"), "sk": s("3")}}})))
	d.is.Equal(d.count(), int64(25))

	keys := []map[string]types.AttributeValue{{"pk": s("a"), "sk": s("2")}, {"pk": s("a"), "sk": s("3")}, {"pk": s("a"), "sk": s("4")}}
	out, err := d.client.BatchGetItem(ctx, &sdk.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		"connections": {Keys: keys, ProjectionExpression: aws.String("#n"), ExpressionAttributeNames: map[string]string{"#n": "num"}}}})
	d.is.NoErr(err)
	d.is.Equal(out.Responses["connections"], []map[string]types.AttributeValue{{"num": n("2")}, {"num": n("4")}})
	d.is.Equal(len(out.UnprocessedKeys), 0)

	for _, wrong := range []struct {
		list []types.WriteRequest
		want string
	}{
		{append(puts(0, 1), puts(0, 1)...), "Provided list of item keys contains duplicates"},
		{[]types.WriteRequest{{}}, "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"},
		{[]types.WriteRequest{{PutRequest: &types.PutRequest{Item: item{"pk": s("a")}}}}, "The provided key element does not match the schema"},
	} {
		err := write(wrong.list)
		d.is.Equal(code(err), "ValidationException")
		d.is.True(strings.HasSuffix(err.Error(), ": "+wrong.want))
	}
	err = write(puts(0, 26))
	d.is.Equal(code(err), "ValidationException")
	d.is.True(strings.Contains(err.Error(), "Member must have length less than or equal to 25"))
	_, err = d.client.BatchGetItem(ctx, &sdk.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"connections": {Keys: append(keys, keys[0])}}})
	d.is.True(strings.HasSuffix(err.Error(), ": Provided list of item keys contains duplicates"))
	_, err = d.client.BatchGetItem(ctx, &sdk.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"nowhere": {Keys: keys}}})
	d.is.Equal(code(err), "ResourceNotFoundException")
}

// What does not fit into 16 MB is handed back to be asked for again.
func TestBatchGetHandsBackWhatDoesNotFit(t *testing.T) {
	d := open(t, dynamodb.Options{})
	var keys []map[string]types.AttributeValue
	const items = 45
	for i := range items {
		key := item{"pk": s("a"), "sk": s(strconv.Itoa(i))}
		keys = append(keys, key)
		d.put(item{"pk": key["pk"], "sk": key["sk"], "filler": s(strings.Repeat("x", 390<<10))})
	}
	got, asks := 0, 0
	ask := map[string]types.KeysAndAttributes{"connections": {Keys: keys}}
	for len(ask) > 0 && asks < 5 {
		out, err := d.client.BatchGetItem(ctx, &sdk.BatchGetItemInput{RequestItems: ask})
		d.is.NoErr(err)
		got += len(out.Responses["connections"])
		ask = out.UnprocessedKeys
		asks++
	}
	d.is.Equal(got, items)
	d.is.Equal(asks, 2)
}
