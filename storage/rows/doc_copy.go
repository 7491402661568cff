package rows

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"

	"petrel"
)

// Doc is a copy of content that many executions share, kept once by the hash
// of its text.
type Doc struct {
	Hash string
	Body []byte // packed
}

// docHashBytes of the SHA-256 name a doc: 192 bits cannot be made to collide.
const docHashBytes = 24

// NewDoc makes the copy of a piece of content.
func NewDoc(field string, content any) (Doc, error) {
	text, err := Marshal(field, content)
	if err != nil {
		return Doc{}, err
	}
	sum := sha256.Sum256(text)
	return Doc{Hash: base64.RawURLEncoding.EncodeToString(sum[:docHashBytes]), Body: Pack(text)}, nil
}

// Marshal writes content as JSON whose characters stay as they are.
func Marshal(field string, content any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(content); err != nil {
		return nil, &petrel.Error{Kind: petrel.Invalid, Field: field, Message: field + " cannot be written as JSON", Err: err}
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// Unmarshal reads packed content.
func Unmarshal(stored []byte, into any) error {
	text, err := Unpack(stored)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("stored content is not JSON of its kind: %w", err)
	}
	return nil
}

// maxCachedDocs bounds the cache of docs; an installation has about as many
// as it has actions.
const maxCachedDocs = 1024

// Docs is a cache of docs that were read or written, by hash. The values in it
// are shared: nobody may change what lies behind their slices.
type Docs struct {
	mu      sync.Mutex
	actions map[string]petrel.Action
	runners map[string]petrel.RunnerType
	used    map[string]int64 // the newest execution for which the doc is known to be stored
}

// Action is a cached action.
func (d *Docs) Action(hash string) (petrel.Action, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, found := d.actions[hash]
	return a, found
}

// Runner is a cached runner type.
func (d *Docs) Runner(hash string) (petrel.RunnerType, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, found := d.runners[hash]
	return r, found
}

// KeepAction caches an action.
func (d *Docs) KeepAction(hash string, a petrel.Action) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.actions == nil || len(d.actions) >= maxCachedDocs {
		d.actions = make(map[string]petrel.Action)
	}
	d.actions[hash] = a
}

// KeepRunner caches a runner type.
func (d *Docs) KeepRunner(hash string, r petrel.RunnerType) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.runners == nil || len(d.runners) >= maxCachedDocs {
		d.runners = make(map[string]petrel.RunnerType)
	}
	d.runners[hash] = r
}

// DocTouch is how far a doc's "used" may lag behind the executions that use it,
// in microseconds, and DocMargin how long behind now a doc is never removed.
// The removal of docs (an execution newer than used+DocTouch does not refer to
// it) rests on both; see PurgeExecutions.
const (
	DocTouch  = int64(3600) * 1e6
	DocMargin = 24 * DocTouch
)

// Stored says that the doc needs no write for an execution of that time,
// because it was written for one shortly before. Times far from now always
// write: they are not protected by DocMargin.
func (d *Docs) Stored(hash string, at, now int64) bool {
	if at < now-DocMargin/2 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	used, found := d.used[hash]
	return found && at <= used+DocTouch
}

// Wrote remembers that the doc is stored for an execution of that time. It is
// called after the commit.
func (d *Docs) Wrote(hash string, at int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.used == nil || len(d.used) >= maxCachedDocs {
		d.used = make(map[string]int64)
	}
	if at > d.used[hash] {
		d.used[hash] = at
	}
}

// Forget empties what is known to be stored, after docs were removed.
func (d *Docs) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used = nil
}
