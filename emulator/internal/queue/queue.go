// Package queue holds messages until somebody has dealt with them: visibility, retries, dead letters, and consumers that take batches.
// It speaks no cloud's wire; the façades word what consumers see.
package queue

import "time"

// Queue is a definition. Name is unique.
type Queue struct {
	Name       string
	Visibility time.Duration // of a received message; 0: 30 s
	Delay      time.Duration // before a message can be received first
	Retention  time.Duration // 0: 4 days
	Wait       time.Duration // what Receive waits when it is not told
	// After MaxReceives receives that ended without a Delete a message goes to the queue DeadLetter. 0: never.
	MaxReceives int
	DeadLetter  string
	FIFO        bool // order and one at a time per Group; sent once per Dedup within 5 minutes
	// Backoff says how long a message rests after it was received n times in vain; nil: the rest of its Visibility.
	Backoff func(n int) time.Duration
}

// Message is what is sent.
type Message struct {
	ID         string // given by Send
	Body       []byte
	Attributes map[string]string // the sender's own
	Group      string            // FIFO
	Dedup      string            // FIFO; empty: the hash of the body
	Events     []string          // ids of the events inside, for the steps
}

// Received is a message in somebody's hands.
type Received struct {
	Message
	Receipt       string // names this receive: Delete and ChangeVisibility take it
	Receives      int    // this one included
	SentAt        time.Time
	FirstReceived time.Time
	Sequence      string // FIFO
}
