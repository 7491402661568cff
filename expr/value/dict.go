package value

import (
	"iter"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Dict is Python's dict: it keeps the order of insertion, and keys that are
// equal in Python (1, 1.0 and True) are one key. It is not safe for
// concurrent writes.
type Dict struct {
	entries []entry
	live    int
	// strs and others are built when the dict outgrows a linear scan.
	strs   map[string]int32
	others map[any]int32
}

type entry struct {
	key     Value
	val     Value
	deleted bool
}

// scanMax is the size up to which scanning beats hashing.
const scanMax = 8

// NewDict returns an empty dict.
func NewDict() *Dict { return &Dict{} }

// NewDictSize returns an empty dict with room for n entries.
func NewDictSize(n int) *Dict { return &Dict{entries: make([]entry, 0, n)} }

// DictOf returns a dict of alternating keys and values.
func DictOf(kv ...Value) *Dict {
	d := NewDictSize(len(kv) / 2)
	for i := 0; i+1 < len(kv); i += 2 {
		d.Set(kv[i], kv[i+1])
	}
	return d
}

type noneKey struct{}
type bigKey string
type tupleKey string
type bytesKey string

// hashKey maps a key to a comparable Go value so that equal keys of Python
// have equal images. Strings are handled before it is called.
func hashKey(v Value) (any, error) {
	switch x := v.(type) {
	case nil:
		return noneKey{}, nil
	case bool:
		if x {
			return int64(1), nil
		}
		return int64(0), nil
	case int64:
		return x, nil
	case *big.Int:
		return bigKey(x.String()), nil
	case float64:
		if x == math.Trunc(x) && !math.IsInf(x, 0) {
			if math.Abs(x) < 1<<62 {
				return int64(x), nil
			}
			i, _ := big.NewFloat(x).Int(nil)
			return hashKey(BigInt(i))
		}
		return x, nil
	case string:
		return x, nil
	case Markup:
		return string(x), nil
	case Bytes:
		return bytesKey(x), nil
	case Tuple:
		return hashTuple(x)
	case *NamedTuple:
		return hashTuple(x.Items)
	case *DictView:
		if x.kind == viewValues {
			return v, nil
		}
		return nil, TypeErrorf("unhashable type: %s", quote(TypeName(v)))
	case *List, *Dict, *Set:
		return nil, TypeErrorf("unhashable type: %s", quote(TypeName(v)))
	case *Undefined:
		if x.Strict {
			return nil, x.Err()
		}
		return noneKeyUndefined{}, nil
	case Date:
		return x, nil
	case DateTime:
		return dateTimeKey{x.UnixNano(), x.Naive}, nil
	}
	// What is left is compared by identity; all of it is comparable in Go.
	return v, nil
}

type noneKeyUndefined struct{}
type dateTimeKey struct {
	nanos int64
	naive bool
}

func hashTuple(t Tuple) (any, error) {
	var sb strings.Builder
	for _, item := range t {
		k, err := hashKey(item)
		if err != nil {
			return nil, err
		}
		switch k := k.(type) {
		case noneKey:
			sb.WriteByte('n')
		case noneKeyUndefined:
			sb.WriteByte('u')
		case int64:
			sb.WriteByte('i')
			sb.WriteString(strconv.FormatInt(k, 10))
		case float64:
			sb.WriteByte('f')
			sb.WriteString(strconv.FormatFloat(k, 'g', -1, 64))
		case string:
			sb.WriteByte('s')
			sb.WriteString(strconv.Itoa(len(k)))
			sb.WriteByte(':')
			sb.WriteString(k)
		case bytesKey:
			sb.WriteByte('y')
			sb.WriteString(strconv.Itoa(len(k)))
			sb.WriteByte(':')
			sb.WriteString(string(k))
		case bigKey:
			sb.WriteByte('b')
			sb.WriteString(string(k))
		case tupleKey:
			sb.WriteByte('t')
			sb.WriteString(strconv.Itoa(len(k)))
			sb.WriteByte(':')
			sb.WriteString(string(k))
		case Date:
			sb.WriteByte('d')
			sb.WriteString(dateText(k))
		case dateTimeKey:
			sb.WriteByte('D')
			sb.WriteString(strconv.FormatInt(k.nanos, 10))
		default:
			return nil, TypeErrorf("unhashable type: %s", quote(TypeName(item)))
		}
		sb.WriteByte(';')
	}
	return tupleKey(sb.String()), nil
}

// CheckHashable is the TypeError of using v as a key, or nil.
func CheckHashable(v Value) error {
	switch v.(type) {
	case string, int64, bool, nil:
		return nil
	}
	_, err := hashKey(v)
	return err
}

func (d *Dict) findStr(key string) int {
	if d.strs != nil {
		if i, ok := d.strs[key]; ok {
			return int(i)
		}
		return -1
	}
	for i := range d.entries {
		e := &d.entries[i]
		if k, ok := e.key.(string); ok && k == key && !e.deleted {
			return i
		}
		if k, ok := e.key.(Markup); ok && string(k) == key && !e.deleted {
			return i
		}
	}
	return -1
}

func (d *Dict) find(key Value) int {
	switch k := key.(type) {
	case string:
		return d.findStr(k)
	case Markup:
		return d.findStr(string(k))
	}
	h, err := hashKey(key)
	if err != nil {
		return -1
	}
	if d.strs != nil {
		if i, ok := d.others[h]; ok {
			return int(i)
		}
		return -1
	}
	for i := range d.entries {
		e := &d.entries[i]
		if e.deleted {
			continue
		}
		if _, ok := e.key.(string); ok {
			continue
		}
		if h2, _ := hashKey(e.key); h2 == h {
			return i
		}
	}
	return -1
}

func (d *Dict) buildIndex() {
	d.strs = make(map[string]int32, 2*len(d.entries))
	d.others = nil
	for i := range d.entries {
		if !d.entries[i].deleted {
			d.indexEntry(i)
		}
	}
}

func (d *Dict) indexEntry(i int) {
	switch k := d.entries[i].key.(type) {
	case string:
		d.strs[k] = int32(i)
		return
	case Markup:
		d.strs[string(k)] = int32(i)
		return
	}
	if h, err := hashKey(d.entries[i].key); err == nil {
		if d.others == nil {
			d.others = make(map[any]int32)
		}
		d.others[h] = int32(i)
	}
}

// Get looks a key up. An unhashable key is never there.
func (d *Dict) Get(key Value) (Value, bool) {
	if i := d.find(key); i >= 0 {
		return d.entries[i].val, true
	}
	return nil, false
}

// GetStr looks a string key up.
func (d *Dict) GetStr(key string) (Value, bool) {
	if i := d.findStr(key); i >= 0 {
		return d.entries[i].val, true
	}
	return nil, false
}

// Has says whether the key is there.
func (d *Dict) Has(key Value) bool { return d.find(key) >= 0 }

// Set puts a value; a key that is there keeps its place and its first form.
// The key must be hashable (CheckHashable); others are dropped.
func (d *Dict) Set(key, val Value) {
	if i := d.find(key); i >= 0 {
		d.entries[i].val = val
		return
	}
	if CheckHashable(key) != nil {
		return
	}
	d.entries = append(d.entries, entry{key: key, val: val})
	d.live++
	if d.strs != nil {
		d.indexEntry(len(d.entries) - 1)
	} else if len(d.entries) > scanMax {
		d.buildIndex()
	}
}

// SetStr is Set for a string key.
func (d *Dict) SetStr(key string, val Value) { d.Set(key, val) }

// Delete takes a key out and says whether it was there.
func (d *Dict) Delete(key Value) bool {
	i := d.find(key)
	if i < 0 {
		return false
	}
	d.entries[i] = entry{deleted: true}
	d.live--
	if len(d.entries) > 16 && d.live < len(d.entries)/2 || d.live == 0 {
		d.compact()
		return true
	}
	if d.strs != nil {
		switch k := key.(type) {
		case string:
			delete(d.strs, k)
		case Markup:
			delete(d.strs, string(k))
		default:
			h, _ := hashKey(key)
			delete(d.others, h)
		}
	}
	return true
}

func (d *Dict) compact() {
	kept := make([]entry, 0, d.live)
	for _, e := range d.entries {
		if !e.deleted {
			kept = append(kept, e)
		}
	}
	d.entries = kept
	if d.strs != nil {
		d.buildIndex()
	}
}

// Clear takes everything out.
func (d *Dict) Clear() { *d = Dict{} }

// Len is the number of entries.
func (d *Dict) Len() int { return d.live }

// Keys are the keys in order.
func (d *Dict) Keys() []Value {
	out := make([]Value, 0, d.live)
	for i := range d.entries {
		if !d.entries[i].deleted {
			out = append(out, d.entries[i].key)
		}
	}
	return out
}

// Values are the values in order.
func (d *Dict) Values() []Value {
	out := make([]Value, 0, d.live)
	for i := range d.entries {
		if !d.entries[i].deleted {
			out = append(out, d.entries[i].val)
		}
	}
	return out
}

// All walks the entries in order. The dict must not be changed meanwhile.
func (d *Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		for i := range d.entries {
			if e := &d.entries[i]; !e.deleted && !yield(e.key, e.val) {
				return
			}
		}
	}
}

// Update sets all entries of other.
func (d *Dict) Update(other *Dict) {
	for k, v := range other.All() {
		d.Set(k, v)
	}
}

// Clone is a shallow copy.
func (d *Dict) Clone() *Dict {
	c := &Dict{entries: make([]entry, 0, d.live), live: d.live}
	for _, e := range d.entries {
		if !e.deleted {
			c.entries = append(c.entries, e)
		}
	}
	if len(c.entries) > scanMax {
		c.buildIndex()
	}
	return c
}

type viewKind int

const (
	viewKeys viewKind = iota
	viewValues
	viewItems
)

func (k viewKind) String() string {
	return [...]string{"dict_keys", "dict_values", "dict_items"}[k]
}

// DictView is what dict.keys(), .values() and .items() give: a live view.
type DictView struct {
	dict *Dict
	kind viewKind
}

// KeysView, ValuesView and ItemsView are the three views of a dict.
func (d *Dict) KeysView() *DictView { return &DictView{d, viewKeys} }

// ValuesView is dict.values().
func (d *Dict) ValuesView() *DictView { return &DictView{d, viewValues} }

// ItemsView is dict.items().
func (d *Dict) ItemsView() *DictView { return &DictView{d, viewItems} }

// Items are what the view shows, in order.
func (v *DictView) Items() []Value {
	switch v.kind {
	case viewKeys:
		return v.dict.Keys()
	case viewValues:
		return v.dict.Values()
	}
	out := make([]Value, 0, v.dict.live)
	for k, val := range v.dict.All() {
		out = append(out, Tuple{k, val})
	}
	return out
}

// IsKeys says whether the view is the one of keys, which is like a set.
func (v *DictView) IsKeys() bool { return v.kind == viewKeys }

// Set is Python's set. It keeps the order of insertion, which Python does not
// promise but which makes results repeatable.
type Set struct {
	d Dict
}

// NewSet returns a set of the given hashable items.
func NewSet(items ...Value) *Set {
	s := &Set{}
	for _, it := range items {
		s.d.Set(it, nil)
	}
	return s
}

// Add puts an item in; it must be hashable.
func (s *Set) Add(v Value) { s.d.Set(v, nil) }

// Has says whether the item is there.
func (s *Set) Has(v Value) bool { return s.d.Has(v) }

// Delete takes an item out and says whether it was there.
func (s *Set) Delete(v Value) bool { return s.d.Delete(v) }

// Len is the number of items.
func (s *Set) Len() int { return s.d.Len() }

// Items are the items in order of insertion.
func (s *Set) Items() []Value { return s.d.Keys() }

// Lookup is GetStr; with it a Dict serves as the variables of a template.
func (d *Dict) Lookup(name string) (Value, bool) { return d.GetStr(name) }
