package engine

import (
	"fmt"
	"math"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
)

// failure is the result of a run that could not be run: the error's text for
// the person, in StackStorm's shape.
func failure(err error) petrel.JSON {
	raw, bad := value.ToJSON(runners.Failed(err).Result, value.CompactJSON)
	if bad != nil {
		// Texts are always writable; this keeps the shape should that ever change.
		return petrel.JSON(`{"error":"The error cannot be written as JSON.","traceback":""}`)
	}
	return raw
}

// failuref is failure with a text of the engine's own.
func failuref(format string, args ...any) petrel.JSON {
	return failure(petrel.Errorf(petrel.Internal, format, args...))
}

func tooLarge(what string, size, limit int) string {
	return fmt.Sprintf("%s would be %d bytes as JSON, over the limit of %d bytes.", what, size, limit)
}

// decoded is a runner's result as it counts: a text that is JSON itself is
// taken as what it says. st2: st2actions/st2actions/container/base.py
func decoded(v value.Value) value.Value {
	if text, is := value.AsString(v); is {
		if inner, err := value.FromJSON([]byte(text)); err == nil {
			return inner
		}
	}
	return v
}

// encodeResult writes a result as JSON, nil for None.
func encodeResult(v value.Value, limit int) (petrel.JSON, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := value.ToJSON(v, value.CompactJSON)
	if err != nil {
		raw, err = value.ToJSON(finite(v, 0), value.CompactJSON)
	}
	if err != nil {
		return nil, petrel.Errorf(petrel.Invalid, "The result cannot be written as JSON: %s", err)
	}
	if len(raw) > limit {
		return nil, petrel.Errorf(petrel.TooLarge, "%s", tooLarge("The result", len(raw), limit))
	}
	return raw, nil
}

// maxFiniteDepth bounds the walk of finite; what is deeper stays as it is.
const maxFiniteDepth = 200

// finite is a copy of the value in which null stands for numbers JSON has no
// form for, as in StackStorm, whose writer does the same.
func finite(v value.Value, depth int) value.Value {
	if depth > maxFiniteDepth {
		return v
	}
	switch x := v.(type) {
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
	case *value.List:
		items := make([]value.Value, len(x.Items))
		for i, item := range x.Items {
			items[i] = finite(item, depth+1)
		}
		return value.NewList(items...)
	case value.Tuple:
		items := make(value.Tuple, len(x))
		for i, item := range x {
			items[i] = finite(item, depth+1)
		}
		return items
	case *value.Dict:
		d := value.NewDictSize(x.Len())
		for k, item := range x.All() {
			d.Set(k, finite(item, depth+1))
		}
		return d
	}
	return v
}
