package yamldoc

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"petrel/expr/value"
)

// builder turns nodes into values.
type builder struct {
	doc    *Document
	limits Limits
	nodes  int
	// allowance is how many more bytes aliases and merge keys may add.
	allowance int
	// inside are the anchored nodes that are being built, to find a value that
	// holds itself.
	inside map[*yaml.Node]bool
}

func (b *builder) fail(n *yaml.Node, format string, args ...any) error {
	return &Error{b.doc.File, Position{n.Line, n.Column}, fmt.Sprintf(format, args...)}
}

// count takes one node, and the bytes of a copy when it comes by an alias.
func (b *builder) count(n *yaml.Node, copied bool) error {
	if b.nodes++; b.nodes > b.limits.Nodes {
		return b.fail(n, "the document has too many values, the limit is %d", b.limits.Nodes)
	}
	if copied {
		if b.allowance -= 2 + len(n.Value); b.allowance < 0 {
			return b.fail(n, "too many aliases: they grow to more than %d times the file", b.limits.AliasFactor)
		}
	}
	return nil
}

func (b *builder) build(n *yaml.Node, depth int, copied bool) (value.Value, error) {
	if n.Kind == yaml.AliasNode {
		if b.inside[n.Alias] {
			return nil, b.fail(n, "the alias *%s stands inside its own anchor", cut(n.Value))
		}
		return b.build(n.Alias, depth, true)
	}
	if err := b.count(n, copied); err != nil {
		return nil, err
	}
	if n.Kind == yaml.ScalarNode {
		v, err := scalar(n)
		if err != nil {
			return nil, b.fail(n, "%v", err)
		}
		if text, ok := v.(string); ok && strings.IndexByte(text, 0) >= 0 {
			return nil, b.fail(n, "the text holds a NUL character")
		}
		return v, nil
	}
	if depth >= b.limits.Depth {
		return nil, b.fail(n, "too deep: the limit is %d levels", b.limits.Depth)
	}
	if n.Anchor != "" {
		b.inside[n] = true
		defer delete(b.inside, n)
	}
	switch n.Kind {
	case yaml.SequenceNode:
		if n.Tag != "!!seq" {
			return nil, b.fail(n, "the tag %s cannot stand on a list", cut(n.Tag))
		}
		list := &value.List{Items: make([]value.Value, 0, len(n.Content))}
		for _, item := range n.Content {
			v, err := b.build(item, depth+1, copied)
			if err != nil {
				return nil, err
			}
			list.Items = append(list.Items, v)
		}
		return list, nil
	case yaml.MappingNode:
		if n.Tag != "!!map" {
			return nil, b.fail(n, "the tag %s cannot stand on a map", cut(n.Tag))
		}
		return b.mapping(n, depth, copied)
	}
	return nil, b.fail(n, "a value expected")
}

// pair is one entry of a map; foreign says that a merge key brought it.
type pair struct {
	key, value *yaml.Node
	foreign    bool
}

func (b *builder) mapping(n *yaml.Node, depth int, copied bool) (value.Value, error) {
	pairs, err := b.pairs(n, depth)
	if err != nil {
		return nil, err
	}
	dict := value.NewDictSize(len(pairs))
	var own map[value.Value]*yaml.Node // keys of the map itself, to tell of those that stand twice
	for _, p := range pairs {
		key, err := b.key(p.key, depth+1, copied || p.foreign)
		if err != nil {
			return nil, err
		}
		v, err := b.build(p.value, depth+1, copied || p.foreign)
		if err != nil {
			return nil, err
		}
		if !p.foreign {
			if own == nil {
				own = make(map[value.Value]*yaml.Node, len(n.Content)/2)
			}
			if first, twice := own[mapKey(key)]; twice && !copied && len(b.doc.Warnings) < maxWarnings {
				b.doc.Warnings = append(b.doc.Warnings, &Error{b.doc.File, Position{p.key.Line, p.key.Column},
					fmt.Sprintf("the key %q stands twice, first on line %d; this one counts", cut(p.key.Value), first.Line)})
			}
			own[mapKey(key)] = p.key
		}
		dict.Set(key, v)
	}
	return dict, nil
}

// mapKey makes a key comparable in Go; big integers are pointers.
func mapKey(key value.Value) value.Value {
	switch k := key.(type) {
	case string, int64, bool, float64, nil:
		return k
	}
	return fmt.Sprint(key)
}

func (b *builder) key(n *yaml.Node, depth int, copied bool) (value.Value, error) {
	target := n
	if n.Kind == yaml.AliasNode {
		target = n.Alias
	}
	if target.Kind != yaml.ScalarNode {
		return nil, b.fail(n, "a key must be a scalar, not a list or a map")
	}
	if target.Tag == "!!merge" || target.Tag == "!!str" && target.Style&yaml.TaggedStyle != 0 {
		return target.Value, b.count(target, copied)
	}
	if target.Style == 0 && target.Value == "=" {
		return "=", b.count(target, copied)
	}
	return b.build(n, depth, copied)
}

// pairs are the entries of a map with its merge keys resolved in PyYAML's order:
// what is merged stands first, of several sources the first one counts, and the
// map's own keys come last and count most.
func (b *builder) pairs(n *yaml.Node, depth int) ([]pair, error) {
	if depth >= b.limits.Depth {
		return nil, b.fail(n, "too deep: the limit is %d levels", b.limits.Depth)
	}
	var merged []pair
	own := make([]pair, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if !isMerge(key) {
			own = append(own, pair{key: key, value: val})
			continue
		}
		target, err := b.target(val)
		if err != nil {
			return nil, err
		}
		switch target.Kind {
		case yaml.MappingNode:
			if merged, err = b.merge(merged, val, target, depth); err != nil {
				return nil, err
			}
		case yaml.SequenceNode:
			for j := len(target.Content) - 1; j >= 0; j-- {
				item, err := b.target(target.Content[j])
				if err != nil {
					return nil, err
				}
				if item.Kind != yaml.MappingNode {
					return nil, b.fail(target.Content[j], "a merge key takes maps, this is another kind of value")
				}
				if merged, err = b.merge(merged, target.Content[j], item, depth); err != nil {
					return nil, err
				}
			}
		default:
			return nil, b.fail(val, "a merge key takes a map or a list of maps")
		}
	}
	return append(merged, own...), nil
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Tag == "!!merge"
}

func (b *builder) target(n *yaml.Node) (*yaml.Node, error) {
	if n.Kind != yaml.AliasNode {
		return n, nil
	}
	if b.inside[n.Alias] {
		return nil, b.fail(n, "the alias *%s stands inside its own anchor", cut(n.Value))
	}
	return n.Alias, nil
}

func (b *builder) merge(to []pair, at, source *yaml.Node, depth int) ([]pair, error) {
	if b.inside[source] {
		return nil, b.fail(at, "a map cannot be merged into itself")
	}
	if err := b.count(at, true); err != nil {
		return nil, err
	}
	b.inside[source] = true
	defer delete(b.inside, source)
	more, err := b.pairs(source, depth+1)
	if err != nil {
		return nil, err
	}
	for _, p := range more {
		if err := b.count(p.key, true); err != nil {
			return nil, err
		}
		to = append(to, pair{key: p.key, value: p.value, foreign: true})
	}
	return to, nil
}
