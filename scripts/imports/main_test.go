package main

import (
	"strings"
	"testing"
)

const table = "| layer | package | may import |\n| --- | --- | --- |\n| 3 | `top` | `mid` `low/*` |\n| 2 | `mid` | |\n| 1 | `low` | |\n| 1 | `low/*` | `top` |\n"

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		from, to, want string
	}{
		{"petrel/top", "petrel/mid", ""},
		{"petrel/top", "petrel/low/a", ""},
		{"petrel/top", "petrel/low", "top imports low, which its row does not allow"},
		{"petrel/mid", "petrel/top", "mid imports top, which its row does not allow"},
		{"petrel/low/a", "petrel/top", "low/a (layer 1) imports top of the higher layer 3"},
		{"petrel/other", "fmt", "other has no row"},
	} {
		rows, err := readTable(strings.NewReader(table))
		if err != nil {
			t.Fatal(err)
		}
		all := []listed{{ImportPath: "petrel/top"}, {ImportPath: "petrel/mid"}, {ImportPath: "petrel/low"}, {ImportPath: "petrel/low/a"}}
		all = append(all, listed{ImportPath: tc.from, Imports: []string{tc.to}})
		got := strings.Join(check(rows, all), "; ")
		if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s → %s: want %q, got %q", tc.from, tc.to, tc.want, got)
		}
	}
}
