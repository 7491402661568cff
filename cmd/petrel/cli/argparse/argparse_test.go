package argparse

import (
	"reflect"
	"strings"
	"testing"
)

var runLike = Spec{
	Prog: "st2 run",
	Options: []Option{
		{Names: []string{"-j", "--json"}}, {Names: []string{"-y", "--yaml"}},
		{Names: []string{"-a", "--async"}},
		{Names: []string{"--attr"}, Arity: OneOrMore, Group: "g"},
		{Names: []string{"-k", "--key"}, Arity: One, Group: "g"},
		{Names: []string{"--delay"}, Arity: One, Int: true},
		{Names: []string{"-tg", "--timestamp-gt"}, Arity: One},
		{Names: []string{"--trace-tag", "--trace_tag"}, Arity: One},
	},
	Positionals: []Positional{{Name: "ref-or-id", Arity: Optional}, {Name: "parameters", Arity: ZeroOrMore}},
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		line   string
		ref    string
		params []string
		extras []string
		err    string
	}{
		{line: "core.local date", ref: "core.local", params: []string{"date"}},
		{line: "-a core.local date", ref: "core.local", params: []string{"date"}},
		{line: "core.local cmd=x -a", ref: "core.local", params: []string{"cmd=x"}},
		{line: "core.local --async cmd=x", ref: "core.local", extras: []string{"cmd=x"}},
		{line: "core.local cmd=x -a b=2", ref: "core.local", params: []string{"cmd=x"}, extras: []string{"b=2"}},
		{line: "core.local -- date -R", ref: "core.local", params: []string{"date", "-R"}},
		{line: "core.local --nope", ref: "core.local", extras: []string{"--nope"}},
		{line: "core.local cmd=x -k a --attr b", err: "argument --attr: not allowed with argument -k/--key"},
		{line: "core.local --delay x", err: "argument --delay: invalid int value: 'x'"},
		{line: "core.local --attr", err: "argument --attr: expected at least one argument"},
		{line: "core.local -k", err: "argument -k/--key: expected one argument"},
		{line: "core.local x --trace-t=5", ref: "core.local", params: []string{"x"}},
		{line: "core.local x --t=5", err: "ambiguous option: --t=5 could match --timestamp-gt, --trace-tag, --trace_tag"},
		{line: "core.local -5", ref: "core.local", params: []string{"-5"}},
		{line: "-ja core.local", ref: "core.local"},
		{line: ""},
	} {
		t.Run(tc.line, func(t *testing.T) {
			spec := runLike
			got, err := Parse(&spec, strings.Fields(tc.line), 150)
			if tc.err != "" {
				if err == nil || !strings.HasSuffix(err.Error(), "st2 run: error: "+tc.err) {
					t.Fatalf("want %q, got %v", tc.err, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Text("ref-or-id", "") != tc.ref || !reflect.DeepEqual(got.List("parameters"), tc.params) || !reflect.DeepEqual(got.Extras, tc.extras) {
				t.Fatalf("ref %q, parameters %q, extras %q", got.Text("ref-or-id", ""), got.List("parameters"), got.Extras)
			}
		})
	}
}

func TestParse_ListsAndMissing(t *testing.T) {
	spec := Spec{Prog: "st2 execution get", Options: []Option{{Names: []string{"-w", "--width"}, Arity: OneOrMore, Int: true}, {Names: []string{"-tg", "--timestamp-gt"}, Arity: One}},
		Positionals: []Positional{{Name: "id", Arity: OneOrMore}}}
	got, err := Parse(&spec, []string{"a", "b", "-w", "10", "20", "-tg", "2014"}, 150)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.List("id"), []string{"a", "b"}) || !reflect.DeepEqual(got.List("width"), []string{"10", "20"}) || got.Text("timestamp_gt", "") != "2014" {
		t.Fatalf("%+v", got)
	}
	if _, err := Parse(&spec, nil, 150); err == nil || !strings.Contains(err.Error(), "the following arguments are required: id") {
		t.Fatalf("got %v", err)
	}
}

func TestUsage_WrapsAsArgparse(t *testing.T) {
	spec := Spec{Prog: "st2 execution get", GroupUsage: "[[--attr ATTR [ATTR ...] | -d | [-k KEY | --delay DELAY |] --tail | --auto-dict]]",
		Options: []Option{{Names: []string{"-h", "--help"}}, {Names: []string{"-t", "--token"}, Arity: One}, {Names: []string{"--api-key"}, Arity: One},
			{Names: []string{"-j", "--json"}}, {Names: []string{"-y", "--yaml"}}, {Names: []string{"-x", "--exclude-result"}}, {Names: []string{"--with-schema"}},
			{Names: []string{"--raw"}}, {Names: []string{"--show-tasks"}}, {Names: []string{"--depth"}, Arity: One}, {Names: []string{"-w", "--width"}, Arity: OneOrMore},
			{Names: []string{"--attr"}, Arity: OneOrMore, Group: "g"}, {Names: []string{"-d"}, Group: "g"}},
		Positionals: []Positional{{Name: "id", Arity: OneOrMore}}}
	want := "usage: st2 execution get [-h] [-t TOKEN] [--api-key API_KEY] [-j] [-y] [-x] [--with-schema] [--raw] [--show-tasks] [--depth DEPTH]\n" +
		"                         [-w WIDTH [WIDTH ...]] [[--attr ATTR [ATTR ...] | -d | [-k KEY | --delay DELAY |] --tail | --auto-dict]]\n" +
		"                         id [id ...]"
	if got := Usage(&spec, 150); got != want {
		t.Fatalf("got\n%s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{"core.local date", "-a -- x", "--attr a b -k", "-jy=1", "--=", "-", "-- -- -", "-tg"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Fields(line)
		spec := runLike
		got, err := Parse(&spec, words, 80)
		if err != nil {
			return
		}
		if n := len(got.List("parameters")) + len(got.Extras); n > len(words)+strings.Count(line, "-") {
			t.Fatalf("%d words became %d", len(words), n)
		}
	})
}
