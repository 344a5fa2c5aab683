package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// What of this repository is measured, from its root.
const (
	awsTemplate    = "template.yaml"
	echoTemplate   = "bench/testdata/functions/template.yaml"
	yandexTrigger  = "deploy/yandex/trigger.yaml"
	yandexSpec     = "deploy/yandex/openapi.yaml"
	yandexSource   = "functions/yandex"
	yandexGateway  = "d5dregcastgateway000"
	yandexTable    = "connections"
	yandexDatabase = "https://docapi.serverless.yandexcloud.net/ru-central1/b1gregcastcloud00000/etnregcastdatabase00"
	wishesOfBench  = "?image=bench/*"
)

// lambdaArchitectures are the folders of make lambda by Go's names.
var lambdaArchitectures = map[string]string{"amd64": "x86_64", "arm64": "arm64"}

// amazonFolder lays template.yaml out as `sam build` leaves it, with the bootstraps of this machine, and returns the template.
func (b *bench) amazonFolder() (string, error) {
	dir := filepath.Join(b.dir, "amazon")
	path := filepath.Join(dir, awsTemplate)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	built := filepath.Join(b.lambda, lambdaArchitectures[runtime.GOARCH])
	if _, err := os.Stat(filepath.Join(built, "Broadcast", "bootstrap")); err != nil {
		return "", fmt.Errorf("-lambda: %w; build them with `make lambda`", err)
	}
	data, err := os.ReadFile(awsTemplate)
	if err != nil {
		return "", fmt.Errorf("template: %w; run in the repository's root", err)
	}
	err = errors.Join(
		os.MkdirAll(filepath.Join(dir, ".aws-sam"), 0o755),
		os.Symlink(built, filepath.Join(dir, ".aws-sam", "build")),
		os.WriteFile(path, data, 0o644),
	)
	return path, err
}

// startAmazon starts the deployment to AWS, whole and with the bootstraps that are shipped.
func (b *bench) startAmazon(ctx context.Context) (*regcast, error) {
	template, err := b.amazonFolder()
	if err != nil {
		return nil, err
	}
	return b.start(ctx, "--template", template, "--no-watch")
}

// startYandex starts the deployment to Yandex Cloud with its table. Its trigger is told to send each event alone: otherwise the only
// thing to be measured were the second that it waits for more.
func (b *bench) startYandex(ctx context.Context) (*regcast, error) {
	data, err := os.ReadFile(yandexTrigger)
	if err != nil {
		return nil, fmt.Errorf("trigger: %w; run in the repository's root", err)
	}
	alone := bytes.Replace(data, []byte(`size: "10"`), []byte(`size: "1"`), 1)
	if bytes.Equal(alone, data) {
		return nil, fmt.Errorf(`%s: got no size: "10", want one to replace`, yandexTrigger)
	}
	path := filepath.Join(b.dir, "trigger.yaml")
	if err := os.WriteFile(path, alone, 0o644); err != nil {
		return nil, err
	}
	args := []string{"--trigger", path, "--spec", yandexGateway + "=" + yandexSpec, "--no-watch"}
	for id, entry := range map[string]string{
		"d4econnect0000000000": "index.Connect", "d4emessage0000000000": "index.Message",
		"d4edisconnect0000000": "index.Disconnect", "d4ebroadcast00000000": "index.Broadcast",
	} {
		args = append(args, "--function", id+"="+yandexSource+":"+entry)
	}
	args = append(args, "--function-env", "REGCAST_TABLE="+yandexTable, "--function-env", "REGCAST_TABLE_ENDPOINT="+yandexDatabase)
	r, err := b.start(ctx, args...)
	if err != nil {
		return nil, err
	}
	if err := r.createTable(); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

// createTable makes the table that on Yandex Cloud Terraform makes.
func (r *regcast) createTable() error {
	c, err := dialHTTP(r.addr)
	if err != nil {
		return err
	}
	defer c.close()
	body := `{"TableName":"` + yandexTable + `","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},` +
		`{"AttributeName":"sk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}]}`
	// The content type is where the client lets a further header in.
	_, err = c.do(200, "POST", "/", "application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.CreateTable", []byte(body))
	return err
}

// invocations is the path of Lambda's Invoke API for a function.
func (r *regcast) invocations(id string) (string, error) {
	c, err := dialHTTP(r.addr)
	if err != nil {
		return "", err
	}
	defer c.close()
	a, err := c.do(200, "GET", "/_regcast/functions", "application/json", nil)
	if err != nil {
		return "", err
	}
	var list struct{ Functions []struct{ ID, Name string } }
	if err := json.Unmarshal(a.body, &list); err != nil {
		return "", err
	}
	for _, f := range list.Functions {
		if f.ID == id {
			return "/2015-03-31/functions/" + f.Name + "/invocations", nil
		}
	}
	return "", fmt.Errorf("functions: got %s, want %s among them", a.body, id)
}

// processes returns all that run a function: their number is the pool's affair.
func (r *regcast) processes(id string) ([]*process, error) {
	variable := []byte("AWS_LAMBDA_FUNCTION_NAME=")
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	var found []*process
	for _, path := range all {
		var pid, parent int
		if _, err := fmt.Sscanf(path, "/proc/%d/environ", &pid); err != nil {
			return nil, err
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended meanwhile
		}
		_, fields, _ := strings.Cut(string(stat), ") ")
		if _, err := fmt.Sscanf(fields, "%1s %d", new(string), &parent); err != nil || parent != r.pid() {
			continue
		}
		environ, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for v := range bytes.SplitSeq(environ, []byte{0}) {
			if name, ok := bytes.CutPrefix(v, variable); ok && bytes.Contains(name, []byte(id)) {
				found = append(found, &process{id: pid})
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("function %s: no process of it below %d", id, r.pid())
	}
	return found, nil
}
