// Package value is the value model of Petrel's two expression languages: plain
// data with Python's semantics, because packs were written against Python.
//
// A Value is one of a closed set of Go types:
//
//	nil            None
//	bool           bool
//	int64          int
//	*big.Int       int outside the range of int64 (never inside it)
//	float64        float
//	string         str (UTF-8; indexed by code point)
//	Bytes          bytes
//	Markup         markupsafe.Markup: a str that autoescaping leaves alone
//	*List          list
//	Tuple          tuple
//	*NamedTuple    a tuple whose items also have names
//	*Dict          dict, insertion-ordered, keyed by Python's equality
//	*Set           set
//	*Range         range
//	*DictView      dict_keys, dict_values, dict_items
//	*Iterator      generator or iterator: can be walked once
//	Date, DateTime datetime.date and datetime.datetime (YAML 1.1 has them)
//	*Undefined     a name or attribute that is not there
//	*Func          a callable
//	Object         a data object that answers attribute or item look-ups itself
//
// No value leads back to a Go object by reflection: what is not in this list
// cannot be reached by a template.
package value

import (
	"context"
	"math"
	"math/big"
	"time"
	"unicode/utf8"
)

// Value is any of the types listed in the package comment.
type Value = any

// Bytes is Python's bytes.
type Bytes string

// Markup is a string marked as safe to stand in HTML.
type Markup string

// List is Python's list: mutable and shared by reference.
type List struct {
	Items []Value
}

// NewList returns a list of the given items; it keeps the slice.
func NewList(items ...Value) *List { return &List{Items: items} }

// Len is the number of items.
func (l *List) Len() int { return len(l.Items) }

// Append adds items at the end.
func (l *List) Append(items ...Value) { l.Items = append(l.Items, items...) }

// Tuple is Python's tuple. Two Tuples must be compared with Equal; Go's ==
// panics on them.
type Tuple []Value

// NamedTuple is a tuple whose items can also be read as attributes.
type NamedTuple struct {
	Names []string
	Items Tuple
}

// Range is Python's range object.
type Range struct {
	Start, Stop, Step int64
}

// Len is the number of integers in the range.
func (r *Range) Len() int64 {
	if r.Step > 0 && r.Start < r.Stop {
		return int64((uint64(r.Stop)-uint64(r.Start)-1)/uint64(r.Step)) + 1
	}
	if r.Step < 0 && r.Start > r.Stop {
		return int64((uint64(r.Start)-uint64(r.Stop)-1)/(-uint64(r.Step))) + 1
	}
	return 0
}

// At is the i-th integer of the range; i must be below Len.
func (r *Range) At(i int64) int64 { return r.Start + i*r.Step }

// Date is datetime.date.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateTime is datetime.datetime; Naive means that it carries no zone.
type DateTime struct {
	time.Time
	Naive bool
}

// Object is a data object outside the built-in set, such as the datastore's
// st2kv.system, which looks keys up when they are asked for.
type Object interface {
	// TypeName is the name of the Python class, for messages.
	TypeName() string
	// Attr answers obj.name and obj['name']; ok is false when there is none.
	Attr(b *Budget, name string) (v Value, ok bool, err error)
}

// Stringer is implemented by an Object that has a text of its own.
type Stringer interface {
	Str(b *Budget) (string, error)
}

// Reprer is implemented by an Object whose repr() is not the default one.
type Reprer interface {
	Repr(b *Budget) (string, error)
}

// Truther is implemented by an Object that can be false.
type Truther interface {
	Truth(b *Budget) (bool, error)
}

// Floater is implemented by an Object that float() and int() take.
type Floater interface {
	Float() (float64, error)
}

// Iterable is implemented by an Object that can be walked.
type Iterable interface {
	Iter(b *Budget) (*Iterator, error)
}

// Lengther is implemented by an Object that has a length.
type Lengther interface {
	Len(b *Budget) (int, error)
}

// Callable is implemented by an Object that can be called.
type Callable interface {
	Call(c *Call) (Value, error)
}

// Func is a function of one of the languages.
type Func struct {
	// Name is what messages call it.
	Name string
	// Fn is the body.
	Fn func(c *Call) (Value, error)
	// Of is the type of the value that a bound method belongs to, or empty.
	Of string
}

// NewFunc returns a callable.
func NewFunc(name string, fn func(c *Call) (Value, error)) *Func { return &Func{Name: name, Fn: fn} }

// Call runs the function.
func (f *Func) Call(c *Call) (Value, error) { return f.Fn(c) }

// Kwarg is one keyword argument.
type Kwarg struct {
	Name  string
	Value Value
}

// Call is one call of a function: its arguments and what it may use.
type Call struct {
	// Budget bounds the work; it is passed on to every operation.
	Budget *Budget
	// Args are the positional arguments. A function may keep the values but
	// not the slice.
	Args []Value
	// Kwargs are the keyword arguments in the order they were written.
	Kwargs []Kwarg
	// Scope belongs to the language that makes the call; it is nil elsewhere.
	Scope any
}

// Context is the context of the evaluation, for functions that wait.
func (c *Call) Context() context.Context { return c.Budget.Context() }

// Param describes one parameter for Bind.
type Param struct {
	Name    string
	Default Value
	// Optional marks that Default is used when the argument is missing.
	Optional bool
}

// Req is a required parameter.
func Req(name string) Param { return Param{Name: name} }

// Opt is a parameter with a default.
func Opt(name string, def Value) Param { return Param{Name: name, Default: def, Optional: true} }

// Bind puts the arguments of the call in the order of params, filling in
// defaults, with Python's TypeErrors about missing and unexpected ones.
func (c *Call) Bind(fn string, params ...Param) ([]Value, error) {
	if len(c.Args) == len(params) && len(c.Kwargs) == 0 {
		return c.Args, nil
	}
	if len(c.Args) > len(params) {
		min := 0
		for _, p := range params {
			if !p.Optional {
				min++
			}
		}
		were := "were"
		if len(c.Args) == 1 {
			were = "was"
		}
		if min < len(params) {
			return nil, TypeErrorf("%s() takes from %d to %d positional arguments but %d %s given", fn, min, len(params), len(c.Args), were)
		}
		s := "s"
		if min == 1 {
			s = ""
		}
		return nil, TypeErrorf("%s() takes %d positional argument%s but %d %s given", fn, min, s, len(c.Args), were)
	}
	out := make([]Value, len(params))
	var set uint64
	for i, v := range c.Args {
		out[i] = v
		set |= 1 << i
	}
next:
	for _, k := range c.Kwargs {
		for i, p := range params {
			if p.Name == k.Name {
				if set&(1<<i) != 0 {
					return nil, TypeErrorf("%s() got multiple values for argument %s", fn, quote(k.Name))
				}
				out[i] = k.Value
				set |= 1 << i
				continue next
			}
		}
		return nil, TypeErrorf("%s() got an unexpected keyword argument %s", fn, quote(k.Name))
	}
	var missing []string
	for i, p := range params {
		if set&(1<<i) == 0 {
			if !p.Optional {
				missing = append(missing, quote(p.Name))
				continue
			}
			out[i] = p.Default
		}
	}
	if len(missing) > 0 {
		return nil, missingArgs(fn, missing)
	}
	return out, nil
}

func missingArgs(fn string, missing []string) error {
	s, list := "s", ""
	switch n := len(missing); n {
	case 1:
		s, list = "", missing[0]
	case 2:
		list = missing[0] + " and " + missing[1]
	default:
		for _, m := range missing[:n-1] {
			list += m + ", "
		}
		list += "and " + missing[n-1]
	}
	return TypeErrorf("%s() missing %d required positional argument%s: %s", fn, len(missing), s, list)
}

// Undefined stands for a name, attribute or item that is not there. What may
// be done with it depends on Strict: a strict one may only be tested for
// being defined, a lenient one also prints and iterates as empty.
type Undefined struct {
	// Hint is a whole message that replaces the built one.
	Hint string
	// Obj is what was looked into, when HasObj.
	Obj    Value
	HasObj bool
	// Name is the name, attribute or index that was asked for.
	Name   Value
	Strict bool
	// Class is the class of the error it raises; empty means UndefinedError.
	Class string
}

// Message says what is undefined, in Jinja's words.
func (u *Undefined) Message() string {
	if u.Hint != "" {
		return u.Hint
	}
	if !u.HasObj {
		return Repr(u.Name) + " is undefined"
	}
	obj := qualName(u.Obj) + " object"
	if u.Obj == nil {
		obj = "None"
	}
	if name, ok := u.Name.(string); ok {
		return quote(obj) + " has no attribute " + quote(name)
	}
	return obj + " has no element " + Repr(u.Name)
}

// qualName is the type's name with its module, unless it is a built-in one.
func qualName(v Value) string {
	switch x := v.(type) {
	case Date, DateTime:
		return "datetime." + TypeName(v)
	case Markup:
		return "markupsafe.Markup"
	case interface{ QualName() string }:
		return x.QualName()
	}
	return TypeName(v)
}

// Err is the error of doing something with an undefined value.
func (u *Undefined) Err() error {
	class := u.Class
	if class == "" {
		class = "UndefinedError"
	}
	return &Error{Class: class, Msg: u.Message()}
}

// Iterator is a lazy sequence that can be walked once.
type Iterator struct {
	// Type is the Python type name; empty means generator.
	Type string
	next func() (Value, bool, error)
	done bool
}

// NewIterator returns an iterator over what next delivers until it says false.
func NewIterator(next func() (Value, bool, error)) *Iterator { return &Iterator{next: next} }

// Next delivers the next item; ok is false at the end and after an error.
func (it *Iterator) Next() (v Value, ok bool, err error) {
	if it.done {
		return nil, false, nil
	}
	v, ok, err = it.next()
	if !ok || err != nil {
		it.done, it.next = true, nil
	}
	return v, ok, err
}

// TypeName is the name of the Python type of v.
func TypeName(v Value) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case Bytes:
		return "bytes"
	case Markup:
		return "Markup"
	case *List:
		return "list"
	case Tuple:
		return "tuple"
	case *NamedTuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *Set:
		return "set"
	case *Range:
		return "range"
	case *DictView:
		return x.kind.String()
	case *Iterator:
		if x.Type != "" {
			return x.Type
		}
		return "generator"
	case Date:
		return "date"
	case DateTime:
		return "datetime"
	case *Undefined:
		if x.Strict {
			return "StrictUndefined"
		}
		return "Undefined"
	case *Func:
		if x.Of != "" {
			return "builtin_function_or_method"
		}
		return "function"
	case Object:
		return x.TypeName()
	}
	return "object"
}

// Truth is Python's bool(v). A strict undefined value is an error.
func Truth(b *Budget, v Value) (bool, error) {
	switch x := v.(type) {
	case nil:
		return false, nil
	case bool:
		return x, nil
	case int64:
		return x != 0, nil
	case *big.Int:
		return true, nil
	case float64:
		return x != 0, nil
	case string:
		return x != "", nil
	case Markup:
		return x != "", nil
	case Bytes:
		return x != "", nil
	case *List:
		return len(x.Items) > 0, nil
	case Tuple:
		return len(x) > 0, nil
	case *NamedTuple:
		return len(x.Items) > 0, nil
	case *Dict:
		return x.Len() > 0, nil
	case *Set:
		return x.Len() > 0, nil
	case *Range:
		return x.Len() > 0, nil
	case *DictView:
		return x.dict.Len() > 0, nil
	case *Undefined:
		if x.Strict {
			return false, x.Err()
		}
		return false, nil
	}
	if t, ok := v.(Truther); ok {
		return t.Truth(b)
	}
	if l, ok := v.(Lengther); ok {
		n, err := l.Len(b)
		return n > 0, err
	}
	return true, nil
}

// Len is Python's len(v).
func Len(b *Budget, v Value) (int, error) {
	switch x := v.(type) {
	case string:
		return utf8.RuneCountInString(x), nil
	case Markup:
		return utf8.RuneCountInString(string(x)), nil
	case Bytes:
		return len(x), nil
	case *List:
		return len(x.Items), nil
	case Tuple:
		return len(x), nil
	case *NamedTuple:
		return len(x.Items), nil
	case *Dict:
		return x.Len(), nil
	case *Set:
		return x.Len(), nil
	case *Range:
		return int(x.Len()), nil
	case *DictView:
		return x.dict.Len(), nil
	case *Undefined:
		if x.Strict {
			return 0, x.Err()
		}
		return 0, nil
	}
	if l, ok := v.(Lengther); ok {
		return l.Len(b)
	}
	return 0, TypeErrorf("object of type %s has no len()", quote(TypeName(v)))
}

// AsString gives the text of a str or Markup.
func AsString(v Value) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case Markup:
		return string(x), true
	}
	return "", false
}

// AsInt gives an int or bool as int64; big ints and floats are refused.
func AsInt(v Value) (int64, bool) {
	switch x := v.(type) {
	case int64:
		return x, true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// Index is the value of an integer argument such as a count or width: ints
// too large are clamped, everything else is a TypeError.
func Index(v Value) (int64, error) {
	switch x := v.(type) {
	case *big.Int:
		if x.Sign() < 0 {
			return math.MinInt64, nil
		}
		return math.MaxInt64, nil
	case *Undefined:
		return 0, x.Err()
	}
	if i, ok := AsInt(v); ok {
		return i, nil
	}
	return 0, TypeErrorf("%s object cannot be interpreted as an integer", quote(TypeName(v)))
}

// IsSequence says whether v is a list or a tuple, and gives its items.
func IsSequence(v Value) ([]Value, bool) {
	switch x := v.(type) {
	case *List:
		return x.Items, true
	case Tuple:
		return x, true
	case *NamedTuple:
		return x.Items, true
	}
	return nil, false
}

// BigInt returns i as a Value, as int64 when it fits.
func BigInt(i *big.Int) Value {
	if i.IsInt64() {
		return i.Int64()
	}
	return i
}
