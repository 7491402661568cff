// Package textwrap breaks texts into lines where Python's textwrap does: `st2`
// wraps its tables and help texts with it, and scripts compare them.
package textwrap

import (
	"strings"
	"unicode"
)

// tabStop is how far apart tabs reach.
const tabStop = 8

// Wrap breaks a text into lines of at most width characters: at blanks, behind
// hyphens inside words, and inside words that are longer than a line. Indent
// stands before each line and counts.
func Wrap(text string, width int, indent string) []string {
	chunks := split(blanks(text))
	room := width - len([]rune(indent))
	var lines []string
	for len(chunks) > 0 {
		if len(lines) > 0 && isSpace(chunks[0]) {
			chunks = chunks[1:]
			continue
		}
		var line [][]rune
		length := 0
		for len(chunks) > 0 && length+len(chunks[0]) <= room {
			line = append(line, chunks[0])
			length += len(chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && len(chunks[0]) > room {
			end := cut(chunks[0], room-length, room)
			line = append(line, chunks[0][:end])
			chunks[0] = chunks[0][end:]
			if len(chunks[0]) == 0 {
				chunks = chunks[1:]
			}
		}
		for len(line) > 0 && isSpace(line[len(line)-1]) {
			line = line[:len(line)-1]
		}
		if len(line) > 0 {
			lines = append(lines, indent+join(line))
		}
	}
	return lines
}

// Fill is Wrap as one text.
func Fill(text string, width int, indent string) string {
	return strings.Join(Wrap(text, width, indent), "\n")
}

// Collapsed joins the words of a text by single blanks.
func Collapsed(text string) string { return strings.Join(strings.Fields(text), " ") }

// cut says how much of a word that is longer than a line stands on the rest of
// this line: up to its last hyphen there, or as much as fits.
func cut(word []rune, left, room int) int {
	if room < 1 {
		left = 1
	}
	if left >= len(word) {
		return len(word)
	}
	hyphen := -1
	for i := range max(left, 0) {
		if word[i] == '-' {
			hyphen = i
		}
	}
	if hyphen > 0 && strings.Trim(string(word[:hyphen]), "-") != "" {
		return hyphen + 1
	}
	return max(left, 0)
}

// blanks makes tabs and line breaks blanks.
func blanks(text string) []rune {
	out := make([]rune, 0, len(text))
	column := 0
	for _, r := range text {
		switch r {
		case '\t':
			n := tabStop - column%tabStop
			for range n {
				out = append(out, ' ')
			}
			column += n
			continue
		case '\n', '\r':
			column = 0
			out = append(out, ' ')
			continue
		case '\v', '\f':
			r = ' '
		}
		out = append(out, r)
		column++
	}
	return out
}

// split cuts a text into blanks, words, and the parts of hyphenated words.
func split(text []rune) [][]rune {
	var out [][]rune
	for at := 0; at < len(text); {
		end := at + 1
		switch {
		case text[at] == ' ':
			for end < len(text) && text[end] == ' ' {
				end++
			}
		case at > 0 && isWordPunct(text[at-1]) && dashes(text, at) > 0:
			end = at + dashes(text, at)
		default:
			for ; ; end++ {
				if hyphenated(text, end) {
					end++
					break
				}
				if end == len(text) || text[end] == ' ' || isWordPunct(text[end-1]) && dashes(text, end) > 0 {
					break
				}
			}
		}
		out = append(out, text[at:end])
		at = end
	}
	return out
}

// hyphenated says whether a hyphen stands here between the letters of a word.
func hyphenated(text []rune, at int) bool {
	if at >= len(text) || text[at] != '-' {
		return false
	}
	before := at >= 2 && isLetter(text[at-1]) && (isLetter(text[at-2]) || at >= 3 && text[at-2] == '-' && isLetter(text[at-3]))
	if !before || at+2 >= len(text) || !isLetter(text[at+1]) {
		return false
	}
	return isLetter(text[at+2]) || text[at+2] == '-' && at+3 < len(text) && isLetter(text[at+3])
}

// dashes is the length of a run of two or more dashes before a word; 0 when there is none.
func dashes(text []rune, at int) int {
	n := 0
	for at+n < len(text) && text[at+n] == '-' {
		n++
	}
	if n < 2 || at+n >= len(text) || !isWord(text[at+n]) {
		return 0
	}
	return n
}

func isWord(r rune) bool      { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
func isLetter(r rune) bool    { return isWord(r) && !unicode.IsDigit(r) }
func isWordPunct(r rune) bool { return isWord(r) || strings.ContainsRune(`!"'&.,?`, r) }

func isSpace(chunk []rune) bool { return strings.TrimSpace(string(chunk)) == "" }

func join(parts [][]rune) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(string(p))
	}
	return b.String()
}
