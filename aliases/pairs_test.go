package aliases

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// The lines and answers of testdata/pairs.json were made by Python's re with
// the expressions in CutPairs's comment.
func TestCutPairs_AnswersAsPythonDoes(t *testing.T) {
	raw, err := os.ReadFile("testdata/pairs.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][]json.RawMessage
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		var line, rest string
		var pairs [][2]string
		for i, into := range []any{&line, &rest, &pairs} {
			if err := json.Unmarshal(c[i], into); err != nil {
				t.Fatal(err)
			}
		}
		gotRest, gotPairs := CutPairs(line)
		same := gotRest == rest && len(gotPairs) == len(pairs)
		for i := 0; same && i < len(pairs); i++ {
			same = gotPairs[i] == Pair{pairs[i][0], pairs[i][1]}
		}
		if !same {
			t.Errorf("CutPairs(%q) = %q %q, Python says %q %q", line, gotRest, gotPairs, rest, pairs)
		}
	}
}

func TestCutPairs_IsFastOnHostileLines(t *testing.T) {
	for _, line := range []string{
		strings.Repeat(`a="x `, 3000),
		strings.Repeat(` a=`, 4000) + " !",
		strings.Repeat(` a={b`, 3000) + " }",
		strings.Repeat(`=`, 16000),
		"a=" + strings.Repeat(` `, 16000) + "x",
		strings.Repeat(`a='b'c `, 2000),
	} {
		start := time.Now()
		CutPairs(line)
		if took := time.Since(start); took > 500*slack*time.Millisecond {
			t.Errorf("CutPairs(%.10q...) took %v", line, took)
		}
	}
}
