package dynamodb_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/dynamodb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// connections is a table as the handlers use it: connections by repository, found again by connection.
func connections() dynamodb.Table {
	return dynamodb.Table{
		Name: "connections",
		Keys: []dynamodb.Key{{Name: "pk", Type: "S"}, {Name: "sk", Type: "S", Sort: true}},
		Indexes: []dynamodb.Index{
			{Name: "by-connection", Keys: []dynamodb.Key{{Name: "gsi1pk", Type: "S"}, {Name: "pk", Type: "S", Sort: true}}, Projection: "KEYS_ONLY"},
			{Name: "by-time", Keys: []dynamodb.Key{{Name: "pk", Type: "S"}, {Name: "since", Type: "N", Sort: true}}, Projection: "INCLUDE", Attributes: []string{"name"}, Local: true},
		},
		TTL: "ttl",
	}
}

// door is a DB behind HTTP with AWS's own client before it.
type door struct {
	is     *is.I
	db     *dynamodb.DB
	clock  *clock.Manual
	client *sdk.Client
	url    string
}

func open(t testing.TB, options dynamodb.Options) *door {
	t.Helper()
	d := &door{is: is.New(t), clock: clock.NewManual(start)}
	options.Clock = d.clock
	d.db = dynamodb.New(options)
	d.is.NoErr(d.db.Create(connections()))
	server := httptest.NewServer(d.db)
	t.Cleanup(server.Close)
	d.url = server.URL
	d.client = sdk.New(sdk.Options{
		BaseEndpoint: aws.String(server.URL + "/ru-central1/b1g/etn"),
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient:   server.Client(),
	})
	return d
}

type item = map[string]types.AttributeValue

func s(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }
func n(text string) types.AttributeValue { return &types.AttributeValueMemberN{Value: text} }

func (d *door) put(it item) {
	d.is.Helper()
	_, err := d.client.PutItem(context.Background(), &sdk.PutItemInput{TableName: aws.String("connections"), Item: it})
	d.is.NoErr(err)
}

func (d *door) get(pk, sk string) item {
	d.is.Helper()
	out, err := d.client.GetItem(context.Background(), &sdk.GetItemInput{TableName: aws.String("connections"), Key: item{"pk": s(pk), "sk": s(sk)}})
	d.is.NoErr(err)
	return out.Item
}

// code is what an SDK makes of a refusal.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

func TestAnItemComesBackAsItWent(t *testing.T) {
	d := open(t, dynamodb.Options{})
	it := item{
		"pk": s("REPO#team/app"), "sk": s("CONN#a=="), "number": n("-1.50"), "empty": s(""), "bytes": &types.AttributeValueMemberB{Value: []byte{0, 1, 255}},
		"yes": &types.AttributeValueMemberBOOL{Value: true}, "nothing": &types.AttributeValueMemberNULL{Value: true},
		"texts": &types.AttributeValueMemberSS{Value: []string{"ä<&>", "b"}}, "numbers": &types.AttributeValueMemberNS{Value: []string{"1", "2"}},
		"blobs": &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}},
		"tree": &types.AttributeValueMemberM{Value: item{"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{
			s("\u2028"), &types.AttributeValueMemberM{Value: item{}}, &types.AttributeValueMemberL{Value: []types.AttributeValue{}},
		}}}},
	}
	d.put(it)
	it["number"] = n("-1.5") // numbers come back in their shortest form
	d.is.Equal(d.get("REPO#team/app", "CONN#a=="), it)
	d.is.Equal(d.get("REPO#team/app", "CONN#b=="), nil)
}
