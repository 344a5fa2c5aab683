package emulator_test

import (
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// The deployments of this repository, whole: what is shipped to the clouds runs here as it is.

// read returns a file of the repository.
func read(t *testing.T, name string) emulator.File {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return emulator.File{Name: name, Data: data}
}

// logged tells functions' logs when a test fails.
func logged(t *testing.T) func(function, line string) {
	return func(function, line string) { t.Logf("%s | %s", function, line) }
}

// yandex is the deployment to Yandex Cloud, with its table.
func yandex(t *testing.T) *emulatortest.Emulator {
	t.Helper()
	cfg := emulator.Config{
		Triggers:    []emulator.File{read(t, "../deploy/yandex/trigger.yaml")},
		Gateways:    []emulator.Gateway{{ID: "d5dregcastgateway000", File: read(t, "../deploy/yandex/openapi.yaml")}},
		FunctionLog: logged(t),
	}
	for id, entry := range map[string]string{
		"d4econnect0000000000": "index.Connect", "d4emessage0000000000": "index.Message",
		"d4edisconnect0000000": "index.Disconnect", "d4ebroadcast00000000": "index.Broadcast",
	} {
		cfg.CloudFunctions = append(cfg.CloudFunctions, emulator.CloudFunction{
			ID: id, Package: "../functions/yandex", Entry: entry, Timeout: time.Minute,
			Env: map[string]string{
				"REGCAST_TABLE":          "connections",
				"REGCAST_TABLE_ENDPOINT": "https://docapi.serverless.yandexcloud.net/ru-central1/b1gregcastcloud00000/etnregcastdatabase00",
			},
		})
	}
	em := emulatortest.Start(t, cfg)
	tables := dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(em.URL()), Region: "ru-central1",
		Credentials: credentials.NewStaticCredentialsProvider("regcast", "regcast", ""),
	})
	_, err := tables.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("connections"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return em
}

// push → trigger → function from source → ConnectionService, over the cloud's own host name → socket.
func TestYandexDeployment(t *testing.T) {
	is := is.New(t)
	em := yandex(t)
	team, other, all := em.Dial("/ws?image=team/*&events=create-image-tag"), em.Dial("/ws?image=other/app"), em.Dial("/all")
	em.Push("team/app:v1")
	got := team.Expect("create-image-tag")
	is.Equal(got[0].Details.Tag, "v1")
	all.Expect("create-image", "create-image-tag")
	for _, socket := range []*emulatortest.Socket{team, all} {
		socket.Write([]byte("ping"))
		is.Equal(string(socket.Read()), "pong")
	}
	em.Push("other/app:v2")
	other.Expect("create-image", "create-image-tag")
	em.Flush()
}

// amazon is the deployment to AWS.
func amazon(t *testing.T) *emulatortest.Emulator {
	t.Helper()
	return emulatortest.Start(t, emulator.Config{
		Template:    &emulator.Template{File: read(t, "../template.yaml"), Dir: ".."},
		FunctionLog: logged(t), StrictAuth: true, // so that its policies are tried too
	})
}

// push → rule → queue → the bootstrap → @connections → socket.
func TestAWSDeployment(t *testing.T) {
	is := is.New(t)
	em := amazon(t)
	team, other := em.Dial("/live?image=team/*"), em.Dial("/live?image=other/app")
	digest := em.Push("team/app:v1")
	got := team.Expect("create-image-tag")
	is.Equal(got[0].Details.Tag, "v1")
	is.Equal(got[0].Details.ImageDigest, digest)
	team.Write([]byte("ping"))
	is.Equal(string(team.Read()), "pong")
	em.Push("other/app:v2")
	other.Expect("create-image-tag")
	em.Flush()
}
