package value

import (
	"html"
	"strings"
)

// StripTags is markupsafe's striptags: comments and tags go, runs of
// whitespace become one space, entities become characters.
func StripTags(s string) string {
	s = cutBetween(s, "<!--", "-->")
	s = cutBetween(s, "<", ">")
	return UnescapeHTML(strings.Join(Split(s, "", -1), " "))
}

// UnescapeHTML is html.unescape.
func UnescapeHTML(s string) string { return html.UnescapeString(s) }

// cutBetween takes out everything from open to the next close.
func cutBetween(s, open, close string) string {
	var sb strings.Builder
	for {
		i := strings.Index(s, open)
		if i < 0 {
			break
		}
		j := strings.Index(s[i:], close)
		if j < 0 {
			break
		}
		sb.WriteString(s[:i])
		s = s[i+j+len(close):]
	}
	sb.WriteString(s)
	return sb.String()
}
