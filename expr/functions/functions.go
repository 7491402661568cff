// Package functions holds StackStorm's own expression functions, which Jinja
// has as filters and Orquesta's YAQL as functions: JSON, YAML, regular
// expressions, versions, paths and times.
package functions

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"petrel/expr/pyre"
	"petrel/expr/value"
	"petrel/expr/value/pyyaml"
)

// NoneMagic is the text that use_none gives for None; casting a parameter
// turns it back into null.
const NoneMagic = "%*****__%NONE%__*****%"

// maxRegexText is the longest text a regular expression is applied to.
const maxRegexText = 1 << 20

var (
	req = value.Req
	opt = value.Opt
)

// All returns the functions by name; each takes the value as first argument.
// The compiled patterns are cached for all of them together.
func All() map[string]*value.Func {
	m := map[string]*value.Func{}
	add := func(name string, fn func(b *value.Budget, a []value.Value) (value.Value, error), params ...value.Param) {
		params = append([]value.Param{req("value")}, params...)
		m[name] = value.NewFunc(name, func(c *value.Call) (value.Value, error) {
			a, err := c.Bind(name, params...)
			if err != nil {
				return nil, err
			}
			return fn(c.Budget, a)
		})
	}
	add("from_json_string", func(b *value.Budget, a []value.Value) (value.Value, error) {
		s, err := value.ToStr(b, a[0])
		if err != nil {
			return nil, err
		}
		return value.ParseJSON(b, s)
	})
	add("from_yaml_string", func(b *value.Budget, a []value.Value) (value.Value, error) {
		s, err := value.ToStr(b, a[0])
		if err != nil {
			return nil, err
		}
		// What the parser builds is some multiple of the text.
		if err := b.Alloc(16 * int64(len(s))); err != nil {
			return nil, err
		}
		if err := b.Step(len(s)); err != nil {
			return nil, err
		}
		return pyyaml.Load([]byte(s), pyyaml.Limits{})
	})
	add("to_json_string", toJSON, opt("indent", nil), opt("sort_keys", false), opt("separators", value.Tuple{",", ": "}))
	add("to_yaml_string", toYAML, opt("indent", nil), opt("allow_unicode", true))
	add("json_escape", func(b *value.Budget, a []value.Value) (value.Value, error) {
		out, err := value.AppendJSON(b, nil, a[0], value.PythonJSON)
		return strings.Trim(string(out), `"`), err
	})
	add("to_complex", func(b *value.Budget, a []value.Value) (value.Value, error) {
		out, err := value.AppendJSON(b, nil, a[0], value.PythonJSON)
		return string(out), err
	})
	add("jsonpath_query", func(b *value.Budget, a []value.Value) (value.Value, error) {
		q, ok := value.AsString(a[1])
		if !ok {
			return nil, value.TypeErrorf("expected string, got %s", value.TypeName(a[1]))
		}
		return jsonPath(b, a[0], q)
	}, req("query"))

	cache := pyre.NewCache(512)
	regex := func(b *value.Budget, v, pattern, ignorecase value.Value) (string, *pyre.Regexp, error) {
		s, err := value.ToStr(b, v)
		if err != nil {
			return "", nil, err
		}
		if len(s) > maxRegexText {
			return "", nil, &value.LimitError{Limit: "bytes of text for a regular expression", Max: strconv.Itoa(maxRegexText)}
		}
		p, ok := value.AsString(pattern)
		if !ok {
			if u, ok := pattern.(*value.Undefined); ok {
				return "", nil, u.Err()
			}
			return "", nil, value.TypeErrorf("first argument must be string or compiled pattern")
		}
		fold, err := value.Truth(b, ignorecase)
		if err != nil {
			return "", nil, err
		}
		var flags pyre.Flags
		if fold {
			flags = pyre.IgnoreCase
		}
		re, err := cache.Compile(p, flags)
		if err != nil {
			return "", nil, err
		}
		if err := b.Step(1 + len(s)/64); err != nil {
			return "", nil, err
		}
		return s, re, b.CheckTime()
	}
	add("regex_match", func(b *value.Budget, a []value.Value) (value.Value, error) {
		s, re, err := regex(b, a[0], a[1], a[2])
		if err != nil {
			return nil, err
		}
		m, err := re.Match(s)
		return m != nil, err
	}, req("pattern"), opt("ignorecase", false))
	add("regex_search", func(b *value.Budget, a []value.Value) (value.Value, error) {
		s, re, err := regex(b, a[0], a[1], a[2])
		if err != nil {
			return nil, err
		}
		m, err := re.Search(s)
		return m != nil, err
	}, req("pattern"), opt("ignorecase", false))
	add("regex_replace", func(b *value.Budget, a []value.Value) (value.Value, error) {
		s, re, err := regex(b, a[0], a[1], a[3])
		if err != nil {
			return nil, err
		}
		repl, ok := value.AsString(a[2])
		if !ok {
			if u, ok := a[2].(*value.Undefined); ok {
				return nil, u.Err()
			}
			return nil, value.TypeErrorf("expected str instance, %s found", value.TypeName(a[2]))
		}
		out, err := re.Sub(repl, s, 0)
		if err != nil {
			return nil, err
		}
		return out, b.Alloc(int64(len(out)))
	}, req("pattern"), req("replacement"), opt("ignorecase", false))
	add("regex_substring", func(b *value.Budget, a []value.Value) (value.Value, error) {
		s, re, err := regex(b, a[0], a[1], a[3])
		if err != nil {
			return nil, err
		}
		i, err := value.Index(a[2])
		if err != nil {
			return nil, value.TypeErrorf("list indices must be integers or slices, not %s", value.TypeName(a[2]))
		}
		ms, err := re.FindAll(s, -1)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			i += int64(len(ms))
		}
		if i < 0 || i >= int64(len(ms)) {
			return nil, value.Errorf("IndexError", "list index out of range")
		}
		return FindAllItem(ms[i]), nil
	}, req("pattern"), opt("result_index", int64(0)), opt("ignorecase", false))

	add("to_human_time_from_seconds", func(b *value.Budget, a []value.Value) (value.Value, error) { return humanTime(a[0]) })
	addVersions(add)
	add("use_none", func(b *value.Budget, a []value.Value) (value.Value, error) {
		if a[0] == nil {
			return NoneMagic, nil
		}
		return a[0], nil
	})
	add("basename", func(b *value.Budget, a []value.Value) (value.Value, error) {
		s, err := pathText(a[0])
		return s[strings.LastIndexByte(s, '/')+1:], err
	})
	add("dirname", func(b *value.Budget, a []value.Value) (value.Value, error) {
		s, err := pathText(a[0])
		head := s[:strings.LastIndexByte(s, '/')+1]
		if strings.Trim(head, "/") != "" {
			head = strings.TrimRight(head, "/")
		}
		return head, err
	})
	m["decrypt_kv"] = value.NewFunc("decrypt_kv", func(*value.Call) (value.Value, error) {
		return nil, errors.New("decrypt_kv is not available here")
	})
	return m
}

// FindAllItem is one item of re.findall: the whole match, the only group, or
// a tuple of the groups.
func FindAllItem(m *pyre.Match) value.Value {
	switch n := m.Regexp().NumGroups(); n {
	case 0:
		s, _ := m.Group(0)
		return s
	case 1:
		s, _ := m.Group(1)
		return s
	default:
		t := make(value.Tuple, n)
		for i := range t {
			t[i], _ = m.Group(i + 1)
		}
		return t
	}
}

func pathText(v value.Value) (string, error) {
	if s, ok := value.AsString(v); ok {
		return s, nil
	}
	if u, ok := v.(*value.Undefined); ok && u.Strict {
		return "", value.TypeErrorf("expected str, bytes or os.PathLike object, not StrictUndefined")
	}
	return "", value.TypeErrorf("expected str, bytes or os.PathLike object, not %s", value.TypeName(v))
}

func toJSON(b *value.Budget, a []value.Value) (value.Value, error) {
	style := value.JSONStyle{ItemSep: ", ", KeySep: ": ", ASCII: true}
	if a[1] != nil {
		style.Pretty = true
		if s, ok := value.AsString(a[1]); ok {
			style.Indent = s
		} else {
			n, err := value.Index(a[1])
			if err != nil {
				return nil, err
			}
			if n > 1000 {
				return nil, &value.LimitError{Limit: "spaces of JSON indent", Max: "1000"}
			}
			style.Indent = strings.Repeat(" ", int(max(n, 0)))
		}
	}
	sortKeys, err := value.Truth(b, a[2])
	if err != nil {
		return nil, err
	}
	style.SortKeys = sortKeys
	if a[3] != nil {
		items, err := value.Items(b, a[3])
		if err != nil {
			return nil, err
		}
		if len(items) != 2 {
			return nil, value.ValueErrorf("not enough values to unpack (expected 2, got %d)", len(items))
		}
		item, ok := value.AsString(items[0])
		key, ok2 := value.AsString(items[1])
		if !ok || !ok2 {
			return nil, value.TypeErrorf("separators must be two strings")
		}
		style.ItemSep, style.KeySep = item, key
		style.ExactSeps = true
	} else if style.Pretty {
		style.ItemSep = ","
	}
	out, err := value.AppendJSON(b, nil, a[0], style)
	return string(out), err
}

func toYAML(b *value.Budget, a []value.Value) (value.Value, error) {
	var opts pyyaml.DumpOptions
	if a[1] != nil {
		n, err := value.Index(a[1])
		if err != nil {
			return nil, err
		}
		if n >= 0 && n < 10 {
			opts.Indent = int(n)
		}
	}
	if a[2] != nil {
		unicode, err := value.Truth(b, a[2])
		if err != nil {
			return nil, err
		}
		opts.ASCII = !unicode
	} else {
		opts.ASCII = true
	}
	out, err := pyyaml.DumpWith(b, a[0], opts)
	return string(out), err
}

func humanTime(v value.Value) (value.Value, error) {
	switch v.(type) {
	case int64, bool, float64, *big.Int:
	default:
		return nil, value.Errorf("AssertionError", "")
	}
	f, err := value.ToFloat(v)
	if err != nil {
		return nil, err
	}
	if f == 0 {
		return "0s", nil
	}
	if f < 1 {
		return value.Str(v) + "μs", nil
	}
	if _, isFloat := v.(float64); isFloat {
		if v, err = value.ToInt(math.RoundToEven(f)); err != nil {
			return nil, err
		}
	}
	secs, ok := value.AsInt(v)
	// The original adds the seconds to the year 1 and reads the date off.
	if !ok || secs > 315537897599 {
		return nil, value.Errorf("OverflowError", "date value out of range")
	}
	t := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	t = time.Unix(t.Unix()+secs, 0).UTC()
	parts := []int{t.Year() - 1, t.Day() - 1, t.Hour(), t.Minute(), t.Second()}
	units := "ydhms"
	for len(parts) > 0 && parts[0] == 0 {
		parts, units = parts[1:], units[1:]
	}
	if len(parts) == 0 {
		return "0s", nil
	}
	var sb strings.Builder
	for i, p := range parts {
		sb.WriteString(strconv.Itoa(p))
		sb.WriteByte(units[i])
	}
	return sb.String(), nil
}
