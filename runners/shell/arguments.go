package shell

import (
	"fmt"
	"sort"
	"strings"

	"petrel/expr/value"
)

// Arguments are the arguments of a script action before they are quoted.
type Arguments struct {
	Named      []Named  // in the order of the parameters
	Positional []string // in the order of their positions
}

// Named is an argument with a name; the operator stands in front of it.
type Named struct {
	Name  string
	Value value.Value
}

// DefaultOperator stands in front of named arguments.
const DefaultOperator = "--"

// NewArguments splits an action's parameters into named and positional ones by
// their schemas and writes the positional ones as text. A position without a
// value becomes an empty word, so that the ones behind it keep their place.
// st2: st2common/st2common/util/action_db.py (get_args)
func NewArguments(schemas, params *value.Dict, operator string) (Arguments, error) {
	type placed struct {
		at   float64
		name string
		typ  string
	}
	var (
		places     []placed
		positional = map[string]bool{}
		args       Arguments
	)
	if schemas != nil {
		for key, schema := range schemas.All() {
			name, _ := value.AsString(key)
			spec, ok := schema.(*value.Dict)
			if !ok {
				continue
			}
			position, found := spec.GetStr("position")
			if !found || position == nil {
				continue
			}
			at, err := value.ToFloat(position)
			if err != nil {
				return args, fmt.Errorf("position of parameter %s: %w", name, err)
			}
			kind, _ := spec.GetStr("type")
			typ, _ := value.AsString(kind)
			// Of two parameters in one place the later one stands there;
			// registration refuses such an action.
			for i := range places {
				if places[i].at == at {
					places = append(places[:i], places[i+1:]...)
					break
				}
			}
			places = append(places, placed{at, name, typ})
		}
	}
	sort.SliceStable(places, func(i, j int) bool { return places[i].at < places[j].at })
	for _, p := range places {
		var given value.Value
		if params != nil {
			given, _ = params.GetStr(p.name)
		}
		text, err := Positional(p.typ, given)
		if err != nil {
			return args, fmt.Errorf("parameter %s: %w", p.name, err)
		}
		args.Positional = append(args.Positional, text)
		positional[p.name] = true
	}
	if params != nil {
		for key, given := range params.All() {
			if name, _ := value.AsString(key); !positional[name] {
				args.Named = append(args.Named, Named{operator + name, given})
			}
		}
	}
	return args, nil
}

// Positional writes a value as a positional argument of the schema type. A
// list is joined by commas and an object is JSON, one level deep only; zero of
// type integer becomes the empty word, as in StackStorm.
// st2: st2common/st2common/util/action_db.py (serialize_positional_argument)
func Positional(typ string, given value.Value) (string, error) {
	switch typ {
	case "string", "number", "float":
		if given == nil {
			return "", nil
		}
		return value.ToStr(nil, given)
	case "null":
		return "", nil
	}
	truth, err := value.Truth(nil, given)
	if err != nil {
		return "", err
	}
	switch typ {
	case "boolean":
		switch {
		case given == nil:
			return "", nil
		case truth:
			return "1", nil
		}
		return "0", nil
	case "array", "list":
		if !truth {
			return "", nil
		}
		items, err := value.Items(nil, given)
		if err != nil {
			return "", err
		}
		texts := make([]string, len(items))
		for i, item := range items {
			if texts[i], err = value.ToStr(nil, item); err != nil {
				return "", err
			}
		}
		return strings.Join(texts, ","), nil
	case "object":
		if !truth {
			return "", nil
		}
		text, err := value.ToJSON(given, value.CompactJSON)
		return string(text), err
	}
	if !truth {
		return "", nil
	}
	return value.ToStr(nil, given)
}

// Line writes the arguments as words of a shell, named ones first. A named
// argument that is None or the empty string is left out, true is the bare
// name, false is left out, and everything else is written as Python's str().
func (a Arguments) Line() (string, error) {
	words := make([]string, 0, len(a.Named)+len(a.Positional))
	for _, n := range a.Named {
		switch v := n.Value.(type) {
		case nil:
			continue
		case bool:
			if v {
				words = append(words, Quote(n.Name))
			}
			continue
		}
		text, err := value.ToStr(nil, n.Value)
		if err != nil {
			return "", fmt.Errorf("argument %s: %w", n.Name, err)
		}
		if _, isText := value.AsString(n.Value); isText && text == "" {
			continue
		}
		words = append(words, Quote(n.Name)+"="+Quote(text))
	}
	for _, p := range a.Positional {
		words = append(words, Quote(p))
	}
	return strings.Join(words, " "), nil
}
