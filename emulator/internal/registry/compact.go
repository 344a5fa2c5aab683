package registry

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
)

// catchUps bounds how often a compaction runs after what has been put meanwhile before it has everybody wait for the rest.
const catchUps = 3

// compaction is the new file of a pack on its way.
type compaction struct {
	pack
	copied map[digest]span // what has been copied, and from where: damage that was healed lies elsewhere
}

// keep forgets the entries that do not live, and tells whether leaving them out of the file wins packWorth bytes and half of it.
func (k *pack) keep(live func(digest) bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	var left int64
	for d, s := range k.spans {
		if live(d) {
			left += s.length
		} else {
			delete(k.spans, d)
		}
	}
	return k.size-left >= packWorth && left <= k.size/2
}

// compact writes the entries into a new file. Entries never change, so they are copied beside everything else; the lock is only
// taken for what has come since. Until the rename the old file is whole, and after it the new one is. One compaction at a time.
func (k *pack) compact() error {
	f, err := os.OpenFile(k.path+newSuffix, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("pack: compact: %w", err)
	}
	next := &compaction{
		pack:   pack{path: f.Name(), file: f, write: k.write, spans: map[digest]span{}},
		copied: map[digest]span{},
	}
	for range catchUps {
		k.mu.RLock()
		missing := next.missing(k)
		k.mu.RUnlock()
		if len(missing) == 0 {
			break
		}
		if err := next.addAll(k.file, missing); err != nil {
			return next.giveUp(err)
		}
	}
	return k.become(next)
}

// become catches up a last time, under the lock, and puts the new file in the place of the old.
func (k *pack) become(next *compaction) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if missing := next.missing(k); len(missing) > 0 {
		if err := next.addAll(k.file, missing); err != nil {
			return next.giveUp(err)
		}
	}
	for d := range next.spans {
		if _, ok := k.spans[d]; !ok {
			delete(next.spans, d) // removed meanwhile
		}
	}
	// Both are closed before the one becomes the other: Windows renames no open file.
	if err := next.file.Close(); err != nil {
		return next.giveUp(err)
	}
	_ = k.file.Close()
	renamed := os.Rename(next.path, k.path)
	if renamed == nil {
		k.size, k.spans = next.size, next.spans
	} else {
		renamed = errors.Join(renamed, os.Remove(next.path))
	}
	var err error
	if k.file, err = os.OpenFile(k.path, os.O_RDWR, 0o644); err != nil || renamed != nil {
		return fmt.Errorf("pack: compact: %w", errors.Join(renamed, err))
	}
	return nil
}

// giveUp removes the new file. It may be closed already.
func (c *compaction) giveUp(err error) error {
	_ = c.file.Close()
	return errors.Join(fmt.Errorf("pack: compact: %w", err), os.Remove(c.path))
}

// entry is where an entry of a pack is.
type entry struct {
	digest digest
	span   span
}

// missing lists what is still to be copied, in the order of the file. The pack's lock is held.
func (c *compaction) missing(from *pack) []entry {
	var out []entry
	for d, s := range from.spans {
		if done, ok := c.copied[d]; !ok || done != s {
			out = append(out, entry{d, s})
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return cmp.Compare(a.span.offset, b.span.offset) })
	return out
}

// addAll copies entries in large writes and has them on the disk.
func (c *compaction) addAll(from *os.File, entries []entry) error {
	out := bufio.NewWriterSize(writerFunc(func(p []byte) (int, error) { return c.write(c.file, p) }), bufferSize)
	for _, e := range entries {
		data := make([]byte, e.span.length)
		if _, err := from.ReadAt(data, e.span.offset); err != nil {
			return err
		}
		n, err := fmt.Fprintf(out, "%s %d\n%s\n", e.digest, e.span.length, data)
		if err != nil {
			return err
		}
		c.spans[e.digest] = span{c.size + int64(n) - 1 - e.span.length, e.span.length}
		c.copied[e.digest] = e.span
		c.size += int64(n)
	}
	return errors.Join(out.Flush(), c.file.Sync())
}
