package schema

import (
	"slices"
	"strings"

	"petrel/expr/value"
)

func checkProperties(r *run, n *node, rule *rule, v value.Value) error {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil
	}
	for i := range rule.named {
		p := &rule.named[i]
		if err := r.budget.Step(1); err != nil {
			return err
		}
		item, has := d.GetStr(p.name)
		if has {
			if err := r.descend(p.node, item, p.name, p.name); err != nil {
				return err
			}
			continue
		}
		if !p.required {
			continue
		}
		// Draft 3 tells a missing property at the path it would have.
		r.path = append(r.path, p.name)
		r.schemaPath = append(r.schemaPath, p.name, "required")
		err := r.failIn(n, "required", v, nil, func() string { return shown(p.name) + " is a required property" })
		r.path = r.path[:len(r.path)-1]
		r.schemaPath = r.schemaPath[:len(r.schemaPath)-2]
		if err != nil {
			return err
		}
	}
	return nil
}

func checkRequired(r *run, n *node, rule *rule, v value.Value) error {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil
	}
	for _, name := range rule.value.(*value.List).Items {
		if err := r.budget.Step(1); err != nil {
			return err
		}
		if d.Has(name) {
			continue
		}
		if err := r.fail(n, rule, v, func() string { return shown(name) + " is a required property" }); err != nil {
			return err
		}
	}
	return nil
}

func checkPatternProperties(r *run, _ *node, rule *rule, v value.Value) error {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil
	}
	for i := range rule.named {
		for k, item := range d.All() {
			if err := r.budget.Step(4); err != nil {
				return err
			}
			found, err := rule.patterns[i].search(k)
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			if err := r.descend(rule.named[i].node, item, k, rule.named[i].name); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkAdditionalProperties(r *run, n *node, rule *rule, v value.Value) error {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil
	}
	if allowed, isBool := rule.value.(bool); isBool && allowed {
		return nil
	}
	var known *value.Dict
	if p, ok := n.doc.(*value.Dict).GetStr("properties"); ok {
		known, _ = p.(*value.Dict)
	}
	var extras []value.Value
keys:
	for k := range d.All() {
		if err := r.budget.Step(1); err != nil {
			return err
		}
		if known != nil && known.Has(k) {
			continue
		}
		for i := range rule.patterns {
			found, err := rule.patterns[i].search(k)
			if err != nil {
				return err
			}
			if found {
				continue keys
			}
		}
		extras = append(extras, k)
	}
	if rule.one != nil {
		for _, k := range extras {
			item, _ := d.Get(k)
			if err := r.descend(rule.one, item, k, none{}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(extras) == 0 {
		return nil
	}
	if n.doc.(*value.Dict).Has("patternProperties") {
		return r.fail(n, rule, v, func() string {
			verb := "do"
			if len(extras) == 1 {
				verb = "does"
			}
			patterns := make([]string, len(rule.patterns))
			for i := range rule.patterns {
				patterns[i] = rule.patterns[i].text
			}
			slices.Sort(patterns)
			for i := range patterns {
				patterns[i] = value.Quote(patterns[i])
			}
			sorted := slices.Clone(extras)
			slices.SortStableFunc(sorted, func(x, y value.Value) int {
				return strings.Compare(value.KeyText(x), value.KeyText(y))
			})
			return shownAll(sorted) + " " + verb + " not match any of the regexes: " + strings.Join(patterns, ", ")
		})
	}
	return r.fail(n, rule, v, func() string {
		return "Additional properties are not allowed (" + unexpected(extras) + ")"
	})
}

func unexpected(extras []value.Value) string {
	verb := "were"
	if len(extras) == 1 {
		verb = "was"
	}
	return shownAll(extras) + " " + verb + " unexpected"
}

func checkDependencies(r *run, n *node, rule *rule, v value.Value) error {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil
	}
	for i := range rule.named {
		dep := &rule.named[i]
		if _, has := d.GetStr(dep.name); !has {
			continue
		}
		if dep.node != nil {
			if err := r.descend(dep.node, v, none{}, dep.name); err != nil {
				return err
			}
			continue
		}
		for _, needed := range dep.needs {
			if d.Has(needed) {
				continue
			}
			err := r.fail(n, rule, v, func() string { return shown(needed) + " is a dependency of " + shown(dep.name) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func checkItems(r *run, _ *node, rule *rule, v value.Value) error {
	l, ok := v.(*value.List)
	if !ok {
		return nil
	}
	for i, item := range l.Items {
		if rule.one != nil {
			if err := r.descend(rule.one, item, int64(i), none{}); err != nil {
				return err
			}
			continue
		}
		if i >= len(rule.list) {
			break
		}
		if err := r.descend(rule.list[i], item, int64(i), int64(i)); err != nil {
			return err
		}
	}
	return nil
}

func checkAdditionalItems(r *run, n *node, rule *rule, v value.Value) error {
	l, ok := v.(*value.List)
	if !ok || len(l.Items) <= len(rule.list) {
		return nil
	}
	if rule.one != nil {
		for i := len(rule.list); i < len(l.Items); i++ {
			if err := r.descend(rule.one, l.Items[i], int64(i), none{}); err != nil {
				return err
			}
		}
		return nil
	}
	if allowed, _ := rule.value.(bool); allowed {
		return nil
	}
	extras := l.Items[len(rule.list):]
	return r.fail(n, rule, v, func() string { return "Additional items are not allowed (" + unexpected(extras) + ")" })
}

func checkAllOf(r *run, _ *node, rule *rule, v value.Value) error {
	for i, sub := range rule.list {
		if err := r.descend(sub, v, none{}, int64(i)); err != nil {
			return err
		}
	}
	return nil
}

func checkAnyOf(r *run, n *node, rule *rule, v value.Value) error {
	_, context, err := r.firstFit(rule, v)
	if err != nil || context == nil {
		return err
	}
	return r.noneFits(n, rule, v, context)
}

func checkOneOf(r *run, n *node, rule *rule, v value.Value) error {
	first, context, err := r.firstFit(rule, v)
	if err != nil {
		return err
	}
	if context != nil {
		return r.noneFits(n, rule, v, context)
	}
	var more []value.Value
	for _, sub := range rule.list[min(first+1, len(rule.list)):] {
		fits, err := r.fits(sub, v)
		if err != nil {
			return err
		}
		if fits {
			more = append(more, sub.doc)
		}
	}
	if len(more) == 0 {
		return nil
	}
	more = append(more, rule.list[first].doc)
	return r.fail(n, rule, v, func() string { return shown(v) + " is valid under each of " + shownAll(more) })
}

// firstFit gives the index of the first subschema that a value fits, or the
// pick of all the faults when there is none.
func (r *run) firstFit(rule *rule, v value.Value) (first int, context *fault, err error) {
	first = -1
	context, err = r.aside(pickDeepest, func() error {
		for i, sub := range rule.list {
			before := r.found
			r.found.best = nil
			if err := r.descend(sub, v, none{}, int64(i)); err != nil {
				return err
			}
			if r.found.best == nil {
				first = i
				return nil
			}
			r.found = before.join(r.found)
		}
		return nil
	})
	if first >= 0 {
		context = nil
	}
	return first, context, err
}

// join adds what a later part of the same check has found.
func (c collector) join(later collector) collector {
	if c.best == nil || later.depth > c.depth || later.depth == c.depth && later.strength < c.strength {
		return later
	}
	return c
}

func (r *run) noneFits(n *node, rule *rule, v value.Value, context *fault) error {
	return r.failIn(n, rule.keyword, v, context, func() string {
		return shown(v) + " is not valid under any of the given schemas"
	})
}

func checkNot(r *run, n *node, rule *rule, v value.Value) error {
	fits, err := r.fits(rule.one, v)
	if err != nil || !fits {
		return err
	}
	return r.fail(n, rule, v, func() string { return shown(rule.value) + " is not allowed for " + shown(v) })
}
