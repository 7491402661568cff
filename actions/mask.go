package actions

import (
	"slices"
	"strings"

	"petrel/expr/pyre"
	"petrel/expr/value"
	"petrel/schema"
)

// Masked is what stands in the place of a secret.
const Masked = "********"

// mask says which parts of a value are secret; nil for none.
type mask struct {
	whole    bool
	keys     map[string]*mask // of a dict, by name; nil for a key without secrets
	patterns []patternMask    // of keys not in keys
	more     *mask            // of all other keys
	items    *mask            // of each item of a list
}

type patternMask struct {
	re   *pyre.Regexp
	mask *mask
}

// maskOf gives the mask of a map of schemas.
func maskOf(properties *value.Dict) *mask {
	return maskOfObject(value.DictOf("properties", properties), 0)
}

func maskOfSchema(v value.Value, depth int) *mask {
	doc, ok := v.(*value.Dict)
	if !ok || doc == nil {
		return nil
	}
	if trueAt(doc, "secret") || depth > MaxDepth {
		return &mask{whole: true}
	}
	kind, _ := doc.GetStr("type")
	if kindIs(kind, "object") {
		return maskOfObject(doc, depth)
	}
	if kindIs(kind, "array") {
		if part := maskOfSchema(dictAt(doc, "items"), depth+1); part != nil {
			return &mask{items: part}
		}
	}
	return nil
}

// maskOfObject looks at patternProperties and additionalProperties too, which
// StackStorm passes over in parameters: a secret shown by mistake is worse than
// one masked by mistake.
func maskOfObject(doc *value.Dict, depth int) *mask {
	m := &mask{keys: map[string]*mask{}}
	some := false
	for k, v := range orEmpty(dictAt(doc, "properties")).All() {
		part := maskOfSchema(v, depth+1)
		m.keys[value.KeyText(k)] = part
		some = some || part != nil
	}
	for k, v := range orEmpty(dictAt(doc, "patternProperties")).All() {
		part := maskOfSchema(v, depth+1)
		if part == nil {
			continue
		}
		some = true
		re, err := pyre.Compile(value.KeyText(k), 0)
		if err != nil {
			m.more = part // it may have meant any key
			continue
		}
		m.patterns = append(m.patterns, patternMask{re, part})
	}
	if part := maskOfSchema(dictAt(doc, "additionalProperties"), depth+1); part != nil {
		m.more, some = part, true
	}
	if !some {
		return nil
	}
	return m
}

// of gives the mask of a dict's key.
func (m *mask) of(key string) *mask {
	if part, ok := m.keys[key]; ok {
		return part
	}
	for _, p := range m.patterns {
		if found, err := p.re.Search(key); found != nil || err != nil {
			return p.mask
		}
	}
	return m.more
}

func kindIs(kind value.Value, name string) bool {
	if l, ok := kind.(*value.List); ok {
		return slices.Contains(l.Items, value.Value(name))
	}
	return kind == name
}

// apply gives a copy with the secret parts masked. A value that is not of the
// shape its mask expects (a text not yet cast to a dict, say) is masked whole,
// because what is secret in it cannot be told.
func (m *mask) apply(v value.Value) value.Value {
	switch {
	case m == nil:
		return v
	case m.whole:
		return Masked
	case v == nil:
		return nil
	case m.items != nil:
		l, ok := v.(*value.List)
		if !ok {
			return Masked
		}
		out := &value.List{Items: make([]value.Value, len(l.Items))}
		for i, item := range l.Items {
			out.Items[i] = m.items.apply(item)
		}
		return out
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return Masked
	}
	out := d.Clone()
	for k, item := range d.All() {
		if part := m.of(value.KeyText(k)); part != nil {
			out.Set(k, part.apply(item))
		}
	}
	return out
}

// Mask gives a copy of parameters with those masked that the runner or the
// action calls secret, also inside objects and arrays.
func Mask(spec *Spec, params *value.Dict) *value.Dict {
	if params == nil || spec.secrets == nil {
		return params
	}
	return spec.secrets.apply(params).(*value.Dict)
}

// MaskConfig gives a copy of a pack's configuration with what its schema calls
// secret masked.
func MaskConfig(configSchema, values *value.Dict) *value.Dict {
	if values == nil || configSchema == nil {
		return values
	}
	m := maskOf(configSchema)
	if m == nil {
		return values
	}
	return m.apply(values).(*value.Dict)
}

// shortestSecret is the length from which a secret is looked for in logs; a
// shorter one would blot out half of every line.
const shortestSecret = 3

// SecretValues are the texts in parameters that must not appear in logs, the
// longest first. The lines of a text of several lines are among them.
func SecretValues(spec *Spec, params *value.Dict) []string {
	if params == nil || spec.secrets == nil {
		return nil
	}
	found := map[string]bool{}
	spec.secrets.collect(params, found, 0)
	texts := make([]string, 0, len(found))
	for text := range found {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(x, y string) int {
		if len(x) != len(y) {
			return len(y) - len(x)
		}
		return strings.Compare(x, y)
	})
	return texts
}

func (m *mask) collect(v value.Value, found map[string]bool, depth int) {
	if m == nil || depth > MaxDepth {
		return
	}
	switch x := v.(type) {
	case *value.Dict:
		for k, item := range x.All() {
			part := m
			if !m.whole {
				part = m.of(value.KeyText(k))
			}
			part.collect(item, found, depth+1)
		}
		return
	case *value.List:
		part := m.items
		if m.whole {
			part = m
		}
		for _, item := range x.Items {
			part.collect(item, found, depth+1)
		}
		return
	case nil, bool:
		return
	}
	text := value.Str(v)
	if len(text) >= shortestSecret {
		found[text] = true
	}
	if !strings.Contains(text, "\n") {
		return
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) >= 8 {
			found[line] = true
		}
	}
}

// secretAt says whether a parameter is secret or holds something that is.
func (s *Spec) secretAt(name string) bool { return s.secrets != nil && s.secrets.keys[name] != nil }

// veil takes secrets that were given out of an error's text.
func (s *Spec) veil(err error, given *value.Dict) error {
	e, ok := err.(*Error)
	if !ok || s.secrets == nil {
		return err
	}
	for _, secret := range SecretValues(s, given) {
		if strings.Contains(e.Message, secret) {
			e.Message, e.Err = strings.ReplaceAll(e.Message, secret, Masked), nil
		}
	}
	return e
}

// veilFault takes secrets out of what a schema error shows.
func (s *Spec) veilFault(fault *schema.Error) *schema.Error {
	if s.secrets == nil {
		return fault
	}
	path := fault.At
	if fault.Keyword == "required" && len(path) > 0 {
		// A missing property is told at the path it would have, with the
		// object that lacks it.
		path = path[:len(path)-1]
	}
	m := s.secrets
	for _, step := range path {
		if m == nil || m.whole {
			break
		}
		if name, ok := step.(string); ok {
			m = m.of(name)
		} else {
			m = m.items
		}
	}
	if m == nil {
		return fault
	}
	veiled := *fault
	veiled.Instance = m.apply(fault.Instance)
	veiled.Message = strings.ReplaceAll(fault.Message, value.Repr(fault.Instance), value.Repr(veiled.Instance))
	return &veiled
}
