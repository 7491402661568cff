package jinja

import (
	"context"
	"errors"

	"petrel/expr/value"
)

type program struct{}
type cache struct{}

func newCache(int) *cache                               { return &cache{} }
func (*cache) get(string, bool) (*program, error, bool) { return nil, nil, false }
func (*cache) put(string, bool, *program, error)        {}
func (*program) undeclared() []string                   { return nil }
func (*Env) build(string, bool) (*program, error)       { return nil, errors.New("being built") }
func builtinFilters() map[string]*value.Func            { return nil }
func builtinTests() map[string]*value.Func              { return nil }
func builtinGlobals() map[string]value.Value            { return nil }

// Render renders the template to text.
func (t *Template) Render(ctx context.Context, vars Vars) (string, error) { return "", nil }

// Eval evaluates the expression. An expression whose value is undefined is an
// *UndefinedError with Unused set.
func (x *Expression) Eval(ctx context.Context, vars Vars) (value.Value, error) { return nil, nil }
