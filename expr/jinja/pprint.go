package jinja

import (
	"strings"
	"unicode/utf8"

	"petrel/expr/value"
)

// prettyFormat is Python's pprint.pformat: repr() with sorted keys, broken
// into lines where it is wider than 80 columns.
func prettyFormat(b *value.Budget, v value.Value) (string, error) {
	p := &pretty{b: b}
	if err := p.format(v, 0, 0, 0); err != nil {
		return "", err
	}
	return p.sb.String(), nil
}

type pretty struct {
	b  *value.Budget
	sb strings.Builder
}

const prettyWidth = 80

func typeKey(v value.Value) string { return "<class '" + value.TypeName(v) + "'>" }

// safeSort sorts like pprint: what cannot be compared goes by its type's name.
func safeSort(b *value.Budget, items []value.Value) []value.Value {
	out := append([]value.Value(nil), items...)
	less := func(x, y value.Value) bool {
		lt, err := value.Less(b, x, y)
		if err != nil {
			return typeKey(x) < typeKey(y)
		}
		return lt
	}
	// Insertion by merging: stable, and no panic for an inconsistent order.
	var sort func(s []value.Value) []value.Value
	sort = func(s []value.Value) []value.Value {
		if len(s) < 2 {
			return s
		}
		l, r := sort(s[:len(s)/2]), sort(s[len(s)/2:])
		merged := make([]value.Value, 0, len(s))
		for len(l) > 0 && len(r) > 0 {
			if less(r[0], l[0]) {
				merged, r = append(merged, r[0]), r[1:]
			} else {
				merged, l = append(merged, l[0]), l[1:]
			}
		}
		return append(append(merged, l...), r...)
	}
	return sort(out)
}

// sortedCopy has all dicts in v sorted by key, so that its repr is pprint's.
func (p *pretty) sortedCopy(v value.Value, depth int) (value.Value, error) {
	if err := p.b.Step(1); err != nil {
		return nil, err
	}
	if depth > 100 {
		return nil, &value.LimitError{Limit: "levels of depth", Max: "100"}
	}
	copyItems := func(items []value.Value) ([]value.Value, error) {
		if err := p.b.AllocItems(int64(len(items))); err != nil {
			return nil, err
		}
		out := make([]value.Value, len(items))
		for i, it := range items {
			c, err := p.sortedCopy(it, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = c
		}
		return out, nil
	}
	switch x := v.(type) {
	case *value.Dict:
		d := value.NewDictSize(x.Len())
		for _, k := range safeSort(p.b, x.Keys()) {
			val, _ := x.Get(k)
			c, err := p.sortedCopy(val, depth+1)
			if err != nil {
				return nil, err
			}
			d.Set(k, c)
		}
		return d, p.b.AllocItems(int64(2 * x.Len()))
	case *value.List:
		items, err := copyItems(x.Items)
		return &value.List{Items: items}, err
	case value.Tuple:
		items, err := copyItems(x)
		return value.Tuple(items), err
	}
	return v, nil
}

func (p *pretty) repr(v value.Value) (string, error) {
	c, err := p.sortedCopy(v, 0)
	if err != nil {
		return "", err
	}
	return value.ToRepr(p.b, c)
}

func (p *pretty) format(v value.Value, indent, allowance, level int) error {
	if err := p.b.Enter(); err != nil {
		return err
	}
	defer p.b.Leave()
	rep, err := p.repr(v)
	if err != nil {
		return err
	}
	if utf8.RuneCountInString(rep) <= prettyWidth-indent-allowance {
		p.sb.WriteString(rep)
		return nil
	}
	switch x := v.(type) {
	case *value.Dict:
		p.sb.WriteByte('{')
		keys := safeSort(p.b, x.Keys())
		for i, k := range keys {
			kr, err := p.repr(k)
			if err != nil {
				return err
			}
			p.sb.WriteString(kr + ": ")
			val, _ := x.Get(k)
			last := i == len(keys)-1
			al := 1
			if last {
				al = allowance + 1
			}
			if err := p.format(val, indent+1+utf8.RuneCountInString(kr)+2, al, level+1); err != nil {
				return err
			}
			if !last {
				p.sb.WriteString(",\n" + strings.Repeat(" ", indent+1))
			}
		}
		p.sb.WriteByte('}')
		return nil
	case *value.List:
		return p.items("[", "]", x.Items, indent, allowance, level)
	case value.Tuple:
		end := ")"
		if len(x) == 1 {
			end = ",)"
		}
		return p.items("(", end, x, indent, allowance, level)
	case *value.Set:
		return p.items("{", "}", safeSort(p.b, x.Items()), indent, allowance, level)
	case string:
		return p.text(x, indent, allowance, level+1)
	}
	p.sb.WriteString(rep)
	return nil
}

func (p *pretty) items(open, end string, items []value.Value, indent, allowance, level int) error {
	p.sb.WriteString(open)
	for i, it := range items {
		al := 1
		if i == len(items)-1 {
			al = allowance + len(end)
		}
		if i > 0 {
			p.sb.WriteString(",\n" + strings.Repeat(" ", indent+1))
		}
		if err := p.format(it, indent+1, al, level+1); err != nil {
			return err
		}
	}
	p.sb.WriteString(end)
	return nil
}

func (p *pretty) text(s string, indent, allowance, level int) error {
	var chunks []string
	lines := value.SplitLines(s, true)
	if level == 1 {
		indent++
		allowance++
	}
	maxWidth := prettyWidth - indent
	width1 := maxWidth
	rep := ""
	for i, line := range lines {
		rep = value.Quote(line)
		lastLine := i == len(lines)-1
		if lastLine {
			width1 -= allowance
		}
		if utf8.RuneCountInString(rep) <= width1 {
			chunks = append(chunks, rep)
			continue
		}
		parts := wordsWithSpace(line)
		width2 := maxWidth
		current := ""
		for j, part := range parts {
			candidate := current + part
			if j == len(parts)-1 && lastLine {
				width2 -= allowance
			}
			if err := p.b.Step(1 + len(candidate)/16); err != nil {
				return err
			}
			if utf8.RuneCountInString(value.Quote(candidate)) > width2 {
				if current != "" {
					chunks = append(chunks, value.Quote(current))
				}
				current = part
			} else {
				current = candidate
			}
		}
		if current != "" {
			chunks = append(chunks, value.Quote(current))
		}
	}
	if len(chunks) == 1 {
		p.sb.WriteString(rep)
		return nil
	}
	if level == 1 {
		p.sb.WriteByte('(')
	}
	for i, c := range chunks {
		if i > 0 {
			p.sb.WriteString("\n" + strings.Repeat(" ", indent))
		}
		p.sb.WriteString(c)
	}
	if level == 1 {
		p.sb.WriteByte(')')
	}
	return nil
}

// wordsWithSpace cuts text into words, each with the space behind it.
func wordsWithSpace(s string) []string {
	var out []string
	for s != "" {
		i := strings.IndexFunc(s, value.IsSpace)
		if i < 0 {
			return append(out, s)
		}
		end := i
		for end < len(s) {
			r, n := utf8.DecodeRuneInString(s[end:])
			if !value.IsSpace(r) {
				break
			}
			end += n
		}
		out = append(out, s[:end])
		s = s[end:]
	}
	return out
}
