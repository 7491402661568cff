package value

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxIntDigits is Python's own limit for turning an int into text and back.
const maxIntDigits = 4300

// Str is Python's str(v) without a budget; a value that has no text, such as a
// strict undefined one, gives the text of its error. Evaluations use ToStr.
func Str(v Value) string {
	s, err := ToStr(nil, v)
	if err != nil {
		return err.Error()
	}
	return s
}

// Repr is Python's repr(v) without a budget. Evaluations use ToRepr.
func Repr(v Value) string {
	buf, err := AppendRepr(nil, nil, v)
	if err != nil {
		return err.Error()
	}
	return string(buf)
}

// ToStr is Python's str(v).
func ToStr(b *Budget, v Value) (string, error) {
	switch x := v.(type) {
	case string:
		return x, nil
	case Markup:
		return string(x), nil
	case int64:
		return strconv.FormatInt(x, 10), nil
	}
	buf, err := AppendStr(b, nil, v)
	return string(buf), err
}

// ToRepr is Python's repr(v).
func ToRepr(b *Budget, v Value) (string, error) {
	buf, err := AppendRepr(b, nil, v)
	return string(buf), err
}

// AppendStr appends Python's str(v).
func AppendStr(b *Budget, buf []byte, v Value) ([]byte, error) {
	switch x := v.(type) {
	case string:
		return append(buf, x...), nil
	case Markup:
		return append(buf, x...), nil
	case int64:
		return strconv.AppendInt(buf, x, 10), nil
	case Date:
		return append(buf, dateText(x)...), nil
	case DateTime:
		return append(buf, dateTimeText(x)...), nil
	case *Undefined:
		if x.Strict {
			return buf, x.Err()
		}
		return buf, nil
	case Stringer:
		s, err := x.Str(b)
		return append(buf, s...), err
	}
	return AppendRepr(b, buf, v)
}

// AppendRepr appends Python's repr(v).
func AppendRepr(b *Budget, buf []byte, v Value) ([]byte, error) {
	p := printer{b: b, buf: buf}
	err := p.repr(v)
	return p.buf, err
}

// printer writes the repr of nested data; containers that are being written
// stand on the stack so that a list inside itself is shown as [...].
type printer struct {
	b     *Budget
	buf   []byte
	paid  int
	stack []any
}

func (p *printer) enter(c any) (cyclic bool, err error) {
	for _, s := range p.stack {
		if s == c {
			return true, nil
		}
	}
	if len(p.stack) >= 1000 {
		return false, &LimitError{Limit: "levels of depth", Max: "1000"}
	}
	p.stack = append(p.stack, c)
	return false, p.b.Enter()
}

func (p *printer) leave() {
	p.stack = p.stack[:len(p.stack)-1]
	p.b.Leave()
}

// pay charges the budget for what was written since the last call.
func (p *printer) pay() error {
	if n := len(p.buf) - p.paid; n > 256 {
		p.paid = len(p.buf)
		if err := p.b.Alloc(int64(n)); err != nil {
			return err
		}
	}
	if p.b == nil && len(p.buf) > maxUnbudgeted {
		return p.b.Alloc(int64(len(p.buf)))
	}
	return p.b.Step(1)
}

func (p *printer) items(open, close string, items []Value) error {
	p.buf = append(p.buf, open...)
	for i, it := range items {
		if i > 0 {
			p.buf = append(p.buf, ", "...)
		}
		if err := p.repr(it); err != nil {
			return err
		}
	}
	p.buf = append(p.buf, close...)
	return nil
}

func (p *printer) tuple(items []Value) error {
	if err := p.b.Enter(); err != nil {
		return err
	}
	defer p.b.Leave()
	end := ")"
	if len(items) == 1 {
		end = ",)"
	}
	return p.items("(", end, items)
}

func (p *printer) repr(v Value) error {
	if err := p.pay(); err != nil {
		return err
	}
	switch x := v.(type) {
	case nil:
		p.buf = append(p.buf, "None"...)
	case bool:
		if x {
			p.buf = append(p.buf, "True"...)
		} else {
			p.buf = append(p.buf, "False"...)
		}
	case int64:
		p.buf = strconv.AppendInt(p.buf, x, 10)
	case *big.Int:
		s, err := bigText(x)
		p.buf = append(p.buf, s...)
		return err
	case float64:
		p.buf = AppendFloat(p.buf, x)
	case string:
		p.buf = appendQuoted(p.buf, x)
	case Markup:
		p.buf = append(p.buf, "Markup("...)
		p.buf = appendQuoted(p.buf, string(x))
		p.buf = append(p.buf, ')')
	case Bytes:
		p.buf = appendBytes(p.buf, string(x))
	case *List:
		cyclic, err := p.enter(x)
		if cyclic {
			p.buf = append(p.buf, "[...]"...)
			return nil
		}
		if err != nil {
			return err
		}
		defer p.leave()
		return p.items("[", "]", x.Items)
	case Tuple:
		return p.tuple(x)
	case *NamedTuple:
		return p.tuple(x.Items)
	case *Dict:
		cyclic, err := p.enter(x)
		if cyclic {
			p.buf = append(p.buf, "{...}"...)
			return nil
		}
		if err != nil {
			return err
		}
		defer p.leave()
		p.buf = append(p.buf, '{')
		first := true
		for k, val := range x.All() {
			if !first {
				p.buf = append(p.buf, ", "...)
			}
			first = false
			if err := p.repr(k); err != nil {
				return err
			}
			p.buf = append(p.buf, ": "...)
			if err := p.repr(val); err != nil {
				return err
			}
		}
		p.buf = append(p.buf, '}')
	case *Set:
		if x.Len() == 0 {
			p.buf = append(p.buf, "set()"...)
			return nil
		}
		return p.items("{", "}", x.Items())
	case *DictView:
		p.buf = append(p.buf, x.kind.String()...)
		return p.items("([", "])", x.Items())
	case *Range:
		p.buf = fmt.Appendf(p.buf, "range(%d, %d", x.Start, x.Stop)
		if x.Step != 1 {
			p.buf = fmt.Appendf(p.buf, ", %d", x.Step)
		}
		p.buf = append(p.buf, ')')
	case Date:
		p.buf = fmt.Appendf(p.buf, "datetime.date(%d, %d, %d)", x.Year, int(x.Month), x.Day)
	case DateTime:
		p.buf = append(p.buf, dateTimeRepr(x)...)
	case *Undefined:
		// Even a strict one has a repr: a list with one in it can be printed.
		p.buf = append(p.buf, "Undefined"...)
	case Reprer:
		s, err := x.Repr(p.b)
		p.buf = append(p.buf, s...)
		return err
	case *Func:
		if x.Of != "" {
			p.buf = append(p.buf, "<built-in method "+x.Name+" of "+x.Of+" object>"...)
			return nil
		}
		p.buf = append(p.buf, "<function "+x.Name+">"...)
	case *Iterator:
		p.buf = append(p.buf, "<"+TypeName(v)+" object>"...)
	default:
		p.buf = append(p.buf, "<"+TypeName(v)+" object>"...)
	}
	return nil
}

func bigText(x *big.Int) (string, error) {
	// 4300 digits are at most 14285 bits; measuring first avoids a quadratic conversion.
	if x.BitLen() > 14300 {
		return "", ValueErrorf("Exceeds the limit (%d digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit", maxIntDigits)
	}
	return x.String(), nil
}

// AppendFloat appends repr() of a float: the shortest digits that read back
// as the same number, with an exponent below 1e-4 and from 1e16.
func AppendFloat(buf []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(buf, "nan"...)
	case math.IsInf(f, 1):
		return append(buf, "inf"...)
	case math.IsInf(f, -1):
		return append(buf, "-inf"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(buf, f, 'e', -1, 64)
	}
	n := len(buf)
	buf = strconv.AppendFloat(buf, f, 'f', -1, 64)
	for _, c := range buf[n:] {
		if c == '.' {
			return buf
		}
	}
	return append(buf, ".0"...)
}

// quote is repr() of a string, for messages.
func quote(s string) string { return string(appendQuoted(nil, s)) }

// Quote is repr() of a string.
func Quote(s string) string { return quote(s) }

func appendQuoted(buf []byte, s string) []byte {
	q := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		q = '"'
	}
	buf = append(buf, q)
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == q || c == '\\':
				buf = append(buf, '\\', c)
			case c == '\n':
				buf = append(buf, `\n`...)
			case c == '\r':
				buf = append(buf, `\r`...)
			case c == '\t':
				buf = append(buf, `\t`...)
			case c < ' ' || c == 0x7f:
				buf = fmt.Appendf(buf, `\x%02x`, c)
			default:
				buf = append(buf, c)
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			// What Python's surrogateescape makes of a stray byte.
			buf = fmt.Appendf(buf, `\udc%02x`, c)
		case IsPrintable(r):
			buf = append(buf, s[i:i+n]...)
		case r < 0x100:
			buf = fmt.Appendf(buf, `\x%02x`, r)
		case r < 0x10000:
			buf = fmt.Appendf(buf, `\u%04x`, r)
		default:
			buf = fmt.Appendf(buf, `\U%08x`, r)
		}
		i += n
	}
	return append(buf, q)
}

// IsPrintable is str.isprintable for one character.
func IsPrintable(r rune) bool {
	return r == ' ' || unicode.IsPrint(r)
}

func appendBytes(buf []byte, s string) []byte {
	q := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		q = '"'
	}
	buf = append(buf, 'b', q)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == q || c == '\\':
			buf = append(buf, '\\', c)
		case c == '\n':
			buf = append(buf, `\n`...)
		case c == '\r':
			buf = append(buf, `\r`...)
		case c == '\t':
			buf = append(buf, `\t`...)
		case c < ' ' || c >= 0x7f:
			buf = fmt.Appendf(buf, `\x%02x`, c)
		default:
			buf = append(buf, c)
		}
	}
	return append(buf, q)
}

func dateText(d Date) string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

func dateTimeText(d DateTime) string {
	s := d.Format("2006-01-02 15:04:05")
	if us := d.Nanosecond() / 1000; us != 0 {
		s += fmt.Sprintf(".%06d", us)
	}
	if !d.Naive {
		s += d.Format("-07:00")
	}
	return s
}

// ISO is datetime.isoformat().
func (d DateTime) ISO() string { return strings.Replace(dateTimeText(d), " ", "T", 1) }

// ISO is date.isoformat().
func (d Date) ISO() string { return dateText(d) }

func dateTimeRepr(d DateTime) string {
	s := fmt.Sprintf("datetime.datetime(%d, %d, %d, %d, %d", d.Year(), int(d.Month()), d.Day(), d.Hour(), d.Minute())
	us := d.Nanosecond() / 1000
	if d.Second() != 0 || us != 0 {
		s += fmt.Sprintf(", %d", d.Second())
	}
	if us != 0 {
		s += fmt.Sprintf(", %d", us)
	}
	if !d.Naive {
		_, off := d.Zone()
		switch {
		case off == 0:
			s += ", tzinfo=datetime.timezone.utc"
		case off < 0:
			s += fmt.Sprintf(", tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=%d))", off+86400)
		default:
			s += fmt.Sprintf(", tzinfo=datetime.timezone(datetime.timedelta(seconds=%d))", off)
		}
	}
	return s + ")"
}

// NewDate returns the date of t.
func NewDate(t time.Time) Date { return Date{t.Year(), t.Month(), t.Day()} }
