package control

// notEmulated lists the methods that the services leave out, sorted; a test holds it to them.
func notEmulated() []string {
	return []string{
		"/yandex.cloud.iam.v1.ApiKeyService/ListScopes",
		"/yandex.cloud.resourcemanager.v1.CloudService/BindAccessPolicy",
		"/yandex.cloud.resourcemanager.v1.CloudService/ListAccessPolicyBindings",
		"/yandex.cloud.resourcemanager.v1.CloudService/UnbindAccessPolicy",
		"/yandex.cloud.resourcemanager.v1.CloudService/UpdateAccessPolicyBindingParameters",
		"/yandex.cloud.resourcemanager.v1.FolderService/BindAccessPolicy",
		"/yandex.cloud.resourcemanager.v1.FolderService/ListAccessPolicyBindings",
		"/yandex.cloud.resourcemanager.v1.FolderService/UnbindAccessPolicy",
		"/yandex.cloud.resourcemanager.v1.FolderService/UpdateAccessPolicyBindingParameters",
		"/yandex.cloud.serverless.functions.v1.FunctionService/ListFunctionTagHistory",
		"/yandex.cloud.serverless.functions.v1.FunctionService/ListTagHistory",
		"/yandex.cloud.serverless.functions.v1.FunctionService/RemoveScalingPolicy",
		"/yandex.cloud.serverless.functions.v1.FunctionService/SetScalingPolicy",
	}
}
