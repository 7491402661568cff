package jinja

import (
	"fmt"
	"sort"
	"strings"

	"petrel/expr/value"
)

type (
	// evalFn is a compiled expression, execFn a compiled statement.
	evalFn   func(f *frame) (value.Value, error)
	execFn   func(f *frame) error
	assignFn func(f *frame, v value.Value) error
)

// program is a compiled template or expression.
type program struct {
	root   function
	expr   evalFn
	blocks map[string]*function
	names  map[string]bool
}

// function is one compiled function: its body and how many slots it needs.
type function struct {
	scope *fnScope
	body  execFn
}

func (p *program) undeclared() []string {
	out := make([]string, 0, len(p.names))
	for n := range p.names {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// cframe is what Jinja's compiler calls a frame.
type cframe struct {
	sym       *symbols
	fn        *fnScope
	toplevel  bool
	rootlevel bool
	soft      bool
	loop      bool
	block     bool
	blockName string
}

func (c *cframe) inner() *cframe {
	return &cframe{sym: newSymbols(c.sym, c.fn), fn: c.fn, blockName: c.blockName}
}

// innerFn is inner for a frame that is the body of a function of its own.
func (c *cframe) innerFn() *cframe {
	fn := newScope(c.fn)
	return &cframe{sym: newSymbols(c.sym, fn), fn: fn, blockName: c.blockName}
}

func (c *cframe) softened() *cframe {
	s := *c
	s.rootlevel, s.soft = false, true
	return &s
}

type compiler struct {
	env  *Env
	prog *program
	// assigned is the stack of assignment tracking.
	assigned []map[string]bool
	// params is the stack of macro parameters without a value yet.
	params []map[*ident]bool
	blocks map[string]*blockNode
	order  []*blockNode
}

func (c *compiler) fail(line int, format string, args ...any) {
	panic(parseError{&SyntaxError{Class: "TemplateAssertionError", Msg: fmt.Sprintf(format, args...), Line: line}})
}

// build parses and compiles.
func (e *Env) build(src string, expression bool) (prog *program, err error) {
	state := inRoot
	if expression {
		state = inVariable
	}
	lex := newLexer(src, !e.opts.KeepBlockNewlines, !e.opts.KeepBlockIndent, state)
	var tree node
	if expression {
		tree, err = parseExpr(lex)
	} else {
		tree, err = parseTemplate(lex)
	}
	if err != nil {
		return nil, err
	}
	defer catchParse(&err)
	c := &compiler{env: e, prog: &program{names: map[string]bool{}, blocks: map[string]*function{}}, blocks: map[string]*blockNode{}}
	if expression {
		c.expressionRoot(tree)
	} else {
		c.templateRoot(tree.(*templateNode))
	}
	return c.prog, nil
}

func (c *compiler) expressionRoot(tree node) {
	fn := newScope(nil)
	f := &cframe{sym: newSymbols(nil, fn), fn: fn, toplevel: true, rootlevel: true}
	f.sym.visit(tree, false)
	enter := c.enterFrame(f)
	expr := c.expr(tree, f)
	c.prog.root = function{scope: fn}
	c.prog.expr = func(fr *frame) (value.Value, error) {
		if err := enter(fr); err != nil {
			return nil, err
		}
		return expr(fr)
	}
}

func (c *compiler) templateRoot(tree *templateNode) {
	walk(tree, func(n node) bool {
		if b, ok := n.(*blockNode); ok {
			if c.blocks[b.name] != nil {
				c.fail(b.line, "block %s defined twice", value.Quote(b.name))
			}
			c.blocks[b.name] = b
			c.order = append(c.order, b)
		}
		return true
	})
	fn := newScope(nil)
	f := &cframe{sym: newSymbols(nil, fn), fn: fn}
	var self *ident
	if findUndeclared(tree.body, "self")["self"] {
		self = f.sym.declareParam("self")
	}
	f.sym.visitAll(tree.body)
	f.toplevel, f.rootlevel = true, true
	enter := c.enterFrame(f)
	body := c.body(tree.body, f)
	c.prog.root = function{fn, func(fr *frame) error {
		if self != nil {
			fr.slots[self.idx] = &selfRef{rt: fr.rt, ctx: fr.ctx}
		}
		if err := enter(fr); err != nil {
			return err
		}
		return body(fr)
	}}
	for _, b := range c.order {
		c.prog.blocks[b.name] = c.blockFunction(b)
	}
}

func (c *compiler) blockFunction(b *blockNode) *function {
	fn := newScope(nil)
	f := &cframe{sym: newSymbols(nil, fn), fn: fn, block: true, blockName: b.name}
	undeclared := findUndeclared(b.body, "self", "super")
	var self, super *ident
	if undeclared["self"] {
		self = f.sym.declareParam("self")
	}
	if undeclared["super"] {
		super = f.sym.declareParam("super")
	}
	f.sym.visitAll(b.body)
	enter := c.enterFrame(f)
	body := c.body(b.body, f)
	hint := "there is no parent block called " + value.Quote(b.name) + "."
	return &function{fn, func(fr *frame) error {
		if self != nil {
			fr.slots[self.idx] = &selfRef{rt: fr.rt, ctx: fr.ctx}
		}
		if super != nil {
			fr.slots[super.idx] = &value.Undefined{Hint: hint, Name: "super", Strict: !fr.rt.env.opts.Lenient}
		}
		if err := enter(fr); err != nil {
			return err
		}
		return body(fr)
	}}
}

// enterFrame compiles what happens when a frame is entered: its names get
// their first values.
func (c *compiler) enterFrame(f *cframe) execFn {
	type init struct {
		slot  int
		kind  loadKind
		name  string
		alias func(fr *frame) *value.Value
	}
	var inits []init
	for _, id := range f.sym.order {
		l := f.sym.loads[id]
		if l.kind == loadResolve {
			if _, ok := c.env.globals[l.name]; !ok {
				c.prog.names[l.name] = true
			}
		}
		if l.kind == loadParam {
			continue
		}
		in := init{slot: id.idx, kind: l.kind, name: l.name}
		if l.kind == loadAlias {
			in.alias = c.access(l.alias, f)
		}
		inits = append(inits, in)
	}
	if len(inits) == 0 {
		return func(*frame) error { return nil }
	}
	return func(fr *frame) error {
		for i := range inits {
			in := &inits[i]
			switch in.kind {
			case loadResolve:
				fr.slots[in.slot] = fr.ctx.resolve(fr.rt, in.name)
			case loadAlias:
				fr.slots[in.slot] = *in.alias(fr)
			default:
				fr.slots[in.slot] = missing
			}
		}
		return nil
	}
}

// access gives the way from a frame to the slot of a variable.
func (c *compiler) access(id *ident, f *cframe) func(fr *frame) *value.Value {
	idx := id.idx
	switch hops := f.fn.depth - id.fn.depth; hops {
	case 0:
		return func(fr *frame) *value.Value { return &fr.slots[idx] }
	case 1:
		return func(fr *frame) *value.Value { return &fr.up.slots[idx] }
	default:
		return func(fr *frame) *value.Value {
			for i := 0; i < hops; i++ {
				fr = fr.up
			}
			return &fr.slots[idx]
		}
	}
}

func (c *compiler) body(nodes []node, f *cframe) execFn {
	var steps []execFn
	for _, n := range nodes {
		steps = append(steps, c.stmt(n, f))
	}
	switch len(steps) {
	case 0:
		return func(*frame) error { return nil }
	case 1:
		return steps[0]
	}
	return func(fr *frame) error {
		for _, s := range steps {
			if err := s(fr); err != nil {
				return err
			}
		}
		return nil
	}
}

func (c *compiler) stmt(n node, f *cframe) execFn {
	switch x := n.(type) {
	case *outputNode:
		return c.output(x, f)
	case *forNode:
		return c.forStmt(x, f)
	case *ifNode:
		return c.ifStmt(x, f)
	case *withNode:
		return c.withStmt(x, f)
	case *autoescapeNode:
		return c.autoescape(x, f)
	case *blockNode:
		return c.blockStmt(x, f)
	case *loaderNode:
		if x.kind == "extends" && !f.toplevel {
			c.fail(x.line, "cannot use extend from a non top-level scope")
		}
		expr := c.expr(x.template, f)
		return func(fr *frame) error {
			if _, err := expr(fr); err != nil {
				return err
			}
			return value.TypeErrorf("no loader for this environment specified")
		}
	case *macroNode:
		return c.macroStmt(x, f)
	case *callBlockNode:
		return c.callBlock(x, f)
	case *filterBlockNode:
		inner := f.inner()
		for _, n := range x.children() {
			inner.sym.visit(n, false)
		}
		enter := c.enterFrame(inner)
		body := c.body(x.body, inner)
		filter := c.filterOn(x.filter, inner, capture(body))
		return func(fr *frame) error {
			if err := enter(fr); err != nil {
				return err
			}
			v, err := filter(fr)
			if err != nil {
				return err
			}
			return fr.rt.writeRaw(v)
		}
	case *assignNode:
		return c.assign(x, f)
	case *assignBlockNode:
		c.assigned = append(c.assigned, map[string]bool{})
		inner := f.inner()
		inner.sym.visitAll(x.body)
		enter := c.enterFrame(inner)
		get := capture(c.body(x.body, inner))
		target := c.target(x.target, f)
		filtered := x.filter != nil
		if filtered {
			get = c.filterOn(x.filter, inner, get)
		}
		export := c.popAssigned(f)
		return func(fr *frame) error {
			if err := enter(fr); err != nil {
				return err
			}
			v, err := get(fr)
			if err != nil {
				return err
			}
			if filtered && fr.rt.autoescape {
				s, err := value.ToStr(&fr.rt.budget, v)
				if err != nil {
					return err
				}
				v = value.Markup(s)
			}
			if err := target(fr, v); err != nil {
				return err
			}
			return export(fr)
		}
	}
	panic(fmt.Sprintf("jinja: statement %T", n))
}

// capture runs a body and gives what it wrote, as Markup under autoescape.
func capture(body execFn) evalFn {
	return func(fr *frame) (value.Value, error) {
		rt := fr.rt
		mark := len(rt.out)
		if err := body(fr); err != nil {
			return nil, err
		}
		s := string(rt.out[mark:])
		rt.out = rt.out[:mark]
		if err := rt.budget.Alloc(int64(len(s))); err != nil {
			return nil, err
		}
		if rt.autoescape {
			return value.Markup(s), nil
		}
		return s, nil
	}
}

// filterOn compiles a chain of filters whose innermost has no operand of its
// own but is applied to what get gives.
func (c *compiler) filterOn(n node, f *cframe, get evalFn) evalFn {
	x := n.(*filterNode)
	obj := get
	if x.obj != nil {
		obj = c.filterOn(x.obj, f, get)
	}
	return c.filterCall(x, obj, f)
}

func (c *compiler) output(n *outputNode, f *cframe) execFn {
	var steps []execFn
	for _, it := range n.items {
		switch x := it.(type) {
		case *dataNode:
			text := x.text
			steps = append(steps, func(fr *frame) error { return fr.rt.writeText(text) })
			continue
		case *constNode:
			if s, ok := x.val.(string); ok {
				steps = append(steps, func(fr *frame) error { return fr.rt.write(s) })
				continue
			}
		}
		expr := c.expr(it, f)
		steps = append(steps, func(fr *frame) error {
			v, err := expr(fr)
			if err != nil {
				return err
			}
			return fr.rt.write(v)
		})
	}
	if len(steps) == 1 {
		return steps[0]
	}
	return func(fr *frame) error {
		for _, s := range steps {
			if err := s(fr); err != nil {
				return err
			}
		}
		return nil
	}
}

func (c *compiler) ifStmt(n *ifNode, f *cframe) execFn {
	f = f.softened()
	type branch struct {
		test evalFn
		body execFn
	}
	branches := []branch{{c.expr(n.test, f), c.body(n.body, f)}}
	for _, e := range n.elifs {
		branches = append(branches, branch{c.expr(e.test, f), c.body(e.body, f)})
	}
	orElse := c.body(n.orElse, f)
	return func(fr *frame) error {
		for i := range branches {
			v, err := branches[i].test(fr)
			if err != nil {
				return err
			}
			ok, err := value.Truth(&fr.rt.budget, v)
			if err != nil {
				return err
			}
			if ok {
				return branches[i].body(fr)
			}
		}
		return orElse(fr)
	}
}

func (c *compiler) withStmt(n *withNode, f *cframe) execFn {
	inner := f.inner()
	for _, t := range n.targets {
		inner.sym.visit(t, false)
	}
	inner.sym.visitAll(n.body)
	enter := c.enterFrame(inner)
	type one struct {
		target assignFn
		expr   evalFn
	}
	var sets []one
	for i := range n.targets {
		sets = append(sets, one{c.target(n.targets[i], inner), c.expr(n.values[i], f)})
	}
	body := c.body(n.body, inner)
	return func(fr *frame) error {
		if err := enter(fr); err != nil {
			return err
		}
		for _, s := range sets {
			v, err := s.expr(fr)
			if err != nil {
				return err
			}
			if err := s.target(fr, v); err != nil {
				return err
			}
		}
		return body(fr)
	}
}

func (c *compiler) autoescape(n *autoescapeNode, f *cframe) execFn {
	inner := f.inner()
	inner.sym.visit(n.option, false)
	inner.sym.visitAll(n.body)
	enter := c.enterFrame(inner)
	option := c.expr(n.option, inner)
	body := c.body(n.body, inner)
	return func(fr *frame) error {
		if err := enter(fr); err != nil {
			return err
		}
		v, err := option(fr)
		if err != nil {
			return err
		}
		on, err := value.Truth(&fr.rt.budget, v)
		if err != nil {
			return err
		}
		old := fr.rt.autoescape
		fr.rt.autoescape = on
		err = body(fr)
		fr.rt.autoescape = old
		return err
	}
}

func (c *compiler) blockStmt(n *blockNode, f *cframe) execFn {
	name := n.name
	if n.required {
		return func(*frame) error {
			return value.Errorf("TemplateRuntimeError", "Required block %s not found", value.Quote(name))
		}
	}
	prog := c.prog
	if !n.scoped {
		return func(fr *frame) error { return fr.rt.callBlock(prog.blocks[name], fr.ctx) }
	}
	type local struct {
		name string
		get  func(fr *frame) *value.Value
	}
	var locals []local
	for n, id := range f.sym.dumpStores() {
		locals = append(locals, local{n, c.access(id, f)})
	}
	return func(fr *frame) error {
		ctx := &jctx{parent: fr.ctx, vars: map[string]value.Value{}}
		for _, l := range locals {
			if v := *l.get(fr); v != missing {
				ctx.vars[l.name] = v
			}
		}
		return fr.rt.callBlock(prog.blocks[name], &jctx{parent: ctx})
	}
}

func (c *compiler) assign(n *assignNode, f *cframe) execFn {
	c.assigned = append(c.assigned, map[string]bool{})
	var spaces []func(fr *frame) *value.Value
	walk(n.target, func(n node) bool {
		if ns, ok := n.(*nsRefNode); ok {
			spaces = append(spaces, c.access(f.sym.findRef(ns.name), f))
		}
		return true
	})
	target := c.target(n.target, f)
	expr := c.expr(n.expr, f)
	export := c.popAssigned(f)
	return func(fr *frame) error {
		for _, s := range spaces {
			if _, ok := (*s(fr)).(*namespace); !ok {
				return value.Errorf("TemplateRuntimeError", "cannot assign attribute on non-namespace object")
			}
		}
		v, err := expr(fr)
		if err != nil {
			return err
		}
		if err := target(fr, v); err != nil {
			return err
		}
		return export(fr)
	}
}

// popAssigned compiles the export of what was assigned at the top level, so
// that blocks see it.
func (c *compiler) popAssigned(f *cframe) execFn {
	vars := c.assigned[len(c.assigned)-1]
	c.assigned = c.assigned[:len(c.assigned)-1]
	if !f.toplevel || f.loop || f.block || len(vars) == 0 || len(c.order) == 0 {
		return func(*frame) error { return nil }
	}
	type export struct {
		name string
		get  func(fr *frame) *value.Value
	}
	var list []export
	for n := range vars {
		list = append(list, export{n, c.access(f.sym.findRef(n), f)})
	}
	return func(fr *frame) error {
		for _, e := range list {
			fr.ctx.set(e.name, *e.get(fr))
		}
		return nil
	}
}

// target compiles an assignment target.
func (c *compiler) target(n node, f *cframe) assignFn {
	switch x := n.(type) {
	case *nameNode:
		if (f.toplevel || f.loop || f.block) && len(c.assigned) > 0 {
			c.assigned[len(c.assigned)-1][x.name] = true
		}
		get := c.access(f.sym.findRef(x.name), f)
		return func(fr *frame, v value.Value) error {
			*get(fr) = v
			return nil
		}
	case *nsRefNode:
		get := c.access(f.sym.findRef(x.name), f)
		attr := x.attr
		return func(fr *frame, v value.Value) error {
			ns, ok := (*get(fr)).(*namespace)
			if !ok {
				return value.Errorf("TemplateRuntimeError", "cannot assign attribute on non-namespace object")
			}
			ns.dict.Set(attr, v)
			return fr.rt.budget.AllocItems(1)
		}
	case *tupleNode:
		var parts []assignFn
		for _, it := range x.items {
			parts = append(parts, c.target(it, f))
		}
		return func(fr *frame, v value.Value) error {
			items, err := unpack(&fr.rt.budget, v, len(parts))
			if err != nil {
				return err
			}
			for i, p := range parts {
				if err := p(fr, items[i]); err != nil {
					return err
				}
			}
			return nil
		}
	}
	panic(fmt.Sprintf("jinja: target %T", n))
}

func unpack(b *value.Budget, v value.Value, n int) ([]value.Value, error) {
	items, ok := value.IsSequence(v)
	if !ok {
		if !value.IsIterable(v) {
			return nil, value.TypeErrorf("cannot unpack non-iterable %s object", value.TypeName(v))
		}
		var err error
		if items, err = value.Items(b, v); err != nil {
			return nil, err
		}
	}
	if len(items) < n {
		return nil, value.ValueErrorf("not enough values to unpack (expected %d, got %d)", n, len(items))
	}
	if len(items) > n {
		return nil, value.ValueErrorf("too many values to unpack (expected %d)", n)
	}
	return items, nil
}

func (c *compiler) forStmt(n *forNode, f *cframe) execFn {
	var loopFrame *cframe
	if n.recursive {
		loopFrame = f.innerFn()
	} else {
		loopFrame = f.inner()
	}
	loopFrame.loop = true

	hasScoped := false
	walk(n, func(n node) bool {
		if b, ok := n.(*blockNode); ok && b.scoped {
			hasScoped = true
		}
		if name, ok := n.(*nameNode); ok && name.ctx == ctxStore && name.name == "loop" {
			c.fail(name.line, "Can't assign to special loop variable in for-loop target")
		}
		return true
	})
	extended := n.recursive || findUndeclared(n.body, "loop")["loop"] || hasScoped
	var loopRef *ident
	if extended {
		loopRef = loopFrame.sym.declareParam("loop")
	}
	loopFrame.sym.visit(n.target, true)
	loopFrame.sym.visitAll(n.body)

	// An else part of a recursive loop belongs to the loop's function.
	var elseFrame *cframe
	if len(n.orElse) > 0 {
		elseFrame = f.inner()
		if n.recursive {
			elseFrame.fn = loopFrame.fn
			elseFrame.sym.fn = loopFrame.fn
		}
		elseFrame.sym.visitAll(n.orElse)
	}

	var filter *loopFilter
	if n.test != nil {
		tf := f.innerFn()
		tf.sym.visit(n.target, true)
		tf.sym.visit(n.test, false)
		enter := c.enterFrame(tf)
		filter = &loopFilter{scope: tf.fn, enter: enter, target: c.target(n.target, tf), test: c.expr(n.test, tf)}
	}
	iter := c.expr(n.iter, f)
	target := c.target(n.target, loopFrame)
	enter := c.enterFrame(loopFrame)
	body := c.body(n.body, loopFrame)
	var orElse execFn
	if elseFrame != nil {
		enterElse := c.enterFrame(elseFrame)
		elseBody := c.body(n.orElse, elseFrame)
		orElse = func(fr *frame) error {
			if err := enterElse(fr); err != nil {
				return err
			}
			return elseBody(fr)
		}
	}
	if len(c.assigned) > 0 {
		for name := range loopFrame.sym.stores {
			delete(c.assigned[len(c.assigned)-1], name)
		}
	}

	loopSlot := -1
	if loopRef != nil {
		loopSlot = loopRef.idx
	}
	// run walks one iterable. outer is the frame around the loop, fr the frame
	// of its body; they differ for a recursive loop only.
	run := func(outer, fr *frame, v value.Value, recurse *recursion, depth int) error {
		rt := fr.rt
		if filter == nil && loopSlot < 0 {
			if l, ok := v.(*value.List); ok {
				// The common loop, without a wrapper around the items.
				if len(l.Items) == 0 && orElse != nil {
					return orElse(fr)
				}
				for i := 0; i < len(l.Items); i++ {
					if err := rt.budget.Step(1); err != nil {
						return err
					}
					if err := target(fr, l.Items[i]); err != nil {
						return err
					}
					if err := enter(fr); err != nil {
						return err
					}
					if err := body(fr); err != nil {
						return err
					}
				}
				return nil
			}
		}
		it, err := value.Iter(&rt.budget, v)
		if err != nil {
			return err
		}
		length := -1
		if filter != nil {
			it = filter.wrap(outer, it)
		} else if _, isIter := v.(*value.Iterator); !isIter {
			if n, err := value.Len(&rt.budget, v); err == nil {
				length = n
			}
		}
		var loop *loopCtx
		if loopSlot >= 0 {
			loop = &loopCtx{rt: rt, it: it, index0: -1, length: length, depth0: depth, recurse: recurse}
			fr.slots[loopSlot] = loop
		}
		ran := false
		for {
			if err := rt.budget.Step(1); err != nil {
				return err
			}
			var item value.Value
			var ok bool
			if loop != nil {
				item, ok, err = loop.next()
			} else {
				item, ok, err = it.Next()
			}
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			ran = true
			if err := target(fr, item); err != nil {
				return err
			}
			if loop != nil {
				fr.slots[loopSlot] = loop
			}
			if err := enter(fr); err != nil {
				return err
			}
			if err := body(fr); err != nil {
				return err
			}
		}
		if !ran && orElse != nil {
			return orElse(fr)
		}
		return nil
	}
	if !n.recursive {
		return func(fr *frame) error {
			v, err := iter(fr)
			if err != nil {
				return err
			}
			return run(fr, fr, v, nil, 0)
		}
	}
	scope := loopFrame.fn
	return func(fr *frame) error {
		v, err := iter(fr)
		if err != nil {
			return err
		}
		rec := &recursion{}
		rec.call = func(v value.Value, depth int) (value.Value, error) {
			if err := fr.rt.budget.Enter(); err != nil {
				return nil, err
			}
			defer fr.rt.budget.Leave()
			inner := fr.child(scope)
			return capture(func(inner *frame) error { return run(fr, inner, v, rec, depth) })(inner)
		}
		out, err := rec.call(v, 0)
		if err != nil {
			return err
		}
		return fr.rt.writeRaw(out)
	}
}

type loopFilter struct {
	scope  *fnScope
	enter  execFn
	target assignFn
	test   evalFn
}

// wrap filters lazily: Jinja's filter is a generator, so a test runs just
// before its item is needed.
func (l *loopFilter) wrap(outer *frame, it *value.Iterator) *value.Iterator {
	fr := outer.child(l.scope)
	entered := false
	return value.NewIterator(func() (value.Value, bool, error) {
		if !entered {
			entered = true
			if err := l.enter(fr); err != nil {
				return nil, false, err
			}
		}
		for {
			v, ok, err := it.Next()
			if err != nil || !ok {
				return nil, false, err
			}
			if err := fr.rt.budget.Step(1); err != nil {
				return nil, false, err
			}
			if err := l.target(fr, v); err != nil {
				return nil, false, err
			}
			t, err := l.test(fr)
			if err != nil {
				return nil, false, err
			}
			keep, err := value.Truth(&fr.rt.budget, t)
			if err != nil {
				return nil, false, err
			}
			if keep {
				return v, true, nil
			}
		}
	})
}

// macroBody compiles a macro or the body of a call block.
func (c *compiler) macroBody(name string, sig *signature, body []node, all []node, line int, f *cframe) *macroDef {
	m := &macroDef{name: name}
	inner := f.innerFn()
	m.scope = inner.fn
	for _, n := range all {
		inner.sym.visit(n, false)
	}
	explicitCaller := -1
	skip := map[string]bool{}
	for i, p := range sig.params {
		if p.name == "caller" {
			explicitCaller = i
		}
		if p.name == "kwargs" || p.name == "varargs" {
			skip[p.name] = true
		}
		m.params = append(m.params, p.name)
		m.slots = append(m.slots, inner.sym.findRef(p.name).idx)
	}
	undeclared := findUndeclared(body, "caller", "kwargs", "varargs")
	m.callerSlot, m.kwargsSlot, m.varargsSlot = -1, -1, -1
	if undeclared["caller"] {
		if explicitCaller >= 0 {
			if explicitCaller < len(sig.params)-len(sig.defaults) {
				c.fail(line, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
			}
		} else {
			m.callerSlot = inner.sym.declareParam("caller").idx
		}
		m.caller = true
	}
	m.explicitCaller = explicitCaller >= 0
	if undeclared["kwargs"] && !skip["kwargs"] {
		m.kwargsSlot = inner.sym.declareParam("kwargs").idx
	}
	if undeclared["varargs"] && !skip["varargs"] {
		m.varargsSlot = inner.sym.declareParam("varargs").idx
	}
	for _, n := range all {
		inner.sym.visit(n, false)
	}
	enter := c.enterFrame(inner)
	open := map[*ident]bool{}
	for id, l := range inner.sym.loads {
		if l.kind == loadParam {
			open[id] = true
		}
	}
	c.params = append(c.params, open)
	var defaults []evalFn
	first := len(sig.params) - len(sig.defaults)
	for i, p := range sig.params {
		if i >= first {
			defaults = append(defaults, c.expr(sig.defaults[i-first], inner))
		} else {
			defaults = append(defaults, nil)
		}
		delete(open, inner.sym.findRef(p.name))
	}
	c.params = c.params[:len(c.params)-1]
	m.defaults = defaults
	run := c.body(body, inner)
	m.body = func(fr *frame) error {
		if err := enter(fr); err != nil {
			return err
		}
		for i, slot := range m.slots {
			if fr.slots[slot] != missing {
				continue
			}
			if d := m.defaults[i]; d != nil {
				v, err := d(fr)
				if err != nil {
					return err
				}
				fr.slots[slot] = v
			} else {
				fr.slots[slot] = fr.rt.undefined(&value.Undefined{Hint: "parameter " + value.Quote(m.params[i]) + " was not provided", Name: m.params[i]})
			}
		}
		return run(fr)
	}
	return m
}

func (c *compiler) macroStmt(n *macroNode, f *cframe) execFn {
	def := c.macroBody(n.name, &n.signature, n.body, n.children(), n.line, f)
	get := c.access(f.sym.findRef(n.name), f)
	export := f.toplevel && len(c.order) > 0
	return func(fr *frame) error {
		m := &macro{def: def, up: fr, autoescape: fr.rt.autoescape}
		if export {
			fr.ctx.set(n.name, m)
		}
		*get(fr) = m
		return fr.rt.budget.Alloc(64)
	}
}

func (c *compiler) callBlock(n *callBlockNode, f *cframe) execFn {
	all := append(n.nodes(), n.body...)
	def := c.macroBody("", &n.signature, n.body, all, n.line, f)
	def.anonymous = true
	call := c.call(n.call, f, true)
	return func(fr *frame) error {
		m := &macro{def: def, up: fr, autoescape: fr.rt.autoescape}
		v, err := call(fr, m)
		if err != nil {
			return err
		}
		return fr.rt.writeRaw(v)
	}
}

// --- expressions ---

func (c *compiler) exprs(nodes []node, f *cframe) []evalFn {
	out := make([]evalFn, len(nodes))
	for i, n := range nodes {
		out[i] = c.expr(n, f)
	}
	return out
}

func evalAll(fr *frame, fns []evalFn) ([]value.Value, error) {
	out := make([]value.Value, len(fns))
	for i, fn := range fns {
		v, err := fn(fr)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (c *compiler) expr(n node, f *cframe) evalFn {
	switch x := n.(type) {
	case *constNode:
		v := x.val
		return func(*frame) (value.Value, error) { return v, nil }
	case *dataNode:
		v := x.text
		return func(*frame) (value.Value, error) { return v, nil }
	case *nameNode:
		return c.name(x, f)
	case *tupleNode:
		items := c.exprs(x.items, f)
		return func(fr *frame) (value.Value, error) {
			out, err := evalAll(fr, items)
			return value.Tuple(out), err
		}
	case *listNode:
		items := c.exprs(x.items, f)
		return func(fr *frame) (value.Value, error) {
			out, err := evalAll(fr, items)
			if err != nil {
				return nil, err
			}
			return &value.List{Items: out}, fr.rt.budget.AllocItems(int64(len(out)))
		}
	case *dictNode:
		type kv struct{ k, v evalFn }
		var items []kv
		for _, p := range x.items {
			items = append(items, kv{c.expr(p.key, f), c.expr(p.value, f)})
		}
		return func(fr *frame) (value.Value, error) {
			d := value.NewDictSize(len(items))
			for _, it := range items {
				k, err := it.k(fr)
				if err != nil {
					return nil, err
				}
				v, err := it.v(fr)
				if err != nil {
					return nil, err
				}
				if err := value.CheckHashable(k); err != nil {
					return nil, err
				}
				d.Set(k, v)
			}
			return d, fr.rt.budget.AllocItems(int64(2 * len(items)))
		}
	case *condNode:
		soft := f.softened()
		test, then := c.expr(x.test, soft), c.expr(x.then, soft)
		var other evalFn
		if x.other != nil {
			other = c.expr(x.other, soft)
		} else {
			u := &value.Undefined{Hint: fmt.Sprintf("the inline if-expression on line %d evaluated to false and no else section was defined.", x.line)}
			other = func(*frame) (value.Value, error) { return u, nil }
		}
		return func(fr *frame) (value.Value, error) {
			v, err := test(fr)
			if err != nil {
				return nil, err
			}
			ok, err := value.Truth(&fr.rt.budget, v)
			if err != nil {
				return nil, err
			}
			if ok {
				return then(fr)
			}
			return other(fr)
		}
	case *andNode:
		return c.logic(x.left, x.right, false, f)
	case *orNode:
		return c.logic(x.left, x.right, true, f)
	case *notNode:
		expr := c.expr(x.expr, f)
		return func(fr *frame) (value.Value, error) {
			v, err := expr(fr)
			if err != nil {
				return nil, err
			}
			ok, err := value.Truth(&fr.rt.budget, v)
			return !ok, err
		}
	case *binNode:
		return c.binary(x, f)
	case *unaryNode:
		expr := c.expr(x.expr, f)
		op := value.Pos
		if x.op == '-' {
			op = value.Neg
		}
		return func(fr *frame) (value.Value, error) {
			v, err := expr(fr)
			if err != nil {
				return nil, err
			}
			return op(v)
		}
	case *concatNode:
		return c.concat(x, f)
	case *compareNode:
		return c.compare(x, f)
	case *getattrNode:
		obj := c.expr(x.obj, f)
		attr := x.attr
		return func(fr *frame) (value.Value, error) {
			v, err := obj(fr)
			if err != nil {
				return nil, err
			}
			return fr.rt.getattr(v, attr)
		}
	case *getitemNode:
		return c.getitem(x, f)
	case *sliceNode:
		return c.slice(x, f)
	case *callNode:
		call := c.call(x, f, false)
		return func(fr *frame) (value.Value, error) { return call(fr, nil) }
	case *filterNode:
		return c.filterCall(x, c.expr(x.obj, f), f)
	case *testNode:
		return c.testCall(x, f)
	case *nsRefNode:
		get := c.access(f.sym.findRef(x.name), f)
		attr := x.attr
		return func(fr *frame) (value.Value, error) { return fr.rt.getattr(*get(fr), attr) }
	}
	panic(fmt.Sprintf("jinja: expression %T", n))
}

func (c *compiler) name(x *nameNode, f *cframe) evalFn {
	id := f.sym.findRef(x.name)
	checked := true
	if l, ok := f.sym.findLoad(id); ok && l.kind == loadParam {
		checked = len(c.params) > 0 && c.params[len(c.params)-1][id]
	}
	name := x.name
	if f.fn == id.fn {
		idx := id.idx
		return func(fr *frame) (value.Value, error) {
			v := fr.slots[idx]
			if checked && v == missing {
				return fr.rt.undefined(&value.Undefined{Name: name}), nil
			}
			return v, nil
		}
	}
	get := c.access(id, f)
	return func(fr *frame) (value.Value, error) {
		v := *get(fr)
		if v == missing {
			return fr.rt.undefined(&value.Undefined{Name: name}), nil
		}
		return v, nil
	}
}

func (c *compiler) logic(l, r node, or bool, f *cframe) evalFn {
	left, right := c.expr(l, f), c.expr(r, f)
	return func(fr *frame) (value.Value, error) {
		v, err := left(fr)
		if err != nil {
			return nil, err
		}
		ok, err := value.Truth(&fr.rt.budget, v)
		if err != nil || ok == or {
			return v, err
		}
		return right(fr)
	}
}

var binaryOps = map[string]func(b *value.Budget, x, y value.Value) (value.Value, error){
	"+": value.Add, "-": value.Sub, "*": value.Mul, "/": value.Div, "//": value.FloorDiv, "%": value.Mod, "**": value.Pow,
}

func (c *compiler) binary(x *binNode, f *cframe) evalFn {
	left, right := c.expr(x.left, f), c.expr(x.right, f)
	op := binaryOps[x.op]
	if x.op == "**" && isNegative(x.left) && !isConst(x.right) {
		// Jinja writes a folded -2 in front of Python's operator, which binds
		// tighter than the sign: -2 ** n is -(2 ** n) unless n is constant.
		return func(fr *frame) (value.Value, error) {
			l, err := left(fr)
			if err != nil {
				return nil, err
			}
			r, err := right(fr)
			if err != nil {
				return nil, err
			}
			if l, err = value.Neg(l); err != nil {
				return nil, err
			}
			v, err := value.Pow(&fr.rt.budget, l, r)
			if err != nil {
				return nil, err
			}
			return value.Neg(v)
		}
	}
	return func(fr *frame) (value.Value, error) {
		l, err := left(fr)
		if err != nil {
			return nil, err
		}
		r, err := right(fr)
		if err != nil {
			return nil, err
		}
		return op(&fr.rt.budget, l, r)
	}
}

// isNegative says whether n is a number with a minus in front.
func isNegative(n node) bool {
	u, ok := n.(*unaryNode)
	if !ok || u.op != '-' {
		return false
	}
	k, ok := u.expr.(*constNode)
	if !ok {
		return false
	}
	zero, err := value.Order(nil, ">", k.val, int64(0))
	return err == nil && zero
}

// isConst says whether n is made of literals and operators alone.
func isConst(n node) bool {
	return walk(n, func(n node) bool {
		switch n.(type) {
		case *nameNode, *callNode, *filterNode, *testNode:
			return false
		}
		return true
	})
}

func (c *compiler) concat(x *concatNode, f *cframe) evalFn {
	items := c.exprs(x.items, f)
	return func(fr *frame) (value.Value, error) {
		vals, err := evalAll(fr, items)
		if err != nil {
			return nil, err
		}
		rt := fr.rt
		markup := false
		if rt.autoescape {
			for _, v := range vals {
				if _, ok := v.(value.Markup); ok {
					markup = true
				}
			}
		}
		var buf []byte
		for _, v := range vals {
			n := len(buf)
			if buf, err = value.AppendStr(&rt.budget, buf, v); err != nil {
				return nil, err
			}
			if _, ok := v.(value.Markup); markup && !ok {
				buf = append(buf[:n], value.EscapeHTML(string(buf[n:]))...)
			}
			if err := rt.budget.Alloc(int64(len(buf) - n)); err != nil {
				return nil, err
			}
		}
		if markup {
			return value.Markup(buf), nil
		}
		return string(buf), nil
	}
}

func compareOp(b *value.Budget, op string, l, r value.Value) (bool, error) {
	switch op {
	case "==":
		return value.Eq(b, l, r)
	case "!=":
		eq, err := value.Eq(b, l, r)
		return !eq, err
	case "in":
		return value.Contains(b, l, r)
	case "not in":
		in, err := value.Contains(b, l, r)
		return !in, err
	}
	return value.Order(b, op, l, r)
}

func (c *compiler) compare(x *compareNode, f *cframe) evalFn {
	first := c.expr(x.expr, f)
	type op struct {
		op   string
		expr evalFn
	}
	var ops []op
	for _, o := range x.ops {
		ops = append(ops, op{o.op, c.expr(o.expr, f)})
	}
	return func(fr *frame) (value.Value, error) {
		l, err := first(fr)
		if err != nil {
			return nil, err
		}
		for _, o := range ops {
			r, err := o.expr(fr)
			if err != nil {
				return nil, err
			}
			ok, err := compareOp(&fr.rt.budget, o.op, l, r)
			if err != nil || !ok {
				return false, err
			}
			l = r
		}
		return true, nil
	}
}

func (c *compiler) slice(x *sliceNode, f *cframe) evalFn {
	get := func(n node) evalFn {
		if n == nil {
			return func(*frame) (value.Value, error) { return nil, nil }
		}
		return c.expr(n, f)
	}
	start, stop, step := get(x.start), get(x.stop), get(x.step)
	return func(fr *frame) (value.Value, error) {
		var s value.Slice
		var err error
		if s.Start, err = start(fr); err != nil {
			return nil, err
		}
		if s.Stop, err = stop(fr); err != nil {
			return nil, err
		}
		s.Step, err = step(fr)
		return s, err
	}
}

func (c *compiler) getitem(x *getitemNode, f *cframe) evalFn {
	obj, arg := c.expr(x.obj, f), c.expr(x.arg, f)
	_, isSlice := x.arg.(*sliceNode)
	return func(fr *frame) (value.Value, error) {
		v, err := obj(fr)
		if err != nil {
			return nil, err
		}
		k, err := arg(fr)
		if err != nil {
			return nil, err
		}
		if !isSlice {
			return fr.rt.getitem(v, k)
		}
		// A slice does not go through the environment: what cannot be sliced
		// is an error and not undefined.
		r, ok, err := value.GetItem(&fr.rt.budget, v, k)
		if err == nil && !ok {
			if _, isDict := v.(*value.Dict); isDict {
				err = value.TypeErrorf("unhashable type: 'slice'")
			} else if _, lenErr := value.Len(nil, v); lenErr == nil {
				err = value.TypeErrorf("slice indices must be integers or None or have an __index__ method")
			} else {
				err = value.TypeErrorf("%s object is not subscriptable", value.Quote(value.TypeName(v)))
			}
		}
		return r, err
	}
}

// compiledArgs are the arguments of a call.
type compiledArgs struct {
	pos       []evalFn
	kwNames   []string
	kw        []evalFn
	dynArgs   evalFn
	dynKwargs evalFn
}

func (c *compiler) args(a *args, f *cframe) *compiledArgs {
	out := &compiledArgs{pos: c.exprs(a.pos, f)}
	for _, k := range a.kw {
		out.kwNames = append(out.kwNames, k.name)
		out.kw = append(out.kw, c.expr(k.value, f))
	}
	if a.dynArgs != nil {
		out.dynArgs = c.expr(a.dynArgs, f)
	}
	if a.dynKwargs != nil {
		out.dynKwargs = c.expr(a.dynKwargs, f)
	}
	return out
}

// eval fills the call; lead is how many positional slots are kept free for
// the operand of a filter or test.
func (a *compiledArgs) eval(fr *frame, call *value.Call, lead int) error {
	b := &fr.rt.budget
	call.Args = make([]value.Value, lead+len(a.pos))
	for i, fn := range a.pos {
		v, err := fn(fr)
		if err != nil {
			return err
		}
		call.Args[lead+i] = v
	}
	for i, fn := range a.kw {
		v, err := fn(fr)
		if err != nil {
			return err
		}
		call.Kwargs = append(call.Kwargs, value.Kwarg{Name: a.kwNames[i], Value: v})
	}
	if a.dynArgs != nil {
		v, err := a.dynArgs(fr)
		if err != nil {
			return err
		}
		if u, ok := v.(*value.Undefined); ok && u.Strict {
			return u.Err()
		}
		if !value.IsIterable(v) {
			return value.TypeErrorf("Value after * must be an iterable, not %s", value.TypeName(v))
		}
		items, err := value.Items(b, v)
		if err != nil {
			return err
		}
		call.Args = append(call.Args, items...)
	}
	if a.dynKwargs != nil {
		v, err := a.dynKwargs(fr)
		if err != nil {
			return err
		}
		d, ok := v.(*value.Dict)
		if !ok {
			if u, ok := v.(*value.Undefined); ok {
				return u.Err()
			}
			return value.TypeErrorf("argument after ** must be a mapping, not %s", value.TypeName(v))
		}
		for k, v := range d.All() {
			name, ok := value.AsString(k)
			if !ok {
				return value.TypeErrorf("keywords must be strings")
			}
			for _, kw := range call.Kwargs {
				if kw.Name == name {
					return value.TypeErrorf("got multiple values for keyword argument %s", value.Quote(name))
				}
			}
			call.Kwargs = append(call.Kwargs, value.Kwarg{Name: name, Value: v})
		}
	}
	return b.Step(1)
}

func (c *compiler) call(x *callNode, f *cframe, forwardCaller bool) func(fr *frame, caller value.Value) (value.Value, error) {
	args := c.args(&x.args, f)
	finish := func(fr *frame, call *value.Call, caller value.Value) {
		call.Budget = &fr.rt.budget
		call.Scope = fr.rt
		if forwardCaller {
			call.Kwargs = append(call.Kwargs, value.Kwarg{Name: "caller", Value: caller})
		}
	}
	// A method call on a built-in value needs no bound method in between.
	if ga, ok := x.fn.(*getattrNode); ok {
		obj := c.expr(ga.obj, f)
		attr := ga.attr
		return func(fr *frame, caller value.Value) (value.Value, error) {
			self, err := obj(fr)
			if err != nil {
				return nil, err
			}
			if m := value.FindMethod(self, attr); m != nil {
				call := &value.Call{}
				if err := args.eval(fr, call, 0); err != nil {
					return nil, err
				}
				finish(fr, call, caller)
				return m(call, self)
			}
			fn, err := fr.rt.getattr(self, attr)
			if err != nil {
				return nil, err
			}
			call := &value.Call{}
			if err := args.eval(fr, call, 0); err != nil {
				return nil, err
			}
			finish(fr, call, caller)
			return fr.rt.call(fn, call)
		}
	}
	fn := c.expr(x.fn, f)
	return func(fr *frame, caller value.Value) (value.Value, error) {
		fnv, err := fn(fr)
		if err != nil {
			return nil, err
		}
		call := &value.Call{}
		if err := args.eval(fr, call, 0); err != nil {
			return nil, err
		}
		finish(fr, call, caller)
		return fr.rt.call(fnv, call)
	}
}

func (c *compiler) filterCall(x *filterNode, obj evalFn, f *cframe) evalFn {
	fn := c.env.filters[x.name]
	if fn == nil {
		if !f.soft {
			c.fail(x.line, "No filter named %s.", value.Quote(x.name))
		}
		name := x.name
		return func(*frame) (value.Value, error) {
			return nil, value.Errorf("TemplateRuntimeError", "No filter named %s found.", value.Quote(name))
		}
	}
	return c.applied(fn, &x.args, obj, f)
}

func (c *compiler) testCall(x *testNode, f *cframe) evalFn {
	fn := c.env.tests[x.name]
	obj := c.expr(x.obj, f)
	if fn == nil {
		if !f.soft {
			c.fail(x.line, "No test named %s.", value.Quote(x.name))
		}
		name := x.name
		return func(*frame) (value.Value, error) {
			return nil, value.Errorf("TemplateRuntimeError", "No test named %s found.", value.Quote(name))
		}
	}
	return c.applied(fn, &x.args, obj, f)
}

// applied is a filter or test applied to an operand.
func (c *compiler) applied(fn *value.Func, a *args, obj evalFn, f *cframe) evalFn {
	args := c.args(a, f)
	return func(fr *frame) (value.Value, error) {
		v, err := obj(fr)
		if err != nil {
			return nil, err
		}
		call := &value.Call{Budget: &fr.rt.budget, Scope: fr.rt}
		if err := args.eval(fr, call, 1); err != nil {
			return nil, err
		}
		call.Args[0] = v
		return fn.Fn(call)
	}
}

// isPrivate says whether the sandbox hides an attribute by its name.
func isPrivate(attr string) bool { return strings.HasPrefix(attr, "_") }
