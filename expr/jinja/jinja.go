// Package jinja is Jinja2 3.1 as StackStorm sets it up: sandboxed, undefined
// names strict or lenient, trim_blocks and lstrip_blocks on, no autoescape, and
// StackStorm's filters beside the built-in ones. Templates work on plain data
// (package value) and run within a budget; there is no loader, so include,
// import and extends fail.
package jinja

import (
	"context"
	"fmt"

	"petrel/expr/functions"
	"petrel/expr/value"
)

// MaxSource is the largest template, in bytes.
const MaxSource = 64 << 10

// DefaultCacheSize is how many compiled templates an Env keeps.
const DefaultCacheSize = 2048

// Options set an Env up. The zero value is StackStorm's strict environment.
type Options struct {
	// Lenient permits undefined names: they print and iterate as empty
	// (StackStorm's allow_undefined). Otherwise any use is an error.
	Lenient bool
	// KeepBlockNewlines switches trim_blocks off.
	KeepBlockNewlines bool
	// KeepBlockIndent switches lstrip_blocks off.
	KeepBlockIndent bool
	// Limits bound each evaluation; zero fields are the defaults.
	Limits value.Limits
	// Filters, Tests and Globals are added to the built-in ones and win over
	// them. A filter or test gets the value as its first argument.
	Filters map[string]*value.Func
	Tests   map[string]*value.Func
	Globals map[string]value.Value
	// DecryptKV is the filter decrypt_kv; without it the filter fails.
	DecryptKV func(ctx context.Context, v value.Value) (value.Value, error)
	// CacheSize is how many compiled templates are kept; 0 is the default,
	// below 0 keeps none.
	CacheSize int
}

// Vars are the variables of a template. *value.Dict is one.
type Vars interface {
	Lookup(name string) (v value.Value, ok bool)
}

// MapVars are variables in a Go map.
type MapVars map[string]value.Value

// Lookup implements Vars.
func (m MapVars) Lookup(name string) (value.Value, bool) {
	v, ok := m[name]
	return v, ok
}

// SyntaxError is a template that cannot be compiled.
type SyntaxError struct {
	// Class is TemplateSyntaxError or TemplateAssertionError.
	Class string
	Msg   string
	Line  int
}

// Error is the message without the line, as Jinja's own message is.
func (e *SyntaxError) Error() string { return e.Msg }

// PythonClass is the name of the exception in Jinja.
func (e *SyntaxError) PythonClass() string { return e.Class }

// UndefinedError is the use of something that is not defined.
type UndefinedError struct {
	// Class is UndefinedError, or SecurityError for an attribute the sandbox hides.
	Class string
	Msg   string
	// Unused is set when an expression's whole value is undefined and nothing
	// was done with it; Orquesta leaves the text in place then.
	Unused bool
}

// Error is Jinja's message, such as "'x' is undefined".
func (e *UndefinedError) Error() string { return e.Msg }

// PythonClass is the name of the exception in Jinja.
func (e *UndefinedError) PythonClass() string { return e.Class }

// Env compiles templates. It is safe for concurrent use and never changes.
type Env struct {
	opts    Options
	filters map[string]*value.Func
	tests   map[string]*value.Func
	globals map[string]value.Value
	cache   *cache
}

// NewEnv returns an environment.
func NewEnv(opts Options) *Env {
	e := &Env{opts: opts, cache: newCache(opts.CacheSize)}
	e.opts.Limits = opts.Limits.WithDefaults()
	e.filters = merged(builtinFilters(), functions.All(), opts.Filters)
	if f := opts.DecryptKV; f != nil {
		e.filters["decrypt_kv"] = value.NewFunc("decrypt_kv", func(c *value.Call) (value.Value, error) {
			args, err := c.Bind("decrypt_kv", value.Req("value"))
			if err != nil {
				return nil, err
			}
			return f(c.Context(), args[0])
		})
	}
	e.tests = merged(builtinTests(), opts.Tests)
	e.globals = merged(builtinGlobals(), opts.Globals)
	return e
}

func merged[V any](maps ...map[string]V) map[string]V {
	out := make(map[string]V)
	for _, m := range maps {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// Template is a compiled template. It is safe for concurrent use.
type Template struct {
	env  *Env
	prog *program
}

// Expression is a compiled bare expression, without braces.
type Expression struct {
	env  *Env
	prog *program
}

// Compile returns the compiled template, from the cache when it is there.
// The error is a *SyntaxError or a *value.LimitError.
func (e *Env) Compile(src string) (*Template, error) {
	p, err := e.compiled(src, false)
	if err != nil {
		return nil, err
	}
	return &Template{e, p}, nil
}

// CompileExpression compiles a bare expression, as Jinja's method of the same
// name does. The error is a *SyntaxError or a *value.LimitError.
func (e *Env) CompileExpression(src string) (*Expression, error) {
	p, err := e.compiled(src, true)
	if err != nil {
		return nil, err
	}
	return &Expression{e, p}, nil
}

func (e *Env) compiled(src string, expression bool) (*program, error) {
	if p, err, ok := e.cache.get(src, expression); ok {
		return p, err
	}
	if len(src) > MaxSource {
		return nil, &value.LimitError{Limit: "bytes of template source", Max: fmt.Sprint(MaxSource)}
	}
	p, err := e.build(src, expression)
	e.cache.put(src, expression, p, err)
	return p, err
}

// Undeclared are the names the template takes from its variables: Jinja's
// meta.find_undeclared_variables. They are sorted.
func (t *Template) Undeclared() []string { return t.prog.undeclared() }

// Undeclared are the names the expression takes from its variables, sorted.
func (x *Expression) Undeclared() []string { return x.prog.undeclared() }
