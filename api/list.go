package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"petrel"
)

// listRules are what the list of one noun takes.
type listRules struct {
	defaultLimit int64 // when no limit is given; 0 for none
	noOffset     bool  // offset is not a parameter there
	sortable     []string
	fields       fieldRules
}

// listPage is what of a list is asked for.
type listPage struct {
	pick   picking
	sort   []sortKey
	offset int
	limit  int // 0: all
	ids    []petrel.ID
}

type sortKey struct {
	name string
	desc bool
}

// page reads limit, offset, sort, id and the attributes of a list.
// st2: st2api/st2api/controllers/resource.py
func (c *call) page(rules listRules) (listPage, error) {
	var p listPage
	limit, err := c.integer("limit", rules.defaultLimit)
	if err != nil {
		return p, err
	}
	var offset int64
	if !rules.noOffset {
		if offset, err = c.integer("offset", 0); err != nil {
			return p, err
		}
	}
	include, exclude := c.list("include_attributes"), c.list("exclude_attributes")
	if include != nil && exclude != nil {
		return p, petrel.Errorf(petrel.Invalid, "exclude_fields and include_fields arguments are mutually exclusive. "+
			"You need to provide either one or another, but not both.")
	}
	if err := rules.fields.checkExclude(exclude); err != nil {
		return p, err
	}
	for _, key := range strings.Split(c.text("sort"), ",") {
		name := strings.TrimLeft(key, "+-")
		if slices.Contains(rules.sortable, name) {
			p.sort = append(p.sort, sortKey{name, strings.HasPrefix(key, "-")})
		}
	}
	if offset >= 1<<31 {
		return p, petrel.Errorf(petrel.Invalid, "Offset \"%s\" specified is more than 32-bit int", c.text("offset"))
	}
	if offset < 0 {
		return p, petrel.Errorf(petrel.Invalid, "Offset \"%s\" specified, must not be negative.", c.text("offset"))
	}
	if p.limit, err = c.limit(limit); err != nil {
		return p, err
	}
	p.offset = int(offset)
	if p.pick, err = rules.fields.pick(include, exclude, false); err != nil {
		return p, err
	}
	p.ids, err = c.ids("id")
	return p, err
}

// limit judges the size of a page; 0 means all.
func (c *call) limit(limit int64) (int, error) {
	shown := c.text("limit")
	switch {
	case limit == 0 && shown != "":
		return 0, petrel.Errorf(petrel.Invalid, "Limit, \"%s\" specified, must be a positive number or -1 for full result set.", shown)
	case limit == 0:
		return 0, nil
	case limit == -1:
		if !c.admin() {
			return 0, petrel.Errorf(petrel.Forbidden, "Administrator access required to be able to specify limit=-1 and retrieve all the records")
		}
		return 0, nil
	case limit < -1:
		return 0, petrel.Errorf(petrel.Invalid, "Limit, \"%s\" specified, must be a positive number.", shown)
	case limit > int64(c.a.cfg.MaxPageSize) && !c.admin():
		return 0, petrel.Errorf(petrel.Forbidden, "Limit \"%d\" specified, maximum value is \"%d\"", limit, c.a.cfg.MaxPageSize)
	}
	return int(min(limit, 1<<31-1)), nil
}

// maxFilterItems bounds how many values one parameter may hold.
const maxFilterItems = 100

// ids is a query parameter that holds ids; nil when it is absent or empty.
func (c *call) ids(name string) ([]petrel.ID, error) {
	if c.text(name) == "" {
		return nil, nil
	}
	words := c.list(name)
	if len(words) > maxFilterItems {
		return nil, petrel.Errorf(petrel.Invalid, "Maximum of %d items can be provided for a query parameter value", maxFilterItems)
	}
	out := make([]petrel.ID, len(words))
	for i, word := range words {
		if out[i] = petrel.ID(strings.ToLower(word)); !out[i].Valid() {
			return nil, badID(word)
		}
	}
	return out, nil
}

func badID(text string) error {
	return petrel.Errorf(petrel.Invalid, "'%s' is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string", cutText(text))
}

// one is a query parameter as a filter that has one value at most.
func (c *call) one(name string) []string {
	if text := c.text(name); text != "" {
		return []string{text}
	}
	return nil
}

// any is a query parameter as a filter that has several values.
func (c *call) any(name string) ([]string, error) {
	if c.text(name) == "" {
		return nil, nil
	}
	words := c.list(name)
	if len(words) > maxFilterItems {
		return nil, petrel.Errorf(petrel.Invalid, "Maximum of %d items can be provided for a query parameter value", maxFilterItems)
	}
	return words, nil
}

// counted sets the headers of a list.
func (c *call) counted(total int, p listPage) {
	h := c.w.Header()
	h.Set("X-Total-Count", strconv.Itoa(total))
	if p.limit > 0 {
		h.Set("X-Limit", strconv.Itoa(p.limit))
	}
}

// answerList answers with a page of content.
func (c *call) answerList(items []object, total int, p listPage) error {
	for i := range items {
		items[i] = p.pick.apply(items[i])
	}
	c.counted(total, p)
	if items == nil {
		items = []object{}
	}
	return c.json(http.StatusOK, items)
}

// sortItems orders content by attributes that are texts.
func sortItems[T any](items []T, keys []sortKey, text func(item T, name string) string) {
	slices.SortStableFunc(items, func(x, y T) int {
		for _, k := range keys {
			n := cmp.Compare(text(x, k.name), text(y, k.name))
			if n != 0 {
				if k.desc {
					return -n
				}
				return n
			}
		}
		return 0
	})
}

// cut takes a page out of a whole list.
func cut[T any](items []T, p listPage) []T {
	if p.offset >= len(items) {
		return nil
	}
	items = items[p.offset:]
	if p.limit > 0 && p.limit < len(items) {
		items = items[:p.limit]
	}
	return items
}

// fieldRules are the attributes of a noun that may be selected.
type fieldRules struct {
	known     []string // names; nil takes any
	nested    []string // of known: those that hold objects, whose members may be selected
	keep      []string // shown whatever is selected
	excluding []string // the only ones that may be left out; nil for any of known
	// also names members that a selection inside a member brings along, because
	// secrets are masked by them ("action" → uid, parameters, …).
	also map[string][]string
	// whole are members that are shown whole even when a part is selected.
	whole []string
}

func (f fieldRules) checkExclude(names []string) error {
	for _, name := range names {
		if f.excluding != nil && !slices.Contains(f.excluding, name) ||
			f.excluding == nil && f.known != nil && !slices.Contains(f.known, name) {
			return petrel.Errorf(petrel.Invalid, "Invalid or unsupported exclude attribute specified: %s", cutText(name))
		}
	}
	return nil
}

// picking is a selection of attributes; the zero value takes all.
type picking struct {
	rules   fieldRules
	include map[string][][]string // first word → the paths below it; nil for the whole member
	exclude []string
	chosen  bool
}

// pick checks a selection. One object and lists differ in how an unknown name
// is told. st2: st2common/st2common/models/db/__init__.py
func (f fieldRules) pick(include, exclude []string, one bool) (picking, error) {
	p := picking{rules: f, exclude: exclude}
	if include == nil {
		return p, nil
	}
	if len(include) > maxFilterItems {
		return p, petrel.Errorf(petrel.Invalid, "Maximum of %d items can be provided for a query parameter value", maxFilterItems)
	}
	p.chosen, p.include = true, map[string][][]string{}
	for _, name := range include {
		words := strings.Split(name, ".")
		fail := func(detail string) error {
			return petrel.Errorf(petrel.Invalid, "Invalid or unsupported include attribute specified: %s", detail)
		}
		if f.known != nil && !slices.Contains(f.known, words[0]) {
			if one || words[0] == "" {
				return p, fail(fmt.Sprintf("Cannot resolve field \"%s\"", cutText(words[0])))
			}
			return p, fail(cutText(words[0]))
		}
		if len(words) > 1 && f.known != nil && !slices.Contains(f.nested, words[0]) {
			return p, fail(fmt.Sprintf("Cannot resolve subfield or operator %s on the field %s", cutText(words[1]), words[0]))
		}
		if paths, ok := p.include[words[0]]; ok && paths == nil {
			continue
		}
		if len(words) == 1 || slices.Contains(f.whole, words[0]) {
			p.include[words[0]] = nil
			continue
		}
		if len(words) > maxBodyDepth {
			return p, fail(cutText(name))
		}
		p.include[words[0]] = append(p.include[words[0]], words[1:])
	}
	return p, nil
}

// wants says whether a member will be shown.
func (p picking) wants(name string) bool {
	if slices.Contains(p.exclude, name) {
		return false
	}
	if !p.chosen {
		return true
	}
	_, ok := p.include[name]
	return ok || slices.Contains(p.rules.keep, name)
}

// apply takes what was not asked for out of an object.
func (p picking) apply(o object) object {
	if !p.chosen && len(p.exclude) == 0 {
		return o
	}
	var out object
	for _, m := range o {
		if !p.wants(m.key) {
			continue
		}
		if paths := p.include[m.key]; paths != nil && !slices.Contains(p.rules.keep, m.key) {
			for _, also := range p.rules.also[m.key] {
				paths = append(paths, []string{also})
			}
			m.val = selectPaths(m.val, paths)
		}
		out = append(out, m)
	}
	return out
}

// selectPaths keeps the members of a value that paths lead to.
func selectPaths(v any, paths [][]string) any {
	below := map[string][][]string{}
	for _, path := range paths {
		if rest, ok := below[path[0]]; ok && rest == nil {
			continue
		}
		if len(path) == 1 {
			below[path[0]] = nil
			continue
		}
		below[path[0]] = append(below[path[0]], path[1:])
	}
	var from object
	switch x := v.(type) {
	case object:
		from = x
	case petrel.JSON:
		d := dictOf(x)
		if d == nil {
			return v
		}
		for k, item := range d.All() {
			if name, ok := k.(string); ok {
				from.add(name, item)
			}
		}
	default:
		d := asDict(v)
		if d == nil {
			return v
		}
		for k, item := range d.All() {
			if name, ok := k.(string); ok {
				from.add(name, item)
			}
		}
	}
	out := object{}
	for _, m := range from {
		paths, ok := below[m.key]
		if !ok {
			continue
		}
		if paths != nil {
			m.val = selectPaths(m.val, paths)
		}
		out = append(out, m)
	}
	return out
}
