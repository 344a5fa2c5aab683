// Package ecr words registry changes as Amazon ECR's EventBridge events, and reads such events back.
package ecr
