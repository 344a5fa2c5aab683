package wire_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	triggersv2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/regcast/regcast/emulator/internal/yandex/wire"
	"github.com/regcast/regcast/emulator/internal/yandex/wire/wiretest"
)

// registerAll registers every service of the cloud that regcast serves in part or whole, with nothing in it.
func registerAll(r grpc.ServiceRegistrar) {
	containerregistry.RegisterRegistryServiceServer(r, containerregistry.UnimplementedRegistryServiceServer{})
	containerregistry.RegisterRepositoryServiceServer(r, containerregistry.UnimplementedRepositoryServiceServer{})
	containerregistry.RegisterImageServiceServer(r, containerregistry.UnimplementedImageServiceServer{})
	containerregistry.RegisterLifecyclePolicyServiceServer(r, containerregistry.UnimplementedLifecyclePolicyServiceServer{})
	containerregistry.RegisterScanPolicyServiceServer(r, containerregistry.UnimplementedScanPolicyServiceServer{})
	containerregistry.RegisterScannerServiceServer(r, containerregistry.UnimplementedScannerServiceServer{})
	iam.RegisterIamTokenServiceServer(r, iam.UnimplementedIamTokenServiceServer{})
	iam.RegisterServiceAccountServiceServer(r, iam.UnimplementedServiceAccountServiceServer{})
	iam.RegisterKeyServiceServer(r, iam.UnimplementedKeyServiceServer{})
	iam.RegisterApiKeyServiceServer(r, iam.UnimplementedApiKeyServiceServer{})
	iam.RegisterRoleServiceServer(r, iam.UnimplementedRoleServiceServer{})
	iam.RegisterUserAccountServiceServer(r, iam.UnimplementedUserAccountServiceServer{})
	iam.RegisterYandexPassportUserAccountServiceServer(r, iam.UnimplementedYandexPassportUserAccountServiceServer{})
	iam.RegisterAccessAnalyzerServiceServer(r, iam.UnimplementedAccessAnalyzerServiceServer{})
	iam.RegisterAccessPolicyTemplateServiceServer(r, iam.UnimplementedAccessPolicyTemplateServiceServer{})
	iam.RegisterOAuthClientServiceServer(r, iam.UnimplementedOAuthClientServiceServer{})
	iam.RegisterOAuthClientSecretServiceServer(r, iam.UnimplementedOAuthClientSecretServiceServer{})
	iam.RegisterRefreshTokenServiceServer(r, iam.UnimplementedRefreshTokenServiceServer{})
	iam.RegisterServiceControlServiceServer(r, iam.UnimplementedServiceControlServiceServer{})
	iam.RegisterSubjectDetailsServiceServer(r, iam.UnimplementedSubjectDetailsServiceServer{})
	awscompatibility.RegisterAccessKeyServiceServer(r, awscompatibility.UnimplementedAccessKeyServiceServer{})
	awscompatibility.RegisterTemporaryAccessKeyServiceServer(r, awscompatibility.UnimplementedTemporaryAccessKeyServiceServer{})
	logging.RegisterLogGroupServiceServer(r, logging.UnimplementedLogGroupServiceServer{})
	logging.RegisterLogReadingServiceServer(r, logging.UnimplementedLogReadingServiceServer{})
	logging.RegisterLogIngestionServiceServer(r, logging.UnimplementedLogIngestionServiceServer{})
	logging.RegisterSinkServiceServer(r, logging.UnimplementedSinkServiceServer{})
	logging.RegisterExportServiceServer(r, logging.UnimplementedExportServiceServer{})
	operation.RegisterOperationServiceServer(r, operation.UnimplementedOperationServiceServer{})
	resourcemanager.RegisterCloudServiceServer(r, resourcemanager.UnimplementedCloudServiceServer{})
	resourcemanager.RegisterFolderServiceServer(r, resourcemanager.UnimplementedFolderServiceServer{})
	apigateway.RegisterApiGatewayServiceServer(r, apigateway.UnimplementedApiGatewayServiceServer{})
	websocket.RegisterConnectionServiceServer(r, websocket.UnimplementedConnectionServiceServer{})
	containers.RegisterContainerServiceServer(r, containers.UnimplementedContainerServiceServer{})
	functions.RegisterFunctionServiceServer(r, functions.UnimplementedFunctionServiceServer{})
	functions.RegisterNetworkServiceServer(r, functions.UnimplementedNetworkServiceServer{})
	triggers.RegisterTriggerServiceServer(r, triggers.UnimplementedTriggerServiceServer{})
	triggersv2.RegisterTriggerServiceServer(r, triggersv2.UnimplementedTriggerServiceServer{})
}

// Start fails on any option or pattern that is not understood, so this is also the walk over all rules of all services.
func TestWhatIsNotEmulatedSaysSo(t *testing.T) {
	server := wire.New(wire.Options{NotEmulated: wiretest.NotEmulated(registerAll)})
	registerAll(server)
	h := serve(t, server)
	conn := h.dial(t)
	h.is.NoErr(server.Check())
	h.is.True(len(server.Routes()) > 200)
	for _, route := range server.Routes() {
		h.is.Equal(route.Emulated, strings.HasPrefix(route.Method, "/yandex.cloud.endpoint."))
		if route.Emulated {
			continue
		}
		// The empty request breaks most methods' rules: not to be emulated comes first.
		want := "not emulated: " + route.Method[1:]
		st := status.Convert(conn.Invoke(t.Context(), route.Method, &emptypb.Empty{}, &emptypb.Empty{}))
		h.is.Equal(st.Code(), codes.Unimplemented)
		h.is.Equal(st.Message(), want)
		if route.Verb == "" {
			continue
		}
		path := regexp.MustCompile(`{[^}]*=\*\*}`).ReplaceAllString(route.Pattern, "a/b")
		path = regexp.MustCompile(`{[^}]*}`).ReplaceAllString(path, "x")
		r := h.rest(t, route.Verb, path, "")
		if r.code != 501 {
			t.Errorf("%s %s: %s", route.Verb, path, r.text)
		}
		h.is.Equal(h.fails(r, 501, codes.Unimplemented), want)
		h.is.True(server.Claims(httptest.NewRequest(route.Verb, path, nil)))
	}
}

// A method is emulated when the service has it itself, however deep the generated rest of it is embedded.
func TestEmulated(t *testing.T) {
	h := open(t, wire.Options{NotEmulated: wiretest.NotEmulated(registerSome)})
	emulated := map[string]bool{}
	for _, route := range h.server.Routes() {
		emulated[route.Method] = route.Emulated
	}
	h.is.True(emulated["/yandex.cloud.serverless.triggers.v1.TriggerService/Create"])
	h.is.True(!emulated["/yandex.cloud.serverless.triggers.v1.TriggerService/ListOperations"])
	h.is.True(emulated["/yandex.cloud.operation.OperationService/Get"])
	h.is.True(emulated["/yandex.cloud.containerregistry.v1.RepositoryService/GetByName"])
	h.is.True(!emulated["/yandex.cloud.containerregistry.v1.RepositoryService/Get"])

	h.is.Equal(h.fails(h.rest(t, "GET", "/triggers/v1/triggers/a1s1/operations", ""), 501, codes.Unimplemented),
		"not emulated: yandex.cloud.serverless.triggers.v1.TriggerService/ListOperations")
}

// What the generated code says of a method is said in our words, whether wire was told of it or not.
func TestNotEmulatedWithoutBeingTold(t *testing.T) {
	h := open(t, wire.Options{})
	h.is.Equal(h.fails(h.rest(t, "GET", "/triggers/v1/triggers/a1s1/operations", ""), 501, codes.Unimplemented),
		"not emulated: yandex.cloud.serverless.triggers.v1.TriggerService/ListOperations")
}

type inner struct {
	operation.UnimplementedOperationServiceServer
}

func (*inner) Cancel(context.Context, *operation.CancelOperationRequest) (*operation.Operation, error) {
	return &operation.Operation{}, nil
}

type middle struct{ *inner }

type outer struct{ middle }

func TestEmulatedThroughEmbedding(t *testing.T) {
	register := func(r grpc.ServiceRegistrar) { operation.RegisterOperationServiceServer(r, &outer{middle{&inner{}}}) }
	server := wire.New(wire.Options{NotEmulated: wiretest.NotEmulated(register)})
	register(server)
	h := serve(t, server)
	var seen []string
	for _, route := range server.Routes() {
		if strings.HasPrefix(route.Method, "/yandex.cloud.operation.") {
			seen = append(seen, fmt.Sprint(route.Verb, " ", route.Pattern, " ", route.Emulated))
		}
	}
	h.is.Equal(seen, []string{"GET /operations/{operation_id}:cancel true", "POST /operations/{operation_id}:cancel true", "GET /operations/{operation_id} false"})
}

func TestUnknownMethod(t *testing.T) {
	h := open(t, wire.Options{})
	conn := h.dial(t)
	for _, method := range []string{"yandex.cloud.compute.v1.InstanceService/List", "yandex.cloud.serverless.triggers.v1.TriggerService/Fire"} {
		st := status.Convert(conn.Invoke(t.Context(), "/"+method, &emptypb.Empty{}, &emptypb.Empty{}))
		h.is.Equal(st.Code(), codes.Unimplemented)
		h.is.Equal(st.Message(), "not emulated: "+method)
	}
}

func TestPathsAndVerbs(t *testing.T) {
	h := open(t, wire.Options{})
	for _, c := range []struct{ verb, path, body, want string }{
		{"GET", "/operations/op1:cancel", "", "cancelled"},
		{"POST", "/operations/op1:cancel", "", "cancelled"},
		{"POST", "/operations/op1:cancel", "{}", "cancelled"},
		{"POST", "/operations/op1/:cancel", "{}", "cancelled"},
	} {
		r := h.rest(t, c.verb, c.path, c.body)
		h.is.Equal(r.code, 200)
		h.is.Equal(r.body["description"], c.want)
	}
	for path, name := range map[string]string{
		"/container-registry/v1/repositories/crp1/team/app:byName":     "crp1/team/app",
		"/container-registry/v1/repositories/crp1%2Fteam%2Fapp:byName": "crp1/team/app",
		"/container-registry/v1/repositories/app:byName":               "app",
		"/container-registry/v1/repositories/crp1/app/:byName":         "crp1/app",
	} {
		r := h.rest(t, "GET", path, "")
		h.is.Equal(r.code, 200)
		h.is.Equal(r.body["name"], name)
	}
	for _, c := range []struct {
		verb, path string
		status     int
		code       codes.Code
		says       string
	}{
		{"GET", "/triggers/v1/triggers/", 404, codes.NotFound, "slash"},
		{"GET", "/triggers/v1/triggers/a/b/c", 404, codes.NotFound, "/triggers/v1/triggers/a/b/c"},
		{"POST", "/triggers/v1/triggers/a1s1:explode", 404, codes.NotFound, ":explode"},
		{"GET", "/triggers/v1/nothing", 404, codes.NotFound, "/triggers/v1/nothing"},
		{"PUT", "/triggers/v1/triggers", 501, codes.Unimplemented, "PUT is not served at /triggers/v1/triggers"},
		{"GET", "/triggers/v1/triggers/a1s1:pause", 501, codes.Unimplemented, "POST"},
		{"DELETE", "/operations/op1", 501, codes.Unimplemented, "GET"},
	} {
		message := h.fails(h.rest(t, c.verb, c.path, ""), c.status, c.code)
		h.is.True(strings.Contains(message, c.says)) // the message says what is wrong
	}
}

func TestClaims(t *testing.T) {
	h := open(t, wire.Options{})
	for target, want := range map[string]bool{
		"GET /triggers/v1/triggers":                   true,
		"PUT /triggers/v1/triggers":                   true, // the verb is wrong, the API says so
		"GET /triggers/v1/triggers/":                  true,
		"POST /triggers/v1/triggers/a1s1:pause":       true,
		"POST /triggers/v1/triggers:pause":            true,
		"GET /operations/op1":                         true,
		"GET /endpoints":                              true,
		"GET /container-registry/v1/repositories/a/b": true,
		"GET /container-registry/v1/scans":            true, // of a service beside a registered one
		"GET /":                                       false,
		"GET /triggers":                               false,
		"GET /triggers/v1/triggersand":                false,
		"GET /ws":                                     false,
		"GET /v2/":                                    false,
		"GET /operationsroom":                         false,
		"GET /compute/v1/instances":                   false,
		"GET /container-registry/v1/repositories/" + strings.Repeat("a/", 500_000): true,
		"GET " + strings.Repeat("/a", 500_000):                                     false,
	} {
		verb, path, _ := strings.Cut(target, " ")
		if h.server.Claims(httptest.NewRequest(verb, path, nil)) != want {
			t.Errorf("%s: want claimed %v", target, want)
		}
	}
	for kind, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/grpc;charset=x": true,
		"application/grpc-web": false, "application/json": false, "": false,
	} {
		r := httptest.NewRequest("POST", "/yandex.cloud.compute.v1.InstanceService/List", nil)
		r.Header.Set("Content-Type", kind)
		h.is.Equal(h.server.Claims(r), want)
	}
}

// A service beside those that are served is not emulated, and its REST calls must not end in a gateway that knows no such path.
func TestServicesThatAreNotRegistered(t *testing.T) {
	h := open(t, wire.Options{})
	for path, service := range map[string]string{
		"/container-registry/v1/scans/x":                        "ScannerService",
		"/container-registry/v1/images/x:lastScanResult":        "ScannerService", // among those of ImageService
		"/container-registry/v1/scanPolicies/x":                 "ScanPolicyService",
		"/container-registry/v1/lifecyclePolicies?registryId=x": "LifecyclePolicyService",
	} {
		h.is.Equal(h.fails(h.rest(t, "GET", path, ""), 501, codes.Unimplemented), "not emulated: yandex.cloud.containerregistry.v1."+service)
	}
	// One that is served says itself what is wrong.
	h.fails(h.rest(t, "GET", "/container-registry/v1/repositories/a/b/c", ""), 404, codes.NotFound)
}

func TestRegistrationMistakes(t *testing.T) {
	is := is.New(t)
	mistake := func(do func()) (said any) {
		defer func() { said = recover() }()
		do()
		return nil
	}
	server := wire.New(wire.Options{})
	operation.RegisterOperationServiceServer(server, operationService{})
	is.Equal(mistake(func() { operation.RegisterOperationServiceServer(server, operationService{}) }),
		"wire: yandex.cloud.operation.OperationService registered twice")
	is.Equal(mistake(func() { server.RegisterService(&triggers.TriggerService_ServiceDesc, operationService{}) }),
		"wire: wire_test.operationService does not implement yandex.cloud.serverless.triggers.v1.TriggerService")
	is.NoErr(server.Start())
	is.NoErr(server.Check())
	is.True(server.Start() != nil)
	is.Equal(mistake(func() { triggers.RegisterTriggerServiceServer(server, &triggerService{}) }),
		"wire: yandex.cloud.serverless.triggers.v1.TriggerService registered after Start")
}
