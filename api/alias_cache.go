package api

import (
	"context"
	"sync"

	"petrel/aliases"
	"petrel/storage"
)

// aliasCache keeps the index of all aliases as long as none changed.
type aliasCache struct {
	store Store

	mu         sync.Mutex
	index      *aliases.Index
	generation int64
}

func newAliasCache(store Store) *aliasCache { return &aliasCache{store: store} }

func (x *aliasCache) get(ctx context.Context) (*aliases.Index, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	generations, err := x.store.Generations(ctx)
	if err != nil {
		return nil, err
	}
	now := generations[storage.KindAlias]
	if x.index != nil && now == x.generation {
		return x.index, nil
	}
	// Read after the counter: a change in between is seen at the next call.
	all, _, err := x.store.AliasList(ctx, storage.ContentFilter{})
	if err != nil {
		return nil, err
	}
	x.index, x.generation = x.index.Rebuild(all), now
	return x.index, nil
}
