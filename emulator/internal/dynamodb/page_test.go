package dynamodb_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/regcast/regcast/emulator/internal/dynamodb"
)

func text(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

func sorts(items []item) []string {
	out := []string{}
	for _, it := range items {
		out = append(out, text(it["sk"]))
	}
	return out
}

func (d *door) query(in *sdk.QueryInput) *sdk.QueryOutput {
	d.is.Helper()
	in.TableName = aws.String("connections")
	out, err := d.client.Query(ctx, in)
	d.is.NoErr(err)
	return out
}

func TestQueryPages(t *testing.T) {
	d := open(t, dynamodb.Options{})
	for i := range 7 {
		d.put(item{"pk": s("REPO#a"), "sk": s("CONN#" + strconv.Itoa(i)), "even": &types.AttributeValueMemberBOOL{Value: i%2 == 0}})
	}
	d.put(item{"pk": s("REPO#b"), "sk": s("CONN#x")})
	for _, forward := range []bool{true, false} {
		pages := sdk.NewQueryPaginator(d.client, &sdk.QueryInput{TableName: aws.String("connections"), KeyConditionExpression: aws.String("pk = :p"), Limit: aws.Int32(3),
			ScanIndexForward: &forward, FilterExpression: aws.String("even = :yes"), ProjectionExpression: aws.String("sk"),
			ExpressionAttributeValues: item{":p": s("REPO#a"), ":yes": &types.AttributeValueMemberBOOL{Value: true}}})
		var got []string
		var scanned []int32
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			d.is.NoErr(err)
			got = append(got, sorts(out.Items)...)
			scanned = append(scanned, out.ScannedCount)
			for _, it := range out.Items {
				d.is.Equal(len(it), 1) // sk alone
			}
		}
		want := []string{"CONN#0", "CONN#2", "CONN#4", "CONN#6"}
		if !forward {
			slices.Reverse(want)
		}
		d.is.Equal(got, want)
		d.is.Equal(scanned, []int32{3, 3, 1}) // the filter comes after the page
	}
	// A page goes on behind a key that is not there any more.
	first := d.query(&sdk.QueryInput{KeyConditionExpression: aws.String("pk = :p"), Limit: aws.Int32(2), ExpressionAttributeValues: item{":p": s("REPO#a")}})
	_, err := d.client.DeleteItem(ctx, &sdk.DeleteItemInput{TableName: aws.String("connections"), Key: first.LastEvaluatedKey})
	d.is.NoErr(err)
	next := d.query(&sdk.QueryInput{KeyConditionExpression: aws.String("pk = :p"), Limit: aws.Int32(2), ExpressionAttributeValues: item{":p": s("REPO#a")},
		ExclusiveStartKey: first.LastEvaluatedKey})
	d.is.Equal(sorts(next.Items), []string{"CONN#2", "CONN#3"})
	// A page that ends with the last item says that there may be more, as the cloud's does.
	all := d.query(&sdk.QueryInput{KeyConditionExpression: aws.String("pk = :p"), Limit: aws.Int32(1), ExpressionAttributeValues: item{":p": s("REPO#b")}})
	d.is.Equal(all.LastEvaluatedKey, item{"pk": s("REPO#b"), "sk": s("CONN#x")})
	count := d.query(&sdk.QueryInput{KeyConditionExpression: aws.String("pk = :p"), Select: types.SelectCount, ExpressionAttributeValues: item{":p": s("REPO#a")}})
	d.is.Equal(count.Count, int32(6))
	d.is.Equal(len(count.Items), 0)
}

func TestAPageIsAMegabyteBeforeTheFilter(t *testing.T) {
	d := open(t, dynamodb.Options{})
	for i := range 5 {
		d.put(item{"pk": s("a"), "sk": s(strconv.Itoa(i)), "blob": &types.AttributeValueMemberB{Value: make([]byte, 350<<10)}})
	}
	out := d.query(&sdk.QueryInput{KeyConditionExpression: aws.String("pk = :p"), FilterExpression: aws.String("attribute_not_exists(#b)"),
		ExpressionAttributeNames: map[string]string{"#b": "blob"}, ExpressionAttributeValues: item{":p": s("a")}})
	d.is.Equal(out.ScannedCount, int32(2))
	d.is.Equal(out.Count, int32(0))
	d.is.Equal(out.LastEvaluatedKey, item{"pk": s("a"), "sk": s("1")})
}

func TestIndexes(t *testing.T) {
	d := open(t, dynamodb.Options{})
	d.put(item{"pk": s("REPO#b"), "sk": s("1"), "gsi1pk": s("CONN#1"), "since": n("10"), "name": s("x"), "more": s("y")})
	d.put(item{"pk": s("REPO#a"), "sk": s("1"), "gsi1pk": s("CONN#1"), "more": s("y")})
	d.put(item{"pk": s("REPO#b"), "sk": s("2"), "since": n("-1.5"), "more": s("z")}) // not in by-connection
	d.put(item{"pk": s("REPO#b"), "sk": s("3"), "gsi1pk": s("CONN#2"), "since": n("9")})
	by := func(in *sdk.QueryInput, index, condition string, values item) *sdk.QueryOutput {
		in.IndexName, in.KeyConditionExpression, in.ExpressionAttributeValues = &index, &condition, values
		return d.query(in)
	}
	out := by(&sdk.QueryInput{}, "by-connection", "gsi1pk = :c", item{":c": s("CONN#1")})
	d.is.Equal(out.Items, []item{{"pk": s("REPO#a"), "sk": s("1"), "gsi1pk": s("CONN#1")}, {"pk": s("REPO#b"), "sk": s("1"), "gsi1pk": s("CONN#1")}}) // KEYS_ONLY
	out = by(&sdk.QueryInput{Limit: aws.Int32(1)}, "by-connection", "gsi1pk = :c", item{":c": s("CONN#1")})
	d.is.Equal(out.LastEvaluatedKey, item{"pk": s("REPO#a"), "sk": s("1"), "gsi1pk": s("CONN#1")})
	out = by(&sdk.QueryInput{ExclusiveStartKey: out.LastEvaluatedKey}, "by-connection", "gsi1pk = :c", item{":c": s("CONN#1")})
	d.is.Equal(text(out.Items[0]["pk"]), "REPO#b")

	out = by(&sdk.QueryInput{ScanIndexForward: aws.Bool(false)}, "by-time", "pk = :p", item{":p": s("REPO#b")})
	d.is.Equal(sorts(out.Items), []string{"1", "3", "2"}) // 10, 9, -1.5: numbers
	d.is.Equal(out.Items[0], item{"pk": s("REPO#b"), "sk": s("1"), "since": n("10"), "name": s("x")})
	out = by(&sdk.QueryInput{Select: types.SelectAllAttributes, ConsistentRead: aws.Bool(true)}, "by-time", "pk = :p AND since < :t", item{":p": s("REPO#b"), ":t": n("9")})
	d.is.Equal(out.Items, []item{{"pk": s("REPO#b"), "sk": s("2"), "since": n("-1.5"), "more": s("z")}}) // fetched from the table
	out = by(&sdk.QueryInput{ProjectionExpression: aws.String("more")}, "by-time", "pk = :p AND since = :t", item{":p": s("REPO#b"), ":t": n("10.0")})
	d.is.Equal(out.Items, []item{{"more": s("y")}})

	// An item moves in an index when its attribute changes, and leaves it with the attribute.
	d.put(item{"pk": s("REPO#b"), "sk": s("3"), "gsi1pk": s("CONN#1")})
	d.is.Equal(by(&sdk.QueryInput{}, "by-connection", "gsi1pk = :c", item{":c": s("CONN#2")}).Count, int32(0))
	d.is.Equal(by(&sdk.QueryInput{}, "by-connection", "gsi1pk = :c", item{":c": s("CONN#1")}).Count, int32(3))
	d.is.Equal(by(&sdk.QueryInput{}, "by-time", "pk = :p", item{":p": s("REPO#b")}).Count, int32(2))

	for _, wrong := range []struct {
		in   sdk.QueryInput
		want string
	}{
		{sdk.QueryInput{ConsistentRead: aws.Bool(true)}, "Consistent reads are not supported on global secondary indexes"},
		{sdk.QueryInput{Select: types.SelectAllAttributes}, "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index by-connection because its projection type is not ALL"},
		{sdk.QueryInput{ProjectionExpression: aws.String("more")}, "One or more parameter values were invalid: Global secondary index by-connection does not project [more]"},
		{sdk.QueryInput{FilterExpression: aws.String("gsi1pk = :c")}, "Filter Expression can only contain non-primary key attributes: Primary key attribute: gsi1pk"},
	} {
		wrong.in.TableName, wrong.in.IndexName = aws.String("connections"), aws.String("by-connection")
		wrong.in.KeyConditionExpression, wrong.in.ExpressionAttributeValues = aws.String("gsi1pk = :c"), item{":c": s("x")}
		_, err := d.client.Query(ctx, &wrong.in)
		d.is.Equal(code(err), "ValidationException")
		d.is.True(strings.HasSuffix(err.Error(), ": "+wrong.want))
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	d := open(t, dynamodb.Options{})
	start := func(pk, sk types.AttributeValue) item { return item{"pk": pk, "sk": sk} }
	for _, wrong := range []struct {
		condition string
		in        sdk.QueryInput
		want      string
	}{
		{"sk = :a", sdk.QueryInput{}, "Query condition missed key schema element: pk"},
		{"pk > :a", sdk.QueryInput{}, "Query key condition not supported"},
		{"pk = :a AND elsewhere = :a", sdk.QueryInput{}, "Query condition missed key schema element: sk"},
		{"pk = :n", sdk.QueryInput{}, "One or more parameter values were invalid: Condition parameter type does not match schema type"},
		{"pk = :a AND begins_with(sk, :n)", sdk.QueryInput{}, "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
		{"pk = :a", sdk.QueryInput{IndexName: aws.String("nowhere")}, "The table does not have the specified index: nowhere"},
		{"pk = :a", sdk.QueryInput{Limit: aws.Int32(0)}, "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"pk = :a", sdk.QueryInput{Select: "MOST"}, "1 validation error detected: Value 'MOST' at 'select' failed to satisfy constraint: Member must satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]"},
		{"pk = :a", sdk.QueryInput{ExclusiveStartKey: start(s("b"), s("x"))}, "The provided starting key is outside query boundaries based on provided conditions"},
		{"pk = :a AND sk > :a", sdk.QueryInput{ExclusiveStartKey: start(s("a"), s("A"))}, "The provided starting key does not match the range key predicate"},
		{"pk = :a", sdk.QueryInput{ExclusiveStartKey: item{"pk": s("a")}}, "The provided starting key is invalid"},
		{"pk = :a", sdk.QueryInput{ExclusiveStartKey: start(s("a"), n("1"))}, "The provided key element does not match the schema"},
	} {
		wrong.in.TableName, wrong.in.KeyConditionExpression, wrong.in.ExpressionAttributeValues = aws.String("connections"), &wrong.condition, item{}
		for name, v := range (item{":a": s("a"), ":n": n("1")}) {
			if strings.Contains(wrong.condition, name) {
				wrong.in.ExpressionAttributeValues[name] = v
			}
		}
		_, err := d.client.Query(ctx, &wrong.in)
		d.is.Equal(code(err), "ValidationException")
		if !strings.HasSuffix(err.Error(), ": "+wrong.want) {
			t.Errorf("%s: %v, want %s", wrong.condition, err, wrong.want)
		}
	}
}

// Segments of a scan are disjoint, all of them are the table, and pages of each go on where the last ended.
func TestScanSegments(t *testing.T) {
	d := open(t, dynamodb.Options{})
	const items = 120
	for i := range items {
		d.put(item{"pk": s(fmt.Sprint("p", i/2)), "sk": s(strconv.Itoa(i))})
	}
	for _, segments := range []int32{1, 3, 7} {
		seen := map[string]int{}
		for segment := range segments {
			pages := sdk.NewScanPaginator(d.client, &sdk.ScanInput{TableName: aws.String("connections"), Limit: aws.Int32(11), Segment: &segment, TotalSegments: &segments})
			for pages.HasMorePages() {
				out, err := pages.NextPage(ctx)
				d.is.NoErr(err)
				for _, sk := range sorts(out.Items) {
					seen[sk]++
				}
			}
		}
		d.is.Equal(len(seen), items)
		for sk, times := range seen {
			if times != 1 {
				t.Errorf("item %s came %d times from %d segments", sk, times, segments)
			}
		}
	}
	for _, wrong := range []struct {
		in   sdk.ScanInput
		want string
	}{
		{sdk.ScanInput{Segment: aws.Int32(1)}, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"},
		{sdk.ScanInput{TotalSegments: aws.Int32(1)}, "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"},
		{sdk.ScanInput{Segment: aws.Int32(2), TotalSegments: aws.Int32(2)}, "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less than TotalSegments: 2"},
	} {
		wrong.in.TableName = aws.String("connections")
		_, err := d.client.Scan(ctx, &wrong.in)
		d.is.Equal(code(err), "ValidationException")
		d.is.True(strings.HasSuffix(err.Error(), ": "+wrong.want))
	}
}

// Any history of writes, then any query by a number, answers what a list that is sorted and searched from end to end answers.
func TestQueriesAgreeWithANaiveModel(t *testing.T) {
	d := open(t, dynamodb.Options{})
	d.is.NoErr(d.db.Create(dynamodb.Table{Name: "model", Keys: []dynamodb.Key{{Name: "pk", Type: "S"}, {Name: "sk", Type: "N", Sort: true}},
		Indexes: []dynamodb.Index{{Name: "by-group", Keys: []dynamodb.Key{{Name: "grp", Type: "S"}, {Name: "weight", Type: "N", Sort: true}}}}}))
	r := rand.New(rand.NewPCG(3, 4))
	number := func() float64 { return float64(r.IntN(41)-20) / 4 }
	print := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	type row struct {
		pk, group  string // group empty: not in the index
		sk, weight float64
	}
	model := map[string]row{}
	for range 400 {
		one := row{pk: string(rune('a' + r.IntN(3))), sk: number(), group: []string{"", "g", "h"}[r.IntN(3)], weight: number()}
		key := item{"pk": s(one.pk), "sk": n(print(one.sk))}
		if r.IntN(3) == 0 {
			_, err := d.client.DeleteItem(ctx, &sdk.DeleteItemInput{TableName: aws.String("model"), Key: key})
			d.is.NoErr(err)
			delete(model, one.pk+print(one.sk))
			continue
		}
		it := item{"pk": key["pk"], "sk": key["sk"], "weight": n(print(one.weight))}
		if one.group != "" {
			it["grp"] = s(one.group)
		}
		_, err := d.client.PutItem(ctx, &sdk.PutItemInput{TableName: aws.String("model"), Item: it})
		d.is.NoErr(err)
		model[one.pk+print(one.sk)] = one
	}
	for range 400 {
		var index *string
		hash, sort, value := "pk", "sk", string(rune('a'+r.IntN(3)))
		if r.IntN(2) == 0 {
			index, hash, sort, value = aws.String("by-group"), "grp", "weight", []string{"g", "h"}[r.IntN(2)]
		}
		op := []string{"=", "<", "<=", ">", ">=", "BETWEEN", ""}[r.IntN(7)]
		low, high := number(), number()
		if low > high {
			low, high = high, low
		}
		in := &sdk.QueryInput{TableName: aws.String("model"), IndexName: index, Limit: aws.Int32(int32(r.IntN(6) + 1)), ScanIndexForward: aws.Bool(r.IntN(2) == 0),
			KeyConditionExpression: aws.String(hash + " = :h"), ExpressionAttributeValues: item{":h": s(value)}}
		if op != "" {
			in.KeyConditionExpression = aws.String(hash + " = :h AND " + sort + " " + op + " :a")
			in.ExpressionAttributeValues[":a"] = n(print(low))
		}
		if op == "BETWEEN" {
			in.KeyConditionExpression = aws.String(*in.KeyConditionExpression + " AND :b")
			in.ExpressionAttributeValues[":b"] = n(print(high))
		}
		var want []row
		for _, one := range model {
			h, x := one.pk, one.sk
			if index != nil {
				h, x = one.group, one.weight
			}
			fits := map[string]bool{"=": x == low, "<": x < low, "<=": x <= low, ">": x > low, ">=": x >= low, "BETWEEN": x >= low && x <= high, "": true}[op]
			if h == value && fits {
				want = append(want, one)
			}
		}
		by := func(it item) (float64, string) {
			f, _ := strconv.ParseFloat(text(it[sort]), 64)
			return f, text(it["pk"]) + text(it["sk"])
		}
		var got []item
		pages := sdk.NewQueryPaginator(d.client, in)
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			d.is.NoErr(err)
			got = append(got, out.Items...)
		}
		if !slices.IsSortedFunc(got, func(a, b item) int {
			x, _ := by(a)
			y, _ := by(b)
			if !*in.ScanIndexForward {
				x, y = y, x
			}
			return cmp.Compare(x, y)
		}) {
			t.Fatalf("%s %v: not in order", *in.KeyConditionExpression, in.ExpressionAttributeValues)
		}
		seen := map[string]bool{}
		for _, it := range got {
			_, key := by(it)
			seen[key] = true
		}
		if len(got) != len(want) || len(seen) != len(want) {
			t.Fatalf("%s %v: %d items, %d different, want %d", *in.KeyConditionExpression, in.ExpressionAttributeValues, len(got), len(seen), len(want))
		}
		for _, one := range want {
			if !seen[one.pk+print(one.sk)] {
				t.Fatalf("%s: %v is missing", *in.KeyConditionExpression, one)
			}
		}
	}
}
