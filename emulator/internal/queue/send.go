package queue

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Send puts messages into a queue, all or none, in order. When it returns they are on record. It says ErrNoQueue, ErrGroup, ErrFull.
func (q *Queues) Send(ctx context.Context, name string, ms []Message) ([]Sent, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var sent []Sent
	err := q.with(name, func(l *line, now time.Time) error {
		var err error
		sent, err = q.send(l, ms, now)
		q.begun++
		return err
	})
	return sent, err
}

func (q *Queues) send(l *line, ms []Message, now time.Time) ([]Sent, error) {
	sent := make([]Sent, len(ms))
	fresh := make([]*entry, 0, len(ms))
	var bytes int64
	again := map[string]Sent{} // sent twice in this call
	for i, m := range ms {
		if l.def.FIFO {
			if m.Group == "" {
				return nil, ErrGroup
			}
			if m.Dedup == "" {
				sum := sha256.Sum256(m.Body)
				m.Dedup = hex.EncodeToString(sum[:])
			}
			known, ok := l.known.find(m.Dedup, now)
			if !ok {
				known, ok = again[m.Dedup]
			}
			if ok {
				sent[i] = known
				continue
			}
		}
		id, err := q.newID()
		if err != nil {
			return nil, err
		}
		m.ID = id
		e := q.newEntry(l, m, now)
		fresh = append(fresh, e)
		sent[i] = Sent{ID: id, Sequence: e.Sequence}
		if l.def.FIFO {
			again[m.Dedup] = sent[i]
		}
		bytes += e.size
	}
	if limit := l.limit(); l.bytes+bytes > limit {
		return nil, fmt.Errorf("%w: %q holds %d of %d bytes, %d more do not fit", ErrFull, l.def.Name, l.bytes, limit, bytes)
	}
	for _, e := range fresh {
		q.file.sent(l.def.Name, e)
	}
	if err := q.flush(); err != nil {
		for _, e := range fresh {
			q.file.unsent(e)
		}
		return nil, err
	}
	for _, e := range fresh {
		if l.def.FIFO {
			l.known.add(e.Dedup, Sent{e.ID, e.Sequence}, now)
		}
		l.add(e, now)
	}
	return sent, nil
}

func (l *line) limit() int64 { return cmp.Or(l.def.Bytes, Bytes) }

// newEntry gives a message its number and its delay.
func (q *Queues) newEntry(l *line, m Message, now time.Time) *entry {
	q.number++
	e := &entry{Received: Received{Message: m, SentAt: now}, number: q.number, state: delayed, until: now, size: overhead + int64(weight(&m))}
	delay := l.def.Delay
	if m.Delay != 0 && !l.def.FIFO {
		delay = m.Delay
	}
	if delay > 0 {
		e.until = now.Add(delay)
	}
	if l.def.FIFO {
		e.Sequence = sequence(e.number)
	}
	return e
}

// sequence has the 20 digits of the cloud's, and its order.
func sequence(number uint64) string { return fmt.Sprintf("%020d", number) }
