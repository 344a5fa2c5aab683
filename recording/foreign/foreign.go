// Package foreign reads events that others have recorded: webhooks' bodies, queues' payloads, exports of logs.
package foreign
