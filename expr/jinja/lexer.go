package jinja

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"petrel/expr/value"
)

// tokenKind is a token type; operators stand for themselves in describe.
type tokenKind int

const (
	tokEOF tokenKind = iota
	tokData
	tokVarBegin
	tokVarEnd
	tokBlockBegin
	tokBlockEnd
	tokName
	tokString
	tokInteger
	tokFloat
	tokOp
)

type token struct {
	kind tokenKind
	line int
	// text is the name, the operator or the data.
	text string
	// val is the value of a literal.
	val value.Value
}

// describe is how Jinja's messages call a token.
func (t token) describe() string {
	switch t.kind {
	case tokEOF:
		return "end of template"
	case tokData:
		return "template data / text"
	case tokVarBegin:
		return "begin of print statement"
	case tokVarEnd:
		return "end of print statement"
	case tokBlockBegin:
		return "begin of statement block"
	case tokBlockEnd:
		return "end of statement block"
	case tokString:
		return "string"
	case tokInteger:
		return "integer"
	case tokFloat:
		return "float"
	}
	return t.text
}

type lexState int

const (
	inRoot lexState = iota
	inVariable
	inBlock
)

// lexer cuts a template into tokens, one at a time: an error in a later part
// must not hide an earlier one of the parser.
type lexer struct {
	src          string
	pos          int
	line         int
	state        lexState
	balance      []byte
	lineStarting bool
	trim, lstrip bool
	pending      []token
}

func newLexer(src string, trim, lstrip bool, state lexState) *lexer {
	if strings.IndexByte(src, '\r') >= 0 {
		src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	}
	// One newline at the end does not count.
	src = strings.TrimSuffix(src, "\n")
	return &lexer{src: src, line: 1, state: state, lineStarting: true, trim: trim, lstrip: lstrip}
}

func syntaxErr(line int, format string, args ...any) *SyntaxError {
	return &SyntaxError{Class: "TemplateSyntaxError", Msg: fmt.Sprintf(format, args...), Line: line}
}

func (l *lexer) next() (token, error) {
	for {
		if len(l.pending) > 0 {
			t := l.pending[0]
			l.pending = l.pending[1:]
			return t, nil
		}
		if l.pos >= len(l.src) {
			return token{kind: tokEOF, line: l.line}, nil
		}
		if l.state == inRoot {
			if err := l.root(); err != nil {
				return token{}, err
			}
			continue
		}
		t, skip, err := l.tag()
		if err != nil {
			return token{}, err
		}
		if !skip {
			return t, nil
		}
	}
}

// skipSpace is the end of the whitespace that begins at i.
func skipSpace(s string, i int) int {
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !value.IsSpace(r) {
			break
		}
		i += n
	}
	return i
}

// matchRaw matches the opening of a raw block at i and gives its sign.
func (l *lexer) matchRaw(i int) (end int, sign byte, ok bool) {
	s := l.src
	j := i + 2
	if j < len(s) && (s[j] == '-' || s[j] == '+') {
		sign = s[j]
		j++
	}
	j = skipSpace(s, j)
	if !strings.HasPrefix(s[j:], "raw") {
		return 0, 0, false
	}
	j = skipSpace(s, j+3)
	if strings.HasPrefix(s[j:], "-%}") {
		return skipSpace(s, j+3), sign, true
	}
	if strings.HasPrefix(s[j:], "%}") {
		return j + 2, sign, true
	}
	return 0, 0, false
}

// blockClose matches the end of a block (or comment) tag at i.
func (l *lexer) blockClose(i int, mark string) (end int, ok bool) {
	s := l.src[i:]
	switch {
	case strings.HasPrefix(s, "+"+mark):
		return i + 1 + len(mark), true
	case strings.HasPrefix(s, "-"+mark):
		return skipSpace(l.src, i+1+len(mark)), true
	case strings.HasPrefix(s, mark):
		i += len(mark)
		if l.trim && i < len(l.src) && l.src[i] == '\n' {
			i++
		}
		return i, true
	}
	return 0, false
}

// data queues the text in front of a tag, stripped as the tag's sign says.
func (l *lexer) data(text string, sign byte, variable bool) {
	full := text
	switch {
	case sign == '-':
		text = strings.TrimRightFunc(text, value.IsSpace)
	case sign != '+' && l.lstrip && !variable:
		at := strings.LastIndexByte(text, '\n') + 1
		if (at > 0 || l.lineStarting) && at < len(text) && skipSpace(text, at) == len(text) {
			text = text[:at]
		}
	}
	if text != "" {
		l.pending = append(l.pending, token{kind: tokData, line: l.line, text: text})
	}
	if sign == '-' || len(text) == len(full) {
		l.line += strings.Count(full, "\n")
	} else {
		l.line += strings.Count(text, "\n")
	}
}

func (l *lexer) root() error {
	s := l.src
	start := l.pos
	for i := start; ; {
		j := strings.IndexByte(s[i:], '{')
		if j < 0 || i+j+1 >= len(s) {
			l.data(s[start:], '+', true)
			l.pos = len(s)
			return nil
		}
		i += j
		switch s[i+1] {
		case '{':
			sign, end := l.sign(i + 2)
			l.data(s[start:i], sign, true)
			l.pending = append(l.pending, token{kind: tokVarBegin, line: l.line})
			l.pos, l.state, l.lineStarting = end, inVariable, false
			return nil
		case '%':
			if end, sign, ok := l.matchRaw(i); ok {
				l.data(s[start:i], sign, false)
				l.line += strings.Count(s[i:end], "\n")
				l.lineStarting = s[end-1] == '\n'
				return l.raw(end)
			}
			sign, end := l.sign(i + 2)
			l.data(s[start:i], sign, false)
			l.pending = append(l.pending, token{kind: tokBlockBegin, line: l.line})
			l.pos, l.state, l.lineStarting = end, inBlock, false
			return nil
		case '#':
			sign, end := l.sign(i + 2)
			l.data(s[start:i], sign, false)
			return l.comment(end)
		}
		i++
	}
}

func (l *lexer) sign(i int) (byte, int) {
	if i < len(l.src) && (l.src[i] == '-' || l.src[i] == '+') {
		return l.src[i], i + 1
	}
	return 0, i
}

func (l *lexer) comment(start int) error {
	for i := start; ; i++ {
		j := strings.IndexByte(l.src[i:], '#')
		if j < 0 {
			if start >= len(l.src) {
				// Nothing follows the opening: Jinja sees the end of the text.
				l.pos = start
				return nil
			}
			return syntaxErr(l.line, "Missing end of comment tag")
		}
		i += j
		if i+1 >= len(l.src) || l.src[i+1] != '}' {
			continue
		}
		at := i
		if at > start && (l.src[at-1] == '-' || l.src[at-1] == '+') {
			at--
		}
		end, _ := l.blockClose(at, "#}")
		l.line += strings.Count(l.src[start:end], "\n")
		l.lineStarting = l.src[end-1] == '\n'
		l.pos = end
		return nil
	}
}

func (l *lexer) raw(start int) error {
	s := l.src
	for i := start; ; i += 2 {
		j := strings.Index(s[i:], "{%")
		if j < 0 {
			if start >= len(s) {
				l.pos = start
				return nil
			}
			return syntaxErr(l.line, "Missing end of raw directive")
		}
		i += j
		sign, at := l.sign(i + 2)
		at = skipSpace(s, at)
		if !strings.HasPrefix(s[at:], "endraw") {
			continue
		}
		at = skipSpace(s, at+6)
		end, ok := l.blockClose(at, "%}")
		if !ok {
			continue
		}
		l.data(s[start:i], sign, false)
		l.line += strings.Count(s[i:end], "\n")
		l.lineStarting = s[end-1] == '\n'
		l.pos = end
		return nil
	}
}

const operators3 = "//**==!=>=<="

// tag reads one token inside {{ }} or {% %}.
func (l *lexer) tag() (t token, skip bool, err error) {
	s := l.src
	i := l.pos
	if len(l.balance) == 0 {
		end, ok := 0, false
		kind := tokVarEnd
		if l.state == inVariable {
			if strings.HasPrefix(s[i:], "-}}") {
				end, ok = skipSpace(s, i+3), true
			} else if strings.HasPrefix(s[i:], "}}") {
				end, ok = i+2, true
			}
		} else {
			kind = tokBlockEnd
			end, ok = l.blockClose(i, "%}")
		}
		if ok {
			t = token{kind: kind, line: l.line}
			l.line += strings.Count(s[i:end], "\n")
			l.lineStarting = s[end-1] == '\n'
			l.pos, l.state = end, inRoot
			return t, false, nil
		}
	}
	l.lineStarting = false
	c := s[i]
	if end := skipSpace(s, i); end > i {
		l.line += strings.Count(s[i:end], "\n")
		l.pos = end
		return t, true, nil
	}
	switch {
	case c >= '0' && c <= '9':
		if end := floatEnd(s, i); end > 0 {
			l.pos = end
			f, _ := strconv.ParseFloat(strings.ReplaceAll(s[i:end], "_", ""), 64)
			return token{kind: tokFloat, line: l.line, text: s[i:end], val: f}, false, nil
		}
		if end := integerEnd(s, i); end > 0 {
			l.pos = end
			text := strings.ReplaceAll(s[i:end], "_", "")
			v, err := parseIntLiteral(text)
			if err != nil {
				return t, false, syntaxErr(l.line, "%s", err)
			}
			return token{kind: tokInteger, line: l.line, text: text, val: v}, false, nil
		}
	case c == '\'' || c == '"':
		for j := i + 1; j < len(s); j++ {
			if s[j] == '\\' {
				j++
				continue
			}
			if s[j] == c {
				raw := s[i+1 : j]
				l.pos = j + 1
				text, msg := unescape(raw)
				if msg != "" {
					return t, false, syntaxErr(l.line, "%s", msg)
				}
				t = token{kind: tokString, line: l.line, text: text, val: text}
				l.line += strings.Count(raw, "\n")
				return t, false, nil
			}
		}
	}
	j := i
	for j < len(s) {
		r, n := utf8.DecodeRuneInString(s[j:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			break
		}
		j += n
	}
	if j > i {
		name := s[i:j]
		l.pos = j
		if !value.IsIdentifier(name) {
			return t, false, syntaxErr(l.line, "Invalid character in identifier")
		}
		return token{kind: tokName, line: l.line, text: name}, false, nil
	}
	op := ""
	if i+1 < len(s) {
		for k := 0; k < len(operators3); k += 2 {
			if s[i:i+2] == operators3[k:k+2] {
				op = s[i : i+2]
			}
		}
	}
	if op == "" && strings.IndexByte("+-/*%~[](){}><=.:|,;", c) >= 0 {
		op = s[i : i+1]
	}
	if op == "" {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return t, false, syntaxErr(l.line, "unexpected char %s at %d", value.Quote(string(r)), utf8.RuneCountInString(s[:i]))
	}
	switch op {
	case "{":
		l.balance = append(l.balance, '}')
	case "(":
		l.balance = append(l.balance, ')')
	case "[":
		l.balance = append(l.balance, ']')
	case "}", ")", "]":
		if len(l.balance) == 0 {
			return t, false, syntaxErr(l.line, "unexpected '%s'", op)
		}
		want := l.balance[len(l.balance)-1]
		l.balance = l.balance[:len(l.balance)-1]
		if want != op[0] {
			return t, false, syntaxErr(l.line, "unexpected '%s', expected '%c'", op, want)
		}
	}
	l.pos = i + len(op)
	return token{kind: tokOp, line: l.line, text: op}, false, nil
}

// digitsEnd matches digits with single underscores between them.
func digitsEnd(s string, i int) int {
	j := i
	for j < len(s) {
		if s[j] >= '0' && s[j] <= '9' {
			j++
		} else if s[j] == '_' && j > i && j+1 < len(s) && s[j+1] >= '0' && s[j+1] <= '9' {
			j++
		} else {
			break
		}
	}
	return j
}

func floatEnd(s string, i int) int {
	if i > 0 && s[i-1] == '.' {
		return 0
	}
	j := digitsEnd(s, i)
	if j == i {
		return 0
	}
	exp := func(k int) int {
		if k < len(s) && (s[k] == 'e' || s[k] == 'E') {
			m := k + 1
			if m < len(s) && (s[m] == '+' || s[m] == '-') {
				m++
			}
			if e := digitsEnd(s, m); e > m {
				return e
			}
		}
		return 0
	}
	if j < len(s) && s[j] == '.' {
		if k := digitsEnd(s, j+1); k > j+1 {
			if e := exp(k); e > 0 {
				return e
			}
			return k
		}
	}
	return exp(j)
}

func integerEnd(s string, i int) int {
	if s[i] == '0' && i+1 < len(s) {
		digits := ""
		switch s[i+1] {
		case 'b', 'B':
			digits = "01"
		case 'o', 'O':
			digits = "01234567"
		case 'x', 'X':
			digits = "0123456789abcdefABCDEF"
		}
		if digits != "" {
			j := i + 2
			for j < len(s) {
				if strings.IndexByte(digits, s[j]) >= 0 {
					j++
				} else if s[j] == '_' && j+1 < len(s) && strings.IndexByte(digits, s[j+1]) >= 0 {
					j += 2
				} else {
					break
				}
			}
			if j > i+2 {
				return j
			}
		}
	}
	if s[i] == '0' {
		j := i + 1
		for j < len(s) {
			if s[j] == '0' {
				j++
			} else if s[j] == '_' && j+1 < len(s) && s[j+1] == '0' {
				j += 2
			} else {
				break
			}
		}
		return j
	}
	return digitsEnd(s, i)
}

func parseIntLiteral(text string) (value.Value, error) {
	if len(text) <= 18 {
		if n, err := strconv.ParseInt(text, 0, 64); err == nil {
			return n, nil
		}
	}
	if len(text) > 4300 {
		return nil, value.ValueErrorf("Exceeds the limit (4300 digits) for integer string conversion")
	}
	if strings.Trim(text, "0") == "" {
		return int64(0), nil
	}
	n, ok := new(big.Int).SetString(text, 0)
	if !ok {
		return nil, value.ValueErrorf("invalid literal for int() with base 0: %s", value.Quote(text))
	}
	return value.BigInt(n), nil
}

// unescape reads a string literal as Jinja does: what is outside ASCII is
// first written as an escape, then Python's unicode-escape codec is applied.
func unescape(raw string) (text, msg string) {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw, ""
	}
	var sb strings.Builder
	s := raw
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if !ascii {
		for _, r := range s {
			switch {
			case r < 0x80:
				sb.WriteByte(byte(r))
			case r < 0x100:
				fmt.Fprintf(&sb, `\x%02x`, r)
			case r < 0x10000:
				fmt.Fprintf(&sb, `\u%04x`, r)
			default:
				fmt.Fprintf(&sb, `\U%08x`, r)
			}
		}
		s = sb.String()
		sb.Reset()
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			sb.WriteByte(s[i])
			continue
		}
		i++
		if i >= len(s) {
			return "", `\ at end of string`
		}
		switch c := s[i]; c {
		case '\n':
		case '\\', '\'', '"':
			sb.WriteByte(c)
		case 'a':
			sb.WriteByte('\a')
		case 'b':
			sb.WriteByte('\b')
		case 'f':
			sb.WriteByte('\f')
		case 'n':
			sb.WriteByte('\n')
		case 'r':
			sb.WriteByte('\r')
		case 't':
			sb.WriteByte('\t')
		case 'v':
			sb.WriteByte('\v')
		case '0', '1', '2', '3', '4', '5', '6', '7':
			n := rune(0)
			j := i
			for ; j < len(s) && j < i+3 && s[j] >= '0' && s[j] <= '7'; j++ {
				n = n*8 + rune(s[j]-'0')
			}
			sb.WriteRune(n)
			i = j - 1
		case 'x', 'u', 'U':
			size := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			name := map[byte]string{'x': `\xXX`, 'u': `\uXXXX`, 'U': `\UXXXXXXXX`}[c]
			if i+size > len(s)-1 {
				return "", "truncated " + name + " escape"
			}
			n, err := strconv.ParseUint(s[i+1:i+1+size], 16, 64)
			if err != nil || strings.ContainsAny(s[i+1:i+1+size], "+-_") {
				return "", "truncated " + name + " escape"
			}
			if n > unicode.MaxRune {
				return "", "illegal Unicode character"
			}
			// Half of a surrogate pair cannot stand in UTF-8 and becomes U+FFFD.
			sb.WriteRune(rune(n))
			i += size
		case 'N':
			return "", `malformed \N character escape`
		default:
			sb.WriteByte('\\')
			sb.WriteByte(c)
		}
	}
	return sb.String(), ""
}
