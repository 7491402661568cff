package value

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

func selfText(v Value) string {
	s, _ := AsString(v)
	return s
}

// strFn wraps a method without arguments.
func strFn(name string, fn func(s string) Value) Method {
	return func(c *Call, self Value) (Value, error) {
		if err := noArgs(c, "str."+name); err != nil {
			return nil, err
		}
		s := selfText(self)
		if err := c.Budget.Alloc(int64(len(s))); err != nil {
			return nil, err
		}
		return fn(s), nil
	}
}

// allRunes says whether the text is not empty and every character fits.
func allRunes(s string, ok func(r rune) bool) bool {
	for _, r := range s {
		if !ok(r) {
			return false
		}
	}
	return s != ""
}

// upperSpecial are the characters whose upper case is several characters.
var upperSpecial = map[rune]string{'ß': "SS", 'ŉ': "ʼN", 'ǰ': "J̌", 'ΐ': "Ϊ́", 'ΰ': "Ϋ́", 'և': "ԵՒ",
	'ẖ': "H̱", 'ẗ': "T̈", 'ẘ': "W̊", 'ẙ': "Y̊", 'ẚ': "Aʾ",
	'ﬀ': "FF", 'ﬁ': "FI", 'ﬂ': "FL", 'ﬃ': "FFI", 'ﬄ': "FFL", 'ﬅ': "ST", 'ﬆ': "ST"}

// Upper is str.upper().
func Upper(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			var sb strings.Builder
			for _, r := range s {
				if t, ok := upperSpecial[r]; ok {
					sb.WriteString(t)
				} else {
					sb.WriteRune(unicode.ToUpper(r))
				}
			}
			return sb.String()
		}
	}
	return strings.ToUpper(s)
}

// Lower is str.lower().
func Lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			var sb strings.Builder
			runes := []rune(s)
			for i, r := range runes {
				switch {
				case r == 'İ':
					sb.WriteString("i̇")
				case r == 'Σ' && i > 0 && unicode.IsLetter(runes[i-1]) && (i+1 == len(runes) || !unicode.IsLetter(runes[i+1])):
					sb.WriteRune('ς')
				default:
					sb.WriteRune(unicode.ToLower(r))
				}
			}
			return sb.String()
		}
	}
	return strings.ToLower(s)
}

func titleRune(r rune) string {
	if t, ok := upperSpecial[r]; ok {
		first, n := utf8.DecodeRuneInString(t)
		return string(first) + Lower(t[n:])
	}
	return string(unicode.ToTitle(r))
}

// Capitalize is str.capitalize().
func Capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return titleRune(r) + Lower(s[n:])
}

func isCased(r rune) bool { return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) }

// Title is str.title().
func Title(s string) string {
	var sb strings.Builder
	prev := false
	for _, r := range s {
		if prev {
			sb.WriteRune(unicode.ToLower(r))
		} else {
			sb.WriteString(titleRune(r))
		}
		prev = isCased(r)
	}
	return sb.String()
}

func isDigitRune(r rune) bool {
	switch {
	case unicode.Is(unicode.Nd, r), r == '²', r == '³', r == '¹', r == 0x2070, r >= 0x2074 && r <= 0x2079, r >= 0x2080 && r <= 0x2089,
		r >= 0x2460 && r <= 0x2468, r >= 0x2474 && r <= 0x247c, r >= 0x2488 && r <= 0x2490, r >= 0x1369 && r <= 0x1371:
		return true
	}
	return false
}

func isNumericRune(r rune) bool {
	return unicode.IsNumber(r) || strings.ContainsRune("零一二三四五六七八九十百千万億兆", r)
}

// IsUpper is str.isupper().
func IsUpper(s string) bool {
	any := false
	for _, r := range s {
		if unicode.IsLower(r) || unicode.IsTitle(r) {
			return false
		}
		any = any || unicode.IsUpper(r)
	}
	return any
}

// IsLower is str.islower().
func IsLower(s string) bool {
	any := false
	for _, r := range s {
		if unicode.IsUpper(r) || unicode.IsTitle(r) {
			return false
		}
		any = any || unicode.IsLower(r)
	}
	return any
}

func isTitle(s string) bool {
	prev, any := false, false
	for _, r := range s {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			if prev {
				return false
			}
			prev, any = true, true
		case unicode.IsLower(r):
			if !prev {
				return false
			}
			any = true
		default:
			prev = false
		}
	}
	return any
}

// SplitLines is str.splitlines(keepends).
func SplitLines(s string, keep bool) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		end := i
		i += n
		switch r {
		case '\r':
			if i < len(s) && s[i] == '\n' {
				i++
			}
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		default:
			continue
		}
		if keep {
			end = i
		}
		out = append(out, s[start:end])
		start = i
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

// Split is str.split: sep "" means runs of whitespace; limit < 0 no limit.
func Split(s, sep string, limit int64) []string {
	if limit < 0 {
		limit = int64(len(s)) + 1
	}
	if sep != "" {
		if limit >= int64(len(s))+1 {
			return strings.Split(s, sep)
		}
		return strings.SplitN(s, sep, int(limit)+1)
	}
	var out []string
	s = strings.TrimLeftFunc(s, IsSpace)
	for s != "" {
		if int64(len(out)) == limit {
			return append(out, strings.TrimRightFunc(s, IsSpace))
		}
		i := strings.IndexFunc(s, IsSpace)
		if i < 0 {
			return append(out, s)
		}
		out = append(out, s[:i])
		s = strings.TrimLeftFunc(s[i:], IsSpace)
	}
	return out
}

// RSplit is str.rsplit.
func RSplit(s, sep string, limit int64) []string {
	if limit < 0 {
		return Split(s, sep, -1)
	}
	var out []string
	if sep != "" {
		for int64(len(out)) < limit {
			i := strings.LastIndex(s, sep)
			if i < 0 {
				break
			}
			out = append(out, s[i+len(sep):])
			s = s[:i]
		}
		out = append(out, s)
	} else {
		s = strings.TrimRightFunc(s, IsSpace)
		for s != "" {
			if int64(len(out)) == limit {
				out = append(out, strings.TrimLeftFunc(s, IsSpace))
				break
			}
			i := strings.LastIndexFunc(s, IsSpace)
			if i < 0 {
				out = append(out, s)
				break
			}
			_, n := utf8.DecodeRuneInString(s[i:])
			out = append(out, s[i+n:])
			s = strings.TrimRightFunc(s[:i], IsSpace)
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// Strip is str.strip(chars) on the sides asked for; chars nil means whitespace.
func Strip(s string, chars *string, left, right bool) string {
	cut := IsSpace
	if chars != nil {
		cut = func(r rune) bool { return strings.ContainsRune(*chars, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, cut)
	}
	if right {
		s = strings.TrimRightFunc(s, cut)
	}
	return s
}

func stripMethod(name string, left, right bool) Method {
	return func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, name, 0, 1)
		if err != nil {
			return nil, err
		}
		if a[0] == nil {
			return Strip(selfText(self), nil, left, right), nil
		}
		chars, ok := AsString(a[0])
		if !ok {
			return nil, TypeErrorf("%s arg must be None or str", name)
		}
		return Strip(selfText(self), &chars, left, right), nil
	}
}

func splitMethod(name string, split func(s, sep string, limit int64) []string) Method {
	return func(c *Call, self Value) (Value, error) {
		a, err := c.Bind(name, Opt("sep", nil), Opt("maxsplit", int64(-1)))
		if err != nil {
			return nil, err
		}
		sep := ""
		if a[0] != nil {
			s, ok := AsString(a[0])
			if !ok {
				return nil, TypeErrorf("must be str or None, not %s", TypeName(a[0]))
			}
			if s == "" {
				return nil, ValueErrorf("empty separator")
			}
			sep = s
		}
		limit, err := Index(a[1])
		if err != nil {
			return nil, err
		}
		return textList(c.Budget, split(selfText(self), sep, limit))
	}
}

func textList(b *Budget, parts []string) (Value, error) {
	if err := b.AllocItems(int64(2 * len(parts))); err != nil {
		return nil, err
	}
	l := &List{Items: make([]Value, len(parts))}
	for i, p := range parts {
		l.Items[i] = p
	}
	return l, nil
}

func justMethod(name string, place func(pad, width int) (left, right int)) Method {
	return func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, name, 1, 2)
		if err != nil {
			return nil, err
		}
		fill := " "
		if len(c.Args) == 2 {
			s, ok := AsString(a[1])
			if !ok {
				return nil, TypeErrorf("The fill character must be a unicode character, not %s", TypeName(a[1]))
			}
			if utf8.RuneCountInString(s) != 1 {
				return nil, TypeErrorf("The fill character must be exactly one character long")
			}
			fill = s
		}
		width, err := Index(a[0])
		if err != nil {
			return nil, err
		}
		return Justify(c.Budget, selfText(self), width, fill, place)
	}
}

// Justify pads s with fill to width; place divides the padding.
func Justify(b *Budget, s string, width int64, fill string, place func(pad, width int) (left, right int)) (string, error) {
	n := int64(utf8.RuneCountInString(s))
	if width <= n {
		return s, nil
	}
	if width > 1<<31 {
		width = 1 << 31
	}
	if err := b.Alloc(int64(len(s)) + (width-n)*int64(len(fill))); err != nil {
		return "", err
	}
	left, right := place(int(width-n), int(width))
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, right), nil
}

// PlaceCenter is how str.center divides padding.
func PlaceCenter(pad, width int) (left, right int) {
	left = pad/2 + pad&width&1
	return left, pad - left
}

// substring returns the part of s that a method with start and stop looks at,
// and how many characters stand before it.
func substring(c *Call, s string, start, stop Value) (sub string, skipped int64, ok bool, err error) {
	if start == nil && stop == nil {
		return s, 0, true, nil
	}
	n := int64(utf8.RuneCountInString(s))
	i, j, _, err := Slice{Start: start, Stop: stop}.resolve(n)
	if err != nil {
		return "", 0, false, err
	}
	if raw, isInt := AsInt(start); isInt && raw > n {
		return "", 0, false, nil
	}
	if i > j {
		return "", 0, false, nil
	}
	sub, err = sliceText(c.Budget, s, Range{i, j, 1}, int(n))
	return sub, i, true, err
}

func findMethod(name string, last, raise bool) Method {
	return func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, name, 1, 3)
		if err != nil {
			return nil, err
		}
		needle, ok := AsString(a[0])
		if !ok {
			return nil, TypeErrorf("must be str, not %s", TypeName(a[0]))
		}
		sub, skipped, ok, err := substring(c, selfText(self), a[1], a[2])
		if err != nil {
			return nil, err
		}
		i := -1
		if ok {
			if last {
				i = strings.LastIndex(sub, needle)
			} else {
				i = strings.Index(sub, needle)
			}
		}
		if i < 0 {
			if raise {
				return nil, ValueErrorf("substring not found")
			}
			return int64(-1), nil
		}
		return skipped + int64(utf8.RuneCountInString(sub[:i])), nil
	}
}

func affixMethod(name string, has func(s, affix string) bool) Method {
	return func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, name, 1, 3)
		if err != nil {
			return nil, err
		}
		sub, _, ok, err := substring(c, selfText(self), a[1], a[2])
		if err != nil || !ok {
			return false, err
		}
		if t, isTuple := a[0].(Tuple); isTuple {
			for _, it := range t {
				s, isStr := AsString(it)
				if !isStr {
					return nil, TypeErrorf("tuple for %s must only contain str, not %s", name, TypeName(it))
				}
				if has(sub, s) {
					return true, nil
				}
			}
			return false, nil
		}
		s, isStr := AsString(a[0])
		if !isStr {
			return nil, TypeErrorf("%s first arg must be str or a tuple of str, not %s", name, TypeName(a[0]))
		}
		return has(sub, s), nil
	}
}

func partitionMethod(name string, last bool) Method {
	return func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "str."+name, 1, 1)
		if err != nil {
			return nil, err
		}
		sep, ok := AsString(a[0])
		if !ok {
			return nil, TypeErrorf("must be str, not %s", TypeName(a[0]))
		}
		if sep == "" {
			return nil, ValueErrorf("empty separator")
		}
		s := selfText(self)
		i := strings.Index(s, sep)
		if last {
			i = strings.LastIndex(s, sep)
		}
		if i < 0 {
			if last {
				return Tuple{"", "", s}, nil
			}
			return Tuple{s, "", ""}, nil
		}
		return Tuple{s[:i], sep, s[i+len(sep):]}, nil
	}
}

func cutMethod(name string, cut func(s, affix string) string) Method {
	return func(c *Call, self Value) (Value, error) {
		a, err := posArgs(c, "str."+name, 1, 1)
		if err != nil {
			return nil, err
		}
		s, err := needStr(a[0], name, 1)
		return cut(selfText(self), s), err
	}
}

// Replace is str.replace; count < 0 means all.
func Replace(b *Budget, s, old, repl string, count int64) (string, error) {
	n := int64(strings.Count(s, old))
	if count >= 0 && count < n {
		n = count
	}
	if n == 0 {
		return s, nil
	}
	if err := b.Alloc(int64(len(s)) + n*int64(len(repl)-len(old))); err != nil {
		return "", err
	}
	return strings.Replace(s, old, repl, int(n)), nil
}

// Join is sep.join(items).
func Join(b *Budget, sep string, items []Value) (string, error) {
	total := 0
	for i, it := range items {
		s, ok := AsString(it)
		if !ok {
			return "", TypeErrorf("sequence item %d: expected str instance, %s found", i, TypeName(it))
		}
		total += len(s) + len(sep)
	}
	if err := b.Alloc(int64(total)); err != nil {
		return "", err
	}
	var sb strings.Builder
	sb.Grow(total)
	for i, it := range items {
		if i > 0 {
			sb.WriteString(sep)
		}
		s, _ := AsString(it)
		sb.WriteString(s)
	}
	return sb.String(), nil
}

// FormatScope is implemented by a Call.Scope that decides what the fields of
// str.format may reach.
type FormatScope interface {
	FormatLookup(b *Budget, obj Value, attr bool, name Value) (Value, error)
}

func formatLookup(c *Call) FieldLookup {
	return func(obj Value, attr bool, name Value) (Value, error) {
		if s, ok := c.Scope.(FormatScope); ok {
			return s.FormatLookup(c.Budget, obj, attr, name)
		}
		if attr {
			v, ok, err := Attr(c.Budget, obj, name.(string))
			if err == nil && (!ok || strings.HasPrefix(name.(string), "_")) {
				err = Errorf("AttributeError", "%s object has no attribute %s", quote(TypeName(obj)), Repr(name))
			}
			return v, err
		}
		v, ok, err := GetItem(c.Budget, obj, name)
		if err == nil && !ok {
			err = keyError(name)
		}
		return v, err
	}
}

func formatMethod(c *Call, self Value) (Value, error) {
	_, escape := self.(Markup)
	return StrFormat(c.Budget, selfText(self), c.Args, func(name string) (Value, bool) {
		for _, k := range c.Kwargs {
			if k.Name == name {
				return k.Value, true
			}
		}
		return nil, false
	}, formatLookup(c), escape)
}

var strMethods map[string]Method

func init() {
	// The table is filled here because some methods refer back to it.
	strMethods = map[string]Method{
		"capitalize": strFn("capitalize", func(s string) Value { return Capitalize(s) }),
		"casefold":   strFn("casefold", func(s string) Value { return strings.ReplaceAll(strings.ReplaceAll(Lower(s), "ß", "ss"), "ς", "σ") }),
		"lower":      strFn("lower", func(s string) Value { return Lower(s) }),
		"upper":      strFn("upper", func(s string) Value { return Upper(s) }),
		"title":      strFn("title", func(s string) Value { return Title(s) }),
		"isalnum": strFn("isalnum", func(s string) Value {
			return allRunes(s, func(r rune) bool { return unicode.IsLetter(r) || isNumericRune(r) })
		}),
		"isalpha":      strFn("isalpha", func(s string) Value { return allRunes(s, unicode.IsLetter) }),
		"isdecimal":    strFn("isdecimal", func(s string) Value { return allRunes(s, func(r rune) bool { return unicode.Is(unicode.Nd, r) }) }),
		"isdigit":      strFn("isdigit", func(s string) Value { return allRunes(s, isDigitRune) }),
		"isnumeric":    strFn("isnumeric", func(s string) Value { return allRunes(s, isNumericRune) }),
		"isspace":      strFn("isspace", func(s string) Value { return allRunes(s, IsSpace) }),
		"isprintable":  strFn("isprintable", func(s string) Value { return s == "" || allRunes(s, IsPrintable) }),
		"isascii":      strFn("isascii", func(s string) Value { return s == "" || allRunes(s, func(r rune) bool { return r < 0x80 }) }),
		"isidentifier": strFn("isidentifier", func(s string) Value { return IsIdentifier(s) }),
		"islower":      strFn("islower", func(s string) Value { return IsLower(s) }),
		"isupper":      strFn("isupper", func(s string) Value { return IsUpper(s) }),
		"istitle":      strFn("istitle", func(s string) Value { return isTitle(s) }),
		"swapcase": strFn("swapcase", func(s string) Value {
			var sb strings.Builder
			for _, r := range s {
				switch {
				case unicode.IsUpper(r):
					sb.WriteString(Lower(string(r)))
				case unicode.IsLower(r):
					sb.WriteString(Upper(string(r)))
				default:
					sb.WriteRune(r)
				}
			}
			return sb.String()
		}),
		"strip":  stripMethod("strip", true, true),
		"lstrip": stripMethod("lstrip", true, false),
		"rstrip": stripMethod("rstrip", false, true),
		"split":  splitMethod("split", Split),
		"rsplit": splitMethod("rsplit", RSplit),
		"splitlines": func(c *Call, self Value) (Value, error) {
			a, err := c.Bind("splitlines", Opt("keepends", false))
			if err != nil {
				return nil, err
			}
			keep, err := Truth(c.Budget, a[0])
			if err != nil {
				return nil, err
			}
			return textList(c.Budget, SplitLines(selfText(self), keep))
		},
		"center":       justMethod("center", PlaceCenter),
		"ljust":        justMethod("ljust", func(pad, _ int) (int, int) { return 0, pad }),
		"rjust":        justMethod("rjust", func(pad, _ int) (int, int) { return pad, 0 }),
		"find":         findMethod("find", false, false),
		"rfind":        findMethod("rfind", true, false),
		"index":        findMethod("index", false, true),
		"rindex":       findMethod("rindex", true, true),
		"startswith":   affixMethod("startswith", strings.HasPrefix),
		"endswith":     affixMethod("endswith", strings.HasSuffix),
		"partition":    partitionMethod("partition", false),
		"rpartition":   partitionMethod("rpartition", true),
		"removeprefix": cutMethod("removeprefix", strings.TrimPrefix),
		"removesuffix": cutMethod("removesuffix", strings.TrimSuffix),
		"count": func(c *Call, self Value) (Value, error) {
			a, err := posArgs(c, "count", 1, 3)
			if err != nil {
				return nil, err
			}
			needle, ok := AsString(a[0])
			if !ok {
				return nil, TypeErrorf("must be str, not %s", TypeName(a[0]))
			}
			sub, _, ok, err := substring(c, selfText(self), a[1], a[2])
			if err != nil || !ok {
				return int64(0), err
			}
			return int64(strings.Count(sub, needle)), nil
		},
		"replace": func(c *Call, self Value) (Value, error) {
			a, err := posArgs(c, "replace", 2, 3)
			if err != nil {
				return nil, err
			}
			from, err := needStr(a[0], "replace", 1)
			if err != nil {
				return nil, err
			}
			to, err := needStr(a[1], "replace", 2)
			if err != nil {
				return nil, err
			}
			count := int64(-1)
			if len(c.Args) == 3 {
				if count, err = Index(a[2]); err != nil {
					return nil, err
				}
			}
			return Replace(c.Budget, selfText(self), from, to, count)
		},
		"join": func(c *Call, self Value) (Value, error) {
			a, err := posArgs(c, "str.join", 1, 1)
			if err != nil {
				return nil, err
			}
			if !IsIterable(a[0]) {
				return nil, TypeErrorf("can only join an iterable")
			}
			items, err := Items(c.Budget, a[0])
			if err != nil {
				return nil, err
			}
			return Join(c.Budget, selfText(self), items)
		},
		"zfill": func(c *Call, self Value) (Value, error) {
			a, err := posArgs(c, "str.zfill", 1, 1)
			if err != nil {
				return nil, err
			}
			width, err := Index(a[0])
			if err != nil {
				return nil, err
			}
			s, sign := selfText(self), ""
			if s != "" && (s[0] == '+' || s[0] == '-') {
				sign, s = s[:1], s[1:]
			}
			s, err = Justify(c.Budget, s, width-int64(len(sign)), "0", func(pad, _ int) (int, int) { return pad, 0 })
			return sign + s, err
		},
		"expandtabs": func(c *Call, self Value) (Value, error) {
			a, err := c.Bind("expandtabs", Opt("tabsize", int64(8)))
			if err != nil {
				return nil, err
			}
			size, err := Index(a[0])
			if err != nil {
				return nil, err
			}
			if size > maxPrecision {
				return nil, &LimitError{Limit: "columns of a tab", Max: "1048576"}
			}
			var sb strings.Builder
			col := int64(0)
			for _, r := range selfText(self) {
				switch {
				case r == '\t':
					if size > 0 {
						n := size - col%size
						if err := c.Budget.Alloc(n); err != nil {
							return nil, err
						}
						sb.WriteString(strings.Repeat(" ", int(n)))
						col += n
					}
				case r == '\n' || r == '\r':
					sb.WriteRune(r)
					col = 0
				default:
					sb.WriteRune(r)
					col++
				}
			}
			return sb.String(), c.Budget.Alloc(int64(sb.Len()))
		},
		"encode": func(c *Call, self Value) (Value, error) {
			a, err := c.Bind("encode", Opt("encoding", "utf-8"), Opt("errors", "strict"))
			if err != nil {
				return nil, err
			}
			enc, _ := AsString(a[0])
			s := selfText(self)
			switch strings.ReplaceAll(strings.ToLower(enc), "_", "-") {
			case "utf-8", "utf8":
				return Bytes(s), nil
			case "ascii":
				for i, r := range []rune(s) {
					if r >= 0x80 {
						return nil, Errorf("UnicodeEncodeError", "'ascii' codec can't encode character '%s' in position %d: ordinal not in range(128)", asciiEscape(string(r)), i)
					}
				}
				return Bytes(s), nil
			}
			return nil, Errorf("LookupError", "unknown encoding: %s", enc)
		},
		"translate": func(c *Call, self Value) (Value, error) {
			a, err := posArgs(c, "str.translate", 1, 1)
			if err != nil {
				return nil, err
			}
			var sb strings.Builder
			for _, r := range selfText(self) {
				v, ok, err := GetItem(c.Budget, a[0], int64(r))
				if err != nil {
					return nil, err
				}
				if !ok {
					if _, isDict := a[0].(*Dict); !isDict {
						if _, isSeq := IsSequence(a[0]); !isSeq {
							if _, isStr := AsString(a[0]); !isStr {
								return nil, TypeErrorf("%s object is not subscriptable", quote(TypeName(a[0])))
							}
						}
					}
					sb.WriteRune(r)
					continue
				}
				switch x := v.(type) {
				case nil:
				case string:
					sb.WriteString(x)
				case int64:
					if x < 0 || x > unicode.MaxRune {
						return nil, ValueErrorf("character mapping must be in range(0x110000)")
					}
					sb.WriteRune(rune(x))
				default:
					return nil, TypeErrorf("character mapping must return integer, None or str")
				}
				if err := c.Budget.Step(1); err != nil {
					return nil, err
				}
				if int64(sb.Len()) > c.Budget.Limits().Bytes {
					return nil, c.Budget.Alloc(int64(sb.Len()))
				}
			}
			return sb.String(), c.Budget.Alloc(int64(sb.Len()))
		},
		"maketrans": func(c *Call, self Value) (Value, error) {
			a, err := posArgs(c, "maketrans", 1, 3)
			if err != nil {
				return nil, err
			}
			out := NewDict()
			if len(c.Args) == 1 {
				d, ok := a[0].(*Dict)
				if !ok {
					return nil, TypeErrorf("if you give only one argument to maketrans it must be a dict")
				}
				for k, v := range d.All() {
					if s, ok := AsString(k); ok {
						r, n := utf8.DecodeRuneInString(s)
						if n != len(s) || n == 0 {
							return nil, ValueErrorf("string keys in translate table must be of length 1")
						}
						out.Set(int64(r), v)
					} else {
						out.Set(k, v)
					}
				}
				return out, nil
			}
			x, err := needStr(a[0], "maketrans", 1)
			if err != nil {
				return nil, err
			}
			y, err := needStr(a[1], "maketrans", 2)
			if err != nil {
				return nil, err
			}
			from, to := []rune(x), []rune(y)
			if len(from) != len(to) {
				return nil, ValueErrorf("the first two maketrans arguments must have equal length")
			}
			for i := range from {
				out.Set(int64(from[i]), int64(to[i]))
			}
			if len(c.Args) == 3 {
				z, err := needStr(a[2], "maketrans", 3)
				if err != nil {
					return nil, err
				}
				for _, r := range z {
					out.Set(int64(r), nil)
				}
			}
			return out, nil
		},
		"format": formatMethod,
		"format_map": func(c *Call, self Value) (Value, error) {
			if len(c.Kwargs) > 0 {
				return nil, TypeErrorf("format_map() takes no keyword arguments")
			}
			if len(c.Args) != 1 {
				return nil, TypeErrorf("format_map() takes exactly one argument (%d given)", len(c.Args))
			}
			_, escape := self.(Markup)
			return StrFormat(c.Budget, selfText(self), nil, func(name string) (Value, bool) {
				v, ok, _ := GetItem(c.Budget, c.Args[0], name)
				return v, ok
			}, formatLookup(c), escape)
		},
	}
}

// IsIdentifier is str.isidentifier().
func IsIdentifier(s string) bool {
	for i, r := range s {
		if r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) {
			continue
		}
		if i > 0 && (unicode.Is(unicode.Nd, r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r) || unicode.Is(unicode.Pc, r)) {
			continue
		}
		return false
	}
	return s != ""
}

// markupMethod runs a method of str on a Markup: text arguments are escaped
// and texts in the result are Markup again.
func markupMethod(m Method) Method {
	return func(c *Call, self Value) (Value, error) {
		args := make([]Value, len(c.Args))
		for i, a := range c.Args {
			args[i] = a
			if s, ok := a.(string); ok {
				args[i] = EscapeHTML(s)
			}
		}
		v, err := m(&Call{Budget: c.Budget, Args: args, Kwargs: c.Kwargs, Scope: c.Scope}, self)
		return markupResult(v), err
	}
}

func markupResult(v Value) Value {
	switch x := v.(type) {
	case string:
		return Markup(x)
	case *List:
		for i := range x.Items {
			x.Items[i] = markupResult(x.Items[i])
		}
	case Tuple:
		for i := range x {
			x[i] = markupResult(x[i])
		}
	}
	return v
}

var markupMethods map[string]Method

func init() {
	markupMethods = map[string]Method{
		"striptags": func(c *Call, self Value) (Value, error) {
			return StripTags(selfText(self)), noArgs(c, "striptags")
		},
		"unescape": func(c *Call, self Value) (Value, error) {
			return UnescapeHTML(selfText(self)), noArgs(c, "unescape")
		},
		"format": func(c *Call, self Value) (Value, error) {
			v, err := formatMethod(c, self)
			return markupResult(v), err
		},
		"join": func(c *Call, self Value) (Value, error) {
			a, err := posArgs(c, "str.join", 1, 1)
			if err != nil {
				return nil, err
			}
			items, err := CopyItems(c.Budget, a[0])
			if err != nil {
				return nil, err
			}
			for i, it := range items {
				switch x := it.(type) {
				case string:
					items[i] = EscapeHTML(x)
				case Markup:
				default:
					s, err := ToStr(c.Budget, x)
					if err != nil {
						return nil, err
					}
					items[i] = EscapeHTML(s)
				}
			}
			s, err := Join(c.Budget, selfText(self), items)
			return Markup(s), err
		},
	}
}
