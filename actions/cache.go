package actions

import (
	"bytes"
	"container/list"
	"hash/maphash"
	"sync"
)

// cache keeps what was computed from texts, by their content, and forgets what
// was not asked for longest. It holds nothing that cannot be computed again.
type cache[V any] struct {
	mu    sync.Mutex
	size  int
	seed  maphash.Seed
	byKey map[uint64]*list.Element
	used  list.List // of *cached[V], the last used in front
}

type cached[V any] struct {
	key   uint64
	parts [][]byte
	value V
}

func newCache[V any](size int) *cache[V] {
	return &cache[V]{size: size, seed: maphash.MakeSeed(), byKey: map[uint64]*list.Element{}}
}

// get gives the value for these texts, computed when it is not there. An error
// is not kept. Texts of the same hash replace one another.
func (c *cache[V]) get(parts [][]byte, compute func() (V, error)) (V, error) {
	var h maphash.Hash
	h.SetSeed(c.seed)
	for _, p := range parts {
		h.WriteByte(0)
		h.Write(p)
	}
	key := h.Sum64()
	c.mu.Lock()
	if e, ok := c.byKey[key]; ok && e.Value.(*cached[V]).holds(parts) {
		c.used.MoveToFront(e)
		v := e.Value.(*cached[V]).value
		c.mu.Unlock()
		return v, nil
	}
	c.mu.Unlock()
	v, err := compute()
	if err != nil {
		return v, err
	}
	entry := &cached[V]{key: key, value: v}
	for _, p := range parts {
		entry.parts = append(entry.parts, bytes.Clone(p))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.byKey[key]; ok {
		c.used.Remove(old)
	}
	c.byKey[key] = c.used.PushFront(entry)
	if c.used.Len() > c.size {
		oldest := c.used.Back()
		c.used.Remove(oldest)
		delete(c.byKey, oldest.Value.(*cached[V]).key)
	}
	return v, nil
}

func (e *cached[V]) holds(parts [][]byte) bool {
	if len(parts) != len(e.parts) {
		return false
	}
	for i := range parts {
		if !bytes.Equal(parts[i], e.parts[i]) {
			return false
		}
	}
	return true
}
