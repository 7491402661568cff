// Package output writes what the command line shows, in the shapes `st2` gives
// them: tables, property lists, an execution with its result, JSON and YAML.
package output

import (
	"strings"
	"unicode/utf8"

	"petrel/expr/value"
)

// The widths of columns. st2: st2client/st2client/formatters/table.py
const (
	minIDColumn   = 26
	minColumn     = 5
	statusColumn  = 24
	fallback      = 28
	propertyWidth = 20
	valueWidth    = 60
)

// Transform changes how an attribute's value is shown.
type Transform func(v value.Value) value.Value

// Transforms are Transforms by attribute name.
type Transforms map[string]Transform

func (t Transforms) apply(name string, v value.Value) value.Value {
	if f := t[name]; f != nil {
		return f(v)
	}
	return v
}

// grid draws rows under headers; no column is wider than its width.
func grid(headers []string, widths []int, rows [][]string) string {
	cells := make([][][]string, len(rows))
	actual := make([]int, len(headers))
	for i, h := range headers {
		actual[i] = min(max(utf8.RuneCountInString(h), 0), max(widths[i], utf8.RuneCountInString(h)))
	}
	for r, row := range rows {
		cells[r] = make([][]string, len(row))
		for c, text := range row {
			for _, line := range strings.Split(text, "\n") {
				actual[c] = max(actual[c], min(utf8.RuneCountInString(line), widths[c]))
				if utf8.RuneCountInString(line) > widths[c] {
					cells[r][c] = append(cells[r][c], wrapText(line, widths[c])...)
				} else {
					cells[r][c] = append(cells[r][c], line)
				}
			}
		}
	}
	var b strings.Builder
	rule := func() {
		for _, w := range actual {
			b.WriteString("+" + strings.Repeat("-", w+2))
		}
		b.WriteString("+\n")
	}
	line := func(texts []string) {
		for i, text := range texts {
			b.WriteString("| " + text + strings.Repeat(" ", max(actual[i]-utf8.RuneCountInString(text), 0)) + " ")
		}
		b.WriteString("|\n")
	}
	rule()
	line(headers)
	rule()
	for _, row := range cells {
		height := 1
		for _, c := range row {
			height = max(height, len(c))
		}
		for h := range height {
			texts := make([]string, len(row))
			for c := range row {
				if h < len(row[c]) {
					texts[c] = row[c][h]
				}
			}
			line(texts)
		}
	}
	rule()
	return strings.TrimSuffix(b.String(), "\n")
}

// wrapText breaks a line as Python's textwrap does: at blanks and behind
// hyphens inside words, and inside words that are longer than the width.
func wrapText(text string, width int) []string {
	chunks := chunk(text)
	var lines []string
	for len(chunks) > 0 {
		var line []string
		length := 0
		if len(lines) > 0 && strings.TrimSpace(chunks[0]) == "" {
			chunks = chunks[1:]
			continue
		}
		for len(chunks) > 0 {
			n := utf8.RuneCountInString(chunks[0])
			if length+n > width {
				break
			}
			line = append(line, chunks[0])
			length += n
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && utf8.RuneCountInString(chunks[0]) > width {
			runes := []rune(chunks[0])
			room := max(width-length, 0)
			if width < 1 {
				room = 1
			}
			line = append(line, string(runes[:room]))
			chunks[0] = string(runes[room:])
		}
		for len(line) > 0 && strings.TrimSpace(line[len(line)-1]) == "" {
			line = line[:len(line)-1]
		}
		if len(line) > 0 {
			lines = append(lines, strings.Join(line, ""))
		}
	}
	return lines
}

// chunk cuts a text into blanks, words, and the hyphenated parts of words.
func chunk(text string) []string {
	var out []string
	runes := []rune(text)
	for i := 0; i < len(runes); {
		j := i
		if isBlank(runes[i]) {
			for j < len(runes) && isBlank(runes[j]) {
				j++
			}
			out = append(out, string(runes[i:j]))
			i = j
			continue
		}
		for j < len(runes) && !isBlank(runes[j]) {
			j++
			// A hyphen between letters ends a part.
			if j < len(runes)-1 && runes[j-1] == '-' && j-2 >= i && isLetter(runes[j-2]) && isLetter(runes[j]) {
				break
			}
		}
		out = append(out, string(runes[i:j]))
		i = j
	}
	return out
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' }
func isLetter(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127
}

// List draws a table of objects: one row each, one column an attribute. Widths
// are the user's (one for all, or one per column); without them the columns
// share the terminal's.
func List(items []value.Value, attributes []string, widths []int, terminal int, t Transforms) string {
	if len(attributes) == 0 || contains(attributes, "all") {
		attributes = nil
		if len(items) > 0 {
			attributes = sortedKeys(items[0])
		}
	} else if len(widths) == 0 {
		widths = columnWidths(items, attributes, terminal)
	}
	if len(widths) != len(attributes) {
		width := fallback
		if len(widths) == 1 {
			width = widths[0]
		}
		widths = make([]int, len(attributes))
		for i := range widths {
			widths[i] = width
		}
	}
	rows := make([][]string, len(items))
	for r, item := range items {
		rows[r] = make([]string, len(attributes))
		for c, name := range attributes {
			if strings.Contains(name, ".") {
				rows[r][c] = clean(simple(nested(item, name)))
			} else {
				rows[r][c] = clean(simple(t.apply(name, simple(attribute(item, name)))))
			}
		}
	}
	return grid(attributes, widths, rows)
}

func columnWidths(items []value.Value, attributes []string, terminal int) []int {
	first := terminal / len(attributes)
	each := first
	if attributes[0] == "id" {
		first = minIDColumn
		for _, item := range items {
			first = max(first, utf8.RuneCountInString(value.Str(attribute(item, "id"))))
		}
		each = (terminal - first) / len(attributes)
	}
	widths := []int{first}
	subtract := 0
	for i, name := range attributes[1:] {
		width := each
		switch {
		case name == "status":
			width = statusColumn
			subtract += statusColumn - each
		case i == len(attributes)-2 && subtract != 0:
			if width = each - subtract; width <= minColumn {
				width = minColumn
			}
		}
		widths = append(widths, max(width, 1))
	}
	return widths
}

// Properties draws one object as a list of its attributes: those of the
// preferred order first, the others by name. Attributes that were asked for
// stand as asked.
func Properties(item value.Value, attributes, preferred []string, t Transforms) string {
	if len(attributes) == 0 || contains(attributes, "all") {
		keys := sortedKeys(item)
		attributes = nil
		for _, p := range preferred {
			if contains(keys, p) {
				attributes = append(attributes, p)
			}
		}
		for _, k := range keys {
			if !contains(attributes, k) {
				attributes = append(attributes, k)
			}
		}
	}
	rows := make([][]string, 0, len(attributes))
	for _, name := range attributes {
		v := t.apply(name, nested(item, name))
		rows = append(rows, []string{name, clean(property(v))})
	}
	return grid([]string{"Property", "Value"}, []int{propertyWidth, valueWidth}, rows)
}

// property is a value in a property list: collections as JSON, empty ones as nothing.
func property(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.Dict:
		if x.Len() == 0 {
			return ""
		}
	case *value.List:
		if len(x.Items) == 0 {
			return ""
		}
	case nil:
		return ""
	default:
		return v
	}
	text, err := value.ToJSON(v, value.JSONStyle{Pretty: true, Indent: "    ", ItemSep: ",", KeySep: ": ", ASCII: true})
	if err != nil {
		return value.Str(v)
	}
	return string(text)
}

// attribute is an object's own attribute; nil when it has none.
func attribute(item value.Value, name string) value.Value {
	d, ok := item.(*value.Dict)
	if !ok {
		return nil
	}
	v, _ := d.GetStr(name)
	return v
}

// nested follows a dotted name through objects.
func nested(item value.Value, name string) value.Value {
	if v := attribute(item, name); v != nil {
		return v
	}
	v := item
	for _, part := range strings.Split(name, ".") {
		v = attribute(v, part)
	}
	return v
}

// simple is a value in a cell: a list of words as words with commas, nothing as nothing.
func simple(v value.Value) value.Value {
	switch x := v.(type) {
	case nil:
		return ""
	case *value.List:
		words := make([]string, len(x.Items))
		for i, item := range x.Items {
			s, isText := item.(string)
			if !isText {
				return v
			}
			words[i] = s
		}
		return strings.Join(words, ", ")
	}
	return v
}

// clean is the text of a value without what would break a table: escapes that
// older servers doubled, and carriage returns.
func clean(v value.Value) string {
	text := value.Str(v)
	text = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\"`, `"`).Replace(text)
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r", ""), "\t", "        ")
}

func contains(list []string, item string) bool {
	for _, l := range list {
		if l == item {
			return true
		}
	}
	return false
}
