package bot

import (
	"strings"
	"unicode/utf8"
)

// Clean makes text from outside harmless to show: terminal escapes, control
// and direction characters are taken out, line ends are made one kind, broken
// UTF-8 is replaced.
func Clean(s string) string {
	if clean(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		c := s[i]
		if c == 0x1b {
			i += escapeLength(s[i:])
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\r':
			if !strings.HasPrefix(s[i+1:], "\n") {
				b.WriteByte('\n')
			}
		case r == 0x9b: // CSI in one character
			i += escapeLength("\x1b["+s[i+size:]) - 2
		case !hidden(r):
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return cleanSlow(s)
		}
	}
	return true
}

func cleanSlow(s string) bool {
	for i, r := range s {
		if hidden(r) || r == '\r' || r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return false
		}
	}
	return true
}

// hidden says whether a character shows nothing and may deceive: controls but
// tab and line end, and what turns the direction of writing. The joiners that emoji and
// some scripts need stay.
func hidden(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r < ' ', r >= 0x7f && r < 0xa0,
		r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c,
		r == 0xfeff, r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe007f:
		return true
	}
	return false
}

// escapeLength is how many bytes a terminal escape takes that begins the text.
func escapeLength(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[':
		return 2 + sequenceLength(s[2:])
	case ']', 'P', 'X', '^', '_': // a string up to BEL or ESC \
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b {
				if i+1 < len(s) && s[i+1] == '\\' {
					return i + 2
				}
				return i
			}
			if s[i] == '\n' { // an unfinished one must not swallow what follows
				return i
			}
		}
		return len(s)
	}
	i := 1
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x2f {
		i++
	}
	if i < len(s) && s[i] >= 0x30 && s[i] <= 0x7e {
		i++
	}
	return i
}

// sequenceLength is how many bytes follow the opening of a control sequence:
// parameters, then one byte from @ to ~.
func sequenceLength(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x40 && s[i] <= 0x7e {
			return i + 1
		}
		if s[i] < 0x20 || s[i] > 0x3f {
			return i
		}
	}
	return len(s)
}

// apart is put inside a mention so that it is none: it shows nothing and has no width.
const apart = "\u200b"

// Unping breaks what chat services would read as calling people: @everyone,
// @here, <!channel>, <@U123> and the like. A mail address stays as it is.
func Unping(s string) string {
	if !strings.ContainsAny(s, "@<") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteByte(s[i])
		rest := s[i+1:]
		switch s[i] {
		case '<':
			if rest != "" && strings.IndexByte("@!#", rest[0]) >= 0 {
				b.WriteString(apart)
			}
		case '@':
			for _, word := range []string{"everyone", "here", "channel", "all", "room", "team"} {
				if len(rest) >= len(word) && strings.EqualFold(rest[:len(word)], word) && (i == 0 || !mailByte(s[i-1])) {
					b.WriteString(apart)
					break
				}
			}
		}
	}
	return b.String()
}

func mailByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._%+-", c) >= 0
}

// minSecret is the shortest secret that is looked for in text: shorter ones
// would blot out half of what is said, and are in no list of secrets worth it.
const minSecret = 3

// MaskText replaces every occurrence of a secret.
func MaskText(s string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			s = strings.ReplaceAll(s, secret, "********")
		}
	}
	return s
}

// NormalizeLine puts right what phones and chat programs do to commands: curly
// quotes become straight ones, spaces of other kinds plain ones, characters
// without width disappear.
func NormalizeLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '\u201c', '\u201d', '\u201e', '\u201f', '\u00ab', '\u00bb':
			return '"'
		case '\u2018', '\u2019', '\u201a', '\u201b':
			return '\''
		case '\u00a0', '\u2007', '\u202f':
			return ' '
		case '\u200b', '\u200c', '\u200d', '\u2060':
			return -1
		}
		if hidden(r) {
			return -1
		}
		return r
	}, s)
}

// quote shows a piece of what somebody said: cut, in one line, harmless.
func quote(s string) string {
	const most = 120
	s = Unping(Clean(strings.Join(strings.Fields(s), " ")))
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return "“" + s + "”"
}
