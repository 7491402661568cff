package aliases

import (
	"context"
	"strings"
	"testing"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
)

func fromJSON(t *testing.T, text string) *value.Dict {
	t.Helper()
	v, err := value.FromJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v.(*value.Dict)
}

// The expected texts are what the original's default template gives for these
// executions, but for spaces at line ends and around the whole.
func TestDefaultResult_ShowsWhatPeopleLookFor(t *testing.T) {
	for name, c := range map[string]struct{ execution, want string }{
		"local": {`{"action":{"ref":"core.local"},"id":"5799522f55fc8c2d33ac03e0","status":"succeeded","runner":{"name":"local-shell-cmd"},
			"web_url":"https://st2/#/history/1/general","result":{"failed":false,"return_code":0,"stderr":"","stdout":"Thu Jul 28","succeeded":true}}`,
			"Action core.local completed.\nstatus : succeeded\nexecution: 5799522f55fc8c2d33ac03e0\n\nweb_url: https://st2/#/history/1/general\n\nresult :\n--------\nstdout : Thu Jul 28\n"},
		"local, several lines and failed": {`{"action":{"ref":"core.local"},"id":"1","status":"failed","runner":{"name":"local-shell-cmd"},"elapsed_seconds":61.4,
			"result":{"failed":true,"return_code":2,"stderr":"a\nb\n","stdout":""}}`,
			"Action core.local completed.\nstatus : failed\nexecution: 1\n\nTook 1m1s to complete.\n\nresult :\n--------\nreturn_code : 2\nstderr :\n  a\nb\n"},
		"python": {`{"action":{"ref":"examples.isprime"},"id":"1","status":"succeeded","runner":{"name":"python-script"},
			"result":{"exit_code":0,"result":true,"stderr":"value=7\n","stdout":""}}`,
			"Action examples.isprime completed.\nstatus : succeeded\nexecution: 1\n\nresult :\n--------\nresult : True\nstderr : value=7\n"},
		"python, a dict": {`{"action":{"ref":"x.y"},"id":"1","status":"succeeded","runner":{"name":"python-script"},"result":{"exit_code":0,"result":{"a":[1,"b"],"n":null}}}`,
			"Action x.y completed.\nstatus : succeeded\nexecution: 1\n\nresult :\n--------\nresult :\n  a : [1, 'b']\n  n : None\n"},
		"remote": {`{"action":{"ref":"core.remote"},"id":"1","status":"succeeded","runner":{"name":"remote-shell-cmd"},"elapsed_seconds":1.576789,
			"result":{"localhost":{"failed":false,"return_code":0,"stderr":"","stdout":"Mon Jul 25"}}}`,
			"Action core.remote completed.\nstatus : succeeded\nexecution: 1\n\nTook 2s to complete.\n\nresult :\n--------\nlocalhost :\n  stdout : Mon Jul 25\n"},
		"others": {`{"action":{"ref":"core.http"},"id":"1","status":"succeeded","runner":{"name":"http-request"},
			"result":{"body":"BLAH","headers":{"Server":"nginx"},"parsed":false,"status_code":200}}`,
			"Action core.http completed.\nstatus : succeeded\nexecution: 1\n\nresult :\n--------\nbody : BLAH\nheaders :\n  Server : nginx\nparsed : False\nstatus_code : 200\n"},
		"local, canceled": {`{"action":{"ref":"core.local"},"id":"1","status":"canceled","runner":{"name":"local-shell-cmd"},"result":{"message":"Action canceled by user.","user":"ann"}}`,
			"Action core.local completed.\nstatus : canceled\nexecution: 1\n\nresult :\n--------\nmessage : Action canceled by user.\nuser : ann\n"},
		"no result": {`{"action":{"ref":"core.noop"},"id":"1","status":"succeeded","runner":{"name":"noop"},"elapsed_seconds":0.0125,"result":{}}`,
			"Action core.noop completed.\nstatus : succeeded\nexecution: 1\n\nTook 0.013s to complete.\n"},
		"a result that is no dict": {`{"action":{"ref":"a.b"},"id":"1","status":"failed","runner":{"name":"orquesta"},"result":"text"}`,
			"Action a.b completed.\nstatus : failed\nexecution: 1\n\nresult :\n--------\ntext\n"},
	} {
		got := strings.ReplaceAll(DefaultResult(fromJSON(t, c.execution)), " \n", "\n")
		if strings.TrimSpace(got) != strings.TrimSpace(c.want) {
			t.Errorf("%s:\n%q, expected\n%q", name, got, c.want)
		}
	}
}

func TestAcknowledge_RendersStrictly(t *testing.T) {
	ctx := context.Background()
	x := fromJSON(t, `{"id":"1","action":{"ref":"core.local"},"parameters":{"cmd":"date"}}`)
	for name, c := range map[string]struct {
		ack     string
		enabled bool
		message string
		extra   string
	}{
		"none":         {``, true, "", ""},
		"off":          {`{"enabled": false}`, false, "", ""},
		"format":       {`{"format": "Doing {{ execution.parameters.cmd }} for {{ actionalias.name }}"}`, true, "Doing date for mine", ""},
		"undefined":    {`{"format": "{{ execution.nothing.at.all }}"}`, true, `Cannot render "format" in field "ack" for alias. `, ""},
		"broken":       {`{"format": "{{ execution"}`, true, `Cannot render "format" in field "ack" for alias. `, ""},
		"extra":        {`{"extra": {"slack": {"color": "{{ execution.id }}", "n": 5, "list": ["{{ execution.id }}", true]}}}`, true, "", `{"slack":{"color":"1","n":5,"list":["1",true]}}`},
		"broken extra": {`{"extra": {"slack": {"color": "{{ nobody.knows }}"}}}`, true, "", `"Cannot render \"extra\" in field \"ack\" for alias. `},
	} {
		a := &petrel.Alias{Name: "mine", Ack: petrel.JSON(c.ack)}
		said := Acknowledge(ctx, a, x, value.DictOf("name", "mine"))
		extra := ""
		if said.Extra != nil {
			raw, err := value.ToJSON(said.Extra, value.CompactJSON)
			if err != nil {
				t.Fatal(err)
			}
			extra = string(raw)
		}
		if said.Enabled != c.enabled || !strings.HasPrefix(said.Message, c.message) || c.message == "" && said.HasMessage || !strings.HasPrefix(extra, c.extra) {
			t.Errorf("%s: %+v, extra %s", name, said, extra)
		}
	}
}

func TestFinished_RendersAsTheAliasSays(t *testing.T) {
	ctx := context.Background()
	x := fromJSON(t, `{"id":"1","status":"succeeded","action":{"ref":"core.local"},"runner":{"name":"local-shell-cmd"},"result":{"stdout":"out {{ 7*7 }}","hosts":{"a":1,"b":2}}}`)
	for name, c := range map[string]struct {
		result  string
		enabled bool
		message string
	}{
		"none":      {``, true, "Action core.local completed."},
		"off":       {`{"enabled": false, "format": "x"}`, false, ""},
		"format":    {`{"format": "{{ alias.name }}: {{ execution.result.stdout }}"}`, true, "mine: out {{ 7*7 }}"},
		"undefined": {`{"format": "[{{ execution.result.nothing }}]"}`, true, "[]"},
		"six":       {`{"format": "{% for k, v in six.iteritems(execution.result.hosts) %}{{ k }}={{ v }};{% endfor %}"}`, true, "a=1;b=2;"},
		"broken":    {`{"format": "{% for %}"}`, true, `Cannot render "format" in field "result" for alias. `},
		"a loop":    {`{"format": "{% for i in range(1000000000) %}{% endfor %}"}`, true, `Cannot render "format" in field "result" for alias. `},
	} {
		a := &petrel.Alias{Name: "mine", Result: petrel.JSON(c.result)}
		said := Finished(ctx, a, x, value.DictOf("name", "mine"))
		if said.Enabled != c.enabled || !strings.HasPrefix(said.Message, c.message) {
			t.Errorf("%s: %+v", name, said)
		}
	}
	if said := Finished(ctx, nil, x, nil); !strings.HasPrefix(said.Message, "Action core.local completed.") {
		t.Errorf("without an alias: %+v", said)
	}
}

// catalog is an action with a runner.
type oneAction struct{ parameters, runner string }

func (o oneAction) Action(_ context.Context, ref string) (petrel.Action, error) {
	if ref != "core.x" {
		return petrel.Action{}, petrel.Errorf(petrel.NotFound, "no such action")
	}
	return petrel.Action{Ref: "core.x", Pack: "core", Name: "x", Enabled: true, RunnerType: "r", Parameters: petrel.JSON(o.parameters)}, nil
}

func (o oneAction) RunnerType(context.Context, string) (petrel.RunnerType, error) {
	return petrel.RunnerType{Name: "r", Enabled: true, Parameters: petrel.JSON(o.runner)}, nil
}

const typed = `{"s":{"type":"string"},"i":{"type":"integer"},"n":{"type":"number"},"b":{"type":"boolean"},"a":{"type":"array"},"o":{"type":"object"},"u":{}}`

func TestPlan_CastsByTheActionsTypes(t *testing.T) {
	ctx := context.Background()
	x := NewIndex([]petrel.Alias{{Name: "set", Ref: "p.set", Enabled: true, ActionRef: "core.x",
		Formats: []petrel.AliasFormat{{Display: "set", Representations: []string{"set"}}}}})
	for line, want := range map[string]string{
		"set s=5 i=5 n=1.5 b=true":   `{"s":"5","i":5,"n":1.5,"b":true}`,
		"set a='a, b ,c'":            `{"a":["a","b","c"]}`,
		"set a=one":                  `{"a":["one"]}`,
		`set o={"a": 1}`:             `{"o":{"a":1}}`,
		"set o='{\"k\": [1, None]}'": `{"o":{"k":[1,null]}}`,
		"set u=5 other=6":            `{"u":"5","other":"6"}`,
		"set b=False":                `{"b":false}`,
		"set i=five":                 "!Failed to cast value \"five\" (type: str) for parameter \"i\" of type \"integer\": invalid literal for int() with base 10: 'five'. Perhaps the value is of an invalid type?",
		"set b=maybe":                "!Failed to cast value \"maybe\" (type: str) for parameter \"b\" of type \"boolean\"",
		"set o=[":                    "!Failed to cast value \"[\" (type: str) for parameter \"o\" of type \"object\"",
	} {
		m, err := x.Match(line)
		if err != nil {
			t.Fatal(err)
		}
		runs, err := Plan(ctx, oneAction{typed, `{"i":{"type":"string"}}`}, Command{m.Alias, m.Representation, line, m.Parameters}, PlanInput{})
		got := ""
		if err != nil {
			got = "!" + petrel.Message(err)
			if petrel.KindOf(err) != petrel.Invalid {
				t.Errorf("%s: kind %s", line, petrel.KindOf(err))
			}
		} else {
			raw, err := value.ToJSON(runs[0].Parameters, value.CompactJSON)
			if err != nil {
				t.Fatal(err)
			}
			got = string(raw)
		}
		if got != want && (want[0] != '!' || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: %s, expected %s", line, got, want)
		}
	}
}

func TestPlan_AddsImmutableParameters(t *testing.T) {
	ctx := context.Background()
	a := petrel.Alias{Name: "fix", Ref: "p.fix", Enabled: true, ActionRef: "core.x", Immutable: petrel.JSON(`{"s":"{{ user }}-{{ st2kv.system.env }}","i":7,"o":{"k":"{{ api_user }}"}}`),
		Formats: []petrel.AliasFormat{{Display: "fix {{ a }}", Representations: []string{"fix {{ a }}"}}}}
	x := NewIndex([]petrel.Alias{a})
	in := PlanInput{Context: value.DictOf("user", "ann", "api_user", "U1"), KV: store{"env": "prod"}, User: "ann"}
	for line, want := range map[string]string{
		"fix 1":               `{"a":["1"],"s":"ann-prod","i":7,"o":{"k":"U1"}}`,
		"fix {{ user }}":      `{"a":["{{ user }}"],"s":"ann-prod","i":7,"o":{"k":"U1"}}`,
		"fix 1 i=9":           "!Immutable arguments cannot be overriden: i",
		"fix 1 o={} i=9 s=zz": "!Immutable arguments cannot be overriden: s,i,o",
	} {
		m, err := x.Match(line)
		if err != nil {
			t.Fatal(err)
		}
		runs, err := Plan(ctx, oneAction{typed, `{}`}, Command{m.Alias, m.Representation, line, m.Parameters}, in)
		got := ""
		if err != nil {
			got = "!" + petrel.Message(err)
		} else {
			raw, _ := value.ToJSON(runs[0].Parameters, value.CompactJSON)
			got = string(raw)
		}
		if got != want {
			t.Errorf("%s: %s, expected %s", line, got, want)
		}
	}
}

// store is a datastore of system keys.
type store map[string]string

func (s store) Lookup(_ context.Context, scope, _, key string, _ bool) (string, bool, error) {
	v, ok := s[key]
	return v, ok && scope == "system", nil
}

var _ actions.KV = store{}

func TestResolve_FindsTheActionALineNames(t *testing.T) {
	a := petrel.Alias{Name: "run", Ref: "st2.run", Enabled: true, ActionRef: "st2.executions.create", Extra: petrel.JSON(`{"petrel": {"run": true}}`),
		Formats: []petrel.AliasFormat{{Display: "st2 run", Representations: []string{"st2 run {{ action }} {{ parameters = }}", "st2 run {{ action }}"}[:1]}}}
	x := NewIndex([]petrel.Alias{a})
	for line, want := range map[string][2]string{
		"st2 run core.x":                          {"core.x", ""},
		"st2 run core.x s=5":                      {"core.x", "s=5"},
		"st2 run core.x s='a b' i=5":              {"core.x", "s='a b' i=5"},
		"st2 run core.x -- date -R":               {"core.x", "-- date -R"},
		"  st2 run   core.x   a b   c":            {"core.x", "a b   c"},
		`st2 run core.x o={"a": "core.x"} -- x=1`: {"core.x", `o={"a": "core.x"} -- x=1`},
		"st2 run run.run run.run":                 {"run.run", "run.run"},
		"st2 run core.x\ns=5":                     {"core.x", "s=5"},
		`st2 run "core.x" s=5`:                    {"core.x", "s=5"},
	} {
		m, err := x.Match(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		action, rest, err := Resolve(Command{m.Alias, m.Representation, line, m.Parameters})
		if err != nil || string(action) != want[0] || rest != want[1] {
			t.Errorf("%s: %q %q %v, expected %q", line, action, rest, err, want)
		}
	}
}
