// Package yamldoc reads YAML files as StackStorm reads them. Packs were written
// for PyYAML's safe loader, which follows YAML 1.1: `yes` is true, `012` is ten,
// `12:30` is 750, a merge key spreads a map, and of a key that stands twice the
// last one counts. The loader walks the nodes of yaml.v3, which keep the text and
// the place of every scalar, and gives values that keep the order of keys.
//
// A document is bounded in bytes, depth and in what its aliases may grow to.
// Errors say file:line:column and a sentence.
//
// In three things it differs from PyYAML, because a pack's metadata is stored and
// shown as JSON: dates stay the text they were written as; !!binary, !!set,
// !!omap and !!pairs are refused, as are all tags PyYAML's safe loader does not
// know; and a value cannot hold itself.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"petrel/expr/value"
)

// Limits bound a document. A zero field means its default.
type Limits struct {
	// Bytes is the size of the text; default 2 MiB.
	Bytes int
	// Depth is the nesting of maps and lists; default 64.
	Depth int
	// Nodes is the number of values, those that aliases and merge keys add
	// included; default 1,000,000.
	Nodes int
	// AliasFactor is how many times the size of the file aliases and merge keys
	// may add up to; default 10. 64 KiB are always allowed.
	AliasFactor int
}

const (
	defaultBytes       = 2 << 20
	defaultDepth       = 64
	defaultNodes       = 1_000_000
	defaultAliasFactor = 10
	aliasFloor         = 64 << 10
	maxWarnings        = 100
)

// WithDefaults fills in the zero fields.
func (l Limits) WithDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = defaultBytes
	}
	if l.Depth == 0 {
		l.Depth = defaultDepth
	}
	if l.Nodes == 0 {
		l.Nodes = defaultNodes
	}
	if l.AliasFactor == 0 {
		l.AliasFactor = defaultAliasFactor
	}
	return l
}

// Position is a place in a file; lines and columns count from one. The zero
// Position is unknown.
type Position struct {
	Line, Column int
}

// Error says what is wrong with a document and where.
type Error struct {
	File string
	Position
	Text string
}

// Error is file:line:column: text.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// Document is a document that was read.
type Document struct {
	// File is the name the document was read under.
	File string
	// Value is the content; nil for an empty document.
	Value value.Value
	// Warnings are keys that stand twice in one map: the last one counts.
	Warnings []*Error

	root *yaml.Node
}

// Load reads one document. The file name appears in errors only.
func Load(file string, text []byte, limits Limits) (*Document, error) {
	limits = limits.WithDefaults()
	if len(text) > limits.Bytes {
		return nil, &Error{File: file, Text: fmt.Sprintf("the file has %d bytes, over the limit of %d", len(text), limits.Bytes)}
	}
	if err := checkCharacters(file, text); err != nil {
		return nil, err
	}
	root, err := parse(file, text)
	if err != nil {
		return nil, err
	}
	doc := &Document{File: file, root: root}
	if root == nil {
		return doc, nil
	}
	b := builder{doc: doc, limits: limits, allowance: max(limits.AliasFactor*len(text), aliasFloor), inside: map[*yaml.Node]bool{}}
	if doc.Value, err = b.build(root, 0, false); err != nil {
		return nil, err
	}
	return doc, nil
}

// checkCharacters refuses what YAML does not allow in a stream, before the
// parser sees it: bytes that are not UTF-8, and control characters.
func checkCharacters(file string, text []byte) error {
	line, column := 1, 1
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c < 0x7f || c == '\t' || c == '\r' {
			i++
			column++
			continue
		}
		if c == '\n' {
			i++
			line++
			column = 1
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		at := Position{line, column}
		if r == utf8.RuneError && size <= 1 {
			return &Error{file, at, fmt.Sprintf("the text is not UTF-8: byte 0x%02x", c)}
		}
		if r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff {
			return &Error{file, at, fmt.Sprintf("the control character U+%04X is not allowed", r)}
		}
		i += size
		column++
	}
	return nil
}

// parse gives the root node of the only document, nil when the text holds none.
func parse(file string, text []byte) (root *yaml.Node, err error) {
	text = acceptVersion(text)
	src := &source{text: text, step: len(text) + 1}
	node, more, failure := decode(src)
	if failure != nil {
		// The parser names lines of its own choice and no columns. Fed byte by
		// byte it shows how far it read, which is where the trouble was seen.
		src = &source{text: text, step: 1}
		_, _, again := decode(src)
		if again == nil {
			again = failure
		}
		return nil, syntaxError(file, text, src.at, again)
	}
	if more != nil {
		return nil, &Error{file, Position{more.Line, more.Column}, "a second document starts here; one document expected"}
	}
	if node == nil || len(node.Content) == 0 {
		return nil, nil
	}
	return node.Content[0], nil
}

// versionDirective is a %YAML 1.2 line at the start, which libyaml takes for 1.1
// and the parser here refuses.
var versionDirective = regexp.MustCompile(`\A(?:[ \t]*(?:#[^\n]*)?\r?\n)*%YAML[ \t]+1\.2[ \t]*(?:#[^\n]*)?\r?\n`)

func acceptVersion(text []byte) []byte {
	end := versionDirective.FindIndex(text)
	if end == nil {
		return text
	}
	head := bytes.Replace(text[:end[1]], []byte("1.2"), []byte("1.1"), -1)
	return append(head, text[end[1]:]...)
}

// decode reads up to two documents. The parser panics on faults of its own;
// those are errors of the document, not of the process.
func decode(src io.Reader) (first, second *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the parser gave up: %v", r)
		}
	}()
	dec := yaml.NewDecoder(src)
	var a, b yaml.Node
	if err := dec.Decode(&a); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil, nil
		}
		return nil, nil, err
	}
	if err := dec.Decode(&b); err != nil {
		if errors.Is(err, io.EOF) {
			return &a, nil, nil
		}
		return nil, nil, err
	}
	return &a, &b, nil
}

// source hands out a text in steps and remembers how much was taken.
type source struct {
	text []byte
	at   int
	step int
}

func (s *source) Read(p []byte) (int, error) {
	if s.at >= len(s.text) {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.text[s.at:])
	s.at += n
	return n, nil
}

// syntaxError names the place of a fault from how far the parser had read, which
// is up to four bytes past it: the character at fault for the messages that are
// about one, else the start of the last line with content.
func syntaxError(file string, text []byte, read int, cause error) error {
	msg := strings.TrimPrefix(cause.Error(), "yaml: ")
	if rest, found := strings.CutPrefix(msg, "line "); found {
		if number, tail, found := strings.Cut(rest, ": "); found && strings.Trim(number, "0123456789") == "" {
			msg = tail
		}
	}
	read = min(read, len(text))
	at := bytes.LastIndexFunc(text[:read], func(r rune) bool { return !strings.ContainsRune(" \t\r\n", r) })
	near := text[max(read-5, 0):read]
	culprits := ""
	switch {
	case strings.HasPrefix(msg, "mapping values are not allowed"):
		culprits = ":"
	case strings.HasPrefix(msg, "mapping keys are not allowed"):
		culprits = "?"
	case strings.HasPrefix(msg, "block sequence entries are not allowed"):
		culprits = "-"
	case strings.HasPrefix(msg, "found character that cannot start any token"):
		culprits = "%@`\t"
	case strings.Contains(msg, "tab character"):
		culprits = "\t"
	case strings.HasPrefix(msg, "unknown anchor '"):
		name, _, _ := strings.Cut(strings.TrimPrefix(msg, "unknown anchor '"), "'")
		if i := bytes.LastIndex(text[:read], []byte("*"+name)); i >= 0 {
			at = i
		}
	case strings.Contains(msg, "expected key") || strings.Contains(msg, "expected '-' indicator"):
		if i := bytes.LastIndexByte(text[:max(at, 0)], '\n'); at >= 0 {
			at = i + 1
			for at < len(text) && text[at] == ' ' {
				at++
			}
		}
	}
	if i := bytes.LastIndexAny(near, culprits); culprits != "" && i >= 0 {
		at = max(read-5, 0) + i
	}
	at = max(at, 0)
	before := string(text[:at])
	return &Error{file, Position{
		strings.Count(before, "\n") + 1,
		utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1,
	}, cut(msg)}
}

// cut shortens a text from outside for a message.
func cut(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	end := most
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
