package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/expr/value"
)

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.FromJSON([]byte(text))
	if err != nil {
		t.Fatalf("%.100s: %v", text, err)
	}
	return v
}

func nested(n int) value.Value {
	var v value.Value = "x"
	for range n {
		v = value.NewList(v)
	}
	return v
}

// within fails the test when f takes longer than the limit for hostile input,
// with a factor of five of slack for a busy machine.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > 5*limit {
		t.Errorf("took %v, limit %v", took, limit)
	}
}

func TestCompile_RefusesWhatCannotBeFollowed(t *testing.T) {
	for _, doc := range []string{
		`{"$ref":"http://example.com/schema.json"}`,
		`{"$ref":"file:///etc/passwd"}`,
		`{"$ref":"#/definitions/missing"}`,
		`{"$ref":5}`,
		`{"$ref":"other.json#/a"}`,
	} {
		s, err := Compile(parse(t, doc), Options{})
		if err != nil {
			t.Errorf("%s: a reference is followed only when a value comes to it: %v", doc, err)
			continue
		}
		if err := s.Validate("x"); err == nil || AsError(err) != nil {
			t.Errorf("%s: got %v, want an error of the schema", doc, err)
		}
	}
}

func TestValidate_BoundedOnHostileInput(t *testing.T) {
	long := strings.Repeat("a", 64<<10) + "!"
	deep := strings.Repeat(`{"items":`, 150) + `{}` + strings.Repeat(`}`, 150)
	huge := &value.List{}
	for i := range 300_000 {
		huge.Append(value.DictOf("a", int64(i)))
	}
	for name, c := range map[string]struct {
		schema string
		v      value.Value
	}{
		"a reference to itself":     {`{"$ref":"#"}`, "x"},
		"two that call each other":  {`{"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}},"items":{"$ref":"#/definitions/a"}}`, nested(1)},
		"anyOf of itself, doubled":  {`{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}`, "x"},
		"a value nested deep":       {`{"items":{"$ref":"#"}}`, nested(180)},
		"a value nested too deep":   {`{"items":{"$ref":"#"}}`, nested(5000)},
		"an exponential pattern":    {`{"pattern":"^(a+)+$"}`, long},
		"a pattern with look-ahead": {`{"pattern":"^(?=(a+)+$)(a|a)*$"}`, long},
		"no pattern at all":         {`{"pattern":"("}`, "x"},
		"a tiny multipleOf":         {`{"multipleOf":1e-300}`, 1e300},
		"a huge integer":            {`{"multipleOf":0.5}`, parse(t, strings.Repeat("9", 4000))},
		"a huge array, each wrong":  {`{"items":{"anyOf":[{"type":"string"},{"properties":{"a":{"type":"string"}}}]}}`, huge},
		"a huge array, unique":      {`{"uniqueItems":true}`, huge},
		"a huge length":             {`{"maxLength":1e308,"minLength":0}`, "x"},
		"a deep schema":             {deep, nested(140)},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, time.Second, func() {
				s, err := Compile(parse(t, c.schema), Options{})
				if err != nil {
					return // refused as a schema
				}
				if err := s.Validate(c.v); err != nil && len(err.Error()) > 3*MaxShown {
					t.Errorf("the error has %d bytes", len(err.Error()))
				}
			})
		})
	}
}

func TestClean_RefusesDeepValues(t *testing.T) {
	s := MustCompile(parse(t, `{"type":"object","properties":{"a":{"type":"array","default":[]}}}`), Options{AllowNone: true})
	_, err := s.Clean(value.DictOf("a", nested(100_000)))
	var limit *value.LimitError
	if !errors.As(err, &limit) {
		t.Errorf("got %v, want a limit", err)
	}
	if _, err := Compile(nested(100_000), Options{AllowNone: true}); !errors.As(err, &limit) {
		t.Errorf("got %v, want a limit", err)
	}
}

// A default that holds defaults of its own is data: it is copied, not followed.
func TestFillDefaults_SelfReference(t *testing.T) {
	doc := `{"type":"object","properties":{"a":{"type":"object","default":{"b":{}},"properties":{"b":{"$ref":"#/properties/a","default":{"c":1}}}}}}`
	s := MustCompile(parse(t, doc), Options{AllowNone: true})
	for range 2 {
		got, err := s.Clean(value.NewDict())
		if err != nil {
			t.Fatal(err)
		}
		if text := value.Repr(got); text != "{'a': {'b': {}}}" {
			t.Fatal(text)
		}
		a, _ := got.(*value.Dict).GetStr("a")
		a.(*value.Dict).SetStr("spoilt", true)
	}
}

func TestError_KindAndField(t *testing.T) {
	s := MustCompile(parse(t, `{"properties":{"a":{"items":{"type":"string"}}}}`), Options{})
	err := fmt.Errorf("saving: %w", s.Validate(parse(t, `{"a":["x",1]}`)))
	var pe *petrel.Error
	if !errors.As(err, &pe) || pe.Kind != petrel.Invalid || pe.Field != "a.1" || pe.Message != "1 is not of type 'string'" {
		t.Errorf("%#v", pe)
	}
	if petrel.KindOf(err) != petrel.Invalid {
		t.Error(petrel.KindOf(err))
	}
}

// Keys that are no text (YAML has them) are compared as Python does and, where
// a pattern wants text, refused without a crash.
func TestValidate_KeysThatAreNoText(t *testing.T) {
	d := value.NewDict()
	d.Set(int64(1), "x")
	s := MustCompile(parse(t, `{"additionalProperties":false}`), Options{})
	if err := s.Validate(d); err == nil || err.Error() != "Additional properties are not allowed (1 was unexpected)" {
		t.Error(err)
	}
	s = MustCompile(parse(t, `{"patternProperties":{"a":{}}}`), Options{})
	if err := s.Validate(d); err == nil || AsError(err) != nil {
		t.Error(err)
	}
}

func FuzzSchema(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"type":"object","properties":{"a":{"type":"string","required":true,"default":null}}}`, `{"a":1}`},
		{`{"$ref":"#/definitions/a","definitions":{"a":{"anyOf":[{"$ref":"#"},{"type":"integer"}]}}}`, `[1,"x"]`},
		{`{"patternProperties":{"^a(?=b)":{"minimum":1e400}},"dependencies":{"a":["b"]}}`, `{"ab":0}`},
		{`{"id":"a/","items":[{"uniqueItems":true}],"additionalItems":{"$ref":"#/items/0"}}`, `[[1,true],[{},{}]]`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, doc, instance string) {
		d, err := value.FromJSON([]byte(doc))
		if err != nil {
			return
		}
		v, err := value.FromJSON([]byte(instance))
		if err != nil {
			return
		}
		for _, opts := range []Options{{AllowNone: true}, {Unchecked: true, Dialect: Draft4}} {
			s, err := Compile(d, opts)
			if err != nil {
				continue
			}
			before := value.Repr(v)
			_, err = s.Clean(v)
			if e := AsError(err); e != nil {
				_ = e.Text()
			}
			if value.Repr(v) != before {
				t.Errorf("the value was changed")
			}
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	s := MustCompile(parse(b, `{"type":"object","properties":{"cmd":{"type":"string","required":true},"timeout":{"type":"integer","default":60},
		"env":{"type":"object"},"sudo":{"type":"boolean","default":false}},"additionalProperties":false}`), Options{AllowNone: true})
	v := parse(b, `{"cmd":"date","env":{"A":"b"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Clean(v); err != nil {
			b.Fatal(err)
		}
	}
}
