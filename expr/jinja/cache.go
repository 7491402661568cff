package jinja

import (
	"container/list"
	"sync"
)

// cache keeps the programs (and the errors) of the templates used last.
type cache struct {
	mu    sync.Mutex
	max   int
	bytes int
	m     map[cacheKey]*list.Element
	order list.List
}

// maxCacheBytes bounds the source text that the cache keeps alive; compiled
// programs grow with it.
const maxCacheBytes = 8 << 20

type cacheKey struct {
	src        string
	expression bool
}

type cacheEntry struct {
	key  cacheKey
	prog *program
	err  error
}

func newCache(max int) *cache {
	if max == 0 {
		max = DefaultCacheSize
	}
	return &cache{max: max, m: make(map[cacheKey]*list.Element)}
}

func (c *cache) get(src string, expression bool) (*program, error, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[cacheKey{src, expression}]
	if !ok {
		return nil, nil, false
	}
	c.order.MoveToFront(e)
	entry := e.Value.(*cacheEntry)
	return entry.prog, entry.err, true
}

func (c *cache) put(src string, expression bool, prog *program, err error) {
	if c.max < 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := cacheKey{src, expression}
	if _, ok := c.m[k]; ok {
		return
	}
	c.m[k] = c.order.PushFront(&cacheEntry{k, prog, err})
	c.bytes += len(src)
	for len(c.m) > c.max || c.bytes > maxCacheBytes {
		last := c.order.Back()
		entry := c.order.Remove(last).(*cacheEntry)
		delete(c.m, entry.key)
		c.bytes -= len(entry.key.src)
	}
}
