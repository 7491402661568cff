package packs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// watcher looks for changes until it is stopped.
type watcher struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// Start registers what is there and then looks for changes every Config.Poll until
// ctx ends or Stop is called. Starting twice does nothing. Only the first
// registration's error is answered; later ones are logged and tried again.
func (r *Registrar) Start(ctx context.Context) error {
	r.mu.Lock()
	if r.watch != nil {
		r.mu.Unlock()
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{cancel: cancel, done: make(chan struct{})}
	r.watch = w
	r.mu.Unlock()

	// Taken before the registration: what changes meanwhile is seen by the next look.
	seen := r.fingerprint()
	if _, err := r.Reload(ctx); err != nil {
		cancel()
		close(w.done)
		r.mu.Lock()
		r.watch = nil
		r.mu.Unlock()
		return err
	}
	if r.c.Poll <= 0 {
		close(w.done)
		return nil
	}
	go r.poll(ctx, w, seen)
	return nil
}

// Stop ends the watch and waits for a registration under way. It is safe before
// Start and twice.
func (r *Registrar) Stop(ctx context.Context) error {
	r.mu.Lock()
	w := r.watch
	r.watch = nil
	r.mu.Unlock()
	if w == nil {
		return nil
	}
	w.cancel()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Registrar) poll(ctx context.Context, w *watcher, seen string) {
	defer close(w.done)
	tick := time.NewTicker(r.c.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := r.fingerprint()
		if now == seen {
			continue
		}
		if _, err := r.Reload(ctx); err == nil {
			seen = now
		}
	}
}

// fingerprint changes when metadata of a pack or a configuration changes. It looks
// at names, sizes and times, never at contents: one stat for each metadata file.
// Other files of a pack are looked at when the pack is read for another reason.
func (r *Registrar) fingerprint() string {
	sum := sha256.New()
	left := r.c.Limits.Packs
	for _, root := range r.c.Search.Roots() {
		entries, err := os.ReadDir(root.Dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if left--; left < 0 {
				break
			}
			r.statPack(sum, filepath.Join(root.Dir, e.Name()))
		}
	}
	for _, dir := range append(append([]string{}, r.c.Configs...), r.c.Overrides...) {
		statYAML(sum, dir, r.c.Limits.Packs)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// packPrint is the fingerprint of one pack with its configuration and overrides.
func (r *Registrar) packPrint(ref, dir string) string {
	sum := sha256.New()
	r.statPack(sum, dir)
	for _, dir := range r.c.Configs {
		stat(sum, filepath.Join(dir, ref+".yaml"))
	}
	for _, dir := range r.c.Overrides {
		stat(sum, filepath.Join(dir, ref+".yaml"))
		stat(sum, filepath.Join(dir, globalOverrides))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (r *Registrar) statPack(to io.Writer, dir string) {
	if !stat(to, filepath.Join(dir, manifestFile)) {
		return
	}
	stat(to, filepath.Join(dir, configSchemaFile))
	for _, k := range kinds() {
		if k.read != nil {
			statYAML(to, filepath.Join(dir, k.folder), r.c.Limits.Items)
		}
	}
}

func stat(to io.Writer, file string) bool {
	info, err := os.Stat(file)
	if err != nil {
		return false
	}
	fmt.Fprintln(to, file, info.Size(), info.ModTime().UnixNano())
	return true
}

func statYAML(to io.Writer, dir string, limit int) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	names, _ := f.Readdirnames(limit + 1000)
	f.Close()
	sort.Strings(names)
	for _, name := range names {
		if ext := filepath.Ext(name); ext == ".yaml" || ext == ".yml" {
			stat(to, filepath.Join(dir, name))
		}
	}
}
