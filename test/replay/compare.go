package replay

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"petrel/expr/value"
)

// placeholders are what words in an expected text stand for.
var placeholders = map[string]string{
	"$any": `[\s\S]*`, "$id": `[0-9a-f]{24}`, "$uuid": `[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}`,
	"$ts": `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`, "$tsoff": `\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+\+00:00`,
	"$tssec": `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "$num": `-?\d+(?:\.\d+)?(?:e-?\d+)?`, "$token": `[0-9a-zA-Z]{32,}`,
	"$sysuser": `[a-z][\w\-]*`,
}

var placeholderWord = regexp.MustCompile(`\$\{\w+\}|\$[a-z_]\w*`)

// Compare lists where a value differs from what is expected.
func (c *Context) Compare(want, got value.Value, where string) []string {
	if want == "$any" {
		return nil
	}
	if w, ok := want.(string); ok && got == w {
		return nil // placeholders that were put into an answer, too
	}
	if want == "$num" {
		if _, isBool := got.(bool); isNumber(got) && !isBool {
			return nil
		}
		return []string{fmt.Sprintf("%s: not a number: %s", where, short(got))}
	}
	switch w := want.(type) {
	case string:
		g, ok := got.(string)
		if !ok || !c.textFits(w, g) {
			return []string{fmt.Sprintf("%s: want %s, got %s", where, short(want), short(got))}
		}
		return nil
	case *value.Dict:
		g, ok := got.(*value.Dict)
		if !ok {
			return []string{fmt.Sprintf("%s: want an object, got %s", where, short(got))}
		}
		return c.compareObjects(w, g, where)
	case *value.List:
		g, ok := got.(*value.List)
		if !ok || g.Len() != w.Len() {
			n := short(got)
			if ok {
				n = fmt.Sprint(g.Len())
			}
			return []string{fmt.Sprintf("%s: want %d items, got %s", where, w.Len(), n)}
		}
		var out []string
		for i := range w.Items {
			out = append(out, c.Compare(w.Items[i], g.Items[i], fmt.Sprintf("%s[%d]", where, i))...)
		}
		return out
	}
	if !same(want, got) {
		return []string{fmt.Sprintf("%s: want %s, got %s", where, short(want), short(got))}
	}
	return nil
}

func (c *Context) compareObjects(want, got *value.Dict, where string) []string {
	shown := value.NewDict()
	for k, v := range got.All() {
		key := value.Str(k)
		for _, x := range c.long() {
			if strings.Contains(key, x.text) {
				key = put(key, x.text, x.name)
			}
		}
		shown.SetStr(key, v)
	}
	var out []string
	for k, v := range want.All() {
		key := value.Str(k)
		if key == "$rest" {
			continue
		}
		g, ok := shown.GetStr(key)
		if !ok {
			out = append(out, fmt.Sprintf("%s: key %s is missing", where, key))
			continue
		}
		out = append(out, c.Compare(v, g, where+"."+key)...)
	}
	if rest, _ := want.GetStr("$rest"); rest == "$any" {
		return out
	}
	for k := range shown.All() {
		if !want.Has(k) {
			out = append(out, fmt.Sprintf("%s: key %s is unexpected", where, value.Str(k)))
		}
	}
	return out
}

// textFits holds a text against one with placeholders.
func (c *Context) textFits(want, got string) bool {
	if want == got {
		return true
	}
	var rx strings.Builder
	rx.WriteString(`\A`)
	last := 0
	for _, at := range placeholderWord.FindAllStringIndex(want, -1) {
		rx.WriteString(regexp.QuoteMeta(want[last:at[0]]))
		word := want[at[0]:at[1]]
		if strings.HasPrefix(word, "${") {
			word = "$" + word[2:len(word)-1]
		}
		if p, ok := placeholders[word]; ok {
			rx.WriteString(p)
		} else if v, ok := c.Vars[word[1:]]; ok {
			rx.WriteString(regexp.QuoteMeta(value.Str(v)))
		} else {
			rx.WriteString(regexp.QuoteMeta(want[at[0]:at[1]]))
		}
		last = at[1]
	}
	rx.WriteString(regexp.QuoteMeta(want[last:]) + `\z`)
	compiled, err := regexp.Compile(rx.String())
	return err == nil && compiled.MatchString(got)
}

func isNumber(v value.Value) bool {
	switch v.(type) {
	case int64, float64, *big.Int:
		return true
	}
	return false
}

// same compares what is neither text, list nor object; 2 and 2.0 are the same,
// true and 1 are not.
func same(want, got value.Value) bool {
	_, wb := want.(bool)
	_, gb := got.(bool)
	return wb == gb && value.Equal(want, got)
}

func short(v value.Value) string {
	text := value.Repr(v)
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return text
}
