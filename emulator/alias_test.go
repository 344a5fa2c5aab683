package emulator_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
)

// What a template's output calls an alias can be invoked, also by who may invoke nothing but that.
func TestAnAliasIsInvoked(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, `
  Echo: {Type: AWS::Serverless::Function, Properties: {FunctionName: echo, AutoPublishAlias: live}}
  Caller:
    Type: AWS::Serverless::Function
    Properties: {Policies: [{Statement: [{Effect: Allow, Action: lambda:InvokeFunction, Resource: !Ref Echo.Alias}]}]}
Outputs:
  Alias: {Value: !Ref Echo.Alias}
  Version: {Value: !Ref Echo.Version}
`, func(cfg *emulator.Config) {
		cfg.StrictAuth = true
		cfg.Functions = map[string]emulator.Function{"Echo": function(func(_ context.Context, payload []byte) ([]byte, error) { return payload, nil })}
	})
	cfg := user(t, em)
	invoke := func(name, qualifier string, options ...func(*lambdaapi.Options)) (string, error) {
		in := &lambdaapi.InvokeInput{FunctionName: &name, Payload: []byte(`{"n":7}`)}
		if qualifier != "" {
			in.Qualifier = &qualifier
		}
		out, err := lambdaapi.NewFromConfig(cfg, options...).Invoke(t.Context(), in)
		if err != nil {
			return "", err
		}
		return string(out.Payload) + *out.ExecutedVersion, nil
	}
	for _, name := range [][2]string{
		{em.Outputs()["Alias"]}, {em.Outputs()["Version"]}, {"echo:live"}, {"Echo", "live"}, {"123456789012:function:echo:live"}, {"echo", "1"},
	} {
		got, err := invoke(name[0], name[1])
		is.NoErr(err)
		is.Equal(got, `{"n":7}$LATEST`) // which is the only code that there is
	}
	for _, name := range [][2]string{{"echo:dead"}, {"echo", "2"}, {"Caller", "live"}} {
		_, err := invoke(name[0], name[1])
		var none *lambdatypes.ResourceNotFoundException
		is.True(errors.As(err, &none)) // no such alias or version
	}

	var key string
	for _, variable := range ask[[]string](t, em, "Caller", `{"do":"environment"}`) {
		if _, value, ok := strings.Cut(variable, "AWS_ACCESS_KEY_ID="); ok {
			key = value
		}
	}
	caller := func(o *lambdaapi.Options) {
		o.Credentials = aws.CredentialsProvider(credentials.NewStaticCredentialsProvider(key, "regcast", "regcast"))
	}
	for _, name := range [][2]string{{em.Outputs()["Alias"]}, {"echo", "live"}} {
		_, err := invoke(name[0], name[1], caller)
		is.NoErr(err)
	}
	for _, name := range [][2]string{{"echo"}, {"echo", "1"}, {"echo:$LATEST"}} {
		_, err := invoke(name[0], name[1], caller)
		is.True(err != nil && strings.Contains(err.Error(), "is not authorized to perform: lambda:InvokeFunction")) // the policy names the alias
	}
}
