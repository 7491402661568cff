package engine

import (
	"context"
	"maps"
	"path/filepath"
	"sync"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
	"petrel/storage"
)

// contentCache keeps what requests decide from. Each decision reads the
// generations first and forgets the kinds that changed, so that a change on
// one node holds on all from the next decision.
type contentCache struct {
	store storage.Content
	kv    actions.KV

	mu          sync.Mutex
	generations map[storage.Kind]int64
	epoch       int // grows when something is forgotten
	actions     map[petrel.Ref]petrel.Action
	runners     map[string]petrel.RunnerType
	packs       map[string]pack

	reads   sync.Mutex
	reading bool        // somebody reads the generations
	next    *generation // the read that has not begun, for whoever comes now
}

// generation is one read of the generations, shared by all who asked before it began.
type generation struct {
	done chan struct{}
	err  error
}

// pack is what the engine needs of a pack.
type pack struct {
	dir    string
	schema *value.Dict // of its configuration; nil for none
	values *value.Dict // as the administrator wrote them; nil for none
}

// maxCached bounds each map; one that is full is emptied.
const maxCached = 20000

func newContentCache(s storage.Content, kv actions.KV) *contentCache {
	return &contentCache{store: s, kv: kv}
}

// refresh forgets what is older than the store's. Who asks while a read is
// under way shares the next one with all others who wait: it begins later than
// they asked, so it is as good as one of their own.
func (c *contentCache) refresh(ctx context.Context) error {
	c.reads.Lock()
	if c.next == nil {
		c.next = &generation{done: make(chan struct{})}
	}
	mine, lead := c.next, !c.reading
	c.reading = true
	c.reads.Unlock()
	if lead {
		go c.readAll()
	}
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return petrel.Wrap(petrel.Unavailable, ctx.Err(), "The database did not answer in time.")
	}
}

// readAll reads for those who wait until nobody does.
func (c *contentCache) readAll() {
	for {
		c.reads.Lock()
		read := c.next
		c.next, c.reading = nil, read != nil
		c.reads.Unlock()
		if read == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		read.err = c.read(ctx)
		cancel()
		close(read.done)
	}
}

func (c *contentCache) read(ctx context.Context) error {
	now, err := c.store.Generations(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generations != nil && maps.Equal(now, c.generations) {
		return nil
	}
	c.epoch++
	changed := func(k storage.Kind) bool { return c.generations == nil || now[k] != c.generations[k] }
	if changed(storage.KindAction) {
		c.actions = map[petrel.Ref]petrel.Action{}
	}
	if changed(storage.KindRunner) {
		c.runners = map[string]petrel.RunnerType{}
	}
	if changed(storage.KindPack) || changed(storage.KindConfig) {
		c.packs = map[string]pack{}
	}
	// An older answer that comes late must not bring back an older number.
	for k, n := range c.generations {
		if n > now[k] {
			now[k] = n
		}
	}
	c.generations = now
	return nil
}

func cached[K comparable, V any](c *contentCache, in func() map[K]V, key K, load func() (V, error)) (V, error) {
	c.mu.Lock()
	epoch := c.epoch
	v, found := in()[key]
	c.mu.Unlock()
	if found {
		return v, nil
	}
	v, err := load()
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// What was loaded before a change may be older than the change: it is kept
	// only when nothing was forgotten meanwhile.
	if m := in(); m != nil && epoch == c.epoch {
		if len(m) >= maxCached {
			clear(m)
		}
		m[key] = v
	}
	return v, nil
}

func (c *contentCache) action(ctx context.Context, ref petrel.Ref) (petrel.Action, error) {
	return cached(c, func() map[petrel.Ref]petrel.Action { return c.actions }, ref, func() (petrel.Action, error) {
		return c.store.Action(ctx, string(ref))
	})
}

func (c *contentCache) runner(ctx context.Context, name string) (petrel.RunnerType, error) {
	return cached(c, func() map[string]petrel.RunnerType { return c.runners }, name, func() (petrel.RunnerType, error) {
		return c.store.RunnerType(ctx, name)
	})
}

func (c *contentCache) pack(ctx context.Context, ref string) (pack, error) {
	return cached(c, func() map[string]pack { return c.packs }, ref, func() (pack, error) {
		var p pack
		row, err := c.store.Pack(ctx, ref)
		if petrel.Is(err, petrel.NotFound) {
			return p, nil
		}
		if err != nil {
			return p, err
		}
		p.dir = row.Path
		if p.schema, err = dictOf(row.ConfigSchema); err != nil {
			return p, petrel.Wrap(petrel.Internal, err, "The configuration schema of the pack %q cannot be read.", ref)
		}
		config, err := c.store.Config(ctx, ref)
		if petrel.Is(err, petrel.NotFound) {
			return p, nil
		}
		if err != nil {
			return p, err
		}
		if p.values, err = dictOf(config.Values); err != nil {
			return p, petrel.Wrap(petrel.Internal, err, "The configuration of the pack %q cannot be read.", ref)
		}
		return p, nil
	})
}

// resolve is a pack's configuration as an action of that user sees it; nil
// when the pack has none.
func (c *contentCache) resolve(ctx context.Context, p pack, ref, user string) (*value.Dict, error) {
	if p.schema == nil && p.values == nil {
		return nil, nil
	}
	return actions.ResolveConfig(ctx, actions.ConfigInput{Pack: ref, Schema: p.schema, Values: p.values, KV: c.kv, User: user})
}

// entryPoint is the absolute path of an action's entry point, empty when it has none.
func entryPoint(dir, entry string) string {
	if entry == "" || filepath.IsAbs(entry) || dir == "" {
		return entry
	}
	return filepath.Join(dir, "actions", entry)
}

// dictOf reads a JSON object; nil for no value.
func dictOf(j petrel.JSON) (*value.Dict, error) {
	if len(j) == 0 {
		return nil, nil
	}
	v, err := value.FromJSON(j)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case *value.Dict:
		return v, nil
	}
	return nil, petrel.Errorf(petrel.Invalid, "%s is not an object", value.TypeName(v))
}
