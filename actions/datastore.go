package actions

import (
	"context"
	"fmt"
	"strings"

	"petrel/expr/value"
)

// MaxLookups is how many keys of the datastore the templates of one rendering
// may read.
const MaxLookups = 1000

// MaxKey is the longest key that is looked up, in bytes.
const MaxKey = 1024

// Datastore is the template variable st2kv for a user: st2kv.system.x and
// st2kv.user.x are looked up when they are used. A missing key is an empty
// text. Names may be nested: st2kv.system.a.b is the key "a.b".
func Datastore(ctx context.Context, kv KV, user string) value.Value {
	return datastore(&store{ctx: ctx, kv: kv, user: user})
}

func datastore(s *store) value.Value {
	return value.DictOf("system", systemLookup{&lookup{store: s, scope: "system"}}, "user", &lookup{store: s, scope: "user"})
}

// store is the datastore during one rendering; each key is read once.
type store struct {
	ctx   context.Context
	kv    KV
	user  string
	clear bool // secrets are wanted in plain text: for configuration values that are secret
	seen  map[lookupKey]string
}

type lookupKey struct {
	scope, key string
	decrypt    bool
}

func (s *store) read(scope, key string, decrypt bool) (string, error) {
	if s.kv == nil {
		return "", nil
	}
	k := lookupKey{scope, key, decrypt}
	if text, ok := s.seen[k]; ok {
		return text, nil
	}
	if len(key) > MaxKey {
		return "", &value.LimitError{Limit: "bytes of a datastore key", Max: fmt.Sprint(MaxKey)}
	}
	if len(s.seen) >= MaxLookups {
		return "", &value.LimitError{Limit: "datastore look-ups", Max: fmt.Sprint(MaxLookups)}
	}
	text, _, err := s.kv.Lookup(s.ctx, scope, s.user, key, decrypt)
	if err != nil {
		return "", fmt.Errorf("datastore item st2kv.%s.%s: %w", scope, key, err)
	}
	if s.seen == nil {
		s.seen = map[lookupKey]string{}
	}
	s.seen[k] = text
	return text, nil
}

// systemLookup is a lookup in the scope system; only those can be made a
// number without being made a text first, as in StackStorm.
type systemLookup struct{ *lookup }

// Float implements value.Floater.
func (l systemLookup) Float() (float64, error) {
	text, err := l.Str(nil)
	if err != nil {
		return 0, err
	}
	return value.ParseFloat(text)
}

// lookup is st2kv.system or st2kv.user, or a key below it. It has no value
// before it is written into a text, because st2kv.system.a may be on the way
// to st2kv.system.a.b.
type lookup struct {
	store *store
	scope string
	key   string
}

// TypeName implements value.Object.
func (l *lookup) TypeName() string {
	if l.scope == "user" {
		return "UserKeyValueLookup"
	}
	return "KeyValueLookup"
}

// Attr implements value.Object: any name leads to a key.
func (l *lookup) Attr(_ *value.Budget, name string) (value.Value, bool, error) {
	if strings.HasPrefix(name, "_") && l.key == "" {
		return nil, false, nil
	}
	key := name
	if l.key != "" {
		key = l.key + "." + name
	}
	below := &lookup{store: l.store, scope: l.scope, key: key}
	if l.scope == "system" {
		return systemLookup{below}, true, nil
	}
	return below, true, nil
}

// Str implements value.Stringer: the value of the key, empty when it is missing.
func (l *lookup) Str(*value.Budget) (string, error) {
	if l.key == "" {
		return "", value.Errorf("KeyError", "''")
	}
	return l.store.read(l.scope, l.key, l.store.clear)
}

// decryptKV is the filter decrypt_kv: a look-up is read in plain text, any
// other text is decrypted itself.
func decryptKV(ctx context.Context, v value.Value) (value.Value, error) {
	if s, ok := v.(systemLookup); ok {
		v = s.lookup
	}
	if l, ok := v.(*lookup); ok {
		text, err := l.store.read(l.scope, l.key, true)
		if err != nil {
			return nil, err
		}
		if text == "" {
			return nil, value.ValueErrorf(`Referenced datastore item "st2kv.%s.%s" doesn't exist or it contains an empty string`, l.scope, l.key)
		}
		return text, nil
	}
	kv, _ := ctx.Value(kvKey{}).(KV)
	d, ok := kv.(Decrypter)
	if !ok {
		return nil, value.ValueErrorf("decrypt_kv: there is no key to decrypt with")
	}
	return d.Decrypt(ctx, value.Str(v))
}

// kvKey is where the context of a rendering holds its KV.
type kvKey struct{}
