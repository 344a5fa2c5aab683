package dynamodb_test

import (
	"hash/crc32"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/regcast/regcast/emulator/internal/dynamodb"
)

// send sends a body by hand, as YDB's Document API is called: behind a path, with a bearer token.
func (d *door) send(method, target, body string) (*http.Response, string) {
	d.is.Helper()
	request, err := http.NewRequest(method, d.url+"/ru-central1/b1g/etn", strings.NewReader(body))
	d.is.NoErr(err)
	request.Header.Set("X-Amz-Target", target)
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("Authorization", "Bearer t1.token")
	response, err := http.DefaultClient.Do(request)
	d.is.NoErr(err)
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	d.is.NoErr(err)
	return response, string(out)
}

func TestWire(t *testing.T) {
	d := open(t, dynamodb.Options{})
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	const v = "DynamoDB_20120810."
	for _, one := range []struct {
		target, body string
		status       int
		want         string
	}{
		{v + "PutItem", `{"TableName":"connections","Item":{"pk":{"S":"a"},"sk":{"S":"<b>"}}}`, 200, `{}`},
		{v + "GetItem", `{"TableName":"connections","Key":{"pk":{"S":"a"},"sk":{"S":"<b>"}}}`, 200, `{"Item":{"pk":{"S":"a"},"sk":{"S":"<b>"}}}`},
		{v + "GetItem", `{"TableName":"connections","Key":{"pk":{"S":"a"},"sk":{"S":"<b>"}},"ProjectionExpression":"x"}`, 200, `{"Item":{}}`},
		{v + "GetItem", `{"TableName":"connections","Key":{"pk":{"S":"a"},"sk":{"S":"c"}}}`, 200, `{}`},
		{v + "Scan", `{"TableName":"connections","ReturnConsumedCapacity":"TOTAL"}`, 200, `{"Items":[{"pk":{"S":"a"},"sk":{"S":"<b>"}}],"Count":1,"ScannedCount":1,"ConsumedCapacity":{"TableName":"connections","CapacityUnits":0.5}}`},
		{v + "DeleteItem", `{"TableName":"connections","Key":{"pk":{"S":"a"},"sk":{"S":"c"}},"ConditionExpression":"attribute_exists(pk)"}`, 400,
			`{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}`},
		{v + "GetItem", `{}`, 400, `{"__type":"com.amazon.coral.validate#ValidationException","message":"2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null; Value null at 'key' failed to satisfy constraint: Member must not be null"}`},
		{v + "GetItem", `{"TableName":"no such!","Key":{}}`, 400, `{"__type":"com.amazon.coral.validate#ValidationException","message":"1 validation error detected: Value 'no such!' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"}`},
		{v + "GetItem", `{"TableName":1}`, 400, `{"Message":"NUMBER_VALUE cannot be converted to String","__type":"com.amazon.coral.service#SerializationException"}`},
		{v + "GetItem", `{"TableName":["a"]}`, 400, `{"Message":"Unrecognized collection type class java.lang.String","__type":"com.amazon.coral.service#SerializationException"}`},
		{v + "Query", `{"TableName":"connections","Limit":"1"}`, 400, `{"Message":"STRING_VALUE cannot be converted to Integer","__type":"com.amazon.coral.service#SerializationException"}`},
		{v + "GetItem", `{"TableName":`, 400, `{"__type":"com.amazon.coral.service#SerializationException"}`},
		{v + "CreateBackup", `{}`, 501, `{"__type":"com.amazon.coral.service#NotImplemented","message":"not emulated: dynamodb.CreateBackup"}`},
		{"DynamoDBStreams_20120810.ListStreams", `{}`, 501, `{"__type":"com.amazon.coral.service#NotImplemented","message":"not emulated: dynamodb.Streams.ListStreams"}`},
		{"Elsewhere.GetItem", `{}`, 400, `{"__type":"com.amazon.coral.service#UnknownOperationException"}`},
	} {
		response, body := d.send(http.MethodPost, one.target, one.body)
		if body != one.want || response.StatusCode != one.status {
			t.Errorf("%s %s: %d %s", one.target, one.body, response.StatusCode, body)
		}
		d.is.Equal(response.Header.Get("Content-Type"), "application/x-amz-json-1.0")
		d.is.True(regexp.MustCompile(`^[A-Z0-9]{52}$`).MatchString(response.Header.Get("x-amzn-RequestId")))
		d.is.Equal(response.Header.Get("x-amz-crc32"), strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(body))), 10))
	}
	response, body := d.send(http.MethodGet, "", "")
	d.is.Equal(response.StatusCode, 200)
	d.is.Equal(body, "healthy: dynamodb.us-east-1.amazonaws.com ")
	response, _ = d.send(http.MethodPut, v+"ListTables", "{}")
	d.is.Equal(response.StatusCode, 404)
	response, _ = d.send(http.MethodPost, v+"PutItem", strings.Repeat(" ", 16<<20+1))
	d.is.Equal(response.StatusCode, 413)
}

func TestConsumedCapacity(t *testing.T) {
	d := open(t, dynamodb.Options{})
	table := aws.String("connections")
	put := func(it item) *types.ConsumedCapacity {
		out, err := d.client.PutItem(ctx, &sdk.PutItemInput{TableName: table, Item: it, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
		d.is.NoErr(err)
		return out.ConsumedCapacity
	}
	c := put(item{"pk": s("a"), "sk": s("b"), "text": s(strings.Repeat("x", 3000)), "gsi1pk": s("g")})
	d.is.Equal(*c.CapacityUnits, 4.0) // 3 of the table, 1 of the index that holds keys only
	d.is.Equal(*c.Table.CapacityUnits, 3.0)
	d.is.Equal(*c.GlobalSecondaryIndexes["by-connection"].CapacityUnits, 1.0)
	c = put(item{"pk": s("a"), "sk": s("b"), "gsi1pk": s("g")})
	d.is.Equal(*c.CapacityUnits, 3.0) // the larger of before and after; the index has not changed
	c = put(item{"pk": s("a"), "sk": s("b"), "gsi1pk": s("h")})
	d.is.Equal(*c.GlobalSecondaryIndexes["by-connection"].CapacityUnits, 2.0) // one entry goes, one comes
	put(item{"pk": s("a"), "sk": s("b"), "text": s(strings.Repeat("x", 5000))})
	get, err := d.client.GetItem(ctx, &sdk.GetItemInput{TableName: table, Key: item{"pk": s("a"), "sk": s("b")}, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal})
	d.is.NoErr(err)
	d.is.Equal(*get.ConsumedCapacity.CapacityUnits, 1.0) // 2 blocks of 4 KB, half
	get, err = d.client.GetItem(ctx, &sdk.GetItemInput{TableName: table, Key: item{"pk": s("a"), "sk": s("b")}, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal, ConsistentRead: aws.Bool(true)})
	d.is.NoErr(err)
	d.is.Equal(*get.ConsumedCapacity.CapacityUnits, 2.0)
}

// Readers and writers at once, for the race detector.
func TestReadersAndWritersAtOnce(t *testing.T) {
	d := open(t, dynamodb.Options{})
	var wg sync.WaitGroup
	failures := make(chan error, 1000)
	for worker := range 4 {
		wg.Go(func() {
			for i := range 25 {
				_, err := d.client.PutItem(ctx, &sdk.PutItemInput{TableName: aws.String("connections"), Item: item{
					"pk": s("a"), "sk": s(strconv.Itoa(worker*1000 + i)), "gsi1pk": s("g"), "ttl": at(start.AddDate(1, 0, 0))}})
				failures <- err
				out, err := d.client.Query(ctx, &sdk.QueryInput{TableName: aws.String("connections"), KeyConditionExpression: aws.String("pk = :p"), ExpressionAttributeValues: item{":p": s("a")}})
				failures <- err
				if err == nil && int(out.Count) < i {
					t.Errorf("%d items after %d puts", out.Count, i)
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		d.is.NoErr(err)
	}
}
