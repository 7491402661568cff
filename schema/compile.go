package schema

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"petrel/expr/pyre"
	"petrel/expr/value"
)

// node is one subschema with its keywords in the order they were written,
// because that order decides which fault is told.
type node struct {
	doc   value.Value
	rules []rule
	// refuse is set for the schema `false`, which nothing fits.
	refuse bool
}

// rule is one keyword of a subschema.
type rule struct {
	keyword string
	value   value.Value
	check   func(r *run, n *node, rule *rule, v value.Value) error
	// What the keyword's value was compiled to, as far as it needs it.
	one      *node
	list     []*node
	named    []namedNode
	patterns []pattern
	types    []typeTest
	err      error // the keyword cannot be used; told when a value reaches it
}

// namedNode is a subschema under a name: a property or a dependency.
type namedNode struct {
	name     string
	node     *node
	required bool
	needs    []value.Value // of a dependency that is a list of names
}

// pattern is a regular expression, compiled when the schema is.
type pattern struct {
	text string
	re   *pyre.Regexp
	err  error
}

func newPattern(text string) pattern {
	re, err := pyre.Compile(text, 0)
	return pattern{text: text, re: re, err: err}
}

func (p *pattern) search(v value.Value) (bool, error) {
	if p.err != nil {
		return false, fmt.Errorf("pattern %s: %w", value.Quote(p.text), p.err)
	}
	text, ok := value.AsString(v)
	if !ok {
		return false, value.TypeErrorf("expected string or bytes-like object, got '%s'", value.TypeName(v))
	}
	m, err := p.re.Search(text)
	if err != nil {
		return false, fmt.Errorf("pattern %s: %w", value.Quote(p.text), err)
	}
	return m != nil, nil
}

type nodeKey struct {
	doc  *value.Dict
	base string
}

// compiler turns a document into nodes. A subschema that is reached again, by
// a $ref, is the same node, so schemas may refer to themselves.
type compiler struct {
	dialect Dialect
	root    value.Value
	nodes   map[nodeKey]*node
	depth   int
}

func (c *compiler) compile(doc value.Value, base string) (*node, error) {
	switch x := doc.(type) {
	case bool:
		return &node{doc: doc, refuse: !x}, nil
	case *value.Dict:
		return c.object(x, base)
	}
	return nil, fmt.Errorf("a schema must be an object, this is %s", shown(doc))
}

func (c *compiler) object(doc *value.Dict, base string) (*node, error) {
	key := nodeKey{doc, base}
	if n, ok := c.nodes[key]; ok {
		return n, nil
	}
	if len(c.nodes) >= MaxNodes {
		return nil, &value.LimitError{Limit: "subschemas", Max: strconv.Itoa(MaxNodes)}
	}
	if c.depth >= MaxDepth {
		return nil, &value.LimitError{Limit: "levels of depth", Max: strconv.Itoa(MaxDepth)}
	}
	c.depth++
	defer func() { c.depth-- }()
	n := &node{doc: doc}
	c.nodes[key] = n
	if id, _ := doc.GetStr("id"); id != nil {
		if text, ok := id.(string); ok {
			base = joinURL(base, text)
		}
	}
	if ref, ok := doc.GetStr("$ref"); ok && ref != nil {
		r := rule{keyword: "$ref", value: ref, check: checkRef}
		r.one, r.err = c.resolve(ref, base)
		n.rules = []rule{r}
		return n, nil
	}
	for k, v := range doc.All() {
		word, _ := k.(string)
		r, ok, err := c.rule(doc, word, v, base)
		if err != nil {
			return nil, err
		}
		if ok {
			n.rules = append(n.rules, r)
		}
	}
	return n, nil
}

// rule compiles one keyword; ok is false for words that check nothing.
func (c *compiler) rule(doc *value.Dict, word string, v value.Value, base string) (r rule, ok bool, err error) {
	r = rule{keyword: word, value: v}
	bad := func(want string) (rule, bool, error) {
		return r, false, fmt.Errorf("%s of a schema must be %s, this is %s", word, want, shown(v))
	}
	number := func(check func(*run, *node, *rule, value.Value) error) (rule, bool, error) {
		if !isNumber(v) {
			return bad("a number")
		}
		r.check = check
		return r, true, nil
	}
	switch word {
	case "additionalItems":
		r.check = checkAdditionalItems
		if d, isDict := v.(*value.Dict); isDict {
			r.one, err = c.object(d, base)
		} else if _, isBool := v.(bool); !isBool {
			return bad("true, false or an object")
		}
		items, _ := doc.GetStr("items")
		l, isList := items.(*value.List)
		if !isList {
			return r, false, err // one schema for all items, or none, leaves none over
		}
		r.list = make([]*node, len(l.Items))
		return r, true, err
	case "additionalProperties":
		r.check = checkAdditionalProperties
		if d, isDict := v.(*value.Dict); isDict {
			r.one, err = c.object(d, base)
		} else if _, isBool := v.(bool); !isBool {
			return bad("true, false or an object")
		}
		if p, ok := doc.GetStr("patternProperties"); ok {
			if d, isDict := p.(*value.Dict); isDict {
				for _, k := range d.Keys() {
					text, _ := value.AsString(k)
					r.patterns = append(r.patterns, newPattern(text))
				}
			}
		}
		return r, true, err
	case "allOf", "anyOf", "oneOf":
		r.check = map[string]func(*run, *node, *rule, value.Value) error{
			"allOf": checkAllOf, "anyOf": checkAnyOf, "oneOf": checkOneOf}[word]
		l, isList := v.(*value.List)
		if !isList {
			return bad("an array of schemas")
		}
		r.list, err = c.nodesOf(l, base)
		return r, true, err
	case "not":
		r.check = checkNot
		r.one, err = c.compile(v, base)
		return r, true, err
	case "dependencies":
		r.check = checkDependencies
		d, isDict := v.(*value.Dict)
		if !isDict {
			return bad("an object")
		}
		for k, dep := range d.All() {
			named := namedNode{name: value.KeyText(k)}
			if l, isList := dep.(*value.List); isList {
				named.needs = l.Items
			} else if named.node, err = c.compile(dep, base); err != nil {
				return r, false, err
			}
			r.named = append(r.named, named)
		}
		return r, true, nil
	case "enum":
		if _, isList := v.(*value.List); !isList {
			return bad("an array")
		}
		r.check = checkEnum
		return r, true, nil
	case "items":
		r.check = checkItems
		if l, isList := v.(*value.List); isList {
			r.list, err = c.nodesOf(l, base)
		} else {
			r.one, err = c.compile(v, base)
		}
		return r, true, err
	case "maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties":
		return number(checkSize)
	case "maximum", "minimum":
		return number(checkRange)
	case "multipleOf":
		if f, isNum := floatOf(v); isNum && f == 0 {
			return bad("greater than 0")
		}
		return number(checkMultipleOf)
	case "pattern":
		text, isText := value.AsString(v)
		if !isText {
			return bad("a string")
		}
		r.check, r.patterns = checkPattern, []pattern{newPattern(text)}
		return r, true, nil
	case "patternProperties":
		r.check = checkPatternProperties
		d, isDict := v.(*value.Dict)
		if !isDict {
			return bad("an object")
		}
		for k, sub := range d.All() {
			n, err := c.compile(sub, base)
			if err != nil {
				return r, false, err
			}
			text := value.KeyText(k)
			r.patterns = append(r.patterns, newPattern(text))
			r.named = append(r.named, namedNode{name: text, node: n})
		}
		return r, true, nil
	case "properties":
		r.check = checkProperties
		d, isDict := v.(*value.Dict)
		if !isDict {
			return bad("an object")
		}
		for k, sub := range d.All() {
			n, err := c.compile(sub, base)
			if err != nil {
				return r, false, err
			}
			named := namedNode{name: value.KeyText(k), node: n}
			if sd, isDict := sub.(*value.Dict); isDict && c.dialect == Custom {
				if required, ok := sd.GetStr("required"); ok {
					named.required, _ = value.Truth(nil, required)
				}
			}
			r.named = append(r.named, named)
		}
		return r, true, nil
	case "required":
		if c.dialect != Draft4 {
			return r, false, nil
		}
		if _, isList := v.(*value.List); !isList {
			return bad("an array")
		}
		r.check = checkRequired
		return r, true, nil
	case "type":
		r.check = checkType
		names := []value.Value{v}
		if l, isList := v.(*value.List); isList {
			names = l.Items
		}
		for _, name := range names {
			text, _ := name.(string)
			test, known := typeTests[text]
			if !known {
				return r, false, fmt.Errorf("unknown type %s in a schema", shown(name))
			}
			r.types = append(r.types, test)
		}
		return r, true, nil
	case "uniqueItems":
		on, _ := value.Truth(nil, v)
		r.check = checkUniqueItems
		return r, on, nil
	}
	return r, false, nil
}

func (c *compiler) nodesOf(l *value.List, base string) ([]*node, error) {
	nodes := make([]*node, len(l.Items))
	for i, item := range l.Items {
		n, err := c.compile(item, base)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}

// resolve finds what a $ref points to: something in the document itself, or in
// the metaschema that StackStorm's schemas name. Nothing is ever fetched.
func (c *compiler) resolve(ref value.Value, base string) (*node, error) {
	text, ok := ref.(string)
	if !ok {
		return nil, fmt.Errorf("$ref of a schema must be a string, this is %s", shown(ref))
	}
	full := joinURL(base, text)
	address, fragment, _ := strings.Cut(full, "#")
	var doc value.Value
	switch address {
	case "", baseOf(c.root):
		doc = c.root
	case metaURL:
		doc = metaDoc(Custom)
	default:
		return nil, fmt.Errorf("$ref %s leads out of the schema; only references inside it are followed", value.Quote(text))
	}
	doc, err := pointer(doc, fragment)
	if err != nil {
		return nil, err
	}
	return c.compile(doc, address)
}

// pointer follows a JSON pointer.
func pointer(doc value.Value, fragment string) (value.Value, error) {
	fragment = strings.TrimLeft(fragment, "/")
	if fragment == "" {
		return doc, nil
	}
	plain, err := url.PathUnescape(fragment)
	if err != nil {
		plain = fragment
	}
	missing := value.Errorf("RefResolutionError", "Unresolvable JSON pointer: %s", value.Quote(fragment))
	for _, part := range strings.Split(plain, "/") {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		switch x := doc.(type) {
		case *value.Dict:
			next, ok := x.GetStr(part)
			if !ok {
				return nil, missing
			}
			doc = next
		case *value.List:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(x.Items) {
				return nil, missing
			}
			doc = x.Items[i]
		default:
			return nil, missing
		}
	}
	return doc, nil
}

// baseOf is the address of a document: its id without the fragment.
func baseOf(doc value.Value) string {
	d, ok := doc.(*value.Dict)
	if !ok {
		return ""
	}
	id, _ := d.GetStr("id")
	text, _ := id.(string)
	text, _, _ = strings.Cut(text, "#")
	return text
}

func joinURL(base, ref string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	r, err := url.Parse(ref)
	if err != nil {
		return ref
	}
	joined := b.ResolveReference(r)
	// A reference inside the document keeps the document's address as it is.
	if r.Scheme == "" && r.Host == "" && r.Path == "" && r.RawQuery == "" {
		address, _, _ := strings.Cut(base, "#")
		if ref == "" {
			return base
		}
		return address + ref
	}
	return joined.String()
}
