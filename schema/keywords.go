package schema

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"petrel/expr/value"
)

// typeTest says whether a value is of one of JSON schema's types, as
// jsonschema's checker for draft 4 does: True is no number and 1.0 no integer.
type typeTest func(v value.Value) bool

var typeTests = map[string]typeTest{
	"array":   func(v value.Value) bool { _, ok := v.(*value.List); return ok },
	"boolean": func(v value.Value) bool { _, ok := v.(bool); return ok },
	"integer": isInteger,
	"null":    func(v value.Value) bool { return v == nil },
	"number":  isNumber,
	"object":  func(v value.Value) bool { _, ok := v.(*value.Dict); return ok },
	"string":  func(v value.Value) bool { _, ok := value.AsString(v); return ok },
}

func isInteger(v value.Value) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}

func isNumber(v value.Value) bool {
	_, isFloat := v.(float64)
	return isFloat || isInteger(v)
}

func floatOf(v value.Value) (float64, bool) {
	switch x := v.(type) {
	case int64:
		return float64(x), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f, true
	case float64:
		return x, true
	}
	return 0, false
}

func checkRef(r *run, _ *node, rule *rule, v value.Value) error { return r.node(rule.one, v) }

func checkType(r *run, n *node, rule *rule, v value.Value) error {
	for _, test := range rule.types {
		if test(v) {
			return nil
		}
	}
	return r.fail(n, rule, v, func() string {
		names := []value.Value{rule.value}
		if l, ok := rule.value.(*value.List); ok {
			names = l.Items
		}
		return shown(v) + " is not of type " + shownAll(names)
	})
}

func checkEnum(r *run, n *node, rule *rule, v value.Value) error {
	choices := rule.value.(*value.List).Items
	if err := r.budget.Step(len(choices)); err != nil {
		return err
	}
	for _, c := range choices {
		if same, err := r.sameButBools(v, c); err != nil || same {
			return err
		}
	}
	return r.fail(n, rule, v, func() string { return shown(v) + " is not one of " + shown(rule.value) })
}

// sameButBools is Python's ==, except that True is not 1 and False is not 0
// (within lists and dicts they are, as in the original).
func (r *run) sameButBools(x, y value.Value) (bool, error) {
	_, xBool := x.(bool)
	_, yBool := y.(bool)
	if xBool != yBool {
		return false, nil
	}
	return value.Eq(&r.budget, x, y)
}

func checkRange(r *run, n *node, rule *rule, v value.Value) error {
	if !isNumber(v) {
		return nil
	}
	order, err := value.Compare(v, rule.value)
	if err != nil {
		return err
	}
	exclusive := false
	word, than, limit := "exclusiveMaximum", "greater than", "maximum"
	if rule.keyword == "minimum" {
		order, word, than, limit = -order, "exclusiveMinimum", "less than", "minimum"
	}
	if x, ok := n.doc.(*value.Dict).GetStr(word); ok {
		exclusive, _ = value.Truth(nil, x)
	}
	if order < 0 || order == 0 && !exclusive {
		return nil
	}
	if exclusive {
		than += " or equal to"
	}
	return r.fail(n, rule, v, func() string {
		return shown(v) + " is " + than + " the " + limit + " of " + shown(rule.value)
	})
}

func checkMultipleOf(r *run, n *node, rule *rule, v value.Value) error {
	if !isNumber(v) || isMultiple(v, rule.value) {
		return nil
	}
	return r.fail(n, rule, v, func() string { return shown(v) + " is not a multiple of " + shown(rule.value) })
}

// isMultiple divides as the original does: by a float in floats, whatever
// comes of it; by an integer exactly.
func isMultiple(v, by value.Value) bool {
	if _, ok := by.(float64); !ok && isInteger(v) {
		x, y := bigOf(v), bigOf(by)
		return y.Sign() != 0 && new(big.Int).Rem(x, y).Sign() == 0
	}
	x, _ := floatOf(v)
	y, _ := floatOf(by)
	if _, ok := by.(float64); ok {
		q := x / y
		return !math.IsInf(q, 0) && q == math.Trunc(q)
	}
	return math.Mod(x, y) == 0
}

func bigOf(v value.Value) *big.Int {
	if x, ok := v.(*big.Int); ok {
		return x
	}
	i, _ := v.(int64)
	return big.NewInt(i)
}

// checkSize is all of the keywords that bound a length.
func checkSize(r *run, n *node, rule *rule, v value.Value) error {
	var size int
	var fault string
	atLeast := strings.HasPrefix(rule.keyword, "min")
	switch rule.keyword {
	case "maxItems", "minItems":
		l, ok := v.(*value.List)
		if !ok {
			return nil
		}
		size = len(l.Items)
	case "maxLength", "minLength":
		text, ok := value.AsString(v)
		if !ok {
			return nil
		}
		size = utf8.RuneCountInString(text)
	default:
		d, ok := v.(*value.Dict)
		if !ok {
			return nil
		}
		size = d.Len()
		fault = " has too many properties"
		if atLeast {
			fault = " does not have enough properties"
		}
	}
	order, err := value.Compare(int64(size), rule.value)
	if err != nil {
		return err
	}
	if atLeast && order >= 0 || !atLeast && order <= 0 {
		return nil
	}
	if fault == "" {
		fault = " is too long"
		if atLeast {
			fault = " is too short"
		}
	}
	return r.fail(n, rule, v, func() string { return shown(v) + fault })
}

func checkPattern(r *run, n *node, rule *rule, v value.Value) error {
	if _, ok := value.AsString(v); !ok {
		return nil
	}
	found, err := rule.patterns[0].search(v)
	if err != nil || found {
		return err
	}
	return r.fail(n, rule, v, func() string { return shown(v) + " does not match " + shown(rule.value) })
}

func checkUniqueItems(r *run, n *node, rule *rule, v value.Value) error {
	l, ok := v.(*value.List)
	if !ok {
		return nil
	}
	unique, err := r.unique(l.Items)
	if err != nil || unique {
		return err
	}
	return r.fail(n, rule, v, func() string { return shown(v) + " has non-unique elements" })
}

// unique compares each item with those of the same image only, so that a long
// array of objects costs no more than its size.
func (r *run) unique(items []value.Value) (bool, error) {
	seen := make(map[string][]value.Value, len(items))
	for _, item := range items {
		image, err := appendImage(nil, item, 0)
		if err != nil {
			return false, err
		}
		if err := r.budget.Step(1 + len(image)/16); err != nil {
			return false, err
		}
		key := string(image)
		for _, other := range seen[key] {
			if err := r.budget.Step(1); err != nil {
				return false, err
			}
			if same, err := r.sameButBools(item, other); err != nil || same {
				return false, err
			}
		}
		seen[key] = append(seen[key], item)
	}
	return true, nil
}

// appendImage writes a text that is the same for values that are equal in
// Python: numbers by value whatever their type, dicts without regard to order.
func appendImage(buf []byte, v value.Value, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, &value.LimitError{Limit: "levels of depth", Max: "200"}
	}
	switch x := v.(type) {
	case bool, int64, *big.Int, float64:
		f, _ := floatOf(v)
		if b, ok := x.(bool); ok && b {
			f = 1
		}
		return value.AppendFloat(append(buf, 'n'), f), nil
	case *value.List:
		buf = append(buf, '[')
		for _, item := range x.Items {
			var err error
			if buf, err = appendImage(buf, item, depth+1); err != nil {
				return nil, err
			}
			buf = append(buf, ',')
		}
		return append(buf, ']'), nil
	case *value.Dict:
		parts := make([]string, 0, x.Len())
		for k, item := range x.All() {
			part, err := appendImage(nil, k, depth+1)
			if err != nil {
				return nil, err
			}
			if part, err = appendImage(append(part, ':'), item, depth+1); err != nil {
				return nil, err
			}
			parts = append(parts, string(part))
		}
		slices.Sort(parts)
		buf = append(buf, '{')
		for _, part := range parts {
			buf = append(append(buf, part...), ',')
		}
		return append(buf, '}'), nil
	}
	if text, ok := value.AsString(v); ok {
		return append(append(buf, 's'), value.Quote(text)...), nil
	}
	return append(append(buf, 'o'), value.TypeName(v)...), nil
}
