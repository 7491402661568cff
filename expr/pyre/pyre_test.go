package pyre

import (
	"strings"
	"testing"
	"time"
)

func findAll(t *testing.T, pat, s string) string {
	t.Helper()
	r, err := Compile(pat, 0)
	if err != nil {
		return "error: " + err.Error()
	}
	ms, err := r.FindAll(s, -1)
	if err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for _, m := range ms {
		var gs []string
		for i := 0; i <= r.NumGroups(); i++ {
			g, ok := m.Group(i)
			if !ok {
				g = "<none>"
			}
			gs = append(gs, g)
		}
		out = append(out, strings.Join(gs, ","))
	}
	return strings.Join(out, "|")
}

func TestFindAll(t *testing.T) {
	for _, c := range []struct{ pat, s, want string }{
		{`a|`, "a", "a|"},
		{`|a`, "a", "|a|"},
		{`x*`, "axb", "|x||"},
		{`\d+`, "a1 ٣٤ 22", "1|٣٤|22"},
		{`(\w)(\d)?`, "a1b", "a1,a,1|b,b,<none>"},
		{`(?P<n>a)(?P=n)`, "aaa", "aa,a"},
		{`(?<=a)b`, "ab bb", "b"},
		{`a(?!b)`, "ab ac", "a"},
		{`\bé\w*`, "été aé é1", "été|é1"},
		{`b$`, "ab\n", "b"},
		{`b\Z`, "ab\n", ""},
		{`(?m)^\w`, "a\nb\n", "a|b"},
		{`(?i)AB`, "xabAb", "ab|Ab"},
		{`[^\W\d]+`, "ab1_c", "ab|_c"},
		{`[\W\d]+`, "ab1 c", "1 "},
		{`a{,2}`, "aaa", "aa|a|"},
		{`a{x`, "a{x", "a{x"},
		{`(?x) a b # c`, "ab", "ab"},
		{`a++b`, "aab", "aab"},
		{`(a)?(?(1)b|c)`, "ab c", "ab,a|c,<none>"},
		{`[`, "", "error: unterminated character set at position 0"},
		{`(`, "", "error: missing ), unterminated subpattern at position 0"},
		{`a)`, "", "error: unbalanced parenthesis at position 1"},
		{`*a`, "", "error: nothing to repeat at position 0"},
		{`a**`, "", "error: multiple repeat at position 2"},
		{`\q`, "", `error: bad escape \q at position 0`},
		{`\1`, "", "error: invalid group reference 1 at position 1"},
		{`(?<=a+)b`, "", "error: look-behind requires fixed-width pattern"},
	} {
		if got := findAll(t, c.pat, c.s); got != c.want {
			t.Errorf("findall(%q, %q) = %q, want %q", c.pat, c.s, got, c.want)
		}
	}
}

func TestSub(t *testing.T) {
	for _, c := range []struct{ pat, repl, s, want string }{
		{`x*`, "-", "abxd", "-a-b--d-"},
		{`(\w)(\w)`, `\2\1`, "abcd", "badc"},
		{`(?P<a>b)`, `[\g<a>\g<0>\g<1>]`, "abc", "a[bbb]c"},
		{`^`, "> ", "a", "> a"},
		{`a`, `\n`, "a", "\n"},
		{`a`, `\q`, "a", "error"},
		{`a`, `\1`, "a", "error"},
	} {
		r, err := Compile(c.pat, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Sub(c.repl, c.s, 0)
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("sub(%q, %q, %q) = %q, want %q", c.pat, c.repl, c.s, got, c.want)
		}
	}
}

func TestHostilePatternsEnd(t *testing.T) {
	long := strings.Repeat("a", 1<<16)
	for _, pat := range []string{`(a+)+$`, `(a|a)*b`, `^(([a-z])+.)+[A-Z]`, `(x{1000}){1000}`, `(?=a)(a+)+b`, `(a*)*\1b`, `(?:a?){500}a{500}b`} {
		start := time.Now()
		r, err := Compile(pat, 0)
		if err == nil {
			_, err = r.Search(long + "\n")
			_, err2 := r.FindAll(long, -1)
			_ = err2
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v (%v)", pat, d, err)
		}
	}
}

func TestMatchKinds(t *testing.T) {
	r, err := Compile(`a|ab`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := r.FullMatch("ab"); m == nil {
		t.Error("fullmatch must try the other branch")
	}
	if m, _ := r.Match("xab"); m != nil {
		t.Error("match is anchored")
	}
	m, _ := r.Search("éab")
	if s, e := m.Span(0); s != 2 || e != 3 {
		t.Errorf("span %d %d", s, e)
	}
	sp, _ := Compile(`(,)|;`, 0)
	got, _ := sp.Split("a,b;c", 0)
	if len(got) != 5 || got[1] != "," || got[3] != nil {
		t.Errorf("split %v", got)
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`(a+)+$`, `[^\W\d]`, `(?P<n>a)(?P=n)`, `(?x) a #`, `a{2,3}?`, `\x41\u00e9`, `(?(1)a|b)`, `(?i:a)(?-i:b)`} {
		f.Add(s, "aab\n")
	}
	f.Fuzz(func(t *testing.T, pat, s string) {
		if len(pat) > 100 || len(s) > 200 {
			return
		}
		r, err := Compile(pat, 0)
		if err != nil {
			return
		}
		_, _ = r.FindAll(s, -1)
		_, _ = r.Sub(`\g<0>`, s, 0)
	})
}
