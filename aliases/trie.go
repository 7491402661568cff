package aliases

import (
	"slices"
	"strings"
)

// trie finds which of many texts a line starts with, in steps that depend on
// the line alone. Edges hold runs of bytes, so that it is as small as the
// texts are different.
type trie struct {
	label  string
	ends   []int32 // the entries whose text ends here
	first  []byte  // first bytes of the children's labels, ascending
	childs []*trie
}

func (t *trie) add(text string, entry int32) {
	for {
		if text == "" {
			t.ends = append(t.ends, entry)
			return
		}
		at, found := slices.BinarySearch(t.first, text[0])
		if !found {
			t.first = slices.Insert(t.first, at, text[0])
			t.childs = slices.Insert(t.childs, at, &trie{label: text, ends: []int32{entry}})
			return
		}
		child := t.childs[at]
		n := commonPrefix(child.label, text)
		if n < len(child.label) {
			t.childs[at] = &trie{label: child.label[:n], first: []byte{child.label[n]}, childs: []*trie{child}}
			child.label = child.label[n:]
			child = t.childs[at]
		}
		text = text[n:]
		t = child
	}
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := 0; i < n; i++ {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// appendTo adds the entries whose text the line starts with.
func (t *trie) appendTo(out []int32, line string) []int32 {
	for {
		out = append(out, t.ends...)
		if line == "" {
			return out
		}
		at, found := slices.BinarySearch(t.first, line[0])
		if !found || !strings.HasPrefix(line, t.childs[at].label) {
			return out
		}
		t = t.childs[at]
		line = line[len(t.label):]
	}
}

// grams finds which of many texts a line may contain: each text is filed under
// one short run of its bytes, the one that is rarest among all texts.
type grams struct {
	bySize [maxGram + 1]map[uint32][]int32
}

const maxGram = 4

func gramAt(s string, i, size int) uint32 {
	var g uint32
	for k := i; k < i+size; k++ {
		g = g<<8 | uint32(s[k])
	}
	return g
}

// gram is a short run of bytes.
type gram struct {
	size int
	g    uint32
}

// gramsOf are the runs that stand in every line that holds the texts.
func gramsOf(texts []string) []gram {
	var out []gram
	for _, text := range texts {
		size := min(len(text), maxGram)
		for i := 0; size > 0 && i+size <= len(text); i++ {
			out = append(out, gram{size, gramAt(text, i, size)})
		}
	}
	return out
}

// rarest is the gram to file a text under, and how many texts have it. A short
// gram stands in many lines, however few texts have it, so length goes first.
func rarest(of []gram, count map[gram]int) (best gram, texts int) {
	for _, g := range of {
		if best.size == 0 || g.size > best.size || g.size == best.size && count[g] < count[best] {
			best = g
		}
	}
	return best, count[best]
}

// file puts an entry under a gram.
func (g *grams) file(under gram, entry int32) {
	if g.bySize[under.size] == nil {
		g.bySize[under.size] = map[uint32][]int32{}
	}
	g.bySize[under.size][under.g] = append(g.bySize[under.size][under.g], entry)
}

// appendTo adds the entries one of whose grams stands in the line; an entry may come
// several times.
func (g *grams) appendTo(out []int32, line string) []int32 {
	for size, filed := range g.bySize {
		if len(filed) == 0 {
			continue
		}
		for i := 0; i+size <= len(line); i++ {
			out = append(out, filed[gramAt(line, i, size)]...)
		}
	}
	return out
}
