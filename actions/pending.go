package actions

import (
	"context"

	"petrel"
	"petrel/expr/value"
)

// Parameter is one parameter of an action as it is in effect.
type Parameter struct {
	Name string
	// Schema is the merged schema: the runner's with the action's over it.
	Schema *value.Dict
	// FromRunner and FromAction say who declares it (both: the action overrides).
	FromRunner, FromAction bool
	Type                   string // empty when there is none, or a list of types
	Required, Secret       bool
	Immutable              bool
	Default                value.Value // nil when there is none
	HasDefault             bool
	Position               int // -1 when there is none
}

// Spec are the parameters of an action and its runner.
type Spec struct {
	ActionRef  petrel.Ref
	Runner     *value.Dict // the runner's parameters: name → schema
	Action     *value.Dict // the action's own: name → schema
	Parameters []Parameter // merged, the runner's first, each in its order
}

// Find gives the parameter of that name, or nil.
func (s *Spec) Find(name string) *Parameter { return nil }

// Merged gives the parameters in effect. Its errors are texts of schemas that cannot be read.
func Merged(runner petrel.RunnerType, action petrel.Action) (*Spec, error) { return &Spec{}, nil }

// Check is the check at registration that needs the runner.
func Check(action petrel.Action, runner petrel.RunnerType) error { return nil }

// Live renders, casts and validates the parameters of a request and refuses overridden
// immutable ones. The error is an *Error.
func Live(ctx context.Context, in Input) (*value.Dict, error) { return in.Given, nil }

// Final renders what is left in the worker: defaults. Given are the stored parameters;
// they are not rendered again.
func Final(ctx context.Context, in Input) (runner, action *value.Dict, err error) {
	return value.NewDict(), value.NewDict(), nil
}

// Masked is what stands in the place of a secret.
const Masked = "********"

// Mask gives a copy of the parameters with the secret ones masked.
func Mask(spec *Spec, params *value.Dict) *value.Dict { return params }

// MaskResult gives a copy of a result with what the action's output schema calls secret masked.
func MaskResult(runner petrel.RunnerType, action petrel.Action, result value.Value) value.Value {
	return result
}

// MaskConfig gives a copy of a pack's configuration with what its schema calls secret masked.
func MaskConfig(schema, values *value.Dict) *value.Dict { return values }

// ValidateOutput checks a result against the output schemas (when it is switched on).
func ValidateOutput(runner petrel.RunnerType, action petrel.Action, status petrel.Status, result value.Value) (value.Value, petrel.Status) {
	return result, status
}

// SecretValues are the texts in parameters that must not appear in logs.
func SecretValues(spec *Spec, params *value.Dict) []string { return nil }

// ConfigInput is what the resolving of a pack's configuration works on.
type ConfigInput struct {
	Pack   string
	Schema *value.Dict // attribute → schema; nil when the pack has none
	Values *value.Dict // as the administrator wrote them; nil for none
	KV     KV
	User   string
}

// ResolveConfig gives the configuration an action sees: dynamic values rendered, defaults filled in.
func ResolveConfig(ctx context.Context, in ConfigInput) (*value.Dict, error) {
	return value.NewDict(), nil
}

// CheckConfig checks a configuration against its schema; file is named in the text of the error.
func CheckConfig(pack, file string, schema, values *value.Dict) error { return nil }

// ArgumentOptions are the parts of ParseArguments that only the command line has.
type ArgumentOptions struct {
	// AutoDict is --auto-dict.
	AutoDict bool
	// ReadFile reads the file of @key=path; nil refuses such words.
	ReadFile func(path string) ([]byte, error)
}

// ParseArguments makes parameters of the words of `st2 run`: key=value by the rules of the
// st2 command line.
func ParseArguments(words []string, spec *Spec, opts ArgumentOptions) (*value.Dict, error) {
	return value.NewDict(), nil
}

// SplitWords splits a line into words as a shell does, without expanding anything.
func SplitWords(line string) ([]string, error) { return nil, nil }

// ParseLine makes parameters of what follows the action in a chat line: words as for
// ParseArguments, quoted or JSON values, and `-- rest of the line` as cmd.
func ParseLine(line string, spec *Spec) (*value.Dict, error) { return value.NewDict(), nil }

// Cast makes a value of the type a parameter's schema names. The error is
// Python's text.
func Cast(kind string, v value.Value) (value.Value, error) { return v, nil }

// Datastore is the template variable st2kv for a user.
func Datastore(ctx context.Context, kv KV, user string) value.Value { return value.NewDict() }
