package process

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// feedIn writes text in random pieces.
func feedIn(c *capture, text string, r *rand.Rand) {
	for len(text) > 0 {
		n := 1 + r.IntN(min(len(text), 1+r.IntN(200)))
		c.write([]byte(text[:n]))
		text = text[n:]
	}
	c.close()
}

func TestCapture_KeepsAllOrHeadAndTail(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range 3000 {
		limit := 64 + r.IntN(300)
		var b strings.Builder
		for b.Len() < r.IntN(3*limit) {
			b.WriteString([]string{"a", "line\n", "é", "日本", "\U0001f600", "\n", "0123456789"}[r.IntN(7)])
		}
		text := b.String()
		var live strings.Builder
		c := newCapture(limit, func(s string) {
			if !utf8.ValidString(s) {
				t.Fatalf("seed %d round %d: %q was handed on", seed, round, s)
			}
			live.WriteString(s)
		})
		feedIn(c, text, r)
		out := c.output()
		if out.Err != nil || out.Total != int64(len(text)) {
			t.Fatalf("seed %d round %d: %+v", seed, round, out)
		}
		if len(text) <= limit {
			if out.Text != text || live.String() != text || out.LeftOut != 0 {
				t.Fatalf("seed %d round %d: %q became %q, live %q", seed, round, text, out.Text, live.String())
			}
			continue
		}
		head, tail, found := strings.Cut(out.Text, fmt.Sprintf("\n[... %d bytes left out ...]\n", out.LeftOut))
		if !found || !utf8.ValidString(out.Text) || !strings.HasPrefix(text, head) || !strings.HasSuffix(text, tail) ||
			int64(len(head)+len(tail))+out.LeftOut != out.Total || len(head)+len(tail) > limit || len(head)+len(tail) < limit-8 {
			t.Fatalf("seed %d round %d limit %d: %q became %q", seed, round, limit, text, out.Text)
		}
		// Live, nothing is missing that is not named.
		got := live.String()
		if i := strings.Index(got, "\n[... "); i >= 0 && got != text {
			var n int
			fmt.Sscanf(got[i:], "\n[... %d bytes", &n)
			m := mark(int64(n))
			if got[:i]+text[i:i+n]+got[i+len(m):] != text {
				t.Fatalf("seed %d round %d: live %q of %q", seed, round, got, text)
			}
		} else if got != text {
			t.Fatalf("seed %d round %d: live %q of %q", seed, round, got, text)
		}
	}
}

func TestCapture_LinesGoApart(t *testing.T) {
	var got []string
	c := newCapture(1000, func(s string) { got = append(got, s) })
	for _, piece := range []string{"one\ntw", "o", "\n", "three"} {
		c.write([]byte(piece))
	}
	c.close()
	if fmt.Sprint(got) != fmt.Sprint([]string{"one\n", "two\n", "three"}) {
		t.Errorf("got %q", got)
	}
}

// TestDecodeError_AsPython holds what CPython 3.11 says of these lines.
func TestDecodeError_AsPython(t *testing.T) {
	cases := map[string]string{
		"a\xffb":               "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte",
		"ok\nab\x80\n":         "'utf-8' codec can't decode byte 0x80 in position 2: invalid start byte",
		"\xc3(":                "'utf-8' codec can't decode byte 0xc3 in position 0: invalid continuation byte",
		"\xc3":                 "'utf-8' codec can't decode byte 0xc3 in position 0: unexpected end of data",
		"x\xe2\x82":            "'utf-8' codec can't decode bytes in position 1-2: unexpected end of data",
		"\xe2\x82z":            "'utf-8' codec can't decode bytes in position 0-1: invalid continuation byte",
		"\xed\xa0\x80":         "'utf-8' codec can't decode byte 0xed in position 0: invalid continuation byte",
		"\xf4\x90\x80\x80":     "'utf-8' codec can't decode byte 0xf4 in position 0: invalid continuation byte",
		"\xf0\x9f\x98":         "'utf-8' codec can't decode bytes in position 0-2: unexpected end of data",
		"é\xc0\xaf":            "'utf-8' codec can't decode byte 0xc0 in position 2: invalid start byte",
		"\xf5":                 "'utf-8' codec can't decode byte 0xf5 in position 0: invalid start byte",
		"abc\n\xf0\x9f\x98\n.": "'utf-8' codec can't decode bytes in position 0-2: invalid continuation byte",
	}
	for text, want := range cases {
		for cut := 0; cut <= len(text); cut++ {
			var d decoder
			d.write([]byte(text[:cut]))
			d.write([]byte(text[cut:]))
			d.close()
			if d.err == nil || d.err.Error() != want {
				t.Errorf("%q cut at %d: %v, want %s", text, cut, d.err, want)
			}
		}
	}
}

func TestCapture_CharactersAcrossBlocks(t *testing.T) {
	// The head ends one byte behind the border of a block, inside a character.
	const limit = 2*(blockSize+1) + 100
	for shift := range 4 {
		text := strings.Repeat("x", shift) + strings.Repeat("\U0001f600", limit)
		c := newCapture(limit, nil)
		c.write([]byte(text))
		c.close()
		if out := c.output(); !utf8.ValidString(out.Text) || out.Err != nil {
			t.Errorf("shift %d: not valid UTF-8 (%v)", shift, out.Err)
		}
	}
}
