package jinja

import (
	"context"
	"testing"

	"petrel/expr/value"
)

func benchRender(b *testing.B, src string, vars *value.Dict) {
	env := NewEnv(Options{})
	b.ReportAllocs()
	for b.Loop() {
		t, err := env.Compile(src)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := t.Render(context.Background(), vars); err != nil {
			b.Fatal(err)
		}
	}
}

var benchVars = value.DictOf("trigger", value.DictOf("body", value.DictOf("host", "web01", "level", "error")),
	"items", value.NewList("a", "b", "c", "d", "e"))

func BenchmarkRenderVariable(b *testing.B) {
	benchRender(b, "host {{ trigger.body.host }} is {{ trigger.body.level }}", benchVars)
}

func BenchmarkRenderLoop(b *testing.B) {
	benchRender(b, "{% for i in items %}{{ loop.index }}={{ i | upper }};{% endfor %}", benchVars)
}

func BenchmarkRenderPlainLoop(b *testing.B) {
	benchRender(b, "{% for i in items %}{{ i }},{% endfor %}", benchVars)
}

func BenchmarkParse(b *testing.B) {
	env := NewEnv(Options{CacheSize: -1})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := env.Compile("{% for i in items %}{{ loop.index }}={{ i | upper }};{% endfor %}"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseVariable(b *testing.B) {
	env := NewEnv(Options{CacheSize: -1})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := env.Compile("host {{ trigger.body.host }} is {{ trigger.body.level }}"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExpression(b *testing.B) {
	env := NewEnv(Options{})
	b.ReportAllocs()
	for b.Loop() {
		x, err := env.CompileExpression("items | length > 3 and trigger.body.level == 'error'")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := x.Eval(context.Background(), benchVars); err != nil {
			b.Fatal(err)
		}
	}
}
