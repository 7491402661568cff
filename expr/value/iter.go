package value

import (
	"unicode/utf8"
)

// Iter is Python's iter(v).
func Iter(b *Budget, v Value) (*Iterator, error) {
	switch x := v.(type) {
	case *List:
		// A list is walked live: Python sees items appended meanwhile.
		i := 0
		return NewIterator(func() (Value, bool, error) {
			if i >= len(x.Items) {
				return nil, false, nil
			}
			i++
			return x.Items[i-1], true, nil
		}), nil
	case Tuple:
		return sliceIter(x), nil
	case *NamedTuple:
		return sliceIter(x.Items), nil
	case string:
		return runeIter(x, false), nil
	case Markup:
		return runeIter(string(x), false), nil
	case Bytes:
		i := 0
		return NewIterator(func() (Value, bool, error) {
			if i >= len(x) {
				return nil, false, nil
			}
			i++
			return int64(x[i-1]), true, nil
		}), nil
	case *Dict:
		return dictIter(x, viewKeys), nil
	case *DictView:
		return dictIter(x.dict, x.kind), nil
	case *Set:
		return sliceIter(x.Items()), nil
	case *Range:
		i, n := int64(0), x.Len()
		return NewIterator(func() (Value, bool, error) {
			if i >= n {
				return nil, false, nil
			}
			i++
			return x.At(i - 1), true, b.Step(1)
		}), nil
	case *Iterator:
		return x, nil
	case *Undefined:
		if x.Strict {
			return nil, x.Err()
		}
		return sliceIter(nil), nil
	case Iterable:
		return x.Iter(b)
	}
	return nil, TypeErrorf("%s object is not iterable", quote(TypeName(v)))
}

func sliceIter(items []Value) *Iterator {
	i := 0
	return NewIterator(func() (Value, bool, error) {
		if i >= len(items) {
			return nil, false, nil
		}
		i++
		return items[i-1], true, nil
	})
}

func runeIter(s string, reverse bool) *Iterator {
	return NewIterator(func() (Value, bool, error) {
		if s == "" {
			return nil, false, nil
		}
		var c string
		if reverse {
			_, n := utf8.DecodeLastRuneInString(s)
			c, s = s[len(s)-n:], s[:len(s)-n]
		} else {
			_, n := utf8.DecodeRuneInString(s)
			c, s = s[:n], s[n:]
		}
		return c, true, nil
	})
}

func dictIter(d *Dict, kind viewKind) *Iterator {
	i, size := 0, d.Len()
	return NewIterator(func() (Value, bool, error) {
		if d.Len() != size {
			return nil, false, Errorf("RuntimeError", "dictionary changed size during iteration")
		}
		for i < len(d.entries) && d.entries[i].deleted {
			i++
		}
		if i >= len(d.entries) {
			return nil, false, nil
		}
		e := &d.entries[i]
		i++
		switch kind {
		case viewKeys:
			return e.key, true, nil
		case viewValues:
			return e.val, true, nil
		}
		return Tuple{e.key, e.val}, true, nil
	})
}

// Items is Python's list(v), as a slice. It may share the items of a list or
// tuple: the caller must not write to it.
func Items(b *Budget, v Value) ([]Value, error) {
	switch x := v.(type) {
	case *List:
		return x.Items, nil
	case Tuple:
		return x, nil
	case *NamedTuple:
		return x.Items, nil
	}
	return CopyItems(b, v)
}

// CopyItems is Python's list(v), as a new slice.
func CopyItems(b *Budget, v Value) ([]Value, error) {
	if s, ok := IsSequence(v); ok {
		if err := b.AllocItems(int64(len(s))); err != nil {
			return nil, err
		}
		return append(make([]Value, 0, len(s)), s...), nil
	}
	switch x := v.(type) {
	case *DictView:
		if err := b.AllocItems(int64(x.dict.Len())); err != nil {
			return nil, err
		}
		return x.Items(), nil
	case *Range:
		if err := b.AllocItems(x.Len()); err != nil {
			return nil, err
		}
	}
	it, err := Iter(b, v)
	if err != nil {
		return nil, err
	}
	var out []Value
	for {
		v, ok, err := it.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return out, nil
		}
		if err := b.AllocItems(1); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

// Reversed is Python's reversed(v).
func Reversed(b *Budget, v Value) (*Iterator, error) {
	switch x := v.(type) {
	case string:
		return runeIter(x, true), nil
	case Markup:
		return runeIter(string(x), true), nil
	case *Dict:
		return reversedSlice(x.Keys()), nil
	case *DictView:
		return reversedSlice(x.Items()), nil
	case *Range:
		n := x.Len()
		return Iter(b, &Range{x.Start + (n-1)*x.Step, x.Start - x.Step, -x.Step})
	case *Undefined:
		if x.Strict {
			return nil, x.Err()
		}
		return sliceIter(nil), nil
	}
	if s, ok := IsSequence(v); ok {
		return reversedSlice(s), nil
	}
	return nil, TypeErrorf("%s object is not reversible", quote(TypeName(v)))
}

func reversedSlice(items []Value) *Iterator {
	i := len(items)
	return NewIterator(func() (Value, bool, error) {
		if i == 0 {
			return nil, false, nil
		}
		i--
		return items[i], true, nil
	})
}

// IsIterable says whether iter(v) would work; it does not consume anything.
func IsIterable(v Value) bool {
	switch v.(type) {
	case string, Markup, Bytes, *List, Tuple, *NamedTuple, *Dict, *DictView, *Set, *Range, *Iterator, *Undefined, Iterable:
		return true
	}
	return false
}
