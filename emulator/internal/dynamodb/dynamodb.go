// Package dynamodb is a DynamoDB in memory: the item operations with their expressions, indexes, paging and TTL, over the wire protocol
// that AWS's SDKs and YDB's Document API speak.
package dynamodb
