package jinja

import (
	stdctx "context"
	"errors"
	"fmt"

	"petrel/expr/value"
)

// missing marks a variable without a value; it never leaves the package.
var missing value.Value = &missingType{}

type missingType struct{ _ int }

// run is the state of one evaluation.
type run struct {
	env        *Env
	prog       *program
	vars       Vars
	budget     value.Budget
	out        []byte
	autoescape bool
	root       frame
	rootCtx    jctx
	inline     [8]value.Value
}

// frame is one activation of a function.
type frame struct {
	rt    *run
	up    *frame
	ctx   *jctx
	slots []value.Value
}

func (f *frame) child(scope *fnScope) *frame {
	c := &frame{rt: f.rt, up: f, ctx: f.ctx, slots: make([]value.Value, len(scope.slots))}
	for i := range c.slots {
		c.slots[i] = missing
	}
	return c
}

// jctx is Jinja's context: what was assigned at the top level, over the
// variables given to the template, over the globals.
type jctx struct {
	vars   map[string]value.Value
	parent *jctx
}

func (c *jctx) set(name string, v value.Value) {
	if c.vars == nil {
		c.vars = map[string]value.Value{}
	}
	c.vars[name] = v
}

func (c *jctx) resolve(rt *run, name string) value.Value {
	for ; c != nil; c = c.parent {
		if v, ok := c.vars[name]; ok {
			return v
		}
	}
	if rt.vars != nil {
		if v, ok := rt.vars.Lookup(name); ok {
			return v
		}
	}
	if v, ok := rt.env.globals[name]; ok {
		return v
	}
	return missing
}

func (e *Env) newRun(ctx stdctx.Context, prog *program, vars Vars) *run {
	rt := &run{env: e, prog: prog, vars: vars}
	rt.budget.Reset(ctx, e.opts.Limits)
	n := len(prog.root.scope.slots)
	slots := rt.inline[:]
	if n > len(slots) {
		slots = make([]value.Value, n)
	}
	rt.root = frame{rt: rt, ctx: &rt.rootCtx, slots: slots[:n]}
	return rt
}

// Render renders the template. Errors are *UndefinedError, *value.LimitError,
// *value.Error (a Python exception) or the error of a function or of ctx.
func (t *Template) Render(ctx stdctx.Context, vars Vars) (text string, err error) {
	rt := t.env.newRun(ctx, t.prog, vars)
	if err := t.prog.root.body(&rt.root); err != nil {
		return "", outward(err)
	}
	return string(rt.out), nil
}

// Eval evaluates the expression. A lazy result is made a list. An expression
// whose value is undefined is an *UndefinedError with Unused set.
func (x *Expression) Eval(ctx stdctx.Context, vars Vars) (value.Value, error) {
	rt := x.env.newRun(ctx, x.prog, vars)
	v, err := x.prog.expr(&rt.root)
	if err != nil {
		return nil, outward(err)
	}
	switch u := v.(type) {
	case *value.Undefined:
		e := u.Err().(*value.Error)
		return nil, &UndefinedError{Class: e.Class, Msg: e.Msg, Unused: true}
	case *value.Iterator:
		items, err := value.CopyItems(&rt.budget, u)
		if err != nil {
			return nil, outward(err)
		}
		return &value.List{Items: items}, nil
	}
	return v, nil
}

// outward gives the package's own types to the errors that have one.
func outward(err error) error {
	var e *value.Error
	if errors.As(err, &e) && (e.Class == "UndefinedError" || e.Class == "SecurityError") {
		return &UndefinedError{Class: e.Class, Msg: e.Msg}
	}
	return err
}

func (rt *run) undefined(u *value.Undefined) *value.Undefined {
	u.Strict = !rt.env.opts.Lenient
	return u
}

func (rt *run) checkOut() error {
	if int64(len(rt.out)) > rt.env.opts.Limits.Output {
		return &value.LimitError{Limit: "bytes of output", Max: fmt.Sprint(rt.env.opts.Limits.Output)}
	}
	return nil
}

// writeText writes template text, which is never escaped.
func (rt *run) writeText(s string) error {
	rt.out = append(rt.out, s...)
	return rt.checkOut()
}

// write writes the text of a value, escaped under autoescape.
func (rt *run) write(v value.Value) error {
	if rt.autoescape {
		if _, ok := v.(value.Markup); !ok {
			s, err := value.ToStr(&rt.budget, v)
			if err != nil {
				return err
			}
			return rt.writeText(value.EscapeHTML(s))
		}
	}
	var err error
	rt.out, err = value.AppendStr(&rt.budget, rt.out, v)
	if err != nil {
		return err
	}
	return rt.checkOut()
}

// writeRaw writes what a filter block, call block or recursive loop gave.
func (rt *run) writeRaw(v value.Value) error {
	if u, ok := v.(*value.Undefined); ok && u.Strict {
		return u.Err()
	}
	s, ok := value.AsString(v)
	if !ok {
		// Jinja joins the pieces of a template and fails on what is no text.
		return value.TypeErrorf("sequence item 0: expected str instance, %s found", value.TypeName(v))
	}
	return rt.writeText(s)
}

func (rt *run) callBlock(fn *function, ctx *jctx) error {
	if err := rt.budget.Enter(); err != nil {
		return err
	}
	defer rt.budget.Leave()
	fr := &frame{rt: rt, ctx: ctx, slots: make([]value.Value, len(fn.scope.slots))}
	return fn.body(fr)
}

// dunders are attributes every Python object has; asking for one is refused
// and not merely answered with undefined.
var dunders = map[string]bool{}

func init() {
	for _, n := range []string{"class", "init", "new", "doc", "dict", "module", "eq", "ne", "lt", "le", "gt", "ge", "hash", "repr", "str",
		"format", "sizeof", "reduce", "reduce_ex", "getattribute", "setattr", "delattr", "dir", "init_subclass", "subclasshook", "getstate"} {
		dunders["__"+n+"__"] = true
	}
	delete(dunders, "__dict__")
	delete(dunders, "__module__")
}

// hasPrivate says whether obj has an attribute of this private name.
func hasPrivate(obj value.Value, name string) bool {
	if dunders[name] {
		return true
	}
	in := func(names ...string) bool {
		for _, n := range names {
			if name == "__"+n+"__" {
				return true
			}
		}
		return false
	}
	switch obj.(type) {
	case string, value.Markup, value.Bytes, value.Tuple, *value.NamedTuple:
		return in("len", "getitem", "contains", "iter", "add", "mul", "rmul", "mod", "rmod", "getnewargs")
	case *value.List:
		return in("len", "getitem", "setitem", "delitem", "contains", "iter", "add", "mul", "rmul", "iadd", "imul", "reversed", "class_getitem")
	case *value.Dict:
		return in("len", "getitem", "setitem", "delitem", "contains", "iter", "reversed", "or", "ror", "ior", "class_getitem")
	case bool, int64, float64:
		return in("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "pos", "abs", "bool", "int", "float", "index", "and", "or", "xor", "divmod", "round", "trunc", "ceil", "floor")
	case *value.Func, *macro:
		return in("call", "globals", "code", "closure", "defaults", "kwdefaults", "name", "qualname", "dict", "module", "annotations", "get", "builtins", "wrapped", "self")
	case value.Object:
		return in("dict", "module", "call", "len", "iter", "next", "weakref")
	}
	return false
}

// getattr is the sandbox's attribute access: attribute first, then item.
func (rt *run) getattr(obj value.Value, attr string) (value.Value, error) {
	if d, ok := obj.(*value.Dict); ok && !isPrivate(attr) {
		// What most templates do.
		if value.FindMethod(d, attr) == nil {
			if v, ok := d.GetStr(attr); ok {
				return v, nil
			}
			return rt.undefined(&value.Undefined{Obj: obj, HasObj: true, Name: attr}), nil
		}
	}
	b := &rt.budget
	if isPrivate(attr) {
		if hasPrivate(obj, attr) {
			return rt.unsafe(obj, attr), nil
		}
	} else {
		v, ok, err := value.Attr(b, obj, attr)
		if err != nil || ok {
			return v, err
		}
	}
	if o, ok := obj.(value.Object); ok {
		if isPrivate(attr) {
			return rt.undefined(&value.Undefined{Obj: o, HasObj: true, Name: attr}), nil
		}
	} else {
		v, ok, err := value.GetItem(b, obj, attr)
		if err != nil || ok {
			return v, err
		}
	}
	return rt.undefined(&value.Undefined{Obj: obj, HasObj: true, Name: attr}), nil
}

func (rt *run) unsafe(obj value.Value, attr string) *value.Undefined {
	return rt.undefined(&value.Undefined{
		Hint: fmt.Sprintf("access to attribute %s of %s object is unsafe.", value.Quote(attr), value.Quote(value.TypeName(obj))),
		Obj:  obj, HasObj: true, Name: attr, Class: "SecurityError"})
}

// getitem is the sandbox's subscription: item first, then attribute.
func (rt *run) getitem(obj, key value.Value) (value.Value, error) {
	b := &rt.budget
	if name, ok := value.AsString(key); ok && isPrivate(name) {
		if _, isObj := obj.(value.Object); isObj {
			if hasPrivate(obj, name) {
				return rt.unsafe(obj, name), nil
			}
			return rt.undefined(&value.Undefined{Obj: obj, HasObj: true, Name: name}), nil
		}
	}
	v, ok, err := value.GetItem(b, obj, key)
	if err != nil || ok {
		return v, err
	}
	if name, ok := value.AsString(key); ok {
		if isPrivate(name) {
			if hasPrivate(obj, name) {
				return rt.unsafe(obj, name), nil
			}
		} else {
			v, ok, err := value.Attr(b, obj, name)
			if err != nil || ok {
				return v, err
			}
		}
	}
	return rt.undefined(&value.Undefined{Obj: obj, HasObj: true, Name: key}), nil
}

// FormatLookup makes the fields of str.format obey the sandbox.
func (rt *run) FormatLookup(_ *value.Budget, obj value.Value, attr bool, name value.Value) (value.Value, error) {
	if attr {
		return rt.getattr(obj, name.(string))
	}
	return rt.getitem(obj, name)
}

func (rt *run) call(fn value.Value, call *value.Call) (value.Value, error) {
	f, ok := fn.(value.Callable)
	if !ok {
		if u, isU := fn.(*value.Undefined); isU {
			return nil, u.Err()
		}
		return nil, value.TypeErrorf("%s object is not callable", value.Quote(value.TypeName(fn)))
	}
	if err := rt.budget.Enter(); err != nil {
		return nil, err
	}
	defer rt.budget.Leave()
	return f.Call(call)
}

// scopeOf is the run that a built-in filter works in. A call from outside a
// template has none and gets a strict one.
func scopeOf(c *value.Call) *run {
	if rt, ok := c.Scope.(*run); ok {
		return rt
	}
	return &run{env: &Env{}}
}

// --- objects that templates see ---

// selfRef is the name "self": its items are the template's blocks.
type selfRef struct {
	rt  *run
	ctx *jctx
}

func (*selfRef) TypeName() string { return "TemplateReference" }

// QualName implements the long form of the name for messages.
func (*selfRef) QualName() string { return "jinja2.runtime.TemplateReference" }

// Repr is what printing self shows: templates have no names here.
func (*selfRef) Repr(*value.Budget) (string, error) { return "<TemplateReference None>", nil }

func (s *selfRef) Attr(_ *value.Budget, name string) (value.Value, bool, error) {
	fn := s.rt.prog.blocks[name]
	if fn == nil {
		return nil, false, nil
	}
	return &value.Func{Name: name, Fn: func(*value.Call) (value.Value, error) {
		return capture(func(fr *frame) error { return s.rt.callBlock(fn, s.ctx) })(&frame{rt: s.rt})
	}}, true, nil
}

type recursion struct {
	call func(v value.Value, depth int) (value.Value, error)
}

// loopCtx is the variable "loop".
type loopCtx struct {
	rt      *run
	it      *value.Iterator
	index0  int64
	length  int
	depth0  int
	recurse *recursion

	current, before value.Value
	after           []value.Value
	changed         value.Tuple
	hasChanged      bool
}

func (*loopCtx) TypeName() string { return "LoopContext" }

// QualName implements the long form of the name for messages.
func (*loopCtx) QualName() string { return "jinja2.runtime.LoopContext" }

func (l *loopCtx) next() (value.Value, bool, error) {
	var v value.Value
	if len(l.after) > 0 {
		v, l.after = l.after[0], l.after[1:]
	} else {
		var ok bool
		var err error
		if v, ok, err = l.it.Next(); err != nil || !ok {
			return nil, ok, err
		}
	}
	l.index0++
	l.before, l.current = l.current, v
	return v, true, nil
}

func (l *loopCtx) peek() (value.Value, bool, error) {
	if len(l.after) > 0 {
		return l.after[0], true, nil
	}
	v, ok, err := l.it.Next()
	if ok && err == nil {
		l.after = append(l.after, v)
	}
	return v, ok, err
}

// len is the number of items; a lazy sequence is read to its end for it.
func (l *loopCtx) len() (int, error) {
	if l.length < 0 {
		for {
			v, ok, err := l.it.Next()
			if err != nil {
				return 0, err
			}
			if !ok {
				break
			}
			if err := l.rt.budget.AllocItems(1); err != nil {
				return 0, err
			}
			l.after = append(l.after, v)
		}
		l.length = int(l.index0) + 1 + len(l.after)
	}
	return l.length, nil
}

// Len implements the filter length on loop.
func (l *loopCtx) Len(*value.Budget) (int, error) { return l.len() }

// Iter implements walking on over the rest of the loop.
func (l *loopCtx) Iter(*value.Budget) (*value.Iterator, error) {
	return value.NewIterator(func() (value.Value, bool, error) {
		v, ok, err := l.next()
		return value.Tuple{v, l}, ok, err
	}), nil
}

// Repr is what printing loop shows.
func (l *loopCtx) Repr(*value.Budget) (string, error) {
	n, err := l.len()
	return fmt.Sprintf("<LoopContext %d/%d>", l.index0+1, n), err
}

func (l *loopCtx) Attr(_ *value.Budget, name string) (value.Value, bool, error) {
	switch name {
	case "index":
		return l.index0 + 1, true, nil
	case "index0":
		return l.index0, true, nil
	case "first":
		return l.index0 == 0, true, nil
	case "last":
		_, more, err := l.peek()
		return !more, true, err
	case "length":
		n, err := l.len()
		return int64(n), true, err
	case "revindex":
		n, err := l.len()
		return int64(n) - l.index0, true, err
	case "revindex0":
		n, err := l.len()
		return int64(n) - l.index0 - 1, true, err
	case "depth":
		return int64(l.depth0) + 1, true, nil
	case "depth0":
		return int64(l.depth0), true, nil
	case "previtem":
		if l.index0 == 0 {
			return l.rt.undefined(&value.Undefined{Hint: "there is no previous item"}), true, nil
		}
		return l.before, true, nil
	case "nextitem":
		v, more, err := l.peek()
		if !more {
			return l.rt.undefined(&value.Undefined{Hint: "there is no next item"}), true, err
		}
		return v, true, err
	case "cycle":
		return value.NewFunc("cycle", func(c *value.Call) (value.Value, error) {
			if len(c.Args) == 0 {
				return nil, value.TypeErrorf("no items for cycling given")
			}
			return c.Args[l.index0%int64(len(c.Args))], nil
		}), true, nil
	case "changed":
		return value.NewFunc("changed", func(c *value.Call) (value.Value, error) {
			now := append(value.Tuple(nil), c.Args...)
			if l.hasChanged {
				eq, err := value.Eq(c.Budget, l.changed, now)
				if err != nil || eq {
					return false, err
				}
			}
			l.changed, l.hasChanged = now, true
			return true, nil
		}), true, nil
	}
	return nil, false, nil
}

// Call renders the loop's body for a nested iterable.
func (l *loopCtx) Call(c *value.Call) (value.Value, error) {
	if l.recurse == nil {
		return nil, value.TypeErrorf("The loop must have the 'recursive' marker to be called recursively.")
	}
	a, err := c.Bind("__call__", value.Req("iterable"))
	if err != nil {
		return nil, err
	}
	return l.recurse.call(a[0], l.depth0+1)
}

// macroDef is a compiled macro, macro its value in one evaluation.
type macroDef struct {
	name           string
	anonymous      bool
	scope          *fnScope
	params         []string
	slots          []int
	defaults       []evalFn
	caller         bool
	explicitCaller bool
	callerSlot     int
	kwargsSlot     int
	varargsSlot    int
	body           execFn
}

type macro struct {
	def        *macroDef
	up         *frame
	autoescape bool
}

func (*macro) TypeName() string { return "Macro" }

// QualName implements the long form of the name for messages.
func (*macro) QualName() string { return "jinja2.runtime.Macro" }

// Repr is what printing a macro shows.
func (m *macro) Repr(*value.Budget) (string, error) {
	if m.def.anonymous {
		return "<Macro anonymous>", nil
	}
	return "<Macro " + value.Quote(m.def.name) + ">", nil
}

func (m *macro) Attr(_ *value.Budget, name string) (value.Value, bool, error) {
	switch name {
	case "name":
		if m.def.anonymous {
			return nil, true, nil
		}
		return m.def.name, true, nil
	case "arguments":
		t := make(value.Tuple, len(m.def.params))
		for i, p := range m.def.params {
			t[i] = p
		}
		return t, true, nil
	case "catch_kwargs":
		return m.def.kwargsSlot >= 0, true, nil
	case "catch_varargs":
		return m.def.varargsSlot >= 0, true, nil
	case "caller":
		return m.def.caller, true, nil
	}
	return nil, false, nil
}

// Call runs the macro.
func (m *macro) Call(c *value.Call) (value.Value, error) {
	d := m.def
	fr := m.up.child(d.scope)
	n := min(len(c.Args), len(d.params))
	for i := 0; i < n; i++ {
		fr.slots[d.slots[i]] = c.Args[i]
	}
	used := make([]bool, len(c.Kwargs))
	take := func(name string) (value.Value, bool) {
		for i, k := range c.Kwargs {
			if !used[i] && k.Name == name {
				used[i] = true
				return k.Value, true
			}
		}
		return nil, false
	}
	foundCaller := false
	if n < len(d.params) {
		for i := n; i < len(d.params); i++ {
			if v, ok := take(d.params[i]); ok {
				fr.slots[d.slots[i]] = v
			}
			foundCaller = foundCaller || d.params[i] == "caller"
		}
	} else {
		foundCaller = d.explicitCaller
	}
	if d.caller && !foundCaller {
		v, ok := take("caller")
		if !ok || v == nil {
			v = m.up.rt.undefined(&value.Undefined{Hint: "No caller defined", Name: "caller"})
		}
		if d.callerSlot >= 0 {
			fr.slots[d.callerSlot] = v
		}
	}
	label := value.Quote(d.name)
	if d.anonymous {
		label = "None"
	}
	if d.kwargsSlot >= 0 {
		kw := value.NewDict()
		for i, k := range c.Kwargs {
			if !used[i] {
				kw.Set(k.Name, k.Value)
			}
		}
		fr.slots[d.kwargsSlot] = kw
	} else {
		for i, k := range c.Kwargs {
			if used[i] {
				continue
			}
			if k.Name == "caller" {
				return nil, value.TypeErrorf("macro %s was invoked with two values for the special caller argument. This is most likely a bug.", label)
			}
			return nil, value.TypeErrorf("macro %s takes no keyword argument %s", label, value.Quote(k.Name))
		}
	}
	if d.varargsSlot >= 0 {
		fr.slots[d.varargsSlot] = append(value.Tuple{}, c.Args[n:]...)
	} else if len(c.Args) > len(d.params) {
		return nil, value.TypeErrorf("macro %s takes not more than %d argument(s)", label, len(d.params))
	}
	return capture(d.body)(fr)
}

// namespace is what namespace() gives: the one thing whose attributes a
// template can set.
type namespace struct{ dict *value.Dict }

func (*namespace) TypeName() string { return "Namespace" }

// QualName implements the long form of the name for messages.
func (*namespace) QualName() string { return "jinja2.utils.Namespace" }

func (n *namespace) Attr(_ *value.Budget, name string) (value.Value, bool, error) {
	v, ok := n.dict.GetStr(name)
	return v, ok, nil
}

// Repr is what printing a namespace shows.
func (n *namespace) Repr(b *value.Budget) (string, error) {
	s, err := value.ToRepr(b, n.dict)
	return "<Namespace " + s + ">", err
}

// cycler is what cycler() gives.
type cycler struct {
	items []value.Value
	pos   int
}

func (*cycler) TypeName() string { return "Cycler" }

// QualName implements the long form of the name for messages.
func (*cycler) QualName() string { return "jinja2.utils.Cycler" }

func (c *cycler) Attr(_ *value.Budget, name string) (value.Value, bool, error) {
	switch name {
	case "current":
		return c.items[c.pos], true, nil
	case "next":
		return value.NewFunc("next", func(*value.Call) (value.Value, error) {
			v := c.items[c.pos]
			c.pos = (c.pos + 1) % len(c.items)
			return v, nil
		}), true, nil
	case "reset":
		return value.NewFunc("reset", func(*value.Call) (value.Value, error) {
			c.pos = 0
			return nil, nil
		}), true, nil
	case "pos":
		return int64(c.pos), true, nil
	case "items":
		return value.Tuple(c.items), true, nil
	}
	return nil, false, nil
}

// joiner is what joiner() gives.
type joiner struct {
	sep  value.Value
	used bool
}

func (*joiner) TypeName() string { return "Joiner" }

// QualName implements the long form of the name for messages.
func (*joiner) QualName() string { return "jinja2.utils.Joiner" }

func (j *joiner) Attr(_ *value.Budget, name string) (value.Value, bool, error) {
	switch name {
	case "sep":
		return j.sep, true, nil
	case "used":
		return j.used, true, nil
	}
	return nil, false, nil
}

// Call gives nothing the first time and the separator after that.
func (j *joiner) Call(c *value.Call) (value.Value, error) {
	if !j.used {
		j.used = true
		return "", nil
	}
	return j.sep, nil
}
