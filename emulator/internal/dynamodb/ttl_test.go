package dynamodb_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/regcast/regcast/emulator/internal/dynamodb"
)

func at(t time.Time) types.AttributeValue { return n(strconv.FormatInt(t.Unix(), 10)) }

func (d *door) count() int64 {
	d.is.Helper()
	out, err := d.client.DescribeTable(ctx, &sdk.DescribeTableInput{TableName: aws.String("connections")})
	d.is.NoErr(err)
	return *out.Table.ItemCount
}

func TestAnItemIsGoneWhenItsTimeComes(t *testing.T) {
	d := open(t, dynamodb.Options{})
	d.put(item{"pk": s("a"), "sk": s("soon"), "gsi1pk": s("g"), "since": n("1"), "ttl": at(start.Add(time.Minute))})
	d.put(item{"pk": s("a"), "sk": s("later"), "gsi1pk": s("g"), "ttl": at(start.Add(time.Hour))})
	d.put(item{"pk": s("a"), "sk": s("text"), "ttl": s("1")})                          // not a number: never
	d.put(item{"pk": s("a"), "sk": s("ancient"), "ttl": at(start.AddDate(-5, 0, -1))}) // more than five years ago: never
	d.put(item{"pk": s("a"), "sk": s("past"), "ttl": at(start.Add(-time.Second))})
	d.is.Equal(d.get("a", "past"), nil)
	d.clock.Advance(time.Minute - time.Nanosecond)
	d.is.True(d.get("a", "soon") != nil)
	d.clock.Advance(time.Nanosecond)
	d.is.Equal(d.get("a", "soon"), nil)
	d.is.Equal(d.count(), int64(3)) // it does not take up room either
	for _, index := range []string{"by-connection", "by-time"} {
		out, err := d.client.Scan(ctx, &sdk.ScanInput{TableName: aws.String("connections"), IndexName: &index})
		d.is.NoErr(err)
		for _, it := range out.Items {
			d.is.True(it["sk"].(*types.AttributeValueMemberS).Value != "soon")
		}
	}
	// A condition sees no item.
	_, err := d.client.PutItem(ctx, &sdk.PutItemInput{TableName: aws.String("connections"), Item: item{"pk": s("a"), "sk": s("soon")},
		ConditionExpression: aws.String("attribute_not_exists(pk)")})
	d.is.NoErr(err)
	// A put with a new time takes the old one's place.
	d.put(item{"pk": s("a"), "sk": s("later"), "ttl": at(start.Add(2 * time.Hour))})
	d.clock.Advance(time.Hour)
	d.is.True(d.get("a", "later") != nil)
	d.clock.Advance(time.Hour)
	d.is.Equal(d.get("a", "later"), nil)
}

func TestLazyTTL(t *testing.T) {
	d := open(t, dynamodb.Options{LazyTTL: true})
	d.put(item{"pk": s("a"), "sk": s("b"), "ttl": at(start.Add(time.Minute))})
	d.clock.Advance(47 * time.Hour)
	d.is.True(d.get("a", "b") != nil) // long expired and still readable, as it may be at AWS
	out, err := d.client.Query(ctx, &sdk.QueryInput{TableName: aws.String("connections"), KeyConditionExpression: aws.String("pk = :p"),
		FilterExpression: aws.String("#t > :now"), ExpressionAttributeNames: map[string]string{"#t": "ttl"},
		ExpressionAttributeValues: item{":p": s("a"), ":now": at(d.clock.Now())}})
	d.is.NoErr(err)
	d.is.Equal(out.Count, int32(0)) // which is what readers filter for
	d.clock.Advance(time.Hour + time.Minute)
	d.is.Equal(d.get("a", "b"), nil) // 48 hours after its time
}

func TestTTLIsSwitched(t *testing.T) {
	d := open(t, dynamodb.Options{})
	update := func(enabled bool, attribute string) error {
		_, err := d.client.UpdateTimeToLive(ctx, &sdk.UpdateTimeToLiveInput{TableName: aws.String("connections"),
			TimeToLiveSpecification: &types.TimeToLiveSpecification{Enabled: &enabled, AttributeName: &attribute}})
		return err
	}
	described := func() *types.TimeToLiveDescription {
		out, err := d.client.DescribeTimeToLive(ctx, &sdk.DescribeTimeToLiveInput{TableName: aws.String("connections")})
		d.is.NoErr(err)
		return out.TimeToLiveDescription
	}
	d.is.Equal(described().TimeToLiveStatus, types.TimeToLiveStatusEnabled)
	d.is.Equal(*described().AttributeName, "ttl")
	for _, wrong := range []struct {
		err  error
		want string
	}{
		{update(true, "ttl"), "TimeToLive is already enabled"},
		{update(true, "ends"), "TimeToLive is active on a different AttributeName: current AttributeName is ttl"},
	} {
		d.is.Equal(code(wrong.err), "ValidationException")
		d.is.True(strings.HasSuffix(wrong.err.Error(), ": "+wrong.want))
	}
	d.is.NoErr(update(false, "ttl"))
	d.is.Equal(described().TimeToLiveStatus, types.TimeToLiveStatusDisabled)
	d.is.True(strings.HasSuffix(update(false, "ttl").Error(), ": TimeToLive is already disabled"))
	d.put(item{"pk": s("a"), "sk": s("b"), "ttl": at(start), "ends": at(start.Add(time.Hour))})
	d.clock.Advance(time.Minute)
	d.is.True(d.get("a", "b") != nil)
	d.is.NoErr(update(true, "ends")) // holds for what is there already
	d.is.True(d.get("a", "b") != nil)
	d.clock.Advance(time.Hour)
	d.is.Equal(d.get("a", "b"), nil)
}
