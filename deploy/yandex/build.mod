// The go.mod of dist/yandex.zip: what the cloud's builder, which has Go 1.23, compiles the functions with. A newer Go here would have the
// builder fetch that Go, whose plugins its runtime then refuses to load. These are the last versions of the SDK that build with Go 1.23.
module github.com/regcast/regcast

go 1.23

require (
	github.com/aws/aws-sdk-go-v2 v1.41.1
	github.com/aws/aws-sdk-go-v2/service/dynamodb v1.55.0
	github.com/kelseyhightower/envconfig v1.4.0
)

require (
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.4.17 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.7.17 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding v1.13.4 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/endpoint-discovery v1.11.17 // indirect
	github.com/aws/smithy-go v1.24.0 // indirect
)
