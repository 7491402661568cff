package schema

import "petrel/expr/value"

// fillObject fills in the defaults of an object's properties. The instance and
// what it holds are changed, so they must be the caller's own copy.
func fillObject(instance *value.Dict, doc *value.Dict, depth int) *value.Dict {
	properties := dictAt(doc, "properties")
	if properties == nil || depth > MaxDepth {
		return instance
	}
	dependencies := dictAt(doc, "dependencies")
	for name, sub := range properties.All() {
		property, ok := sub.(*value.Dict)
		if !ok {
			continue
		}
		def, has := property.GetStr("default")
		if has && dependencies != nil && !defaultApplies(name, instance, properties, dependencies) {
			has = false
		}
		current, _ := instance.Get(name)
		if has && current == nil {
			current = value.Copy(def)
			instance.Set(name, current)
		}
		// A property that may be either is taken for an array, so an object
		// there gets no defaults: so has the original.
		kind, _ := property.GetStr("type")
		if _, isDict := current.(*value.Dict); isDict && typeIs(kind, "array") {
			continue
		}
		if filled, changed := fillInside(current, property, depth); changed {
			instance.Set(name, filled)
		}
	}
	return instance
}

// defaultApplies says whether a default may be used though the property needs
// others beside it: not while one of those has neither a value nor a default.
func defaultApplies(name value.Value, instance, properties, dependencies *value.Dict) bool {
	needs, ok := dependencies.Get(name)
	if !ok {
		return true
	}
	var names []value.Value
	switch x := needs.(type) {
	case *value.List:
		names = x.Items
	case *value.Dict:
		names = x.Keys()
	}
	for _, n := range names {
		if p, ok := properties.Get(n); ok {
			if d, ok := p.(*value.Dict); ok && d.Has("default") {
				continue
			}
		}
		if !instance.Has(n) {
			return false
		}
	}
	return true
}

// fillInside goes on into an array or object where its schema says it is one.
func fillInside(v value.Value, doc *value.Dict, depth int) (value.Value, bool) {
	kind, _ := doc.GetStr("type")
	switch x := v.(type) {
	case *value.List:
		if typeIs(kind, "array") {
			return fillArray(x, doc, depth+1), true
		}
	case *value.Dict:
		if typeIs(kind, "object") {
			return fillObject(x, doc, depth+1), true
		}
	}
	return v, false
}

func fillArray(instance *value.List, doc *value.Dict, depth int) *value.List {
	if depth > MaxDepth {
		return instance
	}
	items, _ := doc.GetStr("items")
	for i := range instance.Items {
		var sub value.Value = items
		if l, ok := items.(*value.List); ok {
			if i >= len(l.Items) {
				break
			}
			sub = l.Items[i]
		}
		item, ok := sub.(*value.Dict)
		if !ok {
			continue
		}
		if def, has := item.GetStr("default"); has && instance.Items[i] == nil {
			instance.Items[i] = value.Copy(def)
		}
		if filled, changed := fillInside(instance.Items[i], item, depth); changed {
			instance.Items[i] = filled
		}
	}
	return instance
}

// allowNone gives a copy of a schema in which null is permitted for every
// property that is optional or has null as its default. A property without a
// type counts as a string there, as it does in the original.
func allowNone(doc *value.Dict) *value.Dict {
	properties := dictAt(doc, "properties")
	if properties == nil {
		return doc
	}
	changed := value.NewDictSize(properties.Len())
	for name, sub := range properties.All() {
		property, ok := sub.(*value.Dict)
		if !ok {
			changed.Set(name, sub)
			continue
		}
		changed.Set(name, allowNoneFor(property.Clone()))
	}
	out := doc.Clone()
	out.SetStr("properties", changed)
	return out
}

func allowNoneFor(p *value.Dict) *value.Dict {
	required, _ := p.GetStr("required")
	mandatory, _ := value.Truth(nil, required)
	def, has := p.GetStr("default")
	if (has || !mandatory) && def == nil {
		addNull(p)
	}
	kind, _ := p.GetStr("type")
	if items := dictAt(p, "items"); typeIs(kind, "array") && items != nil && nonEmpty(dictAt(items, "properties")) {
		p.SetStr("items", allowNone(items))
	}
	if typeIs(kind, "object") && nonEmpty(dictAt(p, "properties")) {
		return allowNone(p)
	}
	return p
}

// addNull adds null to what a property may be, unless it is there.
func addNull(p *value.Dict) {
	null := value.DictOf("type", "null")
	for _, word := range []string{"anyOf", "oneOf"} {
		choice, ok := p.GetStr(word)
		if !ok {
			continue
		}
		if l, ok := choice.(*value.List); ok && !listHasNull(l) {
			p.SetStr(word, appended(l, null))
			return
		}
	}
	if p.Has("anyOf") || p.Has("oneOf") {
		// What follows is for a plain type; one with a choice is left alone.
		if l, ok := typeList(p); ok && !listHasNull(l) {
			p.SetStr("type", appended(l, "null"))
		}
		return
	}
	if l, ok := typeList(p); ok {
		if !listHasNull(l) {
			p.SetStr("type", appended(l, "null"))
		}
		return
	}
	kind, ok := p.GetStr("type")
	if !ok {
		kind = "string"
	}
	p.SetStr("type", value.NewList(kind, "null"))
}

func typeList(p *value.Dict) (*value.List, bool) {
	kind, _ := p.GetStr("type")
	l, ok := kind.(*value.List)
	return l, ok
}

func listHasNull(l *value.List) bool {
	for _, item := range l.Items {
		if item == "null" {
			return true
		}
		if d, ok := item.(*value.Dict); ok {
			if kind, _ := d.GetStr("type"); kind == "null" {
				return true
			}
		}
	}
	return false
}

func appended(l *value.List, v value.Value) *value.List {
	return &value.List{Items: append(append(make([]value.Value, 0, len(l.Items)+1), l.Items...), v)}
}

func typeIs(kind value.Value, name string) bool {
	if l, ok := kind.(*value.List); ok {
		for _, k := range l.Items {
			if k == name {
				return true
			}
		}
		return false
	}
	return kind == name
}

func dictAt(d *value.Dict, key string) *value.Dict {
	v, _ := d.GetStr(key)
	sub, _ := v.(*value.Dict)
	return sub
}

func nonEmpty(d *value.Dict) bool { return d != nil && d.Len() > 0 }
