package queue

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/regcast/regcast/events"
)

// The file is a sequence of frames that is only ever appended to: length and checksum of a record, four bytes each, then the record.
// When most of it is dead it is written anew. It is not synced for each Send: what was written survives the process, not the machine.

const (
	fileName  = "queues"
	newSuffix = ".new"
	frameHead = 8
	fileWorth = 1 << 20 // dead bytes that are worth writing the file anew
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// file is a nil-safe handle: queues in memory have none. It is guarded by the lock of Queues.
type file struct {
	path       string
	f          *os.File
	size, live int64
	buf        []byte
	broken     error // nothing more can be written
	patience   int64 // the size at which writing it anew is tried again after it failed
}

func (f *file) frame(record func([]byte) []byte) int64 {
	begin := len(f.buf)
	f.buf = record(append(f.buf, make([]byte, frameHead)...))
	body := f.buf[begin+frameHead:]
	binary.LittleEndian.PutUint32(f.buf[begin:], uint32(len(body)))
	binary.LittleEndian.PutUint32(f.buf[begin+4:], crc32.Checksum(body, castagnoli))
	return int64(len(f.buf) - begin)
}

func (f *file) sent(queue string, e *entry) {
	if f != nil {
		e.framed = f.frame(func(b []byte) []byte { return appendSent(b, queue, e) })
		f.live += e.framed
	}
}

// unsent takes back what could not be written.
func (f *file) unsent(e *entry) {
	if f != nil {
		f.live -= e.framed
	}
}

func (f *file) gone(e *entry) {
	if f != nil {
		f.frame(func(b []byte) []byte { return appendGone(b, e.number) })
		f.live -= e.framed
	}
}

func (f *file) rested(e *entry) {
	if f != nil {
		f.frame(func(b []byte) []byte { return appendRested(b, e) })
	}
}

// flush writes what was gathered, all or nothing.
func (f *file) flush() error {
	if f == nil || len(f.buf) == 0 {
		return nil
	}
	buf := f.buf
	f.buf = buf[:0]
	if cap(buf) > fileWorth {
		f.buf = nil
	}
	if f.broken != nil {
		return fmt.Errorf("queue: file: %w", f.broken)
	}
	if _, err := f.f.WriteAt(buf, f.size); err != nil {
		if cut := f.f.Truncate(f.size); cut != nil {
			f.broken = errors.Join(err, cut) // half a record is in the way of the next
		}
		return fmt.Errorf("queue: file: %w", err)
	}
	f.size += int64(len(buf))
	return nil
}

// stale tells that the file is mostly dead.
func (f *file) stale() bool {
	return f != nil && f.broken == nil && f.size >= f.patience && f.size-f.live >= fileWorth && f.live <= f.size/4
}

// rewrite writes the file anew with what lives. What cannot be written anew stays as it is.
func (q *Queues) rewrite() {
	f := q.file
	err := func() error {
		next, err := os.OpenFile(f.path+newSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		n := &file{path: next.Name(), f: next}
		out := bufio.NewWriter(next)
		write := func() error {
			_, err := out.Write(n.buf)
			n.size += int64(len(n.buf))
			n.buf = n.buf[:0]
			return err
		}
		n.frame(func(b []byte) []byte { return appendNumber(b, q.number) })
		err = write()
		for name, l := range q.lines {
			for _, e := range l.entries {
				n.sent(name, e)
				err = errors.Join(err, write())
			}
		}
		// Both are closed before the one becomes the other: Windows renames no open file.
		if err := errors.Join(err, out.Flush(), next.Sync(), next.Close()); err != nil {
			return errors.Join(err, os.Remove(next.Name()))
		}
		_ = f.f.Close()
		if err = os.Rename(n.path, f.path); err == nil {
			f.size, f.live = n.size, n.live
		}
		if f.f, f.broken = os.OpenFile(f.path, os.O_RDWR, 0o644); f.broken != nil {
			return f.broken
		}
		return err
	}()
	if err != nil {
		f.patience = 2 * f.size
		q.step(events.StepLost, f.path, q.clock.Now(), "the file cannot be written anew and grows: "+err.Error(), nil)
	}
}

// load reads the folder's file. A torn end, which nobody was told is on record, is cut off; a damaged record costs itself.
func (q *Queues) load(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, fileName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	q.file = &file{path: path, f: f}
	size, damaged, err := q.read(bufio.NewReaderSize(f, 1<<16))
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("file %s: %w", path, err), f.Close())
	}
	q.file.size = size
	if damaged > 0 {
		q.note(events.Step{At: q.clock.Now(), Room: "queue", What: events.StepLost, Who: path, Text: fmt.Sprintf("%d damaged records are left out", damaged)})
	}
	return nil
}

// read takes in all records and returns where the whole ones end.
func (q *Queues) read(in io.Reader) (size int64, damaged int, err error) {
	all := map[uint64]*entry{}
	home := map[uint64]*line{}
	now := q.clock.Now()
	var head [frameHead]byte
	var body []byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return size, damaged, ended(err)
		}
		n, sum := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
		if n == 0 {
			return size, damaged, nil // the zeros that a dead machine may leave
		}
		if body, err = readFull(in, body[:0], int64(n)); err != nil {
			return size, damaged, ended(err)
		}
		size += frameHead + int64(n)
		r, err := decode(body)
		if err != nil || crc32.Checksum(body, castagnoli) != sum {
			damaged++
			continue
		}
		q.number = max(q.number, r.number)
		switch r.kind {
		case kindSent:
			e := r.entry
			e.framed = frameHead + int64(n)
			l := q.line(r.queue)
			all[e.number], home[e.number] = e, l
			if e.Dedup != "" && now.Sub(e.SentAt) < dedupFor {
				l.known.add(e.Dedup, Sent{e.ID, sequence(e.number)}, e.SentAt)
			}
			l.entries[e.number] = e
			l.bytes += e.size
			q.file.live += e.framed
		case kindGone:
			if e := all[r.number]; e != nil {
				l := home[r.number]
				delete(l.entries, e.number)
				l.bytes -= e.size
				q.file.live -= e.framed
				delete(all, r.number)
				delete(home, r.number)
			}
		case kindRested:
			if e := all[r.number]; e != nil {
				e.Receives, e.until, e.FirstReceived = r.entry.Receives, r.entry.until, r.entry.FirstReceived
				e.state, e.rests = r.entry.state, r.entry.rests
			}
		}
	}
}

// readFull reads n bytes, however wrong n may be, without asking for that much memory before it is there.
func readFull(in io.Reader, into []byte, n int64) ([]byte, error) {
	for n > 0 {
		k := int(min(n, 1<<20))
		into = append(into, make([]byte, k)...)
		if _, err := io.ReadFull(in, into[len(into)-k:]); err != nil {
			return into, err
		}
		n -= int64(k)
	}
	return into, nil
}

// ended makes nothing of the end of the file, wherever it is.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func (f *file) close() error {
	if f == nil {
		return nil
	}
	if err := errors.Join(f.f.Sync(), f.f.Close()); err != nil {
		return fmt.Errorf("queue: close: %w", err)
	}
	return nil
}

// stamp and unstamp keep times as nanoseconds; 0 is no time.
func stamp(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

func unstamp(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(n)).UTC()
}
