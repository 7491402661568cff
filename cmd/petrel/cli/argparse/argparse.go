// Package argparse reads command lines the way StackStorm's `st2` does, which
// leaves that to Python's argparse: its order rules, abbreviations, errors and
// usage texts are part of what scripts around `st2` see.
package argparse

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"petrel/expr/value"
)

// Arity says how many values an argument takes.
type Arity int

// The arities; in argparse's words: store_true, None, ?, * and +.
const (
	Flag       Arity = iota // no value: present or not
	One                     // exactly one
	Optional                // one or none
	ZeroOrMore              // any number
	OneOrMore               // at least one
)

// Option is an argument that begins with a dash.
type Option struct {
	Names   []string // -a, --attr; the last long one gives the key of its value
	Metavar string   // default: the key in capitals
	Arity   Arity    // Flag, One, ZeroOrMore or OneOrMore
	Int     bool     // values are integers
	JSON    bool     // values are JSON
	Choices []string
	Help    string
	Hidden  bool   // leave it out of the help text
	Below   bool   // describe it in a second block of the help text
	Group   string // options of one group exclude one another
}

// Key is the name its value is stored under: the first long name without
// dashes, inner dashes as underscores.
func (o Option) Key() string {
	for _, n := range o.Names {
		if strings.HasPrefix(n, "--") {
			return strings.ReplaceAll(n[2:], "-", "_")
		}
	}
	return strings.TrimLeft(o.Names[0], "-")
}

func (o Option) metavar() string {
	if o.Metavar != "" {
		return o.Metavar
	}
	if len(o.Choices) > 0 {
		return "{" + strings.Join(o.Choices, ",") + "}"
	}
	return strings.ToUpper(o.Key())
}

// Positional is an argument known by its place.
type Positional struct {
	Name  string
	Arity Arity // One, Optional, ZeroOrMore or OneOrMore
	Help  string
	// Commands are the words it stands for, described below it.
	Commands []Command
	// Hidden leaves it out of the help text.
	Hidden bool
}

// Command is a word that begins a command of its own.
type Command struct{ Name, Help string }

// Spec is what a command takes.
type Spec struct {
	Prog        string // "st2 run"
	Description string
	Options     []Option
	Positionals []Positional
	// GroupUsage is the usage text that stands for all options of groups, at the
	// place of the first of them; empty lists them as argparse does.
	GroupUsage string
}

// Result is what a command line said.
type Result struct {
	values map[string][]string
	given  map[string]bool
	// Extras are words the command does not know.
	Extras []string
}

// Given says whether an option or positional was on the line.
func (r *Result) Given(key string) bool { return r.given[key] }

// Text is the value, or a default when there is none.
func (r *Result) Text(key, otherwise string) string {
	if v := r.values[key]; len(v) > 0 {
		return v[len(v)-1]
	}
	return otherwise
}

// List is all values.
func (r *Result) List(key string) []string { return r.values[key] }

// Int is the value of an integer option, or a default.
func (r *Result) Int(key string, otherwise int) int {
	if n, err := strconv.Atoi(r.Text(key, "")); err == nil {
		return n
	}
	return otherwise
}

// Error is a command line that cannot be read; Usage stands before it.
type Error struct {
	Usage string
	Prog  string
	Text  string
}

// Error is the text as it is printed: usage, program, reason.
func (e *Error) Error() string { return e.Usage + "\n" + e.Prog + ": error: " + e.Text }

type parser struct {
	spec    *Spec
	result  *Result
	pattern []byte // per word: O option, A argument, - the double dash
	options []*match
	words   []string
	rest    []Positional
}

// match is an option word: which option, and a value written behind =.
type match struct {
	option *Option
	name   string
	value  *string
}

// Parse reads the words. What is not known is left in Extras, as the caller's
// parser reports it; everything else that is wrong is an *Error.
func Parse(spec *Spec, words []string, width int) (*Result, error) {
	p := &parser{spec: spec, words: words, rest: spec.Positionals,
		result: &Result{values: map[string][]string{}, given: map[string]bool{}}}
	fail := func(format string, args ...any) error {
		return &Error{Usage: Usage(spec, width), Prog: spec.Prog, Text: fmt.Sprintf(format, args...)}
	}
	if err := p.classify(fail); err != nil {
		return nil, err
	}
	seen := map[string]string{}
	for at := 0; at < len(words); {
		next := at
		for next < len(words) && p.pattern[next] != 'O' {
			next++
		}
		if next > at || next == len(words) {
			end := p.positionals(at)
			if end > at {
				at = end
				continue
			}
			if next == len(words) {
				p.result.Extras = append(p.result.Extras, words[at:]...)
				break
			}
			p.result.Extras = append(p.result.Extras, words[at:next]...)
			at = next
		}
		if at >= len(words) {
			break
		}
		end, err := p.option(at, seen, fail)
		if err != nil {
			return nil, err
		}
		at = end
	}
	p.positionals(len(words)) // what may be empty and was not met
	var missing []string
	for _, pos := range p.rest {
		if pos.Arity == One || pos.Arity == OneOrMore {
			missing = append(missing, pos.Name)
		}
	}
	if len(missing) > 0 {
		return nil, fail("the following arguments are required: %s", strings.Join(missing, ", "))
	}
	return p.result, nil
}

func (p *parser) classify(fail func(string, ...any) error) error {
	p.pattern = make([]byte, len(p.words))
	p.options = make([]*match, len(p.words))
	literal := false
	for i, word := range p.words {
		switch {
		case literal:
			p.pattern[i] = 'A'
		case word == "--":
			p.pattern[i] = '-'
			literal = true
		default:
			m, err := p.find(word, fail)
			if err != nil {
				return err
			}
			p.pattern[i] = 'A'
			if m != nil {
				p.pattern[i] = 'O'
				p.options[i] = m
			}
		}
	}
	return nil
}

// find says whether a word is an option; an unknown one has no option in it.
func (p *parser) find(word string, fail func(string, ...any) error) (*match, error) {
	if len(word) < 2 || word[0] != '-' {
		return nil, nil
	}
	if o := p.named(word); o != nil {
		return &match{option: o, name: word}, nil
	}
	if name, value, found := strings.Cut(word, "="); found {
		if o := p.named(name); o != nil {
			return &match{option: o, name: name, value: &value}, nil
		}
	}
	candidates := p.abbreviations(word)
	if len(candidates) > 1 {
		names := make([]string, len(candidates))
		for i, c := range candidates {
			names[i] = c.name
		}
		return nil, fail("ambiguous option: %s could match %s", word, strings.Join(names, ", "))
	}
	if len(candidates) == 1 {
		return candidates[0], nil
	}
	if _, err := strconv.ParseFloat(word, 64); err == nil {
		return nil, nil
	}
	if strings.Contains(word, " ") {
		return nil, nil
	}
	return &match{name: word}, nil
}

func (p *parser) named(name string) *Option {
	for i := range p.spec.Options {
		for _, n := range p.spec.Options[i].Names {
			if n == name {
				return &p.spec.Options[i]
			}
		}
	}
	return nil
}

// abbreviations finds the options a word may be short for: a prefix of a long
// name, or short options written together with a value (-n5).
func (p *parser) abbreviations(word string) []*match {
	var found []*match
	for i := range p.spec.Options {
		o := &p.spec.Options[i]
		for _, n := range o.Names {
			switch {
			case strings.HasPrefix(word, "--"):
				name, value, hasValue := strings.Cut(word, "=")
				if strings.HasPrefix(n, name) {
					m := &match{option: o, name: n}
					if hasValue {
						m.value = &value
					}
					found = append(found, m)
				}
			case n == word[:2]:
				value := word[2:]
				found = append(found, &match{option: o, name: n, value: &value})
			case strings.HasPrefix(n, word):
				found = append(found, &match{option: o, name: n})
			}
		}
	}
	return found
}

// positionals gives as many positionals as fit the arguments from here on
// their words, as argparse does: all that match, greedily, once.
func (p *parser) positionals(at int) int {
	count := 0
	for at+count < len(p.words) && p.pattern[at+count] != 'O' {
		count++
	}
	words := p.words[at : at+count]
	plain := make([]string, 0, len(words))
	dash := -1 // how many words stand before the double dash
	for i, w := range words {
		if p.pattern[at+i] != '-' {
			plain = append(plain, w)
		} else {
			dash = len(plain)
		}
	}
	for take := len(p.rest); take > 0; take-- {
		split, ok := divide(p.rest[:take], len(plain))
		if !ok {
			continue
		}
		used := 0
		for i, pos := range p.rest[:take] {
			if split[i] > 0 {
				values := plain[used : used+split[i]]
				// Each positional loses its first double dash; that of the line counts.
				if hasDash := dash > used && dash <= used+split[i] || dash == 0 && used == 0; !hasDash && (pos.Arity == ZeroOrMore || pos.Arity == OneOrMore) {
					values = without(values, "--")
				}
				p.result.values[pos.Name] = values
				p.result.given[pos.Name] = true
			}
			used += split[i]
		}
		p.rest = p.rest[take:]
		if used == len(plain) {
			return at + count
		}
		for i := range words { // words up to the used ones, double dash included
			if p.pattern[at+i] != '-' {
				used--
			}
			if used == 0 {
				return at + i + 1
			}
		}
		return at
	}
	return at
}

// divide gives each positional a number of words, the earlier ones greedily.
func divide(list []Positional, n int) ([]int, bool) {
	least := func(a Arity) int {
		if a == One || a == OneOrMore {
			return 1
		}
		return 0
	}
	need := 0
	for _, pos := range list {
		need += least(pos.Arity)
	}
	if need > n {
		return nil, false
	}
	spare := n - need
	split := make([]int, len(list))
	for i, pos := range list {
		split[i] = least(pos.Arity)
		switch pos.Arity {
		case Optional:
			if spare > 0 {
				split[i]++
				spare--
			}
		case ZeroOrMore, OneOrMore:
			split[i] += spare
			spare = 0
		}
	}
	return split, true
}

// without is a list without the first of an item.
func without(list []string, item string) []string {
	if i := slices.Index(list, item); i >= 0 {
		return slices.Concat(list[:i], list[i+1:])
	}
	return list
}

func (p *parser) option(at int, seen map[string]string, fail func(string, ...any) error) (int, error) {
	m := p.options[at]
	if m.option == nil {
		p.result.Extras = append(p.result.Extras, p.words[at])
		return at + 1, nil
	}
	o := m.option
	label := strings.Join(o.Names, "/")
	key := o.Key()
	if o.Group != "" {
		if other, taken := seen[o.Group]; taken && other != label {
			return 0, fail("argument %s: not allowed with argument %s", label, other)
		}
		seen[o.Group] = label
	}
	if o.Arity == Flag {
		if m.value != nil {
			if strings.HasPrefix(m.name, "--") {
				return 0, fail("argument %s: ignored explicit argument '%s'", label, *m.value)
			}
			// -jy is -j -y: the rest is read as another short option.
			p.set(key, "true")
			rest := "-" + *m.value
			again, err := p.find(rest, fail)
			if err != nil {
				return 0, err
			}
			if again == nil || again.option == nil {
				return 0, fail("argument %s: ignored explicit argument '%s'", label, *m.value)
			}
			p.options[at], p.words[at] = again, rest
			return p.option(at, seen, fail)
		}
		p.set(key, "true")
		return at + 1, nil
	}
	var values []string
	end := at + 1
	if m.value != nil {
		values = []string{*m.value}
	} else {
		for end < len(p.words) && p.pattern[end] == 'A' && (o.Arity == OneOrMore || o.Arity == ZeroOrMore || len(values) == 0) {
			values = append(values, p.words[end])
			end++
		}
		if len(values) == 0 && o.Arity != ZeroOrMore {
			if o.Arity == OneOrMore {
				return 0, fail("argument %s: expected at least one argument", label)
			}
			return 0, fail("argument %s: expected one argument", label)
		}
	}
	for _, v := range values {
		if o.Int {
			if _, err := strconv.Atoi(strings.TrimSpace(v)); err != nil {
				return 0, fail("argument %s: invalid int value: %s", label, value.Repr(v))
			}
		}
		if o.JSON && !json.Valid([]byte(v)) {
			return 0, fail("argument %s: invalid loads value: %s", label, value.Repr(v))
		}
		if len(o.Choices) > 0 && !contains(o.Choices, v) {
			return 0, fail("argument %s: invalid choice: '%s' (choose from %s)", label, v, Quoted(o.Choices))
		}
	}
	p.result.given[key] = true
	p.result.values[key] = values
	return end, nil
}

func (p *parser) set(key, value string) {
	p.result.given[key] = true
	p.result.values[key] = []string{value}
}

func contains(list []string, v string) bool {
	for _, item := range list {
		if item == v {
			return true
		}
	}
	return false
}

// Quoted writes a list of choices as argparse does: 'a', 'b'.
func Quoted(list []string) string {
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = "'" + item + "'"
	}
	return strings.Join(out, ", ")
}
