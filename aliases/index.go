package aliases

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"petrel"
	"petrel/expr/value"
)

// Problem is an alias that cannot be used, and why.
type Problem struct {
	Alias  petrel.Ref
	Name   string
	Format string // the representation at fault; empty when the alias as a whole is
	Reason string
}

// Index finds the alias a line means. It never changes; content that changed
// makes a new one. It is safe for concurrent use.
type Index struct {
	aliases  []petrel.Alias // in the order given, disabled and broken ones included
	byName   map[string]int
	entries  []entry
	formats  map[string]*Format
	problems []Problem
	single   search
	multiple search
	words    *vocabulary
}

// entry is one representation of one alias.
type entry struct {
	alias  int
	format int // index in the alias's formats
	f      *Format
}

// search finds the entries of a set of aliases that a line may match.
type search struct {
	prefixes trie
	grams    grams
	always   []int32
}

// NewIndex compiles the aliases. One that is broken is left out and listed in
// Problems; the others are not touched by it.
func NewIndex(all []petrel.Alias) *Index { return (*Index)(nil).Rebuild(all) }

// Rebuild is NewIndex that takes over the formats compiled before, so that a
// change of one alias does not cost a compilation of all.
func (x *Index) Rebuild(all []petrel.Alias) *Index {
	out := &Index{aliases: all, byName: make(map[string]int, len(all)), formats: make(map[string]*Format)}
	var before map[string]*Format
	if x != nil {
		before = x.formats
	}
	var single, multiple []int32
	for i := range all {
		a := &all[i]
		if _, known := out.byName[a.Name]; !known {
			out.byName[a.Name] = i
		}
		if !a.Enabled {
			continue
		}
		compiled, problem := out.compile(a, before)
		if problem != nil {
			out.problems = append(out.problems, *problem)
			continue
		}
		// As in the original all formats of an alias take part in both passes, and
		// the alias takes part in a pass when it has one format of that kind.
		var inSingle, inMultiple bool
		for _, format := range a.Formats {
			inSingle = inSingle || !format.MatchMultiple
			inMultiple = inMultiple || format.MatchMultiple
		}
		for _, e := range compiled {
			e.alias = i
			n := int32(len(out.entries))
			out.entries = append(out.entries, e)
			if inSingle {
				single = append(single, n)
			}
			if inMultiple {
				multiple = append(multiple, n)
			}
		}
	}
	out.single = out.newSearch(single)
	out.multiple = out.newSearch(multiple)
	out.words = newVocabulary(out)
	return out
}

// compile compiles the formats of one alias.
func (x *Index) compile(a *petrel.Alias, before map[string]*Format) ([]entry, *Problem) {
	problem := func(format string, err error) *Problem {
		return &Problem{Alias: a.Ref, Name: a.Name, Format: format, Reason: petrel.Message(err)}
	}
	var out []entry
	for i, format := range a.Formats {
		for _, r := range format.Representations {
			if len(out) >= MaxFormats {
				return nil, problem("", petrel.Errorf(petrel.TooLarge, "the alias has more than %d formats", MaxFormats))
			}
			f := x.formats[r]
			if f == nil {
				f = before[r]
			}
			if f == nil {
				var err error
				if f, err = CompileFormat(r); err != nil {
					return nil, problem(r, err)
				}
			}
			x.formats[r] = f
			out = append(out, entry{format: i, f: f})
		}
	}
	return out, nil
}

// fewPrefixed is how many formats may begin alike before another text is looked for
// that tells them apart.
const fewPrefixed = 4

// newSearch files each entry where the fewest others are: under what its lines
// begin with, or under a piece of text they must hold.
func (x *Index) newSearch(entries []int32) search {
	prefixed := map[string]int{}
	pieces := map[gram]int{}
	for _, n := range entries {
		filter := &x.entries[n].f.filter
		for _, p := range filter.prefixes {
			prefixed[p]++
		}
		for _, g := range gramsOf(filter.required) {
			pieces[g]++
		}
	}
	var s search
	for _, n := range entries {
		filter := &x.entries[n].f.filter
		best, others := rarest(gramsOf(filter.required), pieces)
		alike := 0
		for _, p := range filter.prefixes {
			alike += prefixed[p]
		}
		switch {
		case filter.prefixes != nil && (alike <= fewPrefixed || best.size < maxGram || alike <= others):
			for _, p := range filter.prefixes {
				s.prefixes.add(p, n)
			}
		case best.size > 0:
			s.grams.file(best, n)
		default:
			s.always = append(s.always, n)
		}
	}
	return s
}

// candidates are the entries the line may match, in order and each once.
func (s *search) candidates(l *line, room []int32) []int32 {
	out := append(room, s.always...)
	out = s.prefixes.appendTo(out, l.trimmed)
	out = s.grams.appendTo(out, l.padded)
	if len(out) > 1 {
		slices.Sort(out)
		out = slices.Compact(out)
	}
	return out
}

// Match is the one alias a line means.
type Match struct {
	Alias          *petrel.Alias
	Format         petrel.AliasFormat
	Representation string
	// Multiple says that every match in the line is a run of its own.
	Multiple bool
	// Parameters are the values of each run; one unless Multiple.
	Parameters []*value.Dict
}

// Display is the text for help: what the format's author wrote for it.
func (m *Match) Display() string { return m.Format.Display }

// Candidate is one of several aliases a line could mean.
type Candidate struct {
	Alias          petrel.Ref
	Display        string
	Representation string
}

// maxSkipped is how many formats may run into the time limit on one line
// before the line is given up.
const maxSkipped = 2

// MatchError says why a line means no alias. Its text is StackStorm's.
type MatchError struct {
	Command    string
	Candidates []Candidate // empty when nothing matched
	Multiple   bool        // it was the aliases with match_multiple that were too many
	// Skipped are formats that could not be tried on this line, for instance because it took too long.
	Skipped []Problem
}

// Error is the text StackStorm answers with.
func (e *MatchError) Error() string {
	command := shorten(e.Command)
	switch {
	case len(e.Candidates) == 0:
		return fmt.Sprintf("Command '%s' matched no patterns", command)
	case e.Multiple:
		return fmt.Sprintf("Command '%s' matched more than 1 (multi) pattern", command)
	}
	return fmt.Sprintf("Command '%s' matched more than 1 pattern", command)
}

// Ambiguous says that several aliases matched.
func (e *MatchError) Ambiguous() bool { return len(e.Candidates) > 0 }

// Match finds the one alias the line means: enabled aliases without
// match_multiple first, then those with it. The error is a *MatchError in an
// error of kind Invalid, or says what is wrong with the line.
func (x *Index) Match(text string) (*Match, error) {
	l, err := prepare(text)
	if err != nil {
		return nil, err
	}
	return x.match(&l, (*search).candidates)
}

func (x *Index) match(l *line, candidates func(*search, *line, []int32) []int32) (*Match, error) {
	var room [16]int32
	failure := &MatchError{Command: l.original}
	for pass, s := range []*search{&x.single, &x.multiple} {
		var first *value.Dict
		var hits []int32
		for _, n := range candidates(s, l, room[:0]) {
			params, err := x.entries[n].f.extract(l)
			switch {
			case errors.Is(err, errNoValue):
			case err != nil:
				failure.Skipped = append(failure.Skipped, x.skipped(n, err))
				if len(failure.Skipped) >= maxSkipped {
					return nil, petrel.Wrap(petrel.Invalid, failure, "Command '%s' takes too long to understand; try it without quotes", shorten(l.original))
				}
			case params != nil:
				if hits = append(hits, n); first == nil {
					first = params
				}
			}
		}
		switch len(hits) {
		case 0:
		case 1:
			return x.found(hits[0], l, first)
		default:
			failure.Multiple = pass == 1
			for _, n := range hits {
				e := x.entries[n]
				a := &x.aliases[e.alias]
				failure.Candidates = append(failure.Candidates, Candidate{a.Ref, a.Formats[e.format].Display, e.f.Representation})
			}
			return nil, petrel.Wrap(petrel.Invalid, failure, "%s", failure.Error())
		}
	}
	return nil, petrel.Wrap(petrel.Invalid, failure, "%s", failure.Error())
}

func (x *Index) skipped(n int32, err error) Problem {
	a := &x.aliases[x.entries[n].alias]
	return Problem{Alias: a.Ref, Name: a.Name, Format: x.entries[n].f.Representation, Reason: petrel.Message(err)}
}

func (x *Index) found(n int32, l *line, params *value.Dict) (*Match, error) {
	e := x.entries[n]
	a := &x.aliases[e.alias]
	m := &Match{Alias: a, Format: a.Formats[e.format], Representation: e.f.Representation,
		Multiple: a.Formats[e.format].MatchMultiple, Parameters: []*value.Dict{params}}
	if m.Multiple {
		all, err := e.f.extractAll(l)
		if err != nil {
			return nil, err
		}
		m.Parameters = all
	}
	return m, nil
}

// Alias is the alias of a name; of several with one name the first.
func (x *Index) Alias(name string) (*petrel.Alias, bool) {
	i, found := x.byName[name]
	if !found {
		return nil, false
	}
	return &x.aliases[i], true
}

// Problems lists the aliases that cannot be used.
func (x *Index) Problems() []Problem { return x.problems }

// Len is how many representations can be matched.
func (x *Index) Len() int { return len(x.entries) }

// Check compiles every format of an alias and answers what is wrong with it, nil when
// nothing is.
func Check(a petrel.Alias) error {
	x := &Index{formats: map[string]*Format{}}
	if _, problem := x.compile(&a, nil); problem != nil {
		return petrel.Errorf(petrel.Invalid, "%s", problem.Reason)
	}
	return nil
}

// Parameters extracts the parameters of a line by one of the alias's own
// representations, as POST /aliasexecution asks for it.
func Parameters(a *petrel.Alias, representation, text string, multiple bool) ([]*value.Dict, error) {
	known := false
	for _, format := range a.Formats {
		known = known || slices.Contains(format.Representations, representation)
	}
	if !known {
		return nil, petrel.Errorf(petrel.Invalid, "Format string \"%s\" is not available on the alias \"%s\"", representation, a.Name)
	}
	f, err := CompileFormat(representation)
	if err != nil {
		return nil, err
	}
	if multiple {
		return f.ExtractAll(text)
	}
	params, err := f.Extract(text)
	if err != nil {
		return nil, err
	}
	return []*value.Dict{params}, nil
}

// Overlap is a pair of aliases that a line can mean at once.
type Overlap struct {
	First, Second   petrel.Ref
	Representations [2]string
	Line            string // an example
}

// Overlaps finds formats of different aliases that take each other's help text
// as a command, which is how one pack's alias comes to stand in the way of
// another's. It is a warning at registration, not a proof of the contrary.
func (x *Index) Overlaps() []Overlap {
	var out []Overlap
	seen := map[[2]int]bool{}
	for _, e := range x.entries {
		example := exampleLine(e.f.Representation)
		if example == "" {
			continue
		}
		_, err := x.Match(example)
		var failure *MatchError
		if !errors.As(err, &failure) || !failure.Ambiguous() {
			continue
		}
		for _, c := range failure.Candidates {
			if c.Alias == x.aliases[e.alias].Ref || c.Representation == "" {
				continue
			}
			other := slices.IndexFunc(x.aliases, func(a petrel.Alias) bool { return a.Ref == c.Alias })
			pair := [2]int{min(e.alias, other), max(e.alias, other)}
			if seen[pair] {
				continue
			}
			seen[pair] = true
			out = append(out, Overlap{First: x.aliases[e.alias].Ref, Second: c.Alias,
				Representations: [2]string{e.f.Representation, c.Representation}, Line: example})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].First < out[j].First })
	return out
}

// exampleLine makes a line of a format that is plain text and parameters;
// empty for anything else.
func exampleLine(representation string) string {
	plain, err := requiredReplace().Sub(`\g<1>value`, representation, 0)
	if err != nil || strings.ContainsAny(plain, `{}()[]|\*+?^$.`) {
		return ""
	}
	return plain
}
