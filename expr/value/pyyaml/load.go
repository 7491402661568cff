package pyyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"

	"petrel/expr/value"
)

// Limits bound what Load accepts. A zero field means its default.
type Limits struct {
	// Bytes is the size of the text; default 2 MiB.
	Bytes int
	// Depth is the nesting; default 64.
	Depth int
	// Nodes is the number of nodes after aliases are expanded; default 1,000,000,
	// and never more than ten times the text's size plus 1000 by aliases.
	Nodes int
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 2 << 20
	}
	if l.Depth == 0 {
		l.Depth = 64
	}
	if l.Nodes == 0 {
		l.Nodes = 1_000_000
	}
	return l
}

// Load reads one YAML document as yaml.safe_load does. An empty text is None.
func Load(data []byte, lim Limits) (v value.Value, err error) {
	lim = lim.withDefaults()
	if len(data) > lim.Bytes {
		return nil, &value.LimitError{Limit: "bytes of YAML", Max: fmt.Sprint(lim.Bytes)}
	}
	// The parser recurses with the nesting; text that opens more brackets than
	// allowed on one line is refused before it gets there.
	if deep := nesting(data); deep > 10*lim.Depth {
		return nil, tooDeep(lim)
	}
	defer func() {
		// The parser panics on a few malformed inputs.
		if r := recover(); r != nil {
			v, err = nil, value.Errorf("YAMLError", "%v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, value.Errorf("ParserError", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return nil, value.Errorf("ComposerError", "expected a single document in the stream")
	} else if !errors.Is(err, io.EOF) {
		return nil, value.Errorf("ParserError", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	l := &loader{lim: lim, built: map[*yaml.Node]value.Value{}, sizes: map[*yaml.Node]int{}, open: map[*yaml.Node]bool{}}
	if n := 10*len(data) + 1000; n < l.lim.Nodes {
		l.lim.Nodes = n
	}
	return l.build(doc.Content[0], 0)
}

func tooDeep(lim Limits) error {
	return &value.LimitError{Limit: "levels of YAML nesting", Max: fmt.Sprint(lim.Depth)}
}

// nesting is an upper bound of how deep flow collections are nested.
func nesting(data []byte) int {
	depth, most := 0, 0
	for _, c := range data {
		switch c {
		case '[', '{':
			depth++
			most = max(most, depth)
		case ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return most
}

type loader struct {
	lim   Limits
	built map[*yaml.Node]value.Value
	sizes map[*yaml.Node]int
	open  map[*yaml.Node]bool
	nodes int
}

func (l *loader) count(n int) error {
	l.nodes += n
	if l.nodes > l.lim.Nodes {
		return &value.LimitError{Limit: "YAML nodes, too many aliases", Max: fmt.Sprint(l.lim.Nodes)}
	}
	return nil
}

func (l *loader) build(n *yaml.Node, depth int) (value.Value, error) {
	if depth > l.lim.Depth {
		return nil, tooDeep(l.lim)
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
		if l.open[n] {
			return nil, constructErr(n, "found unconstructable recursive node")
		}
		if v, ok := l.built[n]; ok {
			return v, l.count(l.sizes[n])
		}
	}
	before := l.nodes
	if err := l.count(1); err != nil {
		return nil, err
	}
	l.open[n] = true
	v, err := l.fresh(n, depth)
	delete(l.open, n)
	if err != nil {
		return nil, err
	}
	if n.Anchor != "" {
		l.built[n] = v
		l.sizes[n] = l.nodes - before
	}
	return v, nil
}

func (l *loader) fresh(n *yaml.Node, depth int) (value.Value, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return ResolveScalar(n)
	case yaml.SequenceNode:
		tag := shortTag(n)
		switch tag {
		case "", "!", "seq":
			out := value.NewList()
			for _, c := range n.Content {
				v, err := l.build(c, depth+1)
				if err != nil {
					return nil, err
				}
				out.Append(v)
			}
			return out, nil
		case "omap", "pairs":
			out := value.NewList()
			for _, c := range n.Content {
				if c.Kind == yaml.AliasNode {
					c = c.Alias
				}
				if c.Kind != yaml.MappingNode || len(c.Content) != 2 {
					return nil, constructErr(c, "expected a mapping of length 1")
				}
				k, err := l.build(c.Content[0], depth+1)
				if err != nil {
					return nil, err
				}
				v, err := l.build(c.Content[1], depth+1)
				if err != nil {
					return nil, err
				}
				out.Append(value.Tuple{k, v})
			}
			return out, nil
		}
	case yaml.MappingNode:
		switch shortTag(n) {
		case "", "!", "map":
			return l.mapping(n, depth)
		case "set":
			d, err := l.mapping(n, depth)
			if err != nil {
				return nil, err
			}
			return value.NewSet(d.Keys()...), nil
		}
	}
	return nil, constructErr(n, "could not determine a constructor for the tag %s", value.Quote(n.Tag))
}

type pair struct{ key, val *yaml.Node }

// flatten gives the pairs of a mapping with those merged by << in front.
func (l *loader) flatten(n *yaml.Node, depth int) ([]pair, error) {
	if depth > l.lim.Depth {
		return nil, tooDeep(l.lim)
	}
	var merged, own []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !isMerge(k) {
			own = append(own, pair{k, v})
			continue
		}
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		switch v.Kind {
		case yaml.MappingNode:
			if l.open[v] {
				return nil, constructErr(v, "found unconstructable recursive node")
			}
			p, err := l.flatten(v, depth+1)
			if err != nil {
				return nil, err
			}
			if err := l.count(len(p)); err != nil {
				return nil, err
			}
			merged = append(merged, p...)
		case yaml.SequenceNode:
			for j := len(v.Content) - 1; j >= 0; j-- {
				c := v.Content[j]
				if c.Kind == yaml.AliasNode {
					c = c.Alias
				}
				if c.Kind != yaml.MappingNode {
					return nil, constructErr(c, "expected a mapping for merging")
				}
				if l.open[c] {
					return nil, constructErr(c, "found unconstructable recursive node")
				}
				p, err := l.flatten(c, depth+1)
				if err != nil {
					return nil, err
				}
				if err := l.count(len(p)); err != nil {
					return nil, err
				}
				merged = append(merged, p...)
			}
		default:
			return nil, constructErr(v, "expected a mapping or list of mappings for merging")
		}
	}
	return append(merged, own...), nil
}

func isMerge(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && (shortTag(k) == "merge" || shortTag(k) == "" && k.Value == "<<" &&
		k.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0)
}

func (l *loader) mapping(n *yaml.Node, depth int) (*value.Dict, error) {
	pairs, err := l.flatten(n, depth)
	if err != nil {
		return nil, err
	}
	d := value.NewDictSize(len(pairs))
	for _, p := range pairs {
		var k value.Value
		if p.key.Kind == yaml.ScalarNode && shortTag(p.key) == "" && p.key.Style == 0 && p.key.Value == "=" {
			k = "="
		} else if k, err = l.build(p.key, depth+1); err != nil {
			return nil, err
		}
		if value.CheckHashable(k) != nil {
			return nil, constructErr(p.key, "found unhashable key")
		}
		v, err := l.build(p.val, depth+1)
		if err != nil {
			return nil, err
		}
		d.Set(k, v)
	}
	return d, nil
}
