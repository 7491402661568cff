package jinja

import (
	"math/big"

	"petrel/expr/value"
)

// kindTest is a test of what a value is.
func kindTest(name string, is func(v value.Value) bool) *value.Func {
	return bound(name, func(rt *run, a []value.Value) (value.Value, error) { return is(a[0]), nil }, req("value"))
}

func compareTest(op string) *value.Func {
	return bound(op, func(rt *run, a []value.Value) (value.Value, error) {
		return compareOp(&rt.budget, op, a[0], a[1])
	}, req("a"), req("b"))
}

// remainderTest is value % n == want.
func remainderTest(name string, n func(a []value.Value) value.Value, want int64, params ...value.Param) *value.Func {
	return bound(name, func(rt *run, a []value.Value) (value.Value, error) {
		m, err := value.Mod(&rt.budget, a[0], n(a))
		if err != nil {
			return nil, err
		}
		return value.Eq(&rt.budget, m, want)
	}, params...)
}

func isInt(v value.Value) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}

func builtinTests() map[string]*value.Func {
	two := func([]value.Value) value.Value { return int64(2) }
	m := map[string]*value.Func{
		"odd":         remainderTest("test_odd", two, 1, req("value")),
		"even":        remainderTest("test_even", two, 0, req("value")),
		"divisibleby": remainderTest("test_divisibleby", func(a []value.Value) value.Value { return a[1] }, 0, req("value"), req("num")),
		"defined": kindTest("test_defined", func(v value.Value) bool {
			_, undef := v.(*value.Undefined)
			return !undef
		}),
		"undefined": kindTest("test_undefined", func(v value.Value) bool {
			_, undef := v.(*value.Undefined)
			return undef
		}),
		"filter": bound("test_filter", func(rt *run, a []value.Value) (value.Value, error) {
			s, ok := value.AsString(a[0])
			return ok && rt.env.filters[s] != nil, value.CheckHashable(a[0])
		}, req("value")),
		"test": bound("test_test", func(rt *run, a []value.Value) (value.Value, error) {
			s, ok := value.AsString(a[0])
			return ok && rt.env.tests[s] != nil, value.CheckHashable(a[0])
		}, req("value")),
		"none": kindTest("test_none", func(v value.Value) bool { return v == nil }),
		"boolean": kindTest("test_boolean", func(v value.Value) bool {
			_, ok := v.(bool)
			return ok
		}),
		"true":    kindTest("test_true", func(v value.Value) bool { return value.Same(v, true) }),
		"false":   kindTest("test_false", func(v value.Value) bool { return value.Same(v, false) }),
		"integer": kindTest("test_integer", isInt),
		"float": kindTest("test_float", func(v value.Value) bool {
			_, ok := v.(float64)
			return ok
		}),
		"number": kindTest("test_number", func(v value.Value) bool {
			switch v.(type) {
			case bool, float64:
				return true
			}
			return isInt(v)
		}),
		"string": kindTest("test_string", isText),
		"mapping": kindTest("test_mapping", func(v value.Value) bool {
			_, ok := v.(*value.Dict)
			return ok
		}),
		"sequence": kindTest("test_sequence", func(v value.Value) bool {
			switch x := v.(type) {
			case string, value.Markup, value.Bytes, *value.List, value.Tuple, *value.NamedTuple, *value.Dict, *value.Range:
				return true
			case *value.Undefined:
				return !x.Strict
			}
			return false
		}),
		"iterable": bound("test_iterable", func(rt *run, a []value.Value) (value.Value, error) {
			if u, ok := a[0].(*value.Undefined); ok && u.Strict {
				return nil, u.Err()
			}
			return value.IsIterable(a[0]), nil
		}, req("value")),
		"callable": kindTest("callable", func(v value.Value) bool {
			if _, ok := v.(*value.Undefined); ok {
				return true
			}
			_, ok := v.(value.Callable)
			return ok
		}),
		"sameas": bound("test_sameas", func(rt *run, a []value.Value) (value.Value, error) {
			return value.Same(a[0], a[1]), nil
		}, req("value"), req("other")),
		"escaped": kindTest("test_escaped", func(v value.Value) bool {
			_, ok := v.(value.Markup)
			return ok
		}),
		"in": bound("test_in", func(rt *run, a []value.Value) (value.Value, error) {
			return value.Contains(&rt.budget, a[0], a[1])
		}, req("value"), req("seq")),
		"lower": bound("test_lower", func(rt *run, a []value.Value) (value.Value, error) {
			s, err := value.ToStr(&rt.budget, a[0])
			return value.IsLower(s), err
		}, req("value")),
		"upper": bound("test_upper", func(rt *run, a []value.Value) (value.Value, error) {
			s, err := value.ToStr(&rt.budget, a[0])
			return value.IsUpper(s), err
		}, req("value")),
	}
	for op, names := range map[string][]string{
		"==": {"==", "eq", "equalto"}, "!=": {"!=", "ne"}, ">": {">", "gt", "greaterthan"},
		">=": {">=", "ge"}, "<": {"<", "lt", "lessthan"}, "<=": {"<=", "le"},
	} {
		for _, n := range names {
			m[n] = compareTest(op)
		}
	}
	return m
}
