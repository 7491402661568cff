package actions

import "petrel/expr/value"

// Plain checks the parameters of a request that are taken as they are: the
// words of a chat line are never templates. They are validated, immutable ones
// are refused, and no defaults are filled in. The error is an *Error.
// st2: st2common/st2common/services/action.py (create_request)
func Plain(in Input) (*value.Dict, error) {
	spec, err := Merged(in.Runner, in.Action)
	if err != nil {
		return nil, &Error{Stage: StageValidate, Message: err.Error(), Err: err}
	}
	given := in.Given
	if given == nil {
		given = value.NewDict()
	}
	if err := spec.checkGiven(given); err != nil {
		return nil, err
	}
	if err := spec.validate(given); err != nil {
		return nil, err
	}
	return given, spec.checkImmutable(given)
}
