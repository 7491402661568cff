package value

import (
	"math"
	"unicode/utf8"
)

// Slice is the value of a[start:stop:step]; nil means left out.
type Slice struct {
	Start, Stop, Step Value
}

// GetItem is obj[key]; ok is false where Python raises a LookupError or
// TypeError, which the languages treat as "not there".
func GetItem(b *Budget, obj, key Value) (v Value, ok bool, err error) {
	switch x := obj.(type) {
	case *Dict:
		if _, isSlice := key.(Slice); isSlice {
			return nil, false, nil
		}
		if u, isU := key.(*Undefined); isU && u.Strict {
			return nil, false, u.Err()
		}
		v, ok = x.Get(key)
		return v, ok, nil
	case Object:
		if name, isStr := AsString(key); isStr {
			return x.Attr(b, name)
		}
		return nil, false, nil
	case *Undefined:
		return nil, false, x.Err()
	}
	if s, isSlice := key.(Slice); isSlice {
		return sliceOf(b, obj, s)
	}
	i, isInt := AsInt(key)
	if !isInt {
		return nil, false, nil
	}
	if s, isSeq := IsSequence(obj); isSeq {
		if i < 0 {
			i += int64(len(s))
		}
		if i < 0 || i >= int64(len(s)) {
			return nil, false, nil
		}
		return s[i], true, nil
	}
	switch x := obj.(type) {
	case string, Markup:
		s, _ := AsString(x)
		r, ok := runeAt(s, i)
		if _, isMarkup := x.(Markup); isMarkup && ok {
			return Markup(r), true, nil
		}
		return r, ok, nil
	case Bytes:
		if i < 0 {
			i += int64(len(x))
		}
		if i < 0 || i >= int64(len(x)) {
			return nil, false, nil
		}
		return int64(x[i]), true, nil
	case *Range:
		n := x.Len()
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return nil, false, nil
		}
		return x.At(i), true, nil
	}
	return nil, false, nil
}

func runeAt(s string, i int64) (string, bool) {
	if i < 0 {
		for j := len(s); j > 0; {
			_, n := utf8.DecodeLastRuneInString(s[:j])
			if i++; i == 0 {
				return s[j-n : j], true
			}
			j -= n
		}
		return "", false
	}
	if i >= int64(len(s)) {
		return "", false
	}
	for j := 0; j < len(s); {
		_, n := utf8.DecodeRuneInString(s[j:])
		if i == 0 {
			return s[j : j+n], true
		}
		i--
		j += n
	}
	return "", false
}

// resolve is slice.indices(n).
func (s Slice) resolve(n int64) (start, stop, step int64, err error) {
	step = 1
	get := func(v Value) (int64, error) {
		if u, ok := v.(*Undefined); ok {
			return 0, u.Err()
		}
		i, err := Index(v)
		if err != nil {
			return 0, TypeErrorf("slice indices must be integers or None or have an __index__ method")
		}
		return i, nil
	}
	if s.Step != nil {
		if step, err = get(s.Step); err != nil {
			return
		}
		if step == 0 {
			return 0, 0, 0, ValueErrorf("slice step cannot be zero")
		}
		if step == math.MinInt64 {
			step++
		}
	}
	lo, hi := int64(0), n
	if step < 0 {
		lo, hi = -1, n-1
	}
	clamp := func(v Value, def int64) (int64, error) {
		if v == nil {
			return def, nil
		}
		i, err := get(v)
		if err != nil {
			return 0, err
		}
		if i < 0 {
			i += n
			return max(i, lo), nil
		}
		return min(i, hi), nil
	}
	first, last := lo, hi
	if step < 0 {
		first, last = hi, lo
	}
	if start, err = clamp(s.Start, first); err != nil {
		return
	}
	stop, err = clamp(s.Stop, last)
	return
}

func sliceOf(b *Budget, obj Value, s Slice) (Value, bool, error) {
	n, err := Len(b, obj)
	if err != nil {
		return nil, false, nil
	}
	switch obj.(type) {
	case string, Markup, Bytes, *List, Tuple, *NamedTuple, *Range:
	default:
		return nil, false, nil
	}
	start, stop, step, err := s.resolve(int64(n))
	if err != nil {
		if IsClass(err, "TypeError") {
			return nil, false, nil
		}
		return nil, false, err
	}
	r := Range{start, stop, step}
	count := r.Len()
	switch x := obj.(type) {
	case string:
		t, err := sliceText(b, x, r, n)
		return t, true, err
	case Markup:
		t, err := sliceText(b, string(x), r, n)
		return Markup(t), true, err
	case Bytes:
		out := make([]byte, 0, count)
		for i := int64(0); i < count; i++ {
			out = append(out, x[r.At(i)])
		}
		return Bytes(out), true, b.Alloc(count)
	case *Range:
		return &Range{x.Start + start*x.Step, x.Start + stop*x.Step, x.Step * step}, true, nil
	}
	items, _ := IsSequence(obj)
	if err := b.AllocItems(count); err != nil {
		return nil, false, err
	}
	out := make([]Value, count)
	for i := range out {
		out[i] = items[r.At(int64(i))]
	}
	if _, ok := obj.(*List); ok {
		return &List{Items: out}, true, nil
	}
	return Tuple(out), true, nil
}

func sliceText(b *Budget, s string, r Range, n int) (string, error) {
	count := r.Len()
	if count == 0 {
		return "", nil
	}
	if n == len(s) {
		if r.Step == 1 {
			return s[r.Start : r.Start+count], nil
		}
		if err := b.Alloc(count); err != nil {
			return "", err
		}
		out := make([]byte, count)
		for i := range out {
			out[i] = s[r.At(int64(i))]
		}
		return string(out), nil
	}
	if err := b.Alloc(int64(4 * n)); err != nil {
		return "", err
	}
	runes := []rune(s)
	if r.Step == 1 {
		return string(runes[r.Start : r.Start+count]), nil
	}
	out := make([]rune, count)
	for i := range out {
		out[i] = runes[r.At(int64(i))]
	}
	return string(out), nil
}

// NewRange is range(start, stop, step); step must not be 0.
func NewRange(start, stop, step int64) (*Range, error) {
	if step == 0 {
		return nil, ValueErrorf("range() arg 3 must not be zero")
	}
	return &Range{start, stop, step}, nil
}
