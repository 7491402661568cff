package httprequest

import (
	"mime"
	"net/http"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// decodeText is a body as text: by the charset of its content type; else
// Latin-1 for text and UTF-8 for JSON, as requests has it; else UTF-8 where it
// is that. What does not fit is replaced.
func decodeText(raw []byte, contentType string) string {
	kind, params, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(strings.Trim(params["charset"], `'" `))
	if err != nil {
		kind, charset = "", ""
	}
	switch {
	case charset == "" && strings.HasPrefix(kind, "text/"):
		charset = "iso-8859-1"
	case charset == "" && !utf8.Valid(raw) && kind != "application/json":
		charset = "iso-8859-1"
	}
	switch charset {
	case "", "utf-8", "utf8", "ascii", "us-ascii":
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	case "iso-8859-1", "iso8859-1", "latin-1", "latin1":
		return fromLatin1(string(raw))
	}
	encoding, err := htmlindex.Get(charset)
	if err != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	text, err := encoding.NewDecoder().Bytes(raw)
	if err != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return string(text)
}

// fromLatin1 reads each byte as the character of that number.
func fromLatin1(raw string) string {
	plain := true
	for i := 0; i < len(raw) && plain; i++ {
		plain = raw[i] < utf8.RuneSelf
	}
	if plain {
		return raw
	}
	var b strings.Builder
	b.Grow(2 * len(raw))
	for i := 0; i < len(raw); i++ {
		b.WriteRune(rune(raw[i]))
	}
	return b.String()
}

// sortedHeaders are headers of which the order is not known.
func sortedHeaders(from http.Header) []header {
	var out []header
	for name, texts := range from {
		for _, text := range texts {
			out = append(out, header{name, text})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}
