package jinja

// This file decides which variable a name means, as Jinja's idtracking does:
// each frame has symbols; a name is resolved, aliased or undefined when the
// frame is entered, depending on whether it is read or set first.

// fnScope stands for one function of the compiled template: the root, a block,
// a macro, a recursive loop or a loop's filter. Its variables are slots.
type fnScope struct {
	parent *fnScope
	depth  int
	slots  map[identKey]*ident
}

type identKey struct {
	level int
	name  string
}

// ident is one variable of a function.
type ident struct {
	fn  *fnScope
	idx int
}

func newScope(parent *fnScope) *fnScope {
	s := &fnScope{parent: parent, slots: map[identKey]*ident{}}
	if parent != nil {
		s.depth = parent.depth + 1
	}
	return s
}

func (s *fnScope) ident(level int, name string) *ident {
	k := identKey{level, name}
	id := s.slots[k]
	if id == nil {
		id = &ident{s, len(s.slots)}
		s.slots[k] = id
	}
	return id
}

type loadKind int

const (
	loadParam loadKind = iota
	loadResolve
	loadAlias
	loadUndefined
)

type load struct {
	kind  loadKind
	name  string
	alias *ident
}

type symbols struct {
	parent *symbols
	level  int
	fn     *fnScope
	refs   map[string]*ident
	loads  map[*ident]load
	order  []*ident
	stores map[string]bool
}

func newSymbols(parent *symbols, fn *fnScope) *symbols {
	s := &symbols{parent: parent, fn: fn, refs: map[string]*ident{}, loads: map[*ident]load{}, stores: map[string]bool{}}
	if parent != nil {
		s.level = parent.level + 1
	}
	return s
}

func (s *symbols) setLoad(id *ident, l load) {
	if _, ok := s.loads[id]; !ok {
		s.order = append(s.order, id)
	}
	s.loads[id] = l
}

func (s *symbols) defineRef(name string, l load) *ident {
	id := s.fn.ident(s.level, name)
	s.refs[name] = id
	s.setLoad(id, l)
	return id
}

func (s *symbols) findLoad(id *ident) (load, bool) {
	for ; s != nil; s = s.parent {
		if l, ok := s.loads[id]; ok {
			return l, true
		}
	}
	return load{}, false
}

func (s *symbols) findRef(name string) *ident {
	for ; s != nil; s = s.parent {
		if id, ok := s.refs[name]; ok {
			return id
		}
	}
	return nil
}

func (s *symbols) copy() *symbols {
	c := newSymbols(s.parent, s.fn)
	c.level = s.level
	for k, v := range s.refs {
		c.refs[k] = v
	}
	for k, v := range s.loads {
		c.loads[k] = v
	}
	c.order = append([]*ident(nil), s.order...)
	for k := range s.stores {
		c.stores[k] = true
	}
	return c
}

func (s *symbols) store(name string) {
	s.stores[name] = true
	if _, ok := s.refs[name]; ok {
		return
	}
	if s.parent != nil {
		if outer := s.parent.findRef(name); outer != nil {
			s.defineRef(name, load{kind: loadAlias, alias: outer})
			return
		}
	}
	s.defineRef(name, load{kind: loadUndefined})
}

func (s *symbols) declareParam(name string) *ident {
	s.stores[name] = true
	return s.defineRef(name, load{kind: loadParam})
}

func (s *symbols) load(name string) {
	if s.findRef(name) == nil {
		s.defineRef(name, load{kind: loadResolve, name: name})
	}
}

func (s *symbols) branchUpdate(branches ...*symbols) {
	stores := map[string]bool{}
	for _, b := range branches {
		for n := range b.stores {
			if !s.stores[n] {
				stores[n] = true
			}
		}
	}
	for _, b := range branches {
		for n, id := range b.refs {
			s.refs[n] = id
		}
		for _, id := range b.order {
			s.setLoad(id, b.loads[id])
		}
		for n := range b.stores {
			s.stores[n] = true
		}
	}
	for n := range stores {
		target := s.findRef(n)
		if s.parent != nil {
			if outer := s.parent.findRef(n); outer != nil {
				s.setLoad(target, load{kind: loadAlias, alias: outer})
				continue
			}
		}
		s.setLoad(target, load{kind: loadResolve, name: n})
	}
}

// dumpStores gives what is assigned in this frame and around it.
func (s *symbols) dumpStores() map[string]*ident {
	out := map[string]*ident{}
	for f := s; f != nil; f = f.parent {
		for n := range f.stores {
			if _, ok := out[n]; !ok {
				out[n] = s.findRef(n)
			}
		}
	}
	return out
}

// visit records what the nodes of one frame do to its names. It stops at what
// opens a frame of its own.
func (s *symbols) visit(n node, asParam bool) {
	switch x := n.(type) {
	case *nameNode:
		switch {
		case asParam || x.ctx == ctxParam:
			s.declareParam(x.name)
		case x.ctx == ctxStore:
			s.store(x.name)
		default:
			s.load(x.name)
		}
	case *nsRefNode:
		s.load(x.name)
	case *ifNode:
		s.visit(x.test, asParam)
		inner := func(nodes []node) *symbols {
			c := s.copy()
			for _, n := range nodes {
				c.visit(n, asParam)
			}
			return c
		}
		var elifs []node
		for _, e := range x.elifs {
			elifs = append(elifs, e)
		}
		s.branchUpdate(inner(x.body), inner(elifs), inner(x.orElse))
	case *macroNode:
		s.store(x.name)
	case *loaderNode:
		s.visit(x.template, asParam)
		for _, n := range x.stores {
			s.store(n)
		}
	case *assignNode:
		s.visit(x.expr, asParam)
		s.visit(x.target, asParam)
	case *forNode:
		s.visit(x.iter, asParam)
	case *callBlockNode:
		s.visit(x.call, asParam)
	case *filterBlockNode:
		s.visit(x.filter, asParam)
	case *withNode:
		for _, v := range x.values {
			s.visit(v, false)
		}
	case *assignBlockNode:
		s.visit(x.target, asParam)
	case *autoescapeNode, *blockNode:
	default:
		for _, c := range n.children() {
			s.visit(c, asParam)
		}
	}
}

func (s *symbols) visitAll(nodes []node) {
	for _, n := range nodes {
		s.visit(n, false)
	}
}

// findUndeclared says which of the names are read before they are set.
func findUndeclared(nodes []node, names ...string) map[string]bool {
	want := map[string]bool{}
	for _, n := range names {
		want[n] = true
	}
	found := map[string]bool{}
	var visit func(n node)
	visit = func(n node) {
		switch x := n.(type) {
		case *nameNode:
			if x.ctx == ctxLoad && want[x.name] {
				found[x.name] = true
			} else {
				delete(want, x.name)
			}
			return
		case *blockNode:
			return
		}
		for _, c := range n.children() {
			visit(c)
		}
	}
	for _, n := range nodes {
		visit(n)
	}
	return found
}
