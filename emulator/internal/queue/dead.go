package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/regcast/regcast/events"
)

// corpse is a message on its way to Dead.
type corpse struct {
	line  *line
	entry *entry
	why   Reason
	dead  func(context.Context, Received, Reason)
}

// giveUp is a line's door for messages that were received too often or are too old.
func (q *Queues) giveUp(l *line, e *entry, why Reason, now time.Time) {
	if l.def.Dead != nil {
		q.corpses = append(q.corpses, corpse{l, e, why, l.def.Dead})
		q.begun++
		poke(q.buried)
		return
	}
	text := fmt.Sprintf("received %d times in vain", e.Receives)
	if why == Expired {
		text = fmt.Sprintf("older than %v", l.expiry(e).Sub(e.SentAt))
	}
	data := map[string]any{"queue": l.def.Name, "reason": string(why), "receives": e.Receives}
	to := q.lines[l.def.DeadLetter]
	switch {
	case why == Expired:
		text += ": dropped"
	case l.def.DeadLetter == "":
		text += ", and the queue has no dead-letter queue: dropped"
	case to == nil || !to.defined:
		text += fmt.Sprintf(", and there is no queue %q for dead letters: dropped", l.def.DeadLetter)
	case to.bytes+e.size > to.limit():
		text += fmt.Sprintf(", and the queue %q for dead letters is full: dropped", l.def.DeadLetter)
	default:
		text += fmt.Sprintf(": moved to the queue %q", to.def.Name)
		data["dead_letter_queue"] = to.def.Name
		q.move(e, l, to, now)
	}
	q.step(events.StepLost, l.def.Name, now, text, data, &e.Received)
	q.file.gone(e)
	l.remove(e)
	q.noteFlush(l, now)
}

// move sends a copy. A standard queue keeps a message's age, a FIFO queue begins it anew, as SQS does.
func (q *Queues) move(e *entry, from, to *line, now time.Time) {
	copied := q.newEntry(to, e.Message, now)
	copied.DeadOf = from.def.Name
	if !to.def.FIFO {
		copied.SentAt = e.SentAt
	}
	q.file.sent(to.def.Name, copied)
	to.add(copied, now)
	q.touch(to)
}

// bury gives the dead to Dead, one after another.
func (q *Queues) bury() {
	for {
		select {
		case <-q.buried:
		case <-q.closing:
			return // they are found again when the file is
		}
		for q.handling.Err() == nil {
			c, ok := q.nextCorpse()
			if !ok {
				break
			}
			err := guard(func() error {
				c.dead(q.handling, c.entry.Received, c.why)
				return nil
			})
			q.mu.Lock()
			now := q.clock.Now()
			if err != nil {
				q.step(events.StepLost, c.line.def.Name, now, fmt.Sprintf("%s, and its hand-over failed: %v", c.why, err), nil, &c.entry.Received)
			}
			q.file.gone(c.entry)
			c.line.remove(c.entry)
			q.noteFlush(c.line, now)
			q.corpses = q.corpses[1:]
			q.unlock()
		}
	}
}

func (q *Queues) nextCorpse() (corpse, bool) {
	q.mu.Lock()
	defer q.unlock()
	if len(q.corpses) == 0 || q.closed {
		return corpse{}, false
	}
	return q.corpses[0], true
}

// flush writes what the file was told.
func (q *Queues) flush() error { return q.file.flush() }

// noteFlush is for what nobody waits for: a deletion that is not on record means that a message comes again after a restart.
func (q *Queues) noteFlush(l *line, now time.Time) {
	if err := q.flush(); err != nil {
		q.step(events.StepLost, l.def.Name, now, "its file cannot be written, so messages may come again after a restart: "+err.Error(), nil)
	}
}

// step says something of messages when the lock is free.
func (q *Queues) step(what, who string, at time.Time, text string, data map[string]any, of ...*Received) {
	s := events.Step{At: at, Room: "queue", What: what, Who: who, Text: text, Data: data}
	for _, r := range of {
		s.Events = append(s.Events, r.Events...)
	}
	q.steps = append(q.steps, s)
}
