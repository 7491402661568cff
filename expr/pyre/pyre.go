// Package pyre is Python's re module for Go: patterns in Python's syntax with
// Python's results. A pattern that RE2 can express runs in linear time; one with
// look-around, back-references or the like runs on a backtracking engine under
// a time limit.
package pyre

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"

	"petrel/expr/value"
)

// Flags are the flags of re.compile.
type Flags uint

// The flags, named as in Python.
const (
	IgnoreCase Flags = 1 << iota
	MultiLine
	DotAll
	Verbose
	ASCII
)

// Timeout is how long one match on the backtracking engine may take.
const Timeout = 500 * time.Millisecond

// mode is one way to run a pattern; each has a program of its own because
// neither engine can be told at match time.
type mode int

const (
	modeSearch  mode = iota
	modeMatch        // anchored at the start
	modeFull         // the whole text
	modeAdvance      // search, but an empty match at the start does not count
	modes
)

// Regexp is a compiled pattern. It is safe for concurrent use.
type Regexp struct {
	pattern string
	flags   Flags
	root    *node
	groups  []string

	re2OK bool
	// dollar and wordb mark patterns that RE2 answers rightly for some texts
	// only: $ when no newline ends the text, \b when the text is ASCII.
	dollar, wordb bool
	// nullable patterns can match the empty text; walking over all their
	// matches needs modeAdvance, which RE2 does not have.
	nullable bool
	// cost is about how many states RE2 keeps for each character.
	cost int64

	fast [modes]lazy[*regexp.Regexp]
	back [modes]lazy[*regexp2.Regexp]
}

type lazy[T any] struct {
	once sync.Once
	v    T
	err  error
}

// Compile compiles a pattern in Python's syntax; the error is a *value.Error
// of class "error" with Python's text.
func Compile(pattern string, flags Flags) (*Regexp, error) {
	p, root, err := parse(pattern, flags)
	if err != nil {
		return nil, err
	}
	lo, _ := p.width(root)
	r := &Regexp{pattern: pattern, flags: p.flags, root: root, groups: p.groups,
		re2OK: !p.complex, dollar: p.dollar, wordb: p.wordb, nullable: lo == 0, cost: states(root)}
	if r.re2OK {
		e := emitter{}
		e.node(root)
		if e.failed {
			r.re2OK = false
		} else if _, err := r.re2(modeSearch); err != nil {
			// Too large for RE2; the other engine counts instead of unrolling.
			r.re2OK = false
		}
	}
	if !r.re2OK {
		if _, err := r.regexp2(modeSearch); err != nil {
			return nil, &value.Error{Class: "error", Msg: err.Error()}
		}
	}
	return r, nil
}

func (r *Regexp) re2(m mode) (*regexp.Regexp, error) {
	l := &r.fast[m]
	l.once.Do(func() {
		e := emitter{}
		e.node(r.root)
		text := e.sb.String()
		switch m {
		case modeMatch:
			text = `\A(?:` + text + `)`
		case modeFull:
			text = `\A(?:` + text + `)\z`
		}
		l.v, l.err = regexp.Compile(text)
	})
	return l.v, l.err
}

func (r *Regexp) regexp2(m mode) (*regexp2.Regexp, error) {
	l := &r.back[m]
	l.once.Do(func() {
		e := emitter{back: true}
		e.node(r.root)
		text := e.sb.String()
		switch m {
		case modeMatch:
			text = `\G(?:` + text + `)`
		case modeFull:
			text = `\G(?:` + text + `)\z`
		case modeAdvance:
			text = `(?:` + text + `)(?!\G)`
		}
		l.v, l.err = regexp2.Compile(text, regexp2.None)
		if l.err == nil {
			l.v.MatchTimeout = Timeout
		}
	})
	return l.v, l.err
}

// Match is one match; groups are counted from 1, group 0 is the whole match.
type Match struct {
	re  *Regexp
	s   string
	loc []int
}

// Group is the text of group i; ok is false when it took no part in the match.
func (m *Match) Group(i int) (text string, ok bool) {
	start, end := m.Span(i)
	if start < 0 {
		return "", false
	}
	return m.s[start:end], true
}

// Span is the byte range of group i, or -1, -1.
func (m *Match) Span(i int) (start, end int) {
	if i < 0 || 2*i+1 >= len(m.loc) {
		return -1, -1
	}
	return m.loc[2*i], m.loc[2*i+1]
}

// Named is the text of a named group.
func (m *Match) Named(name string) (text string, ok bool) {
	for i, n := range m.re.groups {
		if i > 0 && n == name {
			return m.Group(i)
		}
	}
	return "", false
}

// Regexp is the pattern that matched.
func (m *Match) Regexp() *Regexp { return m.re }

// String is the pattern.
func (r *Regexp) String() string { return r.pattern }

// NumGroups is the number of groups besides the whole match.
func (r *Regexp) NumGroups() int { return len(r.groups) - 1 }

// GroupNames gives for each group, from 0, its name or an empty text.
func (r *Regexp) GroupNames() []string { return r.groups }

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// linear says whether RE2 gives Python's answer for this text.
func (r *Regexp) linear(s string) bool {
	if r.cost*int64(len(s)) > maxLinear {
		// RE2 cannot be stopped; beyond this the engine with a time limit works.
		return false
	}
	if !r.re2OK || r.dollar && strings.HasSuffix(s, "\n") || r.wordb && !isASCII(s) {
		return false
	}
	return true
}

func (r *Regexp) one(m mode, s string) (*Match, error) {
	if r.linear(s) {
		if re, err := r.re2(m); err == nil {
			if loc := re.FindStringSubmatchIndex(s); loc != nil {
				return &Match{r, s, loc}, nil
			}
			return nil, nil
		}
	}
	t := newText(s)
	return r.backtrack(m, t, 0)
}

// maxLinear bounds states times characters for RE2: about a second.
const maxLinear = 1 << 25

func states(n *node) int64 {
	const most = 1 << 30
	total := int64(1)
	for _, s := range n.subs {
		total += states(s)
	}
	if n.op == opRepeat {
		times := n.max
		if times == maxRepeat {
			times = n.min + 1
		}
		total *= min(max(times, 1), 1<<20)
	}
	return min(total, most)
}

// text is a subject of the backtracking engine, which counts in runes.
type text struct {
	s     string
	runes []rune
	// offsets are the byte offsets of the runes; nil when they are the same.
	offsets []int
}

func newText(s string) *text {
	t := &text{s: s, runes: []rune(s)}
	if len(t.runes) != len(s) {
		t.offsets = make([]int, 0, len(t.runes)+1)
		for i := range s {
			t.offsets = append(t.offsets, i)
		}
		t.offsets = append(t.offsets, len(s))
	}
	return t
}

func (t *text) byteAt(rune int) int {
	if t.offsets == nil {
		return rune
	}
	return t.offsets[rune]
}

func (r *Regexp) backtrack(m mode, t *text, start int) (*Match, error) {
	re, err := r.regexp2(m)
	if err != nil {
		return nil, &value.Error{Class: "error", Msg: err.Error()}
	}
	found, err := re.FindRunesMatchStartingAt(t.runes, start)
	if err != nil {
		return nil, &value.LimitError{Limit: "for matching a regular expression", Max: Timeout.String()}
	}
	if found == nil {
		return nil, nil
	}
	loc := make([]int, 2*len(r.groups))
	for i := range r.groups {
		g := found.GroupByNumber(i)
		if g == nil || len(g.Captures) == 0 {
			loc[2*i], loc[2*i+1] = -1, -1
			continue
		}
		c := g.Captures[len(g.Captures)-1]
		loc[2*i], loc[2*i+1] = t.byteAt(c.Index), t.byteAt(c.Index+c.Length)
	}
	return &Match{r, t.s, loc}, nil
}

// Match matches at the start of s; a nil Match means no match.
func (r *Regexp) Match(s string) (*Match, error) { return r.one(modeMatch, s) }

// Search finds the first match in s.
func (r *Regexp) Search(s string) (*Match, error) { return r.one(modeSearch, s) }

// FullMatch matches the whole of s.
func (r *Regexp) FullMatch(s string) (*Match, error) { return r.one(modeFull, s) }

// FindAll gives all matches; with n >= 0 at most n. An empty match may follow
// another match directly, as in Python since 3.7.
func (r *Regexp) FindAll(s string, n int) ([]*Match, error) {
	if n == 0 {
		return nil, nil
	}
	var out []*Match
	if !r.nullable && r.linear(s) {
		if re, err := r.re2(modeSearch); err == nil {
			most := MaxMatches + 1
			if n > 0 {
				most = min(n, most)
			}
			for _, loc := range re.FindAllStringSubmatchIndex(s, most) {
				if len(out) == MaxMatches {
					return nil, errMatches()
				}
				out = append(out, &Match{r, s, loc})
			}
			return out, nil
		}
	}
	t := newText(s)
	deadline := time.Now().Add(Timeout)
	pos, m := 0, modeSearch
	for pos <= len(t.runes) {
		found, err := r.backtrack(m, t, pos)
		if err != nil {
			return nil, err
		}
		if found == nil {
			break
		}
		if len(out) == MaxMatches {
			return nil, errMatches()
		}
		out = append(out, found)
		if len(out) == n {
			break
		}
		if time.Now().After(deadline) {
			return nil, &value.LimitError{Limit: "for matching a regular expression", Max: Timeout.String()}
		}
		start, end := found.Span(0)
		m = modeSearch
		if start == end {
			m = modeAdvance
		}
		// Matches only move forward, so the rune position is found from the last one.
		for t.byteAt(pos) < end {
			pos++
		}
	}
	return out, nil
}

// Sub is re.sub with a template in Python's syntax; count 0 means all.
func (r *Regexp) Sub(repl, s string, count int) (string, error) {
	parts, err := r.template(repl)
	if err != nil {
		return "", err
	}
	return r.SubFunc(s, count, func(m *Match) (string, error) {
		if len(parts) == 1 && parts[0].group < 0 {
			return parts[0].text, nil
		}
		var sb strings.Builder
		for _, p := range parts {
			if p.group < 0 {
				sb.WriteString(p.text)
			} else {
				t, _ := m.Group(p.group)
				sb.WriteString(t)
			}
		}
		return sb.String(), nil
	})
}

// MaxMatches is the number of matches FindAll and Sub work with. Each costs more
// memory than the text it matches.
const MaxMatches = 200_000

func errMatches() error {
	return &value.LimitError{Limit: "matches of a regular expression", Max: fmt.Sprint(MaxMatches)}
}

// MaxResult is the longest text Sub gives.
const MaxResult = 16 << 20

// SubFunc is re.sub with a function; count 0 means all.
func (r *Regexp) SubFunc(s string, count int, repl func(m *Match) (string, error)) (string, error) {
	n := -1
	if count > 0 {
		n = count
	} else if count < 0 {
		return s, nil
	}
	matches, err := r.FindAll(s, n)
	if err != nil || len(matches) == 0 {
		return s, err
	}
	var sb strings.Builder
	last := 0
	for _, m := range matches {
		start, end := m.Span(0)
		sb.WriteString(s[last:start])
		t, err := repl(m)
		if err != nil {
			return "", err
		}
		sb.WriteString(t)
		last = end
		if sb.Len() > MaxResult {
			return "", &value.LimitError{Limit: "bytes of a regular expression's result", Max: fmt.Sprint(MaxResult)}
		}
	}
	sb.WriteString(s[last:])
	return sb.String(), nil
}

type part struct {
	text  string
	group int
}

// template reads the replacement of re.sub.
func (r *Regexp) template(repl string) ([]part, error) {
	var parts []part
	var lit strings.Builder
	fail := func(at int, format string, args ...any) error {
		return &value.Error{Class: "error", Msg: fmt.Sprintf(format, args...) + fmt.Sprintf(" at position %d", utf8.RuneCountInString(repl[:at]))}
	}
	group := func(g, at int) error {
		if g >= len(r.groups) {
			return fail(at, "invalid group reference %d", g)
		}
		if lit.Len() > 0 {
			parts = append(parts, part{lit.String(), -1})
			lit.Reset()
		}
		parts = append(parts, part{"", g})
		return nil
	}
	for i := 0; i < len(repl); {
		c := repl[i]
		if c != '\\' {
			lit.WriteByte(c)
			i++
			continue
		}
		if i+1 >= len(repl) {
			return nil, fail(i, "bad escape (end of pattern)")
		}
		c = repl[i+1]
		switch {
		case c == 'g':
			if i+2 >= len(repl) || repl[i+2] != '<' {
				return nil, fail(i+2, "missing <")
			}
			end := strings.IndexByte(repl[i+3:], '>')
			if end < 0 {
				if i+3 >= len(repl) {
					return nil, fail(i+3, "missing group name")
				}
				return nil, fail(i+3, "missing >, unterminated name")
			}
			name := repl[i+3 : i+3+end]
			if name == "" {
				return nil, fail(i+3, "missing group name")
			}
			g := -1
			if name[0] >= '0' && name[0] <= '9' {
				g = 0
				for _, d := range name {
					if d < '0' || d > '9' {
						return nil, fail(i+3, "bad character in group name %s", value.Quote(name))
					}
					if g = g*10 + int(d-'0'); g > 1000 {
						return nil, fail(i+3, "invalid group reference %s", name)
					}
				}
			} else {
				if !isIdent(name) {
					return nil, fail(i+3, "bad character in group name %s", value.Quote(name))
				}
				for j, n := range r.groups {
					if j > 0 && n == name {
						g = j
					}
				}
				if g < 0 {
					return nil, &value.Error{Class: "IndexError", Msg: "unknown group name " + value.Quote(name)}
				}
			}
			if err := group(g, i+3); err != nil {
				return nil, err
			}
			i += 4 + end
		case c == '0':
			j := i + 2
			for j < len(repl) && j < i+4 && repl[j] >= '0' && repl[j] <= '7' {
				j++
			}
			n, _ := octal(repl[i+1 : j])
			lit.WriteRune(rune(n & 0xff))
			i = j
		case c >= '1' && c <= '9':
			j := i + 2
			if j < len(repl) && repl[j] >= '0' && repl[j] <= '9' {
				j++
				if j < len(repl) {
					if n, ok := octal(repl[i+1 : j+1]); ok {
						if n > 0o377 {
							return nil, fail(i, "octal escape value \\%s outside of range 0-0o377", repl[i+1:j+1])
						}
						lit.WriteRune(rune(n))
						i = j + 1
						continue
					}
				}
			}
			g := 0
			fmt.Sscan(repl[i+1:j], &g)
			if err := group(g, i+1); err != nil {
				return nil, err
			}
			i = j
		default:
			if e := strings.IndexByte("abfnrtv\\", c); e >= 0 {
				lit.WriteByte("\a\b\f\n\r\t\v\\"[e])
			} else if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
				return nil, fail(i, "bad escape \\%c", c)
			} else {
				lit.WriteByte('\\')
				lit.WriteByte(c)
			}
			i += 2
		}
	}
	if lit.Len() > 0 || len(parts) == 0 {
		parts = append(parts, part{lit.String(), -1})
	}
	return parts, nil
}

// Split is re.split: texts, and None (nil) where a group took no part; groups
// of the pattern stand in the result too. maxSplit 0 means all.
func (r *Regexp) Split(s string, maxSplit int) ([]value.Value, error) {
	n := -1
	if maxSplit > 0 {
		n = maxSplit
	} else if maxSplit < 0 {
		return []value.Value{s}, nil
	}
	matches, err := r.FindAll(s, n)
	if err != nil {
		return nil, err
	}
	var out []value.Value
	last := 0
	for _, m := range matches {
		start, end := m.Span(0)
		out = append(out, s[last:start])
		for g := 1; g < len(r.groups); g++ {
			if t, ok := m.Group(g); ok {
				out = append(out, t)
			} else {
				out = append(out, nil)
			}
		}
		last = end
	}
	return append(out, s[last:]), nil
}

// Cache keeps the compiled patterns that were used last. It is safe for
// concurrent use.
type Cache struct {
	mu   sync.Mutex
	max  int
	m    map[cacheKey]*cacheEntry
	tick uint64
}

type cacheKey struct {
	pattern string
	flags   Flags
}

type cacheEntry struct {
	re   *Regexp
	used uint64
}

// NewCache returns a cache of at most max patterns.
func NewCache(max int) *Cache { return &Cache{max: max, m: make(map[cacheKey]*cacheEntry)} }

// Compile is Compile, from the cache when the pattern is there.
func (c *Cache) Compile(pattern string, flags Flags) (*Regexp, error) {
	k := cacheKey{pattern, flags}
	c.mu.Lock()
	c.tick++
	if e, ok := c.m[k]; ok {
		e.used = c.tick
		c.mu.Unlock()
		return e.re, nil
	}
	c.mu.Unlock()
	re, err := Compile(pattern, flags)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.m) >= c.max {
		oldest, at := cacheKey{}, uint64(1<<63)
		for key, e := range c.m {
			if e.used < at {
				oldest, at = key, e.used
			}
		}
		delete(c.m, oldest)
	}
	c.m[k] = &cacheEntry{re, c.tick}
	return re, nil
}
