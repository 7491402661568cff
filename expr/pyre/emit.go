package pyre

import (
	"fmt"
	"strings"
)

// Character classes as Python defines them for text, in the syntax of both
// engines. \w is what str.isalnum calls a letter or a number, and _.
const (
	spaceClass      = `\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`
	spaceClass2     = `\t-\r\x1c-\x20\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`
	wordClass       = `\p{L}\p{N}_`
	digitClass      = `\p{Nd}`
	spaceClassASCII = `\t-\r\x20`
	wordClassASCII  = `a-zA-Z0-9_`
	digitClassASCII = `0-9`
)

// emitter writes a parsed pattern in the syntax of one of the engines.
type emitter struct {
	sb strings.Builder
	// back is set for the backtracking engine.
	back bool
	// failed is set when RE2 cannot express the pattern.
	failed bool
}

func (e *emitter) classText(it setItem) string {
	lower := it.class | 0x20
	switch {
	case lower == 'd' && it.ascii:
		return digitClassASCII
	case lower == 'd':
		return digitClass
	case lower == 'w' && it.ascii:
		return wordClassASCII
	case lower == 'w':
		return wordClass
	case it.ascii:
		return spaceClassASCII
	case e.back:
		return spaceClass2
	}
	return spaceClass
}

func (e *emitter) char(r rune) string {
	switch {
	case r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_':
		return string(r)
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case !e.back:
		return fmt.Sprintf(`\x{%x}`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return string(r)
}

func (e *emitter) flagsOpen(f Flags) {
	if f&IgnoreCase != 0 {
		e.sb.WriteString("(?i:")
	} else {
		e.sb.WriteString("(?:")
	}
}

func (e *emitter) set(n *node) {
	s := n.set
	var plain strings.Builder
	var negated []string
	for _, it := range s.items {
		switch {
		case it.class == 0:
			plain.WriteString(e.char(it.lo))
			if it.hi != it.lo {
				plain.WriteString("-" + e.char(it.hi))
			}
		case it.class >= 'a':
			plain.WriteString(e.classText(it))
		default:
			negated = append(negated, "[^"+e.classText(it)+"]")
		}
	}
	e.flagsOpen(n.flags)
	defer e.sb.WriteString(")")
	if len(negated) == 0 {
		if s.neg {
			e.sb.WriteString("[^" + plain.String() + "]")
		} else {
			e.sb.WriteString("[" + plain.String() + "]")
		}
		return
	}
	alts := negated
	if plain.Len() > 0 {
		alts = append(alts, "["+plain.String()+"]")
	}
	if !s.neg {
		e.sb.WriteString(strings.Join(alts, "|"))
		return
	}
	if !e.back {
		e.failed = true
	}
	e.sb.WriteString("(?!" + strings.Join(alts, "|") + `)[\s\S]`)
}

func (e *emitter) at(n *node) {
	w := "[" + wordClass + "]"
	if n.flags&ASCII != 0 {
		w = "[" + wordClassASCII + "]"
	}
	multi := n.flags&MultiLine != 0
	var out string
	switch n.at {
	case '^':
		out = `\A`
		if multi {
			out = `(?m:^)`
		}
	case 'A':
		out = `\A`
	case 'Z':
		out = `\z`
	case '$':
		switch {
		case multi:
			out = `(?m:$)`
		case e.back:
			out = `(?=\n?\z)`
		default:
			out = `\z`
		}
	case 'b':
		out = `\b`
		if e.back {
			out = fmt.Sprintf(`(?:(?<=%s)(?!%s)|(?<!%s)(?=%s))`, w, w, w, w)
		}
	case 'B':
		out = `\B`
		if e.back {
			out = fmt.Sprintf(`(?:(?<=%s)(?=%s)|(?<!%s)(?!%s))`, w, w, w, w)
		}
	}
	e.sb.WriteString(out)
}

func (e *emitter) node(n *node) {
	switch n.op {
	case opLiteral:
		if n.flags&IgnoreCase != 0 {
			e.sb.WriteString("(?i:" + e.char(n.r) + ")")
		} else {
			e.sb.WriteString(e.char(n.r))
		}
	case opAny:
		switch {
		case n.flags&DotAll == 0:
			e.sb.WriteString(`[^\n]`)
		case e.back:
			e.sb.WriteString(`[\s\S]`)
		default:
			e.sb.WriteString(`(?s:.)`)
		}
	case opSet:
		e.set(n)
	case opAt:
		e.at(n)
	case opGroup:
		e.sb.WriteString("(")
		e.node(n.subs[0])
		e.sb.WriteString(")")
	case opFlags:
		e.sb.WriteString("(?:")
		e.node(n.subs[0])
		e.sb.WriteString(")")
	case opAtomic:
		e.sb.WriteString("(?>")
		e.node(n.subs[0])
		e.sb.WriteString(")")
	case opLook:
		e.sb.WriteString("(?")
		if n.back {
			e.sb.WriteString("<")
		}
		if n.neg {
			e.sb.WriteString("!")
		} else {
			e.sb.WriteString("=")
		}
		e.node(n.subs[0])
		e.sb.WriteString(")")
	case opBackref:
		e.flagsOpen(n.flags)
		fmt.Fprintf(&e.sb, `\%d)`, n.group)
	case opCond:
		fmt.Fprintf(&e.sb, "(?(%d)", n.group)
		e.sb.WriteString("(?:")
		e.node(n.subs[0])
		e.sb.WriteString(")|(?:")
		if len(n.subs) > 1 {
			e.node(n.subs[1])
		}
		e.sb.WriteString("))")
	case opRepeat:
		if n.poss {
			e.sb.WriteString("(?>")
		}
		e.sb.WriteString("(?:")
		e.node(n.subs[0])
		e.sb.WriteString(")")
		switch {
		case n.min == 0 && n.max == maxRepeat:
			e.sb.WriteString("*")
		case n.min == 1 && n.max == maxRepeat:
			e.sb.WriteString("+")
		case n.min == 0 && n.max == 1:
			e.sb.WriteString("?")
		default:
			if n.min > 1000 || n.max > 1000 && n.max < maxRepeat {
				e.failed = true
			}
			// The backtracking engine counts in int32.
			lo, hi := min(n.min, 1<<31-2), min(n.max, 1<<31-2)
			switch {
			case n.max == maxRepeat:
				fmt.Fprintf(&e.sb, "{%d,}", lo)
			case lo == hi:
				fmt.Fprintf(&e.sb, "{%d}", lo)
			default:
				fmt.Fprintf(&e.sb, "{%d,%d}", lo, hi)
			}
		}
		if n.lazy {
			e.sb.WriteString("?")
		}
		if n.poss {
			e.sb.WriteString(")")
		}
	case opSeq:
		for _, s := range n.subs {
			e.node(s)
		}
	case opBranch:
		e.sb.WriteString("(?:")
		for i, s := range n.subs {
			if i > 0 {
				e.sb.WriteString("|")
			}
			e.node(s)
		}
		e.sb.WriteString(")")
	}
}
