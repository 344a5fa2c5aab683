// Package aws is the façade of AWS: it words what happens as ECR and EventBridge do, serves WebSocket APIs, @connections and the other
// control planes that functions talk to, and makes of a template what the rooms do.
package aws
