package functions

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"petrel/expr/value"
)

// This file is the query language of the Python package jsonpath-rw: its
// grammar, its precedences and its coercions.

// maxPathNest bounds the nesting of parentheses and of the data walked by "..".
const maxPathNest = 100

// maxMatches bounds the result of a query.
const maxMatches = 100_000

type datum struct {
	val    value.Value
	parent *datum
}

type pathExpr interface {
	find(q *query, d *datum) ([]*datum, error)
}

type query struct {
	b     *value.Budget
	count int
}

func (q *query) step(n int) error {
	q.count += n
	if q.count > maxMatches {
		return &value.LimitError{Limit: "matches of a JSONPath query", Max: strconv.Itoa(maxMatches)}
	}
	return q.b.AllocItems(int64(4 * n))
}

type (
	rootPath   struct{}
	thisPath   struct{}
	parentPath struct{}
	fieldsPath struct{ names []string }
	indexPath  struct{ i int64 }
	slicePath  struct{ start, end value.Value }
	childPath  struct{ left, right pathExpr }
	descPath   struct{ left, right pathExpr }
	unionPath  struct{ left, right pathExpr }
	wherePath  struct{ left, right pathExpr }
	meetPath   struct{}
)

// JSONPath is the list of what a query of jsonpath-rw finds in a value; nil when
// it finds nothing.
func JSONPath(b *value.Budget, v value.Value, text string) (value.Value, error) {
	return jsonPath(b, v, text)
}

func jsonPath(b *value.Budget, v value.Value, text string) (value.Value, error) {
	if u, ok := v.(*value.Undefined); ok && u.Strict {
		return nil, u.Err()
	}
	p := &pathParser{src: text}
	if err := p.next(); err != nil {
		return nil, err
	}
	expr, err := p.parse(0, 0)
	if err != nil {
		return nil, err
	}
	if p.kind != "" {
		return nil, p.fail()
	}
	found, err := expr.find(&query{b: b}, &datum{val: v})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, nil
	}
	out := value.NewList()
	for _, d := range found {
		if d == nil {
			return nil, value.Errorf("AttributeError", "'NoneType' object has no attribute 'value'")
		}
		out.Append(d.val)
	}
	return out, nil
}

func (rootPath) find(q *query, d *datum) ([]*datum, error) {
	for d != nil && d.parent != nil {
		d = d.parent
	}
	return []*datum{d}, q.step(1)
}

func (thisPath) find(q *query, d *datum) ([]*datum, error) { return []*datum{d}, q.step(1) }

func (parentPath) find(q *query, d *datum) ([]*datum, error) {
	if d == nil {
		return []*datum{nil}, nil
	}
	return []*datum{d.parent}, q.step(1)
}

func dataOf(d *datum) value.Value {
	if d == nil {
		return nil
	}
	return d.val
}

func (f fieldsPath) find(q *query, d *datum) ([]*datum, error) {
	dict, ok := dataOf(d).(*value.Dict)
	if !ok {
		return nil, nil
	}
	var out []*datum
	for _, n := range f.names {
		if n == "*" {
			if err := q.step(dict.Len()); err != nil {
				return nil, err
			}
			out = out[:0]
			for _, v := range dict.All() {
				out = append(out, &datum{v, d})
			}
			return out, nil
		}
	}
	for _, n := range f.names {
		if v, ok := dict.GetStr(n); ok {
			out = append(out, &datum{v, d})
		}
	}
	return out, q.step(len(out) + 1)
}

func (x indexPath) find(q *query, d *datum) ([]*datum, error) {
	v := dataOf(d)
	n, err := value.Len(q.b, v)
	if err != nil {
		return nil, err
	}
	if int64(n) <= x.i {
		return nil, nil
	}
	item, ok, err := value.GetItem(q.b, v, x.i)
	if err != nil {
		return nil, err
	}
	if !ok {
		if _, isDict := v.(*value.Dict); isDict {
			return nil, value.Errorf("KeyError", "%d", x.i)
		}
		return nil, value.Errorf("IndexError", "list index out of range")
	}
	return []*datum{{item, d}}, q.step(1)
}

func (s slicePath) find(q *query, d *datum) ([]*datum, error) {
	v := dataOf(d)
	if _, isDict := v.(*value.Dict); isDict {
		v = value.NewList(v)
	} else if _, isInt := value.AsInt(v); isInt {
		v = value.NewList(v)
	} else if _, isStr := value.AsString(v); isStr {
		v = value.NewList(v)
	}
	items, ok := value.IsSequence(v)
	if !ok {
		return nil, value.TypeErrorf("object of type %s has no len()", value.Quote(value.TypeName(v)))
	}
	cut, _, err := value.GetItem(q.b, value.Tuple(items), value.Slice{Start: s.start, Stop: s.end})
	if err != nil {
		return nil, err
	}
	var out []*datum
	for _, it := range cut.(value.Tuple) {
		out = append(out, &datum{it, d})
	}
	return out, q.step(len(out) + 1)
}

func (c childPath) find(q *query, d *datum) ([]*datum, error) {
	left, err := c.left.find(q, d)
	if err != nil {
		return nil, err
	}
	var out []*datum
	for _, l := range left {
		r, err := c.right.find(q, l)
		if err != nil {
			return nil, err
		}
		out = append(out, r...)
	}
	return out, nil
}

func (c descPath) find(q *query, d *datum) ([]*datum, error) {
	left, err := c.left.find(q, d)
	if err != nil {
		return nil, err
	}
	var out []*datum
	for _, l := range left {
		if out, err = c.below(q, l, out, 0); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c descPath) below(q *query, d *datum, out []*datum, depth int) ([]*datum, error) {
	if depth > maxPathNest {
		return nil, &value.LimitError{Limit: "levels of depth", Max: strconv.Itoa(maxPathNest)}
	}
	if err := q.b.Step(1); err != nil {
		return nil, err
	}
	r, err := c.right.find(q, d)
	if err != nil {
		return nil, err
	}
	out = append(out, r...)
	switch x := dataOf(d).(type) {
	case *value.List:
		for _, it := range x.Items {
			if out, err = c.below(q, &datum{it, d}, out, depth+1); err != nil {
				return nil, err
			}
		}
	case *value.Dict:
		for _, it := range x.All() {
			if out, err = c.below(q, &datum{it, d}, out, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (c unionPath) find(q *query, d *datum) ([]*datum, error) {
	l, err := c.left.find(q, d)
	if err != nil {
		return nil, err
	}
	r, err := c.right.find(q, d)
	return append(l, r...), err
}

func (c wherePath) find(q *query, d *datum) ([]*datum, error) {
	left, err := c.left.find(q, d)
	if err != nil {
		return nil, err
	}
	var out []*datum
	for _, l := range left {
		r, err := c.right.find(q, l)
		if err != nil {
			return nil, err
		}
		if len(r) > 0 {
			out = append(out, l)
		}
	}
	return out, nil
}

func (meetPath) find(*query, *datum) ([]*datum, error) {
	return nil, value.Errorf("NotImplementedError", "")
}

// pathParser reads a query with one token of look-ahead. kind is "" at the
// end, id, number, named, or the operator itself.
type pathParser struct {
	src  string
	pos  int
	kind string
	text string
	num  int64
}

func (p *pathParser) fail() error {
	if p.kind == "" {
		return value.Errorf("AttributeError", "'NoneType' object has no attribute 'lineno'")
	}
	return value.Errorf("Exception", "Parse error near token %s (%s)", p.text, p.kind)
}

func isIDStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '@'
}

func (p *pathParser) next() error {
	for p.pos < len(p.src) && (p.src[p.pos] == ' ' || p.src[p.pos] == '\t' || p.src[p.pos] == '\n') {
		p.pos++
	}
	p.kind, p.text = "", ""
	if p.pos >= len(p.src) {
		return nil
	}
	s := p.src[p.pos:]
	c := s[0]
	switch {
	case isIDStart(c):
		i := 1
		for i < len(s) && (isIDStart(s[i]) || s[i] >= '0' && s[i] <= '9' || s[i] == '-') {
			i++
		}
		p.kind, p.text = "id", s[:i]
		if p.text == "where" {
			p.kind = "where"
		}
		p.pos += i
	case c >= '0' && c <= '9', c == '-' && len(s) > 1 && s[1] >= '0' && s[1] <= '9':
		i := 1
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		n, err := strconv.ParseInt(s[:i], 10, 64)
		if err != nil {
			return value.ValueErrorf("number out of range: %s", s[:i])
		}
		p.kind, p.text, p.num = "number", s[:i], n
		p.pos += i
	case c == '\'' || c == '"' || c == '`':
		var sb strings.Builder
		i := 1
		for {
			if i >= len(s) {
				return value.Errorf("JsonPathLexerError", "Unexpected EOF in string literal or identifier")
			}
			if s[i] == c {
				break
			}
			if s[i] == '\\' {
				if i+1 >= len(s) || s[i+1] == '\n' {
					return value.Errorf("JsonPathLexerError", "Error while lexing quoted field: Unexpected character: \\")
				}
				_, n := utf8.DecodeRuneInString(s[i+1:])
				sb.WriteString(s[i+1 : i+1+n])
				i += 1 + n
				continue
			}
			sb.WriteByte(s[i])
			i++
		}
		p.kind, p.text = "id", sb.String()
		if c == '`' {
			p.kind = "named"
		}
		p.pos += i + 1
	case strings.HasPrefix(s, ".."):
		p.kind, p.text = "..", ".."
		p.pos += 2
	case strings.IndexByte("*.[]()$,:|&", c) >= 0:
		p.kind, p.text = s[:1], s[:1]
		p.pos++
	default:
		r, _ := utf8.DecodeRuneInString(s)
		return value.Errorf("JsonPathLexerError", "Error on line 1, col %d: Unexpected character: %c ", p.pos, r)
	}
	return nil
}

// binding is the precedence of a binary operator; 0 is none.
func binding(kind string) int {
	switch kind {
	case "..":
		return 1
	case ".":
		return 2
	case "|":
		return 3
	case "&":
		return 4
	case "where":
		return 5
	}
	return 0
}

func (p *pathParser) parse(min, depth int) (pathExpr, error) {
	if depth > maxPathNest {
		return nil, &value.LimitError{Limit: "levels of depth in a JSONPath query", Max: fmt.Sprint(maxPathNest)}
	}
	left, err := p.primary(depth)
	if err != nil {
		return nil, err
	}
	for {
		if p.kind == "[" {
			sub, err := p.brackets()
			if err != nil {
				return nil, err
			}
			left = childPath{left, sub}
			continue
		}
		op := p.kind
		prec := binding(op)
		if prec == 0 || prec <= min {
			return left, nil
		}
		if err := p.next(); err != nil {
			return nil, err
		}
		right, err := p.parse(prec, depth+1)
		if err != nil {
			return nil, err
		}
		switch op {
		case ".":
			left = childPath{left, right}
		case "..":
			left = descPath{left, right}
		case "|":
			left = unionPath{left, right}
		case "&":
			left = meetPath{}
		default:
			left = wherePath{left, right}
		}
	}
}

func (p *pathParser) primary(depth int) (pathExpr, error) {
	switch p.kind {
	case "$":
		return rootPath{}, p.next()
	case "*":
		return fieldsPath{[]string{"*"}}, p.next()
	case "id":
		return p.fields()
	case "named":
		name := p.text
		if err := p.next(); err != nil {
			return nil, err
		}
		switch name {
		case "this":
			return thisPath{}, nil
		case "parent":
			return parentPath{}, nil
		}
		return nil, value.Errorf("Exception", "Unknown named operator `%s`", name)
	case "[":
		return p.brackets()
	case "(":
		if err := p.next(); err != nil {
			return nil, err
		}
		e, err := p.parse(0, depth+1)
		if err != nil {
			return nil, err
		}
		if p.kind != ")" {
			return nil, p.fail()
		}
		return e, p.next()
	}
	return nil, p.fail()
}

func (p *pathParser) fields() (pathExpr, error) {
	var names []string
	for {
		if p.kind != "id" {
			return nil, p.fail()
		}
		names = append(names, p.text)
		if err := p.next(); err != nil {
			return nil, err
		}
		if p.kind != "," {
			return fieldsPath{names}, nil
		}
		if err := p.next(); err != nil {
			return nil, err
		}
	}
}

func (p *pathParser) brackets() (pathExpr, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	var e pathExpr
	switch p.kind {
	case "*":
		e = slicePath{}
		if err := p.next(); err != nil {
			return nil, err
		}
	case "id":
		var err error
		if e, err = p.fields(); err != nil {
			return nil, err
		}
	case "number", ":":
		var start, end value.Value
		isIndex := false
		if p.kind == "number" {
			start, isIndex = p.num, true
			if err := p.next(); err != nil {
				return nil, err
			}
		}
		if p.kind == ":" {
			isIndex = false
			if err := p.next(); err != nil {
				return nil, err
			}
			if p.kind == "number" {
				end = p.num
				if err := p.next(); err != nil {
					return nil, err
				}
			}
		}
		if isIndex {
			e = indexPath{start.(int64)}
		} else {
			e = slicePath{start, end}
		}
	default:
		return nil, p.fail()
	}
	if p.kind != "]" {
		return nil, p.fail()
	}
	return e, p.next()
}
