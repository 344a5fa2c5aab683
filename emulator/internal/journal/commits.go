package journal

import (
	"context"
	"sync"
	"time"
)

// commitTimeout bounds the writing of one message. It is far above what that takes, so that only a broken disk meets it.
const commitTimeout = 30 * time.Second

// commits writes for those who wait until it is done. While one message is on its way the next entries gather, and they leave
// together: so a lone writer is not kept waiting, and eight cost little more than one. There is no goroutine: the first of those who
// wait writes for all of them.
type commits struct {
	write func(context.Context, Topic, [][]byte) (uint64, error)

	mu    sync.Mutex
	busy  bool // somebody writes
	queue []*commit
}

// commit is an entry that somebody waits for. The first of the queue is told to write; the others are told that it is done.
type commit struct {
	topic Topic
	data  []byte
	turn  chan bool // true: write; false: seq and err are known
	seq   uint64
	err   error
}

func (k *commits) append(topic Topic, data []byte) (uint64, error) {
	c := &commit{topic: topic, data: data, turn: make(chan bool, 1)}
	k.mu.Lock()
	k.queue = append(k.queue, c)
	mine := !k.busy
	k.busy = true
	k.mu.Unlock()
	if mine || <-c.turn {
		k.together()
	}
	return c.seq, c.err
}

// together writes the first entries of the queue, which are the caller's and what has gathered behind it.
func (k *commits) together() {
	k.mu.Lock()
	n, size := 0, 0
	for n < len(k.queue) && k.queue[n].topic == k.queue[0].topic && (n == 0 || size+len(k.queue[n].data) <= packBytes) {
		size += len(k.queue[n].data)
		n++
	}
	batch := k.queue[:n:n]
	k.queue = k.queue[n:]
	k.mu.Unlock()

	lines := make([][]byte, n)
	for i, c := range batch {
		lines[i] = c.data
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	seq, err := k.write(ctx, batch[0].topic, lines)
	for i, c := range batch {
		c.seq, c.err = seq, err
		if i > 0 {
			c.turn <- false
		}
	}

	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queue) > 0 {
		k.queue[0].turn <- true
		return
	}
	k.busy, k.queue = false, nil
}
