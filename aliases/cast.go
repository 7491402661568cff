package aliases

import (
	"fmt"
	"strings"

	"petrel"
	"petrel/actions"
	"petrel/expr/value"
)

// Cast makes the texts of a line what the parameters' types say: arrays are
// split at commas, the rest is cast as everywhere. An action's own schema of a
// parameter counts, else the runner's. Parameters nobody declares stay as they are; validation
// refuses them.
// st2: st2common/st2common/models/utils/action_param_utils.py, cast_params
func Cast(params *value.Dict, spec *actions.Spec) error {
	for _, k := range params.Keys() {
		name, ok := k.(string)
		if !ok {
			continue
		}
		kind := declaredType(spec, name)
		if kind == "" {
			continue
		}
		v, _ := params.Get(k)
		cast, err := castTo(kind, v)
		if err != nil {
			return &petrel.Error{Kind: petrel.Invalid, Field: name, Message: fmt.Sprintf(
				`Failed to cast value "%s" (type: %s) for parameter "%s" of type "%s": %s. Perhaps the value is of an invalid type?`,
				shorten(value.Str(v)), value.TypeName(v), name, kind, reason(err))}
		}
		params.Set(k, cast)
	}
	return nil
}

// declaredType is the type that the action, or else the runner, gives a
// parameter; empty when it has none or several.
func declaredType(spec *actions.Spec, name string) string {
	for _, declared := range []*value.Dict{spec.Action, spec.Runner} {
		if declared == nil {
			continue
		}
		if v, ok := declared.Get(name); ok {
			s, _ := v.(*value.Dict)
			if s == nil {
				return ""
			}
			kind, _ := s.Get("type")
			text, _ := kind.(string)
			return text
		}
	}
	return ""
}

func castTo(kind string, v value.Value) (value.Value, error) {
	if kind != "array" {
		return actions.Cast(kind, v)
	}
	switch x := v.(type) {
	case *value.List:
		return x, nil
	case string:
		parts := strings.Split(x, ",")
		out := value.NewList(make([]value.Value, 0, len(parts))...)
		for _, p := range parts {
			out.Append(strings.TrimFunc(p, pySpace))
		}
		return out, nil
	}
	return nil, value.Errorf("AttributeError", "'%s' object has no attribute 'split'", value.TypeName(v))
}
