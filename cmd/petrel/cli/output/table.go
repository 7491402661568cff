// Package output writes what the command line shows, in the shapes `st2` gives
// them: tables, property lists, an execution with its result, JSON and YAML.
package output

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"petrel/cmd/petrel/cli/textwrap"
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

// colours are escape sequences, which take no room.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// lineWidth is the room a line takes on a terminal. It is -1 for a line with a
// control character, as for the table writer of st2: such a line is never wrapped.
func lineWidth(line string) int {
	total := 0
	for _, r := range colours.ReplaceAllString(line, "") {
		switch {
		case r == 0:
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return -1
		default:
			total += runeWidth(r)
		}
	}
	return total
}

// grid draws rows under headers; no column is wider than its width, unless its header is.
func grid(headers []string, widths []int, rows [][]string) string {
	actual := make([]int, len(headers))
	for i, h := range headers {
		actual[i] = lineWidth(h)
	}
	for _, row := range rows {
		for c, text := range row {
			widest := -1
			for line := range strings.SplitSeq(text, "\n") {
				widest = max(widest, lineWidth(line))
			}
			actual[c] = max(actual[c], min(widest, widths[c]))
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
			b.WriteString("| " + text + strings.Repeat(" ", max(actual[i]-lineWidth(text), 0)) + " ")
		}
		b.WriteString("|\n")
	}
	rule()
	if len(headers) > 0 {
		line(headers)
		rule()
	}
	for _, row := range rows {
		cells := make([][]string, len(row))
		height := 1
		for c, text := range row {
			for one := range strings.SplitSeq(text, "\n") {
				if lineWidth(one) > actual[c] {
					one = textwrap.Fill(one, actual[c], "")
				}
				cells[c] = append(cells[c], strings.Split(one, "\n")...)
			}
			height = max(height, len(cells[c]))
		}
		for h := range height {
			texts := make([]string, len(row))
			for c := range row {
				if h < len(cells[c]) {
					texts[c] = cells[c][h]
				}
			}
			line(texts)
		}
	}
	rule()
	return strings.TrimSuffix(b.String(), "\n")
}

// List draws a table of objects: one row each, one column an attribute. Widths
// are the user's (one for all, or one per column); without them the columns
// share the terminal's.
func List(items []value.Value, attributes []string, widths []int, terminal int, t Transforms) string {
	if len(widths) == 0 && len(attributes) > 0 {
		widths = columnWidths(items, attributes, terminal)
	}
	if len(attributes) == 0 || slices.Contains(attributes, "all") {
		attributes = nil
		if len(items) > 0 {
			attributes = sortedKeys(items[0])
		}
	}
	if len(widths) != len(attributes) {
		each := fallback
		if len(widths) == 1 {
			each = widths[0]
		}
		widths = make([]int, len(attributes))
		for i := range widths {
			widths[i] = each
		}
	}
	rows := make([][]string, len(items))
	for r, item := range items {
		rows[r] = make([]string, len(attributes))
		for c, name := range attributes {
			if strings.Contains(name, ".") {
				rows[r][c] = shown(orNothing(nested(item, name)))
			} else {
				rows[r][c] = shown(t.apply(name, simple(item, name)))
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
		room := each
		switch {
		case name == "status":
			room = statusColumn
			subtract += statusColumn - each
		case i == len(attributes)-2 && subtract != 0:
			room = max(each-subtract, minColumn)
		}
		widths = append(widths, room)
	}
	return widths
}

// Properties draws one object as a list of its attributes: those of the
// preferred order first, then the others as asked, or by name when all are shown.
func Properties(item value.Value, attributes, preferred []string, t Transforms) string {
	if len(attributes) == 0 || slices.Contains(attributes, "all") {
		attributes = sortedKeys(item)
	}
	var ordered []string
	for _, p := range preferred {
		if slices.Contains(attributes, p) {
			ordered = append(ordered, p)
		}
	}
	for i, a := range attributes {
		if !slices.Contains(preferred, a) || slices.Contains(attributes[:i], a) {
			ordered = append(ordered, a)
		}
	}
	rows := make([][]string, 0, len(ordered))
	for _, name := range ordered {
		v := t.apply(name, orNothing(nested(item, name)))
		rows = append(rows, []string{name, shown(property(v))})
	}
	return grid([]string{"Property", "Value"}, []int{propertyWidth, valueWidth}, rows)
}

// property is a value in a property list: collections as JSON.
func property(v value.Value) value.Value {
	switch v.(type) {
	case *value.Dict, *value.List:
		text, err := value.ToJSON(v, value.JSONStyle{Pretty: true, Indent: "    ", ItemSep: ",", KeySep: ": ", ASCII: true})
		if err != nil {
			return value.Str(v)
		}
		return string(text)
	}
	return v
}

// orNothing is a value with nothing for none and for an empty collection.
func orNothing(v value.Value) value.Value {
	switch x := v.(type) {
	case nil:
		return ""
	case *value.Dict:
		if x.Len() == 0 {
			return ""
		}
	case *value.List:
		if len(x.Items) == 0 {
			return ""
		}
	}
	return v
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

// nested follows a dotted name through objects as far as they go; a text on the
// way is the answer.
func nested(item value.Value, name string) value.Value {
	v := item
	for part := range strings.SplitSeq(name, ".") {
		if _, isText := v.(string); isText {
			return v
		}
		v = attribute(v, part)
	}
	return v
}

// simple is an attribute in a cell: a list of words as words with commas; what
// is not there is empty, what is there and null is None.
func simple(item value.Value, name string) value.Value {
	d, ok := item.(*value.Dict)
	if !ok {
		return ""
	}
	v, found := d.GetStr(name)
	if !found {
		return ""
	}
	l, isList := v.(*value.List)
	if !isList {
		return v
	}
	words := make([]string, len(l.Items))
	for i, item := range l.Items {
		s, isText := item.(string)
		if !isText {
			return v
		}
		words[i] = s
	}
	return strings.Join(words, ", ")
}

// shown is the text of a value. Texts are shown without carriage returns and with
// the escapes resolved that older servers doubled.
func shown(v value.Value) string {
	if s, isText := v.(string); isText {
		return clean(s)
	}
	return value.Str(v)
}

var escapes = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\"`, `"`)

func clean(s string) string {
	return strings.ReplaceAll(escapes.Replace(s), "\r", "")
}
