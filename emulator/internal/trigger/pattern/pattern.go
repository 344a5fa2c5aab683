// Package pattern is EventBridge's event pattern language.
package pattern
