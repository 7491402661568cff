package value

import (
	"fmt"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxJSONDepth is how deep JSON may be nested, read or written.
const MaxJSONDepth = 512

// FromJSON reads one JSON value: objects keep the order of their keys (of a
// doubled key the last value counts, at the place of the first), numbers are
// int or float as their text shows. NaN, infinities, numbers too large for a
// float, invalid UTF-8 and lone surrogates are errors; messages are those of
// Python's json module.
func FromJSON(data []byte) (Value, error) { return ParseJSON(nil, string(data)) }

// ParseJSON is FromJSON within a budget.
func ParseJSON(b *Budget, s string) (Value, error) {
	p := jsonParser{b: b, s: s}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.i < len(s) {
		return nil, p.fail("Extra data", p.i)
	}
	return v, nil
}

type jsonParser struct {
	b *Budget
	s string
	i int
}

func (p *jsonParser) fail(msg string, at int) error {
	if at > len(p.s) {
		at = len(p.s)
	}
	before := p.s[:at]
	line := strings.Count(before, "\n") + 1
	col := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return Errorf("JSONDecodeError", "%s: line %d column %d (char %d)", msg, line, col, utf8.RuneCountInString(before))
}

func (p *jsonParser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *jsonParser) value(depth int) (Value, error) {
	if err := p.b.Step(1); err != nil {
		return nil, err
	}
	if p.i >= len(p.s) {
		return nil, p.fail("Expecting value", p.i)
	}
	switch c := p.s[p.i]; c {
	case '"':
		return p.str()
	case '{', '[':
		if depth >= MaxJSONDepth {
			return nil, &LimitError{Limit: "levels of JSON nesting", Max: strconv.Itoa(MaxJSONDepth)}
		}
		if c == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case 't':
		if strings.HasPrefix(p.s[p.i:], "true") {
			p.i += 4
			return true, nil
		}
	case 'f':
		if strings.HasPrefix(p.s[p.i:], "false") {
			p.i += 5
			return false, nil
		}
	case 'n':
		if strings.HasPrefix(p.s[p.i:], "null") {
			p.i += 4
			return nil, nil
		}
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return p.number()
		}
	}
	return nil, p.fail("Expecting value", p.i)
}

func (p *jsonParser) number() (Value, error) {
	start := p.i
	s := p.s
	i := p.i
	if s[i] == '-' {
		i++
	}
	digits := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
		if s[digits] == '0' {
			break
		}
	}
	if i == digits {
		return nil, p.fail("Expecting value", start)
	}
	end, isFloat := i, false
	if i+1 < len(s) && s[i] == '.' && s[i+1] >= '0' && s[i+1] <= '9' {
		for i++; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		}
		end, isFloat = i, true
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		exp := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		if i > exp {
			end, isFloat = i, true
		}
	}
	p.i = end
	text := s[start:end]
	if isFloat {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && math.IsInf(f, 0) {
			return nil, p.fail("Number out of range", start)
		}
		return f, nil
	}
	if len(text) <= 18 {
		n, _ := strconv.ParseInt(text, 10, 64)
		return n, nil
	}
	if len(text) > maxIntDigits {
		return nil, ValueErrorf("Exceeds the limit (%d digits) for integer string conversion: value has %d digits; use sys.set_int_max_str_digits() to increase the limit", maxIntDigits, end-digits)
	}
	n, _ := new(big.Int).SetString(text, 10)
	return BigInt(n), nil
}

func (p *jsonParser) str() (string, error) {
	begin := p.i
	p.i++
	start := p.i
	// Most strings have no escape: find the end first and share the text.
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c == '"' {
			out := p.s[start:p.i]
			p.i++
			if !utf8.ValidString(out) {
				return "", p.fail("Invalid UTF-8", start)
			}
			return out, p.b.Alloc(int64(len(out)))
		}
		if c == '\\' {
			break
		}
		if c < ' ' {
			return "", p.fail("Invalid control character at", p.i)
		}
		p.i++
	}
	buf := []byte(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			if !utf8.Valid(buf) {
				return "", p.fail("Invalid UTF-8", start)
			}
			return string(buf), p.b.Alloc(int64(len(buf)))
		case c < ' ':
			return "", p.fail("Invalid control character at", p.i)
		case c != '\\':
			buf = append(buf, c)
			p.i++
		default:
			if p.i+1 >= len(p.s) {
				return "", p.fail("Unterminated string starting at", begin)
			}
			esc := p.s[p.i+1]
			p.i += 2
			switch esc {
			case '"', '\\', '/':
				buf = append(buf, esc)
			case 'b':
				buf = append(buf, '\b')
			case 'f':
				buf = append(buf, '\f')
			case 'n':
				buf = append(buf, '\n')
			case 'r':
				buf = append(buf, '\r')
			case 't':
				buf = append(buf, '\t')
			case 'u':
				r, ok := p.hex4(p.i)
				if !ok {
					return "", p.fail(`Invalid \uXXXX escape`, p.i)
				}
				at := p.i - 2
				p.i += 4
				if r >= 0xd800 && r < 0xe000 {
					low, ok := rune(0), false
					if r < 0xdc00 && strings.HasPrefix(p.s[p.i:], `\u`) {
						low, ok = p.hex4(p.i + 2)
					}
					if !ok || low < 0xdc00 || low >= 0xe000 {
						return "", p.fail("Lone surrogate in string", at)
					}
					p.i += 6
					r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
				}
				buf = utf8.AppendRune(buf, r)
			default:
				return "", p.fail(`Invalid \escape`, p.i-2)
			}
		}
	}
	return "", p.fail("Unterminated string starting at", begin)
}

func (p *jsonParser) hex4(i int) (rune, bool) {
	if i+4 > len(p.s) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(p.s[i : i+4]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (p *jsonParser) array(depth int) (Value, error) {
	p.i++
	l := &List{}
	p.space()
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		return l, nil
	}
	for {
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if err := p.b.Alloc(ValueSize); err != nil {
			return nil, err
		}
		l.Items = append(l.Items, v)
		p.space()
		if p.i < len(p.s) && p.s[p.i] == ',' {
			p.i++
			continue
		}
		if p.i < len(p.s) && p.s[p.i] == ']' {
			p.i++
			return l, nil
		}
		return nil, p.fail("Expecting ',' delimiter", p.i)
	}
}

func (p *jsonParser) object(depth int) (Value, error) {
	p.i++
	d := NewDict()
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '}' {
		p.i++
		return d, nil
	}
	for {
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			return nil, p.fail("Expecting property name enclosed in double quotes", p.i)
		}
		k, err := p.str()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			return nil, p.fail("Expecting ':' delimiter", p.i)
		}
		p.i++
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if err := p.b.Alloc(4 * ValueSize); err != nil {
			return nil, err
		}
		d.Set(k, v)
		p.space()
		if p.i < len(p.s) && p.s[p.i] == ',' {
			p.i++
			continue
		}
		if p.i < len(p.s) && p.s[p.i] == '}' {
			p.i++
			return d, nil
		}
		return nil, p.fail("Expecting ',' delimiter", p.i)
	}
}

// JSONStyle is a way to write JSON.
type JSONStyle struct {
	// ItemSep and KeySep stand between items and after keys; empty means "," and ":".
	ItemSep, KeySep string
	// ExactSeps uses the separators as they are, empty or not.
	ExactSeps bool
	// Pretty breaks lines, each level indented by Indent.
	Pretty bool
	Indent string
	// SortKeys orders the keys; keys of different types are an error then.
	SortKeys bool
	// ASCII escapes everything outside ASCII.
	ASCII bool
	// NaN permits NaN and infinities in Python's spelling.
	NaN bool
	// HTML escapes <, >, & and ' so that the text can stand in HTML.
	HTML bool
	// Default, when set, is asked what to write for a value JSON has no form for.
	Default func(Value) (Value, bool)
}

// CompactJSON is the shortest form: no spaces, UTF-8.
var CompactJSON = JSONStyle{}

// PythonJSON is what Python's json.dumps writes by itself.
var PythonJSON = JSONStyle{ItemSep: ", ", KeySep: ": ", ASCII: true}

// ToJSON writes v as JSON.
func ToJSON(v Value, style JSONStyle) ([]byte, error) { return AppendJSON(nil, nil, v, style) }

// AppendJSON is ToJSON within a budget, appending to buf.
func AppendJSON(b *Budget, buf []byte, v Value, style JSONStyle) ([]byte, error) {
	if !style.ExactSeps {
		if style.ItemSep == "" {
			style.ItemSep = ","
		}
		if style.KeySep == "" {
			style.KeySep = ":"
		}
	}
	if style.Pretty && !style.ExactSeps {
		// Python drops the space it would leave at the line end.
		style.ItemSep = strings.TrimRight(style.ItemSep, " ")
	}
	w := jsonWriter{b: b, buf: buf, style: style, paid: len(buf)}
	err := w.value(v)
	return w.buf, err
}

type jsonWriter struct {
	b     *Budget
	buf   []byte
	paid  int
	style JSONStyle
	stack []any
}

func (w *jsonWriter) enter(c any) error {
	for _, s := range w.stack {
		if s == c {
			return ValueErrorf("Circular reference detected")
		}
	}
	if len(w.stack) >= MaxJSONDepth {
		return &LimitError{Limit: "levels of JSON nesting", Max: strconv.Itoa(MaxJSONDepth)}
	}
	w.stack = append(w.stack, c)
	return nil
}

func (w *jsonWriter) newline() {
	if !w.style.Pretty {
		return
	}
	w.buf = append(w.buf, '\n')
	for range w.stack {
		w.buf = append(w.buf, w.style.Indent...)
	}
}

func (w *jsonWriter) value(v Value) error {
	if n := len(w.buf) - w.paid; n > 256 {
		w.paid = len(w.buf)
		if err := w.b.Alloc(int64(n)); err != nil {
			return err
		}
	}
	if err := w.b.Step(1); err != nil {
		return err
	}
	switch x := v.(type) {
	case nil:
		w.buf = append(w.buf, "null"...)
	case bool:
		w.buf = strconv.AppendBool(w.buf, x)
	case int64:
		w.buf = strconv.AppendInt(w.buf, x, 10)
	case *big.Int:
		s, err := bigText(x)
		w.buf = append(w.buf, s...)
		return err
	case float64:
		return w.float(x)
	case string:
		w.str(x)
	case Markup:
		w.str(string(x))
	case *List:
		if err := w.enter(x); err != nil {
			return err
		}
		return w.items(x.Items)
	case Tuple:
		if err := w.enter(nil); err != nil {
			return err
		}
		return w.items(x)
	case *NamedTuple:
		if err := w.enter(nil); err != nil {
			return err
		}
		return w.items(x.Items)
	case *Dict:
		return w.dict(x)
	default:
		if w.style.Default != nil {
			if r, ok := w.style.Default(v); ok {
				if err := w.enter(nil); err != nil {
					return err
				}
				err := w.value(r)
				w.stack = w.stack[:len(w.stack)-1]
				return err
			}
		}
		return TypeErrorf("Object of type %s is not JSON serializable", TypeName(v))
	}
	return nil
}

func (w *jsonWriter) float(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		if !w.style.NaN {
			return ValueErrorf("Out of range float values are not JSON compliant")
		}
		switch {
		case math.IsNaN(f):
			w.buf = append(w.buf, "NaN"...)
		case f > 0:
			w.buf = append(w.buf, "Infinity"...)
		default:
			w.buf = append(w.buf, "-Infinity"...)
		}
		return nil
	}
	w.buf = AppendFloat(w.buf, f)
	return nil
}

func (w *jsonWriter) items(items []Value) error {
	defer func() { w.stack = w.stack[:len(w.stack)-1] }()
	if len(items) == 0 {
		w.buf = append(w.buf, "[]"...)
		return nil
	}
	w.buf = append(w.buf, '[')
	for i, it := range items {
		if i > 0 {
			w.buf = append(w.buf, w.style.ItemSep...)
		}
		w.newline()
		if err := w.value(it); err != nil {
			return err
		}
	}
	top := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	w.newline()
	w.stack = append(w.stack, top)
	w.buf = append(w.buf, ']')
	return nil
}

func (w *jsonWriter) dict(d *Dict) error {
	if err := w.enter(d); err != nil {
		return err
	}
	defer func() { w.stack = w.stack[:len(w.stack)-1] }()
	if d.Len() == 0 {
		w.buf = append(w.buf, "{}"...)
		return nil
	}
	w.buf = append(w.buf, '{')
	first := true
	write := func(k, v Value) error {
		if !first {
			w.buf = append(w.buf, w.style.ItemSep...)
		}
		first = false
		w.newline()
		switch x := k.(type) {
		case string:
			w.str(x)
		case Markup:
			w.str(string(x))
		case nil, bool, int64, *big.Int, float64:
			w.buf = append(w.buf, '"')
			if err := w.value(k); err != nil {
				return err
			}
			w.buf = append(w.buf, '"')
		default:
			return TypeErrorf("keys must be str, int, float, bool or None, not %s", TypeName(k))
		}
		w.buf = append(w.buf, w.style.KeySep...)
		return w.value(v)
	}
	if w.style.SortKeys {
		keys := d.Keys()
		if err := SortValues(w.b, keys, keys, false); err != nil {
			return err
		}
		for _, k := range keys {
			v, _ := d.Get(k)
			if err := write(k, v); err != nil {
				return err
			}
		}
	} else {
		for k, v := range d.All() {
			if err := write(k, v); err != nil {
				return err
			}
		}
	}
	top := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	w.newline()
	w.stack = append(w.stack, top)
	w.buf = append(w.buf, '}')
	return nil
}

const hexDigits = "0123456789abcdef"

func (w *jsonWriter) str(s string) {
	buf := append(w.buf, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && !(w.style.HTML && (c == '<' || c == '>' || c == '&' || c == '\'')) {
				i++
				continue
			}
			buf = append(buf, s[start:i]...)
			switch c {
			case '"', '\\':
				buf = append(buf, '\\', c)
			case '\n':
				buf = append(buf, `\n`...)
			case '\r':
				buf = append(buf, `\r`...)
			case '\t':
				buf = append(buf, `\t`...)
			case '\b':
				buf = append(buf, `\b`...)
			case '\f':
				buf = append(buf, `\f`...)
			default:
				buf = append(buf, `\u00`...)
				buf = append(buf, hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			buf = append(buf, s[start:i]...)
			buf = append(buf, `\ufffd`...)
			i++
			start = i
			continue
		}
		if w.style.ASCII {
			buf = append(buf, s[start:i]...)
			if r >= 0x10000 {
				r -= 0x10000
				buf = fmt.Appendf(buf, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			} else {
				buf = fmt.Appendf(buf, `\u%04x`, r)
			}
			i += n
			start = i
			continue
		}
		i += n
	}
	buf = append(buf, s[start:]...)
	w.buf = append(buf, '"')
}

// SortValues sorts items in place by the keys at the same index, stably and
// with Python's comparison; a comparison that fails is the error.
func SortValues(b *Budget, items, keys []Value, reverse bool) error {
	type pair struct{ item, key Value }
	if err := b.AllocItems(int64(len(items))); err != nil {
		return err
	}
	pairs := make([]pair, len(items))
	for i := range items {
		pairs[i] = pair{items[i], keys[i]}
	}
	var failed error
	less := func(i, j int) bool {
		if failed != nil {
			return false
		}
		// Python asks whether the later one is below the earlier one; the
		// operands of its TypeError stand in that order.
		lt, err := Less(b, pairs[i].key, pairs[j].key)
		if err != nil {
			failed = err
		}
		return lt
	}
	if reverse {
		// A stable descending sort: reverse, sort, reverse.
		for i, j := 0, len(pairs)-1; i < j; i, j = i+1, j-1 {
			pairs[i], pairs[j] = pairs[j], pairs[i]
		}
	}
	sort.SliceStable(pairs, less)
	if failed != nil {
		return failed
	}
	if reverse {
		for i, j := 0, len(pairs)-1; i < j; i, j = i+1, j-1 {
			pairs[i], pairs[j] = pairs[j], pairs[i]
		}
	}
	for i := range pairs {
		items[i] = pairs[i].item
	}
	return nil
}
