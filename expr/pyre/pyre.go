// Package pyre is Python's re module for Go: patterns in Python's syntax with
// Python's results. A pattern that RE2 can express runs in linear time; one with
// look-around, back-references or the like runs on a backtracking engine under
// a time limit.
package pyre

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

// Regexp is a compiled pattern. It is safe for concurrent use.
type Regexp struct{ pattern string }

// Compile compiles a pattern in Python's syntax; the error is a *value.Error
// of class "error" with Python's text.
func Compile(pattern string, flags Flags) (*Regexp, error) { return &Regexp{pattern}, nil }

// Match is one match; groups are counted from 1, group 0 is the whole match.
type Match struct{ _ int }

// Group is the text of group i; ok is false when it took no part in the match.
func (m *Match) Group(i int) (text string, ok bool) { return "", false }

// Span is the byte range of group i, or -1, -1.
func (m *Match) Span(i int) (start, end int) { return -1, -1 }

// Named is the text of a named group.
func (m *Match) Named(name string) (text string, ok bool) { return "", false }

// NumGroups is the number of groups besides the whole match.
func (r *Regexp) NumGroups() int { return 0 }

// GroupNames gives for each group, from 0, its name or an empty text.
func (r *Regexp) GroupNames() []string { return nil }

// Match matches at the start of s; a nil Match means no match.
func (r *Regexp) Match(s string) (*Match, error) { return nil, nil }

// Search finds the first match in s.
func (r *Regexp) Search(s string) (*Match, error) { return nil, nil }

// FullMatch matches the whole of s.
func (r *Regexp) FullMatch(s string) (*Match, error) { return nil, nil }

// FindAll gives all matches; with n >= 0 at most n.
func (r *Regexp) FindAll(s string, n int) ([]*Match, error) { return nil, nil }

// Sub is re.sub with a template in Python's syntax; count 0 means all.
func (r *Regexp) Sub(repl, s string, count int) (string, error) { return "", nil }

// Split is re.split; groups of the pattern stand in the result too.
func (r *Regexp) Split(s string, maxSplit int) ([]string, error) { return nil, nil }

// Escape is re.escape.
func Escape(s string) string { return s }
