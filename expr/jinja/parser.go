package jinja

import (
	"fmt"
	"strings"

	"petrel/expr/value"
)

// maxNest bounds the nesting of a template's text, because the parser and the
// closures made of it recurse.
const maxNest = 150

// parser builds the tree. It is Jinja's own recursive descent, so that what it
// accepts and how it binds are the same. Errors travel as panics of type
// parseError and are caught in parseTemplate and parseExpr.
type parser struct {
	lex      *lexer
	cur      token
	ahead    []token
	tags     []string
	endStack [][]string
	nest     int
}

type parseError struct{ err error }

func newParser(lex *lexer) *parser {
	p := &parser{lex: lex, cur: token{line: 1}}
	p.advance()
	return p
}

func catchParse(err *error) {
	if r := recover(); r != nil {
		pe, ok := r.(parseError)
		if !ok {
			panic(r)
		}
		*err = pe.err
	}
}

func parseTemplate(lex *lexer) (t *templateNode, err error) {
	defer catchParse(&err)
	p := newParser(lex)
	return &templateNode{p.subparse(nil)}, nil
}

func parseExpr(lex *lexer) (n node, err error) {
	defer catchParse(&err)
	p := newParser(lex)
	n = p.expression(true)
	if p.cur.kind != tokEOF {
		p.fail(p.cur.line, "chunk after expression")
	}
	return n, nil
}

func (p *parser) fail(line int, format string, args ...any) {
	panic(parseError{syntaxErr(line, format, args...)})
}

func (p *parser) enter() {
	if p.nest++; p.nest > maxNest {
		panic(parseError{&value.LimitError{Limit: "levels of template nesting", Max: fmt.Sprint(maxNest)}})
	}
}

func (p *parser) leave() { p.nest-- }

func (p *parser) read() token {
	t, err := p.lex.next()
	if err != nil {
		panic(parseError{err})
	}
	return t
}

// advance goes one token on and gives the one before.
func (p *parser) advance() token {
	old := p.cur
	if len(p.ahead) > 0 {
		p.cur = p.ahead[0]
		p.ahead = p.ahead[1:]
	} else {
		p.cur = p.read()
	}
	return old
}

func (p *parser) look() token {
	if len(p.ahead) == 0 {
		p.ahead = append(p.ahead, p.read())
	}
	return p.ahead[0]
}

func (t token) isName(name string) bool { return t.kind == tokName && t.text == name }
func (t token) isOp(op string) bool     { return t.kind == tokOp && t.text == op }

func (p *parser) skipName(name string) bool {
	if p.cur.isName(name) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) skipOp(op string) bool {
	if p.cur.isOp(op) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) unexpected(want string) {
	if p.cur.kind == tokEOF {
		p.fail(p.cur.line, "unexpected end of template, expected %s.", value.Quote(want))
	}
	p.fail(p.cur.line, "expected token %s, got %s", value.Quote(want), value.Quote(p.cur.describe()))
}

func (p *parser) expectOp(op string) token {
	if !p.cur.isOp(op) {
		p.unexpected(op)
	}
	return p.advance()
}

func (p *parser) expectKind(k tokenKind) token {
	if p.cur.kind != k {
		if k == tokName {
			p.unexpected("name")
		}
		p.unexpected(token{kind: k}.describe())
	}
	return p.advance()
}

func (p *parser) expectName(name string) token {
	if !p.cur.isName(name) {
		p.unexpected(name)
	}
	return p.advance()
}

// unknownTag fails with Jinja's help about what was expected instead.
func (p *parser) unknownTag(name string, haveName bool, line int, stack [][]string) {
	var msg []string
	if haveName {
		msg = append(msg, fmt.Sprintf("Encountered unknown tag %s.", value.Quote(name)))
	} else {
		msg = append(msg, "Unexpected end of template.")
	}
	if len(stack) > 0 {
		var quoted []string
		for _, e := range stack[len(stack)-1] {
			quoted = append(quoted, value.Quote(e))
		}
		looking := strings.Join(quoted, " or ")
		expected := false
		for _, set := range stack {
			for _, e := range set {
				expected = expected || haveName && e == name
			}
		}
		if expected {
			msg = append(msg, "You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for "+looking+".")
		} else {
			msg = append(msg, "Jinja was looking for the following tags: "+looking+".")
		}
	}
	if len(p.tags) > 0 {
		msg = append(msg, "The innermost block that needs to be closed is "+value.Quote(p.tags[len(p.tags)-1])+".")
	}
	p.fail(line, "%s", strings.Join(msg, " "))
}

func (p *parser) subparse(end []string) []node {
	var body, data []node
	if end != nil {
		p.endStack = append(p.endStack, end)
		defer func() { p.endStack = p.endStack[:len(p.endStack)-1] }()
	}
	flush := func() {
		if len(data) > 0 {
			body = append(body, &outputNode{data})
			data = nil
		}
	}
	for p.cur.kind != tokEOF {
		switch p.cur.kind {
		case tokData:
			t := p.advance()
			data = append(data, &dataNode{t.text, t.line})
		case tokVarBegin:
			p.advance()
			data = append(data, p.tuple(tupleOpts{cond: true}))
			p.expectKind(tokVarEnd)
		case tokBlockBegin:
			flush()
			p.advance()
			for _, e := range end {
				if p.cur.isName(e) {
					return body
				}
			}
			body = append(body, p.statement())
			p.expectKind(tokBlockEnd)
		default:
			// Only an expression compiled in template state gets here.
			p.fail(p.cur.line, "unexpected %s", value.Quote(p.cur.describe()))
		}
	}
	flush()
	return body
}

func (p *parser) statements(end []string, drop bool) []node {
	p.skipOp(":")
	p.expectKind(tokBlockEnd)
	body := p.subparse(end)
	if p.cur.kind == tokEOF {
		p.unknownTag("", false, p.cur.line, append(append([][]string(nil), p.endStack...), end))
	}
	if drop {
		p.advance()
	}
	return body
}

func (p *parser) statement() node {
	p.enter()
	defer p.leave()
	t := p.cur
	if t.kind != tokName {
		p.fail(t.line, "tag name expected")
	}
	var parse func() node
	switch t.text {
	case "for":
		parse = p.forStmt
	case "if":
		parse = p.ifStmt
	case "block":
		parse = p.blockStmt
	case "extends", "include", "import", "from":
		parse = p.loaderStmt
	case "print":
		parse = p.printStmt
	case "macro":
		parse = p.macroStmt
	case "set":
		parse = p.setStmt
	case "with":
		parse = p.withStmt
	case "autoescape":
		parse = p.autoescapeStmt
	case "call":
		parse = p.callStmt
	case "filter":
		parse = p.filterStmt
	default:
		p.unknownTag(t.text, true, t.line, p.endStack)
	}
	p.tags = append(p.tags, t.text)
	n := parse()
	p.tags = p.tags[:len(p.tags)-1]
	return n
}

func (p *parser) setStmt() node {
	p.advance()
	target := p.assignTarget(targetOpts{tuple: true, namespace: true})
	if p.skipOp("=") {
		return &assignNode{target, p.tuple(tupleOpts{cond: true})}
	}
	filter := p.filter(nil, false)
	return &assignBlockNode{target, filter, p.statements([]string{"endset"}, true)}
}

func (p *parser) forStmt() node {
	line := p.advance().line
	target := p.assignTarget(targetOpts{tuple: true, end: "in"})
	p.expectName("in")
	iter := p.tuple(tupleOpts{end: "recursive"})
	n := &forNode{target: target, iter: iter, line: line}
	if p.skipName("if") {
		n.test = p.expression(true)
	}
	n.recursive = p.skipName("recursive")
	n.body = p.statements([]string{"endfor", "else"}, false)
	if p.advance().text != "endfor" {
		n.orElse = p.statements([]string{"endfor"}, true)
	}
	return n
}

func (p *parser) ifStmt() node {
	p.advance()
	result := &ifNode{}
	n := result
	for {
		n.test = p.tuple(tupleOpts{})
		n.body = p.statements([]string{"elif", "else", "endif"}, false)
		t := p.advance()
		if t.isName("elif") {
			n = &ifNode{}
			result.elifs = append(result.elifs, n)
			continue
		}
		if t.isName("else") {
			result.orElse = p.statements([]string{"endif"}, true)
		}
		return result
	}
}

func (p *parser) withStmt() node {
	p.advance()
	n := &withNode{}
	for p.cur.kind != tokBlockEnd {
		if len(n.targets) > 0 {
			p.expectOp(",")
		}
		target := p.assignTarget(targetOpts{tuple: true})
		setCtx(target, ctxParam)
		n.targets = append(n.targets, target)
		p.expectOp("=")
		n.values = append(n.values, p.expression(true))
	}
	n.body = p.statements([]string{"endwith"}, true)
	return n
}

func (p *parser) autoescapeStmt() node {
	p.advance()
	opt := p.expression(true)
	return &autoescapeNode{opt, p.statements([]string{"endautoescape"}, true)}
}

func (p *parser) blockStmt() node {
	n := &blockNode{line: p.advance().line}
	n.name = p.expectKind(tokName).text
	n.scoped = p.skipName("scoped")
	n.required = p.skipName("required")
	if p.cur.isOp("-") {
		p.fail(p.cur.line, "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.")
	}
	n.body = p.statements([]string{"endblock"}, true)
	if n.required {
		for _, b := range n.body {
			out, ok := b.(*outputNode)
			if ok {
				for _, it := range out.items {
					d, isData := it.(*dataNode)
					ok = ok && isData && strings.TrimFunc(d.text, value.IsSpace) == ""
				}
			}
			if !ok {
				p.fail(p.cur.line, "Required blocks can only contain comments or whitespace")
			}
		}
	}
	p.skipName(n.name)
	return n
}

func (p *parser) importContext() bool {
	if (p.cur.isName("with") || p.cur.isName("without")) && p.look().isName("context") {
		p.advance()
		p.advance()
		return true
	}
	return false
}

func (p *parser) loaderStmt() node {
	t := p.advance()
	n := &loaderNode{kind: t.text, line: t.line}
	n.template = p.expression(true)
	switch t.text {
	case "include":
		if p.cur.isName("ignore") && p.look().isName("missing") {
			p.advance()
			p.advance()
		}
		p.importContext()
	case "import":
		p.expectName("as")
		n.stores = []string{p.expectKind(tokName).text}
		p.importContext()
	case "from":
		p.expectName("import")
		for first := true; ; first = false {
			if !first {
				p.expectOp(",")
			}
			if p.cur.kind != tokName {
				p.expectKind(tokName)
			}
			if p.importContext() {
				break
			}
			name := p.expectKind(tokName)
			if strings.HasPrefix(name.text, "_") {
				panic(parseError{&SyntaxError{Class: "TemplateAssertionError", Msg: "names starting with an underline can not be imported", Line: name.line}})
			}
			alias := name.text
			if p.skipName("as") {
				alias = p.expectKind(tokName).text
			}
			n.stores = append(n.stores, alias)
			if p.importContext() || !p.cur.isOp(",") {
				break
			}
		}
	}
	return n
}

func (p *parser) signature(s *signature) {
	p.expectOp("(")
	for !p.cur.isOp(")") {
		if len(s.params) > 0 {
			p.expectOp(",")
		}
		arg := p.assignTarget(targetOpts{nameOnly: true}).(*nameNode)
		arg.ctx = ctxParam
		if p.skipOp("=") {
			s.defaults = append(s.defaults, p.expression(true))
		} else if len(s.defaults) > 0 {
			p.fail(p.cur.line, "non-default argument follows default argument")
		}
		s.params = append(s.params, arg)
	}
	p.expectOp(")")
}

func (p *parser) callStmt() node {
	n := &callBlockNode{line: p.advance().line}
	if p.cur.isOp("(") {
		p.signature(&n.signature)
	}
	call, ok := p.expression(true).(*callNode)
	if !ok {
		p.fail(n.line, "expected call")
	}
	n.call = call
	n.body = p.statements([]string{"endcall"}, true)
	return n
}

func (p *parser) filterStmt() node {
	p.advance()
	f := p.filter(nil, true)
	return &filterBlockNode{f, p.statements([]string{"endfilter"}, true)}
}

func (p *parser) macroStmt() node {
	n := &macroNode{line: p.advance().line}
	n.name = p.assignTarget(targetOpts{nameOnly: true}).(*nameNode).name
	p.signature(&n.signature)
	n.body = p.statements([]string{"endmacro"}, true)
	return n
}

func (p *parser) printStmt() node {
	p.advance()
	n := &outputNode{}
	for p.cur.kind != tokBlockEnd {
		if len(n.items) > 0 {
			p.expectOp(",")
		}
		n.items = append(n.items, p.expression(true))
	}
	return n
}

type targetOpts struct {
	tuple, nameOnly, namespace bool
	end                        string
}

func setCtx(n node, ctx nameCtx) {
	walk(n, func(n node) bool {
		if name, ok := n.(*nameNode); ok {
			name.ctx = ctx
		}
		return true
	})
}

// kindName is the lower-case class name of a node, for the message about
// things that cannot be assigned to.
func kindName(n node) string {
	switch n.(type) {
	case *constNode:
		return "const"
	case *listNode:
		return "list"
	case *dictNode:
		return "dict"
	case *nameNode:
		return "name"
	case *tupleNode:
		return "tuple"
	case *getattrNode:
		return "getattr"
	case *getitemNode:
		return "getitem"
	case *callNode:
		return "call"
	case *filterNode:
		return "filter"
	}
	return "expression"
}

func canAssign(n node) bool {
	switch x := n.(type) {
	case *nameNode:
		switch x.name {
		case "true", "false", "none", "True", "False", "None":
			return false
		}
		return true
	case *nsRefNode:
		return true
	case *tupleNode:
		for _, it := range x.items {
			if !canAssign(it) {
				return false
			}
		}
		return true
	}
	return false
}

func (p *parser) assignTarget(o targetOpts) node {
	var target node
	line := p.cur.line
	if o.nameOnly {
		t := p.expectKind(tokName)
		target = &nameNode{t.text, ctxStore, t.line}
	} else {
		if o.tuple {
			target = p.tuple(tupleOpts{simplified: true, end: o.end, namespace: o.namespace})
		} else {
			target = p.primary(o.namespace)
		}
		setCtx(target, ctxStore)
	}
	if !canAssign(target) {
		p.fail(line, "can't assign to %s", value.Quote(kindName(target)))
	}
	return target
}

func (p *parser) expression(cond bool) node {
	p.enter()
	defer p.leave()
	if cond {
		return p.condExpr()
	}
	return p.or()
}

func (p *parser) condExpr() node {
	p.enter()
	defer p.leave()
	line := p.cur.line
	n := p.or()
	for p.skipName("if") {
		test := p.or()
		var other node
		if p.skipName("else") {
			other = p.condExpr()
		}
		n = &condNode{test, n, other, line}
		line = p.cur.line
	}
	return n
}

func (p *parser) or() node {
	n := p.and()
	for p.skipName("or") {
		n = &orNode{n, p.and()}
	}
	return n
}

func (p *parser) and() node {
	n := p.not()
	for p.skipName("and") {
		n = &andNode{n, p.not()}
	}
	return n
}

func (p *parser) not() node {
	if p.skipName("not") {
		p.enter()
		defer p.leave()
		return &notNode{p.not()}
	}
	return p.compare()
}

func (p *parser) compare() node {
	n := p.math1()
	var ops []operand
	for {
		switch {
		case p.cur.kind == tokOp && (p.cur.text == "==" || p.cur.text == "!=" || p.cur.text == "<" || p.cur.text == "<=" || p.cur.text == ">" || p.cur.text == ">="):
			op := p.advance().text
			ops = append(ops, operand{op, p.math1()})
		case p.cur.isName("in"):
			p.advance()
			ops = append(ops, operand{"in", p.math1()})
		case p.cur.isName("not") && p.look().isName("in"):
			p.advance()
			p.advance()
			ops = append(ops, operand{"not in", p.math1()})
		default:
			if ops == nil {
				return n
			}
			return &compareNode{n, ops}
		}
	}
}

func (p *parser) math1() node {
	n := p.concat()
	for p.cur.isOp("+") || p.cur.isOp("-") {
		op := p.advance().text
		n = &binNode{op, n, p.concat()}
	}
	return n
}

func (p *parser) concat() node {
	items := []node{p.math2()}
	for p.skipOp("~") {
		items = append(items, p.math2())
	}
	if len(items) == 1 {
		return items[0]
	}
	return &concatNode{items}
}

func (p *parser) math2() node {
	n := p.pow()
	for p.cur.kind == tokOp && (p.cur.text == "*" || p.cur.text == "/" || p.cur.text == "//" || p.cur.text == "%") {
		op := p.advance().text
		n = &binNode{op, n, p.pow()}
	}
	return n
}

func (p *parser) pow() node {
	n := p.unary(true)
	for p.skipOp("**") {
		n = &binNode{"**", n, p.unary(true)}
	}
	return n
}

func (p *parser) unary(withFilter bool) node {
	p.enter()
	defer p.leave()
	var n node
	switch {
	case p.cur.isOp("-"), p.cur.isOp("+"):
		op := p.advance().text[0]
		n = &unaryNode{op, p.unary(false)}
	default:
		n = p.primary(false)
	}
	n = p.postfix(n)
	if withFilter {
		n = p.filterExpr(n)
	}
	return n
}

func (p *parser) primary(namespace bool) node {
	t := p.cur
	switch t.kind {
	case tokName:
		p.advance()
		switch t.text {
		case "true", "True":
			return &constNode{true}
		case "false", "False":
			return &constNode{false}
		case "none", "None":
			return &constNode{nil}
		}
		if namespace && p.skipOp(".") {
			return &nsRefNode{t.text, p.expectKind(tokName).text, t.line}
		}
		return &nameNode{t.text, ctxLoad, t.line}
	case tokString:
		p.advance()
		if p.cur.kind != tokString {
			return &constNode{t.val}
		}
		var sb strings.Builder
		sb.WriteString(t.text)
		for p.cur.kind == tokString {
			sb.WriteString(p.advance().text)
		}
		return &constNode{sb.String()}
	case tokInteger, tokFloat:
		p.advance()
		return &constNode{t.val}
	case tokOp:
		switch t.text {
		case "(":
			p.advance()
			n := p.tuple(tupleOpts{cond: true, explicit: true})
			p.expectOp(")")
			return n
		case "[":
			return p.list()
		case "{":
			return p.dict()
		}
	}
	p.fail(t.line, "unexpected %s", value.Quote(t.describe()))
	return nil
}

type tupleOpts struct {
	simplified, cond, explicit, namespace bool
	end                                   string
}

func (p *parser) tupleEnd(end string) bool {
	return p.cur.kind == tokVarEnd || p.cur.kind == tokBlockEnd || p.cur.isOp(")") || end != "" && p.cur.isName(end)
}

func (p *parser) tuple(o tupleOpts) node {
	p.enter()
	defer p.leave()
	line := p.cur.line
	var items []node
	isTuple := false
	for {
		if len(items) > 0 {
			p.expectOp(",")
		}
		if p.tupleEnd(o.end) {
			break
		}
		if o.simplified {
			items = append(items, p.primary(o.namespace))
		} else {
			items = append(items, p.expression(o.cond))
		}
		if !p.cur.isOp(",") {
			break
		}
		isTuple = true
		line = p.cur.line
	}
	if !isTuple {
		if len(items) > 0 {
			return items[0]
		}
		if !o.explicit {
			p.fail(p.cur.line, "Expected an expression, got %s", value.Quote(p.cur.describe()))
		}
	}
	return &tupleNode{items, line}
}

func (p *parser) list() node {
	p.expectOp("[")
	n := &listNode{}
	for !p.cur.isOp("]") {
		if len(n.items) > 0 {
			p.expectOp(",")
		}
		if p.cur.isOp("]") {
			break
		}
		n.items = append(n.items, p.expression(true))
	}
	p.expectOp("]")
	return n
}

func (p *parser) dict() node {
	p.expectOp("{")
	n := &dictNode{}
	for !p.cur.isOp("}") {
		if len(n.items) > 0 {
			p.expectOp(",")
		}
		if p.cur.isOp("}") {
			break
		}
		key := p.expression(true)
		p.expectOp(":")
		n.items = append(n.items, pair{key, p.expression(true)})
	}
	p.expectOp("}")
	return n
}

func (p *parser) postfix(n node) node {
	for p.cur.kind == tokOp {
		switch p.cur.text {
		case ".", "[":
			n = p.subscript(n)
		case "(":
			n = p.call(n)
		default:
			return n
		}
	}
	return n
}

func (p *parser) filterExpr(n node) node {
	for {
		switch {
		case p.cur.isOp("|"):
			n = p.filter(n, false)
		case p.cur.isName("is"):
			n = p.test(n)
		case p.cur.isOp("("):
			n = p.call(n)
		default:
			return n
		}
	}
}

func (p *parser) subscript(n node) node {
	t := p.advance()
	if t.text == "." {
		attr := p.advance()
		switch attr.kind {
		case tokName:
			return &getattrNode{n, attr.text}
		case tokInteger:
			return &getitemNode{n, &constNode{attr.val}}
		}
		p.fail(attr.line, "expected name or number")
	}
	var items []node
	for !p.cur.isOp("]") {
		if len(items) > 0 {
			p.expectOp(",")
		}
		items = append(items, p.subscribed())
	}
	p.expectOp("]")
	if len(items) == 1 {
		return &getitemNode{n, items[0]}
	}
	return &getitemNode{n, &tupleNode{items, t.line}}
}

func (p *parser) subscribed() node {
	s := &sliceNode{}
	if !p.cur.isOp(":") {
		n := p.expression(true)
		if !p.cur.isOp(":") {
			return n
		}
		s.start = n
	}
	p.advance()
	end := func() bool { return p.cur.isOp("]") || p.cur.isOp(",") }
	if !p.cur.isOp(":") && !end() {
		s.stop = p.expression(true)
	}
	if p.skipOp(":") && !end() {
		s.step = p.expression(true)
	}
	return s
}

func (p *parser) callArgs() args {
	line := p.expectOp("(").line
	var a args
	ensure := func(ok bool) {
		if !ok {
			p.fail(line, "invalid syntax for function call expression")
		}
	}
	for comma := false; !p.cur.isOp(")"); comma = true {
		if comma {
			p.expectOp(",")
			if p.cur.isOp(")") {
				break
			}
		}
		switch {
		case p.cur.isOp("*"):
			ensure(a.dynArgs == nil && a.dynKwargs == nil)
			p.advance()
			a.dynArgs = p.expression(true)
		case p.cur.isOp("**"):
			ensure(a.dynKwargs == nil)
			p.advance()
			a.dynKwargs = p.expression(true)
		case p.cur.kind == tokName && p.look().isOp("="):
			ensure(a.dynKwargs == nil)
			key := p.advance()
			p.advance()
			for _, k := range a.kw {
				if k.name == key.text {
					p.fail(key.line, "keyword argument repeated: %s", key.text)
				}
			}
			a.kw = append(a.kw, keyword{key.text, p.expression(true)})
		default:
			ensure(a.dynArgs == nil && a.dynKwargs == nil && len(a.kw) == 0)
			a.pos = append(a.pos, p.expression(true))
		}
	}
	p.expectOp(")")
	return a
}

func (p *parser) call(n node) node {
	line := p.cur.line
	return &callNode{n, p.callArgs(), line}
}

func (p *parser) dottedName() (string, int) {
	t := p.expectKind(tokName)
	name := t.text
	for p.skipOp(".") {
		name += "." + p.expectKind(tokName).text
	}
	return name, t.line
}

func (p *parser) filter(n node, inline bool) node {
	for inline || p.cur.isOp("|") {
		if !inline {
			p.advance()
		}
		inline = false
		name, line := p.dottedName()
		f := &filterNode{obj: n, name: name, line: line}
		if p.cur.isOp("(") {
			f.args = p.callArgs()
		}
		n = f
	}
	return n
}

func (p *parser) test(n node) node {
	line := p.advance().line
	negated := p.skipName("not")
	name, _ := p.dottedName()
	t := &testNode{obj: n, name: name, line: line}
	switch {
	case p.cur.isOp("("):
		t.args = p.callArgs()
	case p.cur.kind == tokName || p.cur.kind == tokString || p.cur.kind == tokInteger || p.cur.kind == tokFloat || p.cur.isOp("[") || p.cur.isOp("{"):
		if p.cur.isName("else") || p.cur.isName("or") || p.cur.isName("and") {
			break
		}
		if p.cur.isName("is") {
			p.fail(p.cur.line, "You cannot chain multiple tests with is")
		}
		t.args.pos = []node{p.postfix(p.primary(false))}
	}
	if negated {
		return &notNode{t}
	}
	return t
}
