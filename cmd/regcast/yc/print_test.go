package yc_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"
	registry "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	iam "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	apigateway "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestFormats(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.keep(&registry.Image{
		Id: "crpi1", Name: "crp1/ubuntu", Digest: "sha256:00", CompressedSize: 28835840, Tags: []string{"v1", "latest"},
		CreatedAt: timestamppb.New(noon), Config: &registry.Blob{Id: "1", Size: 7},
	})
	const asText = `id: crpi1
name: crp1/ubuntu
digest: sha256:00
compressed_size: "28835840"
config:
  id: "1"
  size: "7"
tags:
  - v1
  - latest
created_at: "2026-03-04T12:00:00.123456789Z"
`
	is.Equal(c.ok(t, "container image get crpi1"), asText)
	is.Equal(c.ok(t, "container image get --id crpi1 --format yaml"), asText)
	is.Equal(c.ok(t, "container image get crpi1 --format json"), `{
  "id": "crpi1",
  "name": "crp1/ubuntu",
  "digest": "sha256:00",
  "compressed_size": "28835840",
  "config": {
    "id": "1",
    "size": "7"
  },
  "tags": [
    "v1",
    "latest"
  ],
  "created_at": "2026-03-04T12:00:00.123456789Z"
}
`)
	is.True(strings.Contains(c.ok(t, "container image get crpi1 --format json-rest"), `"compressedSize": "28835840"`))
	is.Equal(c.ok(t, "container image list --format json --jq .[0].tags"), "[\"v1\",\"latest\"]\n")
	is.Equal(c.ok(t, "container image list --query .[].id"), "crpi1\n")
	is.Equal(c.ok(t, "container image list --format yaml"), "- "+strings.ReplaceAll(strings.TrimSuffix(asText, "\n"), "\n", "\n  ")+"\n")
	is.Equal(c.ok(t, "container repository list --format json"), "[]\n")
	is.Equal(c.ok(t, "container repository list"), `+----+------+
| ID | NAME |
+----+------+
+----+------+

`)
	is.Equal(c.ok(t, "container image list"), `+-------+---------------------+-------------+------------+-----------------+
|  ID   |       CREATED       |    NAME     |    TAGS    | COMPRESSED SIZE |
+-------+---------------------+-------------+------------+-----------------+
| crpi1 | 2026-03-04 12:00:00 | crp1/ubuntu | v1, latest | 27.5 MB         |
+-------+---------------------+-------------+------------+-----------------+

`)
	is.Equal(c.fails(t, "container image list --format xml"), "--format \"xml\": want one of text, yaml, json, json-rest\n")
	is.True(strings.HasPrefix(c.fails(t, "container image list --jq ["), "--jq: "))
	is.True(strings.HasPrefix(c.fails(t, "container image list --jq error"), "--jq: "))
	is.Equal(c.fails(t, "container image list --limit 0"), "--limit 0: want 1 or more\n")
}

func TestTables(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.keep(&iam.ServiceAccount{Id: "aje1", Name: "robot", Labels: map[string]string{"b": "2", "a": "1"}, CreatedAt: timestamppb.New(noon)})
	is.Equal(c.ok(t, "iam sa list"), `+------+-------+---------+---------------------+-----------------------+
|  ID  | NAME  | LABELS  |     CREATED AT      | LAST AUTHENTICATED AT |
+------+-------+---------+---------------------+-----------------------+
| aje1 | robot | a=1,b=2 | 2026-03-04 12:00:00 |                       |
+------+-------+---------+---------------------+-----------------------+

`)
	c.keep(&apigateway.ApiGateway{Id: "d5d1", Name: "gw"})
	c.answer["ApiGatewayService.ListOperations"] = func(proto.Message) (proto.Message, error) {
		return &apigateway.ListOperationsResponse{Operations: []*operation.Operation{
			{Id: "d5dop1", CreatedBy: "aje1", Done: true, Result: &operation.Operation_Response{}, Description: "Create"},
			{Id: "d5dop2"},
			{Id: "d5dop3", Done: true, Result: &operation.Operation_Error{}},
		}}, nil
	}
	is.Equal(c.ok(t, "serverless api-gateway list-operations gw"), `+--------+------------+------------+-------------+---------+-------------+
|   ID   | CREATED AT | CREATED BY | MODIFIED AT | STATUS  | DESCRIPTION |
+--------+------------+------------+-------------+---------+-------------+
| d5dop1 |            | aje1       |             | DONE    | Create      |
| d5dop2 |            |            |             | RUNNING |             |
| d5dop3 |            |            |             | ERROR   |             |
+--------+------------+------------+-------------+---------+-------------+

`)
	is.Equal(c.sent(t, "ApiGatewayService.ListOperations"), `{"api_gateway_id":"d5d1","page_size":"1000"}`)
}

// A list is read page by page, up to the limit.
func TestPages(t *testing.T) {
	is := is.New(t)
	c := newCloud(t)
	c.answer["RegistryService.List"] = func(req proto.Message) (proto.Message, error) {
		switch r := req.(*registry.ListRegistriesRequest); r.GetPageToken() {
		case "":
			return &registry.ListRegistriesResponse{Registries: []*registry.Registry{{Id: "a"}, {Id: "b"}}, NextPageToken: "next"}, nil
		default:
			return &registry.ListRegistriesResponse{Registries: []*registry.Registry{{Id: "c"}, {Id: "d"}}, NextPageToken: "more"}, nil
		}
	}
	is.Equal(c.ok(t, "container registry list --limit 3 --jq .[].id"), "a\nb\nc\n")
	is.Equal(c.count("RegistryService.List"), 2)
	is.Equal(c.sent(t, "RegistryService.List"), `{"folder_id":"b1gfolder","page_size":"1","page_token":"next"}`)
	is.Equal(c.ok(t, "container registry list --limit 2 --jq .[].id"), "a\nb\n")
	is.Equal(c.count("RegistryService.List"), 3)
	is.True(strings.HasPrefix(c.fails(t, "container registry get my-reg"), `more than one container registry is named "my-reg"; give its id`))
}
