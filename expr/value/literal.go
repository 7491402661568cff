package value

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLiteralDepth is how deep the brackets of a literal may be nested.
const MaxLiteralDepth = 100

// ParseLiteral is Python's ast.literal_eval: one literal made of texts,
// numbers, True, False, None, lists, tuples, sets and dicts. What is no
// expression at all is a SyntaxError; an expression that is no literal, such
// as a bare name, is a ValueError in Python's words.
func ParseLiteral(s string) (Value, error) {
	p := &literalParser{src: strings.TrimLeft(s, " \t")}
	p.space(false)
	if p.pos == len(p.src) {
		p.line = -1 // Python counts no line where there is none
	}
	v, err := p.tupleOrValue()
	if err != nil {
		return nil, err
	}
	p.space(false)
	for p.pos < len(p.src) && (p.src[p.pos] == '\n' || p.src[p.pos] == '\r') {
		p.pos++
		p.space(false)
	}
	if p.pos < len(p.src) {
		return nil, p.syntax("invalid syntax")
	}
	return v, nil
}

type literalParser struct {
	src   string
	pos   int
	depth int
	line  int // lines before the current one
}

func (p *literalParser) syntax(msg string) error {
	return Errorf("SyntaxError", "%s (<unknown>, line %d)", msg, p.line+1)
}

// malformed is literal_eval's refusal of a well-formed expression; Python
// shows the address of the syntax node, which means nothing.
func (p *literalParser) malformed(node string) error {
	return ValueErrorf("malformed node or string on line %d: <ast.%s object at 0x7f0000000000>", p.line+1, node)
}

// space skips blanks, inside brackets line ends and comments too.
func (p *literalParser) space(inside bool) {
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == ' ' || c == '\t' || c == '\f':
			p.pos++
		case inside && (c == '\n' || c == '\r'):
			if c == '\n' {
				p.line++
			}
			p.pos++
		case c == '#':
			end := strings.IndexByte(p.src[p.pos:], '\n')
			if end < 0 {
				p.pos = len(p.src)
				return
			}
			p.pos += end
			if !inside {
				return
			}
		case c == '\\' && strings.HasPrefix(p.src[p.pos:], "\\\n"):
			p.line++
			p.pos += 2
		default:
			return
		}
	}
}

func (p *literalParser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

// tupleOrValue reads a value at the top, where a comma makes a tuple.
func (p *literalParser) tupleOrValue() (Value, error) {
	v, err := p.value(false)
	if err != nil {
		return nil, err
	}
	p.space(false)
	if p.peek() != ',' {
		return v, nil
	}
	items := Tuple{v}
	for p.peek() == ',' {
		p.pos++
		p.space(false)
		if c := p.peek(); c == 0 || c == '\n' || c == '\r' {
			break
		}
		if v, err = p.value(false); err != nil {
			return nil, err
		}
		items = append(items, v)
		p.space(false)
	}
	return items, nil
}

func (p *literalParser) value(inside bool) (Value, error) {
	if p.depth >= MaxLiteralDepth {
		return nil, &LimitError{Limit: "levels of depth", Max: strconv.Itoa(MaxLiteralDepth)}
	}
	p.depth++
	defer func() { p.depth-- }()
	p.space(inside)
	switch c := p.peek(); {
	case c == 0:
		return nil, p.syntax("invalid syntax")
	case c == '[':
		items, _, err := p.items(']')
		if err != nil {
			return nil, err
		}
		return &List{Items: items}, nil
	case c == '(':
		items, comma, err := p.items(')')
		if err != nil {
			return nil, err
		}
		if len(items) == 1 && !comma {
			return items[0], nil
		}
		return append(Tuple{}, items...), nil
	case c == '{':
		return p.braces()
	case c == '-' || c == '+':
		return p.signed(inside)
	case c >= '0' && c <= '9' || c == '.':
		return p.number()
	case c == '\'' || c == '"':
		return p.texts(inside)
	}
	return p.word(inside)
}

// items reads what stands between brackets; comma says that the last item was
// followed by one.
func (p *literalParser) items(end byte) (items []Value, comma bool, err error) {
	open := p.src[p.pos]
	p.pos++
	for {
		p.space(true)
		if p.peek() == end {
			p.pos++
			return items, comma, nil
		}
		if p.peek() == 0 {
			return nil, false, p.syntax("'" + string(open) + "' was never closed")
		}
		if len(items) > 0 && !comma {
			return nil, false, p.syntax("invalid syntax. Perhaps you forgot a comma?")
		}
		v, err := p.value(true)
		if err != nil {
			return nil, false, err
		}
		items = append(items, v)
		p.space(true)
		if comma = p.peek() == ','; comma {
			p.pos++
		}
	}
}

// braces reads a dict or a set.
func (p *literalParser) braces() (Value, error) {
	p.pos++
	dict, set := NewDict(), NewSet()
	isSet, comma := false, true
	for {
		p.space(true)
		if p.peek() == '}' {
			p.pos++
			if isSet {
				return set, nil
			}
			return dict, nil
		}
		if p.peek() == 0 {
			return nil, p.syntax("'{' was never closed")
		}
		if !comma {
			return nil, p.syntax("invalid syntax. Perhaps you forgot a comma?")
		}
		key, err := p.value(true)
		if err != nil {
			return nil, err
		}
		if err := CheckHashable(key); err != nil {
			return nil, err
		}
		p.space(true)
		colon := p.peek() == ':'
		if colon && isSet || !colon && dict.Len() > 0 {
			return nil, p.syntax("invalid syntax")
		}
		if colon {
			p.pos++
			v, err := p.value(true)
			if err != nil {
				return nil, err
			}
			dict.Set(key, v)
		} else {
			isSet = true
			set.Add(key)
		}
		p.space(true)
		if comma = p.peek() == ','; comma {
			p.pos++
		}
	}
}

func (p *literalParser) signed(inside bool) (Value, error) {
	minus := p.src[p.pos] == '-'
	p.pos++
	p.space(inside)
	c := p.peek()
	if c == 0 {
		return nil, p.syntax("invalid syntax")
	}
	if !(c >= '0' && c <= '9' || c == '.') {
		if _, err := p.value(inside); err != nil {
			return nil, err
		}
		return nil, p.malformed("UnaryOp")
	}
	v, err := p.number()
	if err != nil || !minus {
		return v, err
	}
	return Neg(v)
}

func (p *literalParser) number() (Value, error) {
	start := p.pos
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		if c == '_' || c == '.' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' {
			p.pos++
			continue
		}
		if (c == '+' || c == '-') && p.pos > start && p.src[p.pos-1]|0x20 == 'e' && !strings.HasPrefix(strings.ToLower(p.src[start:]), "0x") {
			p.pos++
			continue
		}
		break
	}
	text := p.src[start:p.pos]
	if v, err := ParseInt(text, 0); err == nil {
		return v, nil
	} else if IsClass(err, "ValueError") && strings.HasPrefix(err.Error(), "Exceeds") {
		return nil, err
	}
	if text[0] != '0' || strings.ContainsAny(text, ".eE") {
		if f, err := ParseFloat(text); err == nil {
			return f, nil
		}
	}
	if strings.Trim(text, "0123456789_") == "" {
		return nil, p.syntax("leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers")
	}
	return nil, p.syntax("invalid decimal literal")
}

// word reads a name, or a text with a prefix.
func (p *literalParser) word(inside bool) (Value, error) {
	start := p.pos
	for p.pos < len(p.src) {
		r, size := utf8.DecodeRuneInString(p.src[p.pos:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		p.pos += size
	}
	word := p.src[start:p.pos]
	if word == "" {
		return nil, p.syntax("invalid syntax")
	}
	if c := p.peek(); c == '\'' || c == '"' {
		switch strings.ToLower(word) {
		case "b", "br", "rb", "r", "u":
			p.pos = start
			return p.texts(inside)
		}
	}
	switch word {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	case "set":
		if strings.HasPrefix(p.src[p.pos:], "()") {
			p.pos += 2
			return NewSet(), nil
		}
	}
	p.space(inside)
	switch c := p.peek(); c {
	case 0, ',', ']', ')', '}', ':', '\n', '\r':
		return nil, p.malformed("Name")
	case '(':
		return nil, p.malformed("Call")
	case '.':
		return nil, p.malformed("Attribute")
	case '[':
		return nil, p.malformed("Subscript")
	case '+', '-', '*', '/', '%', '@', '|', '&', '^':
		return nil, p.malformed("BinOp")
	}
	return nil, p.syntax("invalid syntax")
}

// texts reads one or more texts beside one another, which are one.
func (p *literalParser) texts(inside bool) (Value, error) {
	var joined strings.Builder
	bytes, first := false, true
	for {
		start := p.pos
		prefix := ""
		for p.pos < len(p.src) && p.src[p.pos]|0x20 >= 'a' && p.src[p.pos]|0x20 <= 'z' {
			p.pos++
		}
		prefix = strings.ToLower(p.src[start:p.pos])
		if c := p.peek(); c != '\'' && c != '"' {
			p.pos = start
			break
		}
		isBytes := strings.Contains(prefix, "b")
		if !first && isBytes != bytes {
			return nil, p.syntax("cannot mix bytes and nonbytes literals")
		}
		bytes, first = isBytes, false
		if err := p.text(&joined, strings.Contains(prefix, "r"), isBytes); err != nil {
			return nil, err
		}
		p.space(inside)
	}
	if bytes {
		return Bytes(joined.String()), nil
	}
	return joined.String(), nil
}

func (p *literalParser) text(out *strings.Builder, raw, bytes bool) error {
	quote := p.src[p.pos : p.pos+1]
	triple := strings.HasPrefix(p.src[p.pos:], strings.Repeat(quote, 3))
	if triple {
		quote = strings.Repeat(quote, 3)
	}
	p.pos += len(quote)
	for {
		switch rest := p.src[p.pos:]; {
		case rest == "":
			if triple {
				return p.syntax("unterminated triple-quoted string literal (detected at line " + strconv.Itoa(p.line+1) + ")")
			}
			return p.syntax("unterminated string literal (detected at line " + strconv.Itoa(p.line+1) + ")")
		case strings.HasPrefix(rest, quote):
			p.pos += len(quote)
			return nil
		case rest[0] == '\n' && !triple:
			return p.syntax("unterminated string literal (detected at line " + strconv.Itoa(p.line+1) + ")")
		case rest[0] == '\\' && len(rest) > 1 && raw:
			_, size := utf8.DecodeRuneInString(rest[1:])
			out.WriteString(rest[:1+size])
			p.pos += 1 + size
		case rest[0] == '\\' && len(rest) > 1:
			if err := p.escape(out, bytes); err != nil {
				return err
			}
		default:
			if rest[0] == '\n' {
				p.line++
			}
			r, size := utf8.DecodeRuneInString(rest)
			if bytes && r >= utf8.RuneSelf {
				return p.syntax("bytes can only contain ASCII literal characters")
			}
			out.WriteString(rest[:size])
			p.pos += size
		}
	}
}

var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b",
	'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

func (p *literalParser) escape(out *strings.Builder, bytes bool) error {
	c := p.src[p.pos+1]
	if text, ok := simpleEscapes[c]; ok {
		out.WriteString(text)
		p.pos += 2
		return nil
	}
	put := func(n uint64) {
		if bytes {
			out.WriteByte(byte(n))
		} else {
			out.WriteRune(rune(n))
		}
	}
	if c >= '0' && c <= '7' {
		end := p.pos + 1
		for end < len(p.src) && end < p.pos+4 && p.src[end] >= '0' && p.src[end] <= '7' {
			end++
		}
		n, _ := strconv.ParseUint(p.src[p.pos+1:end], 8, 16)
		p.pos = end
		put(n)
		return nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if digits == 0 || bytes && c != 'x' {
		out.WriteByte('\\')
		p.pos++
		return nil
	}
	end := p.pos + 2 + digits
	if end <= len(p.src) {
		if n, err := strconv.ParseUint(p.src[p.pos+2:end], 16, 32); err == nil && (bytes || utf8.ValidRune(rune(n))) {
			p.pos = end
			put(n)
			return nil
		}
	}
	return p.syntax(fmt.Sprintf("(unicode error) 'unicodeescape' codec can't decode bytes in position 0-%d: truncated or illegal \\%cXX escape", digits, c))
}
