package aliases

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A pattern is looked at twice before it is run: to learn whether its author
// anchored it, and which literal text a line must hold to match it. For both a
// rough tree is enough; what is not understood is "other" and promises nothing.
type nodeKind uint8

const (
	nodeLiteral nodeKind = iota // one character
	nodeBegin                   // ^ or \A
	nodeEnd                     // $ or \Z
	nodeGroup                   // a group whose content takes part in the match
	nodeOther                   // classes, look-around, back-references, ...
)

type node struct {
	kind     nodeKind
	char     rune
	repeated bool     // a quantifier follows
	min      int      // least number of repetitions, 1 without a quantifier
	branches [][]node // of a group
}

// pattern is the tree of a whole regular expression.
type pattern struct {
	branches [][]node
	folds    bool // the flag i is set somewhere: literals say nothing about case
}

// maxSyntaxDepth bounds the nesting of groups; Python gives up at about the
// same depth.
const maxSyntaxDepth = 100

type syntaxParser struct {
	s       string
	i       int
	verbose bool
	folds   bool
	failed  bool // nested too deep or cut off: nothing is promised
}

// parsePattern reads a pattern that Python's compiler has already taken.
func parsePattern(s string) pattern {
	p := syntaxParser{s: s}
	branches := p.alternatives(0)
	if p.failed || p.i < len(p.s) {
		return pattern{branches: [][]node{{{kind: nodeOther, min: 1}}}, folds: true}
	}
	return pattern{branches: branches, folds: p.folds}
}

func (p *syntaxParser) alternatives(depth int) [][]node {
	if depth > maxSyntaxDepth {
		p.failed = true
		p.i = len(p.s)
		return [][]node{nil}
	}
	out := [][]node{nil}
	for p.i < len(p.s) && !p.failed {
		switch c := p.s[p.i]; {
		case c == ')':
			return out
		case c == '|':
			p.i++
			out = append(out, nil)
		default:
			if n, ok := p.item(depth); ok {
				p.quantifier(&n)
				last := len(out) - 1
				out[last] = append(out[last], n)
			}
		}
	}
	return out
}

func (p *syntaxParser) item(depth int) (node, bool) {
	r, size := utf8.DecodeRuneInString(p.s[p.i:])
	switch r {
	case '^':
		p.i++
		return node{kind: nodeBegin, min: 1}, true
	case '$':
		p.i++
		return node{kind: nodeEnd, min: 1}, true
	case '.':
		p.i++
		return node{kind: nodeOther, min: 1}, true
	case '[':
		p.class()
		return node{kind: nodeOther, min: 1}, true
	case '\\':
		return p.escape(), true
	case '(':
		return p.group(depth)
	}
	if p.verbose {
		if pySpace(r) {
			p.i += size
			return node{}, false
		}
		if r == '#' {
			if end := strings.IndexByte(p.s[p.i:], '\n'); end >= 0 {
				p.i += end + 1
			} else {
				p.i = len(p.s)
			}
			return node{}, false
		}
	}
	p.i += size
	return node{kind: nodeLiteral, char: r, min: 1}, true
}

func (p *syntaxParser) class() {
	p.i++ // [
	if p.i < len(p.s) && p.s[p.i] == '^' {
		p.i++
	}
	for first := true; p.i < len(p.s); first = false {
		switch p.s[p.i] {
		case ']':
			p.i++
			if !first {
				return
			}
		case '\\':
			p.i += 2
		default:
			p.i++
		}
	}
	p.failed = true
}

func (p *syntaxParser) escape() node {
	p.i++ // backslash
	if p.i >= len(p.s) {
		p.failed = true
		return node{kind: nodeOther, min: 1}
	}
	r, size := utf8.DecodeRuneInString(p.s[p.i:])
	p.i += size
	switch {
	case r == 'A':
		return node{kind: nodeBegin, min: 1}
	case r == 'Z':
		return node{kind: nodeEnd, min: 1}
	case r == 'x':
		p.i += 2
	case r == 'u':
		p.i += 4
	case r == 'U':
		p.i += 8
	case r == 'N':
		if end := strings.IndexByte(p.s[p.i:], '}'); end >= 0 {
			p.i += end + 1
		}
	case r >= '0' && r <= '9':
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
	case r < utf8.RuneSelf && !unicode.IsLetter(r):
		return node{kind: nodeLiteral, char: r, min: 1}
	}
	if p.i > len(p.s) {
		p.i = len(p.s)
	}
	return node{kind: nodeOther, min: 1}
}

func (p *syntaxParser) group(depth int) (node, bool) {
	p.i++ // (
	opaque := false
	rest := p.s[p.i:]
	switch {
	case !strings.HasPrefix(rest, "?"):
	case strings.HasPrefix(rest, "?#"):
		if end := strings.IndexByte(rest, ')'); end >= 0 {
			p.i += end + 1
		} else {
			p.failed = true
		}
		return node{}, false
	case strings.HasPrefix(rest, "?:"):
		p.i += 2
	case strings.HasPrefix(rest, "?P<"):
		end := strings.IndexByte(rest, '>')
		if end < 0 {
			p.failed = true
			return node{}, false
		}
		p.i += end + 1
	case strings.HasPrefix(rest, "?P="):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			p.failed = true
			return node{}, false
		}
		p.i += end + 1
		return node{kind: nodeOther, min: 1}, true
	case strings.HasPrefix(rest, "?="), strings.HasPrefix(rest, "?!"), strings.HasPrefix(rest, "?>"):
		p.i += 2
		opaque = true
	case strings.HasPrefix(rest, "?<="), strings.HasPrefix(rest, "?<!"):
		p.i += 3
		opaque = true
	case strings.HasPrefix(rest, "?("):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			p.failed = true
			return node{}, false
		}
		p.i += end + 1
		opaque = true
	default: // (?flags) or (?flags:...)
		end := strings.IndexAny(rest, ":)")
		if end < 0 {
			p.failed = true
			return node{}, false
		}
		flags := rest[1:end]
		on, _, _ := strings.Cut(flags, "-")
		p.folds = p.folds || strings.Contains(on, "i")
		p.i += end + 1
		if rest[end] == ')' {
			p.verbose = p.verbose || strings.Contains(on, "x")
			return node{}, false
		}
		if strings.Contains(flags, "x") { // scoped verbosity is not worth following
			p.failed = true
			return node{}, false
		}
	}
	branches := p.alternatives(depth + 1)
	if p.i >= len(p.s) {
		p.failed = true
		return node{}, false
	}
	p.i++ // )
	if opaque {
		return node{kind: nodeOther, min: 1}, true
	}
	return node{kind: nodeGroup, branches: branches, min: 1}, true
}

// quantifier reads what may follow an item. A brace that is not of the form
// {m}, {m,}, {,n} or {m,n} is a literal.
func (p *syntaxParser) quantifier(n *node) {
	if p.verbose {
		for p.i < len(p.s) && strings.IndexByte(" \t\n\r\f\v", p.s[p.i]) >= 0 {
			p.i++
		}
	}
	if p.i >= len(p.s) {
		return
	}
	switch p.s[p.i] {
	case '*', '?':
		n.repeated, n.min = true, 0
		p.i++
	case '+':
		n.repeated, n.min = true, 1
		p.i++
	case '{':
		end := strings.IndexByte(p.s[p.i:], '}')
		if end < 0 {
			return
		}
		low, high, comma := strings.Cut(p.s[p.i+1:p.i+end], ",")
		if !digits(low) || !digits(high) || low == "" && !comma {
			return
		}
		n.repeated, n.min = true, 1
		if strings.Trim(low, "0") == "" {
			n.min = 0
		}
		p.i += end + 1
	default:
		return
	}
	if p.i < len(p.s) && (p.s[p.i] == '?' || p.s[p.i] == '+') {
		p.i++
	}
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// anchored says whether the pattern has an anchor of a kind where StackStorm
// looks for one: at the top level, inside groups, and of alternatives only in
// the second, which is a quirk of the original that authors rely on without
// knowing: (?:^|,) is not anchored, (?:,|^) is.
func (p pattern) anchored(kind nodeKind) bool { return anchoredIn(p.branches, kind) }

func anchoredIn(branches [][]node, kind nodeKind) bool {
	nodes := branches[0]
	if len(branches) > 1 {
		nodes = branches[1]
	}
	for _, n := range nodes {
		if n.repeated {
			continue
		}
		if n.kind == kind || n.kind == nodeGroup && anchoredIn(n.branches, kind) {
			return true
		}
	}
	return false
}

// maxPrefixes is how many prefixes one format may spread into through
// alternatives such as (run|execute).
const maxPrefixes = 16

// prefixes are the literal texts one of which every match starts with, once
// the space in front is taken off. Nil means that nothing is known. It is
// right only for a pattern that matches at the start of the line.
func (p pattern) prefixes() []string {
	if p.folds || len(p.branches) != 1 {
		return nil
	}
	nodes := p.branches[0]
	for len(nodes) > 0 && nodes[0].kind == nodeBegin && !nodes[0].repeated {
		nodes = nodes[1:]
	}
	found, _ := literalPrefixes([]string{""}, nodes)
	for i, text := range found {
		found[i] = strings.TrimLeftFunc(text, pySpace)
		if found[i] == "" {
			return nil
		}
	}
	return found
}

// literalPrefixes appends what the nodes begin with; whole says that the nodes
// are literal to their end.
func literalPrefixes(so []string, nodes []node) (out []string, whole bool) {
	for _, n := range nodes {
		switch {
		case n.kind == nodeLiteral && n.min > 0:
			for i := range so {
				so[i] += string(n.char)
			}
			if n.repeated {
				return so, false
			}
		case n.kind == nodeGroup && !n.repeated:
			if len(so)*len(n.branches) > maxPrefixes {
				return so, false
			}
			var next []string
			all := true
			for _, branch := range n.branches {
				grown, whole := literalPrefixes(append([]string(nil), so...), branch)
				next = append(next, grown...)
				all = all && whole
			}
			so = next
			if !all {
				return so, false
			}
		default:
			return so, false
		}
	}
	return so, true
}

// required are literal texts that all stand in every match.
func (p pattern) required() []string {
	if p.folds || len(p.branches) != 1 {
		return nil
	}
	var out []string
	var run strings.Builder
	flush := func() {
		if run.Len() > 0 {
			out = append(out, run.String())
			run.Reset()
		}
	}
	var walk func(nodes []node)
	walk = func(nodes []node) {
		for _, n := range nodes {
			switch {
			case n.kind == nodeLiteral && n.min > 0:
				run.WriteRune(n.char)
				if n.repeated {
					flush()
				}
			case n.kind == nodeGroup && n.min > 0 && len(n.branches) == 1:
				flush()
				walk(n.branches[0])
				flush()
			default:
				flush()
			}
		}
	}
	walk(p.branches[0])
	flush()
	return out
}

// pySpace is Python's \s for text: str.isspace.
func pySpace(r rune) bool {
	switch {
	case r >= '\t' && r <= '\r', r >= 0x1c && r <= ' ', r == 0x85, r == 0xa0, r == 0x1680,
		r >= 0x2000 && r <= 0x200a, r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x3000:
		return true
	}
	return false
}
