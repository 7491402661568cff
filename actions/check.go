package actions

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"petrel"
	"petrel/expr/value"
)

// overridable are the attributes of a runner's parameter that an action may
// change.
var overridable = []string{"default", "description", "enum", "immutable", "required"}

// Check is the check at registration that needs the runner: whether the
// action's parameters go together with the runner's. What a file may hold at
// all is checked before, by schema/metadata.
func Check(action petrel.Action, runner petrel.RunnerType) error {
	spec, err := Merged(runner, action)
	if err != nil {
		return petrel.Errorf(petrel.Invalid, "%s", err)
	}
	ref := action.Ref
	if ref == "" {
		ref = petrel.MakeRef(action.Pack, action.Name)
	}
	var positions []position
	for k, v := range spec.Action.All() {
		name, own := value.KeyText(k), v.(*value.Dict)
		inherited := dictAt(spec.Runner, name)
		if inherited != nil {
			if err := checkOverride(ref, name, own, inherited); err != nil {
				return err
			}
		}
		if at, ok := own.GetStr("position"); ok {
			for _, p := range positions {
				if value.Equal(p.at, at) {
					return refused(name, "Parameters %s and %s have same position %s. Position values have to be unique.", name, p.name, wholeText(at))
				}
			}
			positions = append(positions, position{at, name})
		}
		if err := checkImmutable(name, own, inherited); err != nil {
			return err
		}
	}
	return checkContiguous(positions)
}

func refused(field, format string, args ...any) error {
	return &petrel.Error{Kind: petrel.Invalid, Message: fmt.Sprintf(format, args...), Field: "parameters." + field}
}

func checkOverride(ref petrel.Ref, name string, own, inherited *value.Dict) error {
	for k, v := range own.All() {
		attribute := value.KeyText(k)
		old, _ := inherited.Get(k)
		if !slices.Contains(overridable, attribute) && !value.Equal(v, old) {
			return refused(name, `The attribute "%s" for the runner parameter "%s" in action "%s" cannot be overridden.`, attribute, name, ref)
		}
	}
	return nil
}

func checkImmutable(name string, own, inherited *value.Dict) error {
	if !own.Has("immutable") {
		return nil
	}
	if inherited != nil && inherited.Has("immutable") {
		return refused(name, "Param %s is declared immutable in runner. Cannot override in action.", name)
	}
	if !own.Has("default") && (inherited == nil || !inherited.Has("default")) {
		return refused(name, "Immutable param %s requires a default value.", name)
	}
	return nil
}

type position struct {
	at   value.Value
	name string
}

func checkContiguous(positions []position) error {
	if len(positions) == 0 {
		return nil
	}
	slices.SortStableFunc(positions, func(x, y position) int {
		a, _ := value.ToFloat(x.at)
		b, _ := value.ToFloat(y.at)
		return cmp.Compare(a, b)
	})
	first, _ := value.ToFloat(positions[0].at)
	for i, p := range positions {
		if f, err := value.ToFloat(p.at); err == nil && f == first+float64(i) && f == math.Trunc(f) {
			continue
		}
		shown := make([]string, len(positions))
		for i, p := range positions {
			shown[i] = value.Repr(p.at)
		}
		return refused(p.name, "Positions supplied [%s] for parameters are not contiguous.", strings.Join(shown, ", "))
	}
	return nil
}

// wholeText writes a number without its fraction, as Python's %d does.
func wholeText(v value.Value) string {
	if n, err := value.ToInt(v); err == nil {
		return value.Str(n)
	}
	return value.Str(v)
}
