package pyyaml

import (
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"petrel/expr/value"
)

// DumpOptions are the options of yaml.safe_dump that StackStorm uses.
type DumpOptions struct {
	// Indent is the width of one level, from 2 to 9; anything else is 2.
	Indent int
	// ASCII escapes everything outside ASCII (allow_unicode=False).
	ASCII bool
	// KeepOrder leaves keys as they are instead of sorting them.
	KeepOrder bool
	// Pure writes as PyYAML does without libyaml: a carriage return is special.
	Pure bool
	// Width is the column after which scalars are folded; 0 is 80.
	Width int
}

// Dump writes v in block style with sorted keys, as yaml.safe_dump on libyaml
// with default_flow_style=False and allow_unicode=True.
func Dump(v value.Value) ([]byte, error) { return DumpWith(nil, v, DumpOptions{}) }

// bestWidth is the column after which scalars are folded by default.
const bestWidth = 80

// DumpWith is Dump with options, within a budget.
func DumpWith(b *value.Budget, v value.Value, opts DumpOptions) ([]byte, error) {
	e := &emitter{b: b, opts: opts, indent: -1, step: opts.Indent, whitespace: true, indention: true}
	if e.step < 2 || e.step > 9 {
		e.step = 2
	}
	if e.width = opts.Width; e.width <= 0 {
		e.width = bestWidth
	}
	e.seen = map[any]int{}
	if err := e.scan(v, 0); err != nil {
		return nil, err
	}
	e.anchors = map[any]string{}
	if err := e.node(v, ctxRoot); err != nil {
		return nil, err
	}
	e.writeIndent()
	return e.buf, nil
}

type nodeContext int

const (
	ctxRoot nodeContext = iota
	ctxSequence
	ctxMapping
	ctxSimpleKey
)

type emitter struct {
	width      int // see DumpOptions
	b          *value.Budget
	opts       DumpOptions
	buf        []byte
	paid       int
	step       int
	indent     int
	column     int
	whitespace bool
	indention  bool

	// seen tells which containers occur more than once: they get an anchor.
	seen    map[any]int
	names   map[any]string
	anchors map[any]string
}

const maxDumpDepth = 200

// identity is what makes two values the same object in Python; nil for those
// that PyYAML never gives an anchor.
func identity(v value.Value) any {
	switch x := v.(type) {
	case *value.List, *value.Dict, *value.Set:
		return x
	case value.Tuple:
		if len(x) > 0 {
			return &x[0]
		}
	}
	return nil
}

// scan counts occurrences and names those that repeat, in the order in which
// the repetition is found.
func (e *emitter) scan(v value.Value, depth int) error {
	if err := e.b.Step(1); err != nil {
		return err
	}
	if depth > maxDumpDepth {
		return &value.LimitError{Limit: "levels of YAML nesting", Max: fmt.Sprint(maxDumpDepth)}
	}
	if id := identity(v); id != nil {
		e.seen[id]++
		if n := e.seen[id]; n > 1 {
			if n == 2 {
				if e.names == nil {
					e.names = map[any]string{}
				}
				e.names[id] = fmt.Sprintf("id%03d", len(e.names)+1)
			}
			return nil
		}
	}
	switch x := v.(type) {
	case *value.Dict:
		keys, vals := e.pairs(x)
		for i := range keys {
			if err := e.scan(keys[i], depth+1); err != nil {
				return err
			}
			if err := e.scan(vals[i], depth+1); err != nil {
				return err
			}
		}
		return nil
	case *value.Set:
		return nil
	}
	if items, ok := value.IsSequence(v); ok {
		for _, it := range items {
			if err := e.scan(it, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// pairs gives the entries in the order they are written: sorted, unless the
// keys cannot be compared.
func (e *emitter) pairs(d *value.Dict) (keys, vals []value.Value) {
	keys = d.Keys()
	if !e.opts.KeepOrder {
		sorted := append([]value.Value(nil), keys...)
		if value.SortValues(e.b, sorted, sorted, false) == nil {
			keys = sorted
		}
	}
	vals = make([]value.Value, len(keys))
	for i, k := range keys {
		vals[i], _ = d.Get(k)
	}
	return keys, vals
}

func (e *emitter) pay() error {
	if n := len(e.buf) - e.paid; n > 256 {
		e.paid = len(e.buf)
		if err := e.b.Alloc(int64(n)); err != nil {
			return err
		}
	}
	return e.b.Step(1)
}

func (e *emitter) put(s string) {
	e.buf = append(e.buf, s...)
	e.column += utf8.RuneCountInString(s)
}

func (e *emitter) lineBreak() {
	e.buf = append(e.buf, '\n')
	e.column = 0
}

func (e *emitter) writeIndent() {
	indent := max(e.indent, 0)
	if !e.indention || e.column > indent || e.column == indent && !e.whitespace {
		e.lineBreak()
	}
	if e.column < indent {
		e.put(strings.Repeat(" ", indent-e.column))
	}
	e.whitespace, e.indention = true, true
}

func (e *emitter) indicator(s string, needSpace, isSpace, isIndent bool) {
	if needSpace && !e.whitespace {
		e.put(" ")
	}
	e.put(s)
	e.whitespace = isSpace
	e.indention = e.indention && isIndent
}

func (e *emitter) increase(flow, indentless bool) (restore func()) {
	old := e.indent
	switch {
	case e.indent < 0 && flow:
		e.indent = e.step
	case e.indent < 0:
		e.indent = 0
	case !indentless:
		e.indent += e.step
	}
	return func() { e.indent = old }
}

func (e *emitter) node(v value.Value, ctx nodeContext) error {
	if err := e.pay(); err != nil {
		return err
	}
	id := identity(v)
	if id != nil && e.names[id] != "" {
		if e.anchors[id] != "" {
			e.indicator("*"+e.anchors[id], true, false, false)
			return nil
		}
		e.anchors[id] = e.names[id]
		e.indicator("&"+e.names[id], true, false, false)
	}
	switch x := v.(type) {
	case *value.Dict:
		keys, vals := e.pairs(x)
		return e.mapping(keys, vals)
	case *value.Set:
		e.indicator("!!set", true, false, false)
		keys := x.Items()
		_ = value.SortValues(e.b, keys, keys, false)
		return e.mapping(keys, make([]value.Value, len(keys)))
	}
	if items, ok := value.IsSequence(v); ok {
		return e.sequence(items, ctx)
	}
	return e.scalar(v, ctx == ctxSimpleKey)
}

func (e *emitter) sequence(items []value.Value, ctx nodeContext) error {
	if len(items) == 0 {
		e.indicator("[", true, true, false)
		e.indicator("]", false, false, false)
		return nil
	}
	mapping := ctx == ctxMapping || ctx == ctxSimpleKey
	defer e.increase(false, mapping && !e.indention)()
	for _, it := range items {
		e.writeIndent()
		e.indicator("-", true, false, true)
		if err := e.node(it, ctxSequence); err != nil {
			return err
		}
	}
	return nil
}

func (e *emitter) mapping(keys, vals []value.Value) error {
	if len(keys) == 0 {
		e.indicator("{", true, true, false)
		e.indicator("}", false, false, false)
		return nil
	}
	defer e.increase(false, false)()
	for i, k := range keys {
		e.writeIndent()
		simple, err := e.simpleKey(k)
		if err != nil {
			return err
		}
		if simple {
			if err := e.node(k, ctxSimpleKey); err != nil {
				return err
			}
			e.indicator(":", false, false, false)
		} else {
			e.indicator("?", true, false, true)
			if err := e.node(k, ctxMapping); err != nil {
				return err
			}
			e.writeIndent()
			e.indicator(":", true, false, true)
		}
		if err := e.node(vals[i], ctxMapping); err != nil {
			return err
		}
	}
	return nil
}

// simpleKey says whether a key can stand in front of a colon.
func (e *emitter) simpleKey(k value.Value) (bool, error) {
	if items, ok := value.IsSequence(k); ok {
		return len(items) == 0, nil
	}
	text, _, err := scalarText(k)
	if err != nil {
		return false, err
	}
	return len(text) <= 128 && !strings.ContainsAny(text, "\n\r\u0085\u2028\u2029"), nil
}

// scalarText gives the text of a scalar and the kind it must be read as.
func scalarText(v value.Value) (text, kind string, err error) {
	switch x := v.(type) {
	case nil:
		return "null", "null", nil
	case bool:
		if x {
			return "true", "bool", nil
		}
		return "false", "bool", nil
	case float64:
		switch {
		case math.IsNaN(x):
			return ".nan", "float", nil
		case math.IsInf(x, 1):
			return ".inf", "float", nil
		case math.IsInf(x, -1):
			return "-.inf", "float", nil
		}
		text = string(value.AppendFloat(nil, x))
		if !strings.Contains(text, ".") {
			text = strings.Replace(text, "e", ".0e", 1)
		}
		return text, "float", nil
	case string:
		return x, "str", nil
	case value.Date:
		return x.ISO(), "timestamp", nil
	case value.DateTime:
		return strings.Replace(x.ISO(), "T", " ", 1), "timestamp", nil
	}
	if value.TypeName(v) == "int" {
		text, err = value.ToStr(nil, v)
		return text, "int", err
	}
	return "", "", value.Errorf("RepresenterError", "('cannot represent an object', %s)", value.Repr(v))
}

// analysis is what decides which styles a text can be written in.
type analysis struct {
	multiline, plain, single bool
}

func isBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
}

// isPrintable is libyaml's idea: the tab and all above U+FFFF are not.
func isPrintable(r rune) bool {
	return r == '\n' || r >= 0x20 && r <= 0x7e || r >= 0xa0 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd && r != 0xfeff
}

func (e *emitter) analyze(s string) analysis {
	if s == "" {
		return analysis{plain: true, single: true}
	}
	blankz := func(r rune) bool { return r == ' ' || r == '\t' || r == 0 || isBreak(r) }
	var indicators, breaks, special bool
	var leading, trailing, breakSpace, spaceBreak bool
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		indicators = true
	}
	runes := []rune(s)
	precededBlank := true
	prevSpace, prevBreak := false, false
	for i, r := range runes {
		followedBlank := i+1 >= len(runes) || blankz(runes[i+1])
		if i == 0 {
			switch r {
			case '#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`':
				indicators = true
			case '?', ':', '-':
				indicators = indicators || followedBlank
			}
		} else if r == ':' && followedBlank || r == '#' && precededBlank {
			indicators = true
		}
		if !isPrintable(r) && !isBreak(r) || r >= 0x80 && e.opts.ASCII || r == '\r' && e.opts.Pure {
			special = true
		}
		switch {
		case r == ' ':
			leading = leading || i == 0
			trailing = trailing || i == len(runes)-1
			breakSpace = breakSpace || prevBreak
			prevSpace, prevBreak = true, false
		case isBreak(r):
			breaks = true
			leading = leading || i == 0
			trailing = trailing || i == len(runes)-1
			spaceBreak = spaceBreak || prevSpace
			prevSpace, prevBreak = false, true
		default:
			prevSpace, prevBreak = false, false
		}
		precededBlank = blankz(r)
	}
	a := analysis{multiline: breaks, plain: true, single: true}
	if leading || trailing || breaks || indicators {
		a.plain = false
	}
	if breakSpace {
		a.plain, a.single = false, false
	}
	if spaceBreak || special {
		a.plain, a.single = false, false
	}
	return a
}

func (e *emitter) scalar(v value.Value, simpleKey bool) error {
	switch x := v.(type) {
	case value.Markup:
		v = string(x)
	case value.Bytes:
		e.binary(string(x))
		return nil
	case *value.Undefined:
		if x.Strict {
			return value.Errorf("RepresenterError", "('cannot represent an object', %s)", x.Message())
		}
	}
	text, kind, err := scalarText(v)
	if err != nil {
		return err
	}
	a := e.analyze(text)
	style := byte('p')
	switch {
	case simpleKey && a.multiline:
		style = '"'
	case !a.plain, text == "" && simpleKey, Kind(text) != kind:
		style = '\''
	}
	if style == '\'' && !a.single {
		style = '"'
	}
	defer e.increase(true, false)()
	switch style {
	case 'p':
		e.plain(text, !simpleKey)
	case '\'':
		e.singleQuoted(text, !simpleKey)
	default:
		e.doubleQuoted(text, !simpleKey)
	}
	return nil
}

func (e *emitter) putBreak(r rune) {
	if r == '\n' {
		e.lineBreak()
		return
	}
	e.buf = utf8.AppendRune(e.buf, r)
	e.column = 0
}

func (e *emitter) putRune(r rune) {
	e.buf = utf8.AppendRune(e.buf, r)
	e.column++
}

func (e *emitter) plain(s string, split bool) {
	if !e.whitespace && s != "" {
		e.put(" ")
	}
	spaces := false
	runes := []rune(s)
	for i, r := range runes {
		if r == ' ' {
			if split && !spaces && e.column > e.width && (i+1 >= len(runes) || runes[i+1] != ' ') {
				e.writeIndent()
			} else {
				e.putRune(r)
			}
			spaces = true
			continue
		}
		e.putRune(r)
		e.indention = false
		spaces = false
	}
	e.whitespace, e.indention = false, false
}

func (e *emitter) singleQuoted(s string, split bool) {
	e.indicator("'", true, false, false)
	spaces, breaks := false, false
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case r == ' ':
			if split && !spaces && e.column > e.width && i > 0 && i < len(runes)-1 && runes[i+1] != ' ' {
				e.writeIndent()
			} else {
				e.putRune(r)
			}
			spaces = true
		case isBreak(r):
			if !breaks && r == '\n' {
				e.lineBreak()
			}
			e.putBreak(r)
			e.indention = true
			breaks = true
		default:
			if breaks {
				e.writeIndent()
			}
			if r == '\'' {
				e.putRune('\'')
			}
			e.putRune(r)
			e.indention = false
			spaces, breaks = false, false
		}
	}
	if breaks {
		e.writeIndent()
	}
	e.indicator("'", false, false, false)
	e.whitespace, e.indention = false, false
}

var escapes = map[rune]string{0: "0", 7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 27: "e", '"': `"`, '\\': `\`,
	0x85: "N", 0xa0: "_", 0x2028: "L", 0x2029: "P"}

func (e *emitter) doubleQuoted(s string, split bool) {
	e.indicator(`"`, true, false, false)
	spaces := false
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case !isPrintable(r) || e.opts.ASCII && r >= 0x80 || isBreak(r) || r == '"' || r == '\\':
			if esc, ok := escapes[r]; ok {
				e.put(`\` + esc)
			} else if r <= 0xff {
				e.put(fmt.Sprintf(`\x%02X`, r))
			} else if r <= 0xffff {
				e.put(fmt.Sprintf(`\u%04X`, r))
			} else {
				e.put(fmt.Sprintf(`\U%08X`, r))
			}
			spaces = false
		case r == ' ':
			if split && !spaces && e.column > e.width && i > 0 && i < len(runes)-1 {
				e.writeIndent()
				if runes[i+1] == ' ' {
					e.put(`\`)
				}
			} else {
				e.putRune(r)
			}
			spaces = true
		default:
			e.putRune(r)
			spaces = false
		}
	}
	e.indicator(`"`, false, false, false)
	e.whitespace, e.indention = false, false
}

// binary writes bytes as a literal block of base64.
func (e *emitter) binary(s string) {
	e.indicator("!!binary", true, false, false)
	defer e.increase(true, false)()
	e.indicator("|", true, false, false)
	text := base64.StdEncoding.EncodeToString([]byte(s))
	for {
		line := text[:min(76, len(text))]
		text = text[len(line):]
		e.lineBreak()
		e.put(strings.Repeat(" ", max(e.indent, 0)) + line)
		if text == "" {
			break
		}
	}
	e.whitespace, e.indention = false, false
}
