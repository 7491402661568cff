package value

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// formatFixed is '%.*f' with Python's correct rounding.
func formatFixed(f float64, prec int) string { return strconv.FormatFloat(f, 'f', prec, 64) }

// maxPrecision bounds widths and precisions of formatting before memory is used.
const maxPrecision = 1 << 20

// formatFloatKind formats a finite or special float for the presentation
// types e, E, f, F, g, G and %; alt keeps the point and zeros.
func formatFloatKind(f float64, kind byte, prec int, alt bool) string {
	upper := kind == 'E' || kind == 'F' || kind == 'G'
	if math.IsNaN(f) || math.IsInf(f, 0) {
		s := "nan"
		if math.IsInf(f, 0) {
			s = "inf"
			if f < 0 {
				s = "-inf"
			}
		}
		if upper {
			return strings.ToUpper(s)
		}
		return s
	}
	// No float has more digits than this; zeros are added as text.
	const most = 1100
	var s string
	extra := 0
	if prec > most {
		extra, prec = prec-most, most
	}
	switch kind {
	case 'e', 'E':
		s = strconv.FormatFloat(f, 'e', prec, 64)
		if extra > 0 {
			i := strings.IndexByte(s, 'e')
			s = s[:i] + strings.Repeat("0", extra) + s[i:]
		}
		if alt && prec == 0 {
			i := strings.IndexByte(s, 'e')
			s = s[:i] + "." + s[i:]
		}
	case 'f', 'F':
		s = strconv.FormatFloat(f, 'f', prec, 64) + strings.Repeat("0", extra)
		if alt && prec == 0 {
			s += "."
		}
	default:
		if prec == 0 {
			prec = 1
		}
		if f == 0 {
			s = "0"
			if math.Signbit(f) {
				s = "-0"
			}
			if alt {
				s += "." + strings.Repeat("0", prec-1)
			}
			break
		}
		e := strconv.FormatFloat(f, 'e', prec-1, 64)
		i := strings.IndexByte(e, 'e')
		exp, _ := strconv.Atoi(e[i+1:])
		if exp < -4 || exp >= prec {
			mant := e[:i]
			if !alt {
				mant = trimZeros(mant)
			} else if prec == 1 {
				mant += "."
			}
			s = mant + e[i:]
		} else {
			s = strconv.FormatFloat(f, 'f', max(prec-1-exp, 0), 64)
			if !alt {
				s = trimZeros(s)
			} else if !strings.Contains(s, ".") {
				s += "."
			}
		}
	}
	if upper {
		s = strings.ToUpper(s)
	}
	return s
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// FormatPercent is format % arg.
func FormatPercent(b *Budget, format string, arg Value) (string, error) {
	return formatPercent(b, format, arg, false)
}

func formatPercent(b *Budget, format string, arg Value, escape bool) (string, error) {
	var args []Value
	isTuple := false
	switch a := arg.(type) {
	case Tuple:
		args, isTuple = a, true
	case *NamedTuple:
		args, isTuple = a.Items, true
	default:
		args = []Value{arg}
	}
	next := 0
	usedDict := false
	take := func() (Value, error) {
		if next >= len(args) {
			return nil, TypeErrorf("not enough arguments for format string")
		}
		next++
		return args[next-1], nil
	}
	var sb strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		if c != '%' {
			j := strings.IndexByte(format[i:], '%')
			if j < 0 {
				j = len(format) - i
			}
			sb.WriteString(format[i : i+j])
			i += j
			continue
		}
		if err := b.Step(1); err != nil {
			return "", err
		}
		at := i
		i++
		var val Value
		haveKey := false
		if i < len(format) && format[i] == '(' {
			depth, start := 1, i+1
			for i++; i < len(format) && depth > 0; i++ {
				switch format[i] {
				case '(':
					depth++
				case ')':
					depth--
				}
			}
			if depth > 0 {
				return "", ValueErrorf("incomplete format key")
			}
			key := format[start : i-1]
			var v Value
			var ok bool
			var err error
			switch a := arg.(type) {
			case *Dict:
				v, ok = a.GetStr(key)
			case Object:
				v, ok, err = a.Attr(b, key)
			case *Undefined:
				err = a.Err()
			default:
				return "", TypeErrorf("format requires a mapping")
			}
			if err != nil {
				return "", err
			}
			if !ok {
				return "", Errorf("KeyError", "%s", quote(key))
			}
			val, haveKey, usedDict = v, true, true
		}
		var flags struct{ alt, zero, left, space, plus bool }
	flagLoop:
		for ; i < len(format); i++ {
			switch format[i] {
			case '#':
				flags.alt = true
			case '0':
				flags.zero = true
			case '-':
				flags.left = true
			case ' ':
				flags.space = true
			case '+':
				flags.plus = true
			default:
				break flagLoop
			}
		}
		number := func() (int, bool, error) {
			if i < len(format) && format[i] == '*' {
				i++
				v, err := take()
				if err != nil {
					return 0, false, err
				}
				n, ok := AsInt(v)
				if !ok {
					return 0, false, TypeErrorf("* wants int")
				}
				if n > maxPrecision || n < -maxPrecision {
					return 0, false, &LimitError{Limit: "characters of format width", Max: strconv.Itoa(maxPrecision)}
				}
				return int(n), true, nil
			}
			n, any := 0, false
			for ; i < len(format) && isDigit(format[i]); i++ {
				if n = n*10 + int(format[i]-'0'); n > maxPrecision {
					return 0, false, &LimitError{Limit: "characters of format width", Max: strconv.Itoa(maxPrecision)}
				}
				any = true
			}
			return n, any, nil
		}
		width, _, err := number()
		if err != nil {
			return "", err
		}
		if width < 0 {
			flags.left = true
			width = -width
		}
		prec := -1
		if i < len(format) && format[i] == '.' {
			i++
			n, ok, err := number()
			if err != nil {
				return "", err
			}
			prec = 0
			if ok {
				prec = max(n, 0)
			}
		}
		for i < len(format) && (format[i] == 'h' || format[i] == 'l' || format[i] == 'L') {
			i++
		}
		if i >= len(format) {
			return "", ValueErrorf("incomplete format")
		}
		kind := format[i]
		i++
		if kind == '%' {
			// Nothing may stand between the two signs.
			if i != at+2 {
				return "", ValueErrorf("unsupported format character '%%' (0x25) at index %d", utf8.RuneCountInString(format[:i-1]))
			}
			sb.WriteByte('%')
			continue
		}
		if !haveKey {
			if val, err = take(); err != nil {
				return "", err
			}
		}
		if u, ok := val.(*Undefined); ok && u.Strict && kind != 's' {
			return "", u.Err()
		}
		var text, sign string
		numeric := false
		switch kind {
		case 's', 'r', 'a':
			if kind == 's' {
				text, err = ToStr(b, val)
			} else {
				text, err = ToRepr(b, val)
			}
			if err != nil {
				return "", err
			}
			if kind == 'a' {
				text = asciiEscape(text)
			}
			if prec >= 0 {
				text = firstRunes(text, prec)
			}
			if escape {
				if _, ok := val.(Markup); !ok {
					text = EscapeHTML(text)
				}
			}
		case 'c':
			if s, ok := AsString(val); ok {
				if utf8.RuneCountInString(s) != 1 {
					return "", TypeErrorf("%%c requires int or char")
				}
				text = s
			} else if n, ok := AsInt(val); ok {
				if n < 0 || n > utf8.MaxRune {
					return "", Errorf("OverflowError", "%%c arg not in range(0x110000)")
				}
				text = string(rune(n))
			} else {
				return "", TypeErrorf("%%c requires int or char")
			}
		case 'd', 'i', 'u', 'x', 'X', 'o':
			numeric = true
			n, err := percentInt(val, kind)
			if err != nil {
				return "", err
			}
			base, prefix := 10, ""
			switch kind {
			case 'x':
				base, prefix = 16, "0x"
			case 'X':
				base, prefix = 16, "0X"
			case 'o':
				base, prefix = 8, "0o"
			}
			if base == 10 {
				if _, err := bigText(n); err != nil {
					return "", err
				}
			}
			text = new(big.Int).Abs(n).Text(base)
			if kind == 'X' {
				text = strings.ToUpper(text)
			}
			if len(text) < prec {
				text = strings.Repeat("0", prec-len(text)) + text
			}
			if n.Sign() < 0 {
				sign = "-"
			}
			if flags.alt {
				sign += prefix
			}
		case 'e', 'E', 'f', 'F', 'g', 'G':
			numeric = true
			f, err := ToFloat(val)
			if err != nil {
				if _, isStr := AsString(val); isStr || IsClass(err, "TypeError") {
					return "", TypeErrorf("must be real number, not %s", TypeName(val))
				}
				return "", err
			}
			if _, isStr := AsString(val); isStr {
				return "", TypeErrorf("must be real number, not %s", TypeName(val))
			}
			if prec < 0 {
				prec = 6
			}
			text = formatFloatKind(f, kind, prec, flags.alt)
			if strings.HasPrefix(text, "-") {
				sign, text = "-", text[1:]
			}
		default:
			r, _ := utf8.DecodeRuneInString(format[i-1:])
			return "", ValueErrorf("unsupported format character %s (0x%x) at index %d", quote(string(r)), r, utf8.RuneCountInString(format[:i-1]))
		}
		if numeric && !strings.HasPrefix(sign, "-") {
			if flags.plus {
				sign = "+" + sign
			} else if flags.space {
				sign = " " + sign
			}
		}
		pad := width - utf8.RuneCountInString(text) - len(sign)
		if err := b.Alloc(int64(len(text) + max(pad, 0))); err != nil {
			return "", err
		}
		switch {
		case pad <= 0:
			sb.WriteString(sign + text)
		case flags.left:
			sb.WriteString(sign + text + strings.Repeat(" ", pad))
		case flags.zero && numeric:
			sb.WriteString(sign + strings.Repeat("0", pad) + text)
		default:
			sb.WriteString(strings.Repeat(" ", pad) + sign + text)
		}
	}
	if next < len(args) && !usedDict {
		switch arg.(type) {
		case *Dict, *List, Object, *Undefined, *Range, Bytes:
			// These have items to index, so Python takes them for a mapping.
			if !isTuple {
				return sb.String(), nil
			}
		}
		return "", TypeErrorf("not all arguments converted during string formatting")
	}
	return sb.String(), nil
}

func percentInt(v Value, kind byte) (*big.Int, error) {
	num, ok := asNumber(v)
	if !ok {
		if kind == 'x' || kind == 'X' || kind == 'o' {
			return nil, TypeErrorf("%%%c format: an integer is required, not %s", kind, TypeName(v))
		}
		return nil, TypeErrorf("%%%c format: a real number is required, not %s", kind, TypeName(v))
	}
	if num.big != nil {
		return num.big, nil
	}
	if kind == 'x' || kind == 'X' || kind == 'o' {
		return nil, TypeErrorf("%%%c format: an integer is required, not float", kind)
	}
	i, err := ToInt(num.f)
	if err != nil {
		return nil, err
	}
	n, _ := asNumber(i)
	return n.big, nil
}

func asciiEscape(s string) string {
	var buf []byte
	for _, r := range s {
		switch {
		case r < 0x80:
			buf = append(buf, byte(r))
		case r < 0x100:
			buf = append(buf, `\x`...)
			buf = append(buf, hexDigits[r>>4], hexDigits[r&15])
		case r < 0x10000:
			buf = append(buf, `\u`...)
			buf = append(buf, hexDigits[r>>12], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			buf = fmt.Appendf(buf, `\U%08x`, r)
		}
	}
	return string(buf)
}

func firstRunes(s string, n int) string {
	if n >= len(s) {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// formatSpec is the parsed mini-language of format().
type formatSpec struct {
	fill  rune
	align byte
	sign  byte
	z     bool
	alt   bool
	width int
	group byte
	prec  int
	kind  byte
}

func parseSpec(spec, typ string) (formatSpec, error) {
	f := formatSpec{fill: ' ', prec: -1}
	isAlign := func(c byte) bool { return c == '<' || c == '>' || c == '=' || c == '^' }
	s := spec
	explicitFill := false
	if r, n := utf8.DecodeRuneInString(s); n > 0 && len(s) > n && isAlign(s[n]) {
		f.fill, f.align = r, s[n]
		explicitFill = true
		s = s[n+1:]
	} else if s != "" && isAlign(s[0]) {
		f.align = s[0]
		s = s[1:]
	}
	if s != "" && (s[0] == '+' || s[0] == '-' || s[0] == ' ') {
		f.sign = s[0]
		s = s[1:]
	}
	if s != "" && s[0] == 'z' {
		f.z = true
		s = s[1:]
	}
	if s != "" && s[0] == '#' {
		f.alt = true
		s = s[1:]
	}
	if s != "" && s[0] == '0' && !explicitFill {
		f.fill = '0'
		if f.align == 0 && typ != "str" {
			f.align = '='
		}
		if f.align == 0 {
			f.align = '<'
		}
		s = s[1:]
	}
	num := func() (int, bool, error) {
		n, i := 0, 0
		for ; i < len(s) && isDigit(s[i]); i++ {
			if n = n*10 + int(s[i]-'0'); n > maxPrecision {
				return 0, false, &LimitError{Limit: "characters of format width", Max: strconv.Itoa(maxPrecision)}
			}
		}
		s = s[i:]
		return n, i > 0, nil
	}
	var err error
	if f.width, _, err = num(); err != nil {
		return f, err
	}
	if s != "" && (s[0] == ',' || s[0] == '_') {
		f.group = s[0]
		s = s[1:]
		if s != "" && s[0] == ',' {
			if f.group == ',' {
				return f, ValueErrorf("Cannot specify ',' with ','.")
			}
			return f, ValueErrorf("Cannot specify both ',' and '_'.")
		}
		if s != "" && s[0] == '_' {
			return f, ValueErrorf("Cannot specify both ',' and '_'.")
		}
	}
	if s != "" && s[0] == '.' {
		s = s[1:]
		n, ok, err := num()
		if err != nil {
			return f, err
		}
		if !ok {
			return f, ValueErrorf("Format specifier missing precision")
		}
		f.prec = n
	}
	if utf8.RuneCountInString(s) > 1 {
		return f, ValueErrorf("Invalid format specifier '%s' for object of type '%s'", spec, typ)
	}
	if s != "" {
		if s[0] >= 0x80 {
			return f, ValueErrorf("Unknown format code %s for object of type %s", quote(s), quote(typ))
		}
		f.kind = s[0]
	}
	if f.group != 0 && f.kind != 0 && !strings.ContainsRune("deEfFgG%", rune(f.kind)) {
		if f.group == ',' || !strings.ContainsRune("boxX", rune(f.kind)) {
			return f, ValueErrorf("Cannot specify '%c' with '%c'.", f.group, f.kind)
		}
	}
	return f, nil
}

// Format is format(v, spec).
func Format(b *Budget, v Value, spec string) (string, error) {
	if err := b.Step(1); err != nil {
		return "", err
	}
	switch x := v.(type) {
	case string, Markup:
		s, _ := AsString(x)
		if spec == "" {
			return s, nil
		}
		return formatStr(b, s, spec)
	case bool:
		if spec == "" {
			return Str(x), nil
		}
		i, _ := AsInt(x)
		return formatInt(b, i, spec, "bool")
	case int64, *big.Int:
		return formatInt(b, x, spec, "int")
	case float64:
		if spec == "" {
			return string(AppendFloat(nil, x)), nil
		}
		f, err := parseSpec(spec, "float")
		if err != nil {
			return "", err
		}
		return formatFloat(b, x, f, "float")
	case Date, DateTime:
		if spec != "" {
			return Strftime(x, spec)
		}
	}
	if spec != "" {
		if u, ok := v.(*Undefined); ok {
			return "", TypeErrorf("unsupported format string passed to %s.__format__", TypeName(u))
		}
		return "", TypeErrorf("unsupported format string passed to %s.__format__", TypeName(v))
	}
	return ToStr(b, v)
}

func (f *formatSpec) pad(b *Budget, sign, body string, def byte) (string, error) {
	n := f.width - utf8.RuneCountInString(sign) - utf8.RuneCountInString(body)
	if n <= 0 {
		return sign + body, b.Alloc(int64(len(body)))
	}
	if err := b.Alloc(int64(len(body) + 4*n)); err != nil {
		return "", err
	}
	align := f.align
	if align == 0 {
		align = def
	}
	fill := string(f.fill)
	switch align {
	case '<':
		return sign + body + strings.Repeat(fill, n), nil
	case '^':
		return strings.Repeat(fill, n/2) + sign + body + strings.Repeat(fill, n-n/2), nil
	case '=':
		return sign + strings.Repeat(fill, n) + body, nil
	}
	return strings.Repeat(fill, n) + sign + body, nil
}

func formatStr(b *Budget, s, spec string) (string, error) {
	f, err := parseSpec(spec, "str")
	if err != nil {
		return "", err
	}
	switch {
	case f.kind != 0 && f.kind != 's':
		return "", ValueErrorf("Unknown format code %s for object of type 'str'", quote(string(f.kind)))
	case f.sign != 0:
		return "", ValueErrorf("Sign not allowed in string format specifier")
	case f.z:
		return "", ValueErrorf("Negative zero coercion (z) not allowed in string format specifier")
	case f.alt:
		return "", ValueErrorf("Alternate form (#) not allowed in string format specifier")
	case f.align == '=':
		return "", ValueErrorf("'=' alignment not allowed in string format specifier")
	case f.group != 0:
		return "", ValueErrorf("Cannot specify '%c' with 's'.", f.group)
	}
	if f.prec >= 0 {
		s = firstRunes(s, f.prec)
	}
	return f.pad(b, "", s, '<')
}

func groupDigits(s string, sep byte, size int) string {
	if sep == 0 || len(s) <= size {
		return s
	}
	var sb strings.Builder
	for i := 0; i < len(s); i++ {
		if i > 0 && (len(s)-i)%size == 0 {
			sb.WriteByte(sep)
		}
		sb.WriteByte(s[i])
	}
	return sb.String()
}

// zeroGrouped pads digits with zeros up to width, with separators among the
// zeros too, as Python does for '0' padding.
func (f *formatSpec) zeroGrouped(digits, sign, rest string, size int) string {
	if f.group == 0 {
		return digits
	}
	if f.align == '=' && f.fill == '0' {
		for len(sign)+len(groupDigits(digits, f.group, size))+len(rest) < f.width {
			digits = "0" + digits
			if g := groupDigits(digits, f.group, size); len(g)+len(sign)+len(rest) > f.width && strings.HasPrefix(g, "0"+string(f.group)) {
				break
			}
		}
	}
	return groupDigits(digits, f.group, size)
}

func formatInt(b *Budget, v Value, spec, typ string) (string, error) {
	f, err := parseSpec(spec, typ)
	if err != nil {
		return "", err
	}
	num, _ := asNumber(v)
	n := num.big
	if strings.ContainsRune("eEfFgG%", rune(f.kind)) && f.kind != 0 {
		fl, err := ToFloat(v)
		if err != nil {
			return "", err
		}
		return formatFloat(b, fl, f, typ)
	}
	if f.prec >= 0 {
		return "", ValueErrorf("Precision not allowed in integer format specifier")
	}
	if f.z {
		return "", ValueErrorf("Negative zero coercion (z) not allowed in format specifier with integer format code '%c'", max(f.kind, 'd'))
	}
	base, prefix := 10, ""
	switch f.kind {
	case 0, 'd', 'n':
	case 'b':
		base, prefix = 2, "0b"
	case 'o':
		base, prefix = 8, "0o"
	case 'x':
		base, prefix = 16, "0x"
	case 'X':
		base, prefix = 16, "0X"
	case 'c':
		if f.sign != 0 {
			return "", ValueErrorf("Sign not allowed with integer format specifier 'c'")
		}
		if f.alt {
			return "", ValueErrorf("Alternate form (#) not allowed with integer format specifier 'c'")
		}
		if !n.IsInt64() || n.Int64() < 0 || n.Int64() > utf8.MaxRune {
			return "", Errorf("OverflowError", "%%c arg not in range(0x110000)")
		}
		return f.pad(b, "", string(rune(n.Int64())), '>')
	default:
		return "", ValueErrorf("Unknown format code %s for object of type %s", quote(string(f.kind)), quote(typ))
	}
	if base == 10 {
		if _, err := bigText(n); err != nil {
			return "", err
		}
	}
	text := new(big.Int).Abs(n).Text(base)
	if f.kind == 'X' {
		text = strings.ToUpper(text)
	}
	sign := f.signOf(n.Sign() < 0)
	if f.alt {
		sign += prefix
	}
	size := 3
	if base != 10 {
		size = 4
	}
	text = f.zeroGrouped(text, sign, "", size)
	return f.pad(b, sign, text, '>')
}

func (f *formatSpec) signOf(neg bool) string {
	switch {
	case neg:
		return "-"
	case f.sign == '+':
		return "+"
	case f.sign == ' ':
		return " "
	}
	return ""
}

func formatFloat(b *Budget, x float64, f formatSpec, typ string) (string, error) {
	kind, prec := f.kind, f.prec
	suffix := ""
	var text string
	switch kind {
	case 0:
		if prec < 0 {
			text = string(AppendFloat(nil, x))
			if f.alt && !strings.ContainsAny(text, ".ni") {
				mant, exp, _ := strings.Cut(text, "e")
				text = mant + "."
				if exp != "" {
					text += "e" + exp
				}
			}
		} else {
			// Like g, but with one digit after the point at least.
			if prec == 0 {
				prec = 1
			}
			text = formatFloatKind(x, 'g', prec, f.alt)
			if e := strings.IndexByte(text, 'e'); e < 0 && !strings.ContainsAny(text, ".ni") {
				// Python switches to an exponent one digit earlier here.
				if digits := len(strings.TrimPrefix(text, "-")); digits >= prec {
					t := strconv.FormatFloat(x, 'e', prec-1, 64)
					i := strings.IndexByte(t, 'e')
					text = trimZeros(t[:i]) + t[i:]
				} else {
					text += ".0"
				}
			}
		}
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if prec < 0 {
			prec = 6
		}
		text = formatFloatKind(x, kind, prec, f.alt)
	case 'n':
		if prec < 0 {
			prec = 6
		}
		text = formatFloatKind(x, 'g', prec, f.alt)
	case '%':
		if prec < 0 {
			prec = 6
		}
		text = formatFloatKind(x*100, 'f', prec, f.alt)
		suffix = "%"
	default:
		return "", ValueErrorf("Unknown format code %s for object of type %s", quote(string(kind)), quote(typ))
	}
	if int64(prec) > maxPrecision {
		return "", &LimitError{Limit: "characters of format width", Max: strconv.Itoa(maxPrecision)}
	}
	neg := strings.HasPrefix(text, "-")
	if neg {
		text = text[1:]
		mant, _, _ := strings.Cut(strings.ToLower(text), "e")
		if f.z && strings.Trim(mant, "0.") == "" {
			neg = false
		}
	}
	text += suffix
	sign := f.signOf(neg)
	i := 0
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	digits, rest := text[:i], text[i:]
	if digits != "" {
		digits = f.zeroGrouped(digits, sign, rest, 3)
	}
	return f.pad(b, sign, digits+rest, '>')
}

// FieldLookup resolves one step of a replacement field such as {0.name[key]}.
type FieldLookup func(obj Value, attr bool, name Value) (Value, error)

// StrFormat is str.format: lookup resolves attributes and items, so that the
// caller's sandbox decides what may be reached.
func StrFormat(b *Budget, format string, args []Value, kwargs func(name string) (Value, bool), lookup FieldLookup, escape bool) (string, error) {
	f := formatter{b: b, args: args, kwargs: kwargs, lookup: lookup, escape: escape}
	return f.run(format, 2)
}

type formatter struct {
	b      *Budget
	args   []Value
	kwargs func(string) (Value, bool)
	lookup FieldLookup
	escape bool
	auto   int
	manual bool
}

func (f *formatter) run(s string, depth int) (string, error) {
	if depth < 0 {
		return "", ValueErrorf("Max string recursion exceeded")
	}
	var sb strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '{' && i+1 < len(s) && s[i+1] == '{', c == '}' && i+1 < len(s) && s[i+1] == '}':
			sb.WriteByte(c)
			i += 2
		case c == '}':
			return "", ValueErrorf("Single '}' encountered in format string")
		case c == '{':
			i++
			if i >= len(s) {
				return "", ValueErrorf("Single '{' encountered in format string")
			}
			start, level, inBracket := i, 1, false
			for ; i < len(s) && level > 0; i++ {
				switch s[i] {
				case '[':
					inBracket = level == 1
				case ']':
					inBracket = false
				case '{':
					if !inBracket {
						level++
					}
				case '}':
					if !inBracket {
						level--
					}
				}
			}
			if level > 0 {
				return "", ValueErrorf("expected '}' before end of string")
			}
			text, err := f.field(s[start:i-1], depth)
			if err != nil {
				return "", err
			}
			if err := f.b.Alloc(int64(len(text))); err != nil {
				return "", err
			}
			sb.WriteString(text)
		default:
			j := strings.IndexAny(s[i:], "{}")
			if j < 0 {
				j = len(s) - i
			}
			sb.WriteString(s[i : i+j])
			i += j
		}
	}
	return sb.String(), nil
}

func (f *formatter) field(field string, depth int) (string, error) {
	name, conv, spec := field, byte(0), ""
	inBracket := false
scan:
	for i := 0; i < len(field); i++ {
		switch field[i] {
		case '[':
			inBracket = true
		case ']':
			inBracket = false
		case '{', '}':
			if !inBracket {
				return "", ValueErrorf("unexpected '{' in field name")
			}
		case '!', ':':
			if inBracket {
				continue
			}
			name = field[:i]
			rest := field[i+1:]
			if field[i] == '!' {
				if rest == "" {
					return "", ValueErrorf("end of string while looking for conversion specifier")
				}
				conv = rest[0]
				rest = rest[1:]
				if rest != "" && rest[0] != ':' {
					return "", ValueErrorf("expected ':' after conversion specifier")
				}
				if rest != "" {
					spec = rest[1:]
				}
			} else {
				spec = rest
			}
			break scan
		}
	}
	v, err := f.get(name)
	if err != nil {
		return "", err
	}
	switch conv {
	case 0:
	case 's':
		v, err = ToStr(f.b, v)
	case 'r':
		v, err = ToRepr(f.b, v)
	case 'a':
		var s string
		s, err = ToRepr(f.b, v)
		v = asciiEscape(s)
	default:
		return "", ValueErrorf("Unknown conversion specifier '%c'", conv)
	}
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(spec, "{}") {
		if spec, err = f.run(spec, depth-1); err != nil {
			return "", err
		}
	}
	if f.escape {
		if m, ok := v.(Markup); ok && spec == "" {
			return string(m), nil
		}
		s, err := Format(f.b, v, spec)
		return EscapeHTML(s), err
	}
	return Format(f.b, v, spec)
}

func (f *formatter) get(name string) (Value, error) {
	i := strings.IndexAny(name, ".[")
	first, rest := name, ""
	if i >= 0 {
		first, rest = name[:i], name[i:]
	}
	var v Value
	isNum := first != ""
	for j := 0; j < len(first); j++ {
		if !isDigit(first[j]) {
			isNum = false
		}
	}
	switch {
	case first == "":
		if f.manual {
			return nil, ValueErrorf("cannot switch from manual field specification to automatic field numbering")
		}
		if f.auto >= len(f.args) {
			return nil, Errorf("IndexError", "Replacement index %d out of range for positional args tuple", f.auto)
		}
		v = f.args[f.auto]
		f.auto++
	case isNum:
		if f.auto > 0 {
			return nil, ValueErrorf("cannot switch from automatic field numbering to manual field specification")
		}
		f.manual = true
		n, err := strconv.Atoi(first)
		if err != nil {
			return nil, ValueErrorf("Too many decimal digits in format string")
		}
		if n >= len(f.args) {
			return nil, Errorf("IndexError", "Replacement index %d out of range for positional args tuple", n)
		}
		v = f.args[n]
	default:
		var ok bool
		if f.kwargs != nil {
			v, ok = f.kwargs(first)
		}
		if !ok {
			return nil, Errorf("KeyError", "%s", quote(first))
		}
	}
	for rest != "" {
		var err error
		if rest[0] == '.' {
			rest = rest[1:]
			j := strings.IndexAny(rest, ".[")
			if j < 0 {
				j = len(rest)
			}
			if j == 0 {
				return nil, ValueErrorf("Empty attribute in format string")
			}
			v, err = f.lookup(v, true, rest[:j])
			rest = rest[j:]
		} else if rest[0] == '[' {
			j := strings.IndexByte(rest, ']')
			if j < 0 {
				return nil, ValueErrorf("Missing ']' in format string")
			}
			key := rest[1:j]
			if key == "" {
				return nil, ValueErrorf("Empty attribute in format string")
			}
			var k Value = key
			if n, err := strconv.ParseInt(key, 10, 64); err == nil && isDigit(key[0]) {
				k = n
			}
			v, err = f.lookup(v, false, k)
			rest = rest[j+1:]
		} else {
			return nil, ValueErrorf("Only '.' or '[' may follow ']' in format field specifier")
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Strftime is date.strftime for the common directives.
func Strftime(v Value, format string) (string, error) {
	var d DateTime
	switch x := v.(type) {
	case DateTime:
		d = x
	case Date:
		d.Time = dateTime(x)
		d.Naive = true
	}
	var sb strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 >= len(format) {
			sb.WriteByte(format[i])
			continue
		}
		i++
		switch format[i] {
		case 'Y':
			sb.WriteString(strconv.Itoa(d.Year()))
		case 'm':
			sb.WriteString(d.Format("01"))
		case 'd':
			sb.WriteString(d.Format("02"))
		case 'e':
			sb.WriteString(d.Format("_2"))
		case 'H':
			sb.WriteString(d.Format("15"))
		case 'I':
			sb.WriteString(d.Format("03"))
		case 'M':
			sb.WriteString(d.Format("04"))
		case 'S':
			sb.WriteString(d.Format("05"))
		case 'f':
			us := strconv.Itoa(d.Nanosecond() / 1000)
			sb.WriteString(strings.Repeat("0", 6-len(us)) + us)
		case 'p':
			sb.WriteString(d.Format("PM"))
		case 'y':
			sb.WriteString(d.Format("06"))
		case 'b', 'h':
			sb.WriteString(d.Format("Jan"))
		case 'B':
			sb.WriteString(d.Format("January"))
		case 'a':
			sb.WriteString(d.Format("Mon"))
		case 'A':
			sb.WriteString(d.Format("Monday"))
		case 'j':
			sb.WriteString(d.Format("002"))
		case 'w':
			sb.WriteString(strconv.Itoa(int(d.Weekday())))
		case 'u':
			sb.WriteString(strconv.Itoa((int(d.Weekday())+6)%7 + 1))
		case 'F':
			sb.WriteString(d.Format("2006-01-02"))
		case 'T':
			sb.WriteString(d.Format("15:04:05"))
		case 'D':
			sb.WriteString(d.Format("01/02/06"))
		case 'R':
			sb.WriteString(d.Format("15:04"))
		case 'c':
			sb.WriteString(d.Format("Mon Jan _2 15:04:05 2006"))
		case 'x':
			sb.WriteString(d.Format("01/02/06"))
		case 'X':
			sb.WriteString(d.Format("15:04:05"))
		case 's':
			sb.WriteString(strconv.FormatInt(d.Unix(), 10))
		case 'z':
			if !d.Naive {
				sb.WriteString(d.Format("-0700"))
			}
		case 'Z':
			if !d.Naive {
				sb.WriteString(d.Format("MST"))
			}
		case 'n':
			sb.WriteByte('\n')
		case 't':
			sb.WriteByte('\t')
		case '%':
			sb.WriteByte('%')
		default:
			sb.WriteString("%" + string(format[i]))
		}
	}
	return sb.String(), nil
}
