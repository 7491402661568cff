package pyre

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"petrel/expr/value"
)

// maxPattern is the longest pattern, maxNesting its deepest nesting.
const (
	maxPattern = 16 << 10
	maxNesting = 100
	// maxRepeat stands for "without end"; Python's own limit is 2^32-1.
	maxRepeat = 1<<32 - 1
)

type opKind int

const (
	opLiteral opKind = iota
	opAny
	opSet
	opAt
	opGroup  // capturing
	opFlags  // non-capturing, perhaps with flags
	opAtomic // (?>...)
	opLook
	opBackref
	opCond
	opRepeat
	opSeq
	opBranch
)

// node is one element of a parsed pattern.
type node struct {
	op    opKind
	r     rune
	set   *charSet
	at    byte // ^ $ A Z b B
	group int
	flags Flags
	neg   bool // look-around, word boundary
	back  bool // look-behind
	min   int64
	max   int64
	lazy  bool
	poss  bool
	subs  []*node
}

type charSet struct {
	neg   bool
	items []setItem
}

type setItem struct {
	lo, hi rune
	class  byte // d D w W s S, or 0 for a range
	ascii  bool
}

type parser struct {
	src    string
	pos    int // byte
	flags  Flags
	groups []string // name of each group; [0] is the whole match
	open   map[int]bool
	widths map[int][2]int64

	complex bool // needs the backtracking engine
	dollar  bool
	wordb   bool
}

func (p *parser) fail(at int, format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	n := utf8.RuneCountInString(p.src[:at])
	text := fmt.Sprintf("%s at position %d", msg, n)
	if strings.Contains(p.src, "\n") {
		line := strings.Count(p.src[:at], "\n") + 1
		col := utf8.RuneCountInString(p.src[strings.LastIndexByte(p.src[:at], '\n')+1:at]) + 1
		text += fmt.Sprintf(" (line %d, column %d)", line, col)
	}
	return &value.Error{Class: "error", Msg: text}
}

func (p *parser) peek() rune {
	if p.pos >= len(p.src) {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.pos:])
	return r
}

func (p *parser) next() rune {
	if p.pos >= len(p.src) {
		return -1
	}
	r, n := utf8.DecodeRuneInString(p.src[p.pos:])
	p.pos += n
	return r
}

func (p *parser) accept(s string) bool {
	if strings.HasPrefix(p.src[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

func parse(src string, flags Flags) (*parser, *node, error) {
	if len(src) > maxPattern {
		return nil, nil, &value.LimitError{Limit: "bytes of regular expression", Max: fmt.Sprint(maxPattern)}
	}
	p := &parser{src: src, flags: flags, groups: []string{""}, open: map[int]bool{}, widths: map[int][2]int64{}}
	n, err := p.branch(flags, 0)
	if err == errVerbose {
		// (?x) was found: what was read before it may have been read wrongly.
		return parse(src, flags|Verbose)
	}
	if err != nil {
		return nil, nil, err
	}
	if p.pos < len(p.src) {
		return nil, nil, p.fail(p.pos, "unbalanced parenthesis")
	}
	return p, n, nil
}

var errVerbose = &value.Error{Class: "error", Msg: "verbose"}

func (p *parser) branch(flags Flags, nesting int) (*node, error) {
	if nesting > maxNesting {
		return nil, &value.LimitError{Limit: "levels of depth in a regular expression", Max: fmt.Sprint(maxNesting)}
	}
	var alts []*node
	for first := true; ; first = false {
		n, err := p.seq(flags, nesting, nesting == 0 && first)
		if err != nil {
			return nil, err
		}
		alts = append(alts, n)
		if p.peek() != '|' {
			break
		}
		p.pos++
	}
	if len(alts) == 1 {
		return alts[0], nil
	}
	return &node{op: opBranch, subs: alts}, nil
}

func (p *parser) seq(flags Flags, nesting int, first bool) (*node, error) {
	out := &node{op: opSeq}
	start := p.pos
	for p.pos < len(p.src) {
		at := p.pos
		c := p.peek()
		if c == '|' || c == ')' {
			break
		}
		p.next()
		if flags&Verbose != 0 {
			if c == ' ' || c >= '\t' && c <= '\r' {
				continue
			}
			if c == '#' {
				for p.pos < len(p.src) && p.next() != '\n' {
				}
				continue
			}
		}
		switch c {
		case '\\':
			n, err := p.escape(flags)
			if err != nil {
				return nil, err
			}
			out.subs = append(out.subs, n)
		case '[':
			n, err := p.class(flags)
			if err != nil {
				return nil, err
			}
			out.subs = append(out.subs, n)
		case '.':
			out.subs = append(out.subs, &node{op: opAny, flags: flags})
		case '^':
			out.subs = append(out.subs, &node{op: opAt, at: '^', flags: flags})
		case '$':
			if flags&MultiLine == 0 {
				p.dollar = true
			}
			out.subs = append(out.subs, &node{op: opAt, at: '$', flags: flags})
		case '(':
			n, newFlags, err := p.group(flags, nesting, first && at == start && len(out.subs) == 0)
			if err != nil {
				return nil, err
			}
			if newFlags != flags {
				flags = newFlags
				p.flags = newFlags
				start = p.pos
			}
			if n != nil {
				out.subs = append(out.subs, n)
			}
		case '*', '+', '?', '{':
			if err := p.repeat(c, at, out); err != nil {
				return nil, err
			}
		default:
			out.subs = append(out.subs, &node{op: opLiteral, r: c, flags: flags})
		}
	}
	return out, nil
}

func (p *parser) repeat(c rune, at int, out *node) error {
	var lo, hi int64 = 0, maxRepeat
	switch c {
	case '?':
		hi = 1
	case '+':
		lo = 1
	case '{':
		// What does not read as a count is plain text.
		i := p.pos
		num := func() (int64, bool) {
			n, any := int64(0), false
			for i < len(p.src) && p.src[i] >= '0' && p.src[i] <= '9' {
				if n = n*10 + int64(p.src[i]-'0'); n > maxRepeat {
					n = maxRepeat
				}
				i++
				any = true
			}
			return n, any
		}
		a, okA := num()
		b, okB := a, okA
		if i < len(p.src) && p.src[i] == ',' {
			i++
			b, okB = num()
			if !okB {
				b = maxRepeat
			}
			okA = true
		}
		if !okA || i >= len(p.src) || p.src[i] != '}' || p.src[p.pos] == '}' {
			out.subs = append(out.subs, &node{op: opLiteral, r: '{', flags: p.flags})
			return nil
		}
		lo, hi = a, b
		p.pos = i + 1
		if hi < lo {
			return p.fail(at+1, "min repeat greater than max repeat")
		}
	}
	if len(out.subs) == 0 {
		return p.fail(at, "nothing to repeat")
	}
	last := out.subs[len(out.subs)-1]
	if last.op == opAt {
		return p.fail(at, "nothing to repeat")
	}
	if last.op == opRepeat {
		return p.fail(at, "multiple repeat")
	}
	rep := &node{op: opRepeat, min: lo, max: hi, subs: []*node{last}}
	if p.accept("?") {
		rep.lazy = true
	} else if p.accept("+") {
		rep.poss = true
		p.complex = true
	}
	out.subs[len(out.subs)-1] = rep
	return nil
}

const flagLetters = "imsxauL"

func (p *parser) name(end byte, at int) (string, error) {
	i := strings.IndexByte(p.src[p.pos:], end)
	if i < 0 {
		if p.pos >= len(p.src) {
			return "", p.fail(p.pos, "missing group name")
		}
		return "", p.fail(p.pos, "missing %c, unterminated name", end)
	}
	name := p.src[p.pos : p.pos+i]
	if name == "" {
		return "", p.fail(p.pos, "missing group name")
	}
	p.pos += i + 1
	return name, nil
}

func isIdent(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}

// group reads what follows an open parenthesis. It answers other flags when
// the group only set flags for the whole pattern.
func (p *parser) group(flags Flags, nesting int, first bool) (*node, Flags, error) {
	start := p.pos - 1
	n := &node{op: opGroup, flags: flags}
	name := ""
	if p.accept("?") {
		c := p.next()
		switch c {
		case 'P':
			if p.accept("<") {
				at := p.pos
				var err error
				if name, err = p.name('>', start); err != nil {
					return nil, flags, err
				}
				if !isIdent(name) {
					return nil, flags, p.fail(at, "bad character in group name %s", value.Quote(name))
				}
			} else if p.accept("=") {
				at := p.pos
				ref, err := p.name(')', start)
				if err != nil {
					return nil, flags, err
				}
				if !isIdent(ref) {
					return nil, flags, p.fail(at, "bad character in group name %s", value.Quote(ref))
				}
				for i, g := range p.groups {
					if i > 0 && g == ref {
						if p.open[i] {
							return nil, flags, p.fail(at, "cannot refer to an open group")
						}
						p.complex = true
						return &node{op: opBackref, group: i, flags: flags}, flags, nil
					}
				}
				return nil, flags, p.fail(at, "unknown group name %s", value.Quote(ref))
			} else {
				c := p.peek()
				if c < 0 {
					return nil, flags, p.fail(p.pos, "unexpected end of pattern")
				}
				return nil, flags, p.fail(start+1, "unknown extension ?P%c", c)
			}
		case ':':
			n.op = opFlags
		case '#':
			for {
				c := p.next()
				if c < 0 {
					return nil, flags, p.fail(start, "missing ), unterminated comment")
				}
				if c == ')' {
					return nil, flags, nil
				}
			}
		case '=', '!', '<':
			n.op = opLook
			p.complex = true
			if c == '<' {
				n.back = true
				c = p.next()
				if c < 0 {
					return nil, flags, p.fail(p.pos, "unexpected end of pattern")
				}
				if c != '=' && c != '!' {
					return nil, flags, p.fail(start+1, "unknown extension ?<%c", c)
				}
			}
			n.neg = c == '!'
		case '>':
			n.op = opAtomic
			p.complex = true
		case '(':
			at := p.pos
			ref, err := p.name(')', start)
			if err != nil {
				return nil, flags, err
			}
			n.op = opCond
			p.complex = true
			if isIdent(ref) {
				for i, g := range p.groups {
					if i > 0 && g == ref {
						n.group = i
					}
				}
				if n.group == 0 {
					return nil, flags, p.fail(at, "unknown group name %s", value.Quote(ref))
				}
			} else {
				for _, d := range ref {
					if d < '0' || d > '9' || n.group > 1000 {
						return nil, flags, p.fail(at, "bad character in group name %s", value.Quote(ref))
					}
					n.group = n.group*10 + int(d-'0')
				}
				if n.group == 0 {
					return nil, flags, p.fail(at, "bad group number")
				}
				if n.group >= len(p.groups) {
					return nil, flags, p.fail(at, "invalid group reference %d", n.group)
				}
			}
		default:
			if c < 0 {
				return nil, flags, p.fail(p.pos, "unexpected end of pattern")
			}
			if !strings.ContainsRune(flagLetters+"-", c) {
				return nil, flags, p.fail(start+1, "unknown extension ?%c", c)
			}
			p.pos--
			add, del, global, err := p.flagGroup()
			if err != nil {
				return nil, flags, err
			}
			if global {
				if !first {
					return nil, flags, p.fail(start, "global flags not at the start of the expression")
				}
				if add&Verbose != 0 && flags&Verbose == 0 {
					return nil, flags, errVerbose
				}
				return nil, flags | add, nil
			}
			n.op = opFlags
			n.flags = flags&^del | add
		}
	}
	if n.op == opGroup {
		if name != "" {
			for i, g := range p.groups {
				if i > 0 && g == name {
					return nil, flags, p.fail(start+4, "redefinition of group name %s as group %d; was group %d", value.Quote(name), len(p.groups), i)
				}
			}
		}
		n.group = len(p.groups)
		p.groups = append(p.groups, name)
		if len(p.groups) > 200 {
			return nil, flags, &value.LimitError{Limit: "groups in a regular expression", Max: "200"}
		}
		p.open[n.group] = true
	}
	var sub *node
	var err error
	if n.op == opCond {
		var yes, no *node
		if yes, err = p.seq(n.flags, nesting+1, false); err != nil {
			return nil, flags, err
		}
		n.subs = []*node{yes}
		if p.accept("|") {
			if no, err = p.seq(n.flags, nesting+1, false); err != nil {
				return nil, flags, err
			}
			if p.peek() == '|' {
				return nil, flags, p.fail(p.pos, "conditional backref with more than two branches")
			}
			n.subs = append(n.subs, no)
		}
	} else {
		if sub, err = p.branch(n.flags, nesting+1); err != nil {
			return nil, flags, err
		}
		n.subs = []*node{sub}
	}
	if p.next() != ')' {
		return nil, flags, p.fail(start, "missing ), unterminated subpattern")
	}
	delete(p.open, n.group)
	if n.op == opGroup {
		lo, hi := p.width(sub)
		p.widths[n.group] = [2]int64{lo, hi}
	}
	if n.op == opLook && n.back {
		if lo, hi := p.width(sub); lo != hi {
			return nil, flags, &value.Error{Class: "error", Msg: "look-behind requires fixed-width pattern"}
		}
	}
	return n, flags, nil
}

func (p *parser) flagGroup() (add, del Flags, global bool, err error) {
	one := func(c rune) Flags {
		switch c {
		case 'i':
			return IgnoreCase
		case 'm':
			return MultiLine
		case 's':
			return DotAll
		case 'x':
			return Verbose
		case 'a':
			return ASCII
		}
		return 0
	}
	for {
		c := p.peek()
		if c < 0 || !strings.ContainsRune(flagLetters, c) {
			break
		}
		if c == 'L' {
			return 0, 0, false, p.fail(p.pos+1, "bad inline flags: cannot use 'L' flag with a str pattern")
		}
		p.next()
		add |= one(c)
	}
	if p.accept(")") {
		return add, 0, true, nil
	}
	if p.accept("-") {
		any := false
		for {
			c := p.peek()
			if c < 0 || !strings.ContainsRune("imsx", c) {
				break
			}
			p.next()
			del |= one(c)
			any = true
		}
		if !any {
			return 0, 0, false, p.fail(p.pos, "missing flag")
		}
	}
	if !p.accept(":") {
		if p.pos >= len(p.src) {
			return 0, 0, false, p.fail(p.pos, "missing -, : or )")
		}
		return 0, 0, false, p.fail(p.pos, "unknown flag")
	}
	return add, del, false, nil
}

// width is the least and greatest number of characters a node matches.
func (p *parser) width(n *node) (lo, hi int64) {
	switch n.op {
	case opLiteral, opAny, opSet:
		return 1, 1
	case opSeq:
		for _, s := range n.subs {
			a, b := p.width(s)
			lo, hi = lo+a, hi+b
		}
	case opBranch:
		lo = maxRepeat
		for _, s := range n.subs {
			a, b := p.width(s)
			lo, hi = min(lo, a), max(hi, b)
		}
	case opGroup, opFlags, opAtomic:
		return p.width(n.subs[0])
	case opCond:
		lo, hi = p.width(n.subs[0])
		if len(n.subs) > 1 {
			a, b := p.width(n.subs[1])
			lo, hi = min(lo, a), max(hi, b)
		} else {
			lo = 0
		}
	case opRepeat:
		a, b := p.width(n.subs[0])
		return min(a*min(n.min, 1<<20), maxRepeat), min(b*min(n.max, 1<<20), maxRepeat)
	case opBackref:
		w := p.widths[n.group]
		return w[0], w[1]
	}
	return min(lo, maxRepeat), min(hi, maxRepeat)
}

func (p *parser) hex(n int, at int) (rune, error) {
	i := p.pos
	var r rune
	for i < len(p.src) && i-p.pos < n {
		d := hexVal(p.src[i])
		if d < 0 {
			break
		}
		r = r<<4 | rune(d)
		i++
	}
	if i-p.pos != n {
		text := p.src[at:i]
		p.pos = i
		return 0, p.fail(at, "incomplete escape %s", text)
	}
	p.pos = i
	if r > unicode.MaxRune {
		return 0, p.fail(at, "bad escape %s", p.src[at:i])
	}
	return r, nil
}

func hexVal(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func octal(s string) (int, bool) {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '7' {
			return 0, false
		}
		n = n*8 + int(s[i]-'0')
	}
	return n, true
}

// simpleEscape reads escapes that mean one character everywhere.
func (p *parser) simpleEscape(c rune, at int) (rune, bool, error) {
	switch c {
	case 'n':
		return '\n', true, nil
	case 't':
		return '\t', true, nil
	case 'r':
		return '\r', true, nil
	case 'f':
		return '\f', true, nil
	case 'v':
		return '\v', true, nil
	case 'a':
		return '\a', true, nil
	case 'x':
		r, err := p.hex(2, at)
		return r, true, err
	case 'u':
		r, err := p.hex(4, at)
		return r, true, err
	case 'U':
		r, err := p.hex(8, at)
		return r, true, err
	case '\\':
		return '\\', true, nil
	}
	return 0, false, nil
}

func (p *parser) escape(flags Flags) (*node, error) {
	at := p.pos - 1
	c := p.next()
	if c < 0 {
		return nil, p.fail(at, "bad escape (end of pattern)")
	}
	lit := func(r rune) (*node, error) { return &node{op: opLiteral, r: r, flags: flags}, nil }
	switch c {
	case 'A', 'Z':
		return &node{op: opAt, at: byte(c), flags: flags}, nil
	case 'b', 'B':
		if flags&ASCII == 0 {
			p.wordb = true
		}
		return &node{op: opAt, at: byte(c), neg: c == 'B', flags: flags}, nil
	case 'd', 'D', 'w', 'W', 's', 'S':
		return &node{op: opSet, flags: flags, set: &charSet{items: []setItem{{class: byte(c), ascii: flags&ASCII != 0}}}}, nil
	case '0':
		i := p.pos
		for i < len(p.src) && i < p.pos+2 && p.src[i] >= '0' && p.src[i] <= '7' {
			i++
		}
		n, _ := octal(p.src[p.pos:i])
		p.pos = i
		return lit(rune(n))
	}
	if c >= '1' && c <= '9' {
		digits := string(c)
		if p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			digits += string(p.src[p.pos])
			if p.pos+1 < len(p.src) {
				if n, ok := octal(digits + string(p.src[p.pos+1])); ok {
					p.pos += 2
					if n > 0o377 {
						return nil, p.fail(at, "octal escape value \\%s outside of range 0-0o377", p.src[at+1:p.pos])
					}
					return lit(rune(n))
				}
			}
			p.pos++
		}
		g := 0
		fmt.Sscan(digits, &g)
		if g >= len(p.groups) {
			return nil, p.fail(at+1, "invalid group reference %d", g)
		}
		if p.open[g] {
			return nil, p.fail(at, "cannot refer to an open group")
		}
		p.complex = true
		return &node{op: opBackref, group: g, flags: flags}, nil
	}
	r, ok, err := p.simpleEscape(c, at)
	if err != nil {
		return nil, err
	}
	if ok {
		return lit(r)
	}
	if c < 0x80 && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
		return nil, p.fail(at, "bad escape \\%c", c)
	}
	return lit(c)
}

func (p *parser) class(flags Flags) (*node, error) {
	start := p.pos - 1
	set := &charSet{neg: p.accept("^")}
	ascii := flags&ASCII != 0
	one := func() (setItem, error) {
		at := p.pos
		c := p.next()
		if c < 0 {
			return setItem{}, p.fail(start, "unterminated character set")
		}
		if c != '\\' {
			return setItem{lo: c, hi: c}, nil
		}
		c = p.next()
		if c < 0 {
			return setItem{}, p.fail(at, "bad escape (end of pattern)")
		}
		switch c {
		case 'd', 'D', 'w', 'W', 's', 'S':
			return setItem{class: byte(c), ascii: ascii}, nil
		case 'b':
			return setItem{lo: '\b', hi: '\b'}, nil
		}
		if c >= '0' && c <= '9' {
			i := p.pos - 1
			for i < len(p.src) && i < p.pos+2 && p.src[i] >= '0' && p.src[i] <= '7' {
				i++
			}
			n, ok := octal(p.src[p.pos-1 : i])
			if !ok || i == p.pos-1 {
				return setItem{}, p.fail(at, "bad escape \\%c", c)
			}
			p.pos = i
			if n > 0o377 {
				return setItem{}, p.fail(at, "octal escape value \\%s outside of range 0-0o377", p.src[at+1:i])
			}
			return setItem{lo: rune(n), hi: rune(n)}, nil
		}
		r, ok, err := p.simpleEscape(c, at)
		if err != nil {
			return setItem{}, err
		}
		if !ok {
			if c < 0x80 && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
				return setItem{}, p.fail(at, "bad escape \\%c", c)
			}
			r = c
		}
		return setItem{lo: r, hi: r}, nil
	}
	for first := true; ; first = false {
		if p.pos >= len(p.src) {
			return nil, p.fail(start, "unterminated character set")
		}
		if !first && p.accept("]") {
			break
		}
		at := p.pos
		a, err := one()
		if err != nil {
			return nil, err
		}
		if !p.accept("-") {
			set.items = append(set.items, a)
			continue
		}
		if p.pos >= len(p.src) {
			return nil, p.fail(start, "unterminated character set")
		}
		if p.peek() == ']' {
			set.items = append(set.items, a, setItem{lo: '-', hi: '-'})
			continue
		}
		b, err := one()
		if err != nil {
			return nil, err
		}
		if a.class != 0 || b.class != 0 || b.lo < a.lo {
			return nil, p.fail(at, "bad character range %s", p.src[at:p.pos])
		}
		set.items = append(set.items, setItem{lo: a.lo, hi: b.lo})
	}
	return &node{op: opSet, set: set, flags: flags}, nil
}
