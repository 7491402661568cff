package replay

import (
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"petrel/expr/value"
)

// Context holds the variables of one play of a scenario.
type Context struct {
	Bases map[string]string // prefix of a path ("/api") → what it stands for
	Vars  map[string]value.Value
}

// NewContext makes the variables a play begins with.
func NewContext(bases map[string]string, echoURL string) *Context {
	var raw [5]byte
	if _, err := rand.Read(raw[:]); err != nil {
		panic(err)
	}
	host := ""
	if u, err := url.Parse(echoURL); err == nil {
		host = u.Hostname()
	}
	return &Context{Bases: bases, Vars: map[string]value.Value{
		"uniq": "u" + hex.EncodeToString(raw[:]), "echo": echoURL, "echohost": host,
	}}
}

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

// Fill puts variables into all strings of a value. A string that is one
// variable and nothing more becomes the variable's value.
func (c *Context) Fill(v value.Value) value.Value {
	switch x := v.(type) {
	case string:
		if m := variable.FindStringSubmatch(x); m != nil && m[0] == x {
			if known, ok := c.Vars[m[1]]; ok {
				return known
			}
			return x
		}
		return c.FillText(x)
	case *value.List:
		out := value.NewList()
		for _, item := range x.Items {
			out.Append(c.Fill(item))
		}
		return out
	case *value.Dict:
		out := value.NewDict()
		for k, item := range x.All() {
			out.Set(c.Fill(k), c.Fill(item))
		}
		return out
	}
	return v
}

// FillText puts variables into a text.
func (c *Context) FillText(text string) string {
	return variable.ReplaceAllStringFunc(text, func(m string) string {
		if v, ok := c.Vars[m[2:len(m)-1]]; ok {
			return value.Str(v)
		}
		return m
	})
}

// long are the variables that are put into answers, longest value first.
func (c *Context) long() []struct{ name, text string } {
	var out []struct{ name, text string }
	for name, v := range c.Vars {
		if text, ok := v.(string); ok && len(text) >= 6 && name != "echohost" {
			out = append(out, struct{ name, text string }{name, text})
		}
	}
	sort.Slice(out, func(i, j int) bool { return len(out[i].text) > len(out[j].text) })
	return out
}

// put writes $name, or ${name} before a letter or digit, in place of a text.
func put(s, text, name string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, text)
		if i < 0 {
			return b.String() + s
		}
		b.WriteString(s[:i])
		s = s[i+len(text):]
		if s != "" && isWord(s[0]) {
			b.WriteString("${" + name + "}")
		} else {
			b.WriteString("$" + name)
		}
	}
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

var pathStep = regexp.MustCompile(`\.length\(\)|\.([A-Za-z0-9_\-]+)|\[(\d+)\]|\['([^']+)'\]`)

// At follows a path such as $.a.b[0]['c d'] into a document; false when it
// leads nowhere.
func At(doc value.Value, path string) (value.Value, bool) {
	for _, m := range pathStep.FindAllStringSubmatch(strings.TrimPrefix(path, "$"), -1) {
		switch {
		case m[0] == ".length()":
			switch x := doc.(type) {
			case *value.List:
				doc = int64(x.Len())
			case *value.Dict:
				doc = int64(x.Len())
			case string:
				doc = int64(len([]rune(x)))
			default:
				return nil, false
			}
		case m[2] != "":
			i, _ := strconv.Atoi(m[2])
			l, ok := doc.(*value.List)
			if !ok || i >= l.Len() {
				return nil, false
			}
			doc = l.Items[i]
		default:
			d, ok := doc.(*value.Dict)
			if !ok {
				return nil, false
			}
			if doc, ok = d.GetStr(m[1] + m[3]); !ok {
				return nil, false
			}
		}
	}
	return doc, true
}
