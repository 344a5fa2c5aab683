package dynamodb_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/regcast/regcast/emulator/internal/dynamodb"
)

// post sends one request over HTTP, by net/http alone: what the SDK costs is not what is measured.
func post(b *testing.B, client *http.Client, url, operation, body string) int {
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	response, err := client.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.Fatal(response.Status, err)
	}
	return int(n)
}

func serve(b *testing.B) (*http.Client, string) {
	db := dynamodb.New(dynamodb.Options{})
	if err := db.Create(connections()); err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(db)
	b.Cleanup(server.Close)
	client := server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	return client, server.URL
}

func connection(i int64) string {
	id := strconv.FormatInt(i, 10)
	return `{"TableName":"connections","Item":{"pk":{"S":"REPO#team/app"},"sk":{"S":"CONN#` + id + `"},"gsi1pk":{"S":"CONN#` + id + `"},"ttl":{"N":"99999999999"},"tags":{"SS":["v*"]}}}`
}

// BenchmarkPut puts connections into one partition of a table with two indexes and TTL.
func BenchmarkPut(b *testing.B) {
	client, url := serve(b)
	var i atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			post(b, client, url, "PutItem", connection(i.Add(1)))
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

// BenchmarkQuery reads pages of 100 of 10,000 connections.
func BenchmarkQuery(b *testing.B) {
	client, url := serve(b)
	for i := range int64(10_000) {
		post(b, client, url, "PutItem", connection(i))
	}
	bytes := 0
	for b.Loop() {
		bytes = post(b, client, url, "Query", `{"TableName":"connections","KeyConditionExpression":"pk = :p AND sk > :s","FilterExpression":"#t > :n","Limit":100,
			"ExpressionAttributeNames":{"#t":"ttl"},"ExpressionAttributeValues":{":p":{"S":"REPO#team/app"},":s":{"S":"CONN#5"},":n":{"N":"1"}}}`)
	}
	b.SetBytes(int64(bytes))
	b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

// BenchmarkGet reads one connection.
func BenchmarkGet(b *testing.B) {
	client, url := serve(b)
	post(b, client, url, "PutItem", connection(1))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			post(b, client, url, "GetItem", `{"TableName":"connections","Key":{"pk":{"S":"REPO#team/app"},"sk":{"S":"CONN#1"}}}`)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "gets/s")
}
