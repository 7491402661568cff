package httprequest

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"petrel/expr/value"
)

// maxRedirects is where requests stops.
const maxRedirects = 30

// perform makes the request, follows redirects if it may, and gives the result
// and the status code.
func (r *Runner) perform(ctx context.Context, c *call) (*value.Dict, int, error) {
	if err := c.checkLists(c.url); err != nil {
		return nil, 0, err
	}
	m, err := c.message()
	if err != nil {
		return nil, 0, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, 0, err
	}
	for hop := 0; ; hop++ {
		one := &exchange{runner: r, call: c, message: m}
		resp, headers, err := one.send(ctx)
		if err != nil {
			return nil, 0, err
		}
		target, redirected := location(resp)
		if !c.follow || !redirected {
			body, err := r.readBody(ctx, one, resp)
			one.close(resp)
			if err != nil {
				return nil, 0, err
			}
			return result(resp.StatusCode, headers, body), resp.StatusCode, nil
		}
		one.close(resp)
		if hop >= maxRedirects {
			return nil, 0, value.Errorf("TooManyRedirects", "Exceeded %d redirects.", maxRedirects)
		}
		jar.SetCookies(m.url, resp.Cookies())
		if m, err = redirect(c, m, resp.StatusCode, target, jar); err != nil {
			return nil, 0, err
		}
	}
}

// location is where a response leads.
func location(resp *http.Response) (string, bool) {
	switch resp.StatusCode {
	case 301, 302, 303, 307, 308:
		target := resp.Header.Get("Location")
		return target, resp.Header["Location"] != nil
	}
	return "", false
}

// redirect is the next message, by the rules of requests: what a form was
// becomes a GET, and credentials do not go to another host.
func redirect(c *call, m *message, status int, target string, jar http.CookieJar) (*message, error) {
	to, err := m.url.Parse(target)
	if err != nil {
		return nil, value.Errorf("InvalidURL", "Failed to parse: %s", cut(target))
	}
	u, err := parseURL(to.String())
	if err != nil {
		return nil, err
	}
	if err := c.checkLists(u.String()); err != nil {
		return nil, err
	}
	next := &message{method: m.method, url: u}
	drop := map[string]bool{"cookie": true}
	if status == 303 && m.method != "HEAD" || status == 302 && m.method != "HEAD" || status == 301 && m.method == "POST" {
		next.method = "GET"
	}
	if status == 307 || status == 308 {
		next.body, next.hasBody = m.body, m.hasBody
	} else {
		drop["content-type"], drop["content-length"], drop["transfer-encoding"] = true, true, true
	}
	if leaves(m.url, u) {
		drop["authorization"] = true
	}
	u.User = nil
	for _, h := range m.headers {
		if !drop[strings.ToLower(h.name)] {
			next.headers = append(next.headers, h)
		}
	}
	var cookies []string
	if c.cookies != nil && strings.EqualFold(m.url.Hostname(), u.Hostname()) {
		for _, h := range m.headers {
			if strings.EqualFold(h.name, "Cookie") {
				cookies = append(cookies, h.value)
			}
		}
	}
	for _, k := range jar.Cookies(u) {
		cookies = append(cookies, k.Name+"="+k.Value)
	}
	if len(cookies) > 0 {
		next.headers = append(next.headers, header{"Cookie", strings.Join(cookies, "; ")})
	}
	return next, nil
}

// leaves says whether credentials for one URL must not go to the other. A
// change from plain to encrypted on the same host is no reason.
func leaves(from, to *url.URL) bool {
	if !strings.EqualFold(from.Hostname(), to.Hostname()) {
		return true
	}
	if from.Scheme == "http" && to.Scheme == "https" && port(from) == "80" && port(to) == "443" {
		return false
	}
	return from.Scheme != to.Scheme || port(from) != port(to)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// result is the runner's result; a body is read as JSON when it says it is.
func result(status int, headers []header, text string) *value.Dict {
	shown := value.NewDict()
	names := map[string]string{}
	kind := ""
	for _, h := range headers {
		lower := strings.ToLower(h.name)
		if lower == "content-type" {
			kind = h.value
		}
		if first, ok := names[lower]; ok {
			old, _ := shown.GetStr(first)
			shown.SetStr(first, value.Str(old)+", "+h.value)
			continue
		}
		names[lower] = h.name
		shown.SetStr(h.name, h.value)
	}
	var body value.Value = text
	parsed := false
	if before, _, _ := strings.Cut(kind, ";"); before == "application/json" {
		if v, err := value.ParseJSON(value.NewBudget(context.Background(), parseLimits), text); err == nil {
			body, parsed = v, true
		}
	}
	return value.DictOf("status_code", int64(status), "body", body, "parsed", parsed, "headers", shown)
}
