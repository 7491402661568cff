package jinja

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"petrel/expr/value"
)

type corpusCase struct {
	id, mode, expr string
	context        *value.Dict
	expect         value.Value
	isError        bool
	unordered      bool
}

func readCorpus(t *testing.T) []corpusCase {
	dir := os.Getenv("PETREL_CORPUS")
	if dir == "" {
		dir = "testdata"
	}
	f, err := os.Open(filepath.Join(dir, "jinja.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []corpusCase
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 4<<20)
	for sc.Scan() {
		v, err := value.FromJSON(sc.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		d := v.(*value.Dict)
		get := func(k string) value.Value {
			v, _ := d.GetStr(k)
			return v
		}
		c := corpusCase{id: get("id").(string), mode: get("mode").(string), expr: get("expr").(string), expect: get("expect"),
			isError: get("error") == true, unordered: get("unordered") == true}
		c.context, _ = get("context").(*value.Dict)
		if c.context == nil {
			c.context = value.NewDict()
		}
		cases = append(cases, c)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

// jsonForm makes what an evaluation gave comparable to the corpus: sequences
// are lists and keys are text.
func jsonForm(v value.Value) value.Value {
	switch x := v.(type) {
	case value.Markup:
		return string(x)
	case *value.List, value.Tuple, *value.NamedTuple:
		items, _ := value.IsSequence(v)
		return jsonItems(items)
	case *value.Set:
		return jsonItems(x.Items())
	case *value.DictView:
		return jsonItems(x.Items())
	case *value.Range:
		items, _ := value.CopyItems(nil, x)
		return jsonItems(items)
	case *value.Dict:
		d := value.NewDict()
		for k, val := range x.All() {
			d.Set(value.KeyText(k), jsonForm(val))
		}
		return d
	}
	return v
}

func jsonItems(items []value.Value) value.Value {
	l := value.NewList()
	for _, it := range items {
		l.Append(jsonForm(it))
	}
	return l
}

// sameJSON is equality that tells 2 from 2.0 and 1 from true.
func sameJSON(x, y value.Value) bool {
	switch a := x.(type) {
	case *value.List:
		b, ok := y.(*value.List)
		if !ok || len(a.Items) != len(b.Items) {
			return false
		}
		for i := range a.Items {
			if !sameJSON(a.Items[i], b.Items[i]) {
				return false
			}
		}
		return true
	case *value.Dict:
		b, ok := y.(*value.Dict)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for k, v := range a.All() {
			w, ok := b.Get(k)
			if !ok || !sameJSON(v, w) {
				return false
			}
		}
		return true
	case int64, *big.Int, float64, bool, string, nil:
		return value.TypeName(x) == value.TypeName(y) && value.Equal(x, y)
	}
	return false
}

func sorted(v value.Value) value.Value {
	l, ok := v.(*value.List)
	if !ok {
		return v
	}
	c := value.NewList(append([]value.Value(nil), l.Items...)...)
	key := func(v value.Value) string {
		b, _ := value.ToJSON(v, value.PythonJSON)
		return string(b)
	}
	sort.SliceStable(c.Items, func(i, j int) bool { return key(c.Items[i]) < key(c.Items[j]) })
	return c
}

func TestCorpusJinja(t *testing.T) {
	noStore := func(context.Context, value.Value) (value.Value, error) {
		return nil, errors.New("there is no datastore in these cases")
	}
	strict := NewEnv(Options{DecryptKV: noStore})
	lenient := NewEnv(Options{Lenient: true, DecryptKV: noStore})
	cases := readCorpus(t)
	passed := 0
	var failing []string
	for _, c := range cases {
		env := strict
		if c.mode == "lenient" {
			env = lenient
		}
		var got value.Value
		var err error
		if c.mode == "expression" {
			var x *Expression
			if x, err = env.CompileExpression(c.expr); err == nil {
				got, err = x.Eval(context.Background(), c.context)
			}
		} else {
			var tmpl *Template
			if tmpl, err = env.Compile(c.expr); err == nil {
				got, err = tmpl.Render(context.Background(), c.context)
			}
		}
		ok := false
		switch {
		case c.isError || err != nil:
			ok = c.isError && err != nil
		case c.unordered:
			ok = sameJSON(sorted(jsonForm(got)), sorted(c.expect))
		default:
			ok = sameJSON(jsonForm(got), c.expect)
		}
		if ok {
			passed++
		} else {
			failing = append(failing, fmt.Sprintf("%s: %q gave %s (%v), want %s", c.id, c.expr, value.Repr(got), err, value.Repr(c.expect)))
		}
	}
	fmt.Printf("corpus jinja: %d/%d\n", passed, len(cases))
	if len(failing) > 0 {
		t.Errorf("failing:\n%s", strings.Join(failing, "\n"))
	}
}
