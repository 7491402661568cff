package textwrap

import (
	"slices"
	"strings"
	"testing"
)

// The wanted lines are those of Python 3.11's textwrap.wrap.
func TestWrap_BreaksWherePythonDoes(t *testing.T) {
	for _, c := range []struct {
		text   string
		width  int
		indent string
		want   []string
	}{
		{"", 10, "", nil},
		{"one two three", 8, "", []string{"one two", "three"}},
		{"print specific key-value pair", 21, "", []string{"print specific key-", "value pair"}},
		{"2026-11-22", 6, "", []string{"2026-", "11-22"}},
		{"aaaaaaaaaaaa", 5, "", []string{"aaaaa", "aaaaa", "aa"}},
		{"a  b", 10, "", []string{"a  b"}},
		{"a\tb", 10, "", []string{"a       b"}},
		{"word--word next", 6, "", []string{"word--", "word", "next"}},
		{"text here", 8, "    ", []string{"    text", "    here"}},
		{"日本語日本語", 4, "", []string{"日本語日", "本語"}},
	} {
		if got := Wrap(c.text, c.width, c.indent); !slices.Equal(got, c.want) {
			t.Errorf("Wrap(%q, %d): %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("a-b --c  d", 3)
	f.Fuzz(func(t *testing.T, text string, width int) {
		if width < 1 || width > 200 || len(text) > 10_000 {
			return
		}
		got := strings.Join(Wrap(text, width, ""), "")
		squeezed := func(s string) string { return strings.Join(strings.Fields(strings.ToValidUTF8(s, "\ufffd")), "") }
		if squeezed(got) != squeezed(text) {
			t.Errorf("letters were lost: %q of %q", got, text)
		}
	})
}
