package httprequest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/http/httpguts"

	"petrel"
	"petrel/expr/value"
)

// header is a header with the spelling it was given.
type header struct{ name, value string }

// setHeaders puts the request's headers together: the given ones, and the two
// by which requests can be traced back, which nothing overrides.
func (c *call) setHeaders(given *value.Dict, agent, action string) error {
	if given != nil {
		for k, v := range given.All() {
			if v == nil {
				continue
			}
			name, text := value.Str(k), value.Str(v)
			if !httpguts.ValidHeaderFieldName(name) {
				return petrel.Errorf(petrel.Invalid, "Invalid header name %s", value.Repr(cut(name)))
			}
			if !httpguts.ValidHeaderFieldValue(text) {
				return petrel.Errorf(petrel.Invalid,
					"Invalid leading whitespace, reserved character(s), or return character(s) in header value of %s", value.Repr(name))
			}
			c.headers = append(c.headers, header{name, text})
		}
	}
	c.set("User-Agent", agent)
	c.set("X-Stanley-Action", action)
	return nil
}

// set gives a header one value, whatever spelling it had before.
func (c *call) set(name, text string) {
	kept := c.headers[:0]
	for _, h := range c.headers {
		if !strings.EqualFold(h.name, name) {
			kept = append(kept, h)
		}
	}
	c.headers = append(kept, header{name, text})
}

func (c *call) header(name string) (string, bool) {
	for _, h := range c.headers {
		if strings.EqualFold(h.name, name) {
			return h.value, true
		}
	}
	return "", false
}

// message is a request as it goes out.
type message struct {
	method  string
	url     *url.URL
	headers []header
	body    []byte
	hasBody bool
}

// message encodes the call.
func (c *call) message() (*message, error) {
	u, err := parseURL(c.url)
	if err != nil {
		return nil, err
	}
	query, err := encodeParams(c.params)
	if err != nil {
		return nil, err
	}
	if query != "" {
		if u.RawQuery != "" {
			query = u.RawQuery + "&" + query
		}
		u.RawQuery = query
	}
	m := &message{method: strings.ToUpper(c.method), url: u}
	if !httpguts.ValidHeaderFieldName(m.method) {
		return nil, petrel.Errorf(petrel.Invalid, "parameter method: %s is not a method", value.Repr(cut(c.method)))
	}
	if err := c.encodeBody(m); err != nil {
		return nil, err
	}
	if c.cookies != nil && c.cookies.Len() > 0 {
		var pairs []string
		for k, v := range c.cookies.All() {
			if v == nil {
				continue
			}
			pair := value.Str(k) + "=" + value.Str(v)
			if strings.ContainsAny(pair, "\r\n\x00") {
				return nil, petrel.Errorf(petrel.Invalid, "parameter cookies: %s holds a line break", value.Repr(value.Str(k)))
			}
			pairs = append(pairs, pair)
		}
		c.set("Cookie", strings.Join(pairs, "; "))
	}
	user, password := c.username, c.password
	if user == "" && password == "" && u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
	}
	u.User = nil
	if user != "" || password != "" {
		c.set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(latin1(user)+":"+latin1(password))))
	}
	for _, standard := range []header{{"Accept-Encoding", "gzip, deflate"}, {"Accept", "*/*"}} {
		if _, ok := c.header(standard.name); !ok {
			c.headers = append(c.headers, standard)
		}
	}
	m.headers = c.headers
	return m, nil
}

// latin1 is the text in the encoding of basic authentication where it has one.
func latin1(text string) string {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > unicode.MaxLatin1 {
			return text
		}
		out = append(out, byte(r))
	}
	return string(out)
}

func (c *call) encodeBody(m *message) error {
	body := c.body
	if kind, _ := c.header("Content-Type"); kind == "application/json" && c.fileName == "" {
		// The body is read, as JSON or as Python, and written anew.
		if text, ok := value.AsString(body); ok {
			parsed, err := value.FromJSON([]byte(text))
			if err != nil {
				if parsed, err = value.ParseLiteral(text); err != nil {
					return err
				}
			}
			body = parsed
		}
		raw, err := value.ToJSON(body, value.CompactJSON)
		if err != nil {
			return petrel.Errorf(petrel.Invalid, "Request body (%s) can't be parsed as JSON", cut(value.Str(body)))
		}
		m.body, m.hasBody = raw, true
		return nil
	}
	if c.fileName != "" {
		return c.encodeFile(m, body)
	}
	truth, err := value.Truth(nil, body)
	if err != nil {
		return err
	}
	if !truth {
		return nil
	}
	if text, ok := value.AsString(body); ok {
		m.body, m.hasBody = []byte(text), true
		return nil
	}
	form, err := encodeParams(body)
	if err != nil {
		return err
	}
	m.body, m.hasBody = []byte(form), true
	if _, ok := c.header("Content-Type"); !ok {
		c.set("Content-Type", "application/x-www-form-urlencoded")
	}
	return nil
}

// encodeFile writes the file, and the body's fields beside it, as a form.
func (c *call) encodeFile(m *message, body value.Value) error {
	var out bytes.Buffer
	form := multipart.NewWriter(&out)
	// As long as the one requests draws, so that lengths are alike.
	var boundary [16]byte
	if _, err := rand.Read(boundary[:]); err != nil {
		return err
	}
	if err := form.SetBoundary(hex.EncodeToString(boundary[:])); err != nil {
		return err
	}
	switch fields := body.(type) {
	case nil:
	case *value.Dict:
		for k, v := range fields.All() {
			items, many := value.IsSequence(v)
			if !many {
				items = []value.Value{v}
			}
			for _, item := range items {
				if item == nil {
					continue
				}
				if err := form.WriteField(value.Str(k), value.Str(item)); err != nil {
					return err
				}
			}
		}
	default:
		if truth, err := value.Truth(nil, body); truth || err != nil {
			return petrel.Errorf(petrel.Invalid, "Data must not be a string.")
		}
	}
	quote := strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A")
	head := textproto.MIMEHeader{}
	head.Set("Content-Disposition", `form-data; name="`+quote.Replace(c.fileName)+`"; filename="`+quote.Replace(c.fileName)+`"`)
	if c.fileType != "" {
		if !httpguts.ValidHeaderFieldValue(c.fileType) {
			return petrel.Errorf(petrel.Invalid, "parameter file_content_type: %s is not a content type", value.Repr(cut(c.fileType)))
		}
		head.Set("Content-Type", c.fileType)
	}
	part, err := form.CreatePart(head)
	if err != nil {
		return err
	}
	if _, err := part.Write([]byte(c.file)); err != nil {
		return err
	}
	if err := form.Close(); err != nil {
		return err
	}
	m.body, m.hasBody = out.Bytes(), true
	if _, ok := c.header("Content-Type"); !ok {
		c.set("Content-Type", form.FormDataContentType())
	}
	return nil
}

// encodeParams writes a query or form as requests does: an object in its
// order, its lists item by item, without what is None; text as it is.
func encodeParams(v value.Value) (string, error) {
	switch x := v.(type) {
	case nil:
		return "", nil
	case string:
		return x, nil
	case *value.Dict:
		var pairs []string
		for k, item := range x.All() {
			items, many := value.IsSequence(item)
			if !many {
				items = []value.Value{item}
			}
			for _, one := range items {
				if one == nil {
					continue
				}
				text, err := value.ToStr(nil, one)
				if err != nil {
					return "", err
				}
				pairs = append(pairs, url.QueryEscape(value.Str(k))+"="+url.QueryEscape(text))
			}
		}
		return strings.Join(pairs, "&"), nil
	}
	return "", petrel.Errorf(petrel.Invalid, "cannot encode objects that are not 2-tuples")
}

// parseURL reads a URL and refuses what requests refuses, in its words.
func parseURL(text string) (*url.URL, error) {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	shown := value.Repr(cut(text))
	if strings.ContainsFunc(text, unicode.IsControl) {
		return nil, petrel.Errorf(petrel.Invalid, "Invalid URL %s: it holds control characters", shown)
	}
	scheme, _, found := strings.Cut(text, ":")
	if !found || !strings.Contains(text, "://") {
		if found && scheme != "" && !strings.ContainsAny(scheme, "/.?#@ ") && !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") && !hostPort(text) {
			return nil, petrel.Errorf(petrel.Invalid, "No connection adapters were found for %s", shown)
		}
		return nil, petrel.Errorf(petrel.Invalid, "Invalid URL %s: No scheme supplied. Perhaps you meant https://%s?", shown, cut(text))
	}
	if s := strings.ToLower(scheme); s != "http" && s != "https" {
		return nil, petrel.Errorf(petrel.Invalid, "No connection adapters were found for %s", shown)
	}
	u, err := url.Parse(strings.ReplaceAll(text, " ", "%20"))
	if err != nil {
		return nil, petrel.Errorf(petrel.Invalid, "Failed to parse: %s", cut(text))
	}
	if u.Hostname() == "" {
		return nil, petrel.Errorf(petrel.Invalid, "Invalid URL %s: No host supplied", shown)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// hostPort says whether text begins as a host with a port, not as a scheme.
func hostPort(text string) bool {
	_, rest, _ := strings.Cut(text, ":")
	return rest != "" && rest[0] >= '0' && rest[0] <= '9'
}

// hostOf is the host of a URL that may be broken, for lists and logs.
func hostOf(text string) string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// checkLists holds a URL against the lists of hosts. Names are compared
// without their case, and a user name in front does not hide a host.
func (c *call) checkLists(text string) error {
	if len(c.deny) == 0 && len(c.permit) == 0 {
		return nil
	}
	host := hostOf(text)
	listed := func(list []string) bool {
		for _, name := range list {
			if strings.EqualFold(strings.Trim(name, "[]"), host) {
				return true
			}
		}
		return false
	}
	if listed(c.deny) {
		return value.ValueErrorf("URL \"%s\" is blacklisted", text)
	}
	if len(c.permit) > 0 && !listed(c.permit) {
		return value.ValueErrorf("URL \"%s\" is not whitelisted", text)
	}
	return nil
}

func cut(text string) string {
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

// request makes the message one of Go's.
func (m *message) request() *http.Request {
	req := &http.Request{Method: m.method, URL: m.url, Host: m.url.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	for _, h := range m.headers {
		switch strings.ToLower(h.name) {
		case "host":
			req.Host = h.value
		case "content-length", "transfer-encoding", "connection", "trailer":
			// The transport writes these from what is really sent.
		default:
			// The spelling goes out as it was given.
			req.Header[h.name] = append(req.Header[h.name], h.value)
		}
	}
	if m.hasBody {
		req.Body = http.NoBody
		if len(m.body) > 0 {
			req.Body = body{bytes.NewReader(m.body)}
		}
		req.ContentLength = int64(len(m.body))
	}
	return req
}

// body is a body that need not be closed.
type body struct{ *bytes.Reader }

func (body) Close() error { return nil }
