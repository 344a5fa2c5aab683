package journal

import (
	"context"
	"sync"
	"time"
)

// commitTimeout bounds the writing of one message. It is far above what that takes, so that only a broken disk meets it.
const commitTimeout = 30 * time.Second

// commits writes for those who wait until it is done. While a message is on its way the next entries gather, and they leave together:
// so a lone writer is not kept waiting, and several share one write. There is no goroutine: the first of those who wait writes for all
// of them. Two messages on their way were no faster (8 clients, five interleaved runs: medians of 8,700 and 8,800 manifests a second).
type commits struct {
	write func(context.Context, Topic, [][]byte) (uint64, error)

	mu    sync.Mutex
	busy  bool      // a message is on its way
	queue []*commit // those who wait to be written or to write
}

// commit is an entry that somebody waits for.
type commit struct {
	topic Topic
	data  []byte
	turn  chan bool // true: write, for all who wait by then; false: it is done, and seq and err are known
	seq   uint64
	err   error
}

// append writes entries in their order and returns the position of the last; nothing comes between those that fit into one message. After
// an error some of the first may be written.
func (k *commits) append(topic Topic, entries ...[]byte) (seq uint64, err error) {
	cs := make([]*commit, len(entries))
	for i, data := range entries {
		cs[i] = &commit{topic: topic, data: data, turn: make(chan bool, 1)}
	}
	k.mu.Lock()
	mine := !k.busy
	k.busy = true
	if mine {
		k.queue = append(k.queue, cs[1:]...)
	} else {
		k.queue = append(k.queue, cs...)
	}
	k.mu.Unlock()
	for i, c := range cs {
		if mine && i == 0 || <-c.turn {
			k.together(c)
		}
		if c.err != nil && err == nil {
			err = c.err
		}
		seq = c.seq
	}
	return seq, err
}

// together writes an entry and what waits behind it, tells those whose entries they are, and who is next.
func (k *commits) together(first *commit) {
	k.mu.Lock()
	// Heads count, so that no number of empty entries makes a message that the engine refuses.
	n, size := 0, len(first.data)
	for n < len(k.queue) && k.queue[n].topic == first.topic && size+lineHead+len(k.queue[n].data) <= packBytes {
		size += lineHead + len(k.queue[n].data)
		n++
	}
	batch := append([]*commit{first}, k.queue[:n]...)
	k.queue = k.queue[n:]
	k.mu.Unlock()

	lines := make([][]byte, len(batch))
	for i, c := range batch {
		lines[i] = c.data
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	seq, err := k.write(ctx, first.topic, lines)
	for _, c := range batch {
		c.seq, c.err = seq, err
		if c != first {
			c.turn <- false
		}
	}

	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queue) == 0 {
		k.busy, k.queue = false, nil
		return
	}
	next := k.queue[0]
	k.queue = k.queue[1:]
	next.turn <- true
}
