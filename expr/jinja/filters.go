package jinja

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"unicode/utf8"

	"petrel/expr/pyre"
	"petrel/expr/value"
)

// Short names keep the table of filters readable.
var (
	req = value.Req
	opt = value.Opt
)

// bound makes a filter of a function over bound parameters.
func bound(name string, fn func(rt *run, a []value.Value) (value.Value, error), params ...value.Param) *value.Func {
	return value.NewFunc(name, func(c *value.Call) (value.Value, error) {
		a, err := c.Bind(name, params...)
		if err != nil {
			return nil, err
		}
		rt := scopeOf(c)
		if rt.prog == nil && c.Budget != nil {
			rt.budget = *c.Budget
		}
		return fn(rt, a)
	})
}

// softText is markupsafe.soft_str: the text of a value, still Markup if it was.
func softText(rt *run, v value.Value) (s string, markup bool, err error) {
	if m, ok := v.(value.Markup); ok {
		return string(m), true, nil
	}
	s, err = value.ToStr(&rt.budget, v)
	return s, false, err
}

func asMarkup(s string, markup bool) value.Value {
	if markup {
		return value.Markup(s)
	}
	return s
}

// textFilter is a filter from text to text.
func textFilter(name string, fn func(s string) string) *value.Func {
	return bound(name, func(rt *run, a []value.Value) (value.Value, error) {
		s, markup, err := softText(rt, a[0])
		if err != nil {
			return nil, err
		}
		return asMarkup(fn(s), markup), rt.budget.Alloc(int64(len(s)))
	}, req("s"))
}

// escapeValue is markupsafe.escape.
func escapeValue(rt *run, v value.Value) (value.Markup, error) {
	if m, ok := v.(value.Markup); ok {
		return m, nil
	}
	s, err := value.ToStr(&rt.budget, v)
	if err != nil {
		return "", err
	}
	return value.Markup(value.EscapeHTML(s)), rt.budget.Alloc(int64(len(s)))
}

// intArg is an integer argument.
func intArg(v value.Value) (int64, error) { return value.Index(v) }

// getter is Jinja's make_attrgetter.
type getter struct {
	rt    *run
	parts []value.Value
	def   value.Value
	fold  bool
}

func attrParts(attr value.Value) ([]value.Value, error) {
	s, ok := value.AsString(attr)
	if !ok {
		if attr == nil {
			return nil, nil
		}
		return []value.Value{attr}, nil
	}
	var parts []value.Value
	for _, p := range strings.Split(s, ".") {
		digits := p != ""
		for i := 0; i < len(p); i++ {
			digits = digits && p[i] >= '0' && p[i] <= '9'
		}
		if digits {
			n, err := value.ParseInt(p, 10)
			if err != nil {
				return nil, err
			}
			parts = append(parts, n)
		} else {
			parts = append(parts, p)
		}
	}
	return parts, nil
}

func newGetter(rt *run, attr, def value.Value, fold bool) (*getter, error) {
	parts, err := attrParts(attr)
	return &getter{rt, parts, def, fold}, err
}

func foldCase(v value.Value) value.Value {
	switch s := v.(type) {
	case string:
		return value.Lower(s)
	case value.Markup:
		return value.Markup(value.Lower(string(s)))
	}
	return v
}

func (g *getter) get(item value.Value) (value.Value, error) {
	for _, p := range g.parts {
		var err error
		if item, err = g.rt.getitem(item, p); err != nil {
			return nil, err
		}
		if g.def != nil {
			if _, ok := item.(*value.Undefined); ok {
				item = g.def
			}
		}
	}
	if g.fold {
		item = foldCase(item)
	}
	return item, nil
}

func truth(rt *run, v value.Value) (bool, error) { return value.Truth(&rt.budget, v) }

func builtinFilters() map[string]*value.Func {
	m := map[string]*value.Func{
		"abs": bound("abs", func(rt *run, a []value.Value) (value.Value, error) { return value.Abs(a[0]) }, req("x")),
		"attr": bound("do_attr", func(rt *run, a []value.Value) (value.Value, error) {
			name, ok := value.AsString(a[1])
			if !ok {
				return nil, value.TypeErrorf("attribute name must be string, not %s", value.Quote(value.TypeName(a[1])))
			}
			if isPrivate(name) {
				if hasPrivate(a[0], name) {
					return rt.unsafe(a[0], name), nil
				}
			} else if v, ok, err := value.Attr(&rt.budget, a[0], name); err != nil || ok {
				return v, err
			}
			return rt.undefined(&value.Undefined{Obj: a[0], HasObj: true, Name: name}), nil
		}, req("obj"), req("name")),
		"batch":      bound("do_batch", doBatch, req("value"), req("linecount"), opt("fill_with", nil)),
		"capitalize": textFilter("do_capitalize", value.Capitalize),
		"center": bound("do_center", func(rt *run, a []value.Value) (value.Value, error) {
			s, markup, err := softText(rt, a[0])
			if err != nil {
				return nil, err
			}
			width, err := intArg(a[1])
			if err != nil {
				return nil, err
			}
			s, err = value.Justify(&rt.budget, s, width, " ", value.PlaceCenter)
			return asMarkup(s, markup), err
		}, req("value"), opt("width", int64(80))),
		"default": bound("do_default", func(rt *run, a []value.Value) (value.Value, error) {
			if _, ok := a[0].(*value.Undefined); ok {
				return a[1], nil
			}
			if boolean, err := truth(rt, a[2]); err != nil || !boolean {
				return a[0], err
			}
			if ok, err := truth(rt, a[0]); err != nil || ok {
				return a[0], err
			}
			return a[1], nil
		}, req("value"), opt("default_value", ""), opt("boolean", false)),
		"dictsort": bound("do_dictsort", doDictsort, req("value"), opt("case_sensitive", false), opt("by", "key"), opt("reverse", false)),
		"escape": bound("escape", func(rt *run, a []value.Value) (value.Value, error) {
			return escapeValue(rt, a[0])
		}, req("s")),
		"filesizeformat": bound("do_filesizeformat", doFilesize, req("value"), opt("binary", false)),
		"first": bound("do_first", func(rt *run, a []value.Value) (value.Value, error) {
			it, err := value.Iter(&rt.budget, a[0])
			if err != nil {
				return nil, err
			}
			v, ok, err := it.Next()
			if !ok && err == nil {
				return rt.undefined(&value.Undefined{Hint: "No first item, sequence was empty."}), nil
			}
			return v, err
		}, req("seq")),
		"last": bound("do_last", func(rt *run, a []value.Value) (value.Value, error) {
			it, err := value.Reversed(&rt.budget, a[0])
			if err != nil {
				return nil, err
			}
			v, ok, err := it.Next()
			if !ok && err == nil {
				return rt.undefined(&value.Undefined{Hint: "No last item, sequence was empty."}), nil
			}
			return v, err
		}, req("seq")),
		"random": bound("do_random", func(rt *run, a []value.Value) (value.Value, error) {
			n, err := value.Len(&rt.budget, a[0])
			if err != nil {
				return nil, err
			}
			if n == 0 {
				return rt.undefined(&value.Undefined{Hint: "No random item, sequence was empty."}), nil
			}
			i := int64(rand.IntN(n))
			v, ok, err := value.GetItem(&rt.budget, a[0], i)
			if err == nil && !ok {
				if _, isDict := a[0].(*value.Dict); isDict {
					return nil, value.Errorf("KeyError", "%d", i)
				}
				err = value.TypeErrorf("%s object is not subscriptable", value.Quote(value.TypeName(a[0])))
			}
			return v, err
		}, req("seq")),
		"float": bound("do_float", func(rt *run, a []value.Value) (value.Value, error) {
			f, err := value.ToFloat(a[0])
			if value.IsClass(err, "TypeError", "ValueError") {
				return a[1], nil
			}
			if err != nil {
				return nil, err
			}
			return f, nil
		}, req("value"), opt("default", 0.0)),
		"int": bound("do_int", doInt, req("value"), opt("default", int64(0)), opt("base", int64(10))),
		"forceescape": bound("do_forceescape", func(rt *run, a []value.Value) (value.Value, error) {
			s, err := value.ToStr(&rt.budget, a[0])
			if err != nil {
				return nil, err
			}
			return value.Markup(value.EscapeHTML(s)), rt.budget.Alloc(int64(len(s)))
		}, req("value")),
		"groupby": bound("do_groupby", doGroupby, req("value"), req("attribute"), opt("default", nil), opt("case_sensitive", false)),
		"indent":  bound("do_indent", doIndent, req("s"), opt("width", int64(4)), opt("first", false), opt("blank", false)),
		"join":    bound("do_join", doJoin, req("value"), opt("d", ""), opt("attribute", nil)),
		"length": bound("len", func(rt *run, a []value.Value) (value.Value, error) {
			n, err := value.Len(&rt.budget, a[0])
			return int64(n), err
		}, req("obj")),
		"list": bound("do_list", func(rt *run, a []value.Value) (value.Value, error) {
			items, err := value.CopyItems(&rt.budget, a[0])
			if err != nil {
				return nil, err
			}
			return &value.List{Items: items}, nil
		}, req("value")),
		"lower": textFilter("do_lower", value.Lower),
		"upper": textFilter("do_upper", value.Upper),
		"items": bound("do_items", func(rt *run, a []value.Value) (value.Value, error) {
			if _, ok := a[0].(*value.Undefined); ok {
				return value.Iter(nil, value.Tuple{})
			}
			d, ok := a[0].(*value.Dict)
			if !ok {
				// A generator: the error comes when it is walked.
				return value.NewIterator(func() (value.Value, bool, error) {
					return nil, false, value.TypeErrorf("Can only get item pairs from a mapping.")
				}), nil
			}
			return value.Iter(&rt.budget, d.ItemsView())
		}, req("value")),
		"min":     bound("do_min", func(rt *run, a []value.Value) (value.Value, error) { return minMax(rt, a, "<") }, req("value"), opt("case_sensitive", false), opt("attribute", nil)),
		"max":     bound("do_max", func(rt *run, a []value.Value) (value.Value, error) { return minMax(rt, a, ">") }, req("value"), opt("case_sensitive", false), opt("attribute", nil)),
		"pprint":  bound("do_pprint", func(rt *run, a []value.Value) (value.Value, error) { return prettyFormat(&rt.budget, a[0]) }, req("value")),
		"replace": bound("do_replace", doReplace, req("s"), req("old"), req("new"), opt("count", nil)),
		"reverse": bound("do_reverse", doReverse, req("value")),
		"round":   bound("do_round", doRound, req("value"), opt("precision", int64(0)), opt("method", "common")),
		"safe": bound("do_mark_safe", func(rt *run, a []value.Value) (value.Value, error) {
			s, err := value.ToStr(&rt.budget, a[0])
			return value.Markup(s), err
		}, req("value")),
		"slice": bound("do_slice", doSlice, req("value"), req("slices"), opt("fill_with", nil)),
		"sort":  bound("do_sort", doSort, req("value"), opt("reverse", false), opt("case_sensitive", false), opt("attribute", nil)),
		"string": bound("soft_str", func(rt *run, a []value.Value) (value.Value, error) {
			s, markup, err := softText(rt, a[0])
			if err != nil {
				return nil, err
			}
			return asMarkup(s, markup), nil
		}, req("s")),
		"striptags": bound("do_striptags", func(rt *run, a []value.Value) (value.Value, error) {
			s, err := value.ToStr(&rt.budget, a[0])
			if err != nil {
				return nil, err
			}
			return value.StripTags(s), rt.budget.Alloc(int64(len(s)))
		}, req("value")),
		"sum":   bound("do_sum", doSum, req("iterable"), opt("attribute", nil), opt("start", int64(0))),
		"title": textFilter("do_title", titleFilter),
		"trim": bound("do_trim", func(rt *run, a []value.Value) (value.Value, error) {
			s, markup, err := softText(rt, a[0])
			if err != nil {
				return nil, err
			}
			if a[1] == nil {
				return asMarkup(value.TrimSpace(s), markup), nil
			}
			chars, ok := value.AsString(a[1])
			if !ok {
				return nil, value.TypeErrorf("strip arg must be None or str")
			}
			return asMarkup(value.Strip(s, &chars, true, true), markup), nil
		}, req("value"), opt("chars", nil)),
		"truncate":  bound("do_truncate", doTruncate, req("s"), opt("length", int64(255)), opt("killwords", false), opt("end", "..."), opt("leeway", nil)),
		"unique":    bound("do_unique", doUnique, req("value"), opt("case_sensitive", false), opt("attribute", nil)),
		"urlencode": bound("do_urlencode", doURLEncode, req("value")),
		"urlize":    bound("do_urlize", doURLize, req("value"), opt("trim_url_limit", nil), opt("nofollow", false), opt("target", nil), opt("rel", nil), opt("extra_schemes", nil)),
		"wordcount": bound("do_wordcount", func(rt *run, a []value.Value) (value.Value, error) {
			s, _, err := softText(rt, a[0])
			if err != nil {
				return nil, err
			}
			n, in := int64(0), false
			for _, r := range s {
				w := isWordRune(r)
				if w && !in {
					n++
				}
				in = w
			}
			return n, rt.budget.Step(len(s) / 16)
		}, req("s")),
		"wordwrap": bound("do_wordwrap", doWordwrap, req("s"), opt("width", int64(79)), opt("break_long_words", true), opt("wrapstring", nil), opt("break_on_hyphens", true)),
		"xmlattr":  bound("do_xmlattr", doXMLAttr, req("d"), opt("autospace", true)),
		"tojson": bound("do_tojson", func(rt *run, a []value.Value) (value.Value, error) {
			style := value.PythonJSON
			style.SortKeys, style.HTML, style.NaN = true, true, true
			if a[1] != nil {
				if err := setIndent(&style, a[1]); err != nil {
					return nil, err
				}
			}
			out, err := value.AppendJSON(&rt.budget, nil, a[0], style)
			return value.Markup(out), err
		}, req("value"), opt("indent", nil)),

		"format":     value.NewFunc("do_format", doFormat),
		"map":        value.NewFunc("do_map", doMap),
		"select":     selectFilter("do_select", true, false),
		"reject":     selectFilter("do_reject", false, false),
		"selectattr": selectFilter("do_selectattr", true, true),
		"rejectattr": selectFilter("do_rejectattr", false, true),
	}
	m["count"] = m["length"]
	m["d"] = m["default"]
	m["e"] = m["escape"]
	return m
}

func setIndent(style *value.JSONStyle, v value.Value) error {
	style.Pretty = true
	if s, ok := value.AsString(v); ok {
		style.Indent = s
		return nil
	}
	n, err := value.Index(v)
	if err != nil {
		return err
	}
	if n > 1000 {
		return &value.LimitError{Limit: "spaces of JSON indent", Max: "1000"}
	}
	style.Indent = strings.Repeat(" ", int(max(n, 0)))
	return nil
}

func doBatch(rt *run, a []value.Value) (value.Value, error) {
	it, err := value.Iter(&rt.budget, a[0])
	if err != nil {
		return nil, err
	}
	n, ok := value.AsInt(a[1])
	if !ok {
		n = -1
	}
	var tmp []value.Value
	done := false
	return value.NewIterator(func() (value.Value, bool, error) {
		for !done {
			v, ok, err := it.Next()
			if err != nil {
				return nil, false, err
			}
			if !ok {
				done = true
				break
			}
			if err := rt.budget.AllocItems(1); err != nil {
				return nil, false, err
			}
			if int64(len(tmp)) == n {
				out := &value.List{Items: tmp}
				tmp = []value.Value{v}
				return out, true, nil
			}
			tmp = append(tmp, v)
		}
		if len(tmp) == 0 {
			return nil, false, nil
		}
		if a[2] != nil && int64(len(tmp)) < n {
			if err := rt.budget.AllocItems(n - int64(len(tmp))); err != nil {
				return nil, false, err
			}
			for int64(len(tmp)) < n {
				tmp = append(tmp, a[2])
			}
		}
		out := &value.List{Items: tmp}
		tmp = nil
		return out, true, nil
	}), nil
}

func doSlice(rt *run, a []value.Value) (value.Value, error) {
	var seq []value.Value
	var n int64
	started := false
	i, offset := int64(0), int64(0)
	return value.NewIterator(func() (value.Value, bool, error) {
		if !started {
			started = true
			var err error
			if seq, err = value.CopyItems(&rt.budget, a[0]); err != nil {
				return nil, false, err
			}
			if n, err = value.Index(a[1]); err != nil {
				return nil, false, err
			}
			if n == 0 {
				return nil, false, value.Errorf("ZeroDivisionError", "integer division or modulo by zero")
			}
		}
		if i >= n {
			return nil, false, nil
		}
		per, extra := int64(len(seq))/n, int64(len(seq))%n
		start := offset + i*per
		if i < extra {
			offset++
		}
		end := offset + (i+1)*per
		tmp := append([]value.Value(nil), seq[start:end]...)
		if a[2] != nil && i >= extra {
			tmp = append(tmp, a[2])
		}
		i++
		return &value.List{Items: tmp}, true, rt.budget.AllocItems(int64(len(tmp)) + 1)
	}), nil
}

func doDictsort(rt *run, a []value.Value) (value.Value, error) {
	by, _ := value.AsString(a[2])
	if by != "key" && by != "value" {
		return nil, value.Errorf("FilterArgumentError", `You can only sort by either "key" or "value"`)
	}
	d, ok := a[0].(*value.Dict)
	if !ok {
		if u, ok := a[0].(*value.Undefined); ok {
			return nil, u.Err()
		}
		return nil, value.Errorf("AttributeError", "%s object has no attribute 'items'", value.Quote(value.TypeName(a[0])))
	}
	sensitive, err := truth(rt, a[1])
	if err != nil {
		return nil, err
	}
	reverse, err := truth(rt, a[3])
	if err != nil {
		return nil, err
	}
	var items, keys []value.Value
	for k, v := range d.All() {
		items = append(items, value.Tuple{k, v})
		key := k
		if by == "value" {
			key = v
		}
		if !sensitive {
			key = foldCase(key)
		}
		keys = append(keys, key)
	}
	err = value.SortValues(&rt.budget, items, keys, reverse)
	return &value.List{Items: items}, err
}

func doFilesize(rt *run, a []value.Value) (value.Value, error) {
	size, err := value.ToFloat(a[0])
	if err != nil {
		return nil, err
	}
	binary, err := truth(rt, a[1])
	if err != nil {
		return nil, err
	}
	base := 1000.0
	prefixes := []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if binary {
		base = 1024
		prefixes = []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	switch {
	case size == 1:
		return "1 Byte", nil
	case size < base:
		n, err := value.ToInt(size)
		return value.Str(n) + " Bytes", err
	case math.IsNaN(size):
		return "nan YB", nil
	}
	unit := base
	for i, p := range prefixes {
		unit *= base
		if size < unit || i == len(prefixes)-1 {
			return fmt.Sprintf("%.1f %s", base*size/unit, p), nil
		}
	}
	return nil, nil
}

func doInt(rt *run, a []value.Value) (value.Value, error) {
	var v value.Value
	var err error
	if s, ok := value.AsString(a[0]); ok {
		base, berr := value.Index(a[2])
		if berr != nil {
			err = berr
		} else {
			v, err = value.ParseInt(s, int(base))
		}
	} else {
		v, err = value.ToInt(a[0])
	}
	if err == nil || !value.IsClass(err, "TypeError", "ValueError") {
		return v, err
	}
	f, err := value.ToFloat(a[0])
	if err == nil {
		v, err = value.ToInt(f)
	}
	if value.IsClass(err, "TypeError", "ValueError", "OverflowError") {
		return a[1], nil
	}
	return v, err
}

func doGroupby(rt *run, a []value.Value) (value.Value, error) {
	sensitive, err := truth(rt, a[3])
	if err != nil {
		return nil, err
	}
	g, err := newGetter(rt, a[1], a[2], !sensitive)
	if err != nil {
		return nil, err
	}
	items, err := value.CopyItems(&rt.budget, a[0])
	if err != nil {
		return nil, err
	}
	keys := make([]value.Value, len(items))
	for i, it := range items {
		if keys[i], err = g.get(it); err != nil {
			return nil, err
		}
	}
	if err := value.SortValues(&rt.budget, items, keys, false); err != nil {
		return nil, err
	}
	out := &value.List{}
	shown := *g
	shown.fold = false
	var last value.Value
	for i, it := range items {
		key, err := g.get(it)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			eq, err := value.Eq(&rt.budget, last, key)
			if err != nil {
				return nil, err
			}
			if eq {
				group := out.Items[len(out.Items)-1].(*value.NamedTuple)
				group.Items[1].(*value.List).Append(it)
				continue
			}
		}
		last = key
		if key, err = shown.get(it); err != nil {
			return nil, err
		}
		out.Append(&value.NamedTuple{Names: []string{"grouper", "list"}, Items: value.Tuple{key, value.NewList(it)}})
		if err := rt.budget.AllocItems(4); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func doIndent(rt *run, a []value.Value) (value.Value, error) {
	indention, ok := value.AsString(a[1])
	if !ok {
		n, err := value.Index(a[1])
		if err != nil {
			return nil, value.TypeErrorf("can't multiply sequence by non-int of type %s", value.Quote(value.TypeName(a[1])))
		}
		if n > 1<<20 {
			return nil, &value.LimitError{Limit: "characters of indent", Max: "1048576"}
		}
		indention = strings.Repeat(" ", int(max(n, 0)))
	}
	first, err := truth(rt, a[2])
	if err != nil {
		return nil, err
	}
	blank, err := truth(rt, a[3])
	if err != nil {
		return nil, err
	}
	s, ok := value.AsString(a[0])
	if !ok {
		if u, ok := a[0].(*value.Undefined); ok {
			return nil, u.Err()
		}
		if _, ok := a[0].(*value.List); ok {
			return nil, value.Errorf("AttributeError", "'list' object has no attribute 'splitlines'")
		}
		return nil, value.TypeErrorf("unsupported operand type(s) for +=: %s and 'str'", value.Quote(value.TypeName(a[0])))
	}
	_, markup := a[0].(value.Markup)
	if markup {
		if _, isMarkup := a[1].(value.Markup); !isMarkup {
			indention = string(value.Markup(indention))
		}
	}
	lines := value.SplitLines(s+"\n", false)
	if err := rt.budget.Alloc(int64(len(s)) + int64(len(lines)+1)*int64(len(indention)+1)); err != nil {
		return nil, err
	}
	var sb strings.Builder
	if first {
		sb.WriteString(indention)
	}
	for i, l := range lines {
		if i > 0 {
			sb.WriteByte('\n')
			if blank || l != "" {
				sb.WriteString(indention)
			}
		}
		sb.WriteString(l)
	}
	return asMarkup(sb.String(), markup), nil
}

func doJoin(rt *run, a []value.Value) (value.Value, error) {
	b := &rt.budget
	items, err := value.CopyItems(b, a[0])
	if err != nil {
		return nil, err
	}
	if a[2] != nil {
		g, err := newGetter(rt, a[2], nil, false)
		if err != nil {
			return nil, err
		}
		for i := range items {
			if items[i], err = g.get(items[i]); err != nil {
				return nil, err
			}
		}
	}
	escape := false
	if rt.autoescape {
		_, escape = a[1].(value.Markup)
		for _, it := range items {
			if _, ok := it.(value.Markup); ok {
				escape = true
			}
		}
	}
	text := func(v value.Value) (string, error) {
		if escape {
			m, err := escapeValue(rt, v)
			return string(m), err
		}
		return value.ToStr(b, v)
	}
	sep, err := text(a[1])
	if err != nil {
		return nil, err
	}
	var sb strings.Builder
	for i, it := range items {
		s, err := text(it)
		if err != nil {
			return nil, err
		}
		if err := b.Alloc(int64(len(s) + len(sep))); err != nil {
			return nil, err
		}
		if i > 0 {
			sb.WriteString(sep)
		}
		sb.WriteString(s)
	}
	return asMarkup(sb.String(), escape), nil
}

func minMax(rt *run, a []value.Value, op string) (value.Value, error) {
	it, err := value.Iter(&rt.budget, a[0])
	if err != nil {
		return nil, err
	}
	best, ok, err := it.Next()
	if err != nil {
		return nil, err
	}
	if !ok {
		return rt.undefined(&value.Undefined{Hint: "No aggregated item, sequence was empty."}), nil
	}
	sensitive, err := truth(rt, a[1])
	if err != nil {
		return nil, err
	}
	g, err := newGetter(rt, a[2], nil, !sensitive)
	if err != nil {
		return nil, err
	}
	key, err := g.get(best)
	if err != nil {
		return nil, err
	}
	for {
		v, ok, err := it.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return best, nil
		}
		if err := rt.budget.Step(1); err != nil {
			return nil, err
		}
		k, err := g.get(v)
		if err != nil {
			return nil, err
		}
		better, err := value.Order(&rt.budget, op, k, key)
		if err != nil {
			return nil, err
		}
		if better {
			best, key = v, k
		}
	}
}

func doReplace(rt *run, a []value.Value) (value.Value, error) {
	count := int64(-1)
	if a[3] != nil {
		var err error
		if count, err = value.Index(a[3]); err != nil {
			return nil, err
		}
	}
	escape := false
	if rt.autoescape {
		_, escape = a[0].(value.Markup)
		_, old := a[1].(value.Markup)
		_, repl := a[2].(value.Markup)
		escape = escape || old || repl
	}
	text := func(v value.Value) (string, error) {
		if escape {
			m, err := escapeValue(rt, v)
			return string(m), err
		}
		return value.ToStr(&rt.budget, v)
	}
	s, err := text(a[0])
	if err != nil {
		return nil, err
	}
	from, err := text(a[1])
	if err != nil {
		return nil, err
	}
	to, err := text(a[2])
	if err != nil {
		return nil, err
	}
	s, err = value.Replace(&rt.budget, s, from, to, count)
	return asMarkup(s, escape), err
}

func doReverse(rt *run, a []value.Value) (value.Value, error) {
	switch s := a[0].(type) {
	case string, value.Markup:
		v, _, err := value.GetItem(&rt.budget, s, value.Slice{Step: int64(-1)})
		return v, err
	}
	it, err := value.Reversed(&rt.budget, a[0])
	if err == nil {
		it.Type = "list_reverseiterator"
		return it, nil
	}
	if !value.IsClass(err, "TypeError") {
		return nil, err
	}
	items, err := value.CopyItems(&rt.budget, a[0])
	if err != nil {
		if value.IsClass(err, "TypeError") {
			return nil, value.Errorf("FilterArgumentError", "argument must be iterable")
		}
		return nil, err
	}
	for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
		items[i], items[j] = items[j], items[i]
	}
	return &value.List{Items: items}, nil
}

func doRound(rt *run, a []value.Value) (value.Value, error) {
	method, _ := value.AsString(a[2])
	if method != "common" && method != "ceil" && method != "floor" {
		return nil, value.Errorf("FilterArgumentError", "method must be common, ceil or floor")
	}
	if method == "common" {
		return value.Round(&rt.budget, a[0], a[1])
	}
	b := &rt.budget
	unit, err := value.Pow(b, int64(10), a[1])
	if err != nil {
		return nil, err
	}
	scaled, err := value.Mul(b, a[0], unit)
	if err != nil {
		return nil, err
	}
	if f, ok := scaled.(float64); ok {
		if method == "ceil" {
			f = math.Ceil(f)
		} else {
			f = math.Floor(f)
		}
		if scaled, err = value.ToInt(f); err != nil {
			return nil, err
		}
	} else if _, err := value.ToFloat(scaled); err != nil || isText(scaled) {
		return nil, value.TypeErrorf("must be real number, not %s", value.TypeName(scaled))
	}
	return value.Div(b, scaled, unit)
}

func isText(v value.Value) bool {
	_, ok := value.AsString(v)
	return ok
}

func doSort(rt *run, a []value.Value) (value.Value, error) {
	reverse, err := truth(rt, a[1])
	if err != nil {
		return nil, err
	}
	sensitive, err := truth(rt, a[2])
	if err != nil {
		return nil, err
	}
	items, err := value.CopyItems(&rt.budget, a[0])
	if err != nil {
		return nil, err
	}
	attrs := []value.Value{a[3]}
	if s, ok := value.AsString(a[3]); ok {
		attrs = nil
		for _, p := range strings.Split(s, ",") {
			attrs = append(attrs, p)
		}
	}
	getters := make([]*getter, len(attrs))
	for i, at := range attrs {
		if getters[i], err = newGetter(rt, at, nil, !sensitive); err != nil {
			return nil, err
		}
	}
	if err := rt.budget.AllocItems(int64(len(items) * len(getters))); err != nil {
		return nil, err
	}
	keys := make([]value.Value, len(items))
	for i, it := range items {
		if len(getters) == 1 {
			if keys[i], err = getters[0].get(it); err != nil {
				return nil, err
			}
			continue
		}
		key := make(value.Tuple, len(getters))
		for j, g := range getters {
			if key[j], err = g.get(it); err != nil {
				return nil, err
			}
		}
		keys[i] = key
	}
	if len(getters) == 1 {
		// Jinja compares lists of keys. It only shows for undefined ones,
		// which can be equal but not ordered.
		for _, k := range keys {
			if _, ok := k.(*value.Undefined); ok {
				for i := range keys {
					keys[i] = value.Tuple{keys[i]}
				}
				break
			}
		}
	}
	if err := value.SortValues(&rt.budget, items, keys, reverse); err != nil {
		return nil, err
	}
	return &value.List{Items: items}, nil
}

func doSum(rt *run, a []value.Value) (value.Value, error) {
	it, err := value.Iter(&rt.budget, a[0])
	if err != nil {
		return nil, err
	}
	if _, ok := a[2].(string); ok {
		return nil, value.TypeErrorf("sum() can't sum strings [use ''.join(seq) instead]")
	}
	g, err := newGetter(rt, a[1], nil, false)
	if err != nil {
		return nil, err
	}
	sum := a[2]
	for {
		v, ok, err := it.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return sum, nil
		}
		if v, err = g.get(v); err != nil {
			return nil, err
		}
		if sum, err = value.Add(&rt.budget, sum, v); err != nil {
			return nil, err
		}
	}
}

func titleFilter(s string) string {
	var sb strings.Builder
	start := true
	for _, r := range s {
		if r == '-' || r == '(' || r == '{' || r == '[' || r == '<' || value.IsSpace(r) {
			start = true
			sb.WriteRune(r)
			continue
		}
		if start {
			sb.WriteString(value.Upper(string(r)))
		} else {
			sb.WriteString(value.Lower(string(r)))
		}
		start = false
	}
	return sb.String()
}

func doTruncate(rt *run, a []value.Value) (value.Value, error) {
	length, err := value.Index(a[1])
	if err != nil {
		return nil, err
	}
	end, ok := value.AsString(a[3])
	if !ok {
		return nil, value.TypeErrorf("object of type %s has no len()", value.Quote(value.TypeName(a[3])))
	}
	leeway := int64(5)
	if a[4] != nil {
		if leeway, err = value.Index(a[4]); err != nil {
			return nil, err
		}
	}
	endLen := int64(utf8.RuneCountInString(end))
	if length < endLen {
		return nil, value.Errorf("AssertionError", "expected length >= %d, got %d", endLen, length)
	}
	if leeway < 0 {
		return nil, value.Errorf("AssertionError", "expected leeway >= 0, got %d", leeway)
	}
	n, err := value.Len(&rt.budget, a[0])
	if err != nil {
		return nil, err
	}
	if int64(n) <= length || int64(n)-length <= leeway {
		return a[0], nil
	}
	kill, err := truth(rt, a[2])
	if err != nil {
		return nil, err
	}
	cut, ok, err := value.GetItem(&rt.budget, a[0], value.Slice{Stop: length - endLen})
	if err != nil {
		return nil, err
	}
	s, isStr := value.AsString(cut)
	if !ok || !isStr {
		return nil, value.TypeErrorf("can only concatenate %s (not \"str\") to %s", value.TypeName(a[0]), value.TypeName(a[0]))
	}
	if !kill {
		if i := strings.LastIndexByte(s, ' '); i >= 0 {
			s = s[:i]
		}
	}
	_, markup := a[0].(value.Markup)
	if markup {
		end = value.EscapeHTML(end)
	}
	return asMarkup(s+end, markup), nil
}

func doUnique(rt *run, a []value.Value) (value.Value, error) {
	sensitive, err := truth(rt, a[1])
	if err != nil {
		return nil, err
	}
	g, err := newGetter(rt, a[2], nil, !sensitive)
	if err != nil {
		return nil, err
	}
	var it *value.Iterator
	seen := value.NewSet()
	return value.NewIterator(func() (value.Value, bool, error) {
		if it == nil {
			var err error
			if it, err = value.Iter(&rt.budget, a[0]); err != nil {
				return nil, false, err
			}
		}
		for {
			v, ok, err := it.Next()
			if err != nil || !ok {
				return nil, false, err
			}
			key, err := g.get(v)
			if err != nil {
				return nil, false, err
			}
			if err := value.CheckHashable(key); err != nil {
				return nil, false, err
			}
			if err := rt.budget.AllocItems(1); err != nil {
				return nil, false, err
			}
			if !seen.Has(key) {
				seen.Add(key)
				return v, true, nil
			}
		}
	}), nil
}

func urlQuote(rt *run, v value.Value, query bool) (string, error) {
	s, ok := v.(value.Bytes)
	if !ok {
		t, err := value.ToStr(&rt.budget, v)
		if err != nil {
			return "", err
		}
		s = value.Bytes(t)
	}
	if err := rt.budget.Alloc(3 * int64(len(s))); err != nil {
		return "", err
	}
	var sb strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.', c == '-', c == '~', c == '/' && !query:
			sb.WriteByte(c)
		case c == ' ' && query:
			sb.WriteByte('+')
		default:
			fmt.Fprintf(&sb, "%%%02X", c)
		}
	}
	return sb.String(), nil
}

func doURLEncode(rt *run, a []value.Value) (value.Value, error) {
	if isText(a[0]) || !value.IsIterable(a[0]) {
		return urlQuote(rt, a[0], false)
	}
	src := a[0]
	if d, ok := src.(*value.Dict); ok {
		src = d.ItemsView()
	}
	items, err := value.Items(&rt.budget, src)
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, it := range items {
		kv, err := unpack(&rt.budget, it, 2)
		if err != nil {
			return nil, err
		}
		k, err := urlQuote(rt, kv[0], true)
		if err != nil {
			return nil, err
		}
		v, err := urlQuote(rt, kv[1], true)
		if err != nil {
			return nil, err
		}
		parts = append(parts, k+"="+v)
	}
	return strings.Join(parts, "&"), nil
}

func doXMLAttr(rt *run, a []value.Value) (value.Value, error) {
	d, ok := a[0].(*value.Dict)
	if !ok {
		if u, ok := a[0].(*value.Undefined); ok {
			return nil, u.Err()
		}
		return nil, value.Errorf("AttributeError", "%s object has no attribute 'items'", value.Quote(value.TypeName(a[0])))
	}
	autospace, err := truth(rt, a[1])
	if err != nil {
		return nil, err
	}
	var parts []string
	for k, v := range d.All() {
		if _, undef := v.(*value.Undefined); undef || v == nil {
			continue
		}
		key, ok := value.AsString(k)
		if !ok {
			return nil, value.TypeErrorf("expected string or bytes-like object, got %s", value.Quote(value.TypeName(k)))
		}
		if strings.ContainsAny(key, " \t\n\r\f\v/>=") {
			return nil, value.ValueErrorf("Invalid character in attribute name: %s", value.Quote(key))
		}
		ke, err := escapeValue(rt, k)
		if err != nil {
			return nil, err
		}
		ve, err := escapeValue(rt, v)
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(ke)+`="`+string(ve)+`"`)
	}
	s := strings.Join(parts, " ")
	if autospace && s != "" {
		s = " " + s
	}
	return asMarkup(s, rt.autoescape), nil
}

func doFormat(c *value.Call) (value.Value, error) {
	if len(c.Args) == 0 {
		return nil, value.TypeErrorf("do_format() missing 1 required positional argument: 'value'")
	}
	rt := scopeOf(c)
	if len(c.Args) > 1 && len(c.Kwargs) > 0 {
		return nil, value.Errorf("FilterArgumentError", "can't handle positional and keyword arguments at the same time")
	}
	s, markup, err := softText(rt, c.Args[0])
	if err != nil {
		return nil, err
	}
	var arg value.Value = value.Tuple(c.Args[1:])
	if len(c.Kwargs) > 0 {
		d := value.NewDict()
		for _, k := range c.Kwargs {
			d.Set(k.Name, k.Value)
		}
		arg = d
	}
	return value.Mod(c.Budget, asMarkup(s, markup), arg)
}

// kwargsCopy keeps keyword arguments beyond the call.
func kwargsCopy(kw []value.Kwarg) []value.Kwarg { return append([]value.Kwarg(nil), kw...) }

// byName calls a filter or test chosen by name at run time.
func byName(rt *run, c *value.Call, table map[string]*value.Func, what string, name value.Value, rest []value.Value, kw []value.Kwarg) (func(v value.Value) (value.Value, error), error) {
	s, ok := value.AsString(name)
	if !ok {
		if err := value.CheckHashable(name); err != nil {
			return nil, err
		}
	}
	fn := table[s]
	if fn == nil || !ok {
		return nil, value.Errorf("TemplateRuntimeError", "No %s named %s.", what, value.Repr(name))
	}
	budget, scope := c.Budget, c.Scope
	return func(v value.Value) (value.Value, error) {
		args := make([]value.Value, 0, len(rest)+1)
		args = append(append(args, v), rest...)
		if err := budget.Enter(); err != nil {
			return nil, err
		}
		defer budget.Leave()
		if err := budget.Step(1); err != nil {
			return nil, err
		}
		return fn.Fn(&value.Call{Budget: budget, Scope: scope, Args: args, Kwargs: kw})
	}, nil
}

func doMap(c *value.Call) (value.Value, error) {
	rt := scopeOf(c)
	if len(c.Args) == 0 {
		return nil, value.TypeErrorf("sync_do_map() missing 1 required positional argument: 'value'")
	}
	src, args, kw := c.Args[0], c.Args[1:], kwargsCopy(c.Kwargs)
	var it *value.Iterator
	var fn func(v value.Value) (value.Value, error)
	prepare := func() error {
		ok, err := truth(rt, src)
		if err != nil {
			return err
		}
		if !ok {
			it, err = value.Iter(nil, value.Tuple{})
			return err
		}
		hasAttr := false
		for _, k := range kw {
			hasAttr = hasAttr || k.Name == "attribute"
		}
		if len(args) == 0 && hasAttr {
			var attr, def value.Value
			for _, k := range kw {
				switch k.Name {
				case "attribute":
					attr = k.Value
				case "default":
					def = k.Value
				default:
					return value.Errorf("FilterArgumentError", "Unexpected keyword argument %s", value.Quote(k.Name))
				}
			}
			g, err := newGetter(rt, attr, def, false)
			if err != nil {
				return err
			}
			fn = g.get
		} else {
			if len(args) == 0 {
				return value.Errorf("FilterArgumentError", "map requires a filter argument")
			}
			if fn, err = byName(rt, c, rt.env.filters, "filter", args[0], args[1:], kw); err != nil {
				// The name is looked up per item: an empty sequence is no error.
				bad := err
				fn = func(value.Value) (value.Value, error) { return nil, bad }
			}
		}
		it, err = value.Iter(c.Budget, src)
		return err
	}
	return value.NewIterator(func() (value.Value, bool, error) {
		if it == nil {
			if err := prepare(); err != nil {
				return nil, false, err
			}
		}
		v, ok, err := it.Next()
		if err != nil || !ok {
			return nil, false, err
		}
		if err := c.Budget.Step(1); err != nil {
			return nil, false, err
		}
		v, err = fn(v)
		return v, true, err
	}), nil
}

func selectFilter(name string, keep, attr bool) *value.Func {
	return value.NewFunc(name, func(c *value.Call) (value.Value, error) {
		rt := scopeOf(c)
		if len(c.Args) == 0 {
			return nil, value.TypeErrorf("%s() missing 1 required positional argument: 'value'", name)
		}
		src, args, kw := c.Args[0], c.Args[1:], kwargsCopy(c.Kwargs)
		var it *value.Iterator
		var get, test func(v value.Value) (value.Value, error)
		prepare := func() error {
			ok, err := truth(rt, src)
			if err != nil {
				return err
			}
			if !ok {
				it, err = value.Iter(nil, value.Tuple{})
				return err
			}
			if attr {
				if len(args) == 0 {
					return value.Errorf("FilterArgumentError", "Missing parameter for attribute name")
				}
				g, err := newGetter(rt, args[0], nil, false)
				if err != nil {
					return err
				}
				get = g.get
				args = args[1:]
			}
			if len(args) > 0 {
				if test, err = byName(rt, c, rt.env.tests, "test", args[0], args[1:], kw); err != nil {
					bad := err
					test = func(value.Value) (value.Value, error) { return nil, bad }
				}
			}
			it, err = value.Iter(c.Budget, src)
			return err
		}
		return value.NewIterator(func() (value.Value, bool, error) {
			if it == nil {
				if err := prepare(); err != nil {
					return nil, false, err
				}
			}
			for {
				item, ok, err := it.Next()
				if err != nil || !ok {
					return nil, false, err
				}
				if err := c.Budget.Step(1); err != nil {
					return nil, false, err
				}
				v := item
				if get != nil {
					if v, err = get(v); err != nil {
						return nil, false, err
					}
				}
				if test != nil {
					if v, err = test(v); err != nil {
						return nil, false, err
					}
				}
				yes, err := truth(rt, v)
				if err != nil {
					return nil, false, err
				}
				if yes == keep {
					return item, true, nil
				}
			}
		}), nil
	})
}

func isWordRune(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r >= 0x80 && wordRune(r)
}

var wordPattern = mustCompile(`\w`, 0)

func mustCompile(p string, f pyre.Flags) *pyre.Regexp {
	r, err := pyre.Compile(p, f)
	if err != nil {
		panic(err)
	}
	return r
}

func wordRune(r rune) bool {
	m, _ := wordPattern.Match(string(r))
	return m != nil
}

// --- wordwrap: Python's textwrap ---

var (
	wordSep  = mustCompile(`([\t\n\x0b\x0c\r ]+|(?<=[\w!"\'&.,?])-{2,}(?=\w)|[^\t\n\x0b\x0c\r ]+?(?:-(?:(?<=[^\d\W]{2}-)|(?<=[^\d\W]-[^\d\W]-))(?=[^\d\W]-?[^\d\W])|(?=[\t\n\x0b\x0c\r ]|\Z)|(?<=[\w!"\'&.,?])(?=-{2,}\w)))`, 0)
	spaceSep = mustCompile(`([\t\n\x0b\x0c\r ]+)`, 0)
)

func doWordwrap(rt *run, a []value.Value) (value.Value, error) {
	s, ok := value.AsString(a[0])
	if !ok {
		if u, ok := a[0].(*value.Undefined); ok {
			return nil, u.Err()
		}
		return nil, value.Errorf("AttributeError", "%s object has no attribute 'splitlines'", value.Quote(value.TypeName(a[0])))
	}
	width, err := value.Index(a[1])
	if err != nil {
		return nil, err
	}
	breakLong, err := truth(rt, a[2])
	if err != nil {
		return nil, err
	}
	sep := "\n"
	if a[3] != nil {
		if sep, ok = value.AsString(a[3]); !ok {
			return nil, value.Errorf("AttributeError", "%s object has no attribute 'join'", value.Quote(value.TypeName(a[3])))
		}
	}
	hyphens, err := truth(rt, a[4])
	if err != nil {
		return nil, err
	}
	// Each character may become a line of its own.
	if err := rt.budget.Alloc(int64(len(s)) * int64(8+len(sep))); err != nil {
		return nil, err
	}
	var paragraphs []string
	for _, line := range value.SplitLines(s, false) {
		if err := rt.budget.Step(1 + len(line)/8); err != nil {
			return nil, err
		}
		lines, err := wrapLine(line, width, breakLong, hyphens)
		if err != nil {
			return nil, err
		}
		paragraphs = append(paragraphs, strings.Join(lines, sep))
	}
	return strings.Join(paragraphs, sep), nil
}

func wrapLine(text string, width int64, breakLong, hyphens bool) ([]string, error) {
	if width <= 0 {
		return nil, value.ValueErrorf("invalid width %d (must be > 0)", width)
	}
	re := spaceSep
	if hyphens {
		re = wordSep
	}
	parts, err := re.Split(text, 0)
	if err != nil {
		return nil, err
	}
	var chunks [][]rune
	for _, p := range parts {
		if s, ok := p.(string); ok && s != "" {
			chunks = append(chunks, []rune(s))
		}
	}
	blank := func(r []rune) bool { return value.TrimSpace(string(r)) == "" }
	var lines []string
	for len(chunks) > 0 {
		var cur [][]rune
		curLen := int64(0)
		if len(lines) > 0 && blank(chunks[0]) {
			chunks = chunks[1:]
		}
		for len(chunks) > 0 && curLen+int64(len(chunks[0])) <= width {
			cur = append(cur, chunks[0])
			curLen += int64(len(chunks[0]))
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && int64(len(chunks[0])) > width {
			space := width - curLen
			if breakLong {
				end := space
				chunk := chunks[0]
				if hyphens && int64(len(chunk)) > space {
					hyphen := int64(-1)
					for i := int64(0); i < space; i++ {
						if chunk[i] == '-' {
							hyphen = i
						}
					}
					if hyphen > 0 && strings.Trim(string(chunk[:hyphen]), "-") != "" {
						end = hyphen + 1
					}
				}
				cur = append(cur, chunk[:end])
				chunks[0] = chunk[end:]
			} else if len(cur) == 0 {
				cur = append(cur, chunks[0])
				chunks = chunks[1:]
			}
		}
		if len(cur) > 0 && blank(cur[len(cur)-1]) {
			cur = cur[:len(cur)-1]
		}
		if len(cur) > 0 {
			var sb strings.Builder
			for _, c := range cur {
				sb.WriteString(string(c))
			}
			lines = append(lines, sb.String())
		}
	}
	return lines, nil
}

// --- urlize ---

var (
	urlSpace  = mustCompile(`(\s+)`, 0)
	urlScheme = mustCompile(`^([\w.+-]{2,}:(/){0,2})$`, 0)
	urlHTTP   = mustCompile(`^((https?://|www\.)(([\w%-]+\.)+)?([a-z]{2,63}|xn--[\w%]{2,59})|([\w%-]{2,63}\.)+(com|net|int|edu|gov|org|info|mil)|(https?://)((([\d]{1,3})(\.[\d]{1,3}){3})|(\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}])))(?::[\d]{1,5})?(?:[/?#]\S*)?$`, pyre.IgnoreCase)
	urlEmail  = mustCompile(`^\S+@\w[\w.-]*\.\w+$`, 0)
)

func doURLize(rt *run, a []value.Value) (value.Value, error) {
	text, err := escapeValue(rt, a[0])
	if err != nil {
		return nil, err
	}
	limit := int64(-1)
	if a[1] != nil {
		if limit, err = value.Index(a[1]); err != nil {
			return nil, err
		}
	}
	nofollow, err := truth(rt, a[2])
	if err != nil {
		return nil, err
	}
	rels := map[string]bool{"noopener": true}
	if s, ok := value.AsString(a[4]); ok {
		for _, r := range value.Split(s, "", -1) {
			rels[r] = true
		}
	}
	if nofollow {
		rels["nofollow"] = true
	}
	var names []string
	for r := range rels {
		names = append(names, r)
	}
	sort.Strings(names)
	attrs := ` rel="` + value.EscapeHTML(strings.Join(names, " ")) + `"`
	if s, ok := value.AsString(a[3]); ok && s != "" {
		attrs += ` target="` + value.EscapeHTML(s) + `"`
	}
	var schemes []string
	if a[5] != nil {
		items, err := value.Items(&rt.budget, a[5])
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			s, _ := value.AsString(it)
			if m, _ := urlScheme.FullMatch(s); m == nil {
				return nil, value.Errorf("FilterArgumentError", "%s is not a valid URI scheme prefix.", value.Repr(it))
			}
			schemes = append(schemes, s)
		}
	}
	trim := func(s string) string {
		if limit >= 0 && int64(utf8.RuneCountInString(s)) > limit {
			return string([]rune(s)[:limit]) + "..."
		}
		return s
	}
	words, err := urlSpace.Split(string(text), 0)
	if err != nil {
		return nil, err
	}
	var sb strings.Builder
	for _, w := range words {
		word, _ := w.(string)
		if err := rt.budget.Alloc(int64(3*len(word) + len(attrs))); err != nil {
			return nil, err
		}
		if err := rt.budget.Step(1 + len(word)/4); err != nil {
			return nil, err
		}
		s, err := linkWord(word, attrs, schemes, trim)
		if err != nil {
			return nil, err
		}
		sb.WriteString(s)
	}
	return asMarkup(sb.String(), rt.autoescape), nil
}

// cutSet takes the longest run of the given pieces off one end of s.
func cutSet(s string, front bool, pieces ...string) (rest, cut string) {
	rest = s
again:
	for _, p := range pieces {
		if front && strings.HasPrefix(rest, p) {
			rest = rest[len(p):]
			goto again
		}
		if !front && strings.HasSuffix(rest, p) {
			rest = rest[:len(rest)-len(p)]
			goto again
		}
	}
	if front {
		return rest, s[:len(s)-len(rest)]
	}
	return rest, s[len(rest):]
}

func linkWord(word, attrs string, schemes []string, trim func(string) string) (string, error) {
	middle, head := cutSet(word, true, "&lt;", "(", "<")
	middle, tail := cutSet(middle, false, "&gt;", ")", ">", ".", ",", "\n")
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		n := strings.Count(middle, pair[0])
		if n <= strings.Count(middle, pair[1]) {
			continue
		}
		for range min(n, strings.Count(tail, pair[1])) {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			middle += tail[:end]
			tail = tail[end:]
		}
	}
	matches := func(re *pyre.Regexp, s string) (bool, error) {
		m, err := re.Match(s)
		return m != nil, err
	}
	isHTTP, err := matches(urlHTTP, middle)
	if err != nil {
		return "", err
	}
	if isHTTP {
		href := middle
		if !strings.HasPrefix(middle, "https://") && !strings.HasPrefix(middle, "http://") {
			href = "https://" + middle
		}
		return head + `<a href="` + href + `"` + attrs + ">" + trim(middle) + "</a>" + tail, nil
	}
	if strings.HasPrefix(middle, "mailto:") {
		ok, err := matches(urlEmail, middle[7:])
		if err != nil {
			return "", err
		}
		if ok {
			return head + `<a href="` + middle + `">` + middle[7:] + "</a>" + tail, nil
		}
	}
	if strings.Contains(middle, "@") && !strings.HasPrefix(middle, "www.") && !strings.HasPrefix(middle, "@") && !strings.Contains(middle, ":") {
		ok, err := matches(urlEmail, middle)
		if err != nil {
			return "", err
		}
		if ok {
			return head + `<a href="mailto:` + middle + `">` + middle + "</a>" + tail, nil
		}
	}
	for _, s := range schemes {
		if middle != s && strings.HasPrefix(middle, s) {
			middle = `<a href="` + middle + `"` + attrs + ">" + middle + "</a>"
		}
	}
	return head + middle + tail, nil
}
