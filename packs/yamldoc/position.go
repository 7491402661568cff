package yamldoc

import (
	"strconv"

	"gopkg.in/yaml.v3"
)

// At is the place of the value at a path of keys (strings) and indexes (ints). Of
// a path that leads nowhere it is the place of the last step that exists, so
// that an error about what is missing points at what it is missing from.
func (d *Document) At(path ...any) Position {
	n := d.root
	if n == nil {
		return Position{Line: 1, Column: 1}
	}
	at := Position{n.Line, n.Column}
	for _, step := range path {
		for n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		key, next := child(n, step, 0)
		if next == nil {
			break
		}
		n, at = next, Position{next.Line, next.Column}
		if next.Kind != yaml.ScalarNode && key != nil {
			at = Position{key.Line, key.Column}
		}
	}
	return at
}

// Key is the place of a key of the map at a path; the place of the map when the key
// is not there.
func (d *Document) Key(path []any, key string) Position {
	at := d.At(path...)
	n := d.root
	for _, step := range append(append([]any{}, path...), key) {
		if n == nil {
			return at
		}
		for n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		var k *yaml.Node
		if k, n = child(n, step, 0); k != nil {
			at = Position{k.Line, k.Column}
		}
	}
	return at
}

// child finds a step below a node; the last of several equal keys counts.
func child(n *yaml.Node, step any, depth int) (key, val *yaml.Node) {
	switch n.Kind {
	case yaml.SequenceNode:
		if i, ok := step.(int); ok && i >= 0 && i < len(n.Content) {
			return nil, n.Content[i]
		}
	case yaml.MappingNode:
		name, ok := step.(string)
		if i, isInt := step.(int); isInt {
			name, ok = strconv.Itoa(i), true
		}
		if !ok {
			return nil, nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Value == name && !isMerge(k) {
				key, val = k, n.Content[i+1]
			}
		}
		if val != nil || depth >= defaultDepth {
			return key, val
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !isMerge(n.Content[i]) {
				continue
			}
			if key, val = inMerged(n.Content[i+1], step, depth); val != nil {
				return key, val
			}
		}
	}
	return nil, nil
}

func inMerged(source *yaml.Node, step any, depth int) (key, val *yaml.Node) {
	if source.Kind == yaml.AliasNode {
		source = source.Alias
	}
	switch source.Kind {
	case yaml.MappingNode:
		return child(source, step, depth+1)
	case yaml.SequenceNode:
		for _, item := range source.Content {
			if item.Kind == yaml.AliasNode {
				item = item.Alias
			}
			if item.Kind != yaml.MappingNode {
				continue
			}
			if key, val = child(item, step, depth+1); val != nil {
				return key, val
			}
		}
	}
	return nil, nil
}
