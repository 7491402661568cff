package value

import (
	"math"
	"math/big"
	"strings"
)

// maxBits bounds the size of an int that arithmetic may build; it is far above
// what Python would print.
const (
	maxBits     = 1 << 18
	maxBitsText = "262144"
)

func unsupported(op string, x, y Value) error {
	if u, ok := x.(*Undefined); ok {
		return u.Err()
	}
	if u, ok := y.(*Undefined); ok {
		return u.Err()
	}
	return TypeErrorf("unsupported operand type(s) for %s: %s and %s", op, quote(TypeName(x)), quote(TypeName(y)))
}

// numbers brings two numbers to a common kind: both int64, both big, or both float.
type operands struct {
	kind   int // 0 none, 1 int64, 2 big, 3 float
	i, j   int64
	bi, bj *big.Int
	f, g   float64
}

func numericOperands(x, y Value) (operands, error) {
	if i, ok := AsInt(x); ok {
		if j, ok := AsInt(y); ok {
			return operands{kind: 1, i: i, j: j}, nil
		}
	}
	a, ok := asNumber(x)
	if !ok {
		return operands{}, nil
	}
	c, ok := asNumber(y)
	if !ok {
		return operands{}, nil
	}
	if a.big != nil && c.big != nil {
		return operands{kind: 2, bi: a.big, bj: c.big}, nil
	}
	f, err := ToFloat(x)
	if err != nil {
		return operands{}, err
	}
	g, err := ToFloat(y)
	return operands{kind: 3, f: f, g: g}, err
}

func (o *operands) bigs() (*big.Int, *big.Int) {
	if o.kind == 1 {
		return big.NewInt(o.i), big.NewInt(o.j)
	}
	return o.bi, o.bj
}

func bigResult(b *Budget, i *big.Int) (Value, error) {
	if i.BitLen() > maxBits {
		return nil, &LimitError{Limit: "bits of an integer", Max: maxBitsText}
	}
	return BigInt(i), b.Alloc(int64(i.BitLen() / 8))
}

// Add is x + y.
func Add(b *Budget, x, y Value) (Value, error) {
	if err := b.Step(1); err != nil {
		return nil, err
	}
	o, err := numericOperands(x, y)
	if err != nil {
		return nil, err
	}
	switch o.kind {
	case 1:
		if s := o.i + o.j; (s > o.i) == (o.j > 0) {
			return s, nil
		}
		fallthrough
	case 2:
		i, j := o.bigs()
		return bigResult(b, new(big.Int).Add(i, j))
	case 3:
		return o.f + o.g, nil
	}
	if u, ok := y.(*Undefined); ok {
		return nil, u.Err()
	}
	switch a := x.(type) {
	case string:
		switch c := y.(type) {
		case string:
			if err := b.Alloc(int64(len(a) + len(c))); err != nil {
				return nil, err
			}
			return a + c, nil
		case Markup:
			return Markup(EscapeHTML(a)) + c, b.Alloc(int64(2*len(a) + len(c)))
		}
		return nil, TypeErrorf(`can only concatenate str (not "%s") to str`, TypeName(y))
	case Markup:
		switch c := y.(type) {
		case string:
			return a + Markup(EscapeHTML(c)), b.Alloc(int64(2*len(c) + len(a)))
		case Markup:
			return a + c, b.Alloc(int64(len(a) + len(c)))
		}
	case Bytes:
		if c, ok := y.(Bytes); ok {
			return a + c, b.Alloc(int64(len(a) + len(c)))
		}
		return nil, TypeErrorf("can't concat %s to bytes", TypeName(y))
	case *List:
		c, ok := y.(*List)
		if !ok {
			return nil, TypeErrorf(`can only concatenate list (not "%s") to list`, TypeName(y))
		}
		items, err := concat(b, a.Items, c.Items)
		return &List{Items: items}, err
	case Tuple, *NamedTuple:
		s, _ := IsSequence(x)
		switch y.(type) {
		case Tuple, *NamedTuple:
			t, _ := IsSequence(y)
			items, err := concat(b, s, t)
			return Tuple(items), err
		}
		return nil, TypeErrorf(`can only concatenate tuple (not "%s") to tuple`, TypeName(y))
	}
	return nil, unsupported("+", x, y)
}

func concat(b *Budget, x, y []Value) ([]Value, error) {
	if err := b.AllocItems(int64(len(x) + len(y))); err != nil {
		return nil, err
	}
	out := make([]Value, 0, len(x)+len(y))
	return append(append(out, x...), y...), nil
}

// Sub is x - y.
func Sub(b *Budget, x, y Value) (Value, error) {
	if err := b.Step(1); err != nil {
		return nil, err
	}
	o, err := numericOperands(x, y)
	if err != nil {
		return nil, err
	}
	switch o.kind {
	case 1:
		if s := o.i - o.j; (s < o.i) == (o.j > 0) {
			return s, nil
		}
		fallthrough
	case 2:
		i, j := o.bigs()
		return bigResult(b, new(big.Int).Sub(i, j))
	case 3:
		return o.f - o.g, nil
	}
	if s, t, ok := bothSets(x, y); ok {
		return setDifference(s, t), nil
	}
	if _, isView := x.(*DictView); isView && IsIterable(y) {
		if s, ok := asSet(x); ok {
			items, err := Items(b, y)
			if err != nil {
				return nil, err
			}
			t := NewSet()
			for _, it := range items {
				if err := CheckHashable(it); err != nil {
					return nil, err
				}
				t.Add(it)
			}
			return setDifference(s, t), nil
		}
	}
	return nil, unsupported("-", x, y)
}

func bothSets(x, y Value) (*Set, *Set, bool) {
	s, ok := asSet(x)
	if !ok {
		return nil, nil, false
	}
	t, ok := asSet(y)
	return s, t, ok
}

func setDifference(s, t *Set) *Set {
	out := NewSet()
	for _, it := range s.Items() {
		if !t.Has(it) {
			out.Add(it)
		}
	}
	return out
}

// Mul is x * y, repetition included.
func Mul(b *Budget, x, y Value) (Value, error) {
	if err := b.Step(1); err != nil {
		return nil, err
	}
	o, err := numericOperands(x, y)
	if err != nil {
		return nil, err
	}
	switch o.kind {
	case 1:
		if o.i == 0 || o.j == 0 {
			return int64(0), nil
		}
		if p := o.i * o.j; p/o.j == o.i && !(o.i == -1 && o.j == math.MinInt64) && !(o.j == -1 && o.i == math.MinInt64) {
			return p, nil
		}
		fallthrough
	case 2:
		i, j := o.bigs()
		if i.BitLen()+j.BitLen() > maxBits+1 {
			return nil, &LimitError{Limit: "bits of an integer", Max: maxBitsText}
		}
		return bigResult(b, new(big.Int).Mul(i, j))
	case 3:
		return o.f * o.g, nil
	}
	if u, ok := x.(*Undefined); ok {
		return nil, u.Err()
	}
	if u, ok := y.(*Undefined); ok {
		return nil, u.Err()
	}
	seq, count := x, y
	if !isRepeatable(x) || isRepeatable(y) && isIntValue(x) {
		seq, count = y, x
	}
	if !isRepeatable(seq) {
		return nil, unsupported("*", x, y)
	}
	if _, ok := count.(*big.Int); ok {
		return nil, Errorf("OverflowError", "cannot fit 'int' into an index-sized integer")
	}
	n, err := Index(count)
	if err != nil {
		return nil, TypeErrorf("can't multiply sequence by non-int of type %s", quote(TypeName(count)))
	}
	n = max(n, 0)
	switch s := seq.(type) {
	case string:
		r, err := repeat(b, s, n)
		return r, err
	case Markup:
		r, err := repeat(b, string(s), n)
		return Markup(r), err
	case Bytes:
		r, err := repeat(b, string(s), n)
		return Bytes(r), err
	}
	items, _ := IsSequence(seq)
	if len(items) > 0 && n > math.MaxInt32 {
		n = math.MaxInt32
	}
	if err := b.AllocItems(int64(len(items)) * n); err != nil {
		return nil, err
	}
	var out []Value
	if len(items) > 0 {
		out = make([]Value, 0, int64(len(items))*n)
		for ; n > 0; n-- {
			out = append(out, items...)
		}
	}
	if _, ok := seq.(*List); ok {
		return &List{Items: out}, nil
	}
	return Tuple(out), nil
}

func isRepeatable(v Value) bool {
	switch v.(type) {
	case string, Markup, Bytes, *List, Tuple, *NamedTuple:
		return true
	}
	return false
}

func isIntValue(v Value) bool {
	_, err := Index(v)
	return err == nil
}

func repeat(b *Budget, s string, n int64) (string, error) {
	if s == "" || n == 0 {
		return "", nil
	}
	if n > math.MaxInt32 {
		n = math.MaxInt32
	}
	if err := b.Alloc(int64(len(s)) * n); err != nil {
		return "", err
	}
	return strings.Repeat(s, int(n)), nil
}

// Div is x / y, always a float.
func Div(b *Budget, x, y Value) (Value, error) {
	if err := b.Step(1); err != nil {
		return nil, err
	}
	o, err := numericOperands(x, y)
	if err != nil {
		return nil, err
	}
	switch o.kind {
	case 1:
		if o.j == 0 {
			return nil, Errorf("ZeroDivisionError", "division by zero")
		}
		if o.i > -1<<53 && o.i < 1<<53 && o.j > -1<<53 && o.j < 1<<53 {
			return float64(o.i) / float64(o.j), nil
		}
		fallthrough
	case 2:
		i, j := o.bigs()
		if j.Sign() == 0 {
			return nil, Errorf("ZeroDivisionError", "division by zero")
		}
		f, _ := new(big.Rat).SetFrac(i, j).Float64()
		if math.IsInf(f, 0) {
			return nil, Errorf("OverflowError", "integer division result too large for a float")
		}
		return f, nil
	case 3:
		if o.g == 0 {
			return nil, Errorf("ZeroDivisionError", "float division by zero")
		}
		return o.f / o.g, nil
	}
	return nil, unsupported("/", x, y)
}

// FloorDiv is x // y, rounded down.
func FloorDiv(b *Budget, x, y Value) (Value, error) {
	if err := b.Step(1); err != nil {
		return nil, err
	}
	o, err := numericOperands(x, y)
	if err != nil {
		return nil, err
	}
	switch o.kind {
	case 1:
		if o.j == 0 {
			return nil, Errorf("ZeroDivisionError", "integer division or modulo by zero")
		}
		if o.j != -1 {
			q := o.i / o.j
			if o.i%o.j != 0 && (o.i < 0) != (o.j < 0) {
				q--
			}
			return q, nil
		}
		fallthrough
	case 2:
		i, j := o.bigs()
		if j.Sign() == 0 {
			return nil, Errorf("ZeroDivisionError", "integer division or modulo by zero")
		}
		q, _ := floorDivMod(i, j)
		return bigResult(b, q)
	case 3:
		if o.g == 0 {
			return nil, Errorf("ZeroDivisionError", "float floor division by zero")
		}
		q, _ := floatDivMod(o.f, o.g)
		return q, nil
	}
	return nil, unsupported("//", x, y)
}

func floorDivMod(i, j *big.Int) (q, m *big.Int) {
	q, m = new(big.Int).QuoRem(i, j, new(big.Int))
	if m.Sign() != 0 && m.Sign() != j.Sign() {
		q.Sub(q, big.NewInt(1))
		m.Add(m, j)
	}
	return q, m
}

// floatDivMod is divmod() of floats, as CPython computes it.
func floatDivMod(x, y float64) (float64, float64) {
	mod := math.Mod(x, y)
	div := (x - mod) / y
	if mod != 0 {
		if (y < 0) != (mod < 0) {
			mod += y
			div--
		}
	} else {
		mod = math.Copysign(0, y)
	}
	if div == 0 {
		return math.Copysign(0, x/y), mod
	}
	floor := math.Floor(div)
	if div-floor > 0.5 {
		floor++
	}
	return floor, mod
}

// Mod is x % y: the remainder with the sign of y, or for text %-formatting.
func Mod(b *Budget, x, y Value) (Value, error) {
	if err := b.Step(1); err != nil {
		return nil, err
	}
	switch s := x.(type) {
	case string:
		return FormatPercent(b, s, y)
	case Markup:
		r, err := formatPercent(b, string(s), y, true)
		return Markup(r), err
	}
	o, err := numericOperands(x, y)
	if err != nil {
		return nil, err
	}
	switch o.kind {
	case 1:
		if o.j == 0 {
			return nil, Errorf("ZeroDivisionError", "integer modulo by zero")
		}
		if o.j == -1 {
			return int64(0), nil
		}
		m := o.i % o.j
		if m != 0 && (m < 0) != (o.j < 0) {
			m += o.j
		}
		return m, nil
	case 2:
		if o.bj.Sign() == 0 {
			return nil, Errorf("ZeroDivisionError", "integer modulo by zero")
		}
		_, m := floorDivMod(o.bi, o.bj)
		return bigResult(b, m)
	case 3:
		if o.g == 0 {
			return nil, Errorf("ZeroDivisionError", "float modulo")
		}
		_, m := floatDivMod(o.f, o.g)
		return m, nil
	}
	return nil, unsupported("%", x, y)
}

// Pow is x ** y.
func Pow(b *Budget, x, y Value) (Value, error) {
	if err := b.Step(1); err != nil {
		return nil, err
	}
	o, err := numericOperands(x, y)
	if err != nil {
		return nil, err
	}
	switch o.kind {
	case 1, 2:
		i, j := o.bigs()
		if j.Sign() < 0 {
			if i.Sign() == 0 {
				return nil, Errorf("ZeroDivisionError", "0.0 cannot be raised to a negative power")
			}
			f, err := ToFloat(x)
			if err != nil {
				return nil, err
			}
			g, err := ToFloat(y)
			if err != nil {
				return nil, err
			}
			return floatPow(f, g)
		}
		if i.IsInt64() && (i.Int64() == 0 || i.Int64() == 1 || i.Int64() == -1) {
			if j.Sign() == 0 || i.Int64() == 1 || i.Int64() == -1 && j.Bit(0) == 0 {
				return int64(1), nil
			}
			return i.Int64(), nil
		}
		// The size of the result is known beforehand: refuse before computing.
		if !j.IsInt64() || j.Int64() > maxBits || int64(i.BitLen()-1)*j.Int64() > maxBits {
			return nil, &LimitError{Limit: "bits of an integer", Max: maxBitsText}
		}
		return bigResult(b, new(big.Int).Exp(i, j, nil))
	case 3:
		return floatPow(o.f, o.g)
	}
	return nil, unsupported("** or pow()", x, y)
}

func floatPow(x, y float64) (Value, error) {
	if x == 0 && y < 0 {
		return nil, Errorf("ZeroDivisionError", "0.0 cannot be raised to a negative power")
	}
	if x < 0 && !math.IsInf(x, 0) && y != math.Trunc(y) && !math.IsInf(y, 0) && !math.IsNaN(y) {
		return nil, ValueErrorf("a negative number to a fractional power is a complex number, which is not supported")
	}
	r := pow(x, y)
	if math.IsInf(r, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, Errorf("OverflowError", "(34, 'Numerical result out of range')")
	}
	return r, nil
}

// pow is math.Pow rounded correctly: Go's is often off in the last digit, which
// Python would print.
func pow(x, y float64) float64 {
	r := math.Pow(x, y)
	if x <= 0 || math.IsInf(r, 0) || math.IsNaN(r) || r < 1e-290 || r == 1 || math.Abs(y) > 1<<20 {
		return r
	}
	const prec = 160
	num := func(f float64) *big.Float { return new(big.Float).SetPrec(prec).SetFloat64(f) }
	whole, frac := math.Modf(math.Abs(y))
	// x^y is x to the whole part times, for each bit of the fraction, a root.
	out, base := num(1), num(x)
	for n := int64(whole); n > 0; n >>= 1 {
		if n&1 == 1 {
			out.Mul(out, base)
		}
		base.Mul(base, base)
	}
	root := num(x)
	for frac > 0 {
		root.Sqrt(root)
		if frac *= 2; frac >= 1 {
			out.Mul(out, root)
			frac--
		}
	}
	if y < 0 {
		out.Quo(num(1), out)
	}
	exact, _ := out.Float64()
	return exact
}

// Neg is -x.
func Neg(x Value) (Value, error) {
	switch a := x.(type) {
	case int64:
		if a == math.MinInt64 {
			return new(big.Int).Neg(big.NewInt(a)), nil
		}
		return -a, nil
	case bool:
		i, _ := AsInt(a)
		return -i, nil
	case *big.Int:
		return BigInt(new(big.Int).Neg(a)), nil
	case float64:
		return -a, nil
	case *Undefined:
		return nil, a.Err()
	}
	return nil, TypeErrorf("bad operand type for unary -: %s", quote(TypeName(x)))
}

// Pos is +x.
func Pos(x Value) (Value, error) {
	switch a := x.(type) {
	case int64, *big.Int, float64:
		return a, nil
	case bool:
		i, _ := AsInt(a)
		return i, nil
	case *Undefined:
		return nil, a.Err()
	}
	return nil, TypeErrorf("bad operand type for unary +: %s", quote(TypeName(x)))
}

// Abs is abs(x).
func Abs(x Value) (Value, error) {
	switch a := x.(type) {
	case float64:
		return math.Abs(a), nil
	case *big.Int:
		return BigInt(new(big.Int).Abs(a)), nil
	case *Undefined:
		return nil, a.Err()
	}
	if i, ok := AsInt(x); ok {
		if i < 0 {
			return Neg(i)
		}
		return i, nil
	}
	return nil, TypeErrorf("bad operand type for abs(): %s", quote(TypeName(x)))
}

// Round is round(x, digits); digits nil means to an int.
func Round(b *Budget, x, digits Value) (Value, error) {
	if u, ok := x.(*Undefined); ok {
		return nil, TypeErrorf("type %s doesn't define __round__ method", TypeName(u))
	}
	if f, ok := x.(float64); ok && digits == nil {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return ToInt(f)
		}
		return ToInt(math.RoundToEven(f))
	}
	n := int64(0)
	if digits != nil {
		var err error
		if n, err = Index(digits); err != nil {
			return nil, err
		}
	}
	switch a := x.(type) {
	case float64:
		return roundFloat(a, n), nil
	case int64, bool, *big.Int:
		num, _ := asNumber(a)
		if n >= 0 {
			return BigInt(num.big), nil
		}
		if -n > 5000 {
			return int64(0), nil
		}
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-n), nil)
		q, m := floorDivMod(num.big, unit)
		// Half goes to the even multiple.
		c := new(big.Int).Lsh(m, 1).Cmp(unit)
		if c > 0 || c == 0 && q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
		return bigResult(b, q.Mul(q, unit))
	}
	return nil, TypeErrorf("type %s doesn't define __round__ method", TypeName(x))
}

// roundFloat rounds in decimal, on the exact value of the float, as Python does.
func roundFloat(f float64, n int64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) || n > 330 {
		return f
	}
	if n < -330 {
		return math.Copysign(0, f)
	}
	if n >= 0 {
		r, _ := ParseFloat(formatFixed(f, int(n)))
		return r
	}
	exact, _ := new(big.Float).SetFloat64(math.Abs(f)).Rat(nil)
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-n), nil)
	exact.Quo(exact, new(big.Rat).SetInt(unit))
	q, m := new(big.Int).QuoRem(exact.Num(), exact.Denom(), new(big.Int))
	c := new(big.Int).Lsh(m, 1).Cmp(exact.Denom())
	if c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	r, _ := new(big.Float).SetInt(q.Mul(q, unit)).Float64()
	return math.Copysign(r, f)
}

// EscapeHTML is markupsafe.escape for text.
func EscapeHTML(s string) string {
	if !strings.ContainsAny(s, `&<>'"`) {
		return s
	}
	return htmlEscaper.Replace(s)
}

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")
