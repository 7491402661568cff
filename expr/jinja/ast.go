package jinja

import "petrel/expr/value"

// node is an element of the syntax tree. The kinds and the order of children
// are those of Jinja's nodes, because scoping follows that order.
type node interface{ children() []node }

type nameCtx int

const (
	ctxLoad nameCtx = iota
	ctxStore
	ctxParam
)

// keyword is a keyword argument of a call.
type keyword struct {
	name  string
	value node
}

// args are the arguments of a call, filter or test.
type args struct {
	pos       []node
	kw        []keyword
	dynArgs   node
	dynKwargs node
}

func (a *args) children() []node {
	out := append([]node(nil), a.pos...)
	for _, k := range a.kw {
		out = append(out, k.value)
	}
	if a.dynArgs != nil {
		out = append(out, a.dynArgs)
	}
	if a.dynKwargs != nil {
		out = append(out, a.dynKwargs)
	}
	return out
}

type (
	nameNode struct {
		name string
		ctx  nameCtx
		line int
	}
	nsRefNode struct {
		name, attr string
		line       int
	}
	constNode struct{ val value.Value }
	dataNode  struct {
		text string
		line int
	}
	tupleNode struct {
		items []node
		line  int
	}
	listNode struct{ items []node }
	pair     struct{ key, value node }
	dictNode struct{ items []pair }
	condNode struct {
		test, then, other node
		line              int
	}
	andNode struct{ left, right node }
	orNode  struct{ left, right node }
	notNode struct{ expr node }
	binNode struct {
		op          string
		left, right node
	}
	unaryNode struct {
		op   byte
		expr node
	}
	concatNode struct{ items []node }
	operand    struct {
		op   string
		expr node
	}
	compareNode struct {
		expr node
		ops  []operand
	}
	getattrNode struct {
		obj  node
		attr string
	}
	getitemNode struct {
		obj, arg node
	}
	sliceNode struct{ start, stop, step node }
	callNode  struct {
		fn node
		args
		line int
	}
	filterNode struct {
		obj  node
		name string
		args
		line int
	}
	testNode struct {
		obj  node
		name string
		args
		line int
	}

	outputNode struct{ items []node }
	forNode    struct {
		target, iter node
		body, orElse []node
		test         node
		recursive    bool
		line         int
	}
	ifNode struct {
		test   node
		body   []node
		elifs  []*ifNode
		orElse []node
	}
	withNode struct {
		targets, values []node
		body            []node
	}
	autoescapeNode struct {
		option node
		body   []node
	}
	blockNode struct {
		name             string
		scoped, required bool
		body             []node
		line             int
	}
	// loaderNode is extends, include, import or from: there is no loader.
	loaderNode struct {
		kind     string
		template node
		stores   []string
		line     int
	}
	signature struct {
		params   []*nameNode
		defaults []node
	}
	macroNode struct {
		name string
		signature
		body []node
		line int
	}
	callBlockNode struct {
		call *callNode
		signature
		body []node
		line int
	}
	filterBlockNode struct {
		filter node
		body   []node
	}
	assignNode struct {
		target, expr node
	}
	assignBlockNode struct {
		target, filter node
		body           []node
	}
	templateNode struct{ body []node }
)

func (n *nameNode) children() []node  { return nil }
func (n *nsRefNode) children() []node { return nil }
func (n *constNode) children() []node { return nil }
func (n *dataNode) children() []node  { return nil }
func (n *tupleNode) children() []node { return n.items }
func (n *listNode) children() []node  { return n.items }
func (n *dictNode) children() []node {
	var out []node
	for _, p := range n.items {
		out = append(out, p.key, p.value)
	}
	return out
}
func (n *condNode) children() []node {
	if n.other == nil {
		return []node{n.test, n.then}
	}
	return []node{n.test, n.then, n.other}
}
func (n *andNode) children() []node    { return []node{n.left, n.right} }
func (n *orNode) children() []node     { return []node{n.left, n.right} }
func (n *notNode) children() []node    { return []node{n.expr} }
func (n *binNode) children() []node    { return []node{n.left, n.right} }
func (n *unaryNode) children() []node  { return []node{n.expr} }
func (n *concatNode) children() []node { return n.items }
func (n *compareNode) children() []node {
	out := []node{n.expr}
	for _, o := range n.ops {
		out = append(out, o.expr)
	}
	return out
}
func (n *getattrNode) children() []node { return []node{n.obj} }
func (n *getitemNode) children() []node { return []node{n.obj, n.arg} }
func (n *sliceNode) children() []node {
	var out []node
	for _, c := range []node{n.start, n.stop, n.step} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}
func (n *callNode) children() []node { return append([]node{n.fn}, n.args.children()...) }
func (n *filterNode) children() []node {
	if n.obj == nil {
		return n.args.children()
	}
	return append([]node{n.obj}, n.args.children()...)
}
func (n *testNode) children() []node   { return append([]node{n.obj}, n.args.children()...) }
func (n *outputNode) children() []node { return n.items }
func (n *forNode) children() []node {
	out := []node{n.target, n.iter}
	out = append(append(out, n.body...), n.orElse...)
	if n.test != nil {
		out = append(out, n.test)
	}
	return out
}
func (n *ifNode) children() []node {
	out := append([]node{n.test}, n.body...)
	for _, e := range n.elifs {
		out = append(out, e)
	}
	return append(out, n.orElse...)
}
func (n *withNode) children() []node {
	out := append(append([]node(nil), n.targets...), n.values...)
	return append(out, n.body...)
}
func (n *autoescapeNode) children() []node { return append([]node{n.option}, n.body...) }
func (n *blockNode) children() []node      { return n.body }
func (n *loaderNode) children() []node     { return []node{n.template} }
func (s *signature) nodes() []node {
	var out []node
	for _, p := range s.params {
		out = append(out, p)
	}
	return append(out, s.defaults...)
}
func (n *macroNode) children() []node { return append(n.nodes(), n.body...) }
func (n *callBlockNode) children() []node {
	return append(append([]node{n.call}, n.nodes()...), n.body...)
}
func (n *filterBlockNode) children() []node { return append(append([]node(nil), n.body...), n.filter) }
func (n *assignNode) children() []node      { return []node{n.target, n.expr} }
func (n *assignBlockNode) children() []node {
	out := []node{n.target}
	if n.filter != nil {
		out = append(out, n.filter)
	}
	return append(out, n.body...)
}
func (n *templateNode) children() []node { return n.body }

// walk visits n and everything below it, parents first.
func walk(n node, visit func(node) bool) bool {
	if !visit(n) {
		return false
	}
	for _, c := range n.children() {
		if !walk(c, visit) {
			return false
		}
	}
	return true
}
