package actions

import (
	"strings"
	"testing"

	"petrel"
	"petrel/expr/value"
)

func TestCheck(t *testing.T) {
	runner := petrel.RunnerType{Name: "r", Parameters: petrel.JSON(`{"cmd":{"type":"string","description":"d"},"sudo":{"type":"boolean","default":false},
		"dir":{"type":"string","immutable":true,"default":"/tmp"},"timeout":{"type":"integer","default":60}}`)}
	for parameters, want := range map[string]string{
		`{}`: "",
		`{"cmd":{"default":"x","description":"other","required":true,"enum":["x"],"immutable":true}}`: "",
		`{"cmd":{"type":"string"}}`:                                           "",
		`{"cmd":{"type":"integer"}}`:                                          `The attribute "type" for the runner parameter "cmd" in action "p.a" cannot be overridden.`,
		`{"cmd":{"secret":true}}`:                                             `The attribute "secret" for the runner parameter "cmd" in action "p.a" cannot be overridden.`,
		`{"dir":{"immutable":false}}`:                                         "Param dir is declared immutable in runner. Cannot override in action.",
		`{"cmd":{"immutable":true}}`:                                          "Immutable param cmd requires a default value.",
		`{"cmd":{"immutable":false}}`:                                         "Immutable param cmd requires a default value.",
		`{"own":{"immutable":true}}`:                                          "Immutable param own requires a default value.",
		`{"sudo":{"immutable":true},"own":{"immutable":true,"default":null}}`: "",
		`{"a":{"position":0},"b":{"position":1}}`:                             "",
		`{"a":{"position":4},"b":{"position":3}}`:                             "",
		`{"a":{"position":0},"b":{"position":0}}`:                             "Parameters b and a have same position 0. Position values have to be unique.",
		`{"a":{"position":0},"b":{"position":2},"c":{"position":5}}`:          "Positions supplied [0, 2, 5] for parameters are not contiguous.",
		`{"a":{"position":0.5}}`:                                              "Positions supplied [0.5] for parameters are not contiguous.",
		`[]`:                                                                  "",
		`{"a":5}`:                                                             `parameters of action "p.a": parameter a must be an object, not int`,
		`{"a":`:                                                               `parameters of action "p.a": `,
		`"x"`:                                                                 `parameters of action "p.a": must be an object, not str`,
	} {
		err := Check(petrel.Action{Ref: "p.a", Pack: "p", Name: "a", Parameters: petrel.JSON(parameters)}, runner)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", parameters, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), want) || petrel.KindOf(err) != petrel.Invalid):
			t.Errorf("%s:\n got %v\nwant %s", parameters, err, want)
		}
	}
}

func TestMerged(t *testing.T) {
	spec, err := Merged(petrel.RunnerType{Parameters: petrel.JSON(`{"cmd":{"type":"string","description":"runner"},"timeout":{"type":"integer","default":60}}`)},
		petrel.Action{Ref: "p.a", Name: "a", Parameters: petrel.JSON(`{"own":{"type":"string","position":2,"secret":true},"cmd":{"required":true,"default":"x","immutable":true},"empty":{},"none":null}`)})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range spec.Parameters {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "cmd timeout own empty none" {
		t.Error(got)
	}
	cmd := spec.Find("cmd")
	if !cmd.FromRunner || !cmd.FromAction || !cmd.Required || !cmd.Immutable || cmd.Type != "string" || cmd.Default != "x" || cmd.Position != -1 {
		t.Errorf("%+v", cmd)
	}
	if got := value.Repr(cmd.Schema); got != "{'type': 'string', 'description': 'runner', 'required': True, 'default': 'x', 'immutable': True}" {
		t.Error(got)
	}
	own := spec.Find("own")
	if own.FromRunner || !own.FromAction || !own.Secret || own.Position != 2 || own.HasDefault {
		t.Errorf("%+v", own)
	}
	if spec.Find("nothing") != nil {
		t.Error("found what is not there")
	}
	doc, err := spec.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(value.DictOf("cmd", "x", "empty", nil)); err != nil {
		t.Error(err)
	}
}

// An equal pair of texts gives the same Spec; the cache forgets the oldest.
func TestCache(t *testing.T) {
	c := newCache[int](2)
	computed := 0
	get := func(key string) int {
		v, _ := c.get([][]byte{[]byte(key), nil}, func() (int, error) { computed++; return computed, nil })
		return v
	}
	get("a")
	get("b")
	if get("a") != 1 || computed != 2 {
		t.Error("not kept")
	}
	get("c")
	if get("a") != 1 || get("b") != 4 || c.used.Len() != 2 || len(c.byKey) != 2 {
		t.Errorf("computed %d, kept %d and %d", computed, c.used.Len(), len(c.byKey))
	}
}

func TestMask(t *testing.T) {
	spec := MergedFrom(dict(t, `{"password":{"type":"string","secret":true}}`), dict(t, `{
		"type":{"type":"string"},"secret":{"type":"string"},
		"o":{"type":"object","properties":{"k":{"type":"string","secret":true},"d":{"type":"object","properties":{"t":{"secret":true}}},"n":{}}},
		"l":{"type":"array","items":{"type":"object","properties":{"pin":{"type":"integer","secret":true}}}},
		"s":{"type":"array","items":{"type":"string","secret":true}},
		"pp":{"type":"object","patternProperties":{"^s_":{"secret":true}},"additionalProperties":{"type":"object","properties":{"k":{"secret":true}}}},
		"w":{"type":"object","secret":true,"properties":{"x":{}}}}`), petrel.Action{})
	for in, want := range map[string]string{
		`{}`:                          `{}`,
		`{"password":"x","type":"t"}`: `{'password': '********', 'type': 't'}`,
		`{"secret":"shown"}`:          `{'secret': 'shown'}`,
		`{"password":null}`:           `{'password': '********'}`,
		`{"o":{"k":"x","n":1,"d":{"t":{"u":1},"v":2}}}`: `{'o': {'k': '********', 'n': 1, 'd': {'t': '********', 'v': 2}}}`,
		`{"l":[{"pin":1,"who":"a"},{"who":"b"},null]}`:  `{'l': [{'pin': '********', 'who': 'a'}, {'who': 'b'}, None]}`,
		`{"s":["a",1]}`:                      `{'s': ['********', '********']}`,
		`{"w":{"x":1,"y":[2]}}`:              `{'w': '********'}`,
		`{"o":"{\"k\":\"x\"}","l":"x"}`:      `{'o': '********', 'l': '********'}`,
		`{"pp":{"s_x":1,"o":{"k":1,"l":2}}}`: `{'pp': {'s_x': '********', 'o': {'k': '********', 'l': 2}}}`,
		`{"o":null,"unknown":"x"}`:           `{'o': None, 'unknown': 'x'}`,
	} {
		given := dict(t, in)
		before := value.Repr(given)
		if got := value.Repr(Mask(spec, given)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
		if value.Repr(given) != before {
			t.Errorf("%s was changed", in)
		}
	}
	secrets := SecretValues(spec, dict(t, `{"password":"hunter22","o":{"k":"abc","n":"shown"},"l":[{"pin":12345,"who":"bob"}],"s":["line one\nsecond line","ab"],"w":{"deep":["inner-secret"],"flag":true}}`))
	if got := strings.Join(secrets, "|"); got != "line one\nsecond line|inner-secret|second line|hunter22|line one|12345|abc" {
		t.Errorf("%q", got)
	}
	if SecretValues(spec, nil) != nil || Mask(spec, nil) != nil {
		t.Error("nothing became something")
	}
}
