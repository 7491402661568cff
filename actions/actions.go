// Package actions knows the parameters of actions: how a runner's and an
// action's own are merged, how what was given is rendered, cast and checked,
// what is masked, and how words of a command line become parameters. It
// decides from what it is given and touches nothing else: datastore, context
// and configuration come in as values.
package actions

import (
	"context"

	"petrel"
	"petrel/expr/value"
)

// KV answers look-ups in the datastore for templates (st2kv.system.x,
// st2kv.user.x and decrypt_kv). A nil KV is an empty datastore.
type KV interface {
	// Lookup gives the value of a key. Scope is "system" or "user"; user is
	// the owner of the key for the scope "user" and the one who asks for
	// "system". Without decrypt the value of a secret is its ciphertext; with
	// decrypt it is the plain text, and an error when it cannot be had.
	Lookup(ctx context.Context, scope, user, key string, decrypt bool) (text string, found bool, err error)
}

// Decrypter is implemented by a KV that can decrypt a ciphertext that does not
// come from a look-up ({{ some_text | decrypt_kv }}).
type Decrypter interface {
	Decrypt(ctx context.Context, ciphertext string) (string, error)
}

// Input is what the rendering of parameters works on.
type Input struct {
	Runner petrel.RunnerType
	Action petrel.Action
	// Given are the parameters as passed (Live) or as stored (Final).
	Given *value.Dict
	// Context is the execution's context: action_context in templates.
	Context *value.Dict
	// Config is the pack's configuration, already resolved: config_context.
	Config *value.Dict
	// Trigger is the payload of the trigger; HasTrigger says that there is one.
	Trigger    value.Value
	HasTrigger bool
	KV         KV
	// User is whose datastore keys st2kv.user reads when the context names
	// neither api_user nor user.
	User string
}

// Stage says in which step parameters were refused.
type Stage string

// The stages.
const (
	// StageRender is a template that cannot be rendered, a dependency that is
	// missing or a cycle. A failed execution is stored for these.
	StageRender Stage = "render"
	// StageCast is a value that cannot be made what its type says.
	StageCast Stage = "cast"
	// StageValidate is a value that does not fit the schema.
	StageValidate Stage = "validate"
	// StageImmutable is an attempt to give an immutable parameter.
	StageImmutable Stage = "immutable"
	// StageFinal is any of these in the final rendering.
	StageFinal Stage = "final"
)

// Error says why parameters were refused, in StackStorm's words.
type Error struct {
	Stage Stage
	// Parameter is the parameter at fault, empty when it is not a single one.
	Parameter string
	Message   string
	// Err is what lies beneath.
	Err error
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Unwrap gives what lies beneath.
func (e *Error) Unwrap() error { return e.Err }

// As lets errors.As find a *petrel.Error of kind Invalid in it.
func (e *Error) As(target any) bool {
	t, ok := target.(**petrel.Error)
	if ok {
		*t = &petrel.Error{Kind: petrel.Invalid, Message: e.Message, Field: e.Parameter}
	}
	return ok
}
