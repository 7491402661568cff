package value

import (
	"cmp"
	"math"
	"math/big"
	"strings"
)

// Equal is Python's x == y without a budget; undefined values are equal to
// undefined values only.
func Equal(x, y Value) bool {
	eq, _ := Eq(nil, x, y)
	return eq
}

// Eq is Python's x == y. Comparing with a strict undefined value is an error.
func Eq(b *Budget, x, y Value) (bool, error) {
	switch a := x.(type) {
	case string:
		switch c := y.(type) {
		case string:
			return a == c, nil
		case Markup:
			return a == string(c), nil
		}
	case int64:
		if c, ok := y.(int64); ok {
			return a == c, nil
		}
	case nil:
		if y == nil {
			return true, nil
		}
	}
	if u, ok := x.(*Undefined); ok {
		return eqUndefined(u, y)
	}
	if u, ok := y.(*Undefined); ok {
		return eqUndefined(u, x)
	}
	if c, ok := compareNumbers(x, y); ok {
		return c == 0, nil
	}
	if err := b.Step(1); err != nil {
		return false, err
	}
	switch a := x.(type) {
	case Markup:
		c, ok := AsString(y)
		return ok && c == string(a), nil
	case Bytes:
		c, ok := y.(Bytes)
		return ok && a == c, nil
	case *List:
		c, ok := y.(*List)
		if !ok {
			return false, nil
		}
		if a == c {
			return true, nil
		}
		return eqItems(b, a.Items, c.Items)
	case Tuple, *NamedTuple:
		s, _ := IsSequence(x)
		switch y.(type) {
		case Tuple, *NamedTuple:
			t, _ := IsSequence(y)
			return eqItems(b, s, t)
		}
		return false, nil
	case *Dict:
		c, ok := y.(*Dict)
		if !ok || a.Len() != c.Len() {
			return false, nil
		}
		if a == c {
			return true, nil
		}
		if err := b.Enter(); err != nil {
			return false, err
		}
		defer b.Leave()
		for k, v := range a.All() {
			w, ok := c.Get(k)
			if !ok {
				return false, nil
			}
			if eq, err := Eq(b, v, w); !eq || err != nil {
				return false, err
			}
		}
		return true, nil
	case *Set:
		c, ok := asSet(y)
		if !ok || a.Len() != c.Len() {
			return false, nil
		}
		for _, it := range a.Items() {
			if !c.Has(it) {
				return false, nil
			}
		}
		return true, nil
	case *DictView:
		if s, ok := asSet(x); ok {
			if c, ok := asSet(y); ok {
				return Eq(b, s, c)
			}
		}
		return x == y, nil
	case *Range:
		c, ok := y.(*Range)
		if !ok {
			return false, nil
		}
		n := a.Len()
		return n == c.Len() && (n == 0 || a.Start == c.Start && (n == 1 || a.Step == c.Step)), nil
	case Date:
		c, ok := y.(Date)
		return ok && a == c, nil
	case DateTime:
		c, ok := y.(DateTime)
		return ok && a.Naive == c.Naive && a.Time.Equal(c.Time), nil
	case nil, bool, int64, *big.Int, float64, string:
		return false, nil
	}
	return same(x, y), nil
}

// same is identity for the types that are left: pointers and objects.
func same(x, y Value) bool {
	switch y.(type) {
	case Tuple:
		return false
	}
	return x == y
}

// Same is Python's "x is y", as far as values can tell: None, booleans and
// small ints are themselves, containers are compared by identity.
func Same(x, y Value) bool {
	switch a := x.(type) {
	case Tuple:
		c, ok := y.(Tuple)
		return ok && len(a) == len(c) && (len(a) == 0 || &a[0] == &c[0])
	case float64:
		c, ok := y.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(c)
	case *big.Int:
		c, ok := y.(*big.Int)
		return ok && a.Cmp(c) == 0
	}
	return same(x, y)
}

func eqUndefined(u *Undefined, other Value) (bool, error) {
	if u.Strict {
		return false, u.Err()
	}
	_, ok := other.(*Undefined)
	return ok, nil
}

func eqItems(b *Budget, x, y []Value) (bool, error) {
	if len(x) != len(y) {
		return false, nil
	}
	if err := b.Enter(); err != nil {
		return false, err
	}
	defer b.Leave()
	for i := range x {
		if eq, err := Eq(b, x[i], y[i]); !eq || err != nil {
			return false, err
		}
	}
	return true, nil
}

// asSet gives a set, or a set-like view as a set.
func asSet(v Value) (*Set, bool) {
	switch x := v.(type) {
	case *Set:
		return x, true
	case *DictView:
		if x.kind == viewKeys {
			return NewSet(x.Items()...), true
		}
		if x.kind == viewItems {
			return NewSet(x.Items()...), true
		}
	}
	return nil, false
}

// compareNumbers compares two numbers exactly; ok is false when one is not a
// number. A comparison with NaN gives 2, which is neither below, equal nor above.
func compareNumbers(x, y Value) (c int, ok bool) {
	if i, iok := AsInt(x); iok {
		if j, jok := AsInt(y); jok {
			switch {
			case i < j:
				return -1, true
			case i > j:
				return 1, true
			}
			return 0, true
		}
	}
	a, aok := asNumber(x)
	if !aok {
		return 0, false
	}
	d, dok := asNumber(y)
	if !dok {
		return 0, false
	}
	if a.big == nil && d.big == nil {
		return cmpFloat(a.f, d.f), true
	}
	if a.big != nil && d.big != nil {
		return a.big.Cmp(d.big), true
	}
	if a.big == nil {
		return cmpFloatBig(a.f, d.big), true
	}
	r := cmpFloatBig(d.f, a.big)
	if r == 2 {
		return 2, true
	}
	return -r, true
}

func cmpFloat(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case x == y:
		return 0
	}
	return 2
}

func cmpFloatBig(f float64, i *big.Int) int {
	switch {
	case math.IsNaN(f):
		return 2
	case math.IsInf(f, 1):
		return 1
	case math.IsInf(f, -1):
		return -1
	}
	return new(big.Float).SetFloat64(f).Cmp(new(big.Float).SetInt(i))
}

// number is an int as big or a float.
type number struct {
	big *big.Int
	f   float64
}

func asNumber(v Value) (number, bool) {
	switch x := v.(type) {
	case int64:
		return number{big: big.NewInt(x)}, true
	case bool:
		if x {
			return number{big: big.NewInt(1)}, true
		}
		return number{big: new(big.Int)}, true
	case *big.Int:
		return number{big: x}, true
	case float64:
		return number{f: x}, true
	}
	return number{}, false
}

// Less is Python's x < y, with the error a sort reports.
func Less(b *Budget, x, y Value) (bool, error) { return Order(b, "<", x, y) }

// Compare orders x and y: -1, 0 or 1. Values that Python cannot order are a
// TypeError.
func Compare(x, y Value) (int, error) {
	lt, err := Order(nil, "<", x, y)
	if err != nil {
		return 0, err
	}
	if lt {
		return -1, nil
	}
	if gt, err := Order(nil, ">", x, y); err != nil || gt {
		return 1, err
	}
	return 0, nil
}

// Order is x op y for the operators <, <=, > and >=.
func Order(b *Budget, op string, x, y Value) (bool, error) {
	if u, ok := x.(*Undefined); ok {
		return false, u.Err()
	}
	if u, ok := y.(*Undefined); ok {
		return false, u.Err()
	}
	if c, ok := compareNumbers(x, y); ok {
		return opHolds(op, c), nil
	}
	if s, ok := AsString(x); ok {
		if t, ok := AsString(y); ok {
			// Bytes of UTF-8 stand in the order of code points.
			return opHolds(op, strings.Compare(s, t)), nil
		}
	}
	switch a := x.(type) {
	case Bytes:
		if c, ok := y.(Bytes); ok {
			return opHolds(op, strings.Compare(string(a), string(c))), nil
		}
	case *List:
		if c, ok := y.(*List); ok {
			return orderItems(b, op, a.Items, c.Items)
		}
	case Tuple, *NamedTuple:
		switch y.(type) {
		case Tuple, *NamedTuple:
			s, _ := IsSequence(x)
			t, _ := IsSequence(y)
			return orderItems(b, op, s, t)
		}
	case *Set, *DictView:
		s, ok := asSet(x)
		t, ok2 := asSet(y)
		if ok && ok2 {
			return orderSets(op, s, t), nil
		}
	case Date:
		if c, ok := y.(Date); ok {
			return opHolds(op, strings.Compare(dateText(a), dateText(c))), nil
		}
	case DateTime:
		if c, ok := y.(DateTime); ok {
			if a.Naive != c.Naive {
				return false, TypeErrorf("can't compare offset-naive and offset-aware datetimes")
			}
			return opHolds(op, a.Compare(c.Time)), nil
		}
	}
	return false, TypeErrorf("%s not supported between instances of %s and %s", quote(op), quote(TypeName(x)), quote(TypeName(y)))
}

func opHolds(op string, c int) bool {
	if c == 2 {
		return false
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func orderItems(b *Budget, op string, x, y []Value) (bool, error) {
	if err := b.Enter(); err != nil {
		return false, err
	}
	defer b.Leave()
	for i := 0; i < len(x) && i < len(y); i++ {
		eq, err := Eq(b, x[i], y[i])
		if err != nil {
			return false, err
		}
		if !eq {
			return Order(b, op, x[i], y[i])
		}
	}
	return opHolds(op, cmp.Compare(len(x), len(y))), nil
}

func orderSets(op string, x, y *Set) bool {
	if op == ">" || op == ">=" {
		x, y = y, x
	}
	for _, it := range x.Items() {
		if !y.Has(it) {
			return false
		}
	}
	return op == "<=" || op == ">=" || x.Len() < y.Len()
}

// Contains is Python's "item in container".
func Contains(b *Budget, item, container Value) (bool, error) {
	switch c := container.(type) {
	case string:
		return containsText(item, c)
	case Markup:
		return containsText(item, string(c))
	case *Dict:
		if err := CheckHashable(item); err != nil {
			return false, err
		}
		return c.Has(item), nil
	case *Set:
		if err := CheckHashable(item); err != nil {
			return false, err
		}
		return c.Has(item), nil
	case *DictView:
		if c.kind == viewKeys {
			if err := CheckHashable(item); err != nil {
				return false, err
			}
			return c.dict.Has(item), nil
		}
	case *Range:
		n, ok := AsInt(item)
		if !ok {
			if f, isF := item.(float64); isF && f == math.Trunc(f) && math.Abs(f) < 1<<62 {
				n, ok = int64(f), true
			}
		}
		if ok {
			if c.Step > 0 {
				return n >= c.Start && n < c.Stop && (n-c.Start)%c.Step == 0, nil
			}
			return n <= c.Start && n > c.Stop && (c.Start-n)%-c.Step == 0, nil
		}
		return false, nil
	case Bytes:
		if s, ok := item.(Bytes); ok {
			return strings.Contains(string(c), string(s)), nil
		}
		if n, ok := AsInt(item); ok {
			if n < 0 || n > 255 {
				return false, ValueErrorf("byte must be in range(0, 256)")
			}
			return strings.IndexByte(string(c), byte(n)) >= 0, nil
		}
		return false, TypeErrorf("a bytes-like object is required, not %s", quote(TypeName(item)))
	case *Undefined:
		if c.Strict {
			return false, c.Err()
		}
		return false, nil
	}
	if k, ok := container.(interface {
		Contains(b *Budget, item Value) (bool, error)
	}); ok {
		return k.Contains(b, item)
	}
	it, err := Iter(b, container)
	if err != nil {
		if IsClass(err, "TypeError") {
			return false, TypeErrorf("argument of type %s is not iterable", quote(TypeName(container)))
		}
		return false, err
	}
	for {
		v, ok, err := it.Next()
		if !ok || err != nil {
			return false, err
		}
		if Same(v, item) {
			return true, nil
		}
		eq, err := Eq(b, v, item)
		if eq || err != nil {
			return eq, err
		}
		if err := b.Step(1); err != nil {
			return false, err
		}
	}
}

func containsText(item Value, s string) (bool, error) {
	sub, ok := AsString(item)
	if !ok {
		return false, TypeErrorf("'in <string>' requires string as left operand, not %s", TypeName(item))
	}
	return strings.Contains(s, sub), nil
}
