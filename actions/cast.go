package actions

import (
	"petrel/expr/value"
)

// noneMagic is the text that the filter use_none gives for None; a cast turns
// it back.
const noneMagic = "%*****__%NONE%__*****%"

// Cast makes a value of the type that a parameter's schema names. A type
// without a cast leaves the value as it is. The error is Python's text.
func Cast(kind string, v value.Value) (value.Value, error) {
	text, isText := value.AsString(v)
	if isText && text == noneMagic {
		v, isText = nil, false
	}
	switch kind {
	case "array", "object":
		if !isText {
			return v, nil
		}
		if out, err := value.FromJSON([]byte(text)); err == nil {
			return out, nil
		}
		out, err := value.ParseLiteral(text)
		return plain(out, 0), err
	case "boolean":
		if !isText {
			return v, nil
		}
		return value.ParseLiteral(value.Capitalize(text))
	case "integer":
		return value.ToInt(v)
	case "number":
		return castNumber(v)
	case "string":
		if v != nil && !isText {
			return nil, value.ValueErrorf(`Value "%s" must either be a string or None. Got "%s".`, value.Str(v), value.TypeName(v))
		}
	}
	return v, nil
}

func castNumber(v value.Value) (value.Value, error) {
	f, err := value.ToFloat(v)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// plain makes of a Python literal what is stored of it as JSON: tuples become
// lists, and all keys texts. It is done before the schema is asked, as in
// StackStorm, so 1,2 is an array.
func plain(v value.Value, depth int) value.Value {
	if depth > value.MaxLiteralDepth {
		return v
	}
	switch x := v.(type) {
	case *value.Dict:
		out := value.NewDictSize(x.Len())
		for k, item := range x.All() {
			out.SetStr(value.KeyText(k), plain(item, depth+1))
		}
		return out
	case *value.List:
		for i := range x.Items {
			x.Items[i] = plain(x.Items[i], depth+1)
		}
	case value.Tuple:
		out := &value.List{Items: make([]value.Value, len(x))}
		for i := range x {
			out.Items[i] = plain(x[i], depth+1)
		}
		return out
	}
	return v
}
