package template

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	functionProperties = `FunctionName Handler Runtime Role Description MemorySize Timeout Environment Architectures
		ReservedConcurrentExecutions LoggingConfig Layers VpcConfig FileSystemConfigs EphemeralStorage SnapStart Tags KmsKeyArn
		CodeSigningConfigArn ImageConfig PackageType RuntimeManagementConfig RecursiveLoop TenancyConfig DurableConfig
		CapacityProviderConfig FunctionScalingConfig PublishToLatestPublished`
	longFunctionProperties = "Code TracingConfig DeadLetterConfig"
	samFunctionProperties  = `CodeUri InlineCode ImageUri Policies Events EventInvokeConfig AutoPublishAlias AutoPublishAliasAllProperties
		AutoPublishCodeSha256 DeadLetterQueue Tracing FunctionUrlConfig PermissionsBoundary RolePath AssumeRolePolicyDocument
		DeploymentPreference ProvisionedConcurrencyConfig VersionDescription VersionDeletionPolicy PropagateTags SourceKMSKeyArn`
)

func (b *builder) readFunctions() {
	for _, res := range b.of("AWS::Lambda::Function") {
		f := b.readFunction(res)
		for _, q := range b.of("AWS::Lambda::Alias", "AWS::Lambda::Version") {
			if name, ok := strings.CutPrefix(b.arnFor(q), f.ARN+":"); ok && !slices.Contains(f.Qualifiers, name) {
				f.Qualifiers = append(f.Qualifiers, name)
			}
		}
		b.plan.Functions = append(b.plan.Functions, f)
	}
}

func (b *builder) readFunction(res *resource) Function {
	o := b.properties(res)
	if !res.fromSAM {
		o.takes(strings.Fields(functionProperties + " " + longFunctionProperties)...)
	}
	f := Function{LogicalID: res.id, Name: b.physical(res), ARN: b.arnFor(res), At: res.place(b.doc.file),
		Handler: o.get("Handler").text(), Runtime: o.get("Runtime").text(), BuildMethod: res.metadataText("BuildMethod", b.doc),
		Memory: o.get("MemorySize").number(128, 128, 10240), Timeout: o.get("Timeout").seconds(3, 1, 900),
		Retries: 2, MaxAge: 6 * time.Hour, Architecture: "x86_64", Env: b.environment(o.get("Environment"))}
	if name := o.get("FunctionName"); name.given() && !functionName().MatchString(f.Name) {
		name.refuse("got %s, want letters, digits, - and _, at most 64", quote(f.Name))
	}
	switch list := o.get("Architectures"); {
	case len(list.texts()) > 1:
		list.refuse("got %d architectures, want one", len(list.texts()))
	case list.given():
		for _, a := range list.some() {
			f.Architecture = a.choice("x86_64", "arm64")
		}
	}
	b.code(res, o, &f)
	if n := o.get("ReservedConcurrentExecutions"); n.given() {
		reserved := n.number(0, 0, 1000)
		f.Reserved = &reserved
	}
	f.JSONLogs = o.get("LoggingConfig").object().get("LogFormat").choice("Text", "JSON") == "JSON"
	f.DeadLetter = o.get("DeadLetterConfig").object().get("TargetArn").text()
	role := o.get("Role").required("the ARN of a role, such as !GetAtt Role.Arn").text()
	f.Statements = slices.Clone(b.statements[role])
	if _, known := b.statements[role]; !known || b.unknown[role] != nil {
		f.AllResources = true
		b.doc.notices = append(b.doc.notices, b.unknown[role]...)
		if !known && role != "" {
			o.get("Role").notice("the role %s is not in this template; what %s may do is not checked", quote(role), res.id)
		}
	}
	lack(o, map[string]string{
		"Layers": "the function runs without its layers", "VpcConfig": "the function has this machine's network",
		"FileSystemConfigs":      "the paths are not mounted",
		"CapacityProviderConfig": "the function runs as a process here", "DurableConfig": "the function runs without it",
		"TenancyConfig": "tenants share processes",
	})
	return f
}

var functionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`) })

const (
	inTemplate = "in the template"
	inImage    = "in a container image"
	inS3       = "in S3"
)

// code finds out where the function's code is.
func (b *builder) code(res *resource, o object, f *Function) {
	code, inline := o.get("Code"), o.get("InlineCode")
	if res.fromSAM {
		code = o.get("CodeUri")
	}
	image := o.get("PackageType").choice("Zip", "Image") == "Image"
	switch {
	case inline.given():
		f.CodeElsewhere = inTemplate
	case o.get("ImageUri").given():
		f.CodeElsewhere = inImage
	case image && !code.given():
		f.CodeURI = res.metadataText("DockerContext", b.doc)
		f.CodeElsewhere = inImage
	case code.scalar() && strings.HasPrefix(code.text(), "s3://"):
		f.CodeElsewhere = inS3
	case code.scalar():
		f.CodeURI = code.text()
	case code.given():
		f.CodeURI = res.metadataText("aws:asset:path", b.doc) // the CDK's
		c := code.object().takes("Bucket", "Key", "Version", "S3Bucket", "S3Key", "S3ObjectVersion", "ZipFile", "ImageUri", "SourceKMSKeyArn")
		switch {
		case f.CodeURI != "":
		case c.get("ZipFile").given():
			f.CodeElsewhere = inTemplate
		case c.get("ImageUri").given():
			f.CodeElsewhere = inImage
		default:
			f.CodeElsewhere = inS3
		}
	default:
		f.CodeURI = "."
		code.notice("got nothing: the code is the template's own folder, as AWS's tools have it")
	}
	if !image && !o.get("ImageUri").given() {
		o.get("Runtime").required("a runtime, such as provided.al2023")
		o.get("Handler").required("a handler; for Go it is bootstrap")
	}
	if f.Runtime == "go1.x" {
		o.get("Runtime").refuse("got go1.x, which AWS runs no more; want provided.al2023")
	}
}

// metadataText reads a word of the resource's Metadata, which takes no intrinsics.
func (res *resource) metadataText(key string, d *document) string {
	if res.metadata == nil {
		return ""
	}
	if f := d.field(res.metadata).object().get(key); f.scalar() {
		return f.text()
	}
	return ""
}

var variableName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`) })

func reservedVariables() []string {
	return []string{"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
		"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"}
}

func (b *builder) environment(f field) map[string]string {
	const most = 4096 // bytes of all variables
	out := make(map[string]string)
	size := 0
	vars := f.object().only("Variables").get("Variables")
	for _, m := range vars.members() {
		switch {
		case slices.Contains(reservedVariables(), m.key):
			m.refuse("AWS sets %s itself, want another name", m.key)
		case !variableName().MatchString(m.key):
			m.refuse("got the name %s, want a letter, then letters, digits and _, at least 2", quote(m.key))
		}
		out[m.key] = m.text()
		size += len(m.key) + len(out[m.key])
	}
	if size > most {
		vars.refuse("got %d bytes of variables, want at most %d", size, most)
	}
	return out
}

func (b *builder) readInvokeConfigs() {
	for _, res := range b.of("AWS::Lambda::EventInvokeConfig") {
		o := b.properties(res).takes("FunctionName", "Qualifier", "MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
		name := o.get("FunctionName").required("a function")
		id := b.function(name.text())
		i := slices.IndexFunc(b.plan.Functions, func(f Function) bool { return f.LogicalID == id })
		if i < 0 {
			if name.text() != "" {
				name.notice("the function %s is not in this template; this is without effect", quote(name.text()))
			}
			continue
		}
		f := &b.plan.Functions[i]
		f.Retries = o.get("MaximumRetryAttempts").number(2, 0, 2)
		f.MaxAge = o.get("MaximumEventAgeInSeconds").seconds(21600, 60, 21600)
		d := o.get("DestinationConfig").object().only("OnFailure", "OnSuccess")
		f.OnFailure = d.get("OnFailure").object().only("Destination").get("Destination").text()
		f.OnSuccess = d.get("OnSuccess").object().only("Destination").get("Destination").text()
	}
}
