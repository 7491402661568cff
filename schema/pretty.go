package schema

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"petrel/expr/value"
)

// prettyWidth is the width of the lines in an error's text.
const prettyWidth = 72

// pretty writes a value as Python's pprint.pformat does: on one line where it
// fits, else one item a line; keys of dicts sorted, long texts broken at spaces.
func pretty(v value.Value, width int) string {
	p := &prettyPrinter{width: width}
	p.format(sortedCopy(v, 0), 0, 0, 0)
	return cut(p.String())
}

// sortedCopy sorts the keys of all dicts once, so that every repr below has
// them in pprint's order.
func sortedCopy(v value.Value, depth int) value.Value {
	if depth > MaxDepth {
		return "..."
	}
	switch x := v.(type) {
	case *value.Dict:
		keys := x.Keys()
		slices.SortStableFunc(keys, func(a, b value.Value) int {
			if c, err := value.Compare(a, b); err == nil {
				return c
			}
			return strings.Compare(value.TypeName(a), value.TypeName(b))
		})
		out := value.NewDictSize(len(keys))
		for _, k := range keys {
			item, _ := x.Get(k)
			out.Set(k, sortedCopy(item, depth+1))
		}
		return out
	case *value.List:
		out := &value.List{Items: make([]value.Value, len(x.Items))}
		for i, item := range x.Items {
			out.Items[i] = sortedCopy(item, depth+1)
		}
		return out
	}
	return v
}

type prettyPrinter struct {
	strings.Builder
	width int
}

func (p *prettyPrinter) full() bool { return p.Len() > MaxShown }

// format writes v at the given column; allowance is what follows on its last
// line, level how deep it is nested.
func (p *prettyPrinter) format(v value.Value, indent, allowance, level int) {
	if p.full() {
		return
	}
	rep := reprWithin(v)
	if utf8.RuneCountInString(rep) > p.width-indent-allowance {
		switch x := v.(type) {
		case *value.Dict:
			p.dict(x, indent, allowance+1, level+1)
			return
		case *value.List:
			p.list(x, indent, allowance+1, level+1)
			return
		case string:
			p.text(x, indent, allowance, level+1)
			return
		}
	}
	p.WriteString(rep)
}

func (p *prettyPrinter) list(l *value.List, indent, allowance, level int) {
	p.WriteString("[")
	indent++
	for i, item := range l.Items {
		if i > 0 {
			p.WriteString(",\n" + strings.Repeat(" ", indent))
		}
		after := 1
		if i == len(l.Items)-1 {
			after = allowance
		}
		p.format(item, indent, after, level)
	}
	p.WriteString("]")
}

func (p *prettyPrinter) dict(d *value.Dict, indent, allowance, level int) {
	p.WriteString("{")
	indent++
	i := 0
	for k, item := range d.All() {
		if i > 0 {
			p.WriteString(",\n" + strings.Repeat(" ", indent))
		}
		i++
		after := 1
		if i == d.Len() {
			after = allowance
		}
		key := reprWithin(k)
		p.WriteString(key + ": ")
		p.format(item, indent+utf8.RuneCountInString(key)+2, after, level)
	}
	p.WriteString("}")
}

func (p *prettyPrinter) text(s string, indent, allowance, level int) {
	if s == "" {
		p.WriteString("''")
		return
	}
	var chunks []string
	lines := splitLines(s)
	if level == 1 {
		indent++
		allowance++
	}
	width := p.width - indent
	width1 := width
	rep := ""
	for i, line := range lines {
		last := i == len(lines)-1
		rep = value.Quote(line)
		if last {
			width1 -= allowance
		}
		if utf8.RuneCountInString(rep) <= width1 {
			chunks = append(chunks, rep)
			continue
		}
		parts := wordsWithSpace(line)
		width2 := width
		current := ""
		for j, part := range parts {
			candidate := current + part
			if last && j == len(parts)-1 {
				width2 -= allowance
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
		p.WriteString(rep)
		return
	}
	if level == 1 {
		p.WriteString("(")
	}
	for i, chunk := range chunks {
		if p.full() {
			break
		}
		if i > 0 {
			p.WriteString("\n" + strings.Repeat(" ", indent))
		}
		p.WriteString(chunk)
	}
	if level == 1 {
		p.WriteString(")")
	}
}

// splitLines is str.splitlines(True).
func splitLines(s string) []string {
	var lines []string
	start := 0
	for i, r := range s {
		size := 0
		switch r {
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
			size = utf8.RuneLen(r)
		case '\r':
			size = 1
			if strings.HasPrefix(s[i:], "\r\n") {
				size = 2
			}
		}
		if size > 0 && i >= start {
			lines = append(lines, s[start:i+size])
			start = i + size
		}
	}
	if start < len(s) {
		lines = append(lines, s[start:])
	}
	return lines
}

// wordsWithSpace splits a line into words, each with the space behind it.
func wordsWithSpace(line string) []string {
	var words []string
	start, inSpace := 0, false
	for i, r := range line {
		space := unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
		if inSpace && !space {
			words = append(words, line[start:i])
			start = i
		}
		inSpace = space
	}
	return append(words, line[start:])
}
