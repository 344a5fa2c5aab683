package yandex

import (
	"sync"
	"time"
)

// cacheSize bounds a cache. One that is full forgets what is over, and then everything: what it holds can be asked for again.
const cacheSize = 10_000

// cache keeps values for a time. The zero value is usable.
type cache[V any] struct {
	mu     sync.Mutex
	values map[string]cached[V]
}

type cached[V any] struct {
	value V
	until time.Time
}

func (c *cache[V]) get(key string, now time.Time) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.values[key]
	if !ok || !now.Before(found.until) {
		var none V
		return none, false
	}
	return found.value, true
}

// put keeps a value for a time; not at all if that is not positive.
func (c *cache[V]) put(key string, value V, now time.Time, ttl time.Duration) {
	if ttl <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.values) >= cacheSize {
		for k, v := range c.values {
			if !now.Before(v.until) {
				delete(c.values, k)
			}
		}
	}
	if c.values == nil || len(c.values) >= cacheSize {
		c.values = make(map[string]cached[V])
	}
	c.values[key] = cached[V]{value, now.Add(ttl)}
}
