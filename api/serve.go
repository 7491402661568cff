package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"petrel"
	"petrel/auth"
)

// Bounds of the shape of a request.
const (
	maxURL       = 16 << 10 // bytes of path and query
	maxParams    = 1000     // query parameters
	maxRequestID = 128      // bytes of X-Request-ID
)

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := a.cfg.Now()
	c := &call{a: a, w: w, r: r, requestID: requestID(r)}
	h := w.Header()
	h.Set("X-Request-ID", c.requestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	a.crossOrigin(h, r.Header.Get("Origin"))
	if len(r.TransferEncoding) > 0 {
		// A request with chunks and a length has two ends; the server takes the
		// chunks, and what a proxy may have thought to follow is not read.
		h.Set("Connection", "close")
	}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			a.cfg.Log.Error("a handler panicked", "request_id", c.requestID, "method", r.Method, "path", c.shownPath(),
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			a.metrics.panics.Inc()
			c.fail(faultf(http.StatusInternalServerError, "Internal Server Error (request "+c.requestID+")"))
		}
		a.observe(c, start)
	}()
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

func (c *call) serve() error {
	a, r := c.a, c.r
	if r.Method == http.MethodOptions {
		c.w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		c.w.Header().Set("Content-Length", "0")
		c.begin(http.StatusOK)
		return nil
	}
	if err := c.parse(); err != nil {
		return err
	}
	c.route, c.path = a.routes.find(r.Method, r.URL.Path)
	if c.route == nil {
		return errNoRoute
	}
	if !c.route.endless {
		ctx, cancel := context.WithTimeout(r.Context(), a.cfg.Timeout)
		defer cancel()
		c.r = r.WithContext(ctx)
	}
	if c.route.open {
		c.who = auth.Principal{From: a.address(r), RequestID: c.requestID}
	} else if err := c.authenticate(); err != nil {
		return err
	}
	c.r = c.r.WithContext(auth.NewContext(c.r.Context(), c.who))
	if c.route.permission != "" {
		if _, err := c.may(c.route.permission, ""); err != nil {
			return err
		}
	}
	return c.route.handle(c)
}

// parse checks the URL before anything else looks at it.
func (c *call) parse() error {
	u := c.r.URL
	if n := len(u.Path) + len(u.RawQuery); n > maxURL {
		return faultf(http.StatusRequestURITooLong, fmt.Sprintf("The URL has %d bytes, at most %d are taken.", n, maxURL))
	}
	if !utf8.ValidString(u.Path) || strings.ContainsRune(u.Path, 0) {
		return petrel.Errorf(petrel.Invalid, "Failed to parse request path \"%s\". URL likely contains invalid or incorrectly "+
			"URL encoded values.", shownPath(u.Path))
	}
	if n := strings.Count(u.RawQuery, "&") + 1; n > maxParams {
		return petrel.Errorf(petrel.Invalid, "The URL has %d query parameters, at most %d are taken.", n, maxParams)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return petrel.Errorf(petrel.Invalid, "The query of the URL cannot be read: %v", err)
	}
	for name, values := range query {
		for _, v := range values {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return petrel.Errorf(petrel.Invalid, "Parameter \"%s\" is not valid UTF-8 without NUL characters",
					strings.ToValidUTF8(name, "\uFFFD"))
			}
		}
	}
	c.query = query
	return nil
}

// shownPath is a path that is no text, byte by byte and without the prefix of
// the service, as StackStorm shows it.
func shownPath(path string) string {
	for _, prefix := range []service{apiService, authService, streamService} {
		if rest, ok := strings.CutPrefix(path, "/"+string(prefix)+"/"); ok {
			path = "/" + rest
			break
		}
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] >= ' ' {
			b.WriteRune(rune(path[i]))
		}
	}
	return cutText(b.String())
}

// fail answers with an error. What lies beneath goes to the log only.
func (c *call) fail(err error) {
	status, body := faultBody(err)
	if status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		c.a.cfg.Log.Error("a request failed", "request_id", c.requestID, "method", c.r.Method, "path", c.shownPath(),
			"user", c.who.User, "status", status, "error", err)
	}
	if c.status != 0 {
		return // the answer has begun; there is no way to take it back
	}
	c.token = ""
	for _, name := range []string{"X-Total-Count", "X-Limit", "Content-Disposition", "Content-Encoding"} {
		c.w.Header().Del(name)
	}
	if err := c.json(status, body); err != nil {
		c.w.WriteHeader(http.StatusInternalServerError)
	}
}

// requestID is what the client calls its request, or a name of ours.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-ID")
	if id == "" || len(id) > maxRequestID {
		return uuid.NewString()
	}
	for i := 0; i < len(id); i++ {
		if id[i] <= ' ' || id[i] > '~' {
			return uuid.NewString()
		}
	}
	return id
}

// crossOrigin says which web pages may use the API: those of listed origins,
// compared as a whole, and never those without one ("null").
// st2: st2common/st2common/middleware/cors.py
func (a *API) crossOrigin(h http.Header, origin string) {
	allowed := a.cfg.AllowOrigin[0]
	if origin != "" && origin != "null" && (a.origins[origin] || a.origins["*"]) {
		allowed = origin
	}
	h.Set("Access-Control-Allow-Origin", allowed)
	h.Set("Access-Control-Allow-Methods", "GET,POST,PUT,DELETE,OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type,Authorization,X-Auth-Token,St2-Api-Key,X-Request-ID")
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "Content-Type,X-Limit,X-Total-Count,X-Request-ID")
	h.Add("Vary", "Origin")
}

// authenticate learns who is calling, from the first place that holds a
// credential. st2: st2common/st2common/openapi.yaml (security)
func (c *call) authenticate() error {
	a, r := c.a, c.r
	from := a.address(r)
	finish := func(p auth.Principal, err error) error {
		if err != nil {
			return err
		}
		p.From, p.RequestID = from, c.requestID
		c.who = p
		return nil
	}
	if p, ok := a.cfg.Auth.Anonymous(); ok {
		return finish(p, nil)
	}
	if text := r.Header.Get("X-Auth-Token"); text != "" {
		p, err := a.cfg.Auth.Token(c.ctx(), text, auth.InHeader)
		c.token = text
		return finish(p, err)
	}
	if text := r.Header.Get("St2-Api-Key"); text != "" {
		p, err := a.cfg.Auth.Key(c.ctx(), text, auth.InHeader)
		return finish(p, err)
	}
	if text := c.text("x-auth-token"); text != "" {
		p, err := a.cfg.Auth.Token(c.ctx(), text, auth.InQuery)
		c.token = text
		return finish(p, err)
	}
	if text := c.text("st2-api-key"); text != "" {
		p, err := a.cfg.Auth.Key(c.ctx(), text, auth.InQuery)
		return finish(p, err)
	}
	if cookie, err := r.Cookie("auth-token"); err == nil && cookie.Value != "" {
		// A browser sends the cookie by itself, also when another site asks it to.
		if err := a.cross.Check(r); err != nil {
			return petrel.Wrap(petrel.Forbidden, err, "A change from another site needs a token in a header, the cookie is not enough")
		}
		p, err := a.cfg.Auth.Token(c.ctx(), cookie.Value, auth.InCookie)
		return finish(p, err)
	}
	return auth.ErrNoCredential
}
