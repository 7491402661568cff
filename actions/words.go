package actions

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"petrel"
	"petrel/expr/value"
)

// MaxLine is the longest line that is split into words, in bytes.
const MaxLine = 16 << 10

// SplitWords splits a line into words as a shell does: at blanks; a part in
// single quotes stands as it is; in double quotes a backslash makes the next
// of \ " $ and ` plain; elsewhere it makes any character plain. Nothing is
// expanded.
func SplitWords(line string) ([]string, error) {
	words, _, err := splitLine(line, false)
	return words, err
}

// ParseLine makes parameters of what follows the action in a chat line. It is
// ParseArguments for the words of the line with what chat needs besides: a
// value that is a JSON object or array needs no quotes, “typographic” quotes
// are quotes, and everything behind a bare -- is cmd, exactly as it was typed.
func ParseLine(line string, spec *Spec) (*value.Dict, error) {
	words, rest, err := splitLine(line, true)
	if err != nil {
		return nil, err
	}
	params, err := ParseArguments(words, spec, ArgumentOptions{})
	if err != nil || rest == nil {
		return params, err
	}
	if params.Has("cmd") {
		return nil, &petrel.Error{Kind: petrel.Invalid, Field: "cmd",
			Message: "cmd is given twice: what follows -- is cmd too"}
	}
	params.SetStr("cmd", *rest)
	return params, nil
}

// splitLine splits a line. For chat it stops at a bare --; rest is what stands
// behind it.
func splitLine(line string, chat bool) (words []string, rest *string, err error) {
	if len(line) > MaxLine {
		return nil, nil, &petrel.Error{Kind: petrel.TooLarge, Message: fmt.Sprintf("The line has %d bytes; the limit is %d", len(line), MaxLine)}
	}
	s := &splitter{line: line, chat: chat}
	for {
		s.skipBlanks()
		if s.pos >= len(s.line) {
			return words, nil, nil
		}
		if chat && s.isDashes() {
			text := strings.TrimSpace(s.line[s.pos+2:])
			return words, &text, nil
		}
		word, err := s.word()
		if err != nil {
			return nil, nil, petrel.Errorf(petrel.Invalid, "%s", err)
		}
		words = append(words, word)
	}
}

type splitter struct {
	line string
	pos  int
	chat bool
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (s *splitter) skipBlanks() {
	for s.pos < len(s.line) && isBlank(s.line[s.pos]) {
		s.pos++
	}
}

// isDashes says whether a word that is just -- begins here. An em dash stands
// for it: some clients make one of two dashes.
func (s *splitter) isDashes() bool {
	rest := s.line[s.pos:]
	if strings.HasPrefix(rest, "— ") {
		// The caller cuts two bytes off; the rest of the dash goes here.
		s.pos += len("—") - 2
		return true
	}
	return strings.HasPrefix(rest, "--") && (len(rest) == 2 || isBlank(rest[2]))
}

func (s *splitter) word() (string, error) {
	var b strings.Builder
	for s.pos < len(s.line) {
		rest := s.line[s.pos:]
		switch c := rest[0]; {
		case isBlank(c):
			return b.String(), nil
		case c == '\'':
			end := strings.IndexByte(rest[1:], '\'')
			if end < 0 {
				return "", value.ValueErrorf("No closing quotation: a %s is opened and not closed", "'")
			}
			b.WriteString(rest[1 : 1+end])
			s.pos += end + 2
		case c == '"':
			s.pos++
			if err := s.quoted(&b); err != nil {
				return "", err
			}
		case c == '\\':
			if len(rest) == 1 {
				return "", value.ValueErrorf("No escaped character: the line ends with a backslash")
			}
			_, size := utf8.DecodeRuneInString(rest[1:])
			b.WriteString(rest[1 : 1+size])
			s.pos += 1 + size
		case s.chat && (c == '{' || c == '[') && strings.HasSuffix(b.String(), "="):
			if n := jsonLength(rest); n > 0 && (n == len(rest) || isBlank(rest[n])) {
				b.WriteString(rest[:n])
				s.pos += n
				continue
			}
			b.WriteByte(c)
			s.pos++
		case s.chat && strings.HasPrefix(rest, "“") && (b.Len() == 0 || strings.HasSuffix(b.String(), "=")):
			end := strings.Index(rest, "”")
			if end < 0 {
				b.WriteString("“")
				s.pos += len("“")
				continue
			}
			b.WriteString(rest[len("“"):end])
			s.pos += end + len("”")
		default:
			_, size := utf8.DecodeRuneInString(rest)
			b.WriteString(rest[:size])
			s.pos += size
		}
	}
	return b.String(), nil
}

// quoted reads up to the closing double quote.
func (s *splitter) quoted(b *strings.Builder) error {
	for s.pos < len(s.line) {
		c := s.line[s.pos]
		s.pos++
		switch {
		case c == '"':
			return nil
		case c == '\\' && s.pos < len(s.line) && strings.IndexByte("\\\"$`\n", s.line[s.pos]) >= 0:
			if s.line[s.pos] != '\n' {
				b.WriteByte(s.line[s.pos])
			}
			s.pos++
		default:
			b.WriteByte(c)
		}
	}
	return value.ValueErrorf("No closing quotation: a %s is opened and not closed", `"`)
}

// jsonLength is how long the JSON object or array is that the text begins
// with, 0 when there is none.
func jsonLength(text string) int {
	depth, inText := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inText:
			if c == '\\' {
				i++
			} else if c == '"' {
				inText = false
			}
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
			if depth == 0 {
				if _, err := value.FromJSON([]byte(text[:i+1])); err != nil {
					return 0
				}
				return i + 1
			}
		}
	}
	return 0
}
