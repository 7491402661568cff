package aliases

import "strings"

// Pair is a key=value at the end of a line.
type Pair struct{ Key, Value string }

// CutPairs takes the key=value pairs off the end of a line. The value is
// quoted, in braces, or one word. Every further occurrence of the same text in
// the line is taken out with it, as the original does.
//
// It answers what these Python expressions do, but in linear time, because
// there are lines on which they take minutes:
//
//	pair = (?:^|\s+)\s*(\S+?)\s*=(""|''|"(.+?)"|'(.+?)'|({.+?})|(\S+))
//	re.match('.*?((pair\s*)*)$', line, re.DOTALL)
//	re.findall(pair, group 1, re.DOTALL)
func CutPairs(line string) (rest string, pairs []Pair) {
	if strings.IndexByte(line, '=') < 0 {
		return line, nil
	}
	text := []rune(line)
	start := pairsStart(text)
	if start == len(text) {
		return line, nil
	}
	pairs = findPairs(text[start:])
	tail := line[len(string(text[:start])):]
	return strings.ReplaceAll(line, tail, ""), pairs
}

// pairsStart is the first place from which on the line is nothing but pairs,
// or its length. It walks from the end to the start; whatever it asks about a
// place further on is known already.
func pairsStart(text []rune) int {
	n := len(text)
	// clear[i]: behind a value that ends at i there is nothing but space and pairs.
	clear := make([]bool, n+1)
	clear[n] = true
	// value[i]: a value that begins at i can end at a clear place.
	value := make([]bool, n+2)
	// closed[c][i]: the closing mark c stands at i or further on with a clear place behind it.
	var closed [3][]bool
	const marks = `"'}`
	for c := range closed {
		closed[c] = make([]bool, n+3)
	}
	var (
		runEnd    = n     // where the run of non-space that i stands in ends
		equals    = false // in this run, behind i, is an equals sign with a good value
		afterRun  = false // the run is followed by space, an equals sign and a good value
		key       = false // a pair's key can begin at the next non-space place, i included
		nextEqual = false // the next non-space place, i included, is an equals sign with a good value
		first     = n
	)
	for i := n - 1; i >= 0; i-- {
		r := text[i]
		for c := range closed {
			closed[c][i] = closed[c][i+1] || r == rune(marks[c]) && clear[i+1]
		}
		if pySpace(r) {
			clear[i] = clear[i+1] || key
			if key {
				first = i
			}
			runEnd, equals, afterRun = i, false, nextEqual
			continue
		}
		value[i] = clear[runEnd]
		switch r {
		case '"':
			value[i] = value[i] || i+1 < n && text[i+1] == '"' && clear[i+2] || closed[0][i+2]
		case '\'':
			value[i] = value[i] || i+1 < n && text[i+1] == '\'' && clear[i+2] || closed[1][i+2]
		case '{':
			value[i] = value[i] || closed[2][i+2]
		}
		key = equals || afterRun
		nextEqual = r == '=' && value[i+1]
		equals = equals || nextEqual
	}
	if key {
		return 0 // the start of the line needs no space in front of a pair
	}
	return first
}

// findPairs is findall of the pair expression.
func findPairs(text []rune) []Pair {
	var out []Pair
	skip := func(i int, space bool) int {
		for i < len(text) && pySpace(text[i]) == space {
			i++
		}
		return i
	}
	for i, atStart := 0, true; i < len(text); atStart = false {
		if !atStart {
			i = skip(i, false)
		}
		begin := skip(i, true)
		pair, end := pairAt(text, begin)
		if end < 0 {
			// Without a pair here the next can only follow the next space.
			i = skip(begin, false)
			continue
		}
		out = append(out, pair)
		i = end
	}
	return out
}

// pairAt reads the pair whose key begins at begin; end is -1 when there is none.
func pairAt(text []rune, begin int) (p Pair, end int) {
	for k := begin; k < len(text) && !pySpace(text[k]); {
		k++
		m := k
		for m < len(text) && pySpace(text[m]) {
			m++
		}
		if m >= len(text) || text[m] != '=' {
			continue
		}
		if v, end := valueAt(text, m+1); end >= 0 {
			return Pair{string(text[begin:k]), v}, end
		}
	}
	return Pair{}, -1
}

func valueAt(text []rune, x int) (v string, end int) {
	if x >= len(text) {
		return "", -1
	}
	closing := map[rune]rune{'"': '"', '\'': '\'', '{': '}'}[text[x]]
	if closing != 0 {
		if closing != '}' && x+1 < len(text) && text[x+1] == closing {
			return "", x + 2
		}
		for j := x + 2; j < len(text); j++ {
			if text[j] == closing {
				if closing == '}' {
					return string(text[x : j+1]), j + 1
				}
				return string(text[x+1 : j]), j + 1
			}
		}
	}
	end = x
	for end < len(text) && !pySpace(text[end]) {
		end++
	}
	if end == x {
		return "", -1
	}
	return string(text[x:end]), end
}
