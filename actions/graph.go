package actions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"petrel/expr"
	"petrel/expr/jinja"
	"petrel/expr/value"
)

// Bounds of one rendering of parameters.
const (
	// MaxTemplates is how many parameters may be templates.
	MaxTemplates = 500
	// MaxRendered is how much text all of them may give together.
	MaxRendered = 8 << 20
	// MaxRenderTime is how long all of them may take together.
	MaxRenderTime = 5 * time.Second
)

// environment is StackStorm's Jinja for parameters.
var environment = sync.OnceValue(func() *jinja.Env {
	return jinja.NewEnv(jinja.Options{DecryptKV: decryptKV})
})

// template is a value that must be rendered: a text, or a list or dict with an
// expression somewhere in it.
type template struct {
	source  value.Value
	text    string // what is rendered; of a list or dict its JSON
	complex bool
	needs   []string // the names it takes from elsewhere
	broken  error    // it was recognised but cannot be compiled
}

// newTemplate says whether a value is a template. A text that Jinja cannot
// read is none: it is taken as it stands.
func newTemplate(v value.Value) (*template, error) {
	t := &template{source: v}
	text, ok := value.AsString(v)
	switch {
	case ok:
		if !expr.HasJinja(text) {
			return nil, nil
		}
		t.text = text
	case hasMarker(v, 0):
		// StackStorm looks for names in Python's text of the value, where
		// quotes may stand escaped and make it unreadable: then it is no
		// template either.
		var err error
		if text, err = value.ToRepr(value.NewBudget(context.Background(), value.Limits{}), v); err != nil {
			return nil, err
		}
		t.complex = true
	default:
		return nil, nil
	}
	compiled, err := environment().Compile(text)
	var syntax *jinja.SyntaxError
	switch {
	case errors.As(err, &syntax) && syntax.Class == "TemplateAssertionError":
		t.broken = err // an unknown filter is found only when the template is made ready
	case errors.As(err, &syntax):
		return nil, nil
	case err != nil:
		return nil, err
	default:
		t.needs = compiled.Undeclared()
	}
	if t.complex {
		raw, err := value.ToJSON(v, value.CompactJSON)
		if err != nil {
			return nil, err
		}
		t.text = keepTypes(string(raw))
	}
	return t, nil
}

// hasMarker says whether a text anywhere in a list or dict, keys included,
// holds the beginning of an expression.
func hasMarker(v value.Value, depth int) bool {
	if depth > value.DefaultDepth {
		return false
	}
	switch x := v.(type) {
	case string:
		return expr.HasJinja(x)
	case *value.List:
		for _, item := range x.Items {
			if hasMarker(item, depth+1) {
				return true
			}
		}
	case *value.Dict:
		for k, item := range x.All() {
			if hasMarker(k, depth+1) || hasMarker(item, depth+1) {
				return true
			}
		}
	}
	return false
}

// keepTypes puts the filter to_complex behind each text in JSON that is
// nothing but one name in braces, so that "{{x}}" becomes x with its type.
func keepTypes(text string) string {
	const open, shut = `"{{`, `}}"`
	var b strings.Builder
	for {
		i := strings.Index(text, open)
		if i < 0 {
			break
		}
		rest := text[i+len(open):]
		n := 0
		for n < len(rest) && isNameByte(rest[n]) {
			n++
		}
		b.WriteString(text[:i])
		if n > 0 && strings.HasPrefix(rest[n:], shut) {
			b.WriteString("{{" + rest[:n] + " | to_complex}}")
			text = rest[n+len(shut):]
			continue
		}
		b.WriteString(open)
		text = rest
	}
	b.WriteString(text)
	return b.String()
}

// isNameByte is the class [A-z0-9_-], which by its range also takes in the
// characters between Z and a.
func isNameByte(c byte) bool {
	return c >= 'A' && c <= 'z' || c >= '0' && c <= '9' || c == '-'
}

// render renders the template with what is known so far.
func (t *template) render(ctx context.Context, known *value.Dict) (value.Value, error) {
	if t.broken != nil {
		return nil, t.broken
	}
	compiled, err := environment().Compile(t.text)
	if err != nil {
		return nil, err
	}
	text, err := compiled.Render(ctx, known)
	if err != nil || !t.complex {
		return text, err
	}
	return value.FromJSON([]byte(text))
}

// defaultOf is a parameter's default, with what can be known of it before any
// request.
type defaultOf struct {
	name      string
	doc       *value.Dict
	kind      string // the type, for the cast
	value     value.Value
	has       bool
	immutable bool
	text      bool // the default is a text with an expression
	template  *template
	err       error
}

func newDefault(name string, doc *value.Dict) *defaultOf {
	d := &defaultOf{name: name, doc: doc, kind: textAt(doc, "type"), immutable: trueAt(doc, "immutable")}
	d.value, d.has = doc.GetStr("default")
	if text, ok := value.AsString(d.value); ok {
		d.text = expr.HasJinja(text)
	}
	d.template, d.err = newTemplate(d.value)
	return d
}

// node is one name in the graph of what depends on what.
type node struct {
	name     string
	hasValue bool
	value    value.Value
	template *template
	shared   bool // the value belongs to someone else and must be copied before a template sees it
	degree   int  // how many names it depends on
	users    []int
}

// graph holds the parameters and the other names a template may use, in the
// order in which they came.
type graph struct {
	nodes []node
	index map[string]int
}

func newGraph(size int) *graph {
	return &graph{nodes: make([]node, 0, size), index: make(map[string]int, size)}
}

func (g *graph) at(name string) int {
	i, ok := g.index[name]
	if !ok {
		i = len(g.nodes)
		g.nodes = append(g.nodes, node{name: name})
		g.index[name] = i
	}
	return i
}

// set gives a name a value.
func (g *graph) set(name string, v value.Value, shared bool) {
	n := &g.nodes[g.at(name)]
	n.hasValue, n.value, n.shared = true, v, shared
}

// add gives a name a value or a template. A name that has both is rendered.
func (g *graph) add(name string, v value.Value, t *template) {
	if t == nil {
		g.set(name, v, true)
		return
	}
	i := g.at(name)
	g.nodes[i].template = t
	for _, needed := range t.needs {
		j := g.at(needed)
		if !slices.Contains(g.nodes[j].users, i) {
			g.nodes[j].users = append(g.nodes[j].users, i)
			g.nodes[i].degree++
		}
	}
}

// addDefaults adds the defaults of parameters that have no value yet, and of
// immutable ones in any case.
func (g *graph) addDefaults(defaults []*defaultOf) error {
	for _, d := range defaults {
		i, ok := g.index[d.name]
		if ok && g.nodes[i].value != nil && !d.immutable {
			continue
		}
		if d.err != nil {
			return &Error{Stage: StageRender, Parameter: d.name, Err: d.err,
				Message: fmt.Sprintf(`Failed to render parameter "%s": %s`, d.name, d.err)}
		}
		g.add(d.name, d.value, d.template)
	}
	return nil
}

// check refuses names that nothing stands for, and circles.
func (g *graph) check() error {
	templates := 0
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.template != nil {
			templates++
		}
		if !n.hasValue && n.template == nil {
			return &Error{Stage: StageRender, Parameter: g.firstUser(n),
				Message: fmt.Sprintf(`Dependency unsatisfied in variable "%s"`, n.name)}
		}
	}
	if templates > MaxTemplates {
		return &Error{Stage: StageRender, Message: fmt.Sprintf("%d parameters are templates; the limit is %d", templates, MaxTemplates)}
	}
	return nil
}

func (g *graph) firstUser(n *node) string {
	if len(n.users) == 0 {
		return ""
	}
	return g.nodes[n.users[0]].name
}

// order gives the names so that each comes after those it depends on: level by
// level, each level in the order in which the names came.
func (g *graph) order() ([]int, error) {
	order := make([]int, 0, len(g.nodes))
	for i := range g.nodes {
		if g.nodes[i].degree == 0 {
			order = append(order, i)
		}
	}
	for done := 0; done < len(order); done++ {
		for _, user := range g.nodes[order[done]].users {
			g.nodes[user].degree--
			if g.nodes[user].degree == 0 {
				order = append(order, user)
			}
		}
	}
	if len(order) < len(g.nodes) {
		names := g.circles()
		return nil, &Error{Stage: StageRender, Parameter: names[0], Message: fmt.Sprintf(
			"Cyclic dependency found in the following variables: %s. Likely the variable is referencing itself", strings.Join(names, ", "))}
	}
	return order, nil
}

// circles names each name that refers to itself, and each larger circle by one
// of its members, sorted. What is left over only because it depends on a
// circle is not named.
func (g *graph) circles() []string {
	var names []string
	members := map[int][]int{}
	for i, c := range g.components() {
		members[c] = append(members[c], i)
	}
	for _, circle := range members {
		other := circle[0]
		for _, i := range circle {
			if slices.Contains(g.nodes[i].users, i) {
				names = append(names, g.nodes[i].name)
			} else {
				other = i
			}
		}
		if len(circle) > 1 {
			names = append(names, g.nodes[other].name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// components numbers the strongly connected components (Tarjan), without
// recursion on the Go stack growing past the number of names.
func (g *graph) components() []int {
	n := len(g.nodes)
	component, low, seen := make([]int, n), make([]int, n), make([]int, n)
	for i := range component {
		component[i] = -1
	}
	var stack []int
	clock, count := 0, 0
	var visit func(i int)
	visit = func(i int) {
		clock++
		seen[i], low[i] = clock, clock
		stack = append(stack, i)
		for _, j := range g.nodes[i].users {
			if seen[j] == 0 {
				visit(j)
				low[i] = min(low[i], low[j])
			} else if component[j] < 0 {
				low[i] = min(low[i], seen[j])
			}
		}
		if low[i] != seen[i] {
			return
		}
		for {
			j := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			component[j] = count
			if j == i {
				break
			}
		}
		count++
	}
	for i := range g.nodes {
		if seen[i] == 0 {
			visit(i)
		}
	}
	return component
}

// resolve renders everything; the outcome has all names, in the order in which
// they were resolved.
func (g *graph) resolve(ctx context.Context) (*value.Dict, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	order, err := g.order()
	if err != nil {
		return nil, err
	}
	known := value.NewDictSize(len(order))
	deadline := time.Time{}
	rendered := 0
	for _, i := range order {
		n := &g.nodes[i]
		if n.template == nil {
			v := n.value
			// A template may change a list it is given (l.append(1)), so it
			// gets a copy of what others use too.
			if n.shared && len(n.users) > 0 {
				v = value.Copy(v)
			}
			known.SetStr(n.name, v)
			continue
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(MaxRenderTime)
		} else if time.Now().After(deadline) {
			return nil, n.failed(fmt.Errorf("all templates together took longer than the limit of %s", MaxRenderTime))
		}
		v, err := n.template.render(ctx, known)
		if err != nil {
			return nil, n.failed(err)
		}
		if text, ok := v.(string); ok {
			rendered += len(text)
		} else {
			rendered += sizeOf(v, MaxRendered)
		}
		if rendered > MaxRendered {
			return nil, n.failed(&value.LimitError{Limit: "bytes of all rendered parameters", Max: fmt.Sprint(MaxRendered)})
		}
		known.SetStr(n.name, v)
	}
	return known, nil
}

func (n *node) failed(err error) error {
	return &Error{Stage: StageRender, Parameter: n.name, Err: err,
		Message: fmt.Sprintf(`Failed to render parameter "%s": %s`, n.name, err)}
}
