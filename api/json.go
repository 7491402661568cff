package api

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"petrel"
	"petrel/expr/value"
)

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key string
	val any
}

// add appends a member.
func (o *object) add(key string, val any) { *o = append(*o, member{key, val}) }

// get gives a member's value.
func (o object) get(key string) (any, bool) {
	for _, m := range o {
		if m.key == key {
			return m.val, true
		}
	}
	return nil, false
}

// set changes a member or appends it.
func (o *object) set(key string, val any) {
	for i, m := range *o {
		if m.key == key {
			(*o)[i].val = val
			return
		}
	}
	o.add(key, val)
}

// appendJSON writes a value: objects and lists made here, the nouns' types,
// users' JSON text as it is, and everything package value knows.
func appendJSON(buf []byte, v any) ([]byte, error) {
	var err error
	switch x := v.(type) {
	case nil:
		return append(buf, "null"...), nil
	case bool:
		return strconv.AppendBool(buf, x), nil
	case int:
		return strconv.AppendInt(buf, int64(x), 10), nil
	case petrel.JSON:
		if len(x) == 0 {
			return append(buf, "null"...), nil
		}
		return append(buf, x...), nil
	case petrel.ID:
		return appendJSON(buf, string(x))
	case petrel.Ref:
		return appendJSON(buf, string(x))
	case petrel.Status:
		return appendJSON(buf, string(x))
	case time.Time:
		return append(append(append(buf, '"'), petrel.FormatTime(x)...), '"'), nil
	case object:
		buf = append(buf, '{')
		for i, m := range x {
			if i > 0 {
				buf = append(buf, ',')
			}
			if buf, err = appendJSON(buf, m.key); err != nil {
				return nil, err
			}
			buf = append(buf, ':')
			if buf, err = appendJSON(buf, m.val); err != nil {
				return nil, err
			}
		}
		return append(buf, '}'), nil
	case []object:
		return appendList(buf, x)
	case []string:
		return appendList(buf, x)
	case []petrel.ID:
		return appendList(buf, x)
	case []any:
		return appendList(buf, x)
	case []petrel.AliasFormat:
		text, err := json.Marshal(x)
		if err != nil {
			return nil, err
		}
		return append(buf, text...), nil
	}
	return value.AppendJSON(nil, buf, v, value.CompactJSON)
}

func appendList[T any](buf []byte, items []T) ([]byte, error) {
	var err error
	buf = append(buf, '[')
	for i, item := range items {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = appendJSON(buf, item); err != nil {
			return nil, err
		}
	}
	return append(buf, ']'), nil
}

// orEmpty is the text, or {} when there is none.
func orEmpty(j petrel.JSON) petrel.JSON {
	if len(j) == 0 {
		return petrel.JSON("{}")
	}
	return j
}

// dictOf reads users' JSON text that is an object; nil for anything else.
func dictOf(j petrel.JSON) *value.Dict {
	if len(j) == 0 {
		return nil
	}
	v, err := value.FromJSON(j)
	if err != nil {
		return nil
	}
	d, _ := v.(*value.Dict)
	return d
}

// jsonOf writes a value as users' JSON text; nil for nil.
func jsonOf(v value.Value) (petrel.JSON, error) {
	if v == nil {
		return nil, nil
	}
	text, err := value.ToJSON(v, value.CompactJSON)
	return petrel.JSON(text), err
}

// asDict is a value that is a dict; nil for everything else.
func asDict(v any) *value.Dict {
	d, _ := v.(*value.Dict)
	return d
}

// keysOf are the keys of an object that are texts, in order.
func keysOf(d *value.Dict) []string {
	out := make([]string, 0, d.Len())
	for k := range d.All() {
		if name, ok := k.(string); ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
