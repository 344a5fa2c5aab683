package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Candidates returns, once each, the connections whose wish may match an event in one of the repositories, named as the cloud names
// them. The partitions are read side by side.
func (s *Store) Candidates(ctx context.Context, repositories []string) ([]Connection, error) {
	partitions := []string{patterns}
	for _, r := range repositories {
		if p := partition(r); !slices.Contains(partitions, p) {
			partitions = append(partitions, p)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages := make(chan []map[string]types.AttributeValue)
	failed := make(chan error, len(partitions))
	slots := make(chan struct{}, 8)
	var readers sync.WaitGroup
	for _, p := range partitions {
		readers.Add(1)
		go func() {
			defer readers.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			if err := s.read(ctx, p, pages); err != nil {
				failed <- fmt.Errorf("store: query %s: %w", p, err)
				cancel()
			}
		}()
	}
	go func() { readers.Wait(); close(pages) }() // ends with the range below, which reads until the close
	var found []Connection
	seen, wishes := map[string]bool{}, map[string]string{}
	for page := range pages {
		for _, item := range page {
			id, text := str(item["sk"]), str(item["wish"])
			if seen[id] {
				continue
			}
			seen[id] = true
			if _, ok := wishes[text]; !ok {
				wishes[text] = text // most connections share a few wishes: keep one string of each
			}
			found = append(found, Connection{id, wishes[text], time.Unix(number(item["since"]), 0)})
		}
	}
	select {
	case err := <-failed: // the first; the others are its cancellation
		return nil, err
	default:
		return found, nil
	}
}

func (s *Store) read(ctx context.Context, partition string, pages chan<- []map[string]types.AttributeValue) error {
	in := dynamodb.QueryInput{
		TableName:                 &s.table,
		KeyConditionExpression:    aws.String("pk = :pk"),
		FilterExpression:          aws.String("#ttl > :now"), // the table deletes late
		ProjectionExpression:      aws.String("sk, wish, since"),
		ExpressionAttributeNames:  map[string]string{"#ttl": "ttl"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": text(partition), ":now": seconds(s.now())},
	}
	for {
		out, err := s.client.Query(ctx, &in)
		if err != nil {
			return err
		}
		pages <- out.Items
		if len(out.LastEvaluatedKey) == 0 {
			return nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

func str(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func number(v types.AttributeValue) int64 {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	i, _ := strconv.ParseInt(n.Value, 10, 64) // written by us; anything else is long ago
	return i
}
