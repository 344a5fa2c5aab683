package emulator_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
)

// What a function sends to a cloud by the cloud's own names comes to the emulator, over TLS, with no change of its code.
func TestAFunctionPostsToTheAddressInItsEvent(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, strings.Replace(sockets, "Default: {Type: AWS::Serverless::Function}",
		"Default: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {DO: post}}, "+
			"Policies: [{Statement: [{Effect: Allow, Action: 'execute-api:ManageConnections', Resource: '*'}]}]}}", 1),
		handlers(make(chan string, 10)), func(cfg *emulator.Config) {
			delete(cfg.Functions, "Default")
			cfg.StrictAuth = true
		})
	ws := em.Dial("/live")
	for _, text := range []string{"this", "that"} {
		ws.Write([]byte(text))
		is.Equal(string(ws.Read()), "you said "+text)
	}
}

// What is not emulated fails, and says so with the address of what it should have been sent to.
func TestAFunctionDoesNotReachTheCloud(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, `
  Probe: {Type: AWS::Serverless::Function}
  Identity: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {DO: identity}}}}
  Stubborn:
    Type: AWS::Serverless::Function
    Properties: {Environment: {Variables: {DO: identity, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true", AWS_STS_REGIONAL_ENDPOINTS: legacy}}}
`)
	for _, id := range []string{"Identity", "Stubborn"} {
		_, err := em.Invoke(t.Context(), id, []byte(`{}`))
		var failed *emulator.FunctionError
		is.True(errors.As(err, &failed))
		for _, want := range []string{"not emulated: sts", em.URL()} {
			if !strings.Contains(string(failed.Payload), want) {
				t.Errorf("%s says %s, without %q", id, failed.Payload, want)
			}
		}
	}
	for _, url := range []string{
		"https://sns.us-east-1.amazonaws.com/", "http://sns.us-east-1.amazonaws.com/?Action=ListTopics", "https://sns.us-east-1.amazonaws.com:8443/",
		"https://message-queue.api.cloud.yandex.net/", "http://169.254.169.254/latest/meta-data/",
	} {
		got := ask[struct {
			Status int
			Body   string
		}](t, em, "Probe", `{"do":"get","url":"`+url+`"}`)
		is.Equal(got.Status, 501)
		for _, want := range []string{"not emulated", em.URL()} {
			if !strings.Contains(got.Body, want) {
				t.Errorf("%s answers %s, without %q", url, got.Body, want)
			}
		}
	}
	// The emulator itself, which is no cloud, is there without the guard.
	got := ask[struct{ Body string }](t, em, "Probe", `{"do":"get","url":"`+em.URL()+`/_regcast/health"}`)
	is.True(strings.Contains(got.Body, `"ready"`))
}

// Nothing of the developer's own account reaches a function.
func TestAFunctionDoesNotSeeTheDevelopersAccount(t *testing.T) {
	is := is.New(t)
	home, err := os.UserHomeDir()
	is.NoErr(err)
	for name, value := range map[string]string{
		"AWS_PROFILE": "developer", "AWS_DEFAULT_PROFILE": "developer",
		"AWS_ACCESS_KEY_ID": "AKIADEVELOPER", "AWS_SECRET_ACCESS_KEY": "developers-secret", "AWS_SESSION_TOKEN": "developers-token",
		"AWS_SHARED_CREDENTIALS_FILE": "/developer/credentials", "AWS_WEB_IDENTITY_TOKEN_FILE": "/developer/token",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/developer", "AWS_ENDPOINT_URL": "https://developer.example",
		"YC_TOKEN": "developers-token", "IAM_TOKEN": "developers-token", "GITHUB_TOKEN": "developers-token",
	} {
		t.Setenv(name, value)
	}
	em, _ := stack(t, "  Probe: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {MINE: seen}}}}\n")
	got := ask[[]string](t, em, "Probe", `{"do":"environment"}`)
	mine := false
	for _, variable := range got {
		name, value, _ := strings.Cut(variable, "=")
		if strings.Contains(strings.ToLower(value), "developer") || (name == "HOME" || name == "USERPROFILE") && value == home {
			t.Errorf("the function sees %s", variable)
		}
		if name == "AWS_ACCESS_KEY_ID" {
			is.True(strings.HasPrefix(value, "ASIA")) // its own, which no cloud takes
		}
		mine = mine || variable == "MINE=seen"
	}
	is.True(mine)
}
