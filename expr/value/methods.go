package value

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"
)

// Method is the body of a method of a built-in type. Only what is listed in
// the tables of this package can be called on a value.
type Method func(c *Call, self Value) (Value, error)

// FindMethod gives a method of a built-in value, or nil.
func FindMethod(obj Value, name string) Method {
	switch obj.(type) {
	case string:
		return strMethods[name]
	case *Dict:
		return dictMethods[name]
	case *List:
		return listMethods[name]
	case Tuple, *NamedTuple, *Range:
		return tupleMethods[name]
	case int64, *big.Int, bool:
		return intMethods[name]
	case float64:
		return floatMethods[name]
	case *Set:
		return setMethods[name]
	case Bytes:
		return bytesMethods[name]
	case Markup:
		if m := markupMethods[name]; m != nil {
			return m
		}
		if m := strMethods[name]; m != nil {
			return markupMethod(m)
		}
	case Date:
		return dateMethods[name]
	case DateTime:
		if m := dateTimeMethods[name]; m != nil {
			return m
		}
		return dateMethods[name]
	}
	return nil
}

// Attr is getattr(obj, name) as far as values have attributes: methods, the
// few data attributes of numbers, ranges, dates and named tuples, and what an
// Object answers. It never finds a name that begins with two underscores.
func Attr(b *Budget, obj Value, name string) (v Value, ok bool, err error) {
	switch x := obj.(type) {
	case *Dict, *List, string:
	case Object:
		return x.Attr(b, name)
	case *Undefined:
		if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") {
			return nil, false, nil
		}
		return nil, false, x.Err()
	default:
		if v, ok := dataAttr(obj, name); ok {
			return v, true, nil
		}
	}
	if m := FindMethod(obj, name); m != nil {
		return &Func{Name: name, Of: TypeName(obj), Fn: func(c *Call) (Value, error) { return m(c, obj) }}, true, nil
	}
	return nil, false, nil
}

func dataAttr(obj Value, name string) (Value, bool) {
	switch x := obj.(type) {
	case int64, *big.Int, bool:
		switch name {
		case "real", "numerator":
			i, _ := ToInt(x)
			return i, true
		case "imag":
			return int64(0), true
		case "denominator":
			return int64(1), true
		}
	case float64:
		switch name {
		case "real":
			return x, true
		case "imag":
			return 0.0, true
		}
	case *NamedTuple:
		for i, n := range x.Names {
			if n == name {
				return x.Items[i], true
			}
		}
	case *Range:
		switch name {
		case "start":
			return x.Start, true
		case "stop":
			return x.Stop, true
		case "step":
			return x.Step, true
		}
	case Date:
		switch name {
		case "year":
			return int64(x.Year), true
		case "month":
			return int64(x.Month), true
		case "day":
			return int64(x.Day), true
		}
	case DateTime:
		switch name {
		case "year":
			return int64(x.Year()), true
		case "month":
			return int64(x.Month()), true
		case "day":
			return int64(x.Day()), true
		case "hour":
			return int64(x.Hour()), true
		case "minute":
			return int64(x.Minute()), true
		case "second":
			return int64(x.Second()), true
		case "microsecond":
			return int64(x.Nanosecond() / 1000), true
		}
	}
	return nil, false
}

// noArgs is the check of methods that take nothing.
func noArgs(c *Call, name string) error {
	if len(c.Kwargs) > 0 {
		return TypeErrorf("%s() takes no keyword arguments", name)
	}
	if len(c.Args) > 0 {
		return TypeErrorf("%s() takes no arguments (%d given)", name, len(c.Args))
	}
	return nil
}

// posArgs checks positional-only arguments and fills up with nil.
func posArgs(c *Call, name string, min, max int) ([]Value, error) {
	if len(c.Kwargs) > 0 {
		return nil, TypeErrorf("%s() takes no keyword arguments", name)
	}
	n := len(c.Args)
	if min == max && n != min {
		if min == 1 {
			return nil, TypeErrorf("%s() takes exactly one argument (%d given)", name, n)
		}
		return nil, TypeErrorf("%s expected %d arguments, got %d", name, min, n)
	}
	plural := func(k int) string {
		if k == 1 {
			return ""
		}
		return "s"
	}
	if n < min {
		return nil, TypeErrorf("%s expected at least %d argument%s, got %d", name, min, plural(min), n)
	}
	if n > max {
		return nil, TypeErrorf("%s expected at most %d argument%s, got %d", name, max, plural(max), n)
	}
	out := make([]Value, max)
	copy(out, c.Args)
	return out, nil
}

// needStr is a text argument.
func needStr(v Value, name string, pos int) (string, error) {
	if s, ok := AsString(v); ok {
		return s, nil
	}
	if u, ok := v.(*Undefined); ok && u.Strict {
		return "", TypeErrorf("%s() argument %d must be str, not %s", name, pos, TypeName(v))
	}
	if pos == 0 {
		return "", TypeErrorf("must be str, not %s", TypeName(v))
	}
	return "", TypeErrorf("%s() argument %d must be str, not %s", name, pos, TypeName(v))
}

// --- list, tuple, range ---

var listMethods = map[string]Method{
	"append": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "list.append", 1, 1)
		if err != nil {
			return nil, err
		}
		self.(*List).Append(a[0])
		return nil, c.Budget.AllocItems(1)
	},
	"clear": func(c *Call, self Value) (Value, error) {
		self.(*List).Items = nil
		return nil, noArgs(c, "list.clear")
	},
	"copy": func(c *Call, self Value) (Value, error) {
		items, err := CopyItems(c.Budget, self)
		if err == nil {
			err = noArgs(c, "list.copy")
		}
		return &List{Items: items}, err
	},
	"count": countMethod,
	"extend": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "list.extend", 1, 1)
		if err != nil {
			return nil, err
		}
		items, err := CopyItems(c.Budget, a[0])
		if err != nil {
			return nil, err
		}
		self.(*List).Append(items...)
		return nil, nil
	},
	"index": indexMethod,
	"insert": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "insert", 2, 2)
		if err != nil {
			return nil, err
		}
		l := self.(*List)
		i, err := Index(a[0])
		if err != nil {
			return nil, err
		}
		if i < 0 {
			i = max(i+int64(len(l.Items)), 0)
		}
		i = min(i, int64(len(l.Items)))
		l.Items = append(l.Items, nil)
		copy(l.Items[i+1:], l.Items[i:])
		l.Items[i] = a[1]
		return nil, c.Budget.AllocItems(1)
	},
	"pop": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "pop", 0, 1)
		if err != nil {
			return nil, err
		}
		l := self.(*List)
		i := int64(-1)
		if len(c.Args) > 0 {
			if i, err = Index(a[0]); err != nil {
				return nil, err
			}
		}
		if len(l.Items) == 0 {
			return nil, Errorf("IndexError", "pop from empty list")
		}
		if i < 0 {
			i += int64(len(l.Items))
		}
		if i < 0 || i >= int64(len(l.Items)) {
			return nil, Errorf("IndexError", "pop index out of range")
		}
		v := l.Items[i]
		l.Items = append(l.Items[:i], l.Items[i+1:]...)
		return v, nil
	},
	"remove": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "list.remove", 1, 1)
		if err != nil {
			return nil, err
		}
		l := self.(*List)
		for i, it := range l.Items {
			eq, err := Eq(c.Budget, it, a[0])
			if err != nil {
				return nil, err
			}
			if eq {
				l.Items = append(l.Items[:i], l.Items[i+1:]...)
				return nil, nil
			}
		}
		return nil, ValueErrorf("list.remove(x): x not in list")
	},
	"reverse": func(c *Call, self Value) (Value, error) {
		items := self.(*List).Items
		for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
			items[i], items[j] = items[j], items[i]
		}
		return nil, noArgs(c, "list.reverse")
	},
	"sort": func(c *Call, self Value) (Value, error) {
		if len(c.Args) > 0 {
			return nil, TypeErrorf("sort() takes no positional arguments")
		}
		a, err := c.Bind("sort", Opt("key", nil), Opt("reverse", false))
		if err != nil {
			return nil, err
		}
		l := self.(*List)
		keys := l.Items
		if a[0] != nil {
			keys = make([]Value, len(l.Items))
			for i, it := range l.Items {
				if keys[i], err = CallValue(c, a[0], it); err != nil {
					return nil, err
				}
			}
		}
		rev, err := Truth(c.Budget, a[1])
		if err != nil {
			return nil, err
		}
		return nil, SortValues(c.Budget, l.Items, keys, rev)
	},
}

// CallValue calls a callable value with positional arguments, in the budget
// and scope of the call c.
func CallValue(c *Call, fn Value, args ...Value) (Value, error) {
	f, ok := fn.(Callable)
	if !ok {
		if u, isU := fn.(*Undefined); isU {
			return nil, u.Err()
		}
		return nil, TypeErrorf("%s object is not callable", quote(TypeName(fn)))
	}
	if err := c.Budget.Enter(); err != nil {
		return nil, err
	}
	defer c.Budget.Leave()
	return f.Call(&Call{Budget: c.Budget, Args: args, Scope: c.Scope})
}

var tupleMethods = map[string]Method{
	"count": countMethod,
	"index": indexMethod,
}

func countMethod(c *Call, self Value) (Value, error) {
	a, err := posArgs(c, TypeName(self)+".count", 1, 1)
	if err != nil {
		return nil, err
	}
	items, err := Items(c.Budget, self)
	if err != nil {
		return nil, err
	}
	n := int64(0)
	for _, it := range items {
		eq, err := Eq(c.Budget, it, a[0])
		if err != nil {
			return nil, err
		}
		if eq {
			n++
		}
	}
	return n, nil
}

func indexMethod(c *Call, self Value) (Value, error) {
	a, err := posArgs(c, "index", 1, 3)
	if err != nil {
		return nil, err
	}
	items, err := Items(c.Budget, self)
	if err != nil {
		return nil, err
	}
	s := Slice{Start: a[1], Stop: a[2]}
	start, stop, _, err := s.resolve(int64(len(items)))
	if err != nil {
		return nil, err
	}
	for i := start; i < stop; i++ {
		eq, err := Eq(c.Budget, items[i], a[0])
		if err != nil {
			return nil, err
		}
		if eq {
			return i, nil
		}
	}
	if _, ok := self.(*List); ok {
		r, err := ToRepr(c.Budget, a[0])
		if err != nil {
			return nil, err
		}
		return nil, ValueErrorf("%s is not in list", r)
	}
	return nil, ValueErrorf("%s.index(x): x not in %s", TypeName(self), TypeName(self))
}

// --- dict ---

// UpdateDict is dict.update(source): a mapping or an iterable of pairs.
func UpdateDict(b *Budget, d *Dict, source Value) error {
	if src, ok := source.(*Dict); ok {
		if err := b.AllocItems(int64(2 * src.Len())); err != nil {
			return err
		}
		if src != d {
			d.Update(src)
		}
		return nil
	}
	it, err := Iter(b, source)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		pair, ok, err := it.Next()
		if err != nil || !ok {
			return err
		}
		if !IsIterable(pair) {
			return TypeErrorf("cannot convert dictionary update sequence element #%d to a sequence", i)
		}
		kv, err := Items(b, pair)
		if err != nil {
			return err
		}
		if len(kv) != 2 {
			return ValueErrorf("dictionary update sequence element #%d has length %d; 2 is required", i, len(kv))
		}
		if err := CheckHashable(kv[0]); err != nil {
			return err
		}
		if err := b.AllocItems(2); err != nil {
			return err
		}
		d.Set(kv[0], kv[1])
	}
}

var dictMethods = map[string]Method{
	"clear": func(c *Call, self Value) (Value, error) {
		if err := noArgs(c, "dict.clear"); err != nil {
			return nil, err
		}
		self.(*Dict).Clear()
		return nil, nil
	},
	"copy": func(c *Call, self Value) (Value, error) {
		d := self.(*Dict)
		if err := c.Budget.AllocItems(int64(2 * d.Len())); err != nil {
			return nil, err
		}
		return d.Clone(), noArgs(c, "dict.copy")
	},
	"fromkeys": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "fromkeys", 1, 2)
		if err != nil {
			return nil, err
		}
		items, err := Items(c.Budget, a[0])
		if err != nil {
			return nil, err
		}
		d := NewDict()
		for _, k := range items {
			if err := CheckHashable(k); err != nil {
				return nil, err
			}
			d.Set(k, a[1])
		}
		return d, c.Budget.AllocItems(int64(2 * d.Len()))
	},
	"get": func(c *Call, self Value) (Value, error) {
		if len(c.Args) < 1 || len(c.Args) > 2 || len(c.Kwargs) > 0 {
			_, err := posArgs(c, "get", 1, 2)
			return nil, err
		}
		if v, ok := self.(*Dict).Get(c.Args[0]); ok {
			return v, nil
		}
		if err := CheckHashable(c.Args[0]); err != nil {
			return nil, err
		}
		if len(c.Args) == 2 {
			return c.Args[1], nil
		}
		return nil, nil
	},
	"items": func(c *Call, self Value) (Value, error) {
		return self.(*Dict).ItemsView(), noArgs(c, "dict.items")
	},
	"keys": func(c *Call, self Value) (Value, error) {
		return self.(*Dict).KeysView(), noArgs(c, "dict.keys")
	},
	"values": func(c *Call, self Value) (Value, error) {
		return self.(*Dict).ValuesView(), noArgs(c, "dict.values")
	},
	"pop": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "pop", 1, 2)
		if err != nil {
			return nil, err
		}
		if err := CheckHashable(a[0]); err != nil {
			return nil, err
		}
		d := self.(*Dict)
		if v, ok := d.Get(a[0]); ok {
			d.Delete(a[0])
			return v, nil
		}
		if len(c.Args) == 2 {
			return a[1], nil
		}
		return nil, keyError(a[0])
	},
	"popitem": func(c *Call, self Value) (Value, error) {
		d := self.(*Dict)
		if err := noArgs(c, "dict.popitem"); err != nil {
			return nil, err
		}
		keys := d.Keys()
		if len(keys) == 0 {
			return nil, Errorf("KeyError", "'popitem(): dictionary is empty'")
		}
		k := keys[len(keys)-1]
		v, _ := d.Get(k)
		d.Delete(k)
		return Tuple{k, v}, nil
	},
	"setdefault": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "setdefault", 1, 2)
		if err != nil {
			return nil, err
		}
		if err := CheckHashable(a[0]); err != nil {
			return nil, err
		}
		d := self.(*Dict)
		if v, ok := d.Get(a[0]); ok {
			return v, nil
		}
		d.Set(a[0], a[1])
		return a[1], c.Budget.AllocItems(2)
	},
	"update": func(c *Call, self Value) (Value, error) {
		d := self.(*Dict)
		if len(c.Args) > 1 {
			return nil, TypeErrorf("update expected at most 1 argument, got %d", len(c.Args))
		}
		if len(c.Args) == 1 {
			if err := UpdateDict(c.Budget, d, c.Args[0]); err != nil {
				return nil, err
			}
		}
		for _, k := range c.Kwargs {
			d.Set(k.Name, k.Value)
		}
		return nil, c.Budget.AllocItems(int64(2 * len(c.Kwargs)))
	},
}

func keyError(k Value) error { return Errorf("KeyError", "%s", Repr(k)) }

// --- set ---

func setArg(c *Call, v Value) (*Set, error) {
	if s, ok := v.(*Set); ok {
		return s, nil
	}
	items, err := Items(c.Budget, v)
	if err != nil {
		return nil, err
	}
	s := NewSet()
	for _, it := range items {
		if err := CheckHashable(it); err != nil {
			return nil, err
		}
		s.Add(it)
	}
	return s, c.Budget.AllocItems(int64(s.Len()))
}

func setOp(op func(x, y *Set) *Set) Method {
	return func(c *Call, self Value) (Value, error) {
		out := NewSet(self.(*Set).Items()...)
		for _, a := range c.Args {
			s, err := setArg(c, a)
			if err != nil {
				return nil, err
			}
			out = op(out, s)
		}
		return out, c.Budget.AllocItems(int64(out.Len()))
	}
}

func setUnion(x, y *Set) *Set { return NewSet(append(x.Items(), y.Items()...)...) }

func setIntersection(x, y *Set) *Set {
	out := NewSet()
	for _, it := range x.Items() {
		if y.Has(it) {
			out.Add(it)
		}
	}
	return out
}

func setSymmetric(x, y *Set) *Set { return setUnion(setDifference(x, y), setDifference(y, x)) }

func setCompare(op string) Method {
	return func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "set", 1, 1)
		if err != nil {
			return nil, err
		}
		s, err := setArg(c, a[0])
		if err != nil {
			return nil, err
		}
		if op == "" {
			return setIntersection(self.(*Set), s).Len() == 0, nil
		}
		return orderSets(op, self.(*Set), s), nil
	}
}

var setMethods = map[string]Method{
	"add": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "set.add", 1, 1)
		if err != nil {
			return nil, err
		}
		if err := CheckHashable(a[0]); err != nil {
			return nil, err
		}
		self.(*Set).Add(a[0])
		return nil, c.Budget.AllocItems(1)
	},
	"clear": func(c *Call, self Value) (Value, error) {
		self.(*Set).d.Clear()
		return nil, noArgs(c, "set.clear")
	},
	"copy":                 func(c *Call, self Value) (Value, error) { return NewSet(self.(*Set).Items()...), noArgs(c, "set.copy") },
	"difference":           setOp(setDifference),
	"intersection":         setOp(setIntersection),
	"union":                setOp(setUnion),
	"symmetric_difference": setOp(setSymmetric),
	"issubset":             setCompare("<="),
	"issuperset":           setCompare(">="),
	"isdisjoint":           setCompare(""),
	"discard": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "set.discard", 1, 1)
		if err != nil {
			return nil, err
		}
		self.(*Set).Delete(a[0])
		return nil, nil
	},
	"remove": func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "set.remove", 1, 1)
		if err != nil {
			return nil, err
		}
		if !self.(*Set).Delete(a[0]) {
			return nil, keyError(a[0])
		}
		return nil, nil
	},
	"pop": func(c *Call, self Value) (Value, error) {
		s := self.(*Set)
		if s.Len() == 0 {
			return nil, Errorf("KeyError", "'pop from an empty set'")
		}
		v := s.Items()[0]
		s.Delete(v)
		return v, noArgs(c, "set.pop")
	},
	"update": func(c *Call, self Value) (Value, error) {
		for _, a := range c.Args {
			s, err := setArg(c, a)
			if err != nil {
				return nil, err
			}
			for _, it := range s.Items() {
				self.(*Set).Add(it)
			}
		}
		return nil, nil
	},
}

// --- numbers ---

var intMethods = map[string]Method{
	"bit_length": func(c *Call, self Value) (Value, error) {
		n, _ := asNumber(self)
		return int64(n.big.BitLen()), noArgs(c, "int.bit_length")
	},
	"bit_count": func(c *Call, self Value) (Value, error) {
		n, _ := asNumber(self)
		count := int64(0)
		for i := 0; i < n.big.BitLen(); i++ {
			count += int64(new(big.Int).Abs(n.big).Bit(i))
		}
		return count, noArgs(c, "int.bit_count")
	},
	"conjugate": func(c *Call, self Value) (Value, error) {
		v, _ := ToInt(self)
		return v, noArgs(c, "int.conjugate")
	},
	"as_integer_ratio": func(c *Call, self Value) (Value, error) {
		v, _ := ToInt(self)
		return Tuple{v, int64(1)}, noArgs(c, "int.as_integer_ratio")
	},
}

var floatMethods = map[string]Method{
	"is_integer": func(c *Call, self Value) (Value, error) {
		f := self.(float64)
		return f == math.Trunc(f) && !math.IsInf(f, 0), noArgs(c, "float.is_integer")
	},
	"conjugate": func(c *Call, self Value) (Value, error) { return self, noArgs(c, "float.conjugate") },
	"as_integer_ratio": func(c *Call, self Value) (Value, error) {
		f := self.(float64)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, ValueErrorf("cannot convert %s to integer ratio", Repr(f))
		}
		r := new(big.Rat).SetFloat64(f)
		return Tuple{BigInt(new(big.Int).Set(r.Num())), BigInt(new(big.Int).Set(r.Denom()))}, noArgs(c, "float.as_integer_ratio")
	},
	"hex": func(c *Call, self Value) (Value, error) {
		f := self.(float64)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return Repr(f), nil
		}
		if f == 0 {
			if math.Signbit(f) {
				return "-0x0.0p+0", nil
			}
			return "0x0.0p+0", nil
		}
		bits := math.Float64bits(f)
		exp := int(bits>>52&0x7ff) - 1023
		lead := 1
		if exp == -1023 {
			exp, lead = -1022, 0
		}
		sign := ""
		if f < 0 {
			sign = "-"
		}
		return fmt.Sprintf("%s0x%d.%013xp%+d", sign, lead, bits&(1<<52-1), exp), noArgs(c, "float.hex")
	},
}

// --- bytes ---

var bytesMethods = map[string]Method{
	"decode": func(c *Call, self Value) (Value, error) {
		a, err := c.Bind("decode", Opt("encoding", "utf-8"), Opt("errors", "strict"))
		if err != nil {
			return nil, err
		}
		s := string(self.(Bytes))
		enc, _ := AsString(a[0])
		errs, _ := AsString(a[1])
		switch strings.ReplaceAll(strings.ToLower(enc), "_", "-") {
		case "utf-8", "utf8":
			if utf8.ValidString(s) {
				return s, nil
			}
			switch errs {
			case "replace":
				return strings.ToValidUTF8(s, "\ufffd"), nil
			case "ignore":
				return strings.ToValidUTF8(s, ""), nil
			}
			for i := 0; i < len(s); {
				r, n := utf8.DecodeRuneInString(s[i:])
				if r == utf8.RuneError && n == 1 {
					return nil, Errorf("UnicodeDecodeError", "'utf-8' codec can't decode byte 0x%02x in position %d: invalid start byte", s[i], i)
				}
				i += n
			}
		case "ascii":
			for i := 0; i < len(s); i++ {
				if s[i] >= 0x80 {
					return nil, Errorf("UnicodeDecodeError", "'ascii' codec can't decode byte 0x%02x in position %d: ordinal not in range(128)", s[i], i)
				}
			}
			return s, nil
		case "latin-1", "iso-8859-1", "latin1":
			var sb strings.Builder
			for i := 0; i < len(s); i++ {
				sb.WriteRune(rune(s[i]))
			}
			return sb.String(), c.Budget.Alloc(int64(sb.Len()))
		}
		return nil, Errorf("LookupError", "unknown encoding: %s", enc)
	},
	"hex": func(c *Call, self Value) (Value, error) {
		return fmt.Sprintf("%x", string(self.(Bytes))), c.Budget.Alloc(int64(2 * len(self.(Bytes))))
	},
}

// --- dates ---

func asTime(v Value) DateTime {
	switch x := v.(type) {
	case DateTime:
		return x
	case Date:
		return DateTime{dateTime(x), true}
	}
	return DateTime{}
}

var dateMethods = map[string]Method{
	"isoformat": func(c *Call, self Value) (Value, error) {
		if d, ok := self.(Date); ok {
			return d.ISO(), noArgs(c, "isoformat")
		}
		return asTime(self).ISO(), nil
	},
	"strftime": func(c *Call, self Value) (Value, error) {
		a, err := c.Bind("strftime", Req("format"))
		if err != nil {
			return nil, err
		}
		f, err := needStr(a[0], "strftime", 1)
		if err != nil {
			return nil, err
		}
		return Strftime(self, f)
	},
	"weekday": func(c *Call, self Value) (Value, error) {
		return int64((asTime(self).Weekday() + 6) % 7), noArgs(c, "weekday")
	},
	"isoweekday": func(c *Call, self Value) (Value, error) {
		return int64((asTime(self).Weekday()+6)%7) + 1, noArgs(c, "isoweekday")
	},
	"toordinal": func(c *Call, self Value) (Value, error) {
		t := asTime(self)
		days := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86400
		return days + 719163, noArgs(c, "toordinal")
	},
}

var dateTimeMethods = map[string]Method{
	"date": func(c *Call, self Value) (Value, error) { return NewDate(self.(DateTime).Time), noArgs(c, "date") },
	"timestamp": func(c *Call, self Value) (Value, error) {
		return float64(self.(DateTime).UnixMicro()) / 1e6, noArgs(c, "timestamp")
	},
}
