package expr

import "testing"

func TestDetection(t *testing.T) {
	for _, c := range []struct {
		text        string
		jinja, yaql bool
	}{{"plain", false, false}, {"{{ x }}", true, false}, {"{% if %}", true, false}, {"<% ctx() %>", false, true}, {"<% ctx()\n%>", false, false}, {"{{", true, false}} {
		if HasJinja(c.text) != c.jinja || HasYAQL(c.text) != c.yaql {
			t.Errorf("%q", c.text)
		}
	}
	if got := JinjaInline.FindAllString("{{ a }} {{ b\n}} {{ c }}", -1); len(got) != 2 {
		t.Errorf("got %q", got)
	}
}
