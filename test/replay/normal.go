package replay

import (
	"regexp"
	"strings"

	"petrel/expr/value"
)

// Replacement is a change of texts before they are compared.
type Replacement struct {
	Pattern *regexp.Regexp
	With    string
}

// Normal makes what changes from play to play into placeholders.
type Normal struct {
	Context *Context
	Replace []Replacement
	SysUser string // name of the system user; empty leaves it
	// KeepActions leaves action and runner of executions whole.
	KeepActions bool
}

var (
	timestamps = []struct {
		rx   *regexp.Regexp
		with string
	}{
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`), "$$ts"},
		{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+\+00:00`), "$$tsoff"},
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "$$tssec"},
		{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "$$uuid"},
	}
	hexRun    = regexp.MustCompile(`[0-9a-fA-F]+`)
	lowerHex  = regexp.MustCompile(`^[0-9a-f]{24}$`)
	memory    = regexp.MustCompile(`0x[0-9a-f]{6,}`)
	port      = regexp.MustCompile(`\bport=\d{4,}`)
	traceback = regexp.MustCompile(`(Traceback \(most recent call last\):\n)[\s\S]*\n(\w+(?:Error|Exception)\b)`)
	unparsed  = regexp.MustCompile(`(?s)Failed to parse request body: .*`)
	doubled   = regexp.MustCompile(`(?s)Tried to save duplicate unique keys \(.*`)
	variable2 = regexp.MustCompile(`\$(any|ts|tsoff|num|echo|sysuser)`)
)

// Identifiers writes placeholders for times, uuids and ids.
func Identifiers(s string) string {
	for _, t := range timestamps {
		s = t.rx.ReplaceAllString(s, t.with)
	}
	return hexRun.ReplaceAllStringFunc(s, func(run string) string {
		if lowerHex.MatchString(run) {
			return "$id"
		}
		return run
	})
}

// Variables writes the names of the variables in place of their values.
func (n *Normal) Variables(s string) string {
	for _, x := range n.Context.long() {
		s = put(s, x.text, x.name)
	}
	return s
}

// Text makes a text comparable.
func (n *Normal) Text(s string) string {
	s = n.Variables(s)
	for _, r := range n.Replace {
		s = r.Pattern.ReplaceAllString(s, r.With)
	}
	s = Identifiers(s)
	s = memory.ReplaceAllString(s, "$$any")
	s = port.ReplaceAllString(s, "port=$$num")
	s = traceback.ReplaceAllString(s, "${1}$$any\n${2}")
	s = unparsed.ReplaceAllString(s, "Failed to parse request body: $$any")
	return doubled.ReplaceAllString(s, "Tried to save duplicate unique keys ($$any")
}

var (
	anyKeys  = map[string]bool{"traceback": true, "hostname": true, "pid": true}
	userKeys = map[string]bool{"user": true, "username": true, "cancelled_by": true, "paused_by": true, "resumed_by": true, "api_user": true}
)

// Value makes a document comparable.
func (n *Normal) Value(v value.Value, key string) value.Value {
	switch {
	case anyKeys[key] && v != nil:
		return "$any"
	case key == "elapsed_seconds" && isNumber(v):
		return "$num"
	}
	switch x := v.(type) {
	case string:
		if n.SysUser != "" && x == n.SysUser && userKeys[key] {
			return "$sysuser"
		}
		return n.Text(x)
	case *value.List:
		out := value.NewList()
		for _, item := range x.Items {
			out.Append(n.Value(item, ""))
		}
		return out
	case *value.Dict:
		out := value.NewDict()
		for k, item := range x.All() {
			name := value.Str(k)
			out.SetStr(n.Text(name), n.Value(item, name))
		}
		n.cutExecution(x, out)
		if result, ok := out.GetStr("result_size"); ok && result != nil {
			shown, _ := out.GetStr("result")
			text, err := value.ToJSON(shown, value.PythonJSON)
			if !out.Has("result") || err != nil || variable2.Match(text) {
				out.SetStr("result_size", "$num")
			}
		}
		return out
	}
	return v
}

// cutExecution takes most of an execution's action and runner away.
func (n *Normal) cutExecution(from, to *value.Dict) {
	action, runner := Object(from, "action"), Object(from, "runner")
	if n.KeepActions || !from.Has("liveaction") || !from.Has("status") || action == nil || runner == nil || !action.Has("uid") {
		return
	}
	shown := Object(to, "action")
	cut := value.NewDict()
	for _, key := range []string{"ref", "name", "pack", "runner_type"} {
		if v, ok := shown.GetStr(key); ok {
			cut.SetStr(key, v)
		}
	}
	cut.SetStr("$rest", "$any")
	to.SetStr("action", cut)
	if name, ok := Object(to, "runner").GetStr("name"); ok {
		to.SetStr("runner", value.DictOf("name", name, "$rest", "$any"))
	}
}

// SameText compares texts line by line; the blanks beside a placeholder and
// empty lines at the end do not count.
func SameText(want, got string) bool {
	if want == "$any" {
		return true
	}
	x, y := strings.Split(strings.TrimRight(want, "\n"), "\n"), strings.Split(strings.TrimRight(got, "\n"), "\n")
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		a, b := squeeze(x[i]), squeeze(y[i])
		if x[i] == "$any" || a == b {
			continue
		}
		parts := strings.Split(a, "$any")
		for j, part := range parts {
			if j > 0 { // blanks beside a placeholder do not count
				part = strings.TrimLeft(part, " ")
			}
			if j < len(parts)-1 {
				part = strings.TrimRight(part, " ")
			}
			parts[j] = regexp.QuoteMeta(part)
		}
		rx, err := regexp.Compile(`\A` + strings.Join(parts, `.*`) + `\z`)
		if err != nil || !rx.MatchString(b) {
			return false
		}
	}
	return true
}

var blanks = regexp.MustCompile(` *(\$\w+) *`)

func squeeze(s string) string { return blanks.ReplaceAllString(s, " $1 ") }
