package emulator_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// methods are all methods of the cloud's services that are linked into this program, by name.
func methods() map[protoreflect.FullName]protoreflect.MethodDescriptor {
	all := map[protoreflect.FullName]protoreflect.MethodDescriptor{}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			for j := range service.Methods().Len() {
				if m := service.Methods().Get(j); strings.HasPrefix(string(m.FullName()), "yandex.cloud.") {
					all[m.FullName()] = m
				}
			}
		}
		return true
	})
	return all
}

// routes are the REST bindings of a method.
func routes(m protoreflect.MethodDescriptor) (verbs, patterns []string) {
	rule, ok := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return nil, nil
	}
	for _, r := range append([]*annotations.HttpRule{rule}, rule.AdditionalBindings...) {
		for verb, pattern := range map[string]string{
			"GET": r.GetGet(), "POST": r.GetPost(), "PUT": r.GetPut(), "PATCH": r.GetPatch(), "DELETE": r.GetDelete(),
		} {
			if pattern != "" {
				verbs, patterns = append(verbs, verb), append(patterns, pattern)
			}
		}
	}
	return verbs, patterns
}

// Each method of each service is served or answers that it is not emulated, over gRPC and by each of its REST routes, and the same by all.
func TestEveryMethodIsServedOrNotEmulated(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	conn, err := grpc.NewClient(host(em), grpc.WithTransportCredentials(credentials.NewTLS(em.ClientTLS())))
	is.NoErr(err)
	defer conn.Close()
	all := methods()
	served := map[protoreflect.FullName]bool{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		service, method := name.Parent(), string(name.Name())
		err := conn.Invoke(t.Context(), "/"+string(service)+"/"+method, message(t, m.Input().FullName()), message(t, m.Output().FullName()))
		emulated := status.Code(err) != codes.Unimplemented
		served[service] = served[service] || emulated
		if !emulated {
			if want := "not emulated: " + string(service) + "/" + method; status.Convert(err).Message() != want {
				t.Errorf("gRPC %s: %v", name, err)
			}
		}
		verbs, patterns := routes(m)
		for i := range verbs {
			if got := knock(t, em, verbs[i], patterns[i]); got != emulated {
				t.Errorf("%s %s: emulated %t, want %t as by gRPC", verbs[i], patterns[i], got, emulated)
			}
		}
	}
	for _, name := range []protoreflect.FullName{
		"endpoint.ApiEndpointService", "operation.OperationService", "iam.v1.IamTokenService", "iam.v1.ServiceAccountService",
		"iam.v1.awscompatibility.AccessKeyService", "resourcemanager.v1.CloudService", "resourcemanager.v1.FolderService",
		"containerregistry.v1.RegistryService", "containerregistry.v1.RepositoryService", "containerregistry.v1.ImageService",
		"serverless.apigateway.v1.ApiGatewayService", "serverless.apigateway.websocket.v1.ConnectionService",
		"serverless.triggers.v1.TriggerService", "serverless.triggers.v2.TriggerService", "serverless.functions.v1.FunctionService",
		"serverless.containers.v1.ContainerService", "logging.v1.LogGroupService", "logging.v1.LogReadingService",
	} {
		is.True(served["yandex.cloud."+name])
	}
}

// knock calls a route with a made-up id and no body worth the name, and tells whether it is emulated.
func knock(t *testing.T, em *emulatortest.Emulator, verb, pattern string) bool {
	t.Helper()
	path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(pattern, "none")
	req, err := http.NewRequestWithContext(t.Context(), verb, em.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := em.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Message string }
	if res.Header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &said) != nil || res.Header.Get("X-Request-Id") == "" {
		t.Errorf("%s %s: %s %s: not an answer of the API: %s", verb, path, res.Status, res.Header.Get("Content-Type"), body)
	}
	if strings.HasPrefix(said.Message, "no method has") {
		t.Errorf("%s %s: %s", verb, path, said.Message)
	}
	if says := strings.HasPrefix(said.Message, "not emulated: "); says != (res.StatusCode == http.StatusNotImplemented) {
		t.Errorf("%s %s: %s: %s", verb, path, res.Status, said.Message)
	}
	return res.StatusCode != http.StatusNotImplemented
}
