package functions

import (
	"context"
	"testing"

	"petrel/expr/value"
)

func TestFunctions(t *testing.T) {
	all := All()
	data := value.DictOf("users", value.NewList(value.DictOf("name", "ann", "tags", value.NewList("x")), value.DictOf("name", "bob")))
	for _, c := range []struct {
		name string
		args []value.Value
		want string
	}{
		{"from_json_string", []value.Value{`{"a": [1, 2.0]}`}, "{'a': [1, 2.0]}"},
		{"to_json_string", []value.Value{value.DictOf("b", int64(1), "a", "é")}, `'{"b": 1,"a": "\\u00e9"}'`},
		{"to_json_string", []value.Value{value.NewList(int64(1)), int64(2), false, nil}, `'[\n  1\n]'`},
		{"to_yaml_string", []value.Value{value.DictOf("b", int64(1), "a", "é")}, `'a: é\nb: 1\n'`},
		{"json_escape", []value.Value{"a\"b\n"}, `'a\\"b\\n'`},
		{"jsonpath_query", []value.Value{data, "users[*].name"}, "['ann', 'bob']"},
		{"jsonpath_query", []value.Value{data, "$..tags[0]"}, "['x']"},
		{"jsonpath_query", []value.Value{data, "nope"}, "None"},
		{"jsonpath_query", []value.Value{data, "users[*] where tags"}, "[{'name': 'ann', 'tags': ['x']}]"},
		{"jsonpath_query", []value.Value{data, "users[*].tags.`parent`.name"}, "['ann']"},
		{"regex_match", []value.Value{"hello", "HEL", true}, "True"},
		{"regex_replace", []value.Value{"aXbX", "(X)", `<\1>`}, "'a<X>b<X>'"},
		{"regex_substring", []value.Value{"a1b22", `([a-z])(\d+)`, int64(-1)}, "('b', '22')"},
		{"to_human_time_from_seconds", []value.Value{int64(90061)}, "'1d1h1m1s'"},
		{"to_human_time_from_seconds", []value.Value{int64(86400 * 366)}, "'1y1d0h0m0s'"},
		{"to_human_time_from_seconds", []value.Value{0.5}, "'0.5μs'"},
		{"version_compare", []value.Value{"1.0.0-rc.2", "1.0.0-rc.10"}, "-1"},
		{"version_match", []value.Value{"1.2.3", "<1.3.0"}, "True"},
		{"version_bump_minor", []value.Value{"1.2.3-a+b"}, "'1.3.0'"},
		{"version_strip_patch", []value.Value{"1.2.3"}, "'1.2'"},
		{"use_none", []value.Value{nil}, value.Quote(NoneMagic)},
		{"basename", []value.Value{"/a/b.c"}, "'b.c'"}, {"dirname", []value.Value{"//a"}, "'//'"}, {"dirname", []value.Value{"/a//b"}, "'/a'"},
	} {
		got, err := all[c.name].Call(&value.Call{Budget: value.NewBudget(context.Background(), value.Limits{}), Args: c.args})
		if err != nil || value.Repr(got) != c.want {
			t.Errorf("%s%s = %s (%v), want %s", c.name, value.Repr(value.Tuple(c.args)), value.Repr(got), err, c.want)
		}
	}
	for name, args := range map[string][]value.Value{
		"from_json_string": {"{"}, "version_compare": {"1.0", "1.0.0"}, "regex_match": {"a", "["}, "version_match": {"1.0.0", "1.0.0"},
		"to_human_time_from_seconds": {"5"}, "basename": {int64(1)}, "jsonpath_query": {data, "a["}, "decrypt_kv": {"x"}, "regex_substring": {"a", "z"},
	} {
		if got, err := all[name].Call(&value.Call{Args: args}); err == nil {
			t.Errorf("%s gave %s", name, value.Repr(got))
		}
	}
}
