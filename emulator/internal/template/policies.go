package template

import (
	"fmt"
	"slices"
	"strings"
)

// samTemplate is a policy template of SAM's. Resources have {} where the parameter's value goes, in ARNs of the service.
type samTemplate struct {
	parameter string // empty: none
	service   string
	resources []string
	actions   string
}

// policyTemplates are those about what regcast emulates.
func policyTemplate(name string) (samTemplate, bool) {
	table := []string{"table/{}", "table/{}/index/*"}
	switch name {
	case "DynamoDBCrudPolicy":
		return samTemplate{"TableName", "dynamodb", table, `GetItem DeleteItem PutItem Scan Query UpdateItem BatchWriteItem BatchGetItem
			DescribeTable ConditionCheckItem`}, true
	case "DynamoDBReadPolicy":
		return samTemplate{"TableName", "dynamodb", table, "GetItem Scan Query BatchGetItem DescribeTable"}, true
	case "DynamoDBWritePolicy":
		return samTemplate{"TableName", "dynamodb", table, "PutItem UpdateItem BatchWriteItem"}, true
	case "DynamoDBReconfigurePolicy":
		return samTemplate{"TableName", "dynamodb", table[:1], "UpdateTable"}, true
	case "DynamoDBStreamReadPolicy":
		return samTemplate{"TableName", "dynamodb", []string{"table/{}/stream/*"}, "DescribeStream GetRecords GetShardIterator ListStreams"}, true
	case "SQSPollerPolicy":
		return samTemplate{"QueueName", "sqs", []string{"{}"}, `ChangeMessageVisibility ChangeMessageVisibilityBatch DeleteMessage
			DeleteMessageBatch GetQueueAttributes ReceiveMessage`}, true
	case "SQSSendMessagePolicy":
		return samTemplate{"QueueName", "sqs", []string{"{}"}, "SendMessage*"}, true
	case "LambdaInvokePolicy":
		return samTemplate{"FunctionName", "lambda", []string{"function:{}*"}, "InvokeFunction"}, true
	case "EventBridgePutEventsPolicy":
		return samTemplate{"EventBusName", "events", []string{"event-bus/{}"}, "PutEvents"}, true
	case "SNSPublishMessagePolicy":
		return samTemplate{"TopicName", "sns", []string{"{}"}, "Publish"}, true
	case "SNSCrudPolicy":
		return samTemplate{"TopicName", "sns", []string{"{}*"}, "ListSubscriptionsByTopic CreateTopic SetTopicAttributes Subscribe Publish"}, true
	case "KMSDecryptPolicy":
		return samTemplate{"KeyId", "kms", []string{"key/{}"}, "Decrypt"}, true
	case "CloudWatchPutMetricPolicy":
		return samTemplate{"", "cloudwatch", []string{"*"}, "PutMetricData"}, true
	}
	return samTemplate{}, false
}

// otherTemplates are SAM's policy templates about services that regcast does not emulate: what they allow makes no difference.
func otherTemplates() []string {
	return strings.Fields(`AMIDescribePolicy AWSSecretsManagerGetSecretValuePolicy AWSSecretsManagerRotationPolicy AcmGetCertificatePolicy
		AthenaQueryPolicy CloudFormationDescribeStacksPolicy CloudWatchDashboardPolicy CloudWatchDescribeAlarmHistoryPolicy
		CodeCommitCrudPolicy CodeCommitReadPolicy CodePipelineLambdaExecutionPolicy CodePipelineReadOnlyPolicy
		ComprehendBasicAccessPolicy CostExplorerReadOnlyPolicy DynamoDBBackupFullAccessPolicy DynamoDBRestoreFromBackupPolicy
		EC2CopyImagePolicy EC2DescribePolicy EFSWriteAccessPolicy EKSDescribePolicy EcsRunTaskPolicy ElasticMapReduceAddJobFlowStepsPolicy
		ElasticMapReduceCancelStepsPolicy ElasticMapReduceModifyInstanceFleetPolicy ElasticMapReduceModifyInstanceGroupsPolicy
		ElasticMapReduceSetTerminationProtectionPolicy ElasticMapReduceTerminateJobFlowsPolicy ElasticsearchHttpPostPolicy
		FilterLogEventsPolicy FirehoseCrudPolicy FirehoseWritePolicy KMSEncryptPolicy KMSEncryptPolicy_v2 KinesisCrudPolicy
		KinesisStreamReadPolicy MobileAnalyticsWriteOnlyAccessPolicy OrganizationsListAccountsPolicy PinpointEndpointAccessPolicy
		PollyFullAccessPolicy RekognitionDetectOnlyPolicy RekognitionFacesManagementPolicy RekognitionFacesPolicy
		RekognitionLabelsPolicy RekognitionNoDataAccessPolicy RekognitionReadPolicy RekognitionWriteOnlyAccessPolicy
		Route53ChangeResourceRecordSetsPolicy S3CrudPolicy S3FullAccessPolicy S3ReadPolicy S3WritePolicy SESBulkTemplatedCrudPolicy
		SESBulkTemplatedCrudPolicy_v2 SESCrudPolicy SESEmailTemplateCrudPolicy SESSendBouncePolicy SSMParameterReadPolicy
		SSMParameterWithSlashPrefixReadPolicy SageMakerCreateEndpointConfigPolicy SageMakerCreateEndpointPolicy
		ServerlessRepoReadWriteAccessPolicy StepFunctionsCallbackPolicy StepFunctionsExecutionPolicy StepFunctionsExecutionPolicy_v2
		TextractDetectAnalyzePolicy TextractGetResultPolicy TextractPolicy VPCAccessPolicy`)
}

// policyTemplate writes one out.
func (b *builder) policyTemplate(role string, m member) {
	t, known := policyTemplate(m.key)
	if !known {
		if !slices.Contains(otherTemplates(), m.key) {
			b.doubt(role, m.field, "regcast does not know SAM's policy template %s; what the function may do is not checked", quote(m.key))
		}
		return
	}
	value := ""
	if t.parameter != "" {
		o := m.object()
		value = o.get(t.parameter).required("a value").text()
	}
	s := Statement{Effect: "Allow", At: b.at(m.field)}
	for action := range strings.FieldsSeq(t.actions) {
		s.Actions = append(s.Actions, t.service+":"+action)
	}
	for _, resource := range t.resources {
		if resource != "*" {
			resource = fmt.Sprintf("arn:%s:%s:%s:%s:%s", b.partition(), t.service, b.opts.Region, b.opts.Account, strings.ReplaceAll(resource, "{}", value))
		}
		s.Resources = append(s.Resources, resource)
	}
	b.statements[role] = append(b.statements[role], s)
}
