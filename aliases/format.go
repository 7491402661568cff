package aliases

import (
	"strings"
	"sync"
	"unicode/utf8"

	"petrel"
	"petrel/expr/pyre"
	"petrel/expr/value"
)

// Limits of what is compiled and matched.
const (
	MaxLine    = 16 << 10 // bytes of a line
	MaxFormat  = 8 << 10  // bytes of a representation
	MaxFormats = 256      // representations of an alias
	MaxMatches = 1000     // matches of a match_multiple format in one line
)

// The pieces of the format language, in Python's regular expressions.
// st2: ActionAliasFormatParser.generate_snippets
const (
	keyPart      = `\s*(\S+?)\s*`
	defaultPart  = `\s*=\s*(?:""|''|"(.+?)"|'(.+?)'|({.+?})|(.+?))\s*`
	optionalPart = `{{` + keyPart + defaultPart + `}}`
	requiredPart = `{{` + keyPart + `}}`

	// spaceAtStart is put before what has no anchor of its own.
	spaceAtStart = `^\s*`

	captureFull = `\1["']?(?P<\2>(?:(?<=').+?(?=')|(?<=").+?(?=")|{.+?}|.+?))["']?`
	// The branches behind quotes can only be taken in a line that has quotes, the
	// one in braces only in a line with braces. Without them the capture is one
	// that RE2 takes, and the first of several matches is the same.
	captureBraces = `\1["']?(?P<\2>(?:{.+?}|.+?))["']?`
	capturePlain  = `\1["']?(?P<\2>(?:.+?))["']?`
)

var (
	optionalParam   = mustCompile(optionalPart, pyre.DotAll)
	optionalReplace = mustCompile(`(\s*)`+optionalPart, 0)
	requiredReplace = mustCompile(`(\s*)`+requiredPart, 0)
)

func mustCompile(expr string, flags pyre.Flags) func() *pyre.Regexp {
	return sync.OnceValue(func() *pyre.Regexp {
		r, err := pyre.Compile(expr, flags)
		if err != nil {
			panic("aliases: " + err.Error())
		}
		return r
	})
}

// Format is a compiled representation. It is safe for concurrent use.
type Format struct {
	// Representation is the text it was compiled from.
	Representation string
	defaults       []Pair // optional parameters
	names          []string
	plain          variant // for lines without quotes and braces
	braces         variant // for lines without quotes
	full           variant
	filter         filter
}

// variant is one form of a format's expression, compiled when it is first needed.
type variant struct {
	source string
	once   sync.Once
	re     *pyre.Regexp
	err    error
}

func (v *variant) compiled() (*pyre.Regexp, error) {
	v.once.Do(func() { v.re, v.err = pyre.Compile(v.source, pyre.DotAll) })
	return v.re, v.err
}

// filter is what a line must hold for the format to match it.
type filter struct {
	prefixes []string // one of them stands at the start of the trimmed line; nil: not known
	required []string // all of them stand in the line
}

// CompileFormat compiles a representation. The error is of kind Invalid and
// says what is wrong with it.
func CompileFormat(representation string) (*Format, error) {
	if len(representation) > MaxFormat {
		return nil, petrel.Errorf(petrel.Invalid, "the format has %d bytes, more than the limit of %d", len(representation), MaxFormat)
	}
	if !utf8.ValidString(representation) {
		return nil, petrel.Errorf(petrel.Invalid, "the format is not valid UTF-8")
	}
	f := &Format{Representation: representation}
	var err error
	if f.full.source, err = expression(representation, captureFull); err != nil {
		return nil, err
	}
	if f.braces.source, err = expression(representation, captureBraces); err != nil {
		return nil, err
	}
	if f.plain.source, err = expression(representation, capturePlain); err != nil {
		return nil, err
	}
	// The result is not kept: most formats of an installation are never matched, and
	// few of those against a line with quotes.
	re, err := pyre.Compile(f.full.source, pyre.DotAll)
	if err != nil {
		return nil, broken(representation, err)
	}
	for _, name := range re.GroupNames()[1:] {
		if name != "" {
			f.names = append(f.names, name)
		}
	}
	if err := f.readDefaults(); err != nil {
		return nil, err
	}
	tree := parsePattern(f.plain.source)
	f.filter.required = tree.required()
	if startsAnchored(tree) {
		// Space at the start is taken off the line before it is compared.
		f.filter.prefixes = parsePattern(strings.TrimPrefix(f.plain.source, spaceAtStart)).prefixes()
	}
	return f, nil
}

func broken(representation string, err error) error {
	return petrel.Wrap(petrel.Invalid, err, "the format %q is not a regular expression: %s", shorten(representation), err.Error())
}

// readDefaults collects the optional parameters with their defaults.
func (f *Format) readDefaults() error {
	found, err := optionalParam().FindAll(f.Representation, -1)
	if err != nil {
		return broken(f.Representation, err)
	}
	for _, m := range found {
		name, _ := m.Group(1)
		var text strings.Builder
		for g := 2; g <= 5; g++ {
			part, _ := m.Group(g)
			text.WriteString(part)
		}
		known := false
		for _, n := range f.names {
			known = known || n == name
		}
		if !known {
			return petrel.Errorf(petrel.Invalid, "the format %q gives a default to %q, which it does not capture", shorten(f.Representation), name)
		}
		f.defaults = append(f.defaults, Pair{name, text.String()})
	}
	return nil
}

// expression makes the regular expression of a representation, with anchors
// where its author set none.
func expression(representation, capture string) (string, error) {
	out, err := optionalReplace().Sub(`(?:`+capture+`)?`, representation, 0)
	if err != nil {
		return "", broken(representation, err)
	}
	out, err = requiredReplace().Sub(capture, out, 0)
	if err != nil {
		return "", broken(representation, err)
	}
	// An anchor in front would give a quantifier at the start something to repeat, one at the
	// end an unfinished escape something to escape; to Python both are faults.
	if strings.HasSuffix(out, `\`) || out != "" && strings.IndexByte("*+?{", out[0]) >= 0 {
		if _, err := pyre.Compile(out, pyre.DotAll); err != nil {
			return "", broken(representation, err)
		}
	}
	tree := parsePattern(out)
	if !tree.anchored(nodeBegin) {
		out = spaceAtStart + out
	}
	if !tree.anchored(nodeEnd) {
		// The text ends with a space that was put there, so \Z is what $ is here,
		// and RE2 has it.
		out += `\s*\Z`
	}
	return out, nil
}

// startsAnchored says whether every match begins where the line does.
func startsAnchored(tree pattern) bool {
	return len(tree.branches) == 1 && len(tree.branches[0]) > 0 &&
		tree.branches[0][0].kind == nodeBegin && !tree.branches[0][0].repeated
}

// line is a chat line made ready to be matched: pairs cut off, one space at each end.
type line struct {
	original string
	padded   string
	trimmed  string // padded without the space in front
	pairs    []Pair
	quotes   bool
	braces   bool
	blank    bool
}

// prepare checks a line and makes it ready.
func prepare(text string) (line, error) {
	if len(text) > MaxLine {
		return line{}, petrel.Errorf(petrel.TooLarge, "the command has %d bytes, more than the limit of %d", len(text), MaxLine)
	}
	if !utf8.ValidString(text) {
		return line{}, petrel.Errorf(petrel.Invalid, "the command is not valid UTF-8")
	}
	rest, pairs := CutPairs(text)
	l := line{original: text, padded: " " + rest + " ", pairs: pairs}
	l.trimmed = strings.TrimLeftFunc(l.padded, pySpace)
	l.blank = l.trimmed == ""
	l.quotes = strings.ContainsAny(rest, `'"`)
	l.braces = strings.IndexByte(rest, '{') >= 0
	return l, nil
}

// Extract matches one line and gives its parameters, values being strings, or
// nil for a group that took no part. No match is an error of kind Invalid with
// StackStorm's text.
func (f *Format) Extract(text string) (*value.Dict, error) {
	l, err := prepare(text)
	if err != nil {
		return nil, err
	}
	params, err := f.extract(&l)
	if err == nil && params == nil {
		err = f.noMatch(&l)
	}
	return params, err
}

// ExtractAll gives the parameters of every match in the line, for formats with
// match_multiple. No match at all is an empty answer.
func (f *Format) ExtractAll(text string) ([]*value.Dict, error) {
	l, err := prepare(text)
	if err != nil {
		return nil, err
	}
	return f.extractAll(&l)
}

// errNoValue is the original's refusal of a line and a format that agree in
// having nothing to say.
var errNoValue = petrel.Errorf(petrel.Invalid, "No value supplied and no default value found.")

func (f *Format) noMatch(l *line) error {
	return petrel.Errorf(petrel.Invalid, "Command \"%s\" doesn't match format string \"%s\"", shorten(l.original), shorten(f.Representation))
}

// choose is the cheapest variant that answers for the line as the full one would.
func (f *Format) choose(l *line) (*pyre.Regexp, error) {
	switch {
	case l.quotes:
		return f.full.compiled()
	case l.braces:
		return f.braces.compiled()
	}
	return f.plain.compiled()
}

// extract answers nil without an error when the line does not match.
func (f *Format) extract(l *line) (*value.Dict, error) {
	if !f.filter.admits(l) {
		return nil, nil
	}
	if l.quotes || l.braces {
		// The plain form matches the same lines; it tells in linear time that there
		// is nothing to find.
		re, err := f.plain.compiled()
		if err != nil {
			return nil, broken(f.Representation, err)
		}
		if m, err := re.Search(l.padded); err != nil || m == nil {
			return nil, timedOut(f.Representation, err)
		}
	}
	re, err := f.choose(l)
	if err != nil {
		return nil, broken(f.Representation, err)
	}
	m, err := re.Search(l.padded)
	if err != nil || m == nil {
		return nil, timedOut(f.Representation, err)
	}
	params := f.params(l, m)
	if params == nil {
		return nil, errNoValue
	}
	return params, nil
}

func (f *Format) extractAll(l *line) ([]*value.Dict, error) {
	re, err := f.choose(l)
	if err != nil {
		return nil, broken(f.Representation, err)
	}
	found, err := re.FindAll(l.padded, MaxMatches+1)
	if err != nil {
		return nil, timedOut(f.Representation, err)
	}
	if len(found) > MaxMatches {
		return nil, petrel.Errorf(petrel.TooLarge, "the command matches the format %q more than %d times", shorten(f.Representation), MaxMatches)
	}
	out := make([]*value.Dict, 0, len(found))
	for _, m := range found {
		params := f.params(l, m)
		if params == nil {
			return nil, errNoValue
		}
		out = append(out, params)
	}
	return out, nil
}

func timedOut(representation string, err error) error {
	if err == nil {
		return nil
	}
	return petrel.Wrap(petrel.Invalid, err, "the format %q could not be tried: %s", shorten(representation), err.Error())
}

// params are the captured values, defaults where nothing was captured, and the
// pairs over both; nil when all of it is empty, which the original refuses.
func (f *Format) params(l *line, m *pyre.Match) *value.Dict {
	out := value.NewDictSize(len(f.names) + len(l.pairs))
	for _, name := range f.names {
		if text, ok := m.Named(name); ok {
			out.Set(name, text)
		} else {
			out.Set(name, nil)
		}
	}
	for _, d := range f.defaults {
		if v, _ := out.Get(d.Key); v == nil || v == "" {
			out.Set(d.Key, d.Value)
		}
	}
	for _, p := range l.pairs {
		out.Set(p.Key, p.Value)
	}
	if f.Representation != "" && l.blank {
		for _, v := range out.All() {
			if v != nil && v != "" {
				return out
			}
		}
		return nil
	}
	return out
}

// admits says whether the line holds what the filter asks for.
func (f *filter) admits(l *line) bool {
	if f.prefixes != nil {
		found := false
		for _, p := range f.prefixes {
			found = found || strings.HasPrefix(l.trimmed, p)
		}
		if !found {
			return false
		}
	}
	for _, text := range f.required {
		if !strings.Contains(l.padded, text) {
			return false
		}
	}
	return true
}

// shorten cuts text that is quoted in a message.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
