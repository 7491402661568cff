package functions

import (
	"math/big"
	"regexp"
	"strings"

	"petrel/expr/value"
)

// semver as the Python package of that name reads it (version 2, which
// StackStorm was written for).
var versionPattern = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-((?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?\n?$`)

type version struct {
	nums [3]*big.Int
	pre  string
}

func parseVersion(v value.Value) (version, error) {
	s, ok := value.AsString(v)
	if !ok {
		if u, ok := v.(*value.Undefined); ok && u.Strict {
			return version{}, u.Err()
		}
		return version{}, value.TypeErrorf("expected string or bytes-like object, got %s", value.Quote(value.TypeName(v)))
	}
	if len(s) > 1000 {
		return version{}, &value.LimitError{Limit: "characters of a version", Max: "1000"}
	}
	m := versionPattern.FindStringSubmatch(s)
	if m == nil {
		return version{}, value.ValueErrorf("%s is not valid SemVer string", s)
	}
	var out version
	for i := range out.nums {
		out.nums[i], _ = new(big.Int).SetString(m[i+1], 10)
	}
	out.pre = m[4]
	return out, nil
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func comparePre(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(x) && i < len(y); i++ {
		xn, yn := isNumber(x[i]), isNumber(y[i])
		c := 0
		switch {
		case xn && yn:
			p, _ := new(big.Int).SetString(x[i], 10)
			q, _ := new(big.Int).SetString(y[i], 10)
			c = p.Cmp(q)
		case xn:
			c = -1
		case yn:
			c = 1
		default:
			c = strings.Compare(x[i], y[i])
		}
		if c != 0 {
			return c
		}
	}
	switch {
	case len(a) < len(b):
		return -1
	case len(a) > len(b):
		return 1
	}
	return 0
}

func compareVersions(x, y value.Value) (int, error) {
	a, err := parseVersion(x)
	if err != nil {
		return 0, err
	}
	b, err := parseVersion(y)
	if err != nil {
		return 0, err
	}
	for i := range a.nums {
		if c := a.nums[i].Cmp(b.nums[i]); c != 0 {
			return c, nil
		}
	}
	c := comparePre(a.pre, b.pre)
	switch {
	case c == 0:
		return 0, nil
	case a.pre == "":
		return 1, nil
	case b.pre == "":
		return -1, nil
	}
	return c, nil
}

func matchVersion(v, expr value.Value) (bool, error) {
	s, ok := value.AsString(expr)
	if !ok {
		return false, value.TypeErrorf("%s object is not subscriptable", value.Quote(value.TypeName(expr)))
	}
	op := ""
	for _, o := range []string{">=", "<=", "==", "!=", ">", "<"} {
		if strings.HasPrefix(s, o) {
			op = o
			break
		}
	}
	if op == "" {
		return false, value.ValueErrorf("match_expr parameter should be in format <op><ver>, where <op> is one of ['<', '>', '==', '<=', '>=', '!=']. You provided: %s", value.Quote(s))
	}
	c, err := compareVersions(v, s[len(op):])
	if err != nil {
		return false, err
	}
	switch op {
	case ">=":
		return c >= 0, nil
	case "<=":
		return c <= 0, nil
	case "==":
		return c == 0, nil
	case "!=":
		return c != 0, nil
	case ">":
		return c > 0, nil
	}
	return c < 0, nil
}

type adder func(name string, fn func(b *value.Budget, a []value.Value) (value.Value, error), params ...value.Param)

func addVersions(add adder) {
	compare := func(name string, result func(c int) value.Value) {
		add(name, func(b *value.Budget, a []value.Value) (value.Value, error) {
			c, err := compareVersions(a[0], a[1])
			return result(c), err
		}, req("pattern"))
	}
	compare("version_compare", func(c int) value.Value { return int64(c) })
	compare("version_more_than", func(c int) value.Value { return c == 1 })
	compare("version_less_than", func(c int) value.Value { return c == -1 })
	compare("version_equal", func(c int) value.Value { return c == 0 })
	add("version_match", func(b *value.Budget, a []value.Value) (value.Value, error) {
		ok, err := matchVersion(a[0], a[1])
		return ok, err
	}, req("pattern"))
	bump := func(name string, pos int) {
		add(name, func(b *value.Budget, a []value.Value) (value.Value, error) {
			v, err := parseVersion(a[0])
			if err != nil {
				return nil, err
			}
			v.nums[pos].Add(v.nums[pos], big.NewInt(1))
			var parts []string
			for i, n := range v.nums {
				if i > pos {
					parts = append(parts, "0")
				} else {
					parts = append(parts, n.String())
				}
			}
			return strings.Join(parts, "."), nil
		})
	}
	bump("version_bump_major", 0)
	bump("version_bump_minor", 1)
	bump("version_bump_patch", 2)
	add("version_strip_patch", func(b *value.Budget, a []value.Value) (value.Value, error) {
		v, err := parseVersion(a[0])
		if err != nil {
			return nil, err
		}
		return v.nums[0].String() + "." + v.nums[1].String(), nil
	})
}
