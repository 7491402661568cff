package aliases

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"petrel"
	"petrel/expr/value"
)

// corpusFile opens a conformance corpus: the folder in PETREL_CORPUS when it is
// set, else the package's own copy.
func corpusFile(t *testing.T, name string) []byte {
	t.Helper()
	folder := "testdata"
	if set := os.Getenv("PETREL_CORPUS"); set != "" {
		folder = set
	}
	raw, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type corpusAlias struct {
	Name    string            `json:"name"`
	Formats []json.RawMessage `json:"formats"`
	Enabled *bool             `json:"enabled"`
}

type corpusCase struct {
	ID            string            `json:"id"`
	Formats       []json.RawMessage `json:"formats"`
	Aliases       []corpusAlias     `json:"aliases"`
	Message       string            `json:"message"`
	MatchMultiple bool              `json:"match_multiple"`
	Expect        *struct {
		Format         json.RawMessage `json:"format"`
		Display        *string         `json:"display"`
		Representation string          `json:"representation"`
		Params         json.RawMessage `json:"params"`
		Alias          string          `json:"alias"`
	} `json:"expect"`
	NoMatch   bool     `json:"no_match"`
	Ambiguous []string `json:"ambiguous"`
	Error     bool     `json:"error"`
}

// formatOf reads a format as the API takes it, and a bare string as
// representation too, which the original's matcher accepts.
func formatOf(t *testing.T, raw json.RawMessage) petrel.AliasFormat {
	var f petrel.AliasFormat
	if err := json.Unmarshal(raw, &f); err == nil {
		return f
	}
	var o struct {
		Display        string `json:"display"`
		Representation string `json:"representation"`
		MatchMultiple  bool   `json:"match_multiple"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return petrel.AliasFormat{Display: o.Display, Representations: []string{o.Representation}, MatchMultiple: o.MatchMultiple}
}

func TestCorpusAliases(t *testing.T) {
	lines := bufio.NewScanner(bytes.NewReader(corpusFile(t, "aliases.jsonl")))
	lines.Buffer(nil, 16<<20)
	var passed, total int
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var c corpusCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		total++
		if err := checkCase(t, c); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		} else {
			passed++
		}
	}
	fmt.Printf("corpus aliases: %d/%d\n", passed, total)
}

func checkCase(t *testing.T, c corpusCase) error {
	given := c.Aliases
	if given == nil {
		given = []corpusAlias{{Name: "only", Formats: c.Formats}}
	}
	var all []petrel.Alias
	for _, g := range given {
		a := petrel.Alias{Pack: "p", Name: g.Name, Ref: petrel.MakeRef("p", g.Name), Enabled: g.Enabled == nil || *g.Enabled}
		for _, raw := range g.Formats {
			a.Formats = append(a.Formats, formatOf(t, raw))
		}
		all = append(all, a)
	}
	x := NewIndex(all)
	m, err := x.Match(c.Message)
	var failure *MatchError
	switch {
	case c.Error:
		if len(x.Problems()) == 0 {
			return fmt.Errorf("the format is broken and nobody said so")
		}
	case c.NoMatch:
		if !errors.As(err, &failure) || failure.Ambiguous() {
			return fmt.Errorf("expected no match, got %+v, %v", m, err)
		}
	case c.Ambiguous != nil:
		if !errors.As(err, &failure) {
			return fmt.Errorf("expected an ambiguous match, got %+v, %v", m, err)
		}
		var got []string
		for _, candidate := range failure.Candidates {
			got = append(got, candidate.Representation)
		}
		if !slices.Equal(got, c.Ambiguous) {
			return fmt.Errorf("expected %q, got %q", c.Ambiguous, got)
		}
	default:
		if err != nil {
			return fmt.Errorf("%v (problems: %v)", err, x.Problems())
		}
		return checkMatch(c, m)
	}
	return nil
}

func checkMatch(c corpusCase, m *Match) error {
	if m.Representation != c.Expect.Representation || m.Multiple != c.MatchMultiple {
		return fmt.Errorf("got %q multiple=%v", m.Representation, m.Multiple)
	}
	if c.Expect.Display != nil && *c.Expect.Display != m.Display() {
		return fmt.Errorf("display %q", m.Display())
	}
	if c.Expect.Alias != "" && c.Expect.Alias != m.Alias.Name {
		return fmt.Errorf("alias %q", m.Alias.Name)
	}
	want, err := value.FromJSON(c.Expect.Params)
	if err != nil {
		return err
	}
	var got value.Value = m.Parameters[0]
	if m.Multiple {
		list := value.NewList()
		for _, p := range m.Parameters {
			list.Append(p)
		}
		got = list
	}
	if !value.Equal(want, got) {
		return fmt.Errorf("params %s, expected %s", value.Repr(got), c.Expect.Params)
	}
	return nil
}
