package metadata

import (
	"strings"
	"testing"

	"petrel/expr/value"
	"petrel/schema"
)

func TestSchemas_Compile(t *testing.T) {
	for kind := range schemas {
		Schema(kind)
	}
}

// The wanted texts are recorded answers of StackStorm's API.
func TestSchema_Refuses(t *testing.T) {
	for _, c := range []struct {
		kind        Kind
		body, fault string
	}{
		{Action, `{"name":"x","runner_type":"noop"}`, ""},
		{Action, `{"runner_type":"noop"}`, "'name' is a required property"},
		{Action, `{"name":"x"}`, "'runner_type' is a required property"},
		{Action, `{"name":"x","runner_type":"noop","bogus":1}`, "Additional properties are not allowed ('bogus' was unexpected)"},
		{Action, `{"name":5,"runner_type":"noop"}`, "5 is not of type 'string'"},
		{Action, `{"name":"x","runner_type":"noop","description":null}`, ""},
		{Action, `{"name":"x","runner_type":"noop","enabled":"yes"}`, "'yes' is not of type 'boolean'"},
		{Action, `{"name":"x","runner_type":"noop","tags":[{"name":"a","value":"b"}]}`, ""},
		{Action, `{"name":"x","runner_type":"noop","parameters":{"bad-name":{"type":"string"}}}`, `'bad-name' does not match any of the regexes: '^\\w+$'`},
		{Action, `{"name":"x","runner_type":"noop","parameters":{"p":{"type":["string","null"]}}}`, "['string', 'null'] is not one of ['array', "},
		{Action, `{"name":"x","runner_type":"noop","parameters":{"p":{"type":"nope"}}}`, "'nope' is not one of ['array', "},
		{Action, `{"name":"x","runner_type":"noop","parameters":{"p":{"type":"string","nope":1}}}`, "Additional properties are not allowed ('nope' was unexpected)"},
		{Action, `{"name":"x","runner_type":"noop","parameters":{"p":{"type":"string","format":"uri"}}}`, "Additional properties are not allowed ('format' was unexpected)"},
		{Action, `{"name":"x","runner_type":"noop","parameters":{"p":{"type":"object","properties":{"q":{"type":["string","null"],"anything":1}}}}}`, ""},
		{Action, `{"name":"x","runner_type":"noop","notify":{"on-whatever":{}}}`, "Additional properties are not allowed ('on-whatever' was unexpected)"},
		{Action, `{"name":"x","runner_type":"noop","data_files":[]}`, "Additional properties are not allowed ('data_files' was unexpected)"},
		{ActionCreate, `{"name":"x","runner_type":"noop","data_files":[{"file_path":"a"}]}`, "'content' is a required property"},
		{Alias, `{"name":"x","pack":"p","action_ref":"core.local","formats":["a",{"display":"b","representation":["c"]}]}`, ""},
		{Alias, `{"name":"x","pack":"p","action_ref":"core.local","formats":[{"representation":"c"}]}`, "'c' is not of type 'array'"},
		{Alias, `{"name":"x","pack":"p","action_ref":"core.local","other":1}`, "Additional properties are not allowed ('other' was unexpected)"},
		{Pack, `{"name":"x","description":"d","version":"0.1.0","author":"a","anything":1}`, ""},
		{Pack, `{"name":"x","description":"d","version":"0.1","author":"a"}`, `'0.1' does not match`},
		{ConfigSchema, `{"pack":"p","attributes":{"a":{"type":"string","secret":true}}}`, ""},
		{ConfigSchema, `{"pack":"p","attributes":{"a":{"typo":"string"}}}`, "Additional properties are not allowed ('typo' was unexpected)"},
	} {
		body, err := value.FromJSON([]byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Schema(c.kind).Clean(body)
		switch e := schema.AsError(err); {
		case err != nil && e == nil:
			t.Errorf("%s %s: %v", c.kind, c.body, err)
		case c.fault == "" && err != nil:
			t.Errorf("%s %s: refused: %v", c.kind, c.body, err)
		case c.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), c.fault)):
			t.Errorf("%s %s:\n got %v\nwant %s", c.kind, c.body, err, c.fault)
		}
	}
}

func TestSchema_FillsDefaults(t *testing.T) {
	body, _ := value.FromJSON([]byte(`{"name":"x","runner_type":"noop"}`))
	cleaned, err := Schema(Action).Clean(body)
	if err != nil {
		t.Fatal(err)
	}
	want := "{'name': 'x', 'runner_type': 'noop', 'enabled': True, 'entry_point': '', 'pack': 'default', 'parameters': {}, 'output_schema': {'additionalItems': {}, 'items': {}, 'uniqueItems': False, 'required': False, 'secret': False, 'additionalProperties': {}, 'definitions': {}, 'properties': {}, 'patternProperties': {}, 'immutable': False}, 'metadata_file': ''}"
	if got := value.Repr(cleaned); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got := value.Repr(body); got != "{'name': 'x', 'runner_type': 'noop'}" {
		t.Errorf("the body was changed: %s", got)
	}
}

// StackStorm's API holds the parameters of an action against their schema
// before anything else, and tells the first fault there.
func TestParameters_First(t *testing.T) {
	for body, fault := range map[string]string{
		`{"p":{"type":["string","null"]}}`: "['string', 'null'] is not valid under any of the given schemas",
		`{"p":{"type":"nope"}}`:            "'nope' is not valid under any of the given schemas",
		`{"bad-name":{}}`:                  `'bad-name' does not match any of the regexes: '^\\w+$'`,
	} {
		v, _ := value.FromJSON([]byte(body))
		if err := Schema(Parameters).First(v); err == nil || err.Error() != fault {
			t.Errorf("%s:\n got %v\nwant %s", body, err, fault)
		}
	}
}
