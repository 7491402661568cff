package aliases

import (
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"
)

// Suggestion is a known command that is near to a line that means nothing.
type Suggestion struct {
	Display string // what help shows for it
	// Line is the line with its words put right, when that is all it takes; a
	// click may run it.
	Line string
}

// Bounds of the search for near commands.
const (
	suggestWords    = 16 // words of the line that are looked at
	suggestWordSize = 40 // characters of a word; longer ones are no command words
	suggestCost     = 3  // greatest cost of a suggestion
	suggestSpread   = 1  // how much worse than the best one may be
)

// vocabulary holds the commands as words and places for parameters.
type vocabulary struct{ commands []command }

type command struct {
	display string
	tokens  []token
}

type token struct {
	word     string // empty for a parameter
	optional bool   // of a parameter
}

var parameterText = regexp.MustCompile(`\{\{.*?\}\}`)

func newVocabulary(x *Index) *vocabulary {
	v := &vocabulary{}
	seen := map[string]bool{}
	for _, e := range x.entries {
		display := x.aliases[e.alias].Formats[e.format].Display
		key := display + "\x00" + e.f.Representation
		if display == "" || seen[key] {
			continue
		}
		seen[key] = true
		if tokens := tokenize(e.f.Representation); tokens != nil {
			v.commands = append(v.commands, command{display, tokens})
		}
	}
	return v
}

// tokenize splits a representation; nil when it has no word of its own.
func tokenize(representation string) []token {
	var out []token
	words := false
	last := 0
	literal := func(s string) {
		for _, w := range strings.FieldsFunc(s, pySpace) {
			w = strings.Trim(w, `^$()?!.*+[]|\`)
			if w == "" || strings.ContainsAny(w, `()[]|\`) {
				continue
			}
			out = append(out, token{word: w})
			words = true
		}
	}
	for _, at := range parameterText.FindAllStringIndex(representation, -1) {
		literal(representation[last:at[0]])
		out = append(out, token{optional: strings.Contains(representation[at[0]:at[1]], "=")})
		last = at[1]
	}
	literal(representation[last:])
	if !words {
		return nil
	}
	return out
}

// Suggest gives up to n commands near to the line, nearest first. The extra
// commands are known to the caller alone, such as help.
func (x *Index) Suggest(text string, n int, extra ...string) []Suggestion {
	l, err := prepare(text)
	if err != nil {
		return nil
	}
	words := strings.FieldsFunc(l.padded, pySpace)
	if len(words) == 0 {
		return nil
	}
	tail := strings.TrimPrefix(text, strings.TrimSpace(l.padded)) // the pairs that were cut off
	if len(tail) == len(text) {
		tail = ""
	}
	short := words
	if len(short) > suggestWords {
		short = short[:suggestWords]
	}
	type scored struct {
		Suggestion
		cost  float64
		order int
	}
	var found []scored
	best := map[string]int{}
	consider := func(order int, c command) {
		cost, fixed := c.align(short)
		if cost > suggestCost {
			return
		}
		s := scored{Suggestion{Display: c.display}, cost, order}
		if fixed != nil {
			fixed = append(fixed, words[len(short):]...)
			if line := strings.Join(fixed, " ") + tail; line != strings.TrimSpace(text) {
				if m, err := x.Match(line); err == nil && m != nil {
					s.Line = line
				}
			}
		}
		if at, known := best[c.display]; known {
			if found[at].cost > cost {
				found[at] = s
			}
			return
		}
		best[c.display] = len(found)
		found = append(found, s)
	}
	for i, text := range extra {
		consider(i-len(extra), command{text, tokenize(text)})
	}
	for i, c := range x.words.commands {
		consider(i, c)
	}
	sort.SliceStable(found, func(i, j int) bool {
		if found[i].cost != found[j].cost {
			return found[i].cost < found[j].cost
		}
		return found[i].order < found[j].order
	})
	for i := range found {
		if i == n || found[i].cost > found[0].cost+suggestSpread {
			found = found[:i]
			break
		}
	}
	out := make([]Suggestion, len(found))
	for i, s := range found {
		out[i] = s.Suggestion
	}
	return out
}

const tooFar = 100

// align is the cost of reading the words as the command, and the words with
// the command's own put right when nothing else was wrong. At least one word
// of the command must be there, right or nearly so.
func (c command) align(words []string) (float64, []string) {
	type cell struct {
		cost   float64
		hits   int
		from   byte // m word for word, p word into a parameter, s token left out, e word too many
		faulty bool // something other than a misspelt word is wrong
	}
	rows, cols := len(c.tokens)+1, len(words)+1
	table := make([]cell, rows*cols)
	at := func(i, j int) *cell { return &table[i*cols+j] }
	for i := 0; i < rows; i++ {
		for j := 0; j < cols; j++ {
			if i == 0 && j == 0 {
				continue
			}
			best := cell{cost: tooFar}
			take := func(from *cell, cost float64, hit int, how byte, faulty bool) {
				if next := from.cost + cost; next < best.cost {
					best = cell{next, from.hits + hit, how, from.faulty || faulty}
				}
			}
			if i > 0 {
				t := c.tokens[i-1]
				switch {
				case t.word == "" && j > 0:
					take(at(i-1, j-1), 0, 0, 'p', false)
					if at(i, j-1).from == 'p' {
						take(at(i, j-1), 0.1, 0, 'p', false)
					}
				case t.word != "" && j > 0:
					if d, near := nearWord(words[j-1], t.word); near {
						take(at(i-1, j-1), float64(d), 1, 'm', false)
					}
				}
				switch {
				case t.word == "" && t.optional:
					take(at(i-1, j), 0, 0, 's', false)
				case t.word == "":
					take(at(i-1, j), 1, 0, 's', true)
				default:
					take(at(i-1, j), 2, 0, 's', true)
				}
			}
			if j > 0 {
				take(at(i, j-1), 2, 0, 'e', true)
			}
			*at(i, j) = best
		}
	}
	end := at(rows-1, cols-1)
	if end.hits == 0 {
		return tooFar, nil
	}
	if end.faulty {
		return end.cost, nil
	}
	fixed := append([]string(nil), words...)
	for i, j := rows-1, cols-1; i > 0 || j > 0; {
		switch at(i, j).from {
		case 'm':
			fixed[j-1] = c.tokens[i-1].word
			i, j = i-1, j-1
		case 'p':
			// The word may be the first or a further one of the parameter.
			if j > 1 && at(i, j-1).from == 'p' && at(i, j-1).cost+0.1 == at(i, j).cost {
				j--
			} else {
				i, j = i-1, j-1
			}
		case 's':
			i--
		default:
			j--
		}
	}
	return end.cost, fixed
}

// nearWord is the distance of a typed word from a command's word, and whether
// it is small enough to be a slip: none for very short words, one for short
// ones, two for long ones.
func nearWord(typed, word string) (int, bool) {
	if typed == word {
		return 0, true
	}
	n := utf8.RuneCountInString(word)
	m := utf8.RuneCountInString(typed)
	allowed := 2
	switch {
	case n <= 2:
		allowed = 0
	case n <= 5:
		allowed = 1
	}
	if strings.EqualFold(typed, word) {
		return 1, true
	}
	if n > suggestWordSize || m > suggestWordSize || n-m > allowed || m-n > allowed {
		return 0, false
	}
	d := distance([]rune(typed), []rune(word))
	return d, d <= allowed
}

// distance is the number of letters to change, leave out, put in or swap with
// their neighbour to make one word of the other.
func distance(a, b []rune) int {
	before := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	next := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(next[j-1]+1, row[j]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
