package output

import (
	"strings"
	"testing"

	"petrel/expr/value"
)

func object(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.FromJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// same compares texts and shows both when they differ.
func same(t *testing.T, got, want string) {
	t.Helper()
	if want = strings.TrimPrefix(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestList_CellsAndWidths(t *testing.T) {
	items := []value.Value{
		object(t, `{"ref": "core.local", "tags": ["a", "b"], "none": null, "inner": {"x": {}}, "list": [1, 2]}`),
		object(t, `{"ref": "日本", "tags": [], "inner": {"x": 5}, "about": "a long-winded text with words"}`),
	}
	same(t, List(items, []string{"ref", "tags", "none", "inner.x", "list", "about"}, []int{12}, 100, nil), `
+------------+------+------+---------+--------+--------------+
| ref        | tags | none | inner.x | list   | about        |
+------------+------+------+---------+--------+--------------+
| core.local | a, b | None |         | [1, 2] |              |
| 日本       |      |      | 5       |        | a long-      |
|            |      |      |         |        | winded text  |
|            |      |      |         |        | with words   |
+------------+------+------+---------+--------+--------------+`)
}

func TestList_WithoutRowsKeepsItsHeader(t *testing.T) {
	same(t, List(nil, []string{"id", "status"}, nil, 80, nil), `
+----+--------+
| id | status |
+----+--------+
+----+--------+`)
}

func TestList_IDsAreNeverWrapped(t *testing.T) {
	table := List([]value.Value{object(t, `{"id": "0123456789abcdef01234567", "status": "succeeded (1s elapsed)"}`)}, []string{"id", "status"}, nil, 30, nil)
	if !strings.Contains(table, "| 0123456789abcdef01234567 | succeeded (1s elapsed) |") {
		t.Error(table)
	}
}

func TestList_ColoursTakeNoRoom(t *testing.T) {
	t1 := List([]value.Value{object(t, `{"a": "x"}`)}, []string{"a"}, []int{5}, 80, Transforms{"a": func(value.Value) value.Value { return "\x1b[92mok\x1b[0m" }})
	same(t, t1, "\n+----+\n| a  |\n+----+\n| \x1b[92mok\x1b[0m |\n+----+")
}

func TestProperties_PreferredOrderAlsoForChosenAttributes(t *testing.T) {
	item := object(t, `{"zeta": 1, "name": "n", "id": "i", "deep": {"b": [true]}, "nothing": null, "empty": {}}`)
	same(t, Properties(item, nil, []string{"id", "name"}, nil), `
+----------+--------------+
| Property | Value        |
+----------+--------------+
| id       | i            |
| name     | n            |
| deep     | {            |
|          |     "b": [   |
|          |         true |
|          |     ]        |
|          | }            |
| empty    |              |
| nothing  |              |
| zeta     | 1            |
+----------+--------------+`)
	chosen := Properties(item, []string{"zeta", "name"}, []string{"id", "name"}, nil)
	if strings.Index(chosen, "name") > strings.Index(chosen, "zeta") {
		t.Error(chosen)
	}
}

func TestExecution_CollectionsAsYAML(t *testing.T) {
	item := object(t, `{"id": "1", "parameters": {}, "log": [{"status": "ok"}], "result": {"stdout": "a\nb", "list": [1], "none": null}, "text": "{'a': [1, 2]}", "odd": "{not a dict}"}`)
	got, err := Execution(item, []string{"id", "parameters", "log", "result", "text", "odd", "absent"}, nil, ExecutionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, "id: 1\nparameters: \n{}\nlog: \n  - status: ok\nresult: \n  list:\n  - 1\n  none: null\n  stdout: 'a\n    b'\ntext: \n  a:\n  - 1\n  - 2\nodd: {not a dict}\nabsent: None")
}

func TestExecution_KeysOfResults(t *testing.T) {
	item := object(t, `{"result": {"a": {"b": [{"c": "x\\ny"}]}, "n": 5}}`)
	for key, want := range map[string]string{"n": "5", "a.b": `[{'c': 'x\` + "\ny'}]", "no.such": "None", "$.a.b[0].c": "x\ny", "a.b[*].c": "x\ny"} {
		got, err := Execution(item, nil, nil, ExecutionOptions{HasKey: true, Key: key})
		if err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", key, got, err, want)
		}
	}
	for _, key := range []string{"a[", "(((("} {
		if _, err := Execution(item, nil, nil, ExecutionOptions{HasKey: true, Key: key}); err == nil {
			t.Errorf("%s is no path", key)
		}
	}
	if _, err := Execution(object(t, `{"result": "text"}`), nil, nil, ExecutionOptions{HasKey: true, Key: "a"}); err == nil {
		t.Error("a text has no parts")
	}
}

func TestExecution_SuggestsASchema(t *testing.T) {
	got, err := Execution(object(t, `{"result": {"a": {"b": 1.5}, "c": [null], "d": true}}`), nil, nil, ExecutionOptions{WithSchema: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| output_schema:", "type: number", "type: object", "type: array", "type: boolean", "inferred schema was built:"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

func TestData_JSONAndYAML(t *testing.T) {
	v := Pick(object(t, `{"b": {"c": "ü", "d": 1}, "a": null, "e": [1]}`), []string{"b.c", "e", "a", "x.y"})
	j, err := JSON(v)
	if err != nil {
		t.Fatal(err)
	}
	same(t, j, "{\n    \"b\": {\n        \"c\": \"\\u00fc\"\n    },\n    \"e\": [\n        1\n    ]\n}")
	y, err := YAML(v)
	if err != nil {
		t.Fatal(err)
	}
	same(t, y, "b:\n    c: \"\\xFC\"\ne:\n- 1\n")
}

func FuzzTable(f *testing.F) {
	f.Add(`{"id": "x", "a": "b\tc"}`, 20)
	f.Fuzz(func(t *testing.T, text string, terminal int) {
		v, err := value.FromJSON([]byte(text))
		if err != nil || terminal < 1 || terminal > 300 {
			return
		}
		List([]value.Value{v}, []string{"id", "a", "status"}, nil, terminal, nil)
		Properties(v, nil, []string{"id"}, nil)
	})
}
