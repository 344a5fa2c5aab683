package aws

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// TablesTarget begins the header X-Amz-Target of every request for DynamoDB.
const TablesTarget = "DynamoDB_20120810."

// maxTablesRequest is the most bytes of a request to DynamoDB.
const maxTablesRequest = 16 << 20

// Tables lets through to next what its sender may do with the tables that it names; all, unless the cloud is strict.
func (c *Cloud) Tables(next http.Handler) http.Handler {
	if !c.o.StrictAuth {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTablesRequest))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), TablesTarget)
		if denied := c.judge(r, body, "dynamodb", c.tablePermissions(operation, body)...); denied != nil {
			answer := encode(map[string]string{"__type": "com.amazon.coral.service#" + denied.Type, "message": denied.Message})
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			w.Header().Set("x-amzn-RequestId", newRequestID())
			w.Header().Set("x-amz-crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10)) // the Go SDK warns where it is missing
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(answer) // a client that has gone needs no answer
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// tablePermissions are what a request needs, in order. What is no request names no table: DynamoDB says what is wrong with it.
func (c *Cloud) tablePermissions(operation string, body []byte) []permission {
	type named struct{ TableName, IndexName string }
	var request struct {
		named
		RequestItems  map[string]json.RawMessage
		TransactItems []map[string]named
	}
	if json.Unmarshal(body, &request) != nil {
		return nil
	}
	var needs []permission
	need := func(operation, table, index string) {
		resource := table
		if !strings.HasPrefix(table, "arn:") {
			resource = c.arn("dynamodb", "table/"+table)
		}
		if index != "" {
			resource += "/index/" + index
		}
		needs = append(needs, permission{"dynamodb:" + operation, resource})
	}
	if request.TableName != "" {
		need(operation, request.TableName, request.IndexName)
	}
	for _, table := range slices.Sorted(maps.Keys(request.RequestItems)) {
		need(operation, table, "")
	}
	for _, item := range request.TransactItems {
		for part, of := range item {
			switch part { // a transaction needs what its parts would need alone
			case "Put", "Update", "Delete", "Get":
				need(part+"Item", of.TableName, "")
			case "ConditionCheck":
				need("ConditionCheckItem", of.TableName, "")
			}
		}
	}
	if len(needs) == 0 { // ListTables and its like
		needs = append(needs, permission{"dynamodb:" + operation, "*"})
	}
	return needs
}
