package dynamodb_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/regcast/regcast/emulator/internal/dynamodb"
)

func move(from, to, amount string) []types.TransactWriteItem {
	table := aws.String("connections")
	return []types.TransactWriteItem{
		{Update: &types.Update{TableName: table, Key: item{"pk": s(from), "sk": s("x")}, UpdateExpression: aws.String("SET coins = coins - :n"),
			ConditionExpression: aws.String("coins >= :n"), ExpressionAttributeValues: item{":n": n(amount)},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}},
		{Update: &types.Update{TableName: table, Key: item{"pk": s(to), "sk": s("x")}, UpdateExpression: aws.String("ADD coins :n"), ExpressionAttributeValues: item{":n": n(amount)}}},
	}
}

func TestATransactionIsDoneWholeOrNotAtAll(t *testing.T) {
	d := open(t, dynamodb.Options{})
	d.put(item{"pk": s("a"), "sk": s("x"), "coins": n("10")})
	write := func(list ...types.TransactWriteItem) error {
		_, err := d.client.TransactWriteItems(ctx, &sdk.TransactWriteItemsInput{TransactItems: list})
		return err
	}
	d.is.NoErr(write(move("a", "b", "7")...))
	d.is.Equal(d.get("a", "x")["coins"], n("3"))
	d.is.Equal(d.get("b", "x")["coins"], n("7"))

	table := aws.String("connections")
	err := write(append(move("a", "b", "7"),
		types.TransactWriteItem{Put: &types.Put{TableName: table, Item: item{"pk": s("c"), "sk": s("x")}}},
		types.TransactWriteItem{Update: &types.Update{TableName: table, Key: item{"pk": s("d"), "sk": s("x")}, UpdateExpression: aws.String("SET m.x = :v"), ExpressionAttributeValues: item{":v": n("1")}}})...)
	var cancelled *types.TransactionCanceledException
	d.is.True(errors.As(err, &cancelled))
	d.is.Equal(cancelled.ErrorMessage(), "Transaction cancelled, please refer cancellation reasons for specific reasons [ConditionalCheckFailed, None, None, ValidationError]")
	d.is.Equal(len(cancelled.CancellationReasons), 4)
	d.is.Equal(*cancelled.CancellationReasons[0].Message, "The conditional request failed")
	d.is.Equal(cancelled.CancellationReasons[0].Item["coins"], n("3"))
	d.is.Equal(*cancelled.CancellationReasons[1].Code, "None")
	d.is.Equal(*cancelled.CancellationReasons[3].Message, "The document path provided in the update expression is invalid for update")
	d.is.Equal(d.get("b", "x")["coins"], n("7"))
	d.is.Equal(d.get("c", "x"), nil)

	d.is.NoErr(write(
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: table, Key: item{"pk": s("a"), "sk": s("x")}, ConditionExpression: aws.String("attribute_exists(pk)")}},
		types.TransactWriteItem{Delete: &types.Delete{TableName: table, Key: item{"pk": s("b"), "sk": s("x")}}},
		types.TransactWriteItem{Put: &types.Put{TableName: table, Item: item{"pk": s("c"), "sk": s("x")}}},
	))
	got, err := d.client.TransactGetItems(ctx, &sdk.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: table, Key: item{"pk": s("a"), "sk": s("x")}, ProjectionExpression: aws.String("coins")}},
		{Get: &types.Get{TableName: table, Key: item{"pk": s("b"), "sk": s("x")}}},
		{Get: &types.Get{TableName: table, Key: item{"pk": s("c"), "sk": s("x")}}},
	}})
	d.is.NoErr(err)
	d.is.Equal(len(got.Responses), 3)
	d.is.Equal(got.Responses[0].Item, item{"coins": n("3")})
	d.is.Equal(got.Responses[1].Item, nil)
	d.is.Equal(got.Responses[2].Item, item{"pk": s("c"), "sk": s("x")})

	for _, wrong := range []struct {
		list []types.TransactWriteItem
		want string
	}{
		{append(move("a", "b", "1"), move("b", "c", "1")...), "Transaction request cannot include multiple operations on one item"},
		{[]types.TransactWriteItem{{}}, "TransactItems can only contain one of Check, Put, Update or Delete"},
		{[]types.TransactWriteItem{}, "1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1"},
	} {
		err := write(wrong.list...)
		d.is.Equal(code(err), "ValidationException")
		d.is.True(strings.HasSuffix(err.Error(), ": "+wrong.want))
	}
}

func TestATransactionSentTwiceIsDoneOnce(t *testing.T) {
	d := open(t, dynamodb.Options{})
	d.put(item{"pk": s("a"), "sk": s("x"), "coins": n("10")})
	send := func(amount string) error {
		_, err := d.client.TransactWriteItems(ctx, &sdk.TransactWriteItemsInput{TransactItems: move("a", "b", amount), ClientRequestToken: aws.String("token")})
		return err
	}
	d.is.NoErr(send("1"))
	d.is.NoErr(send("1"))
	d.is.Equal(d.get("a", "x")["coins"], n("9"))
	d.is.Equal(code(send("2")), "IdempotentParameterMismatchException")
	d.clock.Advance(10 * time.Minute)
	d.is.NoErr(send("1"))
	d.is.Equal(d.get("a", "x")["coins"], n("8"))
}

// Money moved to and fro by many, in two tables, stays as much as it was in the eyes of everyone who looks.
func TestTransactionsAreIsolated(t *testing.T) {
	d := open(t, dynamodb.Options{})
	second := connections()
	second.Name = "second"
	d.is.NoErr(d.db.Create(second))
	d.put(item{"pk": s("a"), "sk": s("x"), "coins": n("50")})
	key := item{"pk": s("a"), "sk": s("x")}
	var wg sync.WaitGroup
	failures := make(chan error, 1000)
	for worker := range 4 {
		wg.Go(func() {
			for range 20 {
				list := move("a", "a", "1")
				list[1].Update.TableName = aws.String("second")
				if worker%2 == 1 { // the other order of tables: no deadlock
					list[0], list[1] = list[1], list[0]
				}
				_, err := d.client.TransactWriteItems(ctx, &sdk.TransactWriteItemsInput{TransactItems: list})
				var cancelled *types.TransactionCanceledException
				if err != nil && !errors.As(err, &cancelled) {
					failures <- err
				}
				out, err := d.client.TransactGetItems(ctx, &sdk.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
					{Get: &types.Get{TableName: aws.String("second"), Key: key}}, {Get: &types.Get{TableName: aws.String("connections"), Key: key}}}})
				if err != nil {
					failures <- err
					continue
				}
				if sum := value(out.Responses[0].Item["coins"]) + value(out.Responses[1].Item["coins"]); sum != 50 {
					failures <- errors.New("coins were made or lost")
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	d.is.Equal(d.get("a", "x")["coins"], n("0"))
}
