package value

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"sort"
	"strings"
	"time"
)

// FromGo makes a Value of plain Go data: maps (their keys are sorted, because
// Go's have no order), slices, numbers, strings, booleans, json.Number,
// json.RawMessage and time.Time. Values pass through. Anything else becomes
// what its JSON says, so that no Go object is ever reachable from a template.
func FromGo(v any) Value {
	switch x := v.(type) {
	case nil:
		return nil
	case bool, int64, float64, string, Bytes, Markup, *List, Tuple, *NamedTuple, *Dict, *Set, *Range, *DictView,
		*Iterator, Date, DateTime, *Undefined, *Func, Object:
		return x
	case *big.Int:
		return BigInt(x)
	case int:
		return int64(x)
	case int8:
		return int64(x)
	case int16:
		return int64(x)
	case int32:
		return int64(x)
	case uint8:
		return int64(x)
	case uint16:
		return int64(x)
	case uint32:
		return int64(x)
	case uint:
		return BigInt(new(big.Int).SetUint64(uint64(x)))
	case uint64:
		return BigInt(new(big.Int).SetUint64(x))
	case float32:
		return float64(x)
	case json.Number:
		if r, err := FromJSON([]byte(x)); err == nil {
			return r
		}
		return string(x)
	case json.RawMessage:
		if r, err := FromJSON(x); err == nil {
			return r
		}
		return string(x)
	case time.Time:
		return DateTime{Time: x}
	case map[string]any:
		d := NewDictSize(len(x))
		for _, k := range sortedKeys(x) {
			d.Set(k, FromGo(x[k]))
		}
		return d
	case map[string]string:
		d := NewDictSize(len(x))
		for _, k := range sortedKeys(x) {
			d.Set(k, x[k])
		}
		return d
	case []any:
		l := &List{Items: make([]Value, len(x))}
		for i := range x {
			l.Items[i] = FromGo(x[i])
		}
		return l
	case []string:
		l := &List{Items: make([]Value, len(x))}
		for i := range x {
			l.Items[i] = x[i]
		}
		return l
	}
	return fromReflect(v)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func fromReflect(v any) Value {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Bool:
		return r.Bool()
	case reflect.String:
		return r.String()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Slice, reflect.Array:
		if _, ok := v.(json.Marshaler); !ok {
			l := &List{}
			for i := 0; i < r.Len(); i++ {
				l.Items = append(l.Items, FromGo(r.Index(i).Interface()))
			}
			return l
		}
	case reflect.Map:
		if _, ok := v.(json.Marshaler); !ok && r.Type().Key().Kind() == reflect.String {
			m := make(map[string]any, r.Len())
			for it := r.MapRange(); it.Next(); {
				m[it.Key().String()] = it.Value().Interface()
			}
			return FromGo(m)
		}
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("<%T>", v)
	}
	out, err := FromJSON(data)
	if err != nil {
		return string(data)
	}
	return out
}

// ToGo makes plain Go data of a Value: map[string]any, []any, string, bool,
// int64, *big.Int, float64, nil. Tuples and sets become slices, keys that are
// not strings are written as JSON writes them, dates as ISO text.
func ToGo(v Value) any {
	switch x := v.(type) {
	case Markup:
		return string(x)
	case Bytes:
		return string(x)
	case *Dict:
		m := make(map[string]any, x.Len())
		for k, val := range x.All() {
			m[KeyText(k)] = ToGo(val)
		}
		return m
	case *List, Tuple, *NamedTuple:
		s, _ := IsSequence(v)
		return toGoSlice(s)
	case *Set:
		return toGoSlice(x.Items())
	case *DictView:
		return toGoSlice(x.Items())
	case *Range, *Iterator:
		items, err := CopyItems(NewBudget(context.Background(), Limits{}), v)
		if err != nil {
			return Str(v)
		}
		return toGoSlice(items)
	case nil, bool, int64, *big.Int, float64, string:
		return x
	case Date:
		return x.ISO()
	case DateTime:
		return x.ISO()
	}
	return Str(v)
}

func toGoSlice(items []Value) []any {
	out := make([]any, len(items))
	for i := range items {
		out[i] = ToGo(items[i])
	}
	return out
}

// KeyText is a dict key as JSON writes it.
func KeyText(k Value) string {
	switch x := k.(type) {
	case string:
		return x
	case Markup:
		return string(x)
	case nil:
		return "null"
	case bool:
		if x {
			return "true"
		}
		return "false"
	}
	return Str(k)
}

// Copy is a deep copy of the containers in v; other values are shared.
func Copy(v Value) Value { return copyValue(v, map[any]Value{}) }

func copyValue(v Value, seen map[any]Value) Value {
	switch x := v.(type) {
	case *List:
		if c, ok := seen[x]; ok {
			return c
		}
		c := &List{Items: make([]Value, len(x.Items))}
		seen[x] = c
		for i, it := range x.Items {
			c.Items[i] = copyValue(it, seen)
		}
		return c
	case Tuple:
		return copyTuple(x, seen)
	case *NamedTuple:
		return &NamedTuple{x.Names, copyTuple(x.Items, seen)}
	case *Dict:
		if c, ok := seen[x]; ok {
			return c
		}
		c := x.Clone()
		seen[x] = c
		for i := range c.entries {
			c.entries[i].val = copyValue(c.entries[i].val, seen)
		}
		return c
	case *Set:
		return NewSet(x.Items()...)
	}
	return v
}

func copyTuple(t Tuple, seen map[any]Value) Tuple {
	c := make(Tuple, len(t))
	for i, it := range t {
		c[i] = copyValue(it, seen)
	}
	return c
}

// ParseInt is Python's int(s, base) for text.
func ParseInt(s string, base int) (Value, error) {
	bad := func() (Value, error) {
		return nil, ValueErrorf("invalid literal for int() with base %d: %s", base, quote(s))
	}
	if base != 0 && (base < 2 || base > 36) {
		return nil, ValueErrorf("int() base must be >= 2 and <= 36, or 0")
	}
	t := asciiDigits(TrimSpace(s))
	neg := false
	if t != "" && (t[0] == '+' || t[0] == '-') {
		neg = t[0] == '-'
		t = t[1:]
	}
	radix, prefixed := base, false
	if len(t) > 1 && t[0] == '0' {
		p := 0
		switch t[1] {
		case 'x', 'X':
			p = 16
		case 'o', 'O':
			p = 8
		case 'b', 'B':
			p = 2
		}
		if p != 0 && (base == p || base == 0) {
			radix, prefixed = p, true
			t = t[2:]
			t = strings.TrimPrefix(t, "_")
		}
	}
	if base == 0 && !prefixed {
		radix = 10
		if len(t) > 1 && t[0] == '0' && strings.Trim(t, "0_") != "" {
			return bad()
		}
	}
	if t == "" || t[0] == '_' || t[len(t)-1] == '_' || strings.Contains(t, "__") || t[0] == '+' || t[0] == '-' {
		return bad()
	}
	t = strings.ReplaceAll(t, "_", "")
	if radix&(radix-1) != 0 && len(t) > maxIntDigits {
		return nil, ValueErrorf("Exceeds the limit (%d digits) for integer string conversion: value has %d digits; use sys.set_int_max_str_digits() to increase the limit", maxIntDigits, len(t))
	}
	n, ok := new(big.Int).SetString(t, radix)
	if !ok {
		return bad()
	}
	if neg {
		n.Neg(n)
	}
	return BigInt(n), nil
}

// asciiDigits turns decimal digits of other scripts into 0-9.
func asciiDigits(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return strings.Map(func(r rune) rune {
				if d, ok := DecimalDigit(r); ok {
					return rune('0' + d)
				}
				return r
			}, s)
		}
	}
	return s
}

// ParseFloat is Python's float(s) for text.
func ParseFloat(s string) (float64, error) {
	t := asciiDigits(TrimSpace(s))
	if f, ok := parseFloatText(t); ok {
		return f, nil
	}
	return 0, ValueErrorf("could not convert string to float: %s", quote(s))
}

// ToFloat is Python's float(v).
func ToFloat(v Value) (float64, error) {
	switch x := v.(type) {
	case float64:
		return x, nil
	case int64:
		return float64(x), nil
	case bool:
		if x {
			return 1, nil
		}
		return 0, nil
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		if math.IsInf(f, 0) {
			return 0, Errorf("OverflowError", "int too large to convert to float")
		}
		return f, nil
	case string:
		return ParseFloat(x)
	case Markup:
		return ParseFloat(string(x))
	case *Undefined:
		return 0, x.Err()
	case Floater:
		return x.Float()
	}
	return 0, TypeErrorf("float() argument must be a string or a real number, not %s", quote(TypeName(v)))
}

// ToInt is Python's int(v).
func ToInt(v Value) (Value, error) {
	switch x := v.(type) {
	case int64, *big.Int:
		return x, nil
	case bool:
		n, _ := AsInt(x)
		return n, nil
	case float64:
		switch {
		case math.IsNaN(x):
			return nil, ValueErrorf("cannot convert float NaN to integer")
		case math.IsInf(x, 0):
			return nil, Errorf("OverflowError", "cannot convert float infinity to integer")
		}
		i, _ := big.NewFloat(x).Int(nil)
		return BigInt(i), nil
	case string:
		return ParseInt(x, 10)
	case Markup:
		return ParseInt(string(x), 10)
	case *Undefined:
		return nil, x.Err()
	case Floater:
		f, err := x.Float()
		if err != nil {
			return nil, err
		}
		return ToInt(f)
	}
	return nil, TypeErrorf("int() argument must be a string, a bytes-like object or a real number, not %s", quote(TypeName(v)))
}

func dateTime(d Date) time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }
