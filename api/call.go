package api

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"petrel"
	"petrel/auth"
)

// call is one request on its way through a handler.
type call struct {
	a         *API
	w         http.ResponseWriter
	r         *http.Request
	route     *route
	path      map[string]string // parameters of the path
	query     url.Values
	who       auth.Principal
	requestID string
	token     string // the text of the token in a header or the query; answered as a cookie
	status    int    // what was answered; 0 for nothing yet
}

func (c *call) ctx() context.Context { return c.r.Context() }

// json answers with a value as JSON.
func (c *call) json(status int, v any) error {
	text, err := appendJSON(nil, v)
	if err != nil {
		return err
	}
	return c.raw(status, "application/json", text)
}

// raw answers with bytes.
func (c *call) raw(status int, contentType string, text []byte) error {
	h := c.w.Header()
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	h.Set("Content-Length", strconv.Itoa(len(text)))
	c.begin(status)
	_, err := c.w.Write(text)
	if err != nil {
		c.a.cfg.Log.Debug("the client went away while it was answered", "request_id", c.requestID, "error", err)
	}
	return nil
}

// begin writes the status line and the headers, with the cookie that carries
// the token on. st2: only successful answers set the cookie.
func (c *call) begin(status int) {
	if c.token != "" && status < 300 {
		c.w.Header().Set("Set-Cookie", c.cookie())
	}
	c.status = status
	c.w.WriteHeader(status)
}

// cookie is what web clients keep the token in, for requests whose headers
// they cannot set (event streams, images).
func (c *call) cookie() string {
	left := c.who.ExpiresAt.Sub(c.a.cfg.Now())
	text := "auth-token=" + c.token +
		"; Max-Age=" + strconv.Itoa(max(0, int(left/time.Second))) +
		"; Path=/" +
		"; expires=" + c.who.ExpiresAt.UTC().Format("Mon, 02-Jan-2006 15:04:05 GMT")
	if !c.a.cfg.InsecureCookie {
		text += "; secure"
	}
	text += "; HttpOnly"
	if c.a.cfg.SameSite != "unset" {
		text += "; SameSite=" + c.a.cfg.SameSite
	}
	return text
}

// noContent answers 204.
func (c *call) noContent() error {
	c.begin(http.StatusNoContent)
	return nil
}

// may asks the authorizer. The error is StackStorm's 403; the decision is for
// the audit. A refusal is written to the audit here, because nothing else will
// be written.
func (c *call) may(permission, resource string) (auth.Decision, error) {
	d := c.a.cfg.Authorizer.Decide(c.ctx(), c.who, permission, resource)
	if d.Allow {
		return d, nil
	}
	if err := c.a.cfg.Store.AppendAudit(c.ctx(), c.entry(permission, resource, d, nil)); err != nil {
		return d, err
	}
	return d, auth.Denied(c.who, permission, resource)
}

// entry is the audit entry of a decision in this call.
func (c *call) entry(permission, resource string, d auth.Decision, arguments object) petrel.AuditEntry {
	var text petrel.JSON
	if arguments != nil {
		if t, err := appendJSON(nil, arguments); err == nil && len(t) <= maxAuditArguments {
			text = t
		}
	}
	return c.who.Audit(c.a.cfg.Now(), permission, resource, d, text)
}

// maxAuditArguments bounds what of a request is kept in the audit, in bytes.
const maxAuditArguments = 16 << 10

// admin says whether the caller counts as an administrator.
func (c *call) admin() bool {
	return c.a.cfg.Authorizer.Decide(c.ctx(), c.who, "admin", "").Allow
}

// masked says whether secrets are to be masked for this caller: always, unless
// an administrator asked for them, which is kept in the audit.
func (c *call) masked(target string) (bool, error) {
	if c.a.cfg.ShowSecrets {
		return false, nil
	}
	show, err := c.boolean("show_secrets")
	if err != nil || !show {
		return true, err
	}
	d := c.a.cfg.Authorizer.Decide(c.ctx(), c.who, "show_secrets", target)
	if err := c.a.cfg.Store.AppendAudit(c.ctx(), c.entry("show_secrets", target, d, nil)); err != nil {
		return true, err
	}
	return !d.Allow, nil
}

// text is a query parameter; of repeated ones the last counts.
func (c *call) text(name string) string {
	all := c.query[name]
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// boolean is a query parameter that is true or false; absent is false.
func (c *call) boolean(name string) (bool, error) {
	if !c.query.Has(name) {
		return false, nil
	}
	switch strings.ToLower(c.text(name)) {
	case "true", "1", "yes", "y":
		return true, nil
	case "false", "0", "no", "n":
		return false, nil
	}
	return false, petrel.Errorf(petrel.Invalid, "Parameter \"%s\" is not of type boolean", name)
}

// integer is a query parameter that is a whole number; numbers beyond 64 bits
// are cut to the largest.
func (c *call) integer(name string, absent int64) (int64, error) {
	if !c.query.Has(name) {
		return absent, nil
	}
	text := c.text(name)
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, petrel.Errorf(petrel.Invalid, "Parameter \"%s\" is not of type integer", name)
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n, nil
}

// list is a query parameter that holds several values between commas; nil when
// it is absent.
func (c *call) list(name string) []string {
	if !c.query.Has(name) {
		return nil
	}
	return strings.Split(c.text(name), ",")
}

// address is where the request came from: the peer, or what a trusted proxy
// says it came from.
func (a *API) address(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && a.trusted(address); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = next.Unmap()
	}
	return address.String()
}

func (a *API) trusted(address netip.Addr) bool {
	for _, prefix := range a.cfg.TrustedProxies {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// fromProxy says whether the peer itself is a trusted proxy.
func (a *API) fromProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && a.trusted(peer.Addr().Unmap())
}
