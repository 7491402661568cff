package aliases

import (
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/expr/value"
)

func aliasOf(name string, formats ...string) petrel.Alias {
	a := petrel.Alias{Pack: "p", Name: name, Ref: petrel.MakeRef("p", name), Enabled: true, ActionRef: "core.noop"}
	for _, f := range formats {
		a.Formats = append(a.Formats, petrel.AliasFormat{Display: f, Representations: []string{f}, Bare: true})
	}
	return a
}

// withoutFilters is the same index with every format's filter taken away, so
// that the expressions alone decide.
func withoutFilters(x *Index) *Index {
	out := *x
	out.entries = nil
	for _, e := range x.entries {
		bare := &Format{Representation: e.f.Representation, defaults: e.f.defaults, names: e.f.names}
		bare.plain.source, bare.braces.source, bare.full.source = e.f.full.source, e.f.full.source, e.f.full.source
		out.entries = append(out.entries, entry{e.alias, e.format, bare})
	}
	return &out
}

// matchLinear tries every format of each pass in turn.
func matchLinear(x *Index, l *line) (*Match, error) {
	return x.match(l, func(s *search, _ *line, _ []int32) []int32 {
		var out []int32
		for n := range x.entries {
			for _, f := range x.aliases[x.entries[n].alias].Formats {
				if f.MatchMultiple == (s == &x.multiple) {
					out = append(out, int32(n))
					break
				}
			}
		}
		return out
	})
}

func outcome(m *Match, err error) string {
	var failure *MatchError
	if errors.As(err, &failure) {
		return fmt.Sprintf("%s %v", failure.Error(), failure.Candidates)
	}
	if err != nil {
		return err.Error()
	}
	var params []string
	for _, p := range m.Parameters {
		params = append(params, value.Repr(p))
	}
	return fmt.Sprintf("%s %s %v", m.Alias.Name, m.Representation, params)
}

func TestIndex_AnswersAsTheLinearMatcher(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	pick := func(from ...string) string { return from[r.Intn(len(from))] }
	format := func() string {
		var b strings.Builder
		for range 1 + r.Intn(5) {
			b.WriteString(pick("run", "st2", "list", "a", "ünï", "deploy", "(run|do)", "(?:please)?", "x+", "ab?", "[xy]", ".", "{{ a }}",
				"{{ b = 1 }}", "{{c}}", "#", "b{2}", "\\d+", "(?P<n>go)", "(?=r)", "^", "$", "(a|b|cd)"))
			b.WriteString(pick(" ", " ", " ", "", "\\s*", "  "))
		}
		return b.String()
	}
	text := func() string {
		var b strings.Builder
		for range r.Intn(7) {
			b.WriteString(pick("run", "do", "st2", "list", "a", "ünï", "deploy", "please", "x", "xx", "ab", "'q", `"q w"`, "{z}", "bb", "7", "go",
				"cd", "k=v", "#"))
			b.WriteString(pick(" ", " ", " ", "", "\n", "  "))
		}
		return b.String()
	}
	for round := range 150 {
		var all []petrel.Alias
		for i := range 1 + r.Intn(12) {
			a := aliasOf(fmt.Sprintf("a%d", i), format(), format())
			a.Formats[1].MatchMultiple = r.Intn(6) == 0
			a.Enabled = r.Intn(8) > 0
			all = append(all, a)
		}
		x := NewIndex(all)
		plain := withoutFilters(x)
		for range 40 {
			line := text()
			l, err := prepare(line)
			if err != nil {
				t.Fatal(err)
			}
			got := outcome(x.Match(line))
			want := outcome(matchLinear(plain, &l))
			if got != want {
				t.Fatalf("round %d, line %q: index says %s, linear says %s", round, line, got, want)
			}
		}
	}
}

func TestIndex_BrokenFormatDisablesItsAliasOnly(t *testing.T) {
	all := []petrel.Alias{aliasOf("good", "up {{ h }}"), aliasOf("bad", "fine {{ x }}", "bad (unclosed {{ x }}"), aliasOf("twice", "{{ a }} {{ a }}"),
		aliasOf("also", "down {{ h }}")}
	x := NewIndex(all)
	if m, err := x.Match("down web"); err != nil || m.Alias.Name != "also" {
		t.Errorf("down web: %v %v", m, err)
	}
	if _, err := x.Match("fine 1"); err == nil {
		t.Error("a format of a broken alias matched")
	}
	if got := x.Problems(); len(got) != 2 || got[0].Name != "bad" || got[0].Format != "bad (unclosed {{ x }}" || got[0].Reason == "" || got[1].Name != "twice" {
		t.Errorf("problems: %+v", got)
	}
	if err := Check(all[1]); petrel.KindOf(err) != petrel.Invalid {
		t.Errorf("Check: %v", err)
	}
}

func TestIndex_RebuildTakesOverCompiledFormats(t *testing.T) {
	first := NewIndex([]petrel.Alias{aliasOf("a", "up {{ h }}"), aliasOf("b", "down {{ h }}")})
	second := first.Rebuild([]petrel.Alias{aliasOf("a", "up {{ h }}"), aliasOf("c", "left {{ h }}")})
	if first.formats["up {{ h }}"] != second.formats["up {{ h }}"] {
		t.Error("the format was compiled again")
	}
	if _, err := second.Match("down x"); err == nil {
		t.Error("an alias that is gone still matches")
	}
}

func TestIndex_RefusesHostileLines(t *testing.T) {
	x := NewIndex([]petrel.Alias{aliasOf("a", manyParams(50)), aliasOf("b", "say {{ x }}")})
	for name, line := range map[string]string{
		"10 MB":         strings.Repeat("x", 10<<20),
		"invalid UTF-8": "say \xff\xfe",
	} {
		if _, err := x.Match(line); err == nil {
			t.Errorf("%s: taken", name)
		} else if text := petrel.Message(err); len(text) > 300 {
			t.Errorf("%s: the answer repeats the line", name)
		}
	}
	for _, line := range []string{strings.Repeat("w ", 45), strings.Repeat("w ", 4000), strings.Repeat("a' ", 30), strings.Repeat(`"`, 3000)} {
		start := time.Now()
		_, _ = x.Match(line)
		if took := time.Since(start); took > 2*slack*time.Second {
			t.Errorf("line %.10q of %d bytes took %v", line, len(line), took)
		}
	}
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{{ p%d }} ", i)
	}
	return b.String()
}

func TestSuggest_FindsWhatWasMeant(t *testing.T) {
	x := NewIndex([]petrel.Alias{
		aliasOf("list", "st2 list {{ limit=10 }} executions", "st2 list {{ limit=10 }} actions"),
		aliasOf("run", "st2 run {{ action }} {{ parameters = }}"),
		aliasOf("deploy", "deploy {{ app }} to {{ env = staging }}"),
		aliasOf("any", "(?:odd|even) {{ x }}"),
	})
	for line, want := range map[string]Suggestion{
		"st2 lst executions":     {"st2 list {{ limit=10 }} executions", "st2 list executions"},
		"st2 list 5 exectuions":  {"st2 list {{ limit=10 }} executions", "st2 list 5 executions"},
		"deplyo shop to prod":    {"deploy {{ app }} to {{ env = staging }}", "deploy shop to prod"},
		"Deploy shop to prod":    {"deploy {{ app }} to {{ env = staging }}", "deploy shop to prod"},
		"deploy shop":            {"deploy {{ app }} to {{ env = staging }}", ""},
		"hlep":                   {"help", ""},
		"completely other thing": {},
	} {
		got := x.Suggest(line, 3, "help")
		if want.Display == "" {
			if len(got) > 0 {
				t.Errorf("%q: %+v", line, got)
			}
			continue
		}
		if len(got) == 0 || got[0] != want {
			t.Errorf("%q: %+v, expected %+v first", line, got, want)
		}
	}
}

func TestOverlaps_FindsAliasesInEachOthersWay(t *testing.T) {
	x := NewIndex([]petrel.Alias{aliasOf("a", "deploy {{ app }}"), aliasOf("b", "deploy {{ x }}"), aliasOf("c", "other {{ x }}")})
	got := x.Overlaps()
	if len(got) != 1 || got[0].First != "p.a" || got[0].Second != "p.b" {
		t.Errorf("%+v", got)
	}
}

func TestHelp_FiltersAndPages(t *testing.T) {
	off := aliasOf("off", "hidden")
	off.Enabled = false
	all := []petrel.Alias{aliasOf("a", "Deploy {{ x }}", "undeploy {{ x }}"), off, aliasOf("b", "list")}
	for _, c := range []struct {
		filter        string
		limit, offset int
		available     int
		displays      []string
	}{
		{"", 0, 0, 3, []string{"Deploy {{ x }}", "undeploy {{ x }}", "list"}},
		{"deploy", 0, 0, 2, []string{"Deploy {{ x }}", "undeploy {{ x }}"}},
		{"^deploy", 0, 0, 1, []string{"Deploy {{ x }}"}},
		{"", 1, 0, 3, []string{"Deploy {{ x }}"}},
		{"", 1, 1, 3, []string{"undeploy {{ x }}"}},
		{"", 0, 2, 3, []string{"list"}},
	} {
		got, err := Help(all, c.filter, "", c.limit, c.offset)
		if err != nil {
			t.Fatal(err)
		}
		var displays []string
		for _, h := range got.HelpStrings {
			displays = append(displays, h.Display)
		}
		if got.Available != c.available || !reflect.DeepEqual(displays, c.displays) {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	if _, err := Help(all, "(", "", 0, 0); petrel.KindOf(err) != petrel.Invalid {
		t.Errorf("broken filter: %v", err)
	}
}

// benchmarkIndex has n formats of which nine in ten begin with a word, as real
// packs do, and lines of which a third match nothing.
func benchmarkIndex(b *testing.B, n int) {
	var all []petrel.Alias
	for i := range n {
		var format string
		switch i % 10 {
		case 9:
			format = fmt.Sprintf("(?:please )?ticket%d {{ x }} now", i)
		case 8:
			format = fmt.Sprintf("st2 list {{ limit=10 }} things%d", i)
		default:
			format = fmt.Sprintf("deploy%d {{ app }} to {{ env = staging }}", i)
		}
		all = append(all, aliasOf(fmt.Sprintf("a%d", i), format))
	}
	x := NewIndex(all)
	lines := make([]string, 64)
	for i := range lines {
		k := i * n / len(lines)
		switch i % 6 {
		case 0:
			lines[i] = fmt.Sprintf("deploy%d shop to prod", k/10*10)
		case 1:
			lines[i] = fmt.Sprintf("please ticket%d 17 now", k/10*10+9)
		case 2:
			lines[i] = fmt.Sprintf("st2 list 5 things%d", k/10*10+8)
		case 3:
			lines[i] = fmt.Sprintf("deploy%d shop to prod force=true", k/10*10)
		default:
			lines[i] = fmt.Sprintf("good morning everybody, how is number %d", k)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		_, _ = x.Match(lines[i%len(lines)])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

func BenchmarkMatch10(b *testing.B)    { benchmarkIndex(b, 10) }
func BenchmarkMatch100(b *testing.B)   { benchmarkIndex(b, 100) }
func BenchmarkMatch1000(b *testing.B)  { benchmarkIndex(b, 1000) }
func BenchmarkMatch10000(b *testing.B) { benchmarkIndex(b, 10000) }

func FuzzMatch(f *testing.F) {
	f.Add("run {{ cmd }} on {{ hosts = localhost }}", "run date on web1 timeout=5")
	f.Add("(?:a|b){2} {{ x }}", "ab 1")
	f.Add("say {{ x = {\"a\": 1} }}", "say 'q' k={}")
	f.Add("(?x) a # comment\n {{ x }}", "a 1")
	f.Add("+0", "0")
	f.Add("a\\", "a")
	f.Fuzz(func(t *testing.T, format, text string) {
		if len(format) > 200 || len(text) > 200 {
			return
		}
		x := NewIndex([]petrel.Alias{aliasOf("fuzzed", format), aliasOf("fixed", "fixed {{ x }}")})
		_, _ = x.Match(text)
		x.Suggest(text, 3)
		x.Overlaps()
		l, err := prepare(text)
		if err != nil {
			return
		}
		var failure *MatchError
		if _, err := x.Match(text); errors.As(err, &failure) && len(failure.Skipped) > 0 {
			return // over the time limit
		}
		if got, want := outcome(x.Match(text)), outcome(matchLinear(withoutFilters(x), &l)); got != want {
			t.Errorf("format %q, line %q: index says %s, linear says %s", format, text, got, want)
		}
	})
}

// What a line costs depends on what it may mean, not on how many formats there are.
func TestIndex_LooksAtFewFormats(t *testing.T) {
	var all []petrel.Alias
	for i := range 10_000 {
		format := fmt.Sprintf("st2 list {{ limit=10 }} things%d", i)
		switch i % 4 {
		case 1:
			format = fmt.Sprintf("deploy%d {{ app }} to {{ env = staging }}", i)
		case 2:
			format = fmt.Sprintf("(?:please )?ticket%d {{ x }} now", i)
		case 3:
			format = fmt.Sprintf("{{ who }} is at place%d", i)
		}
		all = append(all, aliasOf(fmt.Sprintf("a%d", i), format))
	}
	x := NewIndex(all)
	for _, text := range []string{"st2 list 5 things5000", "deploy5001 shop", "please ticket5002 1 now", "ann is at place5003", "good morning, everybody", "st2 list"} {
		l, err := prepare(text)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(x.single.candidates(&l, nil)); n > 150 {
			t.Errorf("%q: %d of %d formats are tried", text, n, x.Len())
		}
	}
}

func BenchmarkHostile(b *testing.B) {
	x := NewIndex([]petrel.Alias{aliasOf("a", manyParams(50))})
	line := strings.Repeat("w ", 4000)
	for b.Loop() {
		_, _ = x.Match(line)
	}
}
