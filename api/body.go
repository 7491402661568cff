package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"petrel"
	"petrel/expr/value"
	"petrel/schema"
)

// maxBodyDepth is how deep JSON in a request may be nested.
const maxBodyDepth = 64

// read gives the whole body, within the limit.
func (c *call) read() ([]byte, error) {
	limit := c.a.cfg.MaxBody
	if c.r.ContentLength > limit {
		c.drain()
		return nil, tooLarge(limit)
	}
	if enc := c.r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, faultf(http.StatusUnsupportedMediaType, "A request body with Content-Encoding is not taken; send it as it is.")
	}
	text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		c.drain()
		return nil, tooLarge(limit)
	case err != nil:
		return nil, petrel.Wrap(petrel.Invalid, err, "Failed to parse request body: it ended too early or came too slowly")
	}
	return text, nil
}

// Bounds of what is read of a body that is refused.
const (
	maxDrain  = 64 << 20
	drainTime = 5 * time.Second
)

// drain reads on for a while, so that a client that is still sending gets to
// read the answer instead of a broken connection.
func (c *call) drain() {
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, c.r.Body, maxDrain)
	c.w.Header().Set("Connection", "close")
}

func tooLarge(limit int64) error {
	return petrel.Errorf(petrel.TooLarge, "The request body is larger than the limit of %d bytes.", limit)
}

// body reads the request's body by its content type and checks it against a
// schema. An absent JSON body counts as {}. Doubled keys are refused where
// strict is set. st2: st2common/st2common/router.py
func (c *call) body(strict bool, s *schema.Schema) (*value.Dict, error) {
	v, err := c.decode(strict)
	if err != nil {
		return nil, err
	}
	return checked(v, s)
}

// decode reads the request's body without a look at what it says.
func (c *call) decode(strict bool) (value.Value, error) {
	text, err := c.read()
	if err != nil {
		return nil, err
	}
	return decodeBody(c.r.Header.Get("Content-Type"), text, strict)
}

// checked gives the object if it fits the schema: the first fault is told.
func checked(v value.Value, s *schema.Schema) (*value.Dict, error) {
	if err := s.First(v); err != nil {
		return nil, err
	}
	return asObject(v)
}

// cleaned is checked for a schema that fills in defaults before it checks: of
// several faults the one nearest to the root is told.
func cleaned(v value.Value, s *schema.Schema) (*value.Dict, error) {
	clean, err := s.Clean(v)
	if err != nil {
		return nil, err
	}
	return asObject(clean)
}

func asObject(v value.Value) (*value.Dict, error) {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, petrel.Errorf(petrel.Invalid, "%s is not of type 'object'", cutText(value.Repr(v)))
	}
	return d, nil
}

// decodeBody reads a body by its content type. The type is compared as it is
// written, parameters do not count.
func decodeBody(contentType string, text []byte, strict bool) (value.Value, error) {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.TrimSpace(kind)
	if kind == "" {
		kind = "application/json"
	}
	if kind == "application/json" && len(text) == 0 {
		return value.NewDict(), nil
	}
	unreadable := func(err error) error {
		return petrel.Errorf(petrel.Invalid, "Failed to parse request body: %s", cutText(err.Error()))
	}
	if !utf8.Valid(text) {
		return nil, unreadable(errors.New("it is not valid UTF-8"))
	}
	switch kind {
	case "application/json":
		if err := checkDepth(text); err != nil {
			return nil, unreadable(err)
		}
		if strict {
			if err := checkKeys(text); err != nil {
				return nil, unreadable(err)
			}
		}
		v, err := value.FromJSON(text)
		if err != nil {
			return nil, unreadable(err)
		}
		// A NUL can only be written as an escape; few bodies have one to look for.
		if !bytes.Contains(text, []byte(`\u0000`)) {
			return v, nil
		}
		if field := nulIn(v, ""); field != "" {
			return nil, unreadable(fmt.Errorf("%s holds a NUL character", field))
		}
		return v, nil
	case "text/plain":
		return string(text), nil
	case "application/x-www-form-urlencoded", "multipart/form-data":
		form := parseForm(string(text))
		if trimmed := bytes.TrimSpace(text); form.Len() == 0 && len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
			// What curl -d does; an empty form must not stand for JSON nobody read.
			return nil, unreadable(fmt.Errorf("it looks like JSON and was sent as \"%s\"; send it with Content-Type: application/json", kind))
		}
		return form, nil
	}
	return nil, petrel.Errorf(petrel.Invalid, "Failed to parse request body: Unsupported Content-Type: \"%s\"", cutText(kind))
}

// parseForm reads a form as Python's parse_qs does: every value is a list, and
// what has no value is left out.
func parseForm(text string) *value.Dict {
	d := value.NewDict()
	for _, piece := range strings.Split(text, "&") {
		name, val, ok := strings.Cut(piece, "=")
		if !ok || val == "" {
			continue
		}
		name, val = unquote(name), unquote(val)
		items := value.NewList()
		if before, ok := d.GetStr(name); ok {
			items = before.(*value.List)
		}
		items.Append(val)
		d.SetStr(name, items)
	}
	return d
}

// unquote undoes the encoding of a form; what is not encoded well stays.
func unquote(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return strings.ToValidUTF8(plain, "\uFFFD")
	}
	return strings.ReplaceAll(text, "+", " ")
}

// checkDepth counts brackets outside of strings before anything walks the
// document.
func checkDepth(text []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case quoted && ch == '\\':
			i++
		case ch == '"':
			quoted = !quoted
		case quoted:
		case ch == '{' || ch == '[':
			if depth++; depth > maxBodyDepth {
				return fmt.Errorf("it is nested deeper than %d levels", maxBodyDepth)
			}
		case ch == '}' || ch == ']':
			depth--
		}
	}
	return nil
}

// checkKeys refuses an object that has a key twice: which of the two counts
// is not the same everywhere, and that must not decide about rights.
func checkKeys(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var stack []map[string]bool // nil for a list
	key := false                // the next string is a key
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return nil // the parser proper tells what is wrong
		}
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{':
				stack = append(stack, map[string]bool{})
			case '[':
				stack = append(stack, nil)
			default:
				stack = stack[:len(stack)-1]
			}
			key = len(stack) > 0 && stack[len(stack)-1] != nil
			continue
		case string:
			if key {
				seen := stack[len(stack)-1]
				if seen[t] {
					return fmt.Errorf("the key %q stands twice in one object", cutText(t))
				}
				seen[t] = true
				key = false
				continue
			}
		}
		key = len(stack) > 0 && stack[len(stack)-1] != nil
	}
}

// nulIn names the place of a NUL character, which neither Postgres nor a
// process' arguments can hold; empty when there is none.
func nulIn(v value.Value, at string) string {
	name := func(key string) string {
		if at == "" {
			return key
		}
		return at + "." + key
	}
	switch x := v.(type) {
	case string:
		if strings.ContainsRune(x, 0) {
			if at == "" {
				return "the body"
			}
			return at
		}
	case *value.Dict:
		for k, item := range x.All() {
			key, _ := k.(string)
			if strings.ContainsRune(key, 0) {
				return name("a key")
			}
			if field := nulIn(item, name(key)); field != "" {
				return field
			}
		}
	case *value.List:
		for i, item := range x.Items {
			if field := nulIn(item, name(fmt.Sprint(i))); field != "" {
				return field
			}
		}
	}
	return ""
}

// cutText bounds text from outside that is shown in a message.
func cutText(text string) string {
	const limit = 200
	runes := 0
	for i := range text {
		if runes++; runes > limit {
			return text[:i] + "…"
		}
	}
	return text
}

// textOf is a member that is text; empty when it is absent or something else.
func textOf(d *value.Dict, key string) string {
	v, _ := d.GetStr(key)
	s, _ := value.AsString(v)
	return s
}

// boolOf is a member that is true or false.
func boolOf(d *value.Dict, key string, absent bool) bool {
	v, ok := d.GetStr(key)
	if b, isBool := v.(bool); ok && isBool {
		return b
	}
	return absent
}

// objectOf is a member that is an object; nil when it is absent.
func objectOf(d *value.Dict, key string) *value.Dict {
	v, _ := d.GetStr(key)
	o, _ := v.(*value.Dict)
	return o
}

// textsOf is a member that is a list of texts.
func textsOf(d *value.Dict, key string) []string {
	v, _ := d.GetStr(key)
	items, _ := value.IsSequence(v)
	var out []string
	for _, item := range items {
		if s, ok := value.AsString(item); ok {
			out = append(out, s)
		}
	}
	return out
}

// fieldJSON is a member as JSON text; nil when it is absent or null.
func fieldJSON(d *value.Dict, key string) (petrel.JSON, error) {
	v, _ := d.GetStr(key)
	return jsonOf(v)
}
