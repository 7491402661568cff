// Package expr holds what Petrel's two expression languages share: how their
// text is recognised among plain text. The languages are in the folders below.
package expr

import (
	"regexp"
	"strings"
)

// The delimiters, as Orquesta finds them: an expression does not cross a line.
var (
	// JinjaInline finds {{ ... }}.
	JinjaInline = regexp.MustCompile(`{{.*?}}`)
	// JinjaBlock finds {% ... %}.
	JinjaBlock = regexp.MustCompile(`{%.*?%}`)
	// JinjaRaw finds a whole raw block.
	JinjaRaw = regexp.MustCompile(`{% raw %}.*?{% endraw %}`)
	// YAQL finds <% ... %>.
	YAQL = regexp.MustCompile(`<%.*?%>`)
)

// HasJinja says whether text is treated as a Jinja template: it contains {{ or {%.
func HasJinja(text string) bool {
	return strings.Contains(text, "{{") || strings.Contains(text, "{%")
}

// HasYAQL says whether text contains a YAQL expression.
func HasYAQL(text string) bool {
	return strings.Contains(text, "<%") && YAQL.MatchString(text)
}
